"""Motion, defocus and kernels of one's own."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from diffuse_cli.degradation.kernels import Kernel, blur_by, defocus, kernel_of, motion
from diffuse_cli.errors import PictureError, UsageError
from diffuse_cli.images.image_io import Picture


def moments(kernel: Kernel) -> tuple[float, float, float]:
    """Mean squares down and across, and the mean product."""
    at = np.arange(-kernel.reach, kernel.reach + 1)
    w = kernel.weights.astype(np.float64)
    return float((w * at[:, None] ** 2).sum()), float((w * at**2).sum()), float((w * at[:, None] * at).sum())


@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0, 135.0])
def test_a_motion_has_its_length_and_direction(angle: float) -> None:
    kernel = motion(15, angle)
    down, across, both = moments(kernel)
    assert float(kernel.weights.sum()) == pytest.approx(1, abs=1e-6)
    assert down + across == pytest.approx(15**2 / 12, abs=0.6)
    # Upwards is towards smaller rows.
    assert (both < -1) == (angle == 30)
    assert (both > 1) == (angle == 135)
    assert (across > down) == (angle in (0, 30))


def test_a_disk_has_its_radius_and_is_round() -> None:
    down, across, both = moments(defocus(6))
    assert down == pytest.approx(across, rel=1e-3)
    assert down + across == pytest.approx(6**2 / 2, rel=0.03)
    assert both == pytest.approx(0, abs=1e-3)


def test_a_blur_is_a_convolution_with_replicated_borders() -> None:
    weights = np.random.default_rng(0).random((5, 5)).astype(np.float32)
    kernel = Kernel(weights=weights / weights.sum())
    x = np.random.default_rng(1).random((12, 17)).astype(np.float32)
    wanted = ndimage.convolve(x, kernel.weights, mode="nearest")
    found = blur_by(torch.from_numpy(x)[None, None], kernel)[0, 0].numpy()
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_a_picture_of_a_point_is_a_kernel() -> None:
    pixels = np.full((40, 60, 3), -1, np.float32)
    pixels[18:23, 30] = 1
    kernel = kernel_of(Picture(pixels=pixels))
    assert kernel.weights.shape[0] < 12  # the black around it is cut off
    assert float(kernel.weights.sum()) == pytest.approx(1, abs=1e-6)
    assert moments(kernel)[0] > 4 * moments(kernel)[1]
    with pytest.raises(PictureError, match="no kernel"):
        kernel_of(Picture(pixels=np.full((9, 9, 1), -1, np.float32)))


@pytest.mark.parametrize(("length", "angle"), [(0.2, 0), (9, 1000), (900, 0)])
def test_a_motion_out_of_range_is_refused(length: float, angle: float) -> None:
    with pytest.raises(UsageError, match="--motion"):
        motion(length, angle)


def test_a_radius_out_of_range_is_refused() -> None:
    with pytest.raises(UsageError, match="--defocus"):
        defocus(900)
