"""Drawings for training have no noise and are of several kinds."""

import numpy as np
import torch

from diffuse_cli.training.drawings import drawing


def test_drawings_are_seeded_and_differ() -> None:
    photograph = torch.linspace(-1, 1, 64)[None, None, None].expand(1, 3, 64, 64)
    drawn = [drawing(photograph, np.random.default_rng(k)) for k in range(30)]
    assert torch.equal(drawn[3], drawing(photograph, np.random.default_rng(3)))
    assert all(x.shape == (1, 3, 64, 64) and float(x.abs().max()) <= 1 for x in drawn)
    black_and_white = [x for x in drawn if bool((x.abs() == 1).all())]
    assert 1 <= len(black_and_white) <= 15, "dithered ones"
    assert len({float(x.mean()) for x in drawn}) >= 20, "a dithered ramp may come twice"
