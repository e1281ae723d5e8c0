"""The noise of a picture as its file holds it: white, or stored as JPEG, which needs another estimator."""

import numpy as np
from numpy.typing import NDArray

from ...images.image_io import Picture, as_coded
from ...images.units import LEVEL
from ...system.arrays import equal_channels
from .blocks import luma_weights
from .jpeg_noise import estimate_noise_jpeg
from .jpeg_tables import ijg_table, quality_of
from .noise_level import NoiseEstimate, estimate_noise

MAX_JPEG_QUALITY = 95.0
"""The training's best; above, a file counts as never compressed."""


def is_white(picture: Picture, level: float) -> bool:
    """Return whether noise is still white in the file: no JPEG coder averaged its chroma or rounded it away.

    Where it is not, the core does better with the file as a guide (noise and quality described) than as a noisy version
    of the picture, by 0.2 to 3 dB for noise 5, 15, 25 at qualities 60 to 90 with 4:2:0. At 4:4:4 the noise counts
    against the coarsest step: the guide wins by 1 dB for noise 5 at quality 90, and loses 0.7 dB for noise 15. A gray
    file, whose only table is finer, stays white for longer: the guide loses 0.7 dB for noise 8 at quality 90.

    Args:
        picture: as it was read.
        level: std of the noise in 8-bit levels.
    """
    coding = picture.source.jpeg
    if coding is None:
        return True
    gray = picture.pixels.shape[2] == 1
    return (gray or coding.subsampling == 0) and level >= max(coding.tables[-1]) / (5 if gray else 2)


def coded_quality(picture: Picture) -> float:
    """Return the quality of a picture's file as the core is told it; 100 = never compressed.

    Qualities above 95 count as 100, which measured 0.06 to 0.11 dB better at 96 and 98.

    Args:
        picture: as it was read.
    """
    coding = picture.source.jpeg
    quality = 100.0 if coding is None else quality_of(dict(enumerate(coding.tables)))
    return quality if quality <= MAX_JPEG_QUALITY else 100.0


def measured_noise(picture: Picture) -> NoiseEstimate:
    """Estimate the noise in 8-bit levels: as white noise, or in a JPEG's own blocks.

    Args:
        picture: as it was read.
    """
    levels, coding = picture.in_levels(), picture.source.jpeg
    white = estimate_noise(levels, clips=bool(levels.min() >= 0 and levels.max() <= 2 * LEVEL))
    if coding is None or is_white(picture, white.level):
        return white
    gray = levels.shape[2] == 1
    turned: NDArray[np.float32] = as_coded(levels, coding.orientation)
    luma = turned @ luma_weights(levels.shape[2])
    return estimate_noise_jpeg(luma, np.reshape(coding.tables[0], (8, 8)), gray=gray)


def noise_before_jpeg(levels: NDArray[np.float32], quality: int, origin: tuple[int, int]) -> NoiseEstimate:
    """Estimate the noise that a picture had before it was a JPEG. It is no longer stored as one.

    Args:
        levels: (H, W, C), 0..255.
        quality: of the JPEG.
        origin: (row, column) of its grid.
    """
    gray = levels.shape[2] == 1 or equal_channels(levels)
    luma = levels @ luma_weights(levels.shape[2])
    return estimate_noise_jpeg(luma[origin[0] :, origin[1] :], ijg_table(quality), gray=gray)
