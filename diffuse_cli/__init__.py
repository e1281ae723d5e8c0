"""Image restoration with one conditional diffusion core."""

__version__ = "0.1.0"
