"""The Python API: every kind of picture, typed tasks, typed options, and no side effects."""

import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import diffuse_cli
from diffuse_cli import (
    Compose,
    Denoise,
    Extend,
    Inpaint,
    Model,
    Restore,
    SuperResolve,
    compare,
    errors,
    estimate_degradation,
    read_picture,
    restore,
    sample,
    write_picture,
)
from diffuse_cli.errors import PictureError, UsageError
from diffuse_cli.images.convert import PictureLike, to_picture
from tests.conftest import EXAMPLES

RNG = np.random.default_rng(0)
NOISY = (np.full((40, 56, 3), 120.0) + RNG.normal(0, 20, (40, 56, 3))).round().clip(0, 255).astype(np.uint8)
OLD = "will go in the next release"


def test_every_kind_comes_back_as_it_came(tmp_path: Path) -> None:
    task = Denoise(noise=20)
    expected = restore(NOISY, task)
    assert expected.dtype == np.uint8
    assert expected.std() < 6
    Image.fromarray(NOISY).save(tmp_path / "x.png", dpi=(300, 300))
    image = restore(tmp_path / "x.png", task)
    assert np.array_equal(np.asarray(image), expected)
    assert np.array_equal(np.asarray(restore(str(tmp_path / "x.png"), task)), expected)
    assert np.array_equal(np.asarray(restore(Image.fromarray(NOISY), task)), expected)
    tensor = torch.from_numpy(NOISY).permute(2, 0, 1)
    assert np.array_equal(restore(tensor, task).permute(1, 2, 0).numpy(), expected)
    floats = restore(tensor.double() / 255, task)
    assert floats.dtype == torch.float64
    assert np.abs(floats.permute(1, 2, 0).numpy() * 255 - expected).max() <= 0.51
    deep = restore(NOISY.astype(np.uint16) * 257, task)
    assert deep.dtype == np.uint16
    assert np.abs(deep / 257 - expected).max() <= 0.51
    gray = restore(NOISY[..., 0], task)
    assert gray.shape == (40, 56)
    whole = restore(read_picture(tmp_path / "x.png"), task)
    write_picture(whole, tmp_path / "y.png")
    with Image.open(tmp_path / "y.png") as written:
        assert np.array_equal(np.asarray(written), expected)
        assert written.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_whatever_is_a_picture_can_be_written(tmp_path: Path) -> None:
    kinds: list[PictureLike] = [NOISY, Image.fromarray(NOISY), torch.from_numpy(NOISY).permute(2, 0, 1)]
    for k, picture in enumerate(kinds):
        write_picture(picture, str(tmp_path / f"{k}.png"))
        assert np.array_equal(np.asarray(Image.open(tmp_path / f"{k}.png")), NOISY)


def test_unclipped_floats_are_not_clipped() -> None:
    bright = np.full((32, 32, 3), 1.4, np.float32)
    assert restore(bright, Denoise(noise=2)).mean() > 1.3


def test_known_float_pixels_are_bit_exact() -> None:
    picture = RNG.random((24, 32, 3)).astype(np.float32)
    mask = np.zeros((24, 32), bool)
    mask[5:9, 5:20] = True
    out = restore(picture, Inpaint(mask=mask))
    assert np.array_equal(out[~mask], picture[~mask])
    assert not np.array_equal(out[mask], picture[mask])
    boxed = restore(torch.from_numpy(picture).permute(2, 0, 1), Inpaint(boxes=[(5, 5, 15, 4)]))
    assert np.array_equal(boxed.permute(1, 2, 0).numpy(), out)


def test_alpha_arrays() -> None:
    rgba = np.dstack([NOISY, np.full(NOISY.shape[:2], 255, np.uint8)])
    rgba[3:9, 3:9, 3] = 0
    out = restore(rgba, Inpaint(mask="alpha"))
    assert (out[..., 3] == 255).all()
    larger = restore(rgba, SuperResolve(scale=2))
    assert larger.shape == (80, 112, 4)
    assert larger[10, 10, 3] == 0
    assert larger[40, 60, 3] == 255


def test_samples_differ_and_repeat() -> None:
    a, b = (restore(NOISY, Denoise(noise=20), steps=3, sample=k) for k in (0, 1))
    assert not np.array_equal(a, b)
    assert np.array_equal(a, restore(NOISY, Denoise(noise=20), steps=3))


def test_several_samples_of_every_kind(toy_file: Path) -> None:
    model = Model.load(toy_file, device="cpu")
    array = sample(NOISY, Denoise(noise=20), count=3, steps=2, model=model)
    assert np.array_equal(array.mean, restore(NOISY, Denoise(noise=20), model=model))
    spread = np.sqrt(np.var(np.array(array.samples, float), axis=0, ddof=1).mean(2))
    assert np.abs(array.std - spread).mean() < 0.5
    assert np.abs(array.average - np.mean(np.array(array.samples, float), 0)).max() <= 1
    found = sample(Image.fromarray(NOISY), Denoise(noise=20), count=2, steps=2, seed=3, model=model)
    assert [image.size for image in (found.mean, found.average, *found.samples)] == [(56, 40)] * 4
    assert found.std.shape == (40, 56)
    assert found.std.min() >= 0
    one = restore(NOISY, Denoise(noise=20), steps=2, seed=3, sample=1, model=model)
    assert np.array_equal(np.asarray(found.samples[1]), one)


