"""Light and its encoding."""

import pytest
import torch

from diffuse_cli.images.srgb import encoded, linear


def test_light_and_its_encoding_are_inverse() -> None:
    v = torch.linspace(-0.5, 1.5, 1001)
    assert torch.allclose(encoded(linear(v)), v, atol=2e-6)
    assert linear(torch.tensor(0.5)) == pytest.approx(0.21404114, abs=1e-6)  # IEC 61966-2-1
