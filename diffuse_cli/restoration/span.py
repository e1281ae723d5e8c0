"""The part of a scan's range that the core sees as black to white, so that faint noise is some levels of it.

Metal, bone and air make the range of a CT wide: noise of 12 HU is less than an 8-bit level of it, which the core was
not trained on. What lies beyond the span is taken for black or white, and its excess is added again in the end.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..images.dicom_values import as_numbers, from_numbers, units, windows
from ..images.picture import DicomData, Picture
from ..images.units import LEVEL

WANTED: Final = 3.0
"""Levels that the noise is to be. With 1.5 and with 6, CT slices with noise of 12 and 24 HU came out worse."""
LEAST_GAIN: Final = 1.25
"""A range that can be narrowed by less stays whole."""
WATER: Final = 40.0
"""HU in the middle of soft tissue."""
BLOCK: Final = 8
QUIET: Final = 0.25
"""Share of the blocks in the span whose content is only noise."""
FEWEST: Final = 50
"""Blocks that must be there to tell."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A part of the range.

    Attributes:
        low: what becomes black, [-1, 1] units of the picture.
        high: what becomes white.
    """

    low: float
    high: float

    @property
    def scale(self) -> float:
        """What distances are divided by."""
        return (self.high - self.low) / 2

    def seen(self, picture: Picture) -> Picture:
        """Return what the core sees of a picture."""
        pixels = (picture.pixels - np.float32(self.low)) / np.float32(self.scale) - 1
        return replace(picture, pixels=np.clip(pixels, -1, 1))

    def words(self, picture: Picture) -> str:
        """Return what is restored of a scan, in its units."""
        dicom = picture.source.dicom
        assert dicom is not None
        levels = np.rint((np.array([self.low, self.high]) + 1) / 2 * picture.white).astype(np.int64)
        low, high = np.sort(as_numbers(dicom.high - levels if dicom.is_inverted else dicom.low + levels, dicom))
        ends = f"{low:.0f} to {high:.0f} {units(dicom)}".rstrip()
        return f"values {ends} are restored; others keep their noise"


def span_of(picture: Picture, noise: float | None = None) -> Span | None:
    """Return the span for the noise of a scan, around the middle of its window; None = the whole range.

    Args:
        picture: the file's.
        noise: its level in 8-bit levels of the whole range; None: it is read roughly.
    """
    dicom = picture.source.dicom
    shown = None if dicom is None else _shown(picture, dicom)
    if shown is None:
        return None
    level = _rough_noise(picture.pixels[..., 0], shown) if noise is None else noise / LEVEL
    side = max(2 * LEVEL * level / WANTED, shown[1] - shown[0])
    if level <= 0 or side * LEAST_GAIN > 2:
        return None
    middle = (shown[0] + shown[1]) / 2
    low = min(max(middle - side / 2, -1.0), 1.0 - side)
    return Span(low=low, high=low + side)


def _shown(picture: Picture, dicom: DicomData) -> tuple[float, float] | None:
    """Return the ends of what a scan's window shows, [-1, 1] units; None = nothing says where to look."""
    window = windows(dicom)
    if window is None and units(dicom) == "HU":
        window = WATER, 1.0
    if window is None:
        return None
    centre, width = window
    values = from_numbers(np.array([centre - width / 2, centre + width / 2]), dicom)
    if values is None:
        return None
    levels = dicom.high - values if dicom.is_inverted else values - dicom.low
    ends = np.clip(2 * levels / picture.white - 1, -1, 1)
    return float(ends.min()), float(ends.max())


def _rough_noise(pixels: NDArray[np.float32], shown: tuple[float, float]) -> float:
    """Return the std of the noise by the quiet blocks around what is shown; 0 = there are too few.

    It may be too high, where all is texture. Then the span is wider than it could be.
    """
    rows, columns = (length // BLOCK * BLOCK for length in pixels.shape)
    blocks = pixels[:rows, :columns].reshape(rows // BLOCK, BLOCK, columns // BLOCK, BLOCK)
    means, stds = blocks.mean((1, 3)), blocks.std((1, 3))
    width = max(shown[1] - shown[0], 4 * float(np.median(stds)))
    middle = (shown[0] + shown[1]) / 2
    found = stds[(np.abs(means - middle) <= width) & (stds > 0)]
    return float(np.quantile(found, QUIET)) if found.size >= FEWEST else 0.0
