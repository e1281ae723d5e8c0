"""What is known about one picture, resolved: everything that an observation is made from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..degradation.operators import Degradation
from ..images.picture import Picture
from .wide_holes.widths import REACH


@dataclass(frozen=True, kw_only=True, slots=True)
class Repainting:
    """How a picture is drawn again from itself, covered with noise, by a network that has learned a style.

    Attributes:
        sigma: std of the noise at every scale, [-1, 1] units.
        scale: by how much its guide is shrunk, at every scale.
        levels: how often it is halved first.
        keep_luma: the picture's luma stays.
        where: (H, W), True where it is; None = everywhere.
    """

    sigma: float
    scale: float
    levels: int
    keep_luma: bool = False
    where: NDArray[np.bool_] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """What is known about one picture.

    Attributes:
        picture: what is restored in its place, made from it before: in another tone, larger, with another in it; None =
            the picture itself. All below is about this one.
        noise: std of white noise in it, [-1, 1] units; not where there is a guide, whose description holds it.
        sigma_y: (H, W), the std of its noise at each pixel, where that is not the same everywhere; 0 = exact, inf =
            missing. `noise` is then the root of the others' mean square.
        guide: what happened to it, where it is a guide to the result and no noisy version of it.
        size: (height, width) of the result, None = the picture's own.
        hole: (H, W), True where the picture is missing; elsewhere it is exact, noisy or a guide, as the others say.
        at_once: the widest hole that is filled at once, in pixels; wider ones are filled coarse to fine.
        cover: (H, W), the share of what is filled in that counts, 0 outside the hole; None = all of it.
        opaque: what is filled becomes opaque.
        consistent: shrunk again, the result is to be the picture; only with a size.
        strength, chroma_strength: how far luma and chroma move towards the estimate, 0..1.
        uncoded: a JPEG coder's traces are removed, so that the result's file is not to be coded by its tables again.
        notes: what was found out, one line each.
        facts: the same for the recipe.
        repainting: how it is drawn again; it is then not restored, and nothing else above is said of it.
        grain: (H, W, C), noise that is added to the result, [-1, 1] units.
        corner: (row, column) of the file's own picture in `picture`, where that is larger; None = it is not.
        warnings: what is probably not meant, one line each.
    """

    picture: Picture | None = None
    noise: float = 0.0
    sigma_y: NDArray[np.float32] | None = None
    guide: Degradation | None = None
    size: tuple[int, int] | None = None
    hole: NDArray[np.bool_] | None = None
    at_once: int = REACH
    cover: NDArray[np.float32] | None = None
    opaque: bool = False
    consistent: bool = False
    strength: float = 1.0
    chroma_strength: float = 1.0
    uncoded: bool = False
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    repainting: Repainting | None = None
    grain: NDArray[np.float32] | None = None
    corner: tuple[int, int] | None = None
    warnings: tuple[str, ...] = ()

    @property
    def is_exact(self) -> bool:
        """What is not missing is the result."""
        return self.guide is None and self.sigma_y is None and self.noise == 0

    @property
    def leaves_alone(self) -> bool:
        """Nothing is missing, degraded or asked for: the picture is the result."""
        if self.strength == self.chroma_strength == 0:
            return True
        whole = self.hole is None or not self.hole.any()
        return whole and self.guide is None and self.noise == 0 and self.repainting is None
