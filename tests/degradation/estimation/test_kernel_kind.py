"""Which blur a picture has, on photographs of scikit-image that were blurred, noised and stored."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage import data

from diffuse_cli.degradation.estimation import kernel_kind
from diffuse_cli.degradation.estimation.kernel_kind import blur_kind
from diffuse_cli.degradation.kernels import Kernel, blur_by, defocus, motion
from diffuse_cli.degradation.operators import blur
from diffuse_cli.images.jpeg_writer import through_jpeg

PHOTOS = {"astronaut": data.astronaut(), "cat": data.chelsea(), "coffee": data.coffee()}


def blurred(name: str, by: Kernel | float, noise: float = 1.0) -> NDArray[np.uint8]:
    x = torch.from_numpy(PHOTOS[name][:300, :400].astype(np.float32)).permute(2, 0, 1)[None]
    y = (blur(x, by) if isinstance(by, float) else blur_by(x, by))[0].permute(1, 2, 0).numpy()
    rng = np.random.default_rng(0)
    return np.asarray((y + noise * rng.standard_normal(y.shape)).round().clip(0, 255), np.uint8)


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize(("length", "angle"), [(15.0, 30.0), (8.0, 100.0)])
def test_a_motion_is_found(name: str, length: float, angle: float) -> None:
    found = blur_kind(blurred(name, motion(length, angle)).astype(np.float32), 1.0)
    assert found is not None
    assert found.kind == "motion"
    assert found.is_sure
    assert found.values[0] == pytest.approx(length, rel=0.05)
    assert found.values[1] == pytest.approx(angle, abs=3)
    assert found.words().startswith("a motion of")


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("radius", [4.0, 5.5])
def test_a_lens_out_of_focus_is_found(name: str, radius: float) -> None:
    found = blur_kind(blurred(name, defocus(radius)).astype(np.float32), 1.0)
    assert found is not None
    assert (found.kind, found.is_sure) == ("defocus", True)
    assert found.values[0] == pytest.approx(radius, rel=0.05)


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("std", [0.0, 0.8, 1.6, 3.0])
@pytest.mark.parametrize("quality", [None, 90])
def test_sharp_and_gaussian_pictures_are_no_others(name: str, std: float, quality: int | None) -> None:
    levels = blurred(name, std, noise=0.0)
    levels = levels if quality is None else through_jpeg(levels, quality, "4:2:0")
    found = blur_kind(levels.astype(np.float32), 0.0)
    assert found is not None
    assert not found.is_sure


def test_a_motion_is_not_shorter_than_the_shortest(monkeypatch: pytest.MonkeyPatch) -> None:
    levels = blurred("cat", motion(2.5, 0.0)).astype(np.float32)
    for shortest, kind in ((kernel_kind._SHORTEST, "motion"), (3.0, "Gaussian")):
        monkeypatch.setattr(kernel_kind, "_SHORTEST", shortest)
        found = blur_kind(levels, 1.0)
        assert found is not None
        assert found.kind == kind


def test_noise_and_small_pictures_have_none() -> None:
    rng = np.random.default_rng(0)
    found = blur_kind(rng.uniform(0, 255, (256, 256, 3)).astype(np.float32), 0.0)
    assert found is not None
    assert not found.is_sure
    assert blur_kind(np.zeros((100, 300, 3), np.float32), 0.0) is None
    flat = blur_kind(np.full((256, 256, 1), 9, np.float32), 0.0)
    assert flat is not None
    assert not flat.is_sure
