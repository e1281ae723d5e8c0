"""The degradation of a picture: its description for the core, the prior that it implies, and applying it."""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import UsageError
from ..images.units import LEVEL

MOST_MARGIN = 0.7
"""The most doubt that is added to the logarithm of a noise where doubt itself cannot be told."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Degradation:
    """What happened to a guide picture, in the core's own units.

    Attributes:
        scale: resize factor from the guide to the output, clamped to >= 1 where it is used.
        noise: root mean square of the noise over pixels and channels, before upsizing, [-1, 1] units.
        quality: JPEG quality, >= 100 for none.
        blur: std of a Gaussian blur in pixels of the full-size picture.
        grain: std in pixels of the Gaussian that gives white noise this noise's correlation; 0 = white.
        doubt: std of ln noise as it is told; 0 = known.

    Raises:
        UsageError: a value is not finite, or negative.
    """

    scale: float = 1.0
    noise: float = 0.0
    quality: float = 100.0
    blur: float = 0.0
    grain: float = 0.0
    doubt: float = 0.0

    def __post_init__(self) -> None:
        """Check that all values are finite and not negative."""
        for name in ("scale", "noise", "quality", "blur", "grain", "doubt"):
            value = getattr(self, name)
            if not math.isfinite(value) or value < 0:
                raise UsageError(f"{name} must be a finite number >= 0, not {value}")

    @property
    def octaves(self) -> float:
        """How often the picture was halved."""
        return max(math.log2(self.scale), 0.0) if self.scale > 0 else 0.0

    def cond(self) -> tuple[float, ...]:
        """Return the six numbers that the network is told; older networks are told the first four or five."""
        quality = min(self.quality, 100.0)
        return self.octaves, 4 * self.noise, (100 - quality) / 50, self.blur / 2, self.grain, self.doubt

    def told(self, described: int) -> "Degradation":
        """Return the degradation as a network of `described` numbers is told it.

        A network that does not know doubt is told more noise instead: being told too much costs less than too little.

        Args:
            described: 4 = without grain, 5 = without doubt, 6 = all.
        """
        if described > 5:
            return self
        noise = self.noise * math.exp(min(self.doubt, MOST_MARGIN))
        return replace(self, noise=noise, grain=self.grain if described > 4 else 0.0, doubt=0.0)

    def sigma_p(self) -> float:
        """Return the std of the clean picture around the guide."""
        lost = max(self.octaves, math.log2(1 + self.blur**2))
        return math.sqrt(0.0036 * lost**1.5 + self.misfit() ** 2 + 0.01**2)

    def misfit(self) -> float:
        """Return the std of what blur and shrinking leave unexplained: noise, and JPEG's share."""
        q = 0.8 / (self.quality + 2) ** 0.8 + 0.015 if self.quality < 100 else 0.0
        return math.hypot(self.noise * math.exp(self.doubt), q)


