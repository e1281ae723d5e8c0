"""A `Problem` solved: the posterior mean, samples and their uncertainty, wide holes, JPEG blocks.

Knows pixels, no file names. May import: `diffusion` and below.
Start with: `problem.py` for what is known and wanted, `solve.py` for the strategies, `restore.py` for the result.
"""
