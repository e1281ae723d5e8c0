"""Whether a picture was a JPEG once, of what quality and on which grid, from its luma alone."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from . import channels
from .blocks import dct_matrix, luma_weights
from .jpeg_tables import ijg_table

Floats = NDArray[np.float64]

QUALITIES = np.arange(5, 98)
_MOST_BLOCKS = 3000
_GRID_BLOCKS = 600
# std of what rounding to 8-bit RGB and back to luma leaves of a coefficient, and the share of blocks changed otherwise.
_ROUNDING, _OUTLIERS = 0.6, 0.02
# Mean log-likelihood above which the picture was a JPEG; uncompressed photographs reach -0.08 at most.
_EVIDENCE = 0.02
# Stds by which the grid's count of vanishing coefficients must stand out among all 64 origins.
_GRID_EVIDENCE = 8.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Compression:
    """What a JPEG coder left.

    Attributes:
        quality: of the Independent JPEG Group's encoder, 5..97; None = no trace, which noise or resizing after the
            coder explain, too.
        origin: (row, column) of the grid of blocks, 0..7 each; None = it does not show.
        evidence: mean log-likelihood ratio of a coefficient; above 0 speaks for JPEG.
    """

    quality: int | None
    origin: tuple[int, int] | None
    evidence: float


def estimate_compression(levels: NDArray[np.float32]) -> Compression:
    """Find the quantisation steps that explain the coefficients best.

    Maximum likelihood over the quality, after Fan and de Queiroz 2003, "Identification of bitmap compression history"
    (IEEE TIP 12:230): a coefficient beyond half a step lies near a multiple of the step.

    Args:
        levels: (H, W, C), 0..255, C = 3 or 1.
    """
    luma = unclipped_luma(levels)
    origin = grid_origin(luma)
    blocks = blocks_of(luma, *(origin or (0, 0)), _MOST_BLOCKS)
    if len(blocks) < 16:
        return Compression(quality=None, origin=origin, evidence=-math.inf)
    coefficients = cosines(blocks)
    likelihoods = [_log_likelihood(coefficients, int(quality)) for quality in QUALITIES]
    best = int(np.argmax([total for total, _ in likelihoods]))
    total, count = likelihoods[best]
    evidence = total / max(count, 1)
    # A handful of coefficients says nothing, whatever they say.
    found = evidence > _EVIDENCE and count >= 50
    return Compression(quality=int(QUALITIES[best]) if found else None, origin=origin, evidence=evidence)


def _log_likelihood(coefficients: Floats, quality: int) -> tuple[float, int]:
    """Return the log-likelihood ratio of the coefficients (N, 64) beyond half a step, and how many there are."""
    steps = ijg_table(quality).reshape(64).astype(np.float64)
    multiples = np.round(coefficients / steps)
    counted = multiples != 0
    counted &= _varies(multiples, counted)
    rest = (coefficients - multiples * steps)[counted]
    widths = np.broadcast_to(steps, coefficients.shape)[counted]
    near = np.exp(-0.5 * (rest / _ROUNDING) ** 2) / (_ROUNDING * math.sqrt(2 * math.pi))
    ratio = np.log(widths * ((1 - _OUTLIERS) * near + _OUTLIERS / widths))
    return float(ratio.sum()), int(counted.sum())


def _varies(multiples: Floats, counted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which of 64 frequencies hold several of the multiples counted. A computed ramp has one of each.

    Means do not count.
    """
    number, kept = counted.sum(0), np.where(counted, multiples, 0.0)
    varies = np.asarray(number * np.square(kept).sum(0) > np.square(kept.sum(0)) + 1e-6)
    varies[0] = False
    return varies


def grid_origin(luma: NDArray[np.float32]) -> tuple[int, int] | None:
    """Return the origin at which most coefficients of blocks vanish, if it stands out.

    After ZERO (Nikoukhah et al. 2021, IPOL), with a robust score in place of its number of false alarms.

    Args:
        luma: (H, W), 0..255; NaN is left out.
    """
    counts = np.zeros((8, 8))
    for row in range(8):
        for column in range(8):
            blocks = blocks_of(luma, row, column, _GRID_BLOCKS)
            if len(blocks) < 16:
                return None
            counts[row, column] = float((np.abs(cosines(blocks)[:, 1:]) < 0.5).mean())
    spread = 1.4826 * float(np.median(np.abs(counts - np.median(counts))))
    best = np.unravel_index(int(np.argmax(counts)), counts.shape)
    if counts[best] - np.median(counts) < _GRID_EVIDENCE * max(spread, 1e-3):
        return None
    return int(best[0]), int(best[1])


def picture_grid(levels: NDArray[np.float32]) -> tuple[int, int] | None:
    """Return the origin of a picture's grid of blocks, as `grid_origin` does.

    Args:
        levels: (H, W, C), 0..255, C = 3 or 1.
    """
    return grid_origin(unclipped_luma(levels))


def unclipped_luma(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return Y of BT.601 (H, W), NaN where a channel lies at an end of the range, which clipping has changed.

    Args:
        levels: (H, W, C), 0..255, C = 3 or 1.
    """
    clipped = (channels.lowest(levels) < 0.5) | (channels.highest(levels) > 254.5)
    return np.asarray(np.where(clipped, np.float32(np.nan), levels @ luma_weights(levels.shape[2])))


def blocks_of(luma: NDArray[np.float32], row: int, column: int, most: int) -> Floats:
    """Return 8x8 blocks (N, 64) of the grid with this origin, evenly spread, without those that have a NaN.

    Args:
        luma: (H, W).
        row: of the origin.
        column: of the origin.
        most: about how many to return.
    """
    if min(luma.shape[0] - row, luma.shape[1] - column) < 8:
        return np.empty((0, 64))
    windows = sliding_window_view(luma, (8, 8))[row::8, column::8]
    flat = windows.reshape(-1, 64) if windows.shape[0] * windows.shape[1] <= most else _spread(windows, most)
    blocks = np.asarray(flat, dtype=np.float64)
    return blocks[np.isfinite(blocks).all(1)]


def _spread(windows: NDArray[np.float32], most: int) -> NDArray[np.float32]:
    """Return some of many windows, by a fixed draw, so that no stride favours a part of the picture."""
    chosen = np.sort(np.random.default_rng(0).choice(windows.shape[0] * windows.shape[1], most, replace=False))
    return np.asarray(windows[chosen // windows.shape[1], chosen % windows.shape[1]]).reshape(-1, 64)


def cosines(blocks: Floats) -> Floats:
    """Return the orthonormal 2-D cosine transform of level-shifted blocks.

    Args:
        blocks: (N, 64), 0..255.
    """
    transformed: Floats = (blocks - 128) @ dct_matrix().T
    return transformed
