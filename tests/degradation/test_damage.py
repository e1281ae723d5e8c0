"""Degradations against independent libraries and their own statistics; `diffuse degrade` and its sidecar."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from diffuse_cli.degradation.damage import Damage
from diffuse_cli.degradation.operators import Degradation, blur, degrade, resize, shot_noise
from diffuse_cli.degradation.random_masks import KINDS, MaskKind, random_mask
from diffuse_cli.errors import PictureError, UsageError
from diffuse_cli.images.image_io import Picture, to_unit
from tests.conftest import Run, pixels


@pytest.mark.parametrize("std", [0.4, 1.6, 3.0])
def test_blur_is_scipys(std: float) -> None:
    x = torch.rand(1, 3, 40, 50, dtype=torch.float64)
    expected = ndimage.gaussian_filter(x.numpy(), (0, 0, std, std), mode="nearest", truncate=np.ceil(4 * std) / std)
    torch.testing.assert_close(blur(x, std), torch.from_numpy(expected))


def test_shrinking_is_pillows_float_resize() -> None:
    plane = np.random.default_rng(0).random((60, 84)).astype(np.float32)
    expected = np.asarray(Image.fromarray(plane).resize((28, 20), Image.Resampling.BICUBIC))
    actual = resize(torch.from_numpy(plane)[None, None], (20, 28))[0, 0].numpy()
    assert np.abs(actual - expected).max() < 1e-4


def test_shot_noise_has_the_mean_of_the_picture_and_its_variance() -> None:
    for level in (20.0, 200.0):
        x = torch.full((1, 3, 200, 200), level / 127.5 - 1)
        y = (shot_noise(x, 2.0, seed=1) + 1) * 127.5
        assert float(y.mean()) == pytest.approx(level, rel=0.01)
        assert float(y.var()) == pytest.approx(2 * level, rel=0.05)
        assert torch.equal(y[:, 0], y[:, 1])  # a gray picture's noise is gray


def test_order_is_the_cameras_and_sizes_follow() -> None:
    """Noise comes after blur and shrinking: on a flat picture its std is the one asked for."""
    noise = torch.randn(1, 3, 50, 60)
    y = degrade(torch.zeros(1, 3, 100, 120), Degradation(blur=2, scale=2, noise=0.3), noise=noise)
    torch.testing.assert_close(y, 0.3 * noise)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(120, 160), (40, 300)])
def test_masks_hide_the_share_asked_for_and_repeat(kind: MaskKind, size: tuple[int, int]) -> None:
    mask = random_mask(size, kind, share=0.15, seed=3)
    assert mask.shape == size
    assert 0.15 <= mask.mean() < 0.35
    assert np.array_equal(mask, random_mask(size, kind, share=0.15, seed=3))
    assert not np.array_equal(mask, random_mask(size, kind, share=0.15, seed=4))


def test_one_pixel_can_be_masked_too() -> None:
    assert random_mask((1, 1), "dust", share=0.5, seed=0).shape == (1, 1)


def test_gray_pictures_stay_gray_and_transparent_ones_are_refused() -> None:
    gray = Picture(pixels=np.zeros((30, 40, 1), np.float32))
    assert Damage(noise=20, poisson=1).apply(gray)[0].pixels.shape == (30, 40, 1)
    colour = Picture(pixels=np.zeros((30, 40, 3), np.float32))
    assert Damage(noise=20, poisson=1).apply(colour)[0].is_gray
    with pytest.raises(PictureError, match="transparency"):
        Damage(noise=20).apply(Picture(pixels=gray.pixels, alpha=np.zeros((30, 40), np.uint8)))


def test_deep_pictures_stay_deep() -> None:
    deep = Picture(pixels=to_unit(np.full((64, 64, 1), 30000, np.uint16), 16), depth=16)
    damaged, _ = Damage(noise=10).apply(deep)
    assert damaged.depth == 16
    assert damaged.pixels.std() * 127.5 == pytest.approx(10, rel=0.05)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"noise": float("nan")},
        {"noise": -1},
        {"scale": 9},
        {"blur": -1},
        {"jpeg": 0},
        {"jpeg": 5, "subsampling": "x"},
    ],
)
def test_nonsense_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        Damage(**options)  # type: ignore[arg-type]


class TestCommand:
    def test_noise_and_mask_with_their_record(self, diffuse: Run, cat: Path) -> None:
        options = ["--noise", "20", "--mask-random", "strokes", "--mask-share", "0.2", "--seed", "5"]
        assert diffuse("degrade", cat, "-q", "-o", "made/", *options).stderr == b""
        made = cat.parent / "made"
        assert sorted(p.name for p in made.iterdir()) == ["in.json", "in.mask.png", "in.png"]
        mask, before, after = pixels(made / "in.mask.png") > 0, pixels(cat).astype(float), pixels(made / "in.png")
        assert 0.2 <= mask.mean() < 0.4
        assert (after[mask] == 255).all()
        middle = ~mask[..., None] & (before > 70) & (before < 185)
        assert (after - before)[middle].std() == pytest.approx(20, rel=0.05)
        record = json.loads((made / "in.json").read_text())
        assert record["input_sha256"] == hashlib.sha256(cat.read_bytes()).hexdigest()
        assert (record["noise"], record["mask"], record["mask_share"], record["seed"]) == (20, "strokes", 0.2, 5)

    def test_the_record_makes_the_same_bytes_again(self, diffuse: Run, cat: Path) -> None:
        options = ["--blur", "1", "--scale", "1.5", "--poisson", "2", "--noise", "5", "--jpeg", "60", "-o"]
        assert diffuse("degrade", cat, *options, "a.jpg").returncode == 0
        assert diffuse("degrade", cat, *options, "b.jpg").returncode == 0
        a, b = cat.with_name("a.jpg"), cat.with_name("b.jpg")
        assert a.read_bytes() == b.read_bytes()
        with Image.open(a) as image:
            assert image.size == (64, 43)
            reference = Image.new("RGB", (8, 8))
            reference.save(cat.with_name("r.jpg"), quality=60)
            with Image.open(cat.with_name("r.jpg")) as expected:
                assert image.quantization == expected.quantization  # type: ignore[attr-defined]

    @pytest.mark.parametrize(
        "options",
        [
            [],
            ["--noise", "nan"],
            ["--mask-random", "graffiti"],
            ["--jpeg", "60", "-o", "out.png"],
            ["--noise", "5", "-o", "out.jpg"],
            ["--noise", "5", "-o", "taken.png"],
        ],
        ids=" ".join,
    )
    def test_usage_errors_write_nothing(self, diffuse: Run, cat: Path, options: list[str]) -> None:
        cat.with_name("taken.json").write_text("mine")
        result = diffuse("degrade", cat, *options)
        assert result.returncode == 2
        assert len(result.stderr.splitlines()) == 1
        assert sorted(p.name for p in cat.parent.iterdir()) == ["in.png", "taken.json"]
