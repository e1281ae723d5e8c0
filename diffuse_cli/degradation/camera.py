"""Noise as photographs have it: a developed sensor's, as measured in developed photographs, and film grain.

It is correlated, depends on brightness, and is stronger and coarser in colour than in luma. Every function takes a
clean picture (1, 3, H, W) in [-1, 1] units and returns the noise alone, of the same shape and units.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..images.srgb import encoded, linear
from ..images.units import LEVEL, luma
from .operators import blur

Rng = np.random.Generator

# A typical camera's colours to linear sRGB; rows sum to 1.
_MATRIX = torch.tensor([[1.62, -0.46, -0.16], [-0.22, 1.48, -0.26], [0.02, -0.56, 1.54]])
_GREEN = torch.tensor([[0.0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 4
_CROSS = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 4
SHOT_PER_ISO = 6.25e-7
"""Variance of shot noise per ISO, white = 1: a sensor that holds 16,000 electrons a pixel at ISO 100."""
MAX_GRAIN = 3.0
_LEAST_CORRELATION = 0.02


@dataclass(frozen=True, kw_only=True, slots=True)
class Sensor:
    """A camera's sensor and what the camera makes of its picture.

    Attributes:
        shot: variance of shot noise per unit of linear light, white = 1.
        read: variance of read noise.
        matrix: share of the colour matrix, 0 = the sensor's colours are sRGB's.
        red: gain of red in the white balance.
        blue: gain of blue.
        edges: demosaic colour differences along green; otherwise bilinearly.
        phase: (row, column) of the mosaic's first red pixel, 0 or 1 each.
        luma: (share, std): what the camera's denoiser leaves of the luma noise, after a Gaussian of that std.
        chroma: the same of the chroma noise.
        sharpening: how far the luma noise is sharpened.
    """

    shot: float
    read: float
    matrix: float = 1.0
    red: float = 2.0
    blue: float = 1.7
    edges: bool = True
    phase: tuple[int, int] = (0, 0)
    luma: tuple[float, float] = (1.0, 0.0)
    chroma: tuple[float, float] = (1.0, 0.0)
    sharpening: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Developed:
    """Noise as developed photographs were measured to have it.

    Attributes:
        level: root mean square of the luma noise, [-1, 1] units.
        luma: (std, coarse std, coarse share): white noise after a Gaussian, and a share of a coarser one.
        chroma: the same of the chroma noise.
        colour: strength of the red difference, relative to luma's.
        blue: strength of the blue difference, relative to the red one.
        by_brightness: which of four ways it follows brightness (0 = not).
        share: how far it does.
    """

    level: float
    luma: tuple[float, float, float]
    chroma: tuple[float, float, float]
    colour: float
    blue: float = 1.0
    by_brightness: int = 0
    share: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Film:
    """Grain of film or paper, strongest in the middle tones.

    Attributes:
        level: root mean square in the middle tones, [-1, 1] units.
        grain: std in pixels of the Gaussian that gives white noise its correlation.
        dyes: every colour has its own grain; otherwise luma alone has it.
    """

    level: float
    grain: float = 0.8
    dyes: bool = False


def sensor_of_iso(iso: float, seed: int) -> Sensor:
    """Return a sensor of a sensitivity.

    Args:
        iso: the sensitivity.
        seed: picks the phase of the mosaic.
    """
    shot = SHOT_PER_ISO * iso
    row, column = np.random.default_rng([seed, 5]).integers(2, size=2).tolist()
    return Sensor(shot=shot, read=_read_noise(shot), phase=(row, column))


def _read_noise(shot: float, spread: float = 0.0) -> float:
    """Return the variance of read noise for a shot noise (Brooks et al. 2019, arXiv:1811.11127, section 3.1)."""
    return math.exp(2.18 * math.log(shot) + 1.2 + spread)


def sensor_noise(x: Tensor, sensor: Sensor, rng: Rng, *, gray: bool = False) -> Tensor:
    """Return the noise of a sensor after development: the difference to the same without noise.

    Linear light goes back through matrix and white balance to a Bayer mosaic, gets shot and read noise, and is
    developed again (Brooks et al. 2019). A denoiser and a sharpener then work on the noise alone. A gray picture has no
    mosaic.

    Args:
        x: (1, 3, H, W), clean, [-1, 1] units.
        sensor: the sensor and its camera.
        rng: draws the noise.
        gray: the picture's channels are equal, so the noise's are.
    """
    light = linear((x + 1) / 2)
    if gray:
        one = light[:, :1]
        noise = encoded(_exposed(one, sensor, rng).clamp(0, 1)) - encoded(one)
        return 2 * _after_camera(noise.expand(-1, 3, -1, -1), sensor)
    matrix = torch.lerp(torch.eye(3), _MATRIX, sensor.matrix)
    gains = torch.tensor([sensor.red, 1.0, sensor.blue]).view(1, 3, 1, 1)
    raw = (torch.einsum("ij,bjhw->bihw", torch.linalg.inv(matrix), light) / gains).clamp(0, 1)
    mosaic = _mosaic((x.shape[-2], x.shape[-1]), sensor.phase)
    clean = (mosaic * raw).sum(1, keepdim=True)
    noisy = _exposed(clean, sensor, rng).clamp(-0.02, 1)

    def develop(sensed: Tensor) -> Tensor:
        rgb = _demosaiced(sensed, mosaic, edges=sensor.edges) * gains
        return encoded(torch.einsum("ij,bjhw->bihw", matrix, rgb)).clamp(0, 1)

    return 2 * _after_camera(develop(noisy) - develop(clean), sensor)


def _exposed(light: Tensor, sensor: Sensor, rng: Rng) -> Tensor:
    drawn = torch.from_numpy(rng.standard_normal(light.shape, dtype=np.float32))
    return light + (sensor.shot * light + sensor.read).clamp_min(0).sqrt() * drawn


def _mosaic(size: tuple[int, int], phase: tuple[int, int]) -> Tensor:
    """Return which colour each pixel senses, (1, 3, H, W): one of the three is 1."""
    rows = (torch.arange(size[0])[:, None] + phase[0]) % 2
    columns = (torch.arange(size[1])[None] + phase[1]) % 2
    red, blue = (1 - rows) * (1 - columns), rows * columns
    return torch.stack([red, 1 - red - blue, blue])[None].float()


def _demosaiced(sensed: Tensor, mosaic: Tensor, *, edges: bool) -> Tensor:
    """Interpolate the colours of a mosaic.

    Args:
        sensed: (1, 1, H, W).
        mosaic: (1, 3, H, W).
        edges: interpolate the differences to green, which keeps chroma smooth; otherwise each colour by itself.

    Returns:
        (1, 3, H, W).
    """
    kernels = torch.stack([_CROSS, _GREEN, _CROSS])[:, None]

    def spread(x: Tensor) -> Tensor:
        return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), kernels, groups=3)

    full = spread(mosaic * sensed)
    if not edges:
        return full
    green = full[:, 1:2]
    differences = spread(mosaic * (sensed - green))
    return torch.cat([green + differences[:, :1], green, green + differences[:, 2:]], 1)


def _after_camera(noise: Tensor, sensor: Sensor) -> Tensor:
    light = luma(noise)
    colour = noise - light
    light = sensor.luma[0] * _soft(light, sensor.luma[1])
    colour = sensor.chroma[0] * _soft(colour, sensor.chroma[1])
    if sensor.sharpening:
        light = light + sensor.sharpening * (light - blur(light, 1.0))
    return light + colour


def developed_noise(x: Tensor, what: Developed, rng: Rng, *, gray: bool = False) -> Tensor:
    """Return noise of the statistics that developed photographs were measured to have (115 real pairs).

    Args:
        x: (1, 3, H, W), clean, [-1, 1] units.
        what: the statistics.
        rng: draws the noise.
        gray: the picture's channels are equal, so the noise's are.
    """
    brightness = luma(((x + 1) / 2).clamp(0, 1))
    light = _coloured(rng, 1, brightness, what.luma)
    noise = light.expand(-1, 3, -1, -1)
    if not gray:
        colour = what.colour * _coloured(rng, 2, brightness, what.chroma)
        red, blue = colour[:, :1], what.blue * colour[:, 1:]
        green = -(0.299 * red + 0.114 * blue) / 0.587  # so that luma is `light`
        noise = torch.cat([light + red, light + green, light + blue], 1)
    ways = (
        torch.ones_like(brightness), (brightness + 0.02).sqrt(), 1.15 - brightness,
        0.25 + (4 * brightness * (1 - brightness)).clamp_min(0).sqrt(),
    )  # fmt: skip
    way = ways[what.by_brightness]
    strength = torch.lerp(torch.ones_like(way), way / way.square().mean().sqrt().clamp_min(0.05), what.share)
    return what.level * strength * noise


def _coloured(rng: Rng, channels: int, like: Tensor, kind: tuple[float, float, float]) -> Tensor:
    """Return unit noise of two correlations: (fine std, coarse std, share of the coarse one)."""
    fine, coarse, share = kind
    parts = [_unit(_soft(_white(rng, channels, like), std)) for std in (fine, coarse)]
    return (parts[0] + share * parts[1]) / math.hypot(1, share)


def film_grain(x: Tensor, film: Film, rng: Rng, *, gray: bool = False) -> Tensor:
    """Return the grain of film or paper.

    Args:
        x: (1, 3, H, W), clean, [-1, 1] units.
        film: the film.
        rng: draws the grain.
        gray: the picture's channels are equal, so the grain's are.
    """
    tone = ((x + 1) / 2).clamp(0, 1)
    one = gray or not film.dyes
    tone = luma(tone) if one else tone
    grain = _unit(_soft(_white(rng, 1 if one else 3, tone), film.grain))
    strength = 0.3 + 0.7 * (4 * tone * (1 - tone)).clamp_min(0).sqrt()
    return (film.level * strength * grain).expand(-1, 3, -1, -1)


def describe_noise(noise: Tensor) -> tuple[float, float]:
    """Return the level and the grain of noise.

    The level is the root mean square over pixels and channels. The grain is the std, in pixels, of the Gaussian that
    gives white noise the lag-1 autocorrelation r of this noise's luma, the mean of both directions: sqrt(-1 / (4 ln
    r)).

    Args:
        noise: (1, 3, H, W).
    """
    y = luma(noise)
    y = y - y.mean()
    variance = float(y.square().mean()) + 1e-12
    r = float((y[..., 1:, :] * y[..., :-1, :]).mean() + (y[..., 1:] * y[..., :-1]).mean()) / 2 / variance
    return float(noise.square().mean().sqrt()), grain_of(r)


def grain_of(correlation: float) -> float:
    """Return the grain of a lag-1 autocorrelation: 0 below 0.02, at most 3.

    Args:
        correlation: -1..1.
    """
    if correlation < _LEAST_CORRELATION:
        return 0.0
    return min(math.sqrt(-1 / (4 * math.log(min(correlation, 0.97)))), MAX_GRAIN)


def drawn_noise(x: Tensor, rng: Rng, *, gray: bool = False) -> Tensor:
    """Return noise of a random kind and strength: a camera's (35 %), as measured (45 %), film's (20 %).

    Args:
        x: (1, 3, H, W), clean, [-1, 1] units.
        rng: draws kind, strength and noise.
        gray: the picture's channels are equal, so the noise's are.
    """
    kind = rng.random()
    if kind < 0.2:
        return film_grain(x, drawn_film(rng), rng, gray=gray)
    if kind < 0.65:
        return developed_noise(x, drawn_developed(rng), rng, gray=gray)
    return sensor_noise(x, drawn_sensor(rng, gray=gray), rng, gray=gray)


def drawn_sensor(rng: Rng, *, gray: bool = False) -> Sensor:
    """Return a random camera.

    Args:
        rng: draws it.
        gray: for a gray picture.
    """
    shot = _loguniform(rng, *((2e-4, 2e-2) if gray else (1e-4, 1.2e-2)))
    denoises_luma, denoises_chroma, sharpens = rng.random(3) < (0.5, 0.6, 0.3)
    return Sensor(
        shot=shot,
        read=_read_noise(shot, rng.normal(0, 0.26)),
        matrix=rng.random(),
        red=rng.uniform(1.4, 2.5),
        blue=rng.uniform(1.3, 2.3),
        edges=bool(rng.random() < 0.7),
        phase=(int(rng.integers(2)), int(rng.integers(2))),
        luma=(rng.uniform(0.4, 1), rng.uniform(0, 1.3)) if denoises_luma else (1.0, 0.0),
        chroma=(rng.uniform(0.3, 1.2), rng.uniform(0.3, 3)) if denoises_chroma else (1.0, 0.0),
        sharpening=rng.uniform(0, 0.8) if sharpens else 0.0,
    )


def drawn_developed(rng: Rng) -> Developed:
    """Return random statistics of a developed photograph's noise.

    Args:
        rng: draws them.
    """
    return Developed(
        level=_loguniform(rng, 1.2, 14) / LEVEL,
        luma=(rng.uniform(0.3, 0.95), rng.uniform(1.5, 4), rng.uniform(0, 0.45)),
        chroma=(rng.uniform(0.6, 1.5), rng.uniform(1.8, 4.5), rng.uniform(0.1, 1.2)),
        colour=_loguniform(rng, 0.35, 2.2),
        blue=math.exp(rng.normal(0, 0.25)),
        by_brightness=int(rng.integers(4)),
        share=rng.random(),
    )


def drawn_film(rng: Rng) -> Film:
    """Return random film.

    Args:
        rng: draws it.
    """
    return Film(level=_loguniform(rng, 2, 28) / LEVEL, grain=rng.uniform(0.25, 1.4), dyes=bool(rng.random() >= 0.6))


def _loguniform(rng: Rng, low: float, high: float) -> float:
    return float(low * (high / low) ** rng.random())


def _white(rng: Rng, channels: int, like: Tensor) -> Tensor:
    return torch.from_numpy(rng.standard_normal((1, channels, *like.shape[-2:]), dtype=np.float32))


def _unit(noise: Tensor) -> Tensor:
    return noise / noise.std().clamp_min(1e-4)


def _soft(x: Tensor, std: float) -> Tensor:
    """Blur by a Gaussian of `std` pixels, unless that is below 0.15, which changes nothing."""
    return x if std < 0.15 else blur(x, std)
