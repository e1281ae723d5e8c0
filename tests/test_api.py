"""The Python API: every kind of picture, the options' names, and no side effects."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import diffuse_cli
from diffuse_cli import restore, restore_samples
from diffuse_cli.errors import PictureError, UsageError
from tests.conftest import EXAMPLES
from tests.restoration.test_restore import ramp

RNG = np.random.default_rng(0)


NOISY = (np.full((40, 56, 3), 120.0) + RNG.normal(0, 20, (40, 56, 3))).round().clip(0, 255).astype(np.uint8)


def test_every_kind_comes_back_as_it_came(tmp_path: Path) -> None:
    expected = restore(NOISY, "denoise", noise=20)
    assert expected.dtype == np.uint8
    assert expected.std() < 6
    Image.fromarray(NOISY).save(tmp_path / "x.png")
    image = restore(tmp_path / "x.png", "denoise", noise=20)
    assert np.array_equal(np.asarray(image), expected)
    assert np.array_equal(np.asarray(restore(Image.fromarray(NOISY), "denoise", noise=20)), expected)
    tensor = torch.from_numpy(NOISY).permute(2, 0, 1)
    assert np.array_equal(restore(tensor, "denoise", noise=20).permute(1, 2, 0).numpy(), expected)
    floats = restore(tensor.double() / 255, "denoise", noise=20)
    assert floats.dtype == torch.float64
    assert np.abs(floats.permute(1, 2, 0).numpy() * 255 - expected).max() <= 0.51
    deep = restore(NOISY.astype(np.uint16) * 257, "denoise", noise=20)
    assert deep.dtype == np.uint16
    assert np.abs(deep / 257 - expected).max() <= 0.51
    gray = restore(NOISY[..., 0], "denoise", noise=20)
    assert gray.shape == (40, 56)


def test_unclipped_floats_are_not_clipped() -> None:
    bright = np.full((32, 32, 3), 1.4, np.float32)
    assert restore(bright, "denoise", noise=2).mean() > 1.3


def test_known_float_pixels_are_bit_exact() -> None:
    picture = RNG.random((24, 32, 3)).astype(np.float32)
    mask = np.zeros((24, 32), bool)
    mask[5:9, 5:20] = True
    out = restore(picture, "inpaint", mask=mask)
    assert np.array_equal(out[~mask], picture[~mask])
    assert not np.array_equal(out[mask], picture[mask])
    boxed = restore(torch.from_numpy(picture).permute(2, 0, 1), "inpaint", box=[(5, 5, 15, 4)])
    assert np.array_equal(boxed.permute(1, 2, 0).numpy(), out)


def test_alpha_arrays() -> None:
    rgba = np.dstack([NOISY, np.full(NOISY.shape[:2], 255, np.uint8)])
    rgba[3:9, 3:9, 3] = 0
    out = restore(rgba, "inpaint", mask="alpha")
    assert (out[..., 3] == 255).all()
    larger = restore(rgba, "super-resolve", scale=2)
    assert larger.shape == (80, 112, 4)
    assert larger[10, 10, 3] == 0
    assert larger[40, 60, 3] == 255


def test_samples_differ_and_repeat() -> None:
    a, b = (restore(NOISY, "denoise", noise=20, steps=3, sample=k) for k in (0, 1))
    assert not np.array_equal(a, b)
    assert np.array_equal(a, restore(NOISY, "denoise", noise=20, steps=3))


def test_generate_returns_an_image() -> None:
    image = diffuse_cli.generate((32, 16), steps=3)
    assert image.size == (32, 16)


@pytest.mark.parametrize(
    ("task", "options"),
    [
        ("denoise", {"scale": 2}),
        ("denoise", {"noise": float("nan")}),
        ("denoise", {"noise": "loud"}),
        ("denoise", {"nosuch": 2}),
        ("inpaint", {}),
        ("super-resolve", {}),
        ("sharpen", {}),
    ],
)
def test_wrong_options_are_named(task: str, options: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        restore(NOISY, task, **options)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    "picture",
    [np.zeros((4, 4, 5), np.uint8), np.zeros((4, 4), np.int32), np.full((4, 4), np.nan), np.zeros(4, np.uint8), 3],
)
def test_wrong_pictures_are_refused(picture: object) -> None:
    with pytest.raises(UsageError):
        restore(picture, "denoise", noise=5)  # type: ignore[call-overload]


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(PictureError, match="mask"):
        restore(NOISY, "inpaint", mask=np.ones((3, 3), bool))


def test_threads_are_put_back() -> None:
    before = torch.get_num_threads()
    restore(NOISY, "denoise", noise=5, threads=1)
    assert torch.get_num_threads() == before


def test_importing_it_imports_nothing_heavy() -> None:
    code = (
        "import sys; from diffuse_cli import __version__; import diffuse_cli, diffuse_cli.cli.app;"
        "print([m for m in ('torch', 'numpy', 'PIL', 'safetensors', 'rich.progress') if m in sys.modules]);"
        "from diffuse_cli import generate, restore; print('torch' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert result.stdout.split("\n")[:2] == ["[]", "False"]


def test_a_noisy_jpeg_gets_better() -> None:
    with Image.open(EXAMPLES / "rocket_noisy.jpg") as image:
        crop = image.crop((0, 0, 320, 200))
        crop.load()
    before = np.asarray(crop).astype(float)
    after = np.asarray(restore(crop, "denoise", noise=15)).astype(float)
    assert np.diff(after, axis=1).std() < 0.5 * np.diff(before, axis=1).std()


class TestApi:
    NOISY = np.random.default_rng(0).normal(120, 20, (32, 40, 3)).round().clip(0, 255).astype(np.uint8)

    def test_several_answers(self, toy_file: Path) -> None:
        options: dict[str, object] = {"noise": 20, "steps": 2, "model": toy_file, "dtype": "fp32"}
        found = restore_samples(self.NOISY, "denoise", 3, **options)  # type: ignore[call-overload]
        assert len(found.samples) == 3
        assert found.mean.dtype == np.uint8
        mean = {key: value for key, value in options.items() if key != "steps"}
        assert np.array_equal(found.mean, restore(self.NOISY, "denoise", **mean))  # type: ignore[call-overload]
        again = restore(self.NOISY, "denoise", sample=1, **options)  # type: ignore[call-overload]
        assert np.array_equal(found.samples[1], again)
        spread = np.sqrt(np.var(np.array(found.samples, float), axis=0, ddof=1).mean(2))
        assert np.abs(found.std - spread).mean() < 0.5
        average = restore(self.NOISY, "denoise", samples=3, average=True, **options)  # type: ignore[call-overload]
        assert np.abs(average - np.mean(np.array(found.samples, float), 0)).max() <= 1

    def test_one_function_gives_one_picture(self, toy_file: Path) -> None:
        with pytest.raises(UsageError, match="call restore_samples"):
            restore(self.NOISY, "denoise", samples=2, model=toy_file)
        with pytest.raises(UsageError, match="--samples"):
            restore_samples(self.NOISY, "denoise", 1, model=toy_file)


def test_api() -> None:
    array = np.random.default_rng(0).normal(120, 1, (32, 40, 3)).round().clip(0, 255).astype(np.uint8)
    restored = diffuse_cli.restore(array, "restore", noise=20, only=["noise"])
    assert np.array_equal(restored, diffuse_cli.restore(array, "denoise", noise=20))
    assert not np.array_equal(diffuse_cli.restore(array, "dejpeg", jpeg=30), array)
    assert not np.array_equal(diffuse_cli.restore(array, "deblur", blur=1.5), array)
    with pytest.raises(UsageError, match="dejpeg has no option blur"):
        diffuse_cli.restore(array, "dejpeg", blur=3)


def test_python(toy_file: Path) -> None:
    array = np.random.default_rng(0).integers(0, 255, (32, 32, 3)).astype(np.uint8)
    std = ramp((32, 32), 5, 40)
    made = [
        restore(array, "denoise", noise_map=m, model=toy_file, dtype="fp32")
        for m in (std.round(), torch.from_numpy(std.round()), Image.fromarray(std.round().astype(np.uint8)))
    ]
    np.testing.assert_array_equal(made[0], made[1])
    np.testing.assert_array_equal(made[0], made[2])