def test_generate_returns_an_image() -> None:
    image = diffuse_cli.generate((32, 16), steps=3)
    assert image.size == (32, 16)


def test_what_happened_is_estimated() -> None:
    assert estimate_degradation(NOISY).noise.value == pytest.approx(20, abs=2)


def test_a_comparison_takes_any_two_pictures(toy_file: Path) -> None:
    larger = restore(NOISY, SuperResolve(scale=2), model=toy_file)
    sheet = compare(Image.fromarray(NOISY), torch.from_numpy(larger / 255).permute(2, 0, 1))
    assert sheet.width > 2 * 112


def test_a_model_is_loaded_once_and_given(toy_file: Path) -> None:
    model = Model.load(toy_file, device="cpu", dtype="bf16")
    given = restore(NOISY, Denoise(noise=20), model=model)
    assert np.array_equal(given, restore(NOISY, Denoise(noise=20), model=toy_file, device="cpu", dtype="bf16"))
    with pytest.raises(UsageError, match=r"give device to Model\.load"):
        restore(NOISY, Denoise(noise=20), model=model, device="cpu")


@pytest.mark.parametrize("options", [{"nosuch": 2}, {"noise": 20}, {"steps": 0}, {"fidelity": 2}, {"tile": 3}])
def test_wrong_options_are_refused_before_the_model_is_loaded(options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        restore(NOISY, Denoise(noise=20), model="no such model", **options)  # type: ignore[call-overload]
    with pytest.raises(UsageError, match=next(iter(options))):
        sample(NOISY, Denoise(noise=20), model="no such model", **options)  # type: ignore[call-overload]


def test_one_sample_tells_no_spread(toy_file: Path) -> None:
    with pytest.raises(UsageError, match="--samples"):
        sample(NOISY, Denoise(noise=20), count=1, model=toy_file)


def test_generating_knows_no_fidelity() -> None:
    with pytest.raises(UsageError, match="unknown option fidelity"):
        diffuse_cli.generate(fidelity=0.5)


@pytest.mark.parametrize("mask", ["mask.png", np.full((40, 56), 2.0), np.ones((40, 56), np.uint8), [[True]]])
def test_a_mask_is_an_array_of_booleans_or_shares(mask: object) -> None:
    with pytest.raises(UsageError, match="array"):
        Inpaint(mask=mask)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "picture",
    [np.zeros((4, 4, 5), np.uint8), np.zeros((4, 4), np.int32), np.full((4, 4), np.nan), np.zeros(4, np.uint8), 3],
)
def test_wrong_pictures_are_refused(picture: object) -> None:
    with pytest.raises(UsageError):
        restore(picture, Denoise(noise=5))  # type: ignore[call-overload]


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(PictureError, match="mask"):
        restore(NOISY, Inpaint(mask=np.ones((3, 3), bool)))


def test_threads_are_put_back() -> None:
    before = torch.get_num_threads()
    restore(NOISY, Denoise(noise=5), threads=1)
    assert torch.get_num_threads() == before


