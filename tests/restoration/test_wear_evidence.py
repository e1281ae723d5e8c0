"""Wear is told from things in the picture by how many marks there are, and where."""

import numpy as np
import pytest

from diffuse_cli.restoration.wear_evidence import Counts, counted, evidence_of_wear

SIZE = (120, 160)


def marked(rows: range) -> np.ndarray:
    marks = np.zeros(SIZE, bool)
    for row in rows:
        marks[row, 20:24] = True
    return marks


def test_marks_in_calm_surroundings_are_counted_apart() -> None:
    rng = np.random.default_rng(0)
    luma = np.full(SIZE, 100, np.float32)
    luma[:60] += rng.normal(0, 40, (60, 160)).astype(np.float32)
    marks = marked(range(10, 120, 20))
    luma[marks] = 255  # the marks themselves are no unrest
    logits = np.where(marks, 5, -9).astype(np.float32)
    assert counted(luma, marks, logits) == Counts(marks=6, calm=3)
    assert counted(luma, marks, logits - 4) == Counts(marks=6, calm=0)
    assert counted(luma, np.zeros(SIZE, bool), logits) == Counts(0, 0)


def test_more_marks_tell_more_and_larger_pictures_need_more() -> None:
    few, many = Counts(2, 1), Counts(40, 25)
    assert evidence_of_wear(few, 384**2) < 0 < evidence_of_wear(many, 384**2)
    assert evidence_of_wear(many, 384**2) == evidence_of_wear(many, 1000)
    assert evidence_of_wear(many, 12_000_000) < evidence_of_wear(many, 384**2)


@pytest.mark.parametrize("pixels", [100, 384**2, 50_000_000])
def test_nothing_is_no_evidence(pixels: int) -> None:
    assert evidence_of_wear(Counts(0, 0), pixels) < 0
