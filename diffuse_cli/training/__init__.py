"""Training of the core: data, batches, Muon, averages, runs that continue after an interruption.

Used by `diffuse train` and by the learning of styles. May import: `diffusion` and below.
Start with: `config.py` for what a run is, `loop.py` for a step, `sample_spec.py` for what a sample is.

Pictures are decoded once (`pictures.py`, `torchvision_data.py`, `bank.py`). Each sample of a batch is drawn by its task
(`sample_spec.py`) and made by the same operators as in restoring (`batch.py`).
"""
