"""Noise of a sensor: its light is stabilised, so that the noise is the same everywhere, and is restored there.

This is the generalised Anscombe transform (Starck, Murtagh, Bijaoui 1998), with the law of green.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..degradation.operators import Degradation
from ..diffusion.tiling import by_rows
from ..errors import PictureError
from ..images.picture import Picture
from ..images.raw.noise_law import NoiseLaw
from ..images.raw.sensor import SensorData
from ..images.tensors import to_tensor
from ..images.units import LEVEL
from ..system.arrays import row_blocks
from .copies.described import Described
from .noise_reading import FoundNoise
from .problem import Findings, Finish, GuidePicture, NoisyPicture, Problem

GRAIN: Final = 0.4
"""Of noise whose colours were interpolated. On simulated sensors of ISO 800 to 12800, 0.3 is 0.01 to 0.09 dB less."""
LEAST_LEVEL: Final = 0.5
"""Less noise than this is not removed."""
_ROUNDING: Final = 1e-4
_NEARLY: Final = 0.97
_RARE: Final = 0.0005
_MOST_SIGMA: Final = 0.25
"""A picture of little more than noise is not stretched further."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Stabiliser:
    """The transform from light to numbers in which green has noise of one std.

    Attributes:
        law: of green, balanced.
        low: of black, before it becomes -1.
        step: std of green's noise, [-1, 1] units.
    """

    law: NoiseLaw
    low: float
    step: float

    def __call__(self, light: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return numbers in [-1, 1].

        Args:
            light: balanced, 0 = black, of any shape.
        """
        return np.asarray((_root(self.law, light) - self.low) * self.step - 1, np.float32)

    def seen(self, numbers: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the light of numbers, 0 = black, noise and all.

        Args:
            numbers: in [-1, 1], of any shape.
        """
        a, b = self.law.gain, self.law.offset
        square = np.maximum((numbers.astype(np.float64) + 1) / self.step + self.low, 0) ** 2
        return np.asarray((square * a * a / 4 - b) / a - 3 * a / 8)

    def noise(self, laws: tuple[NoiseLaw, ...], light: NDArray[np.floating[Any]]) -> float:
        """Return the std of the noise in the numbers, [-1, 1] units.

        Args:
            laws: of each colour, balanced.
            light: (h, w, 3), where it is looked at.
        """
        ratio = [np.median(law.at(light[..., k]) / self.law.at(light[..., k])) for k, law in enumerate(laws)]
        return self.step * math.sqrt(float(np.mean(ratio)))

    def light(self, x: Tensor, laws: tuple[NoiseLaw, ...], removed: float) -> Tensor:
        """Return the light of a restored picture. Its noise is gone, whose square the transform counts as light.

        Args:
            x: (B, 3, H, W), in [-1, 1].
            laws: of each colour, balanced.
            removed: share of the noise's variance that was removed.
        """
        a, b = self.law.gain, self.law.offset
        square = ((x.double() + 1) / self.step + self.low).clamp_min(0) ** 2
        rest = (square * a * a / 4).clamp_min(1e-30)  # a * light + b + 3 / 8 a * a
        seen = ((rest - b) / a - 3 * a / 8).clamp_min(0)
        variances = torch.stack([law.gain * seen[:, k] + law.offset for k, law in enumerate(laws)], 1)
        rest = rest + removed * a * a / 4 * variances / (rest - a * a * 3 / 8).clamp_min(b + a * a / 4)
        return ((rest - b) / a - 3 * a / 8).float()


def _root(law: NoiseLaw, light: NDArray[np.float32] | float) -> NDArray[np.float64]:
    a, b = law.gain, law.offset
    return 2 / a * np.sqrt(np.maximum(a * np.asarray(light, np.float64) + b + 3 / 8 * a * a, 0))


def sensor_problem(picture: Picture, sensor: SensorData, strength: float, chroma_strength: float) -> Problem:
    """Return what is known of the light of a sensor: its noise.

    Args:
        picture: as `images.raw.reader` reads it.
        sensor: what its file says.
        strength: how much is removed, 0 .. 1.
        chroma_strength: the same for colour noise.
    """
    laws, some = _balanced(sensor, sensor.gains), _some(picture)
    stabiliser = _stabiliser(_usable(laws[1]), some)
    noise = stabiliser.noise(laws, some)
    how = "stated in the file" if sensor.is_stated else "measured on the sensor"
    raw = sensor.laws[1]
    note = f"noise of the sensor ({how}): variance {raw.gain:.2g} x light + {raw.offset:.2g} in green"
    facts = {"noise": noise * LEVEL, "noise_gain": raw.gain, "noise_offset": raw.offset}
    if noise * LEVEL < LEAST_LEVEL or (strength, chroma_strength) == (0, 0):
        notes = (note,) if noise * LEVEL >= LEAST_LEVEL else (f"{note}, too little to remove",)
        return Problem(findings=Findings(notes=notes, facts=facts if strength else {}))
    finish = Finish(
        strength=strength, chroma_strength=chroma_strength, tone=_as_light(picture, sensor, stabiliser, laws, strength)
    )
    seen = (
        GuidePicture(degradation=Degradation(noise=noise, grain=GRAIN))
        if sensor.is_mosaic
        else NoisyPicture(noise=noise)
    )
    return Problem(
        picture=_stabilised(picture, stabiliser), observation=seen, finish=finish,
        findings=Findings(notes=(f"{note}; about {noise * LEVEL:.1f} levels",), facts=facts),
    )  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class SensorBurst:
    """Shots of camera RAW in the numbers in which the first one's green has noise of one std.

    Attributes:
        first: its light, as `images.raw.reader` reads it.
        sensor: what its file says.
        stabiliser: made of it.
    """

    first: Picture
    sensor: SensorData
    stabiliser: Stabiliser

    @classmethod
    def of(cls, first: Picture, sensor: SensorData) -> "SensorBurst":
        """Return the burst of a first shot."""
        green = _usable(_balanced(sensor, sensor.gains)[1])
        return cls(first=first, sensor=sensor, stabiliser=_stabiliser(green, _some(first)))

    def numbers(self, name: str, shot: Picture) -> Picture:
        """Return a shot with the first one's white balance, stabilised.

        Args:
            name: as messages call it.
            shot: its light.

        Raises:
            PictureError: it is no camera RAW.
        """
        if shot.source.sensor is None:
            raise PictureError(f"{name}: is no camera RAW, and the first picture is; give shots of one kind")
        ratio = np.array(self.sensor.gains, np.float32) / np.array(shot.source.sensor.gains, np.float32)
        if (ratio == 1).all():
            return _stabilised(shot, self.stabiliser)
        balanced = np.asarray((shot.pixels + 1) * ratio - 1, dtype=np.float32)
        return _stabilised(replace(shot, pixels=balanced), self.stabiliser)

    def described(self, numbers: Picture) -> Described:
        """Return what happened to a shot: its sensor's noise.

        Args:
            numbers: the shot, stabilised.
        """
        sensor = numbers.source.sensor
        assert sensor is not None
        noise = self.stabiliser.noise(
            _balanced(sensor, self.sensor.gains), self.stabiliser.seen(numbers.pixels[::5, ::5])
        )
        return Described(noise=FoundNoise(level=noise * LEVEL, grain=GRAIN if sensor.is_mosaic else None))

    def light(self, x: Tensor) -> Tensor:
        """Return the light of what was fused and restored."""
        laws = _balanced(self.sensor, self.sensor.gains)
        return _as_light(self.first, self.sensor, self.stabiliser, laws, 1.0)(x)


def _balanced(sensor: SensorData, gains: tuple[float, float, float]) -> tuple[NoiseLaw, ...]:
    return tuple(law.scaled(gain) for law, gain in zip(sensor.laws, gains, strict=True))


def _usable(law: NoiseLaw) -> NoiseLaw:
    return NoiseLaw(gain=max(law.gain, 1e-9), offset=max(law.offset, 1e-12))


def _some(picture: Picture) -> NDArray[np.float32]:
    some: NDArray[np.float32] = (picture.pixels[::5, ::5] + np.float32(1)) / np.float32(2)
    return some


def _stabiliser(green: NoiseLaw, light: NDArray[np.float32]) -> Stabiliser:
    """Return the transform that brings black to -1 and the brightest light to 1."""
    low = float(_root(green, 0.0))
    high = float(_root(green, float(np.quantile(light, 1 - _RARE))))
    return Stabiliser(law=green, low=low, step=min(2 / max(high - low, 1e-6), _MOST_SIGMA))


def _stabilised(picture: Picture, stabiliser: Stabiliser) -> Picture:
    pixels = np.empty_like(picture.pixels)
    for rows in row_blocks(pixels):
        pixels[rows] = stabiliser((picture.pixels[rows] + np.float32(1)) / np.float32(2))
    return replace(picture, pixels=pixels)


def _as_light(
    picture: Picture, sensor: SensorData, stabiliser: Stabiliser, laws: tuple[NoiseLaw, ...], strength: float
) -> Callable[[Tensor], Tensor]:
    """Return what makes light of a restored picture again. Where the sensor was full, its numbers stay."""
    removed = 1 - (1 - strength) ** 2
    full = 2 * (torch.tensor(sensor.gains) * sensor.full - _ROUNDING).view(1, 3, 1, 1) - 1

    def rows_as_light(x: Tensor, before: Tensor) -> Tensor:
        light = 2 * stabiliser.light(x, laws, removed) - 1
        is_full = (before >= full) & (light + 1 >= _NEARLY * (full + 1))  # else it was noise that reached so far
        return torch.where(is_full, before, light)

    return lambda x: by_rows(rows_as_light, x, to_tensor(picture.pixels))


def refuse_given(noise: object, noise_map: object) -> None:
    """Refuse a noise that is given in levels, which light does not have.

    Raises:
        PictureError: one is given.
    """
    if noise not in ("auto", "poisson") or noise_map is not None:
        raise PictureError(
            "the noise of camera RAW depends on its light (variance = gain x light + offset, stated in the file or "
            "measured); leave --noise and --noise-map out, and give --strength if too much or too little is removed"
        )
