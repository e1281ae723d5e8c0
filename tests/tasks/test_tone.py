"""Tone: what is measured is taken away, noise is carried through, and what is good is left."""

import numpy as np
import pytest
import torch
from torch import Tensor

from diffuse_cli.degradation.operators import box_mean
from diffuse_cli.images.srgb import encoded
from diffuse_cli.images.units import luma
from diffuse_cli.tasks.tone.clarity import clarify
from diffuse_cli.tasks.tone.curve import Curve
from diffuse_cli.tasks.tone.enhancement import ToneOptions, enhance
from diffuse_cli.tasks.tone.guided import guided_filter
from diffuse_cli.tasks.tone.light_noise import light_noise
from diffuse_cli.tasks.tone.saturation import chroma, chroma_growth, saturate
from diffuse_cli.tasks.tone.statistics import black_level, look
from diffuse_cli.tasks.tone.white_balance import gains

CURVES = [
    Curve(gain=(4.0, 4.0, 4.0)),
    Curve(gain=(1.2, 1.0, 0.9), black=(0.05, 0.03, 0.1)),
    Curve(lift=3.0),
    Curve(contrast=1.6),
    Curve(gain=(2.0, 2.0, 2.0), black=(0.02, 0.02, 0.02), lift=2.0, contrast=1.3),
]


def photograph(size: int = 128, seed: int = 0) -> Tensor:
    """Smooth random colours with a black and a white corner, linear light (1, 3, size, size)."""
    rng = torch.Generator().manual_seed(seed)
    coarse = torch.rand((1, 3, 6, 6), generator=rng) ** 2
    light = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bilinear", align_corners=True)
    light[..., :12, :12], light[..., -12:, -12:] = 0.0, 1.0
    return light


@pytest.mark.parametrize("curve", CURVES)
def test_a_curve_never_falls(curve: Curve) -> None:
    light = torch.linspace(-0.1, 1.5, 2000)[None, None, None].expand(1, 3, 1, -1)
    assert (curve(light).diff(dim=-1) >= -1e-6).all()


@pytest.mark.parametrize("curve", CURVES)
def test_noise_is_carried_as_sampling_finds_it(curve: Curve) -> None:
    for level in (0.02, 0.1, 0.3):
        light, std = torch.full((1, 3, 1, 1), level), torch.full((1, 3, 1, 1), 0.004)
        drawn = curve(light + 0.004 * torch.randn((1, 3, 400, 400), generator=torch.Generator().manual_seed(0)))
        sigma, bias = curve.through(light, std)
        assert torch.allclose(drawn.std((2, 3)), sigma[..., 0, 0], rtol=0.06, atol=1e-4)
        assert torch.allclose(drawn.mean((2, 3)) - curve(light)[..., 0, 0], bias[..., 0, 0], atol=1.5e-3)


def test_the_guided_filter_is_he_sun_and_tang() -> None:
    x = torch.rand((1, 1, 9, 11), generator=torch.Generator().manual_seed(1))
    base, kept = guided_filter(x, 2, 0.01)
    a, b = torch.zeros(9, 11), torch.zeros(9, 11)
    around = [(slice(max(i - 2, 0), i + 3), slice(max(j - 2, 0), j + 3)) for i in range(9) for j in range(11)]
    for (i, j), window in zip(np.ndindex(9, 11), around, strict=True):
        part = x[0, 0][window]
        a[i, j] = part.var(correction=0) / (part.var(correction=0) + 0.01)
        b[i, j] = part.mean() * (1 - a[i, j])
    a_mean = torch.stack([a[w].mean() for w in around]).reshape(9, 11)
    b_mean = torch.stack([b[w].mean() for w in around]).reshape(9, 11)
    assert torch.allclose(kept[0, 0], a_mean, atol=1e-5)
    assert torch.allclose(base[0, 0], a_mean * x[0, 0] + b_mean, atol=1e-5)
    assert torch.allclose(box_mean(torch.ones(1, 1, 5, 7), 3), torch.ones(1, 1, 5, 7))


def test_clarity_tells_what_it_does_to_noise() -> None:
    noise = 0.01 * torch.randn((1, 1, 160, 160), generator=torch.Generator().manual_seed(2))
    v, grown = clarify(0.5 + noise.expand(-1, 3, -1, -1), 1.0)
    assert v.std() / noise.std() == pytest.approx(float(grown.mean()), rel=0.05)


