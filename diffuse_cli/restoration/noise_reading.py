"""The noise of a picture: the core reads a photograph's, the estimators of white noise read what is white."""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..degradation.estimation.drawings import has_few_levels
from ..degradation.estimation.picture_noise import MAX_JPEG_QUALITY, coded_quality, is_white, measured_noise
from ..degradation.operators import Degradation
from ..diffusion import checkpoint
from ..diffusion.foreign.model import AnyModel
from ..diffusion.model import Model
from ..diffusion.network import UNet
from ..diffusion.photo_noise import BLOCK, PhotoNoise, Regressor, load_regressor, read_noise
from ..diffusion.settings import Device, Dtype
from ..images.picture import Picture
from ..images.tensors import to_tensor
from ..images.units import LEVEL
from .problem import GuidePicture, NoisyPicture
from .reach import dimmed
from .span import Span

NoiseReader = Callable[[Picture], PhotoNoise | None]
"""Reads the noise of a picture. None: the picture is too small to tell."""

CROPS: Final = 3
"""Crops a side."""
SIDE: Final = 160
LEAST_SIDE: Final = 64
LEAST_CHANCE: Final = 0.7
"""Noise that is less likely than this is not removed."""
SOFT_CHANCE: Final = 0.2
"""The same in a JPEG without fine texture: a coder hides noise, and removing what there is not cannot harm.

Of 68 clean CBSD68 pictures as JPEGs of quality 50 to 92, 9 are denoised so. All come nearer to the picture before the
coder, by 0.2 to 1.7 dB.
"""
SOFT_GRAIN: Final = (0.4, 0.3)
"""Grain and share of chroma from which that holds: finer grain, and luma alone, may be texture."""
LEAST_GRAIN: Final = 0.23
"""Noise of less grain is white, or texture that looks like white noise."""
SAND: Final = (0.15, 0.4, 0.35)
"""Noise of luma alone that correlates less than its grain says is texture: sand, stone, leaves.

These are the share of chroma and the correlation that it is below, and the grain that it is above. It reads as 7 to 14
levels whatever was added.
"""
GRAY_SAND: Final = (0.4, 0.62, 0.36)
"""In a gray picture, where chroma tells nothing, so is what correlates less, has less grain and more doubt than this.

Clean gray stone and leaves read as 7 to 13 levels. The estimators of white noise are mistaken, too. Film of 0.8 pixels
reads as 0.7 and more, the noise of gray cameras as white, and finer film with less doubt.
"""
AGREEING: Final = 0.5
"""White noise is told from that by its estimators: they find 0.8 of what is read or more of it, and 0.4 in texture."""
LEAN: Final = ((0.37, 0.31), (0.28, 0.34), 0.42)
"""Noise that correlates less than the first, and has more grain than the third, may be texture in part.

What correlates less than the second surely is, if it has more grain than the fourth, or less than the last share of
chroma: white noise in a JPEG correlates as little. Cameras' noise has as much chroma as luma there, so the share of
chroma tells how much is noise.
"""
LESS_LEVEL, LESS_TOLD = 0.3, 0.9
"""The powers of that share by which the level is lowered, and what is told of it besides.

The core smooths such texture even where it is told the truth. On 63 crops of sand, stone and leaves of CBSD68 with
noise of cameras and film this gains 0.16 dB on average, and the worst change is -0.2 dB instead of -4.1 dB.
"""
COLOURLESS: Final = ((0.3, 0.2), 0.45, 4.0)
"""Shares of chroma between which noise becomes luma alone, which may be texture: less is told, whatever the grain.

What is told falls by the last number times the doubt above the other. On 560 crops of photographs, most of them with
noise, the worst change is -1.1 dB instead of -10.8 dB, and the mean is 0.01 dB better.
"""
SUSPICION: Final = 0.4
"""Noise that is less likely than this is not told."""
VAGUE: Final = 0.5
"""Noise that is less than likely and of more doubt than this is texture."""
LEAST_LEVEL: Final = 1.3
"""Less noise than this is not removed."""
TOLD_STEPS: Final = 0.2
"""The share of a coder's steps that is told beside a photograph's noise, which dithers its rounding.

All of the steps lose 0.3 dB on real pairs of quality 75, and spoil one in five. None of them lose 0.3 dB on synthetic
ones. Of noise that is told in part, more of the steps are told: that gains up to 0.8 dB on stone and sand.
"""
TOLD_DOUBT: Final = 0.5
"""The share of the doubt that is told."""
CAUTION: Final = (1.1, 0.3, 3.0)
"""The doubts that the level is lowered by, up to a grain, and how fast they fall above it.

Smoothing fine texture costs more than noise left, and fine grain looks like fine texture. On 96 synthetic crops that
are not soft this gains 0.06 dB over half of the doubt at every grain.
"""
CODED: Final = (90.0, 75.0, 1.15)
"""A coder takes a part of the noise of a soft photograph that cannot be read: none above the first quality.

From the second down, the noise had this many times the level that is read. Elsewhere the regressor reads the level
before the coder, since it knows the quality.
"""
SOFT: Final = (-0.2, -0.1)
COARSE: Final = (0.4, 0.5)
"""From the first slope by texture, and correlation, caution falls. From the second ample noise is told, without any.

There the core does not spare texture, and what it takes is coarse, as in photographs of cameras at full size: they have
no fine texture to lose. Both must be so. Fine texture that is taken for noise is not spared either.
"""
AMPLE: Final = 1.2
"""How much more than what is read is told where that does not harm, or the noise itself is wanted."""
MOST_AMPLE: Final = 0.6
"""Where the noise itself is wanted, more of it is told by the doubt, up to this.

On film grain of 7 to 12 levels, read as 5 to 8, 92 .. 100 % are taken away so; of what is read, half are.
"""
MOST_DOUBT: Final = 1.5
"""The most doubt that the core was trained with."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundNoise:
    """The noise that was found in a picture.

    Attributes:
        level: root mean square in 8-bit levels; 0 = none.
        grain: as `Degradation.grain` has it; None: the noise is white.
        luma, chroma: the level of luma's and chroma's part, in 8-bit levels, if the noise is a photograph's.
        bright_over_dark: the level in the brighter half of the pixels over that in the darker half, likewise.
        doubt: std of the logarithm of the level.
        softness: 1 = the photograph has no fine texture to lose, 0 = it may have.
        share: of the level that is told; less than 1 = a part of it may be texture.
        chance: of there being noise, if it is a photograph's.
        suspected: a level in 8-bit levels that is too unlikely to act on; 0 = none.
    """

    level: float
    grain: float | None = None
    luma: float | None = None
    chroma: float | None = None
    bright_over_dark: float | None = None
    doubt: float = 0.0
    softness: float = 0.0
    share: float = 1.0
    chance: float = 1.0
    suspected: float = 0.0

    def degradation(self, quality: float = 100.0) -> Degradation:
        """Return what the network is told of it, and of the coder.

        Args:
            quality: of the JPEG that the picture is.
        """
        if self.grain is None:
            return Degradation(noise=self.level / LEVEL, quality=quality)
        steps = TOLD_STEPS + (1 - TOLD_STEPS) * (1 - self.share)
        told = 100 - steps * (100 - quality)
        doubt = (1 - self.softness) * min(self.doubt, MOST_DOUBT)
        told_level = self.share * self.level * AMPLE**self.softness * math.exp(-_caution(self.grain) * doubt)
        return Degradation(
            noise=told_level / LEVEL, grain=self.grain, doubt=TOLD_DOUBT * doubt,
            quality=told if told <= MAX_JPEG_QUALITY else 100.0,
        )  # fmt: skip

    def observation(self, picture: Picture, sigma_y: NDArray[np.float32] | None = None) -> NoisyPicture | GuidePicture:
        """Return how the picture relates to the one without noise.

        Args:
            picture: the file's.
            sigma_y: (H, W), std of white noise at each pixel, [-1, 1] units; `level` is then its root mean square.
        """
        if self.level > 0 and (self.grain is not None or not is_white(picture, self.level)):
            return GuidePicture(degradation=self.degradation(coded_quality(picture)), sigma_y=sigma_y)
        return NoisyPicture(noise=self.level / LEVEL, sigma_y=sigma_y)

    def of_span(self, span: Span) -> "FoundNoise":
        """Return noise that was found in a span in levels of the whole range."""
        parts = (None if part is None else part * span.scale for part in (self.luma, self.chroma))
        luma, chroma = parts
        return replace(
            self, level=self.level * span.scale, luma=luma, chroma=chroma, suspected=self.suspected * span.scale
        )

    def whole(self) -> NoisyPicture | GuidePicture:
        """Return an observation under which the network takes all of the noise away, and perhaps texture with it."""
        noise = self.level * AMPLE * math.exp(min(self.doubt, MOST_AMPLE)) / LEVEL
        if self.grain is None:
            return NoisyPicture(noise=noise)
        return GuidePicture(degradation=Degradation(noise=noise, grain=self.grain))

    def facts(self) -> dict[str, float]:
        """Return what a recipe tells of it."""
        grain = {} if self.grain is None else {"grain": self.grain}
        return {"noise": self.level} | grain | ({"noise_doubt": self.doubt} if self.doubt else {})


def find_noise(picture: Picture, read: NoiseReader | None, white: float | None = None) -> FoundNoise:
    """Find the noise of a picture.

    Correlated noise is a photograph's, which the core reads. Without a reader, and where the noise does not correlate,
    the estimators of white noise answer. Pixel art and pictures in black and white have none.

    Args:
        picture: the file's.
        read: reads the noise of photographs.
        white: what the estimators of white noise say, in 8-bit levels; None: they are asked here.
    """
    if has_few_levels(picture.in_levels()):
        return FoundNoise(level=0.0)
    photo = None if read is None else read(picture)
    if photo is not None and (_is_gray_sand(photo) if picture.is_gray else _is_sand(photo)):
        white = measured_noise(picture).level if white is None else white
        agrees = not picture.is_gray or white > AGREEING * photo.level * LEVEL
        return FoundNoise(level=white if agrees and is_white(picture, white) else 0.0)
    if photo is not None and _is_correlated(photo, _least_chance(photo, coded_quality(picture))):
        share, told = (1.0, 1.0) if picture.is_gray else (_share_of_noise(photo), _share_told(photo))
        unit = share**LESS_LEVEL * LEVEL * _before_coder(coded_quality(picture)) ** _softness(photo)
        return FoundNoise(
            level=photo.level * unit, grain=photo.grain, luma=photo.luma * unit, chroma=photo.chroma * unit,
            bright_over_dark=photo.bright_over_dark, doubt=photo.doubt, softness=_softness(photo),
            share=share**LESS_TOLD * told, chance=photo.chance,
        )  # fmt: skip
    white = measured_noise(picture).level if white is None else white
    if photo is not None and white > _most(photo):
        white = 0.0  # fur, or the edges of text and drawings, taken for noise
    if photo is not None and white and is_scan(picture) and photo.chance >= LEAST_CHANCE:
        white = max(white, photo.level * LEVEL)  # flat blocks are dark or air, where there is less noise
    return FoundNoise(level=white, suspected=0.0 if photo is None or white else _suspected(photo))


def is_scan(picture: Picture) -> bool:
    """Return whether a picture is measured, so that its noise depends on brightness."""
    return picture.source.dicom is not None


def given_noise(level: float, grain: float | None, picture: Picture, read: NoiseReader | None) -> FoundNoise:
    """Return noise of a level that was given.

    Args:
        level: in 8-bit levels.
        grain: in pixels; None: as it is read, and white where nothing is read.
        picture: the file's.
        read: reads the noise of photographs.
    """
    if grain is None and level > 0 and read is not None:
        photo = read(picture)
        grain = photo.grain if photo is not None and _is_correlated(photo) else None
    return FoundNoise(level=level, grain=grain or None)


def _is_gray_sand(photo: PhotoNoise) -> bool:
    """Return whether what is read as noise of a gray picture is texture."""
    correlation, grain, doubt = GRAY_SAND
    return photo.correlation < correlation and LEAST_GRAIN <= photo.grain < grain and photo.doubt > doubt


def _is_sand(photo: PhotoNoise) -> bool:
    """Return whether what is read as noise is texture."""
    colourless, correlation, grain = SAND
    return photo.chroma < colourless * photo.luma and photo.correlation < correlation and photo.grain > grain


def _share_of_noise(photo: PhotoNoise) -> float:
    """Return the share of chroma where a part of the noise may be texture; 1 = none of it is."""
    correlation, grain, little = LEAN
    chroma = photo.chroma / photo.luma
    coarse = 1.0 if chroma < little else _part(photo.grain, grain)
    lean = (1 - _softness(photo)) * _part(photo.correlation, correlation) * coarse
    return float(min(chroma, 1.0) ** lean)


def _share_told(photo: PhotoNoise) -> float:
    """Return how much is told of noise of luma alone."""
    chroma, sure, fall = COLOURLESS
    return math.exp(-fall * _part(photo.chroma / photo.luma, chroma) * max(photo.doubt - sure, 0.0))


def _least_chance(photo: PhotoNoise, quality: float) -> float:
    """Return the chance from which a photograph's noise is removed."""
    grain, chroma = SOFT_GRAIN
    cannot_harm = quality < 100 and photo.grain >= grain and photo.chroma >= chroma * photo.luma
    return SOFT_CHANCE if cannot_harm and _softness(photo) == 1 else LEAST_CHANCE


