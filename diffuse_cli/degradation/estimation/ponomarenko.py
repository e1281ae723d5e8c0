"""Noise of single channels, by the high frequencies of the flattest 8x8 blocks.

After Ponomarenko et al. 2007, "An automatic approach to lossy compression of AVIRIS images".
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .blocks import WHITE, dct_matrix, frequencies, unsaturated, windows_of
from .clipping import histogram, shows_clipping, std_present, unclip, variance_at_mean

FEWEST_BLOCKS = 81
"""Blocks at every pixel of 16 x 16. Smaller pictures are off by more than the noise they could report."""
_MOST_BLOCKS = 80_000
# Where even the flattest blocks hold this many times the low frequencies of the noise read in them, they are texture or
# text. On training photographs noise of 2 or more gives at most 2.4, a woven cloth filling the picture 3.9.
_TEXTURE = 3.0
# And where they hold this little, the noise was read in something else (text on white paper). Noise leaves 0.5.
_TOO_FLAT = 0.35
# What Ponomarenko et al. call the low and the high frequencies.
_LOW, _HIGH = frequencies(1, 8), frequencies(9, 14)


@dataclass(frozen=True, kw_only=True, slots=True)
class Blocks:
    """8x8 blocks of a plane.

    Attributes:
        mean: (N,), levels.
        low: (N,), energy of the low frequencies.
        high: (N, 28), squares of the high frequencies.
    """

    mean: NDArray[np.float32]
    low: NDArray[np.float32]
    high: NDArray[np.float32]

    def __len__(self) -> int:
        """Return the number of blocks."""
        return len(self.mean)


def estimate_planes(levels: NDArray[np.float32], clips: bool) -> tuple[float, float, bool]:
    """Estimate the noise of each channel by itself, and join the stds as the root of their mean square.

    Args:
        levels: (H, W, C), 0..255.
        clips: the file stores integers.

    Returns:
        The std in the pixels, the std before clipping, and whether any channel has flat blocks. Without them the
        picture is texture, and the stds are upper bounds.
    """
    planes = [_estimate_plane(levels[:, :, channel], clips) for channel in range(levels.shape[2])]
    flat = [plane for plane in planes if plane[2]]
    used = flat or planes
    level = math.sqrt(sum(level**2 for level, _, _ in used) / len(used))
    nominal = math.sqrt(sum(nominal**2 for _, nominal, _ in used) / len(used))
    return level, nominal, bool(flat)


def _estimate_plane(plane: NDArray[np.float32], clips: bool) -> tuple[float, float, bool]:
    """Return the same for one channel (H, W)."""
    blocks = plane_blocks(plane)
    if len(blocks) < FEWEST_BLOCKS:
        return 0.0, 0.0, True
    nominal, flatness = _std_of_flattest(blocks, clips=clips, central=clips)
    if clips and flatness < _TOO_FLAT:
        nominal, flatness = _std_of_flattest(blocks, clips=True, central=False)
    means = histogram(blocks.mean)
    if clips and nominal > 0 and not shows_clipping(plane, means, nominal):
        clips = False
        nominal, flatness = _std_of_flattest(blocks, clips=False, central=False)
    level = std_present(nominal, means) if clips and nominal > 0 else nominal
    return level, nominal, flatness <= _TEXTURE


def plane_blocks(plane: NDArray[np.float32]) -> Blocks:
    """Return overlapping blocks of a plane, without those at one end of the range.

    Args:
        plane: (H, W), 0..255.
    """
    positions = (plane.shape[0] - 7) * (plane.shape[1] - 7)
    stride = 1 if positions < 4096 else 2
    windows = windows_of(plane, 8, stride, _MOST_BLOCKS).reshape(-1, 64)
    windows = windows[unsaturated(windows)]
    coefficients = windows @ dct_matrix().astype(np.float32).T
    mean = np.asarray(coefficients[:, 0] / 8, dtype=np.float32)
    coefficients **= 2
    return Blocks(mean=mean, low=coefficients[:, _LOW].sum(axis=1), high=coefficients[:, _HIGH])


def _std_of_flattest(blocks: Blocks, *, clips: bool, central: bool) -> tuple[float, float]:
    """Return the std of the noise before clipping, from the flattest blocks, and how flat these are.

    A clipped block looks flat whatever it shows. So flatness is relative to the noise that a block of that mean would
    have. This needs the std, and four rounds settle it. From the second round on, all blocks count whose low
    frequencies hold no more than noise would leave there. Where noise is strong these are many, and the lowest of them
    would be a biased choice.

    Args:
        blocks: of one plane.
        clips: noise was cut off at the ends of the range.
        central: leave out blocks near the ends of the range.

    Returns:
        The std, and the low-frequency energy of the flattest blocks over what the std explains.
    """
    distance = np.minimum(blocks.mean, WHITE - blocks.mean)
    # At least the most central fifth stays: a dark picture has no other blocks.
    off_centre = float(np.quantile(distance, 0.8))
    keep = np.ones(len(blocks), dtype=np.bool_)
    low, std = blocks.low, 0.0
    for turn in range(4):
        flat = _flattest(low, keep, count_noise=turn > 0)
        raw = math.sqrt(float(np.median(blocks.high[flat].mean(axis=0))))
        if raw == 0:
            return 0.0, 1.0
        std = unclip(raw, histogram(blocks.mean[flat])) if clips else raw
        low = blocks.low / (variance_at_mean(blocks.mean, std) if clips else std**2)
        keep = distance >= min(std, off_centre) if central else keep
    every = np.ones_like(keep)
    return std, float(np.median(low[_flattest(low, every, count_noise=False)]) / _LOW.sum())


def _flattest(low: NDArray[np.floating], keep: NDArray[np.bool_], *, count_noise: bool) -> NDArray[np.intp]:
    """Return the indices of the kept blocks of least low-frequency energy.

    Args:
        low: (N,), energy of the low frequencies; with `count_noise` in units of the noise variance.
        keep: (N,), which blocks may be returned.
        count_noise: take all blocks that noise alone explains, and not only the lowest 0.5 %.
    """
    kept = np.flatnonzero(keep)
    count = max(len(kept) // 200, 50)
    if count_noise:
        count = max(count, int(np.sum(low[kept] <= 1.1 * _LOW.sum())))
    count = min(count, len(kept))
    return kept[np.argpartition(low[kept], count - 1)[:count]]
