"""Training of the network: `diffuse train`, or `torchrun ... -m diffuse_cli train`. Start reading in loop.py.

Pictures are decoded once (pictures.py, torchvision_data.py, bank.py). Each sample of a batch is drawn by its task
(sample_spec.py) and made by the same operators as in restoring (batch.py). Only the command and the learning of styles
import this room.
"""
