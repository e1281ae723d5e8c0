"""How the noise of a picture depends on the place, as behind a lens whose shading was evened out: a smooth surface."""

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ...system.arrays import equal_channels
from .chen import noise_eigenvalue
from .noise_model import NoiseModel, equalised
from .ponomarenko import plane_blocks

Floats = NDArray[np.float64]

_SIDE = 4
"""Of the patches whose covariance tells a cell's noise."""
_CELL, _MOST_CELLS = 48, 12
"""Least side of a cell in pixels, and how many of them at most go along the longer side of the picture."""
_FEWEST_CELLS = 12
_MOST_PATCHES = 4000
_TAU = 0.3
"""Texture only adds to a cell's variance, so the surface runs below the middle of the readings."""
_FAINTEST = 1.25
"""A std that changes by less over the picture is within the method's error."""
_MOST = 4.0


def estimate_shading(levels: NDArray[np.float32], model: NoiseModel, level: float) -> NDArray[np.float32] | None:
    """Return by what the noise that brightness explains is multiplied at each place.

    The noise is read in each cell of the picture: in colour as Chen, Zhu, Heng 2015 do, in gray as Ponomarenko et al.
    2007. A quadratic surface is fitted to the logarithms of the variances by quantile regression (Koenker, Bassett
    1978), so that cells of texture do not lift it.

    Args:
        levels: (H, W, C), 0..255.
        model: how the noise depends on brightness.
        level: std of the noise, taken as one for the whole picture.

    Returns:
        (H, W) factors of the std, with a root mean square of about 1. None where no dependence is sure: a picture of
            too few cells, or a std that changes by less than a quarter.
    """
    places, excess = _cells(levels, model, level)
    if len(places) < _FEWEST_CELLS:
        return None
    surface = _lower_surface(places, excess)
    h, w = levels.shape[:2]
    rows, columns = (np.arange(h) + 0.5) / h * 2 - 1, (np.arange(w) + 0.5) / w * 2 - 1
    logs = _terms(np.broadcast_to(rows[:, None], (h, w)), np.broadcast_to(columns, (h, w))) @ surface
    # Beyond the outermost cells' middles the surface is not supported by any reading.
    inner = _terms(places[:, 0], places[:, 1]) @ surface
    logs = np.clip(logs, inner.min(), inner.max())
    if math.exp((logs.max() - logs.min()) / 2) < _FAINTEST:
        return None
    middle = float(np.log(np.mean(np.exp(logs))))
    factors = np.exp(np.clip((logs - middle) / 2, -math.log(_MOST), math.log(_MOST)))
    return np.asarray(factors, dtype=np.float32)


def _cells(levels: NDArray[np.float32], model: NoiseModel, level: float) -> tuple[Floats, Floats]:
    """Return middles (N, 2), -1..1, of readable cells, and ln of their variance over what brightness explains (N,)."""
    colour = levels.shape[2] == 3 and not equal_channels(levels)
    found = _read_cells(levels, model, colour=colour)
    if colour and (len(found) == 0 or np.median(found[:, 3]) < level**2 / 4):
        # Dependent channels have directions without noise, and colour reads just these.
        found = _read_cells(levels, model, colour=False)
    return found[:, :2], found[:, 2]


def _read_cells(levels: NDArray[np.float32], model: NoiseModel, *, colour: bool) -> Floats:
    """Return (N, 4): row, column, ln of excess, variance."""
    h, w = levels.shape[:2]
    side = max(_CELL, -(-max(h, w) // _MOST_CELLS))
    down, across = max(h // side, 1), max(w // side, 1)
    found = []
    for i in range(down):
        for j in range(across):
            rows, columns = slice(i * h // down, (i + 1) * h // down), slice(j * w // across, (j + 1) * w // across)
            cell = levels[rows, columns]
            variance = _colour_variance(cell, model) if colour else _gray_variance(cell)
            if variance is not None and variance > 0:
                explained = max(model.gain * float(cell.mean()) + model.offset, 1e-3)
                place = ((i + 0.5) / down * 2 - 1, (j + 0.5) / across * 2 - 1)
                found.append((*place, math.log(variance / explained), variance))
    return np.array(found).reshape(-1, 4)


def _colour_variance(cell: NDArray[np.float32], model: NoiseModel) -> float | None:
    """Return the variance of a cell (h, w, 3); None if too few patches keep clear of the ends of the range."""
    windows = sliding_window_view(cell, (_SIDE, _SIDE), axis=(0, 1))
    stride = max(math.isqrt(windows.shape[0] * windows.shape[1] // _MOST_PATCHES), 1)
    every = windows[::stride, ::stride].reshape(-1, cell.shape[2], _SIDE**2)
    patches = np.asarray(every[(every.min((1, 2)) > 1) & (every.max((1, 2)) < 254)], dtype=np.float64)
    if len(patches) < 10 * cell.shape[2] * _SIDE**2:
        return None
    rows = equalised(patches, model.gain, model.offset)
    return noise_eigenvalue(np.asarray(np.linalg.eigvalsh(np.cov(rows, rowvar=False)), dtype=np.float64))


def _gray_variance(cell: NDArray[np.float32]) -> float | None:
    """Return the median of the high frequencies in the flattest tenth of 8x8 blocks of a cell's mean channel."""
    plane = np.ascontiguousarray(cell.mean(2))
    blocks = plane_blocks(plane)
    central = (blocks.mean > 16) & (blocks.mean < 239)
    if central.sum() < 100:
        return None
    low, high = blocks.low[central], blocks.high[central]
    flattest = np.argsort(low)[: max(len(low) // 10, 20)]
    return float(np.median(high[flattest].mean(0)))


def _terms(rows: Floats, columns: Floats) -> Floats:
    one = np.ones_like(rows)
    return np.stack([one, rows, columns, rows**2, rows * columns, columns**2], axis=-1)


def _lower_surface(places: Floats, y: Floats) -> Floats:
    """Return the coefficients (6,) of least quantile loss, by reweighted least squares with a slight ridge."""
    terms = _terms(places[:, 0], places[:, 1])
    ridge = 1e-2 * np.diag([0.0, 1, 1, 1, 1, 1])
    weights = np.ones(len(y))
    for _ in range(50):
        weighted = terms * weights[:, None]
        surface = np.linalg.solve(weighted.T @ terms + ridge, weighted.T @ y)
        residual = y - terms @ surface
        weights = np.where(residual > 0, _TAU, 1 - _TAU) / np.maximum(np.abs(residual), 0.02)
        weights /= weights.mean()
    return np.asarray(surface, dtype=np.float64)
