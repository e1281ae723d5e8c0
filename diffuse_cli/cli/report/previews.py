"""A picture before and after, within a budget of bytes: whole, or smaller with a detail at 1:1.

The JPEGs have no chroma subsampling, because colour noise must stay visible.
"""

import io
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...images.rendering import Box, common_size, interest, root_mean_square

Place = tuple[float, float, float, float]
"""x, y, width and height in pixels of the size at which both sides are shown."""

_WHOLE: Final = (93, 85)
"""Qualities that are tried for a whole picture."""
_SMALL_SIDES: Final = (1280, 1024, 800, 640, 512, 400, 320, 256, 200, 160, 120, 90, 64)
_DETAILS: Final = ((768, 90), (512, 90), (384, 90), (256, 88), (192, 85), (128, 82), (96, 78))
"""Sides and qualities that are tried for details."""
_THUMBNAILS: Final = ((50_000, 208), (20_000, 144), (5_000, 96), (0, 64))
"""The budget that a thumbnail needs, and its side."""
_LEAST_DENSITY: Final = 0.03
"""Bytes per pixel that every photograph needs at these qualities. If there are fewer, no whole picture is tried."""
_LARGEST_PROFILE: Final = 4096
_INK: Final = (255, 23, 68)
"""The colour of masks, as on the page that they are painted on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """The JPEGs of one side.

    Attributes:
        base: the whole picture, at its own size or smaller. b"" = there was no room.
        detail: a part at 1:1, if the base is smaller. b"" = none.
        place: where the detail lies.
    """

    base: bytes = b""
    detail: bytes = b""
    place: Place = (0, 0, 0, 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Previews:
    """The JPEGs of both sides.

    Attributes:
        size: (width, height) at which both are shown.
        change: root mean square of the change in 8-bit levels. None = there is no before.
        thumbnail: a JPEG: left half before, right half after.
        before: the input.
        after: the result.
    """

    size: tuple[int, int]
    change: float | None
    thumbnail: bytes
    before: Side
    after: Side

    @property
    def bytes(self) -> int:
        """The size of all JPEGs."""
        sides = sum(len(side.base) + len(side.detail) for side in (self.before, self.after))
        return sides + len(self.thumbnail)


def previews(before: Image.Image | None, after: Image.Image, budget: int) -> Previews:
    """Make previews that fit into a budget.

    Args:
        before: the input. None = the result was made from nothing.
        after: the result.
        budget: in bytes.

    Returns:
        previews of at most `budget` bytes. Those that do not fit are left out.
    """
    size = after.size if before is None else common_size(before, after)
    thumbnail = _thumbnail(before or after, after, budget)
    left = budget - len(thumbnail)
    images = [after] if before is None else [before, after]
    sides = _whole(images, left) or _parts(images, size, left)
    return Previews(
        size=size,
        change=None if before is None else root_mean_square(before, after),
        thumbnail=thumbnail,
        before=Side() if before is None else sides[0],
        after=sides[-1],
    )


def _whole(images: list[Image.Image], budget: int) -> list[Side]:
    """Return whole pictures, or [] if there is no room for them."""
    if _LEAST_DENSITY * sum(image.width * image.height for image in images) > budget:
        return []
    for quality in _WHOLE:
        coded = [jpeg(image, quality) for image in images]
        if sum(map(len, coded)) <= budget:
            return [Side(base=data) for data in coded]
    return []


def _parts(images: list[Image.Image], size: tuple[int, int], budget: int) -> list[Side]:
    """Return smaller pictures, and a detail of each at 1:1 if there is room for both."""
    details = _details(images, size, budget * 3 // (5 * len(images)))
    spent = [len(data) for data, _ in details]
    bases = [within(image, budget // len(images) - used, 82) for image, used in zip(images, spent, strict=True)]
    return [
        Side(base=base, detail=data if base else b"", place=place)
        for base, (data, place) in zip(bases, details, strict=True)
    ]


def _details(images: list[Image.Image], size: tuple[int, int], budget: int) -> list[tuple[bytes, Place]]:
    """Return a detail of each image, at the same place."""
    where = interest(images[0], images[-1])
    for side, quality in _DETAILS:
        box = where.detail(side)
        found = [_detail(image, size, box, quality) for image in images]
        if all(len(data) <= budget for data, _ in found):
            return found
    return [(b"", (0, 0, 0, 0)) for _ in images]


def _detail(image: Image.Image, size: tuple[int, int], box: Box, quality: int) -> tuple[bytes, Place]:
    """Return the image's own pixels under a box of the common size, and where they lie exactly."""
    fx, fy = size[0] / image.width, size[1] / image.height
    left, top = int(box[0] / fx), int(box[1] / fy)
    right = min(image.width, -int(-(box[0] + box[2]) // fx))
    bottom = min(image.height, -int(-(box[1] + box[3]) // fy))
    data = jpeg(image.crop((left, top, right, bottom)), quality)
    return data, (left * fx, top * fy, (right - left) * fx, (bottom - top) * fy)


def within(image: Image.Image, budget: int, quality: int) -> bytes:
    """Return the whole picture as large as the budget allows, or b"" if not even a tiny one fits."""
    longest, aspect = max(image.size), min(image.size) / max(image.size)
    for side in (longest, *(side for side in _SMALL_SIDES if side < longest)):
        if _LEAST_DENSITY * side * side * aspect > budget:
            continue
        image = _shrunk(image, side)  # from the one before: as sharp, and much quicker for large ones
        data = jpeg(image, quality)
        if len(data) <= budget:
            return data
    return b""


def _shrunk(image: Image.Image, side: int) -> Image.Image:
    factor = side / max(image.size)
    if factor >= 1:
        return image
    size = (max(1, round(image.width * factor)), max(1, round(image.height * factor)))
    return image.resize(size, Image.Resampling.BOX if factor < 0.25 else Image.Resampling.LANCZOS)


def _thumbnail(before: Image.Image, after: Image.Image, budget: int) -> bytes:
    """Return a JPEG: left half before, right half after."""
    side = next(side for least, side in _THUMBNAILS if budget >= least)
    sheet = _shrunk(after, side).convert("RGB")
    left = before.resize(sheet.size, Image.Resampling.BOX).convert("RGB")
    sheet.paste(left.crop((0, 0, sheet.width // 2, sheet.height)), (0, 0))
    data = jpeg(sheet, 78)
    return data if len(data) <= budget // 2 else b""


def mask_layer(hole: NDArray[np.bool_], budget: int) -> bytes:
    """Return a mask as a PNG that is laid over its picture: a colour where it is set, else transparent.

    Args:
        hole: (H, W), True = marked.
        budget: in bytes.

    Returns:
        the whole mask as large as the budget allows, or b"" if not even a tiny one fits. No marked pixel is lost.
    """
    (height, width), (rows, columns) = hole.shape, np.nonzero(hole)
    longest = max(height, width)
    for side in (longest, *(side for side in _SMALL_SIDES if side < longest)):
        small = np.zeros((max(1, height * side // longest), max(1, width * side // longest)), np.uint8)
        small[rows * small.shape[0] // height, columns * small.shape[1] // width] = 1
        marks = Image.fromarray(small, "P")
        marks.putpalette((0, 0, 0, *_INK))
        stream = io.BytesIO()
        marks.save(stream, "PNG", transparency=0, bits=1, optimize=True)
        if stream.tell() <= budget:
            return stream.getvalue()
    return b""


def jpeg(image: Image.Image, quality: int) -> bytes:
    """Return an image as JPEG, with its colour profile if that is small."""
    stream = io.BytesIO()
    profile = image.info.get("icc_profile") or b""
    kept = profile if len(profile) <= _LARGEST_PROFILE else b""
    image.save(stream, "JPEG", quality=quality, subsampling=0, icc_profile=kept or None)
    return stream.getvalue()
