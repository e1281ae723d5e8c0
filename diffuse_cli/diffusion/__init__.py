"""The core: network, preconditioning, fusion, samplers, tiles, data consistency, checkpoints. Tensors only.

Start with `inference`, then `denoiser` and `sampling`.
"""
