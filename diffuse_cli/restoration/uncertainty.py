"""How much the samples of a picture differ, as pictures: a map of their std, and a view in colours with a legend."""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ..images.image_io import Picture, Source, to_unit

UNITS: Final = 256
"""Units of a 16-bit map in one 8-bit level."""
_COLOURS: Final = (
    (0, 0, 4), (31, 12, 72), (85, 15, 109), (136, 34, 106), (186, 54, 85), (227, 89, 51), (249, 140, 10),
    (249, 201, 50), (252, 255, 164),
)  # fmt: skip
"""From 0 to the most, perceptually uniform: nine of the colours of Matplotlib's "inferno" (CC0)."""
_LEAST_WIDTH, _STRIP, _TEXT = 240, 44, 13


def std_picture(std: NDArray[np.float32], pages: int = 1) -> tuple[Picture, float]:
    """Return a map as a 16-bit gray picture of 256 units a level, and the share of its pixels that are clipped.

    Args:
        std: (H, W), in 8-bit levels.
        pages: of the file that the picture will be in.
    """
    units = np.rint(std * np.float32(UNITS))
    levels = np.clip(units, 0, 65535).astype(np.uint16)
    picture = Picture(pixels=to_unit(levels[..., None], 16), depth=16, source=Source(pages=pages))
    return picture, float((units > 65535).mean())


def std_of(picture: Picture) -> tuple[NDArray[np.float32], float]:
    """Return the map (H, W) that `std_picture` made a picture of, in 8-bit levels, and where a scale of it may end."""
    std = (picture.pixels[..., 0] + 1) * np.float32(65535 / 2 / UNITS)
    return std, round_up(float(np.quantile(std, 0.995)))


def coloured_std(std: NDArray[np.float32], top: float) -> Image.Image:
    """Return a map (H, W) in colours; from `top` on it has the last one."""
    return Image.fromarray(_coloured(std / np.float32(top)))


def std_view(std: NDArray[np.float32], pages: int = 1) -> Picture:
    """Return a map in colours above a legend, at least 240 pixels wide.

    Args:
        std: (H, W), in 8-bit levels.
        pages: of the file that the picture will be in.
    """
    top = round_up(float(np.quantile(std, 0.995)))
    h, w = std.shape
    canvas = Image.new("RGB", (max(w, _LEAST_WIDTH), h + _STRIP), (0, 0, 0))
    canvas.paste(coloured_std(std, top), ((canvas.width - w) // 2, 0))
    _draw_legend(canvas, h, top, beyond=float(std.max()) > top)
    return Picture(pixels=to_unit(np.asarray(canvas), 8), source=Source(pages=pages))


def round_up(value: float) -> float:
    """Return the next of 1, 2, 5, 10, 20, ..., at least 0.1, where a scale may end."""
    value = max(value, 0.1)
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= value * (1 - 1e-6)))


def _coloured(share: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Map shares (H, W) from 0 to 1 to colours (H, W, 3)."""
    colours = np.array(_COLOURS, np.float32)
    at = np.linspace(0, 1, len(colours))
    channels = [np.interp(np.clip(share, 0, 1), at, colours[:, c]) for c in range(3)]
    coloured: NDArray[np.uint8] = np.stack(channels, -1).round().astype(np.uint8)
    return coloured


def _draw_legend(canvas: Image.Image, top_of_strip: int, most: float, *, beyond: bool) -> None:
    """Draw a bar from 0 to `most` with marks, and what it measures."""
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(_TEXT)
    left, right, y = 12, canvas.width - 22, top_of_strip + 6
    bar = _coloured(np.linspace(0, 1, right - left, dtype=np.float32)[None].repeat(8, 0))
    canvas.paste(Image.fromarray(bar), (left, y))
    draw.rectangle((left - 1, y - 1, right, y + 8), outline=(255, 255, 255))
    marks = (0.0, 0.5, 1.0) if canvas.width < 360 else (0.0, 0.25, 0.5, 0.75, 1.0)
    for mark in marks:
        text = f"{mark * most:g}" + ("+" if beyond and mark == 1 else "")
        draw.text((left + mark * (right - left), y + 11), text, (255, 255, 255), font, anchor="ma")
    draw.text((canvas.width // 2, y + 24), "std in 8-bit levels", (255, 255, 255), font, anchor="ma")
