"""When a picture was taken, by its EXIF block. No pixels are decoded."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from PIL import Image

_EXIF, _ORIGINAL, _FRACTION = 0x8769, 0x9003, 0x9291
"""Tags: the EXIF directory, DateTimeOriginal, SubSecTimeOriginal."""
_FORM: Final = "%Y:%m:%d %H:%M:%S"


def taken_at(path: Path) -> float | None:
    """Return when a picture was taken, in seconds since some day. None: it does not say.

    Args:
        path: the file. One that cannot be read says nothing here.
    """
    try:
        with Image.open(path) as image:
            told = image.getexif().get_ifd(_EXIF)
        moment = datetime.strptime(str(told[_ORIGINAL]).strip("\0 "), _FORM).replace(tzinfo=UTC)
        fraction = "".join(c for c in str(told.get(_FRACTION, "")) if c.isdecimal())
    except (OSError, ValueError, KeyError, SyntaxError, Image.DecompressionBombError):
        return None
    return moment.timestamp() + float(f"0.{fraction or 0}")
