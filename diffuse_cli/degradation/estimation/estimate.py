"""What happened to a picture, and how far each part of the answer can be trusted."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...images.image_io import Picture
from .beneath import compression_beneath
from .compression import Compression, estimate_compression
from .drawings import is_drawn
from .jpeg_tables import quality_of
from .kernel_kind import BlurKind, blur_kind
from .noise_model import NoiseModel, estimate_noise_model, whiteness
from .picture_noise import measured_noise, noise_before_jpeg
from .resampling import estimate_resampling
from .resized_blocks import block_period
from .screen import Screen, screens_of
from .spectrum import estimate_blur
from .steps import blur_by_steps

Confidence = Literal["high", "medium", "low"]
# Noise of which 2x2 means keep this much more than of white noise is smoothed; texture alone reaches 1.35.
_SMOOTHED = 1.4
_SURE = 0.1
"""Evidence of a coder, a mean log-likelihood, from which tests hardly ever err."""
_LEAST_BLUR = 0.4
"""Below it photographs without blur read, too, and the core was not trained for less."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that happened, or did not.

    Attributes:
        value: in the unit of the field that holds it; None = no trace.
        confidence: high where tests on photographs hardly ever err, low where they often do.
        how: what it was read from.
        spread: std of the reading, where the method gives it.
    """

    value: float | None
    confidence: Confidence
    how: str
    spread: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """What happened to a picture.

    Attributes:
        noise: std of noise in 8-bit levels.
        noise_model: variance of the noise by brightness.
        smoothed_noise: the noise is correlated (blurred, enlarged or compressed with the picture).
        jpeg: quality of the Independent JPEG Group's encoder.
        jpeg_origin: (row, column) of the grid of blocks, where it shows.
        jpeg_above: quality that a stronger JPEG was saved with again; None = it was not.
        jpeg_period: side in pixels of the blocks of a JPEG that was enlarged; None = no trace.
        blur: std of a Gaussian, in pixels.
        kernel: which blur the spectrum shows; None = it was not asked, or the picture is too small.
        enlarged: factor of an enlargement.
        resolution: share of width and height that the detail would fit into.
        screens: halftone screens, the strongest first.
        is_drawn: it is text, a chart or another drawing, or has large places without any detail.
    """

    noise: Finding
    noise_model: NoiseModel
    smoothed_noise: Finding
    jpeg: Finding
    jpeg_origin: tuple[int, int] | None
    jpeg_above: float | None
    jpeg_period: float | None
    blur: Finding
    enlarged: Finding
    resolution: Finding
    screens: tuple[Screen, ...] = ()
    is_drawn: bool = False
    kernel: BlurKind | None = None

    def jpeg_words(self) -> str:
        """Return what was found of JPEG compression, for people."""
        if self.jpeg_period is not None:
            enlarged = f"blocks of {self.jpeg_period:.1f} pixels, so it was enlarged since"
            return enlarged if self.jpeg.value is None else f"quality {self.jpeg.value:.0f}, and {enlarged}"
        if self.jpeg.value is None:
            return "no trace"
        above = "" if self.jpeg_above is None else f" beneath quality {self.jpeg_above:.0f}"
        row, column = self.jpeg_origin or (0, 0)
        moved = f", its blocks begin at column {column}, row {row}" if (row, column) != (0, 0) else ""
        return f"quality {self.jpeg.value:.0f}{above}{moved}"

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)


def estimate_degradation(picture: Picture, screens: tuple[Screen, ...] | None = None) -> Estimate:
    """Look for noise, compression, blur, enlargement and halftone screens, most by a published method.

    Args:
        picture: as it was read; a JPEG's tables count, too.
        screens: its halftone screens; None: they are looked for here.
    """
    levels = picture.in_levels()
    compression = estimate_compression(levels)
    noise = _noise(picture, levels, compression)
    jpeg = _jpeg(picture, levels, compression)
    drawn = is_drawn(levels)
    kernel = None if drawn else blur_kind(levels, noise.value or 0.0)
    blur = _blur(levels, noise.value or 0.0, drawn=drawn) if kernel is None else _gaussian(levels, noise, kernel)
    blur = _bounded(blur, levels, noise.value or 0.0)
    enlarged = _enlarged(levels)
    return Estimate(
        noise=noise,
        noise_model=_noise_model(levels, noise),
        smoothed_noise=_smoothed(levels, noise.value or 0.0),
        jpeg=jpeg.quality,
        jpeg_origin=jpeg.origin,
        jpeg_above=jpeg.above,
        jpeg_period=block_period(levels),
        blur=blur,
        enlarged=enlarged,
        resolution=_resolution(blur, enlarged),
        screens=screens_of(picture) if screens is None else screens,
        is_drawn=drawn,
        kernel=kernel,
    )


def _noise(picture: Picture, levels: NDArray[np.float32], compression: Compression) -> Finding:
    if picture.source.jpeg is None and compression.quality is not None and compression.origin is not None:
        found = noise_before_jpeg(levels, compression.quality, compression.origin)
    else:
        found = measured_noise(picture)
    how = f"pixels ({found.method})"
    if found.level == 0:
        # Texture hides faint noise, and in a JPEG less than 5 levels cannot be told from the coder's own.
        return Finding(value=None, confidence="high" if found.method == "chen" else "medium", how=how)
    strong = found.method == "chen" or (found.method == "ponomarenko" and found.level >= 5)
    return Finding(value=found.level, confidence="high" if strong else "medium", how=how)


def _noise_model(levels: NDArray[np.float32], noise: Finding) -> NoiseModel:
    """Return the noise by brightness, where a coder has left enough of it in three channels."""
    level = noise.value or 0.0
    if "jpeg" in noise.how:
        return NoiseModel(gain=0.0, offset=level**2, bins=0)
    return estimate_noise_model(levels, level)


def _smoothed(levels: NDArray[np.float32], noise: float) -> Finding:
    if noise < 2 or min(levels.shape[:2]) < 128:
        return Finding(value=None, confidence="low", how="too little noise, or too small a picture")
    ratio = whiteness(levels)
    known = not math.isnan(ratio)
    smoothed = known and ratio > _SMOOTHED
    return Finding(value=ratio if smoothed else None, confidence="medium" if known else "low", how="flat blocks")


@dataclass(frozen=True, kw_only=True, slots=True)
class FoundJpeg:
    """The strongest coder that a picture went through.

    Attributes:
        quality: of the Independent JPEG Group's encoder.
        origin: (row, column) of its grid of blocks, where it shows.
        above: quality that it was saved with again; None = it was not.
    """

    quality: Finding
    origin: tuple[int, int] | None
    above: float | None = None


def find_jpeg(picture: Picture) -> FoundJpeg:
    """Look for JPEG compression alone.

    Args:
        picture: as it was read; a JPEG's tables count, too.
    """
    levels = picture.in_levels()
    return _jpeg(picture, levels, estimate_compression(levels))


def _jpeg(picture: Picture, levels: NDArray[np.float32], found: Compression) -> FoundJpeg:
    """Return the coder of a JPEG file's tables or of the pixels, or the stronger one that was before it."""
    coding = picture.source.jpeg
    stated = found.quality if coding is None else quality_of(dict(enumerate(coding.tables)))
    if stated is None:
        # Noise, resizing or sharpening after the coder wipe its traces, so none is no proof.
        return FoundJpeg(quality=Finding(value=None, confidence="medium", how="pixels"), origin=found.origin)
    row, column = (found.origin or (0, 0)) if coding is None else (0, 0)
    beneath = found if found.quality is not None and found.quality < stated - 5 else None
    beneath = beneath or compression_beneath(levels[row:, column:], stated)
    if beneath is None or beneath.quality is None:
        how = "pixels" if coding is None else "the file's tables"
        confidence = "high" if coding is not None else _confidence(found)
        return FoundJpeg(quality=Finding(value=float(stated), confidence=confidence, how=how), origin=found.origin)
    moved = beneath.origin or (0, 0)
    origin = moved if beneath is found else ((row + moved[0]) % 8, (column + moved[1]) % 8)
    how = "pixels, saved again since"
    quality = Finding(value=float(beneath.quality), confidence=_confidence(beneath), how=how)
    return FoundJpeg(quality=quality, origin=origin, above=float(stated))


