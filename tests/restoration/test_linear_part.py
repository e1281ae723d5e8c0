"""What is undone exactly, and what is not."""

import pytest

from diffuse_cli.degradation.operators import Degradation
from diffuse_cli.restoration.linear_part import linear_part, linear_part_given


def test_white_noise_beside_a_blur_is_told() -> None:
    assert linear_part(Degradation(blur=1.5), 1.5, 2.0) is not None
    found = linear_part(Degradation(blur=1.5, noise=0.1), 4.0, 2.0)
    assert found is not None
    assert found.noise == pytest.approx(0.1)
    assert found.blur == 4.0


@pytest.mark.parametrize(
    "what", [Degradation(blur=1.5, quality=90), Degradation(blur=1.5, noise=0.1, grain=0.8), Degradation(scale=2)]
)
def test_where_errors_are_not_white_nothing_is_undone_exactly(what: Degradation) -> None:
    assert linear_part(what, what.blur) is None


@pytest.mark.parametrize(
    ("given", "estimated", "blur", "level"),
    [(1.6, 1.6, 1.6, 0.5), (1.6, None, 1.6, 0.5), (1.6, 2.0, 1.6, 0.0), (1.92, 1.6, 1.6, 1.0), (1.6, 0.5, 1.28, 1.0)],
)
def test_a_given_blur_is_checked_against_the_picture(
    given: float, estimated: float | None, blur: float, level: float
) -> None:
    found = linear_part_given(Degradation(blur=given), given, estimated)
    assert found is not None
    assert found.blur == pytest.approx(blur)
    assert found.noise * 127.5 == pytest.approx(level)
