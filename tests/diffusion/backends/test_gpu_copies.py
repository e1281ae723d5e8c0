"""Copies that run beside the computing are copies."""

import pytest
import torch

from diffuse_cli.diffusion.backends.gpu_copies import fetch, send


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_what_is_sent_and_fetched_is_the_same() -> None:
    x = torch.rand(2, 3, 500, 700)
    there = send([x, x[..., ::2]], torch.device("cuda"))
    waits = [fetch(t + 1) for t in there]
    assert torch.equal(waits[0](), x + 1)
    assert torch.equal(waits[1](), x[..., ::2] + 1)
