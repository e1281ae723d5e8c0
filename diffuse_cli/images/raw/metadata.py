"""EXIF of camera RAW: in the TIFF that most of these files are, in boxes of Canon's CR3, or in the preview."""

import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from PIL import Image

from ...errors import PictureError
from ..exif import EXIF_IFD, GPS_IFD
from ..metadata import exif_tags
from ..tiff import MAGICS

_MAKE, _MODEL = 271, 272


def raw_exif(data: bytes, rawpy: Any) -> bytes:  # noqa: ANN401
    """Return the EXIF block of a camera RAW file, without lead-in; b"" = it has none.

    Args:
        data: the file.
        rawpy: the library, which finds the preview.
    """
    rebuilt = Image.Exif()
    with suppress(Exception):  # broken EXIF says nothing
        rebuilt.update(_found(data, rawpy))
        rebuilt.tobytes()
    return rebuilt.tobytes()[6:] if rebuilt else b""


@contextmanager
def in_plain_words(rawpy: Any) -> Iterator[None]:  # noqa: ANN401
    """Say in one line what LibRaw finds wrong with a file.

    Args:
        rawpy: the library.

    Raises:
        PictureError: in the place of the library's own errors.
    """
    try:
        yield
    except (rawpy.LibRawFileUnsupportedError, rawpy.NotSupportedError):
        raise PictureError("a kind of camera RAW that LibRaw does not read; convert it to DNG first") from None
    except rawpy.LibRawError:
        raise PictureError("camera RAW that is damaged or cut short; copy it from its source again") from None


def camera_of(exif: bytes) -> str:
    """Return make and model of the camera.

    Args:
        exif: as `raw_exif` returns it.
    """
    block = Image.Exif()
    if exif:
        block.load(exif)
    make, model = (str(block.get(tag, "")).strip(" \0") for tag in (_MAKE, _MODEL))
    return (model if model.startswith(make) else f"{make} {model}").strip() or "unknown camera"


def _found(data: bytes, rawpy: Any) -> dict[int, Any]:  # noqa: ANN401
    if data.startswith(MAGICS):
        return _tags(data)
    if data[4:12] == b"ftypcrx ":
        parts = {name: _tags(_box(data, name)) for name in (b"CMT1", b"CMT2", b"CMT4")}
        return parts[b"CMT1"] | {EXIF_IFD: parts[b"CMT2"], GPS_IFD: parts[b"CMT4"]}
    with rawpy.imread(io.BytesIO(data)) as raw:
        preview = raw.extract_thumb()
    if preview.format != rawpy.ThumbFormat.JPEG:
        return {}
    return exif_tags(Image.open(io.BytesIO(preview.data)).getexif())


def _tags(block: bytes) -> dict[int, Any]:
    found = Image.Exif()
    if not block:
        return {}
    found.load_from_fp(io.BytesIO(block))
    return exif_tags(found)


def _box(data: bytes, name: bytes) -> bytes:
    at = data.find(name)
    return b"" if at < 4 else data[at + 4 : at - 4 + int.from_bytes(data[at - 4 : at], "big")]
