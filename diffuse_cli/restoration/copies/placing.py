"""A copy brought onto the reference's pixels, and what that does to its noise."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from .opencv import opencv
from .registration import Map, Matrix, resizing, scale_of, warped, within

MARGIN: Final = 2.0
"""Pixels of a copy's edge that the interpolation makes up in part."""
FINER: Final = 1.05
"""A copy that is finer by this factor is shrunk first, or it would alias."""
PATCH: Final = 192
"""Side in pixels of the noise that is drawn to see what becomes of it."""
COARSE: Final = 1.0
"""Std in pixels of the Gaussian that leaves the noise which a denoiser cannot easily remove."""


def place(values: Map, matrix: Matrix, size: tuple[int, int], flow: Map | None = None) -> Map:
    """Return a copy's values (h, w, ...) at the reference's pixels. A shift by whole pixels changes none of them.

    Args:
        values: of the copy.
        matrix: (3, 3), from the reference to the copy.
        size: (height, width) of the reference.
        flow: (H, W, 2), by how much the reference's pixels moved before. None: not at all.
    """
    cv2 = opencv()
    channels = values.shape[2:]
    if flow is None and is_shift(matrix):
        moved = warped(values, matrix, size, cv2.INTER_NEAREST)
        return moved.reshape(*size, *channels)
    values, matrix = shrunk(values, matrix, size)
    return warped(values, matrix, size, cv2.INTER_LANCZOS4, flow).reshape(*size, *channels)


def shrunk(values: Map, matrix: Matrix, size: tuple[int, int]) -> tuple[Map, Matrix]:
    """Return a copy that is finer than the reference at the reference's scale, with its matrix."""
    cv2 = opencv()
    scale = scale_of(matrix, size)
    if scale < FINER:
        return values, matrix
    height, width = values.shape[:2]
    small = (max(round(height / scale), 1), max(round(width / scale), 1))
    less = cv2.resize(values, (small[1], small[0]), interpolation=cv2.INTER_AREA)
    return less.reshape(*small, *values.shape[2:]), resizing((height, width), small) @ matrix


def is_shift(matrix: Matrix) -> bool:
    """Return whether a matrix shifts by whole pixels and does nothing else."""
    return bool(np.array_equal(matrix[:2, :2], np.eye(2)) and np.array_equal(matrix[:2, 2], np.round(matrix[:2, 2])))


def shown(matrix: Matrix, size: tuple[int, int], of_copy: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which of the reference's pixels a copy shows (H, W).

    Args:
        matrix: (3, 3), from the reference to the copy.
        size: (height, width) of the reference.
        of_copy: (height, width) of the copy.
    """
    return within(matrix, size, of_copy, 0 if is_shift(matrix) else MARGIN * max(scale_of(matrix, size), 1))


@dataclass(frozen=True, kw_only=True, slots=True)
class NoiseKept:
    """What becomes of noise of variance 1.

    Attributes:
        variance: of a pixel, afterwards.
        coarse: variance of white noise that has as much of what is coarse.
        drawn: (PATCH, PATCH), such noise.
    """

    variance: float
    coarse: float
    drawn: Map


def noise_kept(matrix: Matrix, size: tuple[int, int], grain: float, seed: int) -> NoiseKept:
    """Draw noise, place it as the copy is placed, and measure it. Interpolation lowers it and makes it coarser.

    Args:
        matrix: (3, 3), from the reference to the copy.
        size: (height, width) of the reference.
        grain: of the copy's noise, as `Degradation.grain` has it.
        seed: of the noise.
    """
    cv2 = opencv()
    side = (min(PATCH, size[0]), min(PATCH, size[1]))
    corner = np.array([[1.0, 0, (size[1] - side[1]) // 2], [0, 1, (size[0] - side[0]) // 2], [0, 0, 1]])
    here = matrix @ corner
    points = here @ np.array([[x, y, 1.0] for y in (-1, side[0]) for x in (-1, side[1])]).T
    points = points[:2] / points[2]
    low = np.floor(points.min(1)).astype(int) - 8
    width, height = (np.ceil(points.max(1)).astype(int) + 9 - low).tolist()
    noise = np.random.default_rng([seed, 2]).standard_normal((height, width)).astype(np.float32)
    if grain > 0:
        noise = cv2.GaussianBlur(noise, (0, 0), grain)
        noise /= noise.std()
    drawn = place(noise, np.array([[1.0, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1]]) @ here, side)
    return NoiseKept(variance=float(np.mean(drawn**2)), coarse=coarse(drawn), drawn=drawn)


def coarse(noise: Map) -> float:
    """Return the variance of the white noise that has as much of what is coarse.

    Args:
        noise: (H, W).
    """
    cv2 = opencv()
    white = 1 / (4 * np.pi * COARSE**2)
    return float(np.mean(cv2.GaussianBlur(noise, (0, 0), COARSE) ** 2) / white)


def grain_of(noise: Map) -> float:
    """Return how coarse noise is: the std of the Gaussian that gives white noise its correlation.

    Args:
        noise: (H, W).
    """
    energy = float(np.mean(noise**2)) + 1e-12
    beside = float(np.mean(noise[:, 1:] * noise[:, :-1]) + np.mean(noise[1:] * noise[:-1])) / (2 * energy)
    stds = np.linspace(0.2, 3, 57)
    return float(np.interp(beside, [_beside(std) for std in stds], stds, left=0.0))


def _beside(std: float) -> float:
    """Return the correlation of neighbours in white noise blurred by a Gaussian."""
    reach = np.arange(-12, 13)
    kernel = np.exp(-0.5 * (reach / std) ** 2)
    return float((kernel[1:] * kernel[:-1]).sum() / (kernel**2).sum())
