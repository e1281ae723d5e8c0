"""What a result may leave of its input: the limits of what `residuals` measures.

The limits were fixed on pictures that the table of their errors (docs/provenance.md) does not use.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from ..degradation.operators import Degradation
from ..images.image_io import Picture
from .declared import Declared
from .residuals import (
    Blocks,
    Floats,
    Residuals,
    alpha_difference,
    correlations,
    fine_detail,
    rms,
    split_luma,
    to_level_floats,
)

MOST_RESIDUAL: Final = 1.09
"""The removed noise against the simulated one, in the flattest blocks."""
MOST_IN_A_BLOCK: Final = 1.25
"""The same in the worst block."""
LEAST_RESIDUAL: Final = (0.84, 0.06)
"""The least of it where the picture is flat, and less for each octave of texture above `FLAT` times the noise.

What cannot be told from texture stays in the mean.
"""
FLAT: Final = 0.25
MOST_CORRELATED: Final = (0.2, 0.05)
"""How far the correlation between neighbours may lie from the simulated one's, and more for each octave."""
CODED_RESIDUAL: Final = (0.4, 1.5, 1.6, 0.35)
"""Least and most residual, most in a block, most correlated, where a coder, blur or enlargement is declared too.

The same holds for noise with a grain: its level is told with a margin.
"""
MOST_IN_A_GRAINY_BLOCK: Final = 2.5
"""Noise with a grain follows brightness, so some blocks have much more of it than others."""
MOST_ENLARGED: Final = 0.5
"""An enlarged picture shrunk again differs from its input by at most this share of its finest detail."""
MOST_DEBLURRED: Final = 0.35
"""Where a blur is declared, the same of the result's own finest detail, which its error grows with."""
BLURRED: Final = 2.0
"""Levels that are allowed then in any case, else 1."""
MOST_CODER: Final = 1.5
"""A picture that was a JPEG differs from the result coded again by at most this multiple of what the coder does."""
MOST_UNEXPLAINED: Final = 3.0
"""Of what these two allow, in the worst block; on the whole it is 1."""
MOST_RECODED: Final = {"JPEG": (0.2, 0.5)}
"""Untouched pixels in a lossy file: rms and largest difference from the input coded alike, of the coder's own."""
MOST_RECODED_ELSE: Final = (1.2, 1.2)
"""Of coders that predict one block from another, so that a change reaches far."""
LOSSY: Final = 0.04
"""Less is enough in a lossy file."""
LEAST_NOISE: Final = 2.0
"""Levels; less noise is lost in rounding, and is not measured."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One thing that was measured.

    Attributes:
        name: of what, in words.
        value: the measured number.
        unit: of the value.
        at_least: the lower limit; None = there is none.
        at_most: the upper limit; None = there is none.
    """

    name: str
    value: float
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        """Convert numbers of numpy to Python's, which JSON takes."""
        for name in ("value", "at_least", "at_most"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, float(value))

    @property
    def strain(self) -> float:
        """How near the value comes to its limits: up to 1 it is within them."""
        low = self.at_least / max(self.value, 1e-9) if self.at_least else 0.0
        if self.at_most is None:
            return low
        high = self.value / self.at_most if self.at_most else math.inf if self.value > 0 else 0.0
        return max(low, high)

    @property
    def is_fine(self) -> bool:
        """Whether the value lies within the limits."""
        return self.strain <= 1


def exact_figure(name: str, value: float, wanted: float, unit: str = "") -> Figure:
    """Return a figure that has to be just what is wanted."""
    return Figure(name=name, value=value, unit=unit, at_least=wanted, at_most=wanted)


# What was restored ---------------------------------------------------------------------------------------------------


def allowed_detail(before: Picture, found: Residuals, what: Degradation) -> Floats:
    """Return the detail, (H, W, C) in levels, of which the share `MOST_ENLARGED` may differ.

    It is the input's, and of a deblurred picture the result's own, too.
    """
    y = to_level_floats(before.pixels)
    detail = fine_detail(y)
    if what.blur == 0 or found.restored.shape != y.shape:
        return detail
    both: Floats = np.sqrt(detail**2 + (MOST_DEBLURRED / MOST_ENLARGED * fine_detail(found.restored)) ** 2)
    return both


