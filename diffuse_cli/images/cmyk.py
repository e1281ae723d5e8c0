"""CMYK pictures as sRGB: through their own colour profile, or plainly where they have none."""

import io
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from .picture import Source


def converted(image: Image.Image, source: Source) -> tuple[NDArray[np.uint8], Source]:
    """Convert a decoded CMYK picture.

    Args:
        image: of mode CMYK.
        source: what its file says. A JPEG's tables are dropped: they told of inks.

    Returns:
        Levels (H, W, 3), and what their file would say, with a note of what was done.
    """
    profile = _profile(image.info.get("icc_profile"))
    if profile is None:
        colours: Image.Image | None = image.convert("RGB")
        how = "without a profile of its own, so its colours are only near"
    else:
        colours = ImageCms.profileToProfile(
            image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC, flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )  # fmt: skip
        how = f"through its profile ({ImageCms.getProfileDescription(profile).strip() or 'without a name'})"
    assert isinstance(colours, Image.Image)
    note = f"converted from CMYK to sRGB {how}"
    # No profile: that of the library holds the time, and files without one are sRGB.
    chunks = ((b"sRGB", bytes([ImageCms.Intent.RELATIVE_COLORIMETRIC])),)
    said = replace(source, icc=b"", jpeg=None, colour_chunks=chunks, notes=(*source.notes, note))
    return np.asarray(colours), said


def _profile(icc: Any) -> ImageCms.ImageCmsProfile | None:  # noqa: ANN401 - what a file says
    """Return a profile for CMYK, or None if it is none, or damaged."""
    if not isinstance(icc, bytes) or icc[16:20] != b"CMYK":
        return None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        ImageCms.buildTransform(profile, ImageCms.createProfile("sRGB"), "CMYK", "RGB")
    except (OSError, ImageCms.PyCMSError):
        return None
    return profile
