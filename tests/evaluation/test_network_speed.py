"""Counts of multiplications that can be checked by hand, and times."""

import pytest
import torch
from torch import nn

from diffuse_cli.diffusion.model import Model
from diffuse_cli.evaluation.network_speed import REFERENCES, Timed, macs_per_pixel, profile, seconds_of


def test_multiply_accumulates_are_counted() -> None:
    x = torch.zeros(1, 3, 32, 32)
    assert macs_per_pixel(nn.Conv2d(3, 8, 3, padding=1), x) == 3 * 8 * 9
    assert macs_per_pixel(nn.Conv2d(3, 8, 3, padding=1, stride=2), x) == 3 * 8 * 9 / 4
    half = (15 * 96 + 10 * 96 * 96 + 96 * 12) * 9 / 4
    assert macs_per_pixel(REFERENCES["FFDNet-shaped"](), x) == half
    span = (3 * 48 + 19 * 48 * 48 + 48 * 12) * 9 + 4 * 48 * 48
    assert macs_per_pixel(REFERENCES["SPAN-shaped, x2"](), x) == span / 4
    assert macs_per_pixel(REFERENCES["DnCNN-shaped"](), x) == (3 * 64 + 15 * 64 * 64 + 64 * 3) * 9


def test_the_core_has_as_many_as_the_model_card_says(model: Model) -> None:
    core = macs_per_pixel(
        lambda x: model.network(x, torch.zeros(1), torch.zeros(1, model.network.config.cond)), torch.zeros(1, 8, 64, 64)
    )
    assert core == pytest.approx(0.18e6, rel=0.02)


def test_the_shortest_call_counts() -> None:
    waits = iter([0.05, 0.03, 0.001, 0.02, *[0.01] * 100])
    import time

    assert 0.001 <= seconds_of(lambda: time.sleep(next(waits)), least=0.1) < 0.01


def test_shares_of_the_time_sum_to_one(toy: Model) -> None:
    noise, cond = torch.zeros(1), torch.zeros(1, 4)
    timed = Timed(name="core", channels=8, call=lambda x: toy.network(x, noise, cond), tiles=(64,))
    shares = profile(timed)
    assert sum(shares.values()) == pytest.approx(1, abs=1e-3)
    assert shares["convolution"] > 0
