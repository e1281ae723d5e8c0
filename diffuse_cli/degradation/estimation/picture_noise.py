"""The noise of a picture as its file holds it: white, or stored as JPEG, which asks for another estimator."""

import numpy as np
from numpy.typing import NDArray

from ...images.image_io import Picture, as_coded
from ...images.units import LEVEL
from .blocks import luma_weights
from .jpeg_noise import estimate_noise_jpeg
from .jpeg_tables import ijg_table, quality_of
from .noise_level import NoiseEstimate, estimate_noise

MAX_JPEG_QUALITY = 95.0
"""The training's best; above, a file counts as never compressed."""


def is_white(picture: Picture, level: float) -> bool:
    """Whether noise of this level is still white in the file: no JPEG coder averaged its chroma or rounded it away.

    Where it is not, the core does better with the file as a guide (noise and quality described) than as a noisy version
    of the picture, by 0.2 to 3 dB for noise 5, 15, 25 at qualities 60 to 90 with 4:2:0. At 4:4:4 what counts is the
    noise against the coarsest step: the guide wins by 1 dB for noise 5 at quality 90, and loses 0.7 dB for noise 15.
    A gray file, whose only table is finer, stays white for longer: the guide loses 0.7 dB for noise 8 at quality 90.
    """
    coding = picture.source.jpeg
    if coding is None:
        return True
    gray = picture.pixels.shape[2] == 1
    return (gray or coding.subsampling == 0) and level >= max(coding.tables[-1]) / (5 if gray else 2)


def coded_quality(picture: Picture) -> float:
    """As the core is told it: the best qualities count as none, which measured 0.06 to 0.11 dB better at 96 and 98."""
    coding = picture.source.jpeg
    quality = 100.0 if coding is None else quality_of(dict(enumerate(coding.tables)))
    return quality if quality <= MAX_JPEG_QUALITY else 100.0


def measured_noise(picture: Picture) -> NoiseEstimate:
    """The noise in 8-bit levels, read as fits the file: white, or in a JPEG's own blocks."""
    levels, coding = (picture.pixels + 1) * np.float32(LEVEL), picture.source.jpeg
    white = estimate_noise(levels, clips=bool(levels.min() >= 0 and levels.max() <= 2 * LEVEL))
    if coding is None or is_white(picture, white.level):
        return white
    gray = levels.shape[2] == 1
    luma = as_coded(levels, coding) @ luma_weights(levels.shape[2])
    return estimate_noise_jpeg(luma, np.reshape(coding.tables[0], (8, 8)), gray=gray)


def noise_before_jpeg(levels: NDArray[np.float32], quality: int, origin: tuple[int, int]) -> NoiseEstimate:
    """The noise that a picture had before it was a JPEG of this quality and grid, as which it is no longer stored."""
    gray = levels.shape[2] == 1 or bool((levels == levels[..., :1]).all())
    luma = levels @ luma_weights(levels.shape[2])
    return estimate_noise_jpeg(luma[origin[0] :, origin[1] :], ijg_table(quality), gray=gray)
