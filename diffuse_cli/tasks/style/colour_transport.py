"""Transport colours: the optimal transport between two Gaussians (Pitie and Kokaram 2007).

"The linear Monge-Kantorovitch linear colour mapping for example-based colour transfer": of all linear maps that give a
picture the mean and the covariance of another, this one moves its colours least. It does not depend on the orthonormal
colour space, so it is computed in R, G, B.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

FLOOR = 1e-4
"""Added to variances: a gray picture's colours have but one direction, and a constant one's none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Colours:
    """The distribution of a picture's colours.

    Attributes:
        mean: (3,), [-1, 1] units.
        covariance: (3, 3).
    """

    mean: Tensor
    covariance: Tensor


def colours_of(x: Tensor, where: Tensor | None = None) -> Colours:
    """Return the mean and the covariance of a picture's colours.

    Args:
        x: (1, 3, H, W).
        where: (H, W), True = the pixel counts; None = all count.
    """
    pixels = x[0].flatten(1) if where is None else x[0][:, where]
    pixels = pixels.double()
    mean = pixels.mean(1)
    off = pixels - mean[:, None]
    return Colours(mean=mean, covariance=off @ off.T / max(pixels.shape[1], 1))


def transport(source: Colours, target: Colours) -> Tensor:
    """Return the map T = S^-1/2 (S^1/2 V S^1/2)^1/2 S^-1/2, (3, 3).

    S and V are the covariances of source and target. A colour x becomes T (x - mean_S) + mean_V.
    """
    floor = FLOOR * torch.eye(3, dtype=torch.float64)
    root = _root(source.covariance + floor)
    inverse = torch.linalg.inv(root)
    matrix: Tensor = inverse @ _root(root @ (target.covariance + floor) @ root) @ inverse
    return matrix


def _root(matrix: Tensor) -> Tensor:
    """Return the symmetric square root of a symmetric matrix without negative eigenvalues."""
    values, vectors = torch.linalg.eigh(matrix)
    root: Tensor = vectors * values.clamp_min(0).sqrt() @ vectors.T
    return root


def transported(x: Tensor, source: Colours, target: Colours, share: float) -> Tensor:
    """Move the colours of a picture (1, 3, H, W) a share of the way, along straight lines. Do not clip."""
    matrix = torch.lerp(torch.eye(3, dtype=torch.float64), transport(source, target), share)
    mean = torch.lerp(source.mean, target.mean, share)
    offset = mean - matrix @ source.mean
    moved = torch.einsum("ij,bjhw->bihw", matrix.to(x.dtype), x)
    return moved + offset.to(x.dtype)[:, None, None]
