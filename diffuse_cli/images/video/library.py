"""PyAV, which is in the extra [video] and may not be there."""

import importlib
from contextlib import suppress
from types import ModuleType
from typing import Any, Final

from ...errors import PictureError

Container = Any
"""A container of PyAV, which type checkers do not see, since it may not be installed."""
Stream = Any
"""A stream in a container."""
AvFrame = Any
"""A decoded frame, or its planes."""
Packet = Any
"""Coded data of a stream."""
INSTALL: Final = "pip install 'diffuse-cli[video]'"


def pyav() -> ModuleType:
    """Return PyAV.

    Raises:
        PictureError: it is not installed.
    """
    try:
        return importlib.import_module("av")
    except ImportError:
        raise PictureError(f"clips need the extra [video]: {INSTALL}") from None


def first_video(container: Container) -> Stream | None:
    """Return the first video stream that is no cover picture; None = there is none."""
    return next((one for one in container.streams.video if not is_cover(one)), None)


def is_cover(stream: Stream) -> bool:
    """Return whether a stream is a single picture, which players show beside a title."""
    return bool(stream.disposition & pyav().stream.Disposition.attached_pic)


def opened_clip(file: object, mode: str = "r", **options: object) -> Container:
    """Open a container that skips what is wrong with texts in it.

    Args:
        file: a path or a stream.
        mode: "r" or "w".
        options: of `av.open`.

    Raises:
        PictureError: PyAV is not installed.
        FFmpegError: the file cannot be opened.
    """
    av = pyav()
    with suppress(ValueError):
        av.logging.set_level(av.logging.PANIC)  # what goes wrong is told by the exceptions
    return av.open(file, mode, metadata_errors="replace", **options)
