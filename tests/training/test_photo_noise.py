"""Training of the noise regressor: what crops are drawn, and that a fit finds what is in the data."""

from pathlib import Path

import numpy as np
import pytest
import torch

from diffuse_cli.diffusion.photo_noise import INPUTS, OUTPUTS
from diffuse_cli.training.photo_noise import LEAST, fit, sample
from tests.conftest import EXAMPLES

FILES = [EXAMPLES / "coffee_table.jpg", EXAMPLES / "auvers.jpg"]


def test_samples_are_seeded_and_of_every_kind() -> None:
    drawn = [sample(FILES, np.random.default_rng([0, k])) for k in range(40)]
    again = sample(FILES, np.random.default_rng([0, 3]))
    assert torch.equal(again.crop, drawn[3].crop)
    assert again.truth == drawn[3].truth
    for one in drawn:
        assert one.crop.shape[-2] % 16 == one.crop.shape[-1] % 16 == 0
        assert float(one.crop.abs().max()) <= 1
        level = np.exp(one.truth[0]) * 127.5
        assert level == pytest.approx(LEAST) if not one.noisy else level > LEAST
    noisy = [one for one in drawn if one.noisy]
    assert 20 <= len(noisy) <= 36
    assert min(one.truth[1] for one in noisy) < 0.1, "white noise is among them"
    assert max(one.truth[1] for one in noisy) > 0.5, "and correlated noise"


def test_a_fit_finds_a_linear_law_and_knows_where_it_cannot() -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(1500, INPUTS, generator=g)
    noise = torch.where(x[:, 1] > 0, 0.5, 0.02) * torch.randn(1500, generator=g)
    truth = torch.zeros(1500, OUTPUTS + 1)
    truth[:, 0], truth[:, OUTPUTS] = -3 + 0.5 * x[:, 0] + noise, 1
    regressor = fit(x[:1200], truth[:1200], epochs=30)
    with torch.no_grad():
        means, variances = regressor(x[1200:])
    off, sure = (means[:, 0] - truth[1200:, 0]).abs(), x[1200:, 1] < 0
    assert float(off[sure].median()) < 0.2
    assert float(variances[~sure, 0].median()) > 1.3 * float(variances[sure, 0].median())


@pytest.mark.slow
def test_train_noise_writes_a_regressor_that_denoise_can_read(tmp_path: Path) -> None:
    from diffuse_cli.diffusion.photo_noise import load_regressor
    from diffuse_cli.training.photo_noise import train_regressor

    photos = tmp_path / "photos"
    photos.mkdir()
    for path in FILES:
        (photos / path.name).write_bytes(path.read_bytes())
    line = train_regressor([photos], tmp_path / "noise.safetensors", "photo", 16, 0, lambda _: None)
    assert line.startswith("median error of ln level")
    load_regressor(tmp_path / "noise.safetensors")