def noise_figures(blocks: Blocks, what: Degradation, slack: float) -> list[Figure]:
    """Judge removed noise: its size where the picture is flat, its largest anywhere, its whiteness.

    Args:
        blocks: of the residuals.
        what: what is declared.
        slack: rms of what the result's own coder does, in levels; 0 = it is lossless.
    """
    flat, chance = blocks.flattest(), 4 / np.sqrt(2 * blocks.numbers_a_block)
    low, high, block, correlated = CODED_RESIDUAL
    shrunk = what.scale > 1 or what.blur > 0
    if what.quality >= 100 and not shrunk and what.grain == 0:
        octaves = _octaves_of_texture(rms(flat.texture), rms(flat.simulated))
        low = LEAST_RESIDUAL[0] - LEAST_RESIDUAL[1] * octaves - (LOSSY if slack else 0)
        high, block, correlated = MOST_RESIDUAL, MOST_IN_A_BLOCK, MOST_CORRELATED[0] + MOST_CORRELATED[1] * octaves
    if what.grain > 0:
        block = MOST_IN_A_GRAINY_BLOCK
    size = np.sqrt((flat.residual**2).mean() / ((flat.simulated**2).mean() + slack**2))
    budget = blocks.squares(blocks.simulated) + slack**2 + 0.25
    if shrunk:
        budget += MOST_ENLARGED**2 * blocks.squares(blocks.detail)
    worst = float(np.sqrt(blocks.squares(blocks.residual) / budget).max())
    figures = [
        Figure(name="noise removed, of that declared", value=float(size), at_least=low - chance / 8, at_most=high),
        Figure(name="the same in the worst block", value=worst, at_most=block + chance),
    ]
    if slack == 0:
        both = zip(correlations(flat.residual), correlations(flat.simulated), strict=True)
        gap = max(abs(a - b) for a, b in both)
        figures.append(Figure(name="its correlation between neighbours", value=gap, at_most=correlated))
    return figures


def _octaves_of_texture(texture: float, noise: float) -> float:
    """Return the octaves by which the flattest blocks' texture is above `FLAT` times the noise."""
    return max(math.log2(max(texture, 1e-6) / (FLAT * noise)), 0.0)


def detail_figures(blocks: Blocks, what: Degradation, lost: Floats | float) -> list[Figure]:
    """Judge what was restored without noise: against the finest detail of the input, and what coders do.

    Args:
        blocks: of the residuals.
        what: what is declared.
        lost: mean square of what the result's own coder does, in each block.
    """
    share = MOST_ENLARGED**2 * blocks.squares(blocks.detail)
    floor = BLURRED**2 if what.blur > 0 else 1.0
    coder = MOST_CODER**2 * blocks.squares(blocks.simulated) + lost + floor
    residual = blocks.squares(blocks.residual)
    whole = float(np.sqrt(residual.mean() / (share + coder).mean()))
    worst = float(np.sqrt(residual / (share + coder)).max())
    return [
        Figure(name="input not explained by the result, of what is allowed", value=whole, at_most=1.0),
        Figure(name="the same in the worst block", value=worst, at_most=MOST_UNEXPLAINED),
    ]


def unmoved_figures(after: Picture, before: Picture, declared: Declared) -> list[Figure]:
    """Judge luma or chroma that was to stay, up to the rounding of three channels."""
    if 0 not in (declared.strength, declared.chroma_strength) or after.source.lossy:
        return []
    luma, chroma = split_luma(to_level_floats(after.pixels) - to_level_floats(before.pixels))
    still = luma if declared.strength == 0 else chroma
    return [Figure(name="what was to stay moved by rms", value=rms(still), unit="levels", at_most=1.0)]


# Pixels that are said to be untouched, and alpha ---------------------------------------------------------------------


def untouched_figures(count: int, largest: float) -> list[Figure]:
    """Judge untouched pixels of a lossless file: how many changed, and by how many levels at most."""
    return [
        Figure(name="untouched pixels that changed", value=count, unit="pixels", at_most=0),
        Figure(name="by at most", value=largest, unit="levels", at_most=0),
    ]


def recoded_figures(difference: Floats, own: Floats, format: str) -> list[Figure]:
    """Judge untouched pixels of a lossy file, by what its coder does.

    Args:
        difference: of the result from the input coded alike, in levels.
        own: what the coder does to that.
        format: of the result's file.
    """
    share, largest = MOST_RECODED.get(format, MOST_RECODED_ELSE)
    allowed, most = share * rms(own) + 0.5, largest * float(own.max()) + 4
    return [
        Figure(
            name="untouched pixels differ from the input coded alike by", value=rms(difference), unit="levels",
            at_most=allowed,
        ),
        Figure(name="by at most", value=float(difference.max()), unit="levels", at_most=most),
    ]  # fmt: skip


def alpha_figures(after: Picture, before: Picture, declared: Declared) -> list[Figure]:
    """Judge transparency: it is kept, resized with the picture, or filled; never invented."""
    if before.alpha is None and after.alpha is None:
        return []
    if before.alpha is not None and after.alpha is None and before.alpha.min() < 2**before.depth - 1:
        return [Figure(name="transparency that is gone", value=1, at_most=0)]
    most = 16.0 if after.source.lossy else 1.0 if before.pixels.shape[:2] != declared.size else 0.5
    worst = alpha_difference(after, before, declared)
    return [Figure(name="transparency differs by at most", value=worst, unit="levels", at_most=most)]