def test_importing_it_imports_nothing_heavy() -> None:
    code = (
        "import sys; from diffuse_cli import __version__; import diffuse_cli, diffuse_cli.cli.app;"
        "print([m for m in ('torch', 'numpy', 'PIL', 'safetensors', 'rich.progress') if m in sys.modules]);"
        "from diffuse_cli import *; print('torch' in sys.modules); names = set(diffuse_cli.__all__);"
        "print(names - set(globals()), names ^ set(dir(diffuse_cli)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert result.stdout.split("\n")[:3] == ["[]", "False", "set() set()"]


def test_a_noisy_jpeg_gets_better() -> None:
    with Image.open(EXAMPLES / "rocket_noisy.jpg") as image:
        crop = image.crop((0, 0, 320, 200))
        crop.load()
    before = np.asarray(crop).astype(float)
    after = np.asarray(restore(crop, Denoise(noise=15))).astype(float)
    assert np.diff(after, axis=1).std() < 0.5 * np.diff(before, axis=1).std()


class TestTasksAsStrings:
    """The API of release 0.1, which works for one more release."""

    FLOATS = RNG.random((24, 32, 3))

    @pytest.mark.parametrize(
        ("name", "options", "task"),
        [
            ("denoise", {"noise": 20, "strength": 0.5}, Denoise(noise=20, strength=0.5)),
            ("inpaint", {"box": [(3, 3, 9, 9)], "grow": 2}, Inpaint(boxes=[(3, 3, 9, 9)], grow=2)),
            ("super-resolve", {"scale": 1.5}, SuperResolve(scale=1.5)),
            ("restore", {"noise": 20, "only": ["noise"]}, Restore(noise=20, only=("noise",))),
            ("restore", {"noise": 9, "box": [(3, 3, 9, 9)]}, Restore(noise=9, holes=Inpaint(boxes=[(3, 3, 9, 9)]))),
            ("dejpeg", {"jpeg": 30}, Restore(noise=None, jpeg=30, blur=None)),
            ("deblur", {"blur": 1.5}, Restore(noise="if-blurred", jpeg=None, blur=1.5)),
            ("extend", {"pad": (5, 0, 3, 2)}, Extend(pad=(5, 0, 3, 2))),
            (
                "compose",
                {"insert": FLOATS[:8, :8], "at": (2, 2), "band": 4},
                Compose(insert=to_picture(FLOATS[:8, :8]), at=(2, 2), band=4),
            ),
        ],
    )
    def test_give_what_typed_tasks_give(
        self, toy_file: Path, name: str, options: dict[str, object], task: Denoise
    ) -> None:
        with pytest.deprecated_call(match=rf"{OLD}: write restore\(picture, {type(task).__name__}\(\.\.\.\)"):
            old = restore(self.FLOATS, name, model=toy_file, seed=2, compile=False, **options)
        assert np.array_equal(old, restore(self.FLOATS, task, model=toy_file, seed=2))
        assert not np.array_equal(old, self.FLOATS)

    def test_a_noise_map_may_be_of_any_kind(self, toy_file: Path) -> None:
        std = np.linspace(5, 40, 40 * 56, dtype=np.float32).reshape(40, 56).round()
        wanted = restore(NOISY, Denoise(noise_map=std), model=toy_file)
        for given in (std, torch.from_numpy(std), Image.fromarray(std.astype(np.uint8))):
            with pytest.deprecated_call(match=OLD):
                assert np.array_equal(restore(NOISY, "denoise", noise_map=given, model=toy_file), wanted)

    def test_a_mask_may_be_of_any_kind(self, toy_file: Path, tmp_path: Path) -> None:
        mask = np.zeros((40, 56), bool)
        mask[5:9, 5:20] = True
        Image.fromarray(mask).save(tmp_path / "mask.png")
        wanted = restore(NOISY, Inpaint(mask=mask), model=toy_file)
        for given in (mask, torch.from_numpy(mask), tmp_path / "mask.png"):
            with pytest.deprecated_call(match=OLD):
                assert np.array_equal(restore(NOISY, "inpaint", mask=given, model=toy_file), wanted)

    def test_several_samples(self, toy_file: Path) -> None:
        wanted = sample(NOISY, Denoise(noise=20), count=3, steps=2, model=toy_file)
        with pytest.deprecated_call(match=rf"{OLD}: call sample"):
            found = diffuse_cli.restore_samples(NOISY, "denoise", 3, noise=20, steps=2, model=toy_file)
        assert np.array_equal(found.samples, wanted.samples)
        with pytest.deprecated_call(match=OLD):
            average = restore(NOISY, "denoise", noise=20, samples=3, average=True, steps=2, model=toy_file)
        assert np.array_equal(average, wanted.average)
        with pytest.deprecated_call(match=OLD), pytest.raises(UsageError, match="call sample for 3"):
            restore(NOISY, "denoise", noise=20, samples=3, model=toy_file)

    @pytest.mark.parametrize(
        ("task", "options"),
        [
            ("denoise", {"scale": 2}),
            ("denoise", {"noise": float("nan")}),
            ("denoise", {"noise": "loud"}),
            ("denoise", {"nosuch": 2}),
            ("dejpeg", {"blur": 3}),
            ("inpaint", {}),
            ("super-resolve", {"scale": 2, "long_edge": 90}),
            ("compose", {}),
            ("sharpen", {}),
        ],
    )
    def test_wrong_options_are_named(self, task: str, options: dict[str, object]) -> None:
        with pytest.deprecated_call(match=OLD), pytest.raises(UsageError):
            restore(NOISY, task, **options)

    def test_the_warning_names_the_callers_line(self, toy_file: Path) -> None:
        calls: list[Callable[[], object]] = [
            lambda: restore(NOISY, "denoise", noise=5, model=toy_file),
            lambda: diffuse_cli.restore_samples(NOISY, "denoise", 2, noise=5, model=toy_file),
            lambda: diffuse_cli.stylize(NOISY, NOISY, strength=0, model=toy_file),
        ]
        for call in calls:
            with warnings.catch_warnings(record=True) as seen:
                warnings.simplefilter("always")
                call()
            assert [Path(warning.filename).name for warning in seen] == ["test_api.py"]


def test_errors_are_of_one_class() -> None:
    with pytest.raises(errors.DiffuseError, match="missing"):
        restore("missing.png", Denoise())
