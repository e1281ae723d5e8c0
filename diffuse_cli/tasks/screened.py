"""Halftone screens in `Restore`: which are undone, and what is said of them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..degradation.estimation.screen import Screen

_BILEVEL = 2
"""Levels of a dithered picture in black and white, whose dots are the picture."""

if TYPE_CHECKING:
    from ..images.picture import Picture
    from ..restoration.problem import Problem


def screened(
    picture: "Picture", screens: Sequence[Screen], holes: "Problem", *, asked: str | None, noise: float, scale: float
) -> "Problem | None":
    """Return the problem of a picture that is made of dots. None: it has no screen that is to be undone.

    Args:
        picture: the file's.
        screens: that were found in it.
        holes: what is missing.
        asked: which screens are undone, as `Restore.screen`.
        noise: in 8-bit levels, as it was given; 0 = it was not.
        scale: factor by which the picture is enlarged, too.
    """
    import numpy as np

    from ..degradation.estimation.patching import patched
    from ..degradation.operators import Degradation, scaled_size
    from ..images.units import LEVEL
    from ..restoration.descreening import descreened
    from ..restoration.problem import GuidePicture

    undone = _undone(asked, screens)
    if not undone or (asked == "if-sure" and len(np.unique(picture.pixels)) == _BILEVEL):
        return None
    seen = picture if holes.hole is None else replace(picture, pixels=patched(picture.pixels, holes.hole))
    found = descreened(seen, undone)
    noise = max(found.remains, noise)
    h, w = picture.pixels.shape[:2]
    size = scaled_size((h, w), scale)
    told = Degradation(scale=scale, noise=noise / LEVEL)
    facts = {"screen": {"cells": [[s.period, s.angle, s.amplitude] for s in undone], "noise": noise}}
    return replace(
        holes,
        picture=found.picture,
        observation=GuidePicture(degradation=told, size=size if scale > 1 else None),
        finish=replace(holes.finish, uncoded=True),
        findings=replace(
            holes.findings,
            notes=(f"{in_words(undone)} (estimated)", *holes.findings.notes),
            facts={**holes.findings.facts, **facts},
        ),
    )


def _undone(asked: str | None, screens: Sequence[Screen]) -> tuple[Screen, ...]:
    """Return the screens that are undone: all, if the strongest is sure or likely ones are asked for."""
    if asked is None or not screens or (asked == "if-sure" and screens[0].confidence != "high"):
        return ()
    return tuple(screens)


def unsure(asked: str | None, screens: Sequence[Screen]) -> tuple[str, ...]:
    """Return a note on screens that are likely, but not undone."""
    if asked != "if-sure" or not screens:
        return ()
    return (f"perhaps a {in_words(screens)}; --only screen undoes it",)


def in_words(screens: Sequence[Screen]) -> str:
    """Return what is said of screens."""
    cells = ", ".join(f"period {screen.period:.1f} pixels, {abs(screen.angle):.0f} degrees" for screen in screens[:1])
    more = "".join(f"; {screen.period:.1f}, {abs(screen.angle):.0f}" for screen in screens[1:])
    return f"screen: {cells}{more}"
