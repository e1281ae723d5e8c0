"""Pictures from the prior, and the cascade."""

import math
from collections.abc import Callable
from itertools import pairwise

import pytest
import torch
from torch import Tensor

from diffuse_cli.diffusion.generation import cascade, generate, towards
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.errors import UsageError


def test_small_sizes_need_no_cascade() -> None:
    assert cascade((64, 96)) == [(64, 96)]


@pytest.mark.parametrize("size", [(97, 97), (300, 512), (1, 2000), (4000, 3000)])
def test_cascade_starts_small_and_takes_equal_steps_of_at_most_four(size: tuple[int, int]) -> None:
    sizes = cascade(size)
    assert sizes[-1] == size
    assert max(sizes[0]) <= 96
    longest = [max(s) for s in sizes]
    ratios = [b / a for a, b in pairwise(longest)]
    assert max(ratios) <= 4.05
    assert max(ratios) / min(ratios) < 1.05


def test_every_stage_has_its_own_noise_and_the_result_repeats(toy: Model) -> None:
    settings = Settings(steps=2, seed=3)
    a, b = (generate((120, 150), settings, toy) for _ in range(2))
    assert a.shape == (1, 3, 120, 150)
    assert torch.equal(a, b)
    other = generate((120, 150), Settings(steps=2, seed=4), toy)
    assert not torch.equal(a, other)


def test_labels_change_the_picture_and_unknown_ones_are_named(toy: Model) -> None:
    from diffuse_cli.diffusion.network import NetworkConfig, UNet

    torch.manual_seed(1)
    network = UNet(NetworkConfig(channels=(8,), blocks=(1,), emb=16, cond=6, labels=("cat", "dog")))
    with torch.no_grad():
        for tensor in network.state_dict().values():
            tensor.copy_(torch.randn(tensor.shape))
    model = Model(network=network.fold(), exact=None)
    cat, dog = (generate((16, 16), Settings(steps=2), model, label=name) for name in network.config.labels)
    assert not torch.equal(cat, dog)
    with pytest.raises(UsageError, match="cat, dog"):
        generate((16, 16), Settings(steps=2), model, label="bird")
    with pytest.raises(UsageError, match="without labels"):
        generate((16, 16), Settings(steps=2), toy, label="bird")
    none, as_learnt = (generate((16, 16), Settings(steps=2), model, label="cat", guidance=weight) for weight in (0, 1))
    torch.testing.assert_close(none, generate((16, 16), Settings(steps=2), model))
    assert not torch.equal(as_learnt, cat)
    for label, weight in ((None, 2.0), ("cat", -1.0), ("cat", math.inf)):
        with pytest.raises(UsageError, match="--guidance"):
            generate((16, 16), Settings(steps=2), model, label=label, guidance=weight)


def test_guidance_goes_on_along_what_the_label_changes() -> None:
    """Two Gaussians, N(0, 1) for all and N(m, s^2) for one label: their exact denoisers, mixed as the paper says."""
    x, sigma = torch.randn(1, 3, 4, 4), torch.tensor(0.7)

    def exact(mean: float, variance: float) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda x_t, sigma_t: (variance * x_t + sigma_t**2 * mean) / (variance + sigma_t**2)

    labelled, all_of_them = exact(0.5, 0.04), exact(0.0, 1.0)
    a, b = labelled(x, sigma), all_of_them(x, sigma)
    for weight in (0.0, 0.3, 1.0, 1.5, 4.0):
        torch.testing.assert_close(towards(labelled, all_of_them, weight)(x, sigma), b + weight * (a - b))
