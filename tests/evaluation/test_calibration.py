"""Exact samples of a Gaussian posterior are as far from the mean, and as unsure, as the truth."""

import numpy as np
import pytest

from diffuse_cli.evaluation.calibration import calibration
from diffuse_cli.images.units import LEVEL

SIZE = (120, 130, 3)


def drawn(std: np.ndarray, scale: float = 1.0) -> dict[str, float]:
    """For a posterior of this std about middle gray, and samples of `scale` times as much."""
    rng, mean = np.random.default_rng(0), np.zeros(SIZE, np.float32)
    samples = [(scale * std * rng.standard_normal(SIZE)).astype(np.float32) for _ in range(8)]
    truth = (std * rng.standard_normal(SIZE) + 1) * LEVEL
    return calibration(mean, samples, truth.round().clip(0, 255).astype(np.uint8))


def test_exact_samples_are_calibrated() -> None:
    found = drawn(np.full(SIZE, 0.1))
    assert found["dispersion"] == pytest.approx(1, abs=0.03)
    assert found["within_1"] == pytest.approx(0.649, abs=0.01)
    assert found["within_2"] == pytest.approx(0.914, abs=0.01)
    assert found["std_scale"] == pytest.approx(1, abs=0.02)
    assert abs(found["std_correlation"]) < 0.03, "an even std tells nothing of where the errors are"


def test_timid_and_bold_samples_are_told() -> None:
    std = np.full(SIZE, 0.1)
    timid, bold = drawn(std, 0.5), drawn(std, 2.0)
    assert (timid["dispersion"], bold["dispersion"]) == pytest.approx((0.25, 4), rel=0.05)
    assert (timid["std_scale"], bold["std_scale"]) == pytest.approx((2, 0.5), rel=0.05)
    assert timid["within_1"] < 0.45
    assert bold["within_1"] > 0.9


def test_a_std_that_varies_with_the_errors_correlates() -> None:
    assert drawn(np.linspace(0.01, 0.2, SIZE[1])[:, None] * np.ones(SIZE))["std_correlation"] > 0.4


def test_equal_or_single_samples_say_nothing() -> None:
    flat = np.zeros(SIZE, np.float32)
    clean = np.full(SIZE, 128, np.uint8)
    assert calibration(flat, [flat], clean) == {}
    assert calibration(flat, [flat, flat], clean) == {}
