"""What happened to a copy, as the estimators tell: noise, coder, blur, size; and the detail that was lost by it."""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ...degradation.estimation.estimate import blur_of, find_jpeg
from ...degradation.operators import blur, resize, shrunk_size
from ...images.jpeg_writer import through_jpeg
from ...images.picture import Picture, to_levels, to_unit
from ...images.tensors import to_array, to_tensor
from ..noise_reading import NoiseReader, find_noise
from ..visible import visible
from .described import Described
from .opencv import opencv

Map = NDArray[np.float32]

WINDOW: Final = 7
"""Side in pixels of the window in which errors are averaged."""
SHIFT: Final = 4
"""Pixels by which a coder's blocks are moved when its errors are simulated: those of the copy are in the picture."""
UNSURE: Final = 0.25
"""Spread of a blur from which on it tells nothing."""
LEAST_BLUR: Final = 0.3
"""Std in pixels of a difference in blur that counts."""
_SUBSAMPLINGS: Final = {0: "4:4:4", 1: "4:2:2"}


def describe(picture: Picture, read_noise: NoiseReader | None) -> Described:
    """Ask the estimators about a copy.

    Args:
        picture: as it was read.
        read_noise: reads the noise of photographs. None: only white noise is found.
    """
    seen = visible(picture)
    noise, jpeg = find_noise(seen, read_noise), find_jpeg(seen).quality.value
    found = blur_of(seen, noise.level)
    coding = picture.source.jpeg
    return Described(
        noise=noise,
        quality=100.0 if jpeg is None else jpeg,
        subsampling="4:2:0" if coding is None else _SUBSAMPLINGS.get(coding.subsampling, "4:2:0"),
        blur=0.0 if found.value is None or found.confidence == "low" else found.value,
        spread=found.spread or 0.0,
    )


def sharper_by(all_of_them: Sequence[Described], scales: Sequence[float]) -> list[float]:
    """Return by how much each copy is more blurred than the sharpest, in pixels of the reference.

    The sharpest is one whose blur is known well. In much noise a copy may only seem to be sharp.

    Args:
        all_of_them: the copies.
        scales: pixels of each copy per pixel of the reference.
    """
    stds = [one.blur / min(scale, 1.0) for one, scale in zip(all_of_them, scales, strict=True)]
    surely = [(one.spread >= UNSURE, std * (1 + 2 * one.spread)) for one, std in zip(all_of_them, stds, strict=True)]
    least = min(surely)[1]
    more = [math.sqrt(max(std**2 - least**2, 0)) for std in stds]
    return [0.0 if std < LEAST_BLUR else std for std in more]


def lost_detail(picture: Map, what: Described, scale: float, blurred: float) -> Map:
    """Return the mean square error (H, W) that a copy's blur, size and coder make, by doing the same to a picture.

    Args:
        picture: (H, W, C), the best that is known, [-1, 1] units.
        what: what happened to the copy.
        scale: the copy's pixels per pixel of the picture.
        blurred: std of the blur that the sharpest copy has not, in pixels of the picture.
    """
    height, width, channels = picture.shape
    x = blur(to_tensor(picture), blurred)
    small = shrunk_size((height, width), 1 / scale) if scale < 1 else (height, width)
    x = resize(x, small).clamp(-1, 1)
    if what.quality < 100:
        moved = np.pad(to_levels(to_array(x, channels), 8), ((SHIFT, 0), (SHIFT, 0), (0, 0)), mode="edge")
        coded = through_jpeg(moved.astype(np.uint8), max(round(what.quality), 1), what.subsampling)
        x = to_tensor(to_unit(coded[SHIFT:, SHIFT:], 8))
    x = resize(x, (height, width))
    return near(((to_array(x, channels) - picture) ** 2).mean(2))


def near(values: Map, window: int = WINDOW) -> Map:
    """Return the mean of values (H, W) around each pixel."""
    mean: Map = opencv().boxFilter(np.ascontiguousarray(values), -1, (window, window))
    return mean
