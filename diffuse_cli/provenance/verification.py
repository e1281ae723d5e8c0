"""Check that what a result changed is explained by what is said to have been done.

`residuals` measures, `limits` judges. Pixels that are said to be untouched are compared one by one. Everything else is
compared with a simulated input. A lossy file is allowed what its coder does to such a picture, which is measured by
coding it once more. No network is needed.
"""

from dataclasses import replace

import numpy as np

from ..degradation.estimation.patching import patched
from ..degradation.estimation.screen import Screen
from ..images.image_io import PLAIN, Encoding, Picture
from ..images.units import LEVEL
from ..restoration.descreening import descreened
from ..restoration.preparation import moved
from . import limits
from .declared import Declared
from .limits import Figure
from .residuals import Blocks, changed_pixels, coding_error, recoded_differences, residuals_of, squares_lost

__all__ = ["Figure", "verify"]


def verify(after: Picture, before: Picture, declared: Declared, encoding: Encoding = PLAIN) -> list[Figure]:
    """Compare a result with its input.

    Args:
        after: the result, as displayed.
        before: its input, as displayed.
        declared: what is said to have been done.
        encoding: how the result was written, where its file does not tell (the quality of a WebP or AVIF).

    Returns:
        What was measured. The result is explained if every figure is fine.
    """
    size, wanted = after.pixels.shape[:2], declared.size
    if size != wanted:
        axis = 1 if size[1] != wanted[1] else 0
        return [limits.exact_figure(("height", "width")[axis], size[axis], wanted[axis], "pixels")]
    if before.pixels.shape[2] != after.pixels.shape[2]:
        return [limits.exact_figure("channels", after.pixels.shape[2], before.pixels.shape[2])]
    if declared.cells:
        before = _without_dots(before, declared)
    if declared.margins is not None:
        before = _on_canvas(before, after, declared.margins)
    figures = _untouched if declared.keeps_known_pixels else _explained
    return figures(after, before, declared, encoding) + limits.alpha_figures(after, before, declared)


def _without_dots(before: Picture, declared: Declared) -> Picture:
    """Return the input without the halftone screens that are declared. What is left of them counts as noise."""
    seen = before
    if declared.hole is not None:
        seen = replace(before, pixels=patched(before.pixels, declared.hole))
    screens = [Screen(period=p, angle=a, amplitude=strength, confidence="high") for p, a, strength in declared.cells]
    return descreened(seen, screens).picture


def _on_canvas(before: Picture, after: Picture, margins: tuple[int, int, int, int]) -> Picture:
    """Return the input where it lies on the result's canvas, with the result around it."""
    left, top, _, _ = margins
    place = np.s_[top : top + before.pixels.shape[0], left : left + before.pixels.shape[1]]
    pixels, alpha = after.pixels.copy(), None
    pixels[place] = before.pixels
    if before.alpha is not None:
        alpha = np.full(pixels.shape[:2], 2**before.depth - 1, before.alpha.dtype)
        alpha[place] = before.alpha
    return replace(before, pixels=pixels, alpha=alpha)


def _untouched(after: Picture, before: Picture, declared: Declared, encoding: Encoding) -> list[Figure]:
    if declared.prepared is not None:
        before = moved(before, declared.prepared, declared.strength, declared.chroma_strength)
    known = np.ones(declared.size, bool) if declared.hole is None else ~declared.hole
    if declared.impulses is not None:
        known &= ~declared.impulses
    if before.alpha is not None and declared.hole is None:
        known &= before.alpha > 0
    if not known.any():
        return []
    if after.source.lossy:
        return limits.recoded_figures(*recoded_differences(after, before, known, encoding), after.source.format)
    return limits.untouched_figures(*changed_pixels(after, before, known))


def _explained(after: Picture, before: Picture, declared: Declared, encoding: Encoding) -> list[Figure]:
    what, found, clean = declared.what, residuals_of(after, before, declared), declared.prepared or before
    blocks = Blocks.of(found, limits.allowed_detail(clean, found, what))
    if blocks is None:
        return []
    unmoved = limits.unmoved_figures(after, before, declared)
    if what.noise * LEVEL >= limits.LEAST_NOISE and not declared.cells:
        slack = coding_error(after, encoding) if after.source.lossy else 0.0
        slack /= max(min(declared.strength or 1, declared.chroma_strength or 1), 0.05)
        return limits.noise_figures(blocks, what, slack) + unmoved
    lost = squares_lost(after, clean, encoding, blocks.side)[blocks.whole] if after.source.lossy else 0.0
    return limits.detail_figures(blocks, what, lost) + unmoved
