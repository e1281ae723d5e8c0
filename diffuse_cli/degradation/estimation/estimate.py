"""What happened to a picture, and how far each part of the answer can be trusted."""

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...images.image_io import Picture
from ...images.units import LEVEL
from .compression import Compression, estimate_compression
from .drawings import is_drawn
from .jpeg_tables import quality_of
from .noise_model import NoiseModel, estimate_noise_model, whiteness
from .picture_noise import measured_noise, noise_before_jpeg
from .resampling import estimate_resampling
from .spectrum import estimate_blur

Confidence = Literal["high", "medium", "low"]
# Noise of which 2x2 means keep this much more than of white noise is smoothed; texture alone reaches 1.35.
_SMOOTHED = 1.4
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
        blur: std of a Gaussian, in pixels.
        enlarged: factor of an enlargement.
        resolution: share of width and height that the detail would fit into.
    """

    noise: Finding
    noise_model: NoiseModel
    smoothed_noise: Finding
    jpeg: Finding
    jpeg_origin: tuple[int, int] | None
    blur: Finding
    enlarged: Finding
    resolution: Finding

    def to_json(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)


def estimate_degradation(picture: Picture) -> Estimate:
    """Look for noise, compression, blur and enlargement, each by a published method.

    Args:
        picture: as it was read; a JPEG's tables count, too.
    """
    levels = (picture.pixels + 1) * np.float32(LEVEL)
    compression = estimate_compression(levels)
    noise = _noise(picture, levels, compression)
    jpeg = _jpeg(picture, compression)
    blur = _blur(levels, noise.value or 0.0)
    enlarged = _enlarged(levels)
    return Estimate(
        noise=noise,
        noise_model=_noise_model(levels, noise),
        smoothed_noise=_smoothed(levels, noise.value or 0.0),
        jpeg=jpeg,
        jpeg_origin=compression.origin,
        blur=blur,
        enlarged=enlarged,
        resolution=_resolution(blur, enlarged),
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


def _jpeg(picture: Picture, found: Compression) -> Finding:
    """Return the quality of a JPEG file's tables, or of its pixels, if they were compressed more strongly before."""
    confidence: Confidence = "high" if found.evidence > 0.1 else "medium"
    coding = picture.source.jpeg
    if coding is None:
        # Noise, resizing or sharpening after the coder wipe its traces, so none is no proof.
        quality = None if found.quality is None else float(found.quality)
        return Finding(value=quality, confidence="medium" if quality is None else confidence, how="pixels")
    stated = quality_of(dict(enumerate(coding.tables)))
    if found.quality is not None and found.quality < stated - 5:
        return Finding(value=float(found.quality), confidence=confidence, how="pixels, saved again since")
    return Finding(value=stated, confidence="high", how="the file's tables")


def _blur(levels: NDArray[np.float32], noise: float) -> Finding:
    if is_drawn(levels):
        return Finding(value=None, confidence="low", how="a drawing, whose edges are as they were drawn")
    found = estimate_blur(levels, noise)
    if found.std is None:
        return Finding(value=None, confidence="low", how="spectrum (unlike a photograph's)")
    confidence: Confidence = "high" if noise < 3 and found.spread < 0.2 else "medium" if found.spread < 0.4 else "low"
    value = found.std if found.std >= _LEAST_BLUR else None
    return Finding(value=value, confidence=confidence, how="spectrum", spread=found.spread)


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
