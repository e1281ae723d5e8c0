"""Masks as people make them: what a picture that is given as a mask marks, and how that was understood."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..errors import PictureError
from .picture import Picture

Share = NDArray[np.float32]

FULL: Final = 0.25
"""From this share on, a pixel is filled entirely. What is less is the soft rim of a mark, and is blended."""
_CODING: Final = 0.125
"""Shares below this are the ringing of a lossy coder."""
_FAINT: Final = 0.125
"""A mask whose brightest level is darker holds numbers, such as 0 and 1, and no shades."""
_CHROMA: Final = 0.15
"""Largest difference of R, G and B in a gray mask."""
_PURE: Final = 1 / 16
"""How far from a flat colour a pixel still has this colour."""
_FREQUENT: Final = 0.01
"""Share of the pixels that makes a colour a flat one."""
_MOST_STRAYS: Final = 0.1
"""Share of other colours that makes a picture."""
_MOST_SHADES: Final = 0.5
"""The same of shades between two colours, wherever they are."""
_ALL_SHADES: Final = 0.8
"""The same where they may be half as rough."""
_DEEP: Final = 8
"""Pixels; the soft rim of a mark is seldom farther from both its sides."""
_MOST_DEEP: Final = 0.02
"""The same of shades that lie so deep."""
_ROUGH: Final = 0.95
"""How rough shades are, from which on they are no soft rims; see `_roughness`."""
_ROUNDING: Final = 1.2 / 255
"""Gradients change so much by rounding alone."""
_SMALLEST: Final = 1e-4
_MOST_PIXELS: Final = 1_000_000
_BAND: Final = 128
"""Of larger masks, bands of so many rows are looked at to tell whether they are pictures."""
_ENOUGH: Final = 10_000
_TOO_MUCH: Final = "a mask has one flat colour for what is marked and another one for the rest, such as white on black"


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MaskReading:
    """What a mask marks.

    Attributes:
        share: (H, W), 0 = not marked .. 1 = marked; between them where the mask is soft.
        note: how it was understood, where it is not simply white on black; "" = it is.
    """

    share: Share
    note: str = ""

    @property
    def marks(self) -> NDArray[np.bool_] | Share:
        """The share, as booleans if the mask is not soft."""
        hard: NDArray[np.bool_] = self.share > 0
        return self.share if bool((self.share[hard] < FULL).any()) else hard


def read_mask(picture: Picture) -> MaskReading:
    """Find out what a mask marks.

    White marks on black, and numbers above 0 do if all are small. Of other colours, all but the most frequent one
    marks.
    Paint on transparency marks. So does what was erased from a picture, or from one flat colour.

    Args:
        picture: gray or colour, with or without alpha.

    Raises:
        PictureError: it marks nothing, or looks like a photograph.
    """
    rgb = (picture.pixels + np.float32(1)) / np.float32(2)
    alpha = None if picture.alpha is None else picture.alpha.astype(np.float32) / np.float32(2**picture.depth - 1)
    if alpha is not None and float(alpha.max()) == 0:
        raise PictureError("the mask is transparent all over, so it marks nothing; paint what is meant")
    if alpha is not None and float(alpha.min()) < float(alpha.max()):
        found = _transparent(rgb, alpha, lossy=picture.source.lossy)
    else:
        found = _opaque(rgb, lossy=picture.source.lossy, white=picture.white)
    if not found.share.any():
        raise PictureError("the mask is empty: it is black all over; paint white what is meant")
    return found


# Without transparency ------------------------------------------------------------------------------------------------


def _opaque(rgb: Share, *, lossy: bool, white: int) -> MaskReading:
    everywhere = np.ones(rgb.shape[:2], bool)
    if _is_photograph(*_sampled(rgb, everywhere)):
        raise PictureError(f"the mask looks like a photograph; {_TOO_MUCH}")
    if _is_gray(rgb):
        return _gray(rgb.mean(2), lossy=lossy, white=white)
    return _coloured(rgb, lossy=lossy)


def _gray(gray: Share, *, lossy: bool, white: int = 255) -> MaskReading:
    """Read a mask of shades: the brightest marks. White is this level."""
    low, high = float(gray.min()), float(gray.max())
    if low == high:
        return MaskReading(share=np.full(gray.shape, np.float32(high > 0)))
    if high < _FAINT:
        level = f"its brightest level is {high * white:.0f} of {white}, so all above {low * white:.0f} marks"
        return MaskReading(share=(gray > low).astype(np.float32), note=level)
    share = _without_ringing((gray - np.float32(low)) / np.float32(high - low), lossy=lossy)
    marked = float((share > 0).mean())
    if marked > 0.5:
        return MaskReading(share=share, note=f"its white part marks {marked:.0%} of the picture; --invert-mask swaps")
    between = "" if low <= _PURE and high >= 1 - _PURE else f"its brighter level, {high * white:.0f} of {white}, marks"
    return MaskReading(share=share, note=between)


def _coloured(rgb: Share, *, lossy: bool) -> MaskReading:
    """Read a mask of colours: all but the background marks."""
    everywhere = np.ones(rgb.shape[:2], bool)
    background = _frequent(rgb, everywhere)
    distance = _distance(rgb, background)
    far = distance > FULL
    if not far.any():
        raise PictureError(f"the mask has no two colours that differ clearly; {_TOO_MUCH}")
    mark = _frequent(rgb, far)
    share = (distance / np.abs(mark - background).max()).clip(0, 1).astype(np.float32)
    name, other = colour_name(mark), colour_name(background)
    note = f"{name} on {other}: {'what is not ' + other if name == other else name} marks"
    return MaskReading(share=_without_ringing(share, lossy=lossy, least=FULL), note=note)


def _without_ringing(share: Share, *, lossy: bool, least: float = _CODING) -> Share:
    return np.where(share < least, np.float32(0), share) if lossy else share


# With transparency ---------------------------------------------------------------------------------------------------


def _transparent(rgb: Share, alpha: Share, *, lossy: bool) -> MaskReading:
    """Read a mask some of which is transparent: paint marks; of a picture, what was erased does."""
    seen = alpha >= FULL
    mostly_erased = float(alpha.mean()) < 0.5
    if _is_photograph(*_sampled(rgb, seen)):
        if mostly_erased:
            raise PictureError(f"the mask looks like a cut-out; {_TOO_MUCH}")
        return MaskReading(share=1 - alpha, note="a picture of which parts were erased: what is transparent marks")
    if seen.any() and _is_black_and_white(rgb[seen]):
        share = _gray(rgb.mean(2), lossy=lossy).share * alpha
        return MaskReading(share=share, note="white marks, and what is transparent counts as black")
    colour = colour_name(_frequent(rgb, seen if seen.any() else alpha > 0))
    if mostly_erased:
        return MaskReading(share=alpha, note=f"{colour} paint on transparency: the paint marks")
    note = f"{colour} with transparent parts: what is transparent marks; --invert-mask swaps"
    return MaskReading(share=1 - alpha, note=note)


def _is_black_and_white(colours: Share) -> bool:
    """Return whether colours (N, C) are black and white, and both are there."""
    low, high = colours.min(1), colours.max(1)
    both = bool((high <= _PURE).any()) and bool((low >= 1 - _PURE).any())
    return both and float((high - low).max()) <= _CHROMA


# Colours -------------------------------------------------------------------------------------------------------------


def _codes(rgb: Share) -> NDArray[np.int32]:
    """Return the number of each pixel's colour, of 32 levels a channel: (H, W)."""
    levels = (rgb * 255).clip(0, 255).astype(np.int32) >> 3
    codes: NDArray[np.int32] = levels[..., 0]
    for channel in range(1, levels.shape[2]):
        codes = codes * 32 + levels[..., channel]
    return codes


