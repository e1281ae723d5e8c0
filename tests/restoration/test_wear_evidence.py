"""Wear is told from things in the picture by how many marks there are, and where."""

import numpy as np
import pytest

from diffuse_cli.degradation.estimation.marks import FEATURES
from diffuse_cli.restoration.wear_evidence import Counts, counted, evidence_of_wear


def test_sure_marks_in_calm_surroundings_are_counted_apart() -> None:
    measures = np.zeros((6, len(FEATURES)), np.float32)
    measures[:3, FEATURES.index("height")] = 5  # above what is around them by as much as the texture there
    assert counted(measures, np.full(6, 5, np.float32), 9) == Counts(marks=6, calm=3, lines=9)
    assert counted(measures, np.full(6, 1, np.float32), 0) == Counts(marks=6, calm=0, lines=0)
    assert counted(measures[:0], np.zeros(0, np.float32), 0) == Counts(0, 0, 0)


def test_more_marks_tell_more_and_larger_pictures_need_more() -> None:
    few, many = Counts(2, 1, 0), Counts(40, 25, 0)
    assert evidence_of_wear(few, 384**2) < 0 < evidence_of_wear(many, 384**2)
    assert evidence_of_wear(many, 384**2) == evidence_of_wear(many, 1000)
    assert evidence_of_wear(many, 12_000_000) < evidence_of_wear(many, 384**2)


@pytest.mark.parametrize("pixels", [100, 384**2, 50_000_000])
def test_nothing_is_no_evidence(pixels: int) -> None:
    assert evidence_of_wear(Counts(0, 0, 0), pixels) < 0


def test_long_sure_lines_are_evidence() -> None:
    assert evidence_of_wear(Counts(20, 0, 0), 384**2) < 0 < evidence_of_wear(Counts(20, 0, 2000), 384**2)
