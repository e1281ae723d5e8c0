"""Colours made stronger or weaker, at the same luma."""

import math

from torch import Tensor

from ...images.units import luma


def saturate(v: Tensor, factor: float) -> Tensor:
    """Multiply the distance of each pixel's colour from gray.

    Args:
        v: (1, 3, H, W), encoded.
        factor: 0 = gray, 1 = as it is.
    """
    if factor == 1:
        return v
    gray = luma(v)
    return gray + factor * (v - gray)


def chroma(v: Tensor) -> float:
    """Return the root mean square distance of encoded values (1, 3, H, W) from gray."""
    return float((v - luma(v)).square().mean().sqrt())


def chroma_growth(factor: float) -> float:
    """Return how much white noise of three channels grows, root mean square, where colours are multiplied.

    It is the norm of the matrix of `saturate`, divided by that of the identity: the weights of luma have a sum of
    squares of 0.447.
    """
    return math.sqrt(0.447 - 0.227 * factor + 0.780 * factor**2)
