"""PyAV, which is in the extra [video] and may not be there."""

import importlib
from contextlib import suppress
from typing import Any, Final

from ...errors import PictureError

INSTALL: Final = "pip install 'diffuse-cli[video]'"


def pyav() -> Any:  # noqa: ANN401 - a library that may not be there
    """Return PyAV.

    Raises:
        PictureError: it is not installed.
    """
    try:
        return importlib.import_module("av")
    except ImportError:
        raise PictureError(f"clips need the extra [video]: {INSTALL}") from None


def opened_clip(file: object, mode: str = "r", **options: Any) -> Any:  # noqa: ANN401 - PyAV's own
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