def _most(photo: PhotoNoise) -> float:
    """Return the most white noise, in 8-bit levels, that agrees with what the core reads."""
    if photo.chance < LEAST_CHANCE:
        return LEAST_LEVEL
    return max(2 * photo.level * LEVEL * math.exp(min(photo.doubt, 1.0)), LEAST_LEVEL)


def _caution(grain: float) -> float:
    most, finest, fall = CAUTION
    return min(max(most - fall * (grain - finest), 0.0), most)


def _before_coder(quality: float) -> float:
    fine, coarse, most = CODED
    return float(most ** min(max((fine - quality) / (fine - coarse), 0.0), 1.0))


def _softness(photo: PhotoNoise) -> float:
    return _part(photo.by_texture, SOFT) * _part(photo.correlation, COARSE)


def _part(value: float, span: tuple[float, float]) -> float:
    """Return how far a value is through a span, 0..1."""
    return min(max((value - span[0]) / (span[1] - span[0]), 0.0), 1.0)


def _suspected(photo: PhotoNoise) -> float:
    """Return the level of noise that there may be, in 8-bit levels; 0 = there is hardly any."""
    level = photo.level * LEVEL
    return level if photo.chance >= SUSPICION and photo.doubt <= VAGUE and level >= LEAST_LEVEL else 0.0


