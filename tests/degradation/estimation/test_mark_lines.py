"""Logits along straight segments."""

import numpy as np
import pytest

from diffuse_cli.degradation.estimation.mark_lines import along


@pytest.mark.parametrize("turned", [False, True])
def test_a_broken_line_is_told_along_its_direction(turned: bool) -> None:
    logits = np.full((60, 70), -2.0, np.float32)
    logits[30, 10:60:2] = 3.0
    logits[10, 10] = 3.0  # a speck
    found = along(logits.T.copy() if turned else logits, -3.0)
    found = found.T if turned else found
    assert found[30, 20:50] == pytest.approx(0.4, abs=0.25)
    assert found[10, 10] == pytest.approx(-1.8, abs=0.05)


def test_pixels_below_the_least_have_the_lowest_value() -> None:
    logits = np.full((30, 30), -4.0, np.float32)
    logits[15, 15] = 0.0
    found = along(logits, -3.0)
    assert (found == -6).sum() == 899
    assert found[15, 15] == pytest.approx(-96 / 25)
