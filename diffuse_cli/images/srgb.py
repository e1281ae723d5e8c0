"""The sRGB curve between the numbers of a file and the light that they stand for (IEC 61966-2-1)."""

import io

import torch
from torch import Tensor

LUMINANCE = (0.2126, 0.7152, 0.0722)
"""What R, G and B of BT.709 contribute to the luminance."""


def linear(v: Tensor) -> Tensor:
    """Return encoded values as linear light. The curve is odd below 0 and goes on above 1.

    Args:
        v: 0 = black .. 1 = white, of any shape.
    """
    a = v.abs()
    return torch.where(a <= 0.04045, a / 12.92, ((a + 0.055) / 1.055) ** 2.4) * v.sign()


def encoded(light: Tensor) -> Tensor:
    """Return linear light as encoded values; the inverse of `linear`.

    Args:
        light: 0 = black .. 1 = white, of any shape.
    """
    a = light.abs()
    return torch.where(a <= 0.0031308, 12.92 * a, 1.055 * a ** (1 / 2.4) - 0.055) * light.sign()


def luminance(light: Tensor) -> Tensor:
    """Return the luminance (B, 1, H, W), with the BT.709 primaries.

    Args:
        light: (B, 3, H, W), linear.
    """
    weights = torch.tensor(LUMINANCE, dtype=light.dtype)
    return torch.einsum("bchw,c->bhw", light, weights)[:, None]


def foreign_profile(icc: bytes) -> str | None:
    """Return the name of a colour profile whose tone curve is not sRGB's, as far as its name tells; else None.

    Display P3 has the curve of sRGB with other primaries. A gray profile of gamma 2.2 has nearly the same.

    Args:
        icc: the profile; b"" = none.
    """
    if not icc:
        return None
    from PIL import ImageCms

    try:
        name = ImageCms.getProfileDescription(ImageCms.getOpenProfile(io.BytesIO(icc))).strip()
    except (ImageCms.PyCMSError, OSError):
        return "unreadable"
    return (
        None if any(known in name.lower() for known in ("srgb", "display p3", "gray gamma 2.2")) else name or "unnamed"
    )