@pytest.mark.parametrize("stops", [1.0, 2.0, 4.0])
def test_exposure_is_found_again(stops: float) -> None:
    dark = encoded(photograph() * 2**-stops)
    toned = enhance(2 * dark - 1, ToneOptions(), depth=16)
    assert toned.stops == pytest.approx(stops, abs=0.3)
    assert (toned.x - (2 * encoded(photograph()) - 1)).abs().mean() < 0.06


def test_what_is_good_is_left_and_strength_0_leaves_all() -> None:
    good = 2 * encoded(photograph()) - 1
    assert torch.allclose(enhance(good, ToneOptions(), depth=8).x, good, atol=0.02)
    poor = 2 * encoded(0.2 * photograph() + 0.1) - 1
    assert torch.allclose(enhance(poor, ToneOptions(strength=0.0), depth=8, level=0.0).x, poor, atol=1e-5)
    assert (enhance(poor, ToneOptions(), depth=8, level=0.0).x - poor).abs().mean() > 0.1


@pytest.mark.parametrize("stops", [-1.0, 0.5, 3.0])
def test_an_exposure_that_is_asked_for_clips_nothing(stops: float) -> None:
    light = photograph()
    before = (light.amax(1) >= 1).float().mean()
    toned = enhance(2 * encoded(light) - 1, ToneOptions(exposure=stops), depth=8, level=0.0)
    assert (toned.x.amax(1) >= 1).float().mean() <= before + 0.001


def test_white_balance_leaves_gray_alone_and_finds_a_cast() -> None:
    gray = photograph()[:, :1].expand(-1, 3, -1, -1)
    usable = torch.ones_like(gray[:, :1])
    assert gains(gray, usable) == ((1.0, 1.0, 1.0), 0.0)
    white, cast = gains(gray * torch.tensor([1.0, 0.8, 0.4])[:, None, None], usable)
    assert cast > 10
    assert white[2] > white[1] > white[0]
    forest = torch.tensor([0.1, 0.5, 0.1])[:, None, None] * gray
    forest[..., :40, :40] = gray[..., :40, :40]
    assert gains(forest, usable)[1] == 0


def test_the_noise_of_light_is_read_at_any_exposure() -> None:
    light = photograph(192, seed=3) / 4
    for gain, offset in ((1 / 1000, 0.0), (1 / 4000, 1e-6)):
        std = (gain * light + offset).sqrt()
        noisy = light + std * torch.randn(light.shape, generator=torch.Generator().manual_seed(4))
        found, level = light_noise(noisy, 4.0)
        at = torch.tensor([0.02, 0.1])
        assert torch.allclose(found.sigma(at), (gain * at + offset).sqrt(), rtol=0.3)
        assert level > 1


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 1.8])
def test_saturation_keeps_luma_and_its_noise_grows_as_said(factor: float) -> None:
    v = torch.from_numpy(np.random.default_rng(3).normal(0.5, 0.1, (1, 3, 200, 200)).astype(np.float32))
    changed = saturate(v, factor)
    torch.testing.assert_close(luma(changed), luma(v))
    assert chroma(changed) == pytest.approx(factor * chroma(v), rel=1e-4, abs=1e-6)
    assert float(changed.std(dim=(2, 3)).square().mean().sqrt() / v.std()) == pytest.approx(
        chroma_growth(factor), rel=0.02
    )


def test_a_sky_alone_has_no_veil() -> None:
    rows = torch.linspace(0.05, 0.4, 160)[:, None].expand(160, 200)
    sky = torch.stack([0.6 * rows, 0.8 * rows, rows])[None]
    tower = sky.clone()
    tower[..., 40:120, 60:140] = 0.03  # in front of it, and as black as it gets
    for light, is_veiled in ((sky, False), (tower, True)):
        noise, _ = light_noise(light, 1.0)
        assert any(black_level(look(light, noise, 1.0), noise)) == is_veiled


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 2), (1, 300)])
def test_a_picture_of_a_few_pixels_is_looked_at(size: tuple[int, int]) -> None:
    x = torch.rand((1, 3, *size), generator=torch.Generator().manual_seed(2))
    for picture in (x, torch.full_like(x, -0.8)):
        toned = enhance(picture, ToneOptions(), depth=8).x
        assert toned.shape == x.shape
        assert torch.isfinite(toned).all()
