"""Pictures as a screen shows them: 8-bit colour without transparency, and where they changed most."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .dicom_values import displayed
from .picture import levels_of, with_depth

if TYPE_CHECKING:
    from .picture import Picture

Box = tuple[int, int, int, int]
"""x, y, width, height."""

_SQUARE: Final = 8
"""Side of the squares under what is transparent."""
_COARSE: Final = 1024
"""The longest side at which a change is looked for."""


def rendered(picture: "Picture") -> Image.Image:
    """Return a picture as RGB, or L where it is gray. Squares show through what is transparent. DICOM gets its window.

    Args:
        picture: its colour profile goes along.
    """
    levels = levels_of(with_depth(displayed(picture), 8))
    colours = picture.pixels.shape[2]
    opaque = levels[..., :colours]
    if picture.alpha is not None:
        share = levels[..., colours:].astype(np.float32) / 255
        opaque = np.rint(share * opaque + (1 - share) * _squares(*levels.shape[:2])[..., None]).astype(np.uint8)
    image = Image.fromarray(np.ascontiguousarray(opaque[..., 0] if colours == 1 else opaque))
    if picture.source.icc:
        image.info["icc_profile"] = picture.source.icc
    return image


def _squares(height: int, width: int) -> NDArray[np.float32]:
    y, x = np.ogrid[:height, :width]
    return np.where((y // _SQUARE + x // _SQUARE) % 2 == 0, 204, 153).astype(np.float32)


def common_size(before: Image.Image, after: Image.Image) -> tuple[int, int]:
    """Return the (width, height) at which two pictures are compared: that of the larger one.

    Args:
        before: the input.
        after: the result.
    """
    return max(before.size, after.size, key=lambda size: size[0] * size[1])


def root_mean_square(before: Image.Image, after: Image.Image) -> float:
    """Return how much changed, in 8-bit levels, over all channels.

    Args:
        before: the input.
        after: the result; the smaller of the two is enlarged (bicubic).
    """
    return float(np.sqrt(np.mean(np.square(_difference(before, after, common_size(before, after))))))


def _difference(before: Image.Image, after: Image.Image, size: tuple[int, int]) -> NDArray[np.float32]:
    """Return the signed difference (H, W, 3)."""
    a, b = (np.asarray(_at(image.convert("RGB"), size), np.float32) for image in (before, after))
    return b - a


def _at(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Interest:
    """How much there is to see, place by place.

    Attributes:
        sums: (h + 1, w + 1), sums of all values above and left of a place, in a small version.
        size: (width, height) at which both pictures are compared.
    """

    sums: NDArray[np.float64]
    size: tuple[int, int]

    def detail(self, side: int) -> Box:
        """Return the square in which there is most to see at 1:1.

        Args:
            side: of the square in pixels; a smaller picture is returned whole.
        """
        size = self.size
        width, height = min(side, size[0]), min(side, size[1])
        fy, fx = (self.sums.shape[0] - 1) / size[1], (self.sums.shape[1] - 1) / size[0]
        y, x = _best_window(self.sums, (max(1, round(height * fy)), max(1, round(width * fx))))
        left, top = min(round(x / fx), size[0] - width), min(round(y / fy), size[1] - height)
        return left, top, width, height


def interest(before: Image.Image, after: Image.Image) -> Interest:
    """Find where the picture changed most and the result has most structure.

    Both are weighed by their means. So noise, which changes a picture everywhere, is shown at edges and not in skies.

    Args:
        before: the input.
        after: the result.
    """
    size = common_size(before, after)
    factor = min(1.0, _COARSE / max(size))
    small = (max(1, round(size[0] * factor)), max(1, round(size[1] * factor)))
    change = np.abs(_difference(before, after, small)).mean(2)
    gray = np.asarray(_at(after.convert("L"), small), np.float32)
    structure = np.abs(np.diff(gray, axis=0, append=gray[-1:])) + np.abs(np.diff(gray, axis=1, append=gray[:, -1:]))
    values = change / (change.mean() + 1e-3) + 0.5 * structure / (structure.mean() + 1e-3)
    sums = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    sums[1:, 1:] = values.cumsum(0, np.float64).cumsum(1)
    return Interest(sums=sums, size=size)


def _best_window(sums: NDArray[np.float64], window: tuple[int, int]) -> tuple[int, int]:
    """Return (y, x) of the window (height, width) with the largest sum."""
    h, w = min(window[0], sums.shape[0] - 1), min(window[1], sums.shape[1] - 1)
    found = sums[h:, w:] - sums[:-h, w:] - sums[h:, :-w] + sums[:-h, :-w]
    y, x = np.unravel_index(int(found.argmax()), found.shape)
    return int(y), int(x)