def _frequent(rgb: Share, where: NDArray[np.bool_]) -> Share:
    """Return the most frequent colour (C,) of some pixels: the median of the first ones of its code."""
    codes = _codes(rgb)
    common = np.flatnonzero((codes == np.bincount(codes[where]).argmax()) & where)[:_ENOUGH]
    return np.asarray(np.median(rgb.reshape(-1, rgb.shape[2])[common], axis=0), np.float32)


def _distance(rgb: Share, colour: Share) -> Share:
    """Return the largest difference of R, G and B from a colour: (H, W)."""
    away: Share = np.abs(rgb[..., 0] - colour[0])
    for channel in range(1, rgb.shape[2]):
        np.maximum(away, np.abs(rgb[..., channel] - colour[channel]), out=away)
    return away


def _is_gray(rgb: Share) -> bool:
    """Return whether R, G and B hardly differ anywhere: (..., C)."""
    first = rgb[..., 0]
    return all(float(np.abs(rgb[..., channel] - first).max()) <= _CHROMA for channel in range(1, rgb.shape[-1]))


def _sampled(rgb: Share, where: NDArray[np.bool_]) -> tuple[Share, NDArray[np.bool_]]:
    """Return bands of rows, about a million pixels, of a large picture and of some of its pixels."""
    step = where.size // _MOST_PIXELS
    if step < 2:
        return rgb, where
    rows = np.arange(where.shape[0]) // _BAND % step == 0
    return rgb[rows], where[rows]