def resize(x: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize by antialiased bicubic interpolation, a = -0.5, half-pixel centres, not clamped.

    Args:
        x: (B, C, h, w).
        size: (H, W).

    Returns:
        (B, C, H, W).
    """
    if tuple(x.shape[-2:]) == size:
        return x
    if size[1] == 1 < size[0]:  # torch (2.14) mixes the rows of a result of one column
        return resize(x.mT.contiguous(), (1, size[0])).mT
    return F.interpolate(x, size=size, mode="bicubic", antialias=True, align_corners=False)


def blur(x: Tensor, std: float) -> Tensor:
    """Blur by a Gaussian that reaches 4 stds. Borders are replicated.

    Args:
        x: (B, C, H, W).
        std: in pixels.
    """
    if std == 0:
        return x
    reach = math.ceil(4 * std)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=x.dtype, device=x.device) / std) ** 2)
    kernel = (kernel / kernel.sum()).repeat(x.shape[1], 1)
    x = F.pad(x, (reach, reach, reach, reach), mode="replicate")
    x = F.conv2d(x, kernel[:, None, :, None], groups=x.shape[1])
    return F.conv2d(x, kernel[:, None, None, :], groups=x.shape[1])


def degrade(x: Tensor, what: Degradation, *, noise: Tensor, shots: float = 0.0, seed: int = 0) -> Tensor:
    """Apply a degradation in the order of a camera: blur, shrinking, shot noise, read noise.

    JPEG is left to what writes the file.

    Args:
        x: (1, 3, H, W), clean, [-1, 1] units.
        what: the degradation.
        noise: (1, 3, h, w), standard normal, of the shrunk size (`shrunk_size`); equal channels for a gray picture.
        shots: 8-bit levels per photon: the variance of shot noise is `shots` times the level. 0 = none.
        seed: of the shot noise.

    Returns:
        (1, 3, h, w), not clipped.
    """
    size = shrunk_size((x.shape[-2], x.shape[-1]), what.scale)
    x = resize(blur(x, what.blur), size)
    if shots > 0:
        x = shot_noise(x, shots, seed)
    return x + what.noise * noise if what.noise else x


def shrunk_size(size: tuple[int, int], scale: float) -> tuple[int, int]:
    """Return (height, width) after shrinking, at least one pixel each.

    Args:
        size: (height, width).
        scale: the factor.
    """
    return max(round(size[0] / scale), 1), max(round(size[1] / scale), 1)


def scaled_size(size: tuple[int, int], factor: float) -> tuple[int, int]:
    """Return (height, width) times a factor, at least one pixel each.

    Args:
        size: (height, width).
        factor: above 1 to enlarge.
    """
    return max(round(size[0] * factor), 1), max(round(size[1] * factor), 1)


def shot_noise(x: Tensor, shots: float, seed: int) -> Tensor:
    """Return the picture with Poisson noise. Equal channels stay equal.

    Args:
        x: (1, 3, H, W), [-1, 1] units.
        shots: 8-bit levels per photon.
        seed: of the noise.
    """
    photons = ((x.double() + 1) * (LEVEL / shots)).clamp_min(0)
    planes = photons[:, :1] if bool((x == x[:, :1]).all()) else photons
    drawn = torch.from_numpy(np.random.default_rng([seed, 1]).poisson(planes.numpy())).expand(x.shape)
    return (drawn * (shots / LEVEL) - 1).to(x.dtype)


def box_mean(x: Tensor, radius: int) -> Tensor:
    """Return the mean over square windows; at the borders, of the pixels that are there.

    Args:
        x: (B, C, H, W).
        radius: windows have 2 radius + 1 pixels a side.
    """
    side = 2 * radius + 1
    across = F.avg_pool2d(x, (1, side), 1, (0, radius), count_include_pad=False)
    return F.avg_pool2d(across, (side, 1), 1, (radius, 0), count_include_pad=False)


def dilated(x: Tensor, radius: int) -> Tensor:
    """Return the maximum over square windows, as far as the picture reaches.

    Maxima over spans of one length are joined to those over spans of twice the length.

    Args:
        x: (B, C, H, W).
        radius: windows have 2 radius + 1 pixels a side.
    """
    x = F.pad(x, (radius, radius, radius, radius), value=-math.inf)
    for dim in (2, 3):
        span, side = 1, 2 * radius + 1
        while span < side:
            step = min(span, side - span)
            length = x.shape[dim] - step
            x = torch.maximum(x.narrow(dim, 0, length), x.narrow(dim, step, length))
            span += step
    return x


def opened(x: Tensor, radius: int) -> Tensor:
    """Return the grayscale opening by a square: what is light and narrower is gone.

    Args:
        x: (B, C, H, W).
        radius: the square has 2 radius + 1 pixels a side.
    """
    return dilated(-dilated(-x, radius), radius)


def closed(x: Tensor, radius: int) -> Tensor:
    """Return the grayscale closing by a square: what is dark and narrower is gone.

    Args:
        x: (B, C, H, W).
        radius: the square has 2 radius + 1 pixels a side.
    """
    return -opened(-x, radius)
