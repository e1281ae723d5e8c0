"""The core: network, preconditioning, fusion, samplers, tiles, data consistency, checkpoints. Tensors only."""
