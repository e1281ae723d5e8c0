"""An inverse problem: what is known about one picture, what its result is to be, and what was found out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..degradation.operators import Degradation
from ..images.picture import Picture
from .linear_part import LinearPart
from .span import Span
from .strips import Strip
from .wide_holes.widths import REACH


@dataclass(frozen=True, kw_only=True, slots=True)
class NoisyPicture:
    """The result plus white noise. Without noise the picture is exact.

    Attributes:
        noise: std of the noise, [-1, 1] units. If it varies: the root of its mean square.
        sigma_y: (H, W), std of the noise at each pixel, 0 = exact, inf = missing. None: it is the same everywhere.
        by_levels: the mean lies between those for several levels of noise, pixel by pixel; no pixel is missing.
    """

    noise: float = 0.0
    sigma_y: NDArray[np.float32] | None = None
    by_levels: bool = False

    @property
    def is_exact(self) -> bool:
        """Whether there is no noise, and no pixel is missing."""
        return self.noise == 0 and (self.sigma_y is None or not self.sigma_y.any())


@dataclass(frozen=True, kw_only=True, slots=True)
class GuidePicture:
    """A degraded version of the result, which guides it: smaller, blurred, or stored as JPEG.

    Attributes:
        degradation: what happened to the result.
        sigma_y: (H, W), std of the noise at each pixel, [-1, 1] units. None: it is the same everywhere, as in the
            degradation.
        size: (height, width) of the result. None: the picture's own.
        consistent: every estimate, shrunk again, is the picture. Only with a size.
        linear: what is undone exactly beside the network. None: nothing.
        origin: (row, column) where the blocks of its JPEG begin. None: as its file has them.
    """

    degradation: Degradation
    sigma_y: NDArray[np.float32] | None = None
    size: tuple[int, int] | None = None
    consistent: bool = False
    linear: LinearPart | None = None
    origin: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AsTrained:
    """A picture to which happened whatever an imported restorer was trained to undo."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Repainting:
    """A picture that is drawn again from itself, covered with noise, by a network that has learned a style.

    Attributes:
        sigma: std of the noise at every scale, [-1, 1] units.
        scale: factor by which the guide is shrunk at every scale.
        levels: how often the picture is halved first.
        keep_luma: keep the picture's luma.
        where: (H, W), True where it is drawn again. None: everywhere.
    """

    sigma: float
    scale: float
    levels: int
    keep_luma: bool = False
    where: NDArray[np.bool_] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class JpegBlocks:
    """The JPEG that a picture is or was. Its coefficients are known to half a step.

    Attributes:
        quality: of the Independent JPEG Group's encoder.
        origin: (row, column) where its blocks begin. None: as the file has them, else they are looked for.
    """

    quality: float
    origin: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Finish:
    """What is made of the estimate.

    Attributes:
        strength: how far luma moves from the picture towards the estimate, 0 .. 1. Not if the size changes.
        chroma_strength: the same for chroma.
        cover: (H, W), the share of the filling that counts, 0 outside the hole. None: all of it.
        opaque: what is filled becomes opaque.
        grain: (H, W, C), noise that is added to the result, [-1, 1] units.
        fill_noise: the noise of the picture, which stays; what is filled gets the like. None: there is none.
        uncoded: the traces of a JPEG coder are removed, so the result is not stored with its tables again.
        blocks: the JPEG whose coefficients the result is to have. None: there is none, or more happened to the picture.
        corner: (row, column) of the file's own picture in the result. None: it is no larger.
        tone: how the tone of the result is changed in the end: (1, 3, H, W) in [-1, 1] to the same. None: it is not.
        beneath: the picture that both strengths start from, of the same size. None: the one that is restored.
    """

    strength: float = 1.0
    chroma_strength: float = 1.0
    cover: NDArray[np.float32] | None = None
    opaque: bool = False
    grain: NDArray[np.float32] | None = None
    fill_noise: NoisyPicture | GuidePicture | None = None
    uncoded: bool = False
    blocks: JpegBlocks | None = None
    corner: tuple[int, int] | None = None
    beneath: Picture | None = None
    tone: Callable[[Tensor], Tensor] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """What was found out about a picture.

    Attributes:
        notes: for the user, one line each.
        warnings: of what is probably not meant, one line each.
        facts: for the recipe.
    """

    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """What is known about one picture.

    Attributes:
        picture: a picture made from the file's, which is restored in its place: in another tone, larger, with another
            in it. None: the file's own.
        observation: how the picture relates to the result.
        span: the part of the picture's range that the core sees as black to white. None: all of it.
        hole: (H, W), True where the picture is missing.
        at_once: the widest hole that is filled at once, in pixels; wider ones are filled coarse to fine. None: any.
        strips: parts of the hole that are filled one after the other, each in its window. (): all of it at once.
        sources: (H, W), where wide holes take pieces of the picture from. None: anywhere.
        finish: what is made of the estimate.
        findings: what was found out.
        weights: (H, W) each, the weights of the copies that the picture was fused from. (): it is no such picture.
    """

    picture: Picture | None = None
    observation: NoisyPicture | GuidePicture | AsTrained | Repainting = NoisyPicture()
    span: Span | None = None
    hole: NDArray[np.bool_] | None = None
    at_once: int | None = REACH
    strips: tuple[Strip, ...] = ()
    sources: NDArray[np.bool_] | None = None
    finish: Finish = Finish()
    findings: Findings = Findings()
    weights: tuple[NDArray[np.float32], ...] = ()

    @property
    def guide(self) -> GuidePicture | None:
        """The observation, if it is a guide."""
        return self.observation if isinstance(self.observation, GuidePicture) else None

    @property
    def degradation(self) -> Degradation:
        """What happened to the picture, holes apart."""
        if isinstance(self.observation, GuidePicture):
            return self.observation.degradation
        return Degradation(noise=self.observation.noise if isinstance(self.observation, NoisyPicture) else 0.0)

    @property
    def size(self) -> tuple[int, int] | None:
        """(height, width) of the result; None: the picture's own."""
        return self.observation.size if isinstance(self.observation, GuidePicture) else None

    @property
    def has_hole(self) -> bool:
        """Whether any pixel is missing."""
        return self.hole is not None and bool(self.hole.any())

    @property
    def is_exact(self) -> bool:
        """Whether every pixel that is not missing is the result's."""
        return isinstance(self.observation, NoisyPicture) and self.observation.is_exact

    @property
    def leaves_alone(self) -> bool:
        """Whether the picture is the result: nothing is missing or degraded, or the strength is 0."""
        if self.finish.strength == self.finish.chroma_strength == 0:
            return True
        return self.is_exact and not self.has_hole

    @property
    def keeps_pixels(self) -> bool:
        """Whether the result agrees exactly with a part of the picture, so that a lossy file would spoil it."""
        if isinstance(self.observation, Repainting):
            return self.observation.where is not None
        return self.hole is not None or (self.guide is not None and self.guide.consistent)
