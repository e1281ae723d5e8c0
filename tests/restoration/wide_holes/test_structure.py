"""The beginning of a wide hole: from pieces of the picture, each hole by itself."""

import numpy as np
import torch

from diffuse_cli.restoration.wide_holes.structure import structured

from .conftest import box


def test_every_hole_is_shown_by_what_is_known_near_it() -> None:
    x = torch.from_numpy(np.random.default_rng(0).normal(0, 0.3, (70, 260, 3)).astype(np.float32))
    known = ~torch.from_numpy(
        box((70, 260), slice(25, 45), slice(30, 50)) | box((70, 260), slice(30, 50), slice(200, 220))
    )
    sources = structured(x, known, None)
    assert sources is not None
    assert bool(known[sources].all())
    columns = torch.arange(260)[None].expand(70, 260)
    assert int((sources[1] - columns).abs().max()) <= 48 + 20


def test_too_little_is_known() -> None:
    known = torch.zeros(20, 20, dtype=torch.bool)
    known[:3] = True
    assert structured(torch.zeros(20, 20, 3), known, None) is None
