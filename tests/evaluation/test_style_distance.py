"""Distances of styles."""

from collections.abc import Mapping
from typing import Any

import torch

from diffuse_cli.evaluation.style_distance import copied_patches, gram_distance, sliced_wasserstein


def _alexnet(seed: int = 0) -> Mapping[str, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    widths, sides = (3, 64, 192, 384, 256, 256), (11, 5, 3, 3, 3)
    shapes: dict[str, Any] = {}
    for k, side in enumerate(sides):
        kernel = torch.randn((widths[k + 1], widths[k], side, side), generator=random)
        shapes[f"conv{k}.weight"] = kernel / (widths[k] * side * side) ** 0.5
        shapes[f"conv{k}.bias"] = torch.zeros(widths[k + 1])
    return shapes


def test_style_distances_are_0_for_the_style_and_know_no_place() -> None:
    weights, style = dict(_alexnet()), torch.rand(1, 3, 128, 128) * 2 - 1
    noise = torch.rand(1, 3, 128, 128) * 2 - 1  # the same texture, elsewhere
    flat = torch.full((1, 3, 128, 128), 0.1)
    for distance in (gram_distance, sliced_wasserstein):
        assert distance(weights, style, style) < 1e-6
        assert distance(weights, noise, style) < 0.2 * distance(weights, flat, style)
    assert float(copied_patches(style[..., 8:40, 16:60], style).max()) < 0.1
    assert float(copied_patches(noise, style).min()) > 20
