"""Input and result side by side, and below them a detail of both at 1:1, for --compare."""

from collections.abc import Sequence
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from .rendering import Box, common_size, interest

_OVERVIEW: Final = 640
"""The longest side of a whole picture, in pixels."""
_DETAIL: Final = 480
"""Side of the detail."""
_COLUMNS: Final = 3
"""Choices in a row."""
_GAP: Final = 8
_TEXT: Final = 16
_PAPER: Final = "white"
_INK: Final = "black"
_FRAME: Final = (230, 30, 30)


def comparison(before: Image.Image, after: Image.Image, titles: tuple[str, str]) -> Image.Image:
    """Return one labelled picture (RGB) of input and result.

    A smaller input is enlarged (bicubic) to the size of the result. A red frame in the overview shows where the detail
    is. Pictures that fit the overview whole are shown at 1:1, without a detail.

    Args:
        before: the input.
        after: the result.
        titles: what is written above the two.
    """
    size = common_size(before, after)
    pair = [_enlarged(image.convert("RGB"), size) for image in (before, after)]
    if max(size) <= _OVERVIEW:
        return _rows([(titles, pair)])
    detail = interest(before, after).detail(_DETAIL)
    overview = [_framed(image, detail) for image in pair]
    x, y, width, height = detail
    details = [image.crop((x, y, x + width, y + height)) for image in pair]
    where = f"detail at {x},{y}, 1:1"
    return _rows([(titles, overview), ((where, where), details)])


def choices(before: Image.Image, results: Sequence[Image.Image], titles: Sequence[str]) -> Image.Image:
    """Return one labelled picture (RGB) of an input and several results, to choose from.

    Small pictures are shown whole. Of larger ones, the part that the results change most is shown at 1:1.

    Args:
        before: the input. If it is smaller, it is enlarged (bicubic).
        results: of one size.
        titles: what is written above the input and above each result.
    """
    size = common_size(before, results[0])
    images = [_enlarged(image.convert("RGB"), size) for image in (before, *results)]
    if max(size) > _DETAIL:
        x, y, width, height = interest(results[0], results[-1]).detail(_DETAIL)
        images = [image.crop((x, y, x + width, y + height)) for image in images]
    rows = range(0, len(images), _COLUMNS)
    return _rows([(tuple(titles[k : k + _COLUMNS]), images[k : k + _COLUMNS]) for k in rows])


def _enlarged(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size else image.resize(size, Image.Resampling.BICUBIC)


def _framed(image: Image.Image, detail: Box) -> Image.Image:
    """Return the picture shrunk, with the place of the detail marked."""
    factor = _OVERVIEW / max(image.size)
    small = image.resize((max(1, round(image.width * factor)), max(1, round(image.height * factor))))
    x, y, width, height = (value * factor for value in detail)
    ImageDraw.Draw(small).rectangle((x, y, x + width, y + height), outline=_FRAME, width=2)
    return small


def _rows(rows: list[tuple[tuple[str, ...], list[Image.Image]]]) -> Image.Image:
    """Return rows of pictures, each below its label."""
    font = ImageFont.load_default(size=_TEXT)
    label = _TEXT + _GAP
    most = max(len(pair) for _, pair in rows)
    widest = max(pair[0].width for _, pair in rows)
    height = sum(pair[0].height + label + _GAP for _, pair in rows) + _GAP
    sheet = Image.new("RGB", (most * (widest + _GAP) + _GAP, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    top = _GAP
    for titles, pair in rows:
        for k, (title, image) in enumerate(zip(titles, pair, strict=True)):
            left = _GAP + k * (widest + _GAP)
            draw.text((left, top), _fitting(title, font, widest), fill=_INK, font=font)
            sheet.paste(image, (left, top + label))
        top += pair[0].height + label + _GAP
    return sheet


def _fitting(title: str, font: "ImageFont.FreeTypeFont | ImageFont.ImageFont", width: int) -> str:
    """Return as much of a label as there is room for."""
    while title and font.getlength(title) > width:
        title = title[:-1]
    return title
