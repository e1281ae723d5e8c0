"""Between the numbers of a file and the light they stand for: the sRGB curve (IEC 61966-2-1)."""

import io

import torch
from torch import Tensor

LUMINANCE = (0.2126, 0.7152, 0.0722)
"""What R, G and B of BT.709 contribute to the luminance."""


def linear(v: Tensor) -> Tensor:
    """Encoded values, 0 = black .. 1 = white, of any shape, as linear light; odd below 0, the power goes on above 1."""
    a = v.abs()
    return torch.where(a <= 0.04045, a / 12.92, ((a + 0.055) / 1.055) ** 2.4) * v.sign()


def encoded(light: Tensor) -> Tensor:
    """The inverse of `linear`."""
    a = light.abs()
    return torch.where(a <= 0.0031308, 12.92 * a, 1.055 * a ** (1 / 2.4) - 0.055) * light.sign()


def luminance(light: Tensor) -> Tensor:
    """(B, 3, H, W) linear light -> (B, 1, H, W), BT.709 primaries."""
    weights = torch.tensor(LUMINANCE, dtype=light.dtype)
    return torch.einsum("bchw,c->bhw", light, weights)[:, None]


def foreign_profile(icc: bytes) -> str | None:
    """The name of a colour profile whose tone curve is not sRGB's, as far as its name tells; None = it is, or is none.

    Display P3 has sRGB's curve with other primaries, and a gray profile of gamma 2.2 nearly so.
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
