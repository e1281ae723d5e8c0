"""Projections onto what is consistent with the input."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diffuse_cli.degradation.operators import resize
from diffuse_cli.diffusion.data_consistency import projection, within_range

sizes = st.tuples(st.integers(1, 24), st.integers(1, 24), st.floats(1, 8), st.floats(1, 8))


def enlarged(h: int, w: int, down: float, across: float) -> tuple[int, int]:
    return max(round(h * down), h), max(round(w * across), w)


@given(sizes)
@settings(max_examples=60, deadline=None)
def test_a_projection_is_consistent_and_the_nearest(size: tuple[int, int, float, float]) -> None:
    """A P x = y, P P x = P x, and the step P x - x stands at right angles to all that A does not see."""
    h, w = size[:2]
    large = enlarged(*size)
    torch.manual_seed(h * 100 + w)
    y, x = torch.randn(1, 2, h, w), torch.randn(1, 2, *large)
    project = projection(y, large)
    p = project(x)
    torch.testing.assert_close(resize(project(p), (h, w)), y, atol=5e-5, rtol=0)
    torch.testing.assert_close(project(p), p, atol=2e-3, rtol=0)
    unseen = projection(torch.zeros_like(y), large)(torch.randn_like(x))
    cosine = float(((p - x) * unseen).sum() / ((p - x).norm() * unseen.norm()).clamp_min(1e-6))
    assert abs(cosine) < 1e-3


@given(st.integers(6, 20), st.integers(6, 20), st.floats(1.5, 5), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_within_the_range_it_stays_consistent(h: int, w: int, factor: float, seed: int) -> None:
    """Of a picture that was made by shrinking one in the range, with hard edges up to both ends of it."""
    rng = np.random.default_rng(seed)
    large = enlarged(h, w, factor, factor)
    blocks = rng.choice([-1.0, -0.9, 0.3, 1.0], (1, 1, -(-large[0] // 4), -(-large[1] // 4)))
    truth = torch.from_numpy(blocks.repeat(4, 2).repeat(4, 3)[..., : large[0], : large[1]]).float()
    y = ((resize(truth, (h, w)).clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1
    x = projection(y, large)(resize(y, large))
    found = within_range(x, y, 8)
    assert float(found.abs().max()) <= 1
    assert float((resize(found, (h, w)).clamp(-1, 1) - y).abs().max()) * 127.5 < 0.5
