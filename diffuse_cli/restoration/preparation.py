"""What is undone before the network: offsets of rows and columns, and impulses, which become a hole for it to fill."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ..degradation.estimation.impulses import Impulses, find_impulses
from ..degradation.estimation.patching import patched_points
from ..degradation.estimation.row_noise import RowNoise, find_row_noise, without
from ..degradation.estimation.screen import Screen, screens_of
from ..images.picture import Picture
from ..images.tensors import to_array, to_tensor
from ..images.units import LEVEL
from .finishing import blend
from .problem import Problem
from .visible import unseen, visible

LEAST_IN_JPEG: Final = 0.01
"""Fewer impulses than this share of a JPEG are told only."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """A picture that is ready for the network.

    Attributes:
        picture: the picture without the offsets of its rows and columns.
        hole: (H, W), True at impulses. None: there are none.
        seen: the same with its impulses patched, and what is not seen, for estimators.
        notes: for the user, one line each.
        facts: for the recipe.
        impulses: what was found of them.
        rows: the offsets that were found.
        screens: halftone screens of the file's picture; None: they were not looked for.
    """

    picture: Picture
    seen: Picture
    hole: NDArray[np.bool_] | None = None
    notes: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    impulses: Impulses
    rows: tuple[RowNoise, ...] = ()
    screens: tuple[Screen, ...] | None = None

    @property
    def replaced(self) -> Picture | None:
        """What is restored in place of the file's picture; None = that one."""
        return self.picture if self.rows else None


def prepare(picture: Picture, missing: NDArray[np.bool_] | None = None) -> Prepared:
    """Look for impulses and for offsets of rows and columns, and take them out.

    Dots of a halftone screen look like impulses. A picture with a screen stays as it is.

    Args:
        picture: the file's.
        missing: (H, W), True at pixels that are not looked at.
    """
    known, shown = _known(picture, missing), visible(picture)
    levels = shown.in_levels()
    impulses = _sure(find_impulses(levels, known), picture)
    hole = impulses.where if impulses.where.any() else None
    if hole is not None:
        known = ~hole if known is None else known & ~hole
    rows = find_row_noise(levels, known)
    screens = screens_of(shown) if impulses.share > 0 or rows else None
    if screens:
        return nothing_prepared(picture, screens)
    clean, seen = (_without(one, rows) for one in (picture, shown))
    seen = seen if hole is None else replace(seen, pixels=patched_points(seen.pixels, hole))
    return Prepared(
        picture=clean, seen=seen, hole=hole, notes=_notes(impulses, rows), facts=_facts(impulses, rows),
        impulses=impulses, rows=rows, screens=screens,
    )  # fmt: skip


def _without(picture: Picture, rows: tuple[RowNoise, ...]) -> Picture:
    if not rows:
        return picture
    levels = picture.in_levels()
    for one in rows:
        levels = without(levels, one)
    return replace(picture, pixels=levels / np.float32(LEVEL) - 1)


def _sure(found: Impulses, picture: Picture) -> Impulses:
    """Return the impulses to act on. A coder spreads impulses, and makes ripples beside the edges of drawings."""
    if picture.source.jpeg is None or found.share >= LEAST_IN_JPEG:
        return found
    return replace(found, where=np.zeros_like(found.where), evidence="low" if found.share > 0 else found.evidence)


def nothing_prepared(picture: Picture, screens: tuple[Screen, ...] | None = None) -> Prepared:
    """Return a picture as it is.

    Args:
        picture: the file's.
        screens: its halftone screens; None: they were not looked for.
    """
    none = Impulses(where=np.zeros(picture.pixels.shape[:2], bool), share=0.0, evidence="high")
    return Prepared(picture=picture, seen=visible(picture), impulses=none, screens=screens)


def joined(problem: Problem, prepared: Prepared, picture: Picture) -> Problem:
    """Return a problem of which a part was undone before the network.

    Args:
        problem: what is known beside that; its hole and its strengths count for both.
        prepared: what was undone.
        picture: the file's.
    """
    finish, hole = problem.finish, problem.hole
    if prepared.hole is not None:
        hole = prepared.hole if hole is None else hole | prepared.hole
        if finish.cover is not None:
            finish = replace(finish, cover=np.where(prepared.hole, np.float32(1), finish.cover))
    findings = replace(
        problem.findings,
        notes=(*prepared.notes, *problem.findings.notes),
        facts={**problem.findings.facts, **prepared.facts},
    )
    at_once = problem.at_once if problem.has_hole else None
    whole = replace(problem, picture=prepared.replaced, hole=hole, at_once=at_once, finish=finish, findings=findings)
    strengths = finish.strength, finish.chroma_strength
    if whole.picture is None or strengths == (1, 1):
        return whole
    if whole.leaves_alone:
        return replace(whole, picture=moved(picture, whole.picture, *strengths))
    return replace(whole, finish=replace(finish, beneath=picture))


def moved(picture: Picture, prepared: Picture, strength: float, chroma_strength: float) -> Picture:
    """Return what lies between the file's picture and the prepared one.

    Args:
        picture: the file's.
        prepared: of the same size.
        strength: as `finishing.blend` has it.
        chroma_strength: as `finishing.blend` has it.
    """
    between = blend(to_tensor(picture.pixels), to_tensor(prepared.pixels), strength, chroma_strength)
    return replace(prepared, pixels=to_array(between, picture.pixels.shape[2]))


def _known(picture: Picture, missing: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    """Return the pixels that are seen; None = all."""
    where = unseen(picture)
    known = None if where is None else ~where
    if missing is not None:
        known = ~missing if known is None else known & ~missing
    return known


def _notes(impulses: Impulses, rows: tuple[RowNoise, ...]) -> tuple[str, ...]:
    of_rows = tuple(f"{one.name}: {one.level:.1f} levels{_period(one)}, subtracted" for one in rows)
    if not impulses.where.any():
        return of_rows
    return (f"impulses: {percent(impulses.share)} of the pixels, filled", *of_rows)


def percent(share: float) -> str:
    """Return a share in percent, in words."""
    return f"{100 * share:.2g} %"


def _period(one: RowNoise) -> str:
    return "" if one.period is None else f", every {one.period:.1f} pixels"


def _facts(impulses: Impulses, rows: tuple[RowNoise, ...]) -> dict[str, Any]:
    found: dict[str, Any] = {"impulses": impulses.share} if impulses.where.any() else {}
    for one in rows:
        key = one.name.replace(" ", "_")
        found[key] = max(one.level, found.get(key, 0.0))
        if one.period is not None:
            found["hum_period"] = one.period
    return found
