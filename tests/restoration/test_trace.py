"""What a sample looked like on its way."""

import math

import torch

from diffuse_cli.restoration.trace import Trace


def test_a_trace_begins_anew_with_smaller_tiles() -> None:
    trace = Trace()
    trace.begin(torch.zeros(1, 3, 8, 8))
    for sigma in (2.0, 1.0, 2.0, 1.0, 0.5):
        trace(sigma, torch.zeros(1, 3, 8, 8))
    assert [sigma for sigma, _ in trace.steps] == [math.inf, 2, 1, 0.5]