def _is_correlated(photo: PhotoNoise, least_chance: float = LEAST_CHANCE) -> bool:
    """Return whether there is enough noise to tell, and it is not white."""
    enough = photo.chance >= least_chance and photo.level * LEVEL >= LEAST_LEVEL
    return enough and photo.grain >= LEAST_GRAIN


def noise_reader(model: AnyModel) -> NoiseReader | None:
    """Return what reads noise with a model. None: its weights do not know grain, as those of imported models.

    The network and the regressor are loaded when a picture's noise is read for the first time. Then a missing or
    damaged file raises CheckpointError.
    """
    if not isinstance(model, Model) or model.network.config.described < 5:
        return None

    def read(picture: Picture) -> PhotoNoise | None:
        seen, scale = dimmed(picture)
        crops = crops_of(to_tensor(seen.pixels))
        if not crops:
            return None
        found = read_noise(crops, _reading_network(model), _regressor(), coded_quality(picture))
        return found._replace(level=found.level * scale, luma=found.luma * scale, chroma=found.chroma * scale)

    return read


def _reading_network(model: Model) -> UNet:
    """Return the network that reads noise: `photo`, on whose statistics the regressor was trained.

    With its regressor, another network takes texture for noise. Weights of no file read by themselves.
    """
    core = checkpoint.DEFAULT_MODEL
    if model.path is None or model.path == checkpoint.find(core):
        return model.network
    return _loaded(core, model.device.type, "bf16" if model.dtype == torch.bfloat16 else "fp32").network


