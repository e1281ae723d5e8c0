"""Data steps for kernels, against the normal equations."""

import numpy as np
import pytest
import torch
from torch import Tensor

from diffuse_cli.degradation.kernels import Kernel, blur_by, defocus, motion
from diffuse_cli.diffusion import kernel_step as steps
from diffuse_cli.diffusion.kernel_step import kernel_step

SIZE = (19, 23)
LOPSIDED = Kernel(weights=np.array([[0, 0, 0], [0.1, 0.3, 0.6], [0, 0, 0]], np.float32))
KERNELS = [motion(5, 30), defocus(2), LOPSIDED]


@pytest.fixture(autouse=True)
def to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steps, "_NEAR", 1e-5)


def matrix(kernel: Kernel) -> Tensor:
    """The blur of one channel as a matrix: a picture of each point, blurred."""
    points = torch.eye(SIZE[0] * SIZE[1]).reshape(-1, 1, *SIZE)
    return blur_by(points, kernel).reshape(len(points), -1).T.double()


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("rho", [1e-2, 0.3])
def test_a_step_solves_the_normal_equations(kernel: Kernel, rho: float) -> None:
    torch.manual_seed(2)
    x, y = torch.rand(1, 3, *SIZE) * 2 - 1, torch.rand(1, 3, *SIZE) * 2 - 1
    a = matrix(kernel)
    right = y[0].reshape(3, -1).double() @ a + rho * x[0].reshape(3, -1).double()
    z = torch.linalg.solve(a.T @ a + rho * torch.eye(a.shape[1], dtype=torch.float64), right.T).T
    torch.testing.assert_close(kernel_step(y, kernel)(x, rho)[0], z.reshape(3, *SIZE).float(), atol=5e-3, rtol=0)


@pytest.mark.parametrize("kernel", KERNELS)
def test_parts_with_margins_are_the_whole(monkeypatch: pytest.MonkeyPatch, kernel: Kernel) -> None:
    torch.manual_seed(2)
    clean = torch.rand(1, 3, 130, 170) * 2 - 1
    x, y = torch.zeros_like(clean), blur_by(clean, kernel)
    at_once = kernel_step(y, kernel)(x, 1e-2)
    monkeypatch.setattr(steps, "_SIDE", 64)
    assert float((kernel_step(y, kernel)(x, 1e-2) - at_once).abs().max()) * 127.5 < 0.7


def test_what_explains_the_picture_stays_and_holes_tell_nothing() -> None:
    torch.manual_seed(2)
    kernel, clean = motion(7, 45), torch.rand(1, 3, 40, 50) * 2 - 1
    y = blur_by(clean, kernel)
    hole = torch.zeros(40, 50, dtype=torch.bool)
    hole[10:20, 10:20] = True
    spoilt = torch.where(hole, 9.0, y)
    torch.testing.assert_close(kernel_step(spoilt, kernel, hole)(clean, 1e-2), clean, atol=1e-3, rtol=0)
