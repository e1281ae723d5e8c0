"""Training of the noise regressor: what crops are drawn, and that a fit finds what is in the data."""

from pathlib import Path

import numpy as np
import pytest
import torch

from diffuse_cli.diffusion.photo_noise import INPUTS, OUTPUTS
from diffuse_cli.images.image_io import read_picture
from diffuse_cli.images.tensors import to_tensor
from diffuse_cli.training.photo_noise import _truth, fit, sample
from tests.conftest import EXAMPLES

FILES = [EXAMPLES / "coffee_table.jpg", EXAMPLES / "auvers.jpg"]


def test_samples_are_seeded_and_of_every_kind() -> None:
    photographs = [to_tensor(read_picture(file).pixels) for file in FILES]
    drawn = [sample(photographs[k % 2], np.random.default_rng([0, k])) for k in range(40)]
    again = sample(photographs[1], np.random.default_rng([0, 3]))
    assert torch.equal(again.crop, drawn[3].crop)
    assert repr(again.truth) == repr(drawn[3].truth)
    for one in drawn:
        assert one.crop.shape[-2] % 16 == one.crop.shape[-1] % 16 == 0
        assert float(one.crop.abs().max()) <= 1
        assert 20 <= one.quality <= 95 or one.quality == 100
        assert np.isnan(one.truth[0]) == np.isnan(one.truth[1])
        assert np.isnan(one.truth[0]) or np.exp(one.truth[0]) * 127.5 > 0.29
    noisy = [one for one in drawn if not np.isnan(one.truth[1])]
    assert 16 <= len(noisy) <= 32
    assert min(one.truth[1] for one in noisy) < 0.1, "white noise is among them"
    assert max(one.truth[1] for one in noisy) > 0.5, "and correlated noise"


def test_noise_that_is_stronger_in_the_dark_is_told_so() -> None:
    brightness = torch.linspace(-1, 1, 64)[None, None, None].expand(1, 3, 64, 64)
    noise = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 0.1
    dark = noise * torch.where(brightness < 0, 2.0, 1.0)
    assert _truth(noise, brightness)[4] == pytest.approx(0, abs=0.05)
    assert _truth(dark, brightness)[4] == pytest.approx(-np.log(2), abs=0.05)
    assert np.isnan(_truth(noise, torch.zeros(1, 3, 64, 64))[4]), "a flat picture has no halves"


def test_a_fit_finds_a_linear_law_and_knows_where_it_cannot() -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(1500, INPUTS, generator=g)
    x[:, 60:] = 0
    noise = torch.where(x[:, 1] > 0, 0.5, 0.02) * torch.randn(1500, generator=g)
    truth = torch.zeros(1500, OUTPUTS)
    truth[:, 0] = -3 + 0.5 * x[:, 0] + noise
    truth[x[:, 2] > 0.5] = torch.nan  # clean crops
    regressor = fit(x[:1200], truth[:1200], epochs=25)
    with torch.no_grad():
        means, variances, chances = regressor(x[1200:])
    off, sure = (means[:, 0] - truth[1200:, 0]).abs(), x[1200:, 1] < 0
    assert float(off[sure].nanmedian()) < 0.2
    clean = truth[1200:, 0].isnan()
    assert float((chances[clean] < 0.5).float().mean()) > 0.85
    assert float((chances[~clean] > 0.5).float().mean()) > 0.85
    assert float(variances[~sure, 0].median()) > 1.15 * float(variances[sure, 0].median())
    more = truth.clone()
    more[:, 0] += 0.5
    later = fit(x[:1200], more[:1200], epochs=3, first=regressor)
    with torch.no_grad():
        moved = later(x[1200:])[0][:, 0] - means[:, 0]
    assert float(moved.median()) == pytest.approx(0.5, abs=0.15), "it learns on"
    assert torch.equal(later.mean, regressor.mean), "its statistics stay on one scale"


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
