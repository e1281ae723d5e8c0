"""A picture before and after, in as many bytes as there are for it: all of it, or a smaller one and a detail at 1:1.

JPEG without chroma subsampling, since colour noise is among what is to be seen.
"""

import io
from dataclasses import dataclass
from typing import Final

from PIL import Image

from ...images.rendering import Box, common_size, interest, root_mean_square

Place = tuple[float, float, float, float]
"""x, y, width, height in pixels of the size at which both sides are looked at."""

_WHOLE: Final = (93, 85)
"""Qualities at which a whole picture is tried."""
_SMALL_SIDES: Final = (1280, 1024, 800, 640, 512, 400, 320, 256, 200, 160, 120, 90, 64)
_DETAILS: Final = ((768, 90), (512, 90), (384, 90), (256, 88), (192, 85), (128, 82), (96, 78))
"""Sides and qualities of details."""
_THUMBNAILS: Final = ((50_000, 208), (20_000, 144), (5_000, 96), (0, 64))
"""Bytes that there must be for a thumbnail of this side."""
_LEAST_DENSITY: Final = 0.03
"""Bytes a pixel that no photograph stays below at these qualities; a whole picture beyond it is not tried."""
_LARGEST_PROFILE: Final = 4096


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One of the two: JPEGs.

    Attributes:
        base: the whole picture, at its own size or smaller; b"" = there was no room.
        detail: a part at 1:1, where the base is smaller; b"" = none.
        place: of the detail.
    """

    base: bytes = b""
    detail: bytes = b""
    place: Place = (0, 0, 0, 0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Previews:
    """Before and after.

    Attributes:
        size: (width, height) at which both are looked at.
        change: root mean square of the change, in 8-bit levels; None = there is no before.
        thumbnail: left half before, right half after; JPEG.
    """

    size: tuple[int, int]
    change: float | None
    thumbnail: bytes
    before: Side
    after: Side

    @property
    def bytes(self) -> int:
        """All of it."""
        sides = sum(len(side.base) + len(side.detail) for side in (self.before, self.after))
        return sides + len(self.thumbnail)


def previews(before: Image.Image | None, after: Image.Image, budget: int) -> Previews:
    """What fits.

    Args: before: None = the result was made from nothing; budget: bytes.
    Returns: previews of at most so many bytes; those that do not fit are left out.
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
    """All pixels, [] if there is no room for them."""
    if _LEAST_DENSITY * sum(image.width * image.height for image in images) > budget:
        return []
    for quality in _WHOLE:
        coded = [jpeg(image, quality) for image in images]
        if sum(map(len, coded)) <= budget:
            return [Side(base=data) for data in coded]
    return []


def _parts(images: list[Image.Image], size: tuple[int, int], budget: int) -> list[Side]:
    """Smaller pictures, and a detail of each at 1:1 where there is room for both."""
    details = _details(images, size, budget * 3 // (5 * len(images)))
    spent = [len(data) for data, _ in details]
    bases = [within(image, budget // len(images) - used, 82) for image, used in zip(images, spent, strict=True)]
    return [
        Side(base=base, detail=data if base else b"", place=place)
        for base, (data, place) in zip(bases, details, strict=True)
    ]


def _details(images: list[Image.Image], size: tuple[int, int], budget: int) -> list[tuple[bytes, Place]]:
    """Of each image, the same place."""
    where = interest(images[0], images[-1])
    for side, quality in _DETAILS:
        box = where.detail(side)
        found = [_detail(image, size, box, quality) for image in images]
        if all(len(data) <= budget for data, _ in found):
            return found
    return [(b"", (0, 0, 0, 0)) for _ in images]


def _detail(image: Image.Image, size: tuple[int, int], box: Box, quality: int) -> tuple[bytes, Place]:
    """The image's own pixels that lie under a box of the common size, and where they lie exactly."""
    fx, fy = size[0] / image.width, size[1] / image.height
    left, top = int(box[0] / fx), int(box[1] / fy)
    right = min(image.width, -int(-(box[0] + box[2]) // fx))
    bottom = min(image.height, -int(-(box[1] + box[3]) // fy))
    data = jpeg(image.crop((left, top, right, bottom)), quality)
    return data, (left * fx, top * fy, (right - left) * fx, (bottom - top) * fy)


def within(image: Image.Image, budget: int, quality: int) -> bytes:
    """The whole picture, as large as so many bytes allow; b"" if not even a tiny one does."""
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
    """Left half before, right half after."""
    side = next(side for least, side in _THUMBNAILS if budget >= least)
    sheet = _shrunk(after, side).convert("RGB")
    left = before.resize(sheet.size, Image.Resampling.BOX).convert("RGB")
    sheet.paste(left.crop((0, 0, sheet.width // 2, sheet.height)), (0, 0))
    data = jpeg(sheet, 78)
    return data if len(data) <= budget // 2 else b""


def jpeg(image: Image.Image, quality: int) -> bytes:
    """An image's JPEG, with its profile where that is small."""
    stream = io.BytesIO()
    profile = image.info.get("icc_profile") or b""
    kept = profile if len(profile) <= _LARGEST_PROFILE else b""
    image.save(stream, "JPEG", quality=quality, subsampling=0, icc_profile=kept or None)
    return stream.getvalue()
