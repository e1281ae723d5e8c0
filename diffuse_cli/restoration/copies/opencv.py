"""OpenCV, which is an extra."""

import importlib
from typing import Any

from ...errors import PictureError


def opencv() -> Any:  # noqa: ANN401 - a library that may not be there
    """Return OpenCV.

    Raises:
        PictureError: it is not installed.
    """
    try:
        return importlib.import_module("cv2")
    except ImportError:
        raise PictureError("fusing copies needs the extra [fuse]: pip install 'diffuse-cli[fuse]'") from None