def _confidence(found: Compression) -> Confidence:
    return "high" if found.evidence > _SURE else "medium"


def blur_of(picture: Picture, noise: float) -> Finding:
    """Look for blur alone, in the spectrum.

    Args:
        picture: as it was read.
        noise: std of its noise in 8-bit levels.
    """
    levels = picture.in_levels()
    return _blur(levels, noise, drawn=is_drawn(levels))


def blur_that_shows(picture: Picture, std: float, noise: float) -> float:
    """Return the std of a blur, or a smaller one that the picture's sharpest steps allow.

    Args:
        picture: as it was read.
        std: of the blur that it is thought to have, in pixels.
        noise: std of its noise in 8-bit levels.
    """
    return blur_by_steps(picture.in_levels(), std, noise)


def _blur(levels: NDArray[np.float32], noise: float, *, drawn: bool) -> Finding:
    if drawn:
        return Finding(value=None, confidence="low", how="a drawing, whose edges are as they were drawn")
    found = estimate_blur(levels, noise)
    if found.std is None:
        return Finding(value=None, confidence="low", how="spectrum (unlike a photograph's)")
    confidence: Confidence = "high" if noise < 3 and found.spread < 0.2 else "medium" if found.spread < 0.4 else "low"
    value = found.std if found.std >= _LEAST_BLUR else None
    return Finding(value=value, confidence=confidence, how="spectrum", spread=found.spread)


def _bounded(found: Finding, levels: NDArray[np.float32], noise: float) -> Finding:
    """Return a blur that is no wider than the picture's steps."""
    if found.value is None:
        return found
    std = blur_by_steps(levels, found.value, noise)
    how = found.how if std == found.value else "the sharpest steps"
    return replace(found, value=std if std >= _LEAST_BLUR else None, how=how)


def _gaussian(levels: NDArray[np.float32], noise: Finding, kernel: BlurKind) -> Finding:
    """Return the Gaussian blur of a picture, unless another kernel explains it, or none does."""
    found = _blur(levels, noise.value or 0.0, drawn=False)
    if kernel.is_sure:
        return Finding(value=None, confidence="high", how=f"spectrum ({kernel.words()})")
    if found.value is not None and kernel.is_unlike_any:
        return Finding(value=None, confidence="low", how="spectrum (its blur is none that can be undone)")
    return found


def _enlarged(levels: NDArray[np.float32]) -> Finding:
    found = estimate_resampling(levels)
    return Finding(value=found.factor, confidence="high" if found.factor else "medium", how="mirrored spectrum")


def _resolution(blur: Finding, enlarged: Finding) -> Finding:
    """Return the share by the enlargement, or by where a Gaussian's transfer function is a tenth: 0.34 / std."""
    if enlarged.value is not None:
        return Finding(value=1 / enlarged.value, confidence=enlarged.confidence, how=enlarged.how)
    if blur.value is None:
        return Finding(value=1.0, confidence=blur.confidence, how=blur.how)
    return Finding(value=min(1.0, 2 * 0.34 / blur.value), confidence=blur.confidence, how=blur.how)
