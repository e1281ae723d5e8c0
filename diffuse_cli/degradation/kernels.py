"""Blurs that are no Gaussian: motion, defocus, and any other by its kernel, the picture of a point."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..errors import PictureError, UsageError
from ..images.picture import Picture

MAX_LENGTH, MAX_RADIUS = 200.0, 60.0
MAX_SIDE: Final = 401
"""The most pixels of a side of a kernel."""
_FINE: Final = 8
"""Samples a pixel, along each axis."""
_FAINT: Final = 1e-3
"""Rows and columns at the rim of a kernel's picture that hold less than this share are cut off."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Kernel:
    """A blur by its kernel.

    Attributes:
        weights: (k, k), k odd, not negative, of sum 1: how a point spreads around the middle.
        told: how a recipe tells it.
    """

    weights: NDArray[np.float32]
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def reach(self) -> int:
        """Pixels that a point spreads to each side."""
        return int(self.weights.shape[0]) // 2

    @property
    def spread(self) -> float:
        """Std of a Gaussian that spreads a point as far, in pixels: the root mean square over both axes."""
        along = np.arange(-self.reach, self.reach + 1, dtype=np.float64)
        return math.sqrt(sum(float(self.weights.sum(axis) @ along**2) for axis in (0, 1)) / 2)


def motion(length: float, angle: float) -> Kernel:
    """Return the blur of a straight motion.

    Args:
        length: of the path in pixels.
        angle: of the path in degrees, from rightwards towards upwards. 0 and 180 are the same.

    Raises:
        UsageError: a value is out of range.
    """
    if not 1 <= length <= MAX_LENGTH:
        raise UsageError(f"--motion: the length must lie in 1 .. {MAX_LENGTH:g} pixels, not {length:g}")
    if not -360 <= angle <= 360:
        raise UsageError(f"--motion: the angle must lie in -360 .. 360 degrees, not {angle:g}")
    along = (np.arange(math.ceil(length * _FINE)) + 0.5) / math.ceil(length * _FINE) * length - length / 2
    turn = math.radians(angle)
    return Kernel(
        weights=_sampled(-along * math.sin(turn), along * math.cos(turn)), told={"motion": f"{length:g},{angle:g}"}
    )  # fmt: skip


def defocus(radius: float) -> Kernel:
    """Return the blur of a lens that is out of focus: a disk.

    Args:
        radius: of the disk in pixels.

    Raises:
        UsageError: the radius is out of range.
    """
    if not 0.5 <= radius <= MAX_RADIUS:
        raise UsageError(f"--defocus must lie in 0.5 .. {MAX_RADIUS:g} pixels, not {radius:g}")
    side = math.ceil(radius * _FINE)
    axis = (np.arange(-side, side + 1)) / _FINE
    down, across = (grid[np.hypot(axis[:, None], axis) <= radius] for grid in np.meshgrid(axis, axis, indexing="ij"))
    return Kernel(weights=_sampled(down, across), told={"defocus": radius})


def gaussian(std: float) -> Kernel:
    """Return a Gaussian blur of that std in pixels, sampled at the pixels."""
    reach = math.ceil(4 * std)
    along = np.exp(-0.5 * (np.arange(-reach, reach + 1) / std) ** 2)
    weights = np.outer(along, along)
    return Kernel(weights=np.asarray(weights / weights.sum(), np.float32), told={"blur": std})


def known_kernel(motion_path: str | None, radius: float | None) -> Kernel | None:
    """Return the blur that `--motion LENGTH,ANGLE` or `--defocus RADIUS` names; None = neither is given.

    Args:
        motion_path: length and angle, with a comma.
        radius: of a disk.

    Raises:
        UsageError: a value is out of range, or no number.
    """
    if radius is not None:
        return defocus(radius)
    if motion_path is None:
        return None
    try:
        length, angle = (float(part) for part in motion_path.split(","))
    except ValueError:
        raise UsageError(f"--motion {motion_path}: not a length and an angle; give them like 15,30") from None
    return motion(length, angle)


def kernel_of(picture: Picture) -> Kernel:
    """Return the blur that a picture of a point shows: bright is much. The point was in the middle.

    Args:
        picture: of the point on black.

    Raises:
        PictureError: it is black or too large.
    """
    weights = (picture.pixels.mean(2, dtype=np.float64) + 1) / 2
    if weights.min() < 0 or weights.sum() <= 0:
        raise PictureError("it is no kernel: it must show a bright point, spread by the blur, on black")
    weights = _centred(weights)
    if weights.shape[0] > MAX_SIDE:
        raise PictureError(f"the kernel has {weights.shape[0]} pixels a side; at most {MAX_SIDE} can be undone")
    return Kernel(weights=(weights / weights.sum()).astype(np.float32))


def blur_by(x: Tensor, kernel: Kernel) -> Tensor:
    """Convolve a picture with a kernel. Borders are replicated.

    Args:
        x: (B, C, H, W).
        kernel: the blur.
    """
    reach = kernel.reach
    padded = F.pad(x, (reach, reach, reach, reach), mode="replicate")
    size = fast_size(padded.shape[-2], padded.shape[-1])
    whole = convolved(padded, spectrum(kernel, size), size)
    return whole[..., 2 * reach : 2 * reach + x.shape[-2], 2 * reach : 2 * reach + x.shape[-1]]


def fast_size(h: int, w: int) -> tuple[int, int]:
    """Return the next larger size whose transform is fast."""
    from scipy.fft import next_fast_len

    return next_fast_len(h, real=True), next_fast_len(w, real=True)


def spectrum(kernel: Kernel, size: tuple[int, int]) -> Tensor:
    """Return the transform of a kernel whose corner is at (0, 0), for pictures of one size."""
    found: Tensor = torch.fft.rfft2(torch.from_numpy(kernel.weights), s=size)
    return found


def convolved(x: Tensor, by: Tensor, size: tuple[int, int]) -> Tensor:
    """Multiply the transform of a picture (..., h, w), zero up to a size, by a spectrum. It wraps around there."""
    found: Tensor = torch.fft.irfft2(torch.fft.rfft2(x, s=size) * by, s=size)
    return found


def _sampled(down: NDArray[np.float64], across: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the kernel of points, each shared among the four pixels around it."""
    reach = math.ceil(max(np.abs(down).max(), np.abs(across).max(), 0.0))
    weights = np.zeros((2 * reach + 3, 2 * reach + 3))
    at = np.stack([down, across]) + reach + 1
    corner = np.floor(at).astype(int)
    part = at - corner
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        share = (part[0] if i else 1 - part[0]) * (part[1] if j else 1 - part[1])
        np.add.at(weights, (corner[0] + i, corner[1] + j), share)
    weights = _centred(weights)
    return np.asarray(weights / weights.sum(), np.float32)


def _centred(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a square with the same middle and an odd side, without a rim that holds next to nothing."""
    h, w = weights.shape
    side = max(h, w) | 1
    top, left = (side - h) // 2, (side - w) // 2
    square = np.zeros((side, side))
    square[top : top + h, left : left + w] = weights
    least = _FAINT / 4 * square.sum()
    while side > 3:
        rim = [square[0].sum(), square[-1].sum(), square[:, 0].sum(), square[:, -1].sum()]
        if max(rim) > least:
            break
        square, side = square[1:-1, 1:-1], side - 2
    return square