def _is_photograph(rgb: Share, where: NDArray[np.bool_]) -> bool:
    """Return whether these pixels are a picture, and not two flat colours with soft rims between them."""
    if not where.any():
        return False
    from scipy.ndimage import minimum_filter  # late: every start would wait for it

    gray, rgb = rgb.mean(2), rgb / max(float(rgb[where].max()), 1 / 255)  # a dark one, too
    colours = rgb[where]
    if _is_gray(colours):
        one, other = colours.min(0), colours.max(0)
    else:
        one = _frequent(rgb, where)
        rest = where & (_distance(rgb, one) > FULL)
        other = _frequent(rgb, rest) if rest.any() else one
        if _strays(colours, one, other) >= _MOST_STRAYS:
            return True
    shades = where & (_distance(rgb, one) > _PURE) & (_distance(rgb, other) > _PURE)
    count, most = float(where.sum()), float(shades.sum())
    if most < _MOST_SHADES * count:
        shades = minimum_filter(shades, 2 * _DEEP + 1, mode="nearest")
        if shades.sum() < _MOST_DEEP * count:
            return False
    return _roughness(gray, shades) >= (_ROUGH if most < _ALL_SHADES * count else _ROUGH / 2)


def _strays(colours: Share, one: Share, other: Share) -> float:
    """Return the share of colours (N, C) that are no mixture of two, nor one of the flat colours of further marks."""
    way = other - one
    along = ((colours - one) @ way / max(float(way @ way), _SMALLEST)).clip(0)
    off = np.abs(colours - (one + along[:, None] * way)).max(1) > _CODING
    codes = _codes(colours[None])[0]
    return float((off & (np.bincount(codes)[codes] < _FREQUENT * len(codes))).mean())


def _roughness(gray: Share, where: NDArray[np.bool_]) -> float:
    """Return how much gradients change from pixel to pixel: about 0.8 / s for what a Gaussian of std s has blurred."""
    from scipy.ndimage import laplace

    down, across = np.gradient(gray)
    steepness = float(np.hypot(down, across)[where].mean())
    change = float(np.abs(laplace(gray, mode="nearest"))[where].mean())
    return change / max(steepness, _SMALLEST) if change >= _ROUNDING else 0.0


def colour_name(colour: Share) -> str:
    """Return the word for a colour.

    Args:
        colour: (1,) gray or (3,) RGB, 0 = none .. 1 = full.
    """
    low, high = float(colour.min()), float(colour.max())
    if high - low <= max(_CHROMA, 0.2 * high):
        return "black" if high < 0.2 else "white" if high > 0.8 else "gray"
    middle = (low + high) / 2
    names = {
        (True, False, False): "red", (True, True, False): "yellow", (False, True, False): "green",
        (False, True, True): "cyan", (False, False, True): "blue", (True, False, True): "magenta",
    }  # fmt: skip
    red, green, blue = (bool(level >= middle) for level in colour)
    return names[red, green, blue]
