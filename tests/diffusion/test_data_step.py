"""Data steps, against the normal equations and against what they must not do."""

import numpy as np
import pytest
import torch
from torch import Tensor

from diffuse_cli.degradation.operators import Degradation, degrade
from diffuse_cli.degradation.separable import Axis, axis
from diffuse_cli.diffusion import data_step as steps
from diffuse_cli.diffusion.data_step import LinearDamage, data_step, explained, sigmas

SIZE = (40, 52)


def pictures(std: float, scale: float, size: tuple[int, int] = SIZE) -> tuple[Tensor, Tensor]:
    """An estimate, and a damaged picture of something else."""
    torch.manual_seed(3)
    truth, x = torch.rand(1, 3, *size) * 2 - 1, torch.rand(1, 3, *size) * 2 - 1
    return x, degrade(truth, Degradation(blur=std, scale=scale), noise=torch.zeros(1))


def whole(one: Axis) -> Tensor:
    dense = np.zeros((one.small, one.large))
    dense[:, one.columns(slice(0, one.small))] = one.matrix(slice(0, one.small))
    return torch.from_numpy(dense)


def oracle(y: Tensor, x: Tensor, std: float, rho: float) -> Tensor:
    """Solve (A^T A + rho) z = A^T y + rho x for one channel, A as one large matrix."""
    a = torch.kron(whole(axis(y.shape[-2], SIZE[0], std)), whole(axis(y.shape[-1], SIZE[1], std)))
    right = a.T @ y.flatten().double() + rho * x.flatten().double()
    z: Tensor = torch.linalg.solve(a.T @ a + rho * torch.eye(a.shape[1], dtype=torch.float64), right)
    return z.reshape(x.shape).float()


@pytest.mark.parametrize(("std", "scale"), [(0.8, 1.0), (2.4, 1.0), (1.0, 2.0), (0.0, 1.7)])
@pytest.mark.parametrize("rho", [1e-3, 0.3])
def test_a_step_solves_the_normal_equations(std: float, scale: float, rho: float) -> None:
    x, y = pictures(std, scale)
    found = data_step(LinearDamage(y=y, blur=std, noise=0.0), SIZE)(x, rho)
    torch.testing.assert_close(found[0, 1], oracle(y[0, 1], x[0, 1], std, rho), atol=2e-3, rtol=0)


@pytest.mark.parametrize(("std", "scale"), [(0.8, 1.0), (2.4, 1.0), (1.0, 2.0), (1.2, 1.7)])
def test_parts_with_margins_are_the_whole(monkeypatch: pytest.MonkeyPatch, std: float, scale: float) -> None:
    size = (150, 190)
    x, y = pictures(std, scale, size)
    damage = LinearDamage(y=y, blur=std, noise=0.0)
    at_once = data_step(damage, size)(x, 1e-3)
    monkeypatch.setattr(steps, "_SIDE", 64)
    in_parts = data_step(damage, size)(x, 1e-3)
    assert float((at_once - in_parts).abs().max()) * 127.5 < 0.05


def test_what_explains_the_picture_stays() -> None:
    truth = torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(1)) * 2 - 1
    y = degrade(truth, Degradation(blur=1.3), noise=torch.zeros(1))
    found = data_step(LinearDamage(y=y, blur=1.3, noise=0.0), SIZE)(truth, 1e-3)
    torch.testing.assert_close(found, truth, atol=1e-3, rtol=0)


def test_a_hole_tells_nothing() -> None:
    """What y holds in a hole does not matter, and the pixels that only the hole sees stay."""
    x, y = pictures(1.0, 1.0)
    hole = torch.zeros(SIZE, dtype=torch.bool)
    hole[:, 20:] = True
    other = y.clone()
    other[..., 20:] = 7.0
    found, same = (data_step(LinearDamage(y=one, blur=1.0, noise=0.0, hole=hole), SIZE)(x, 0.1) for one in (y, other))
    torch.testing.assert_close(found, same, atol=1e-4, rtol=0)
    assert float((found - x)[..., 40:].abs().max()) < 0.02
    assert float((found - x)[..., :16].abs().max()) > 0.05


def test_sigmas_fall_to_the_noise() -> None:
    assert sigmas(1, 0.0) == [steps.LAST_SIGMA]
    found = sigmas(3, 0.0)
    assert found[0] == pytest.approx(steps.FIRST_SIGMA)
    assert found[2] == pytest.approx(steps.LAST_SIGMA)
    assert found[1] == pytest.approx((found[0] * found[2]) ** 0.5)
    assert sigmas(3, 0.1)[-1] == pytest.approx(0.12)
    assert sigmas(3, 0.5) == pytest.approx([0.6] * 3)


def test_rounds_undo_a_blur_without_any_network() -> None:
    """With a denoiser that changes nothing, the rounds are Tikhonov's: nearer to the truth with every round."""
    ramp = torch.linspace(-1, 1, SIZE[1]).expand(1, 3, *SIZE)
    truth = (ramp * 3).sin()
    y = degrade(truth, Degradation(blur=2.0), noise=torch.zeros(1))
    damage = LinearDamage(y=y, blur=2.0, noise=0.0)
    step = data_step(damage, SIZE)
    errors = [float((explained(lambda x, _: x, step, y, damage, n) - truth).square().mean()) for n in (0, 1, 3)]
    assert errors[0] > errors[1] > errors[2]
