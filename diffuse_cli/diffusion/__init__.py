"""The core: network, denoiser, conditioning, fusion, solvers, tiles, data consistency, checkpoints.

Tensors only: no files, no PIL. May import: `degradation` and below, but not `images`.
Start with: `denoiser.py` for D(x, sigma), `sampling.py` for the solvers, `inference.py` for both in tiles.
"""