@functools.cache
def _loaded(name: str, device: Device, dtype: Dtype) -> Model:
    return Model.load(name, device=device, dtype=dtype)


@functools.cache
def _regressor() -> Regressor:
    return load_regressor(checkpoint.estimator("noise"))


def crops_of(x: Tensor) -> list[Tensor]:
    """Return up to nine crops of a picture (1, 3, H, W), spread evenly, their sides multiples of 16.

    A quarter of a megapixel is enough, whatever the picture's size. The crops of a smaller picture cover all of it.
    """
    h, w = x.shape[-2:]
    if min(h, w) < LEAST_SIDE:
        return []
    rows, columns = _side(h), _side(w)
    return [
        x[..., top : top + rows, left : left + columns].clamp(-1, 1).contiguous()
        for top in _starts(h, rows)
        for left in _starts(w, columns)
    ]


def _count(length: int) -> int:
    return max(1, min(CROPS, length // SIDE))


def _side(length: int) -> int:
    """Return the side of crops: as many multiples of 16 as there is room for, or SIDE where the picture is large."""
    count = _count(length)
    return SIDE if count == CROPS else length // count // BLOCK * BLOCK


def _starts(length: int, side: int) -> list[int]:
    """Where crops begin along a side: in the middle of equal parts."""
    count = _count(length)
    return [round((k + 0.5) * length / count - side / 2) for k in range(count)]
