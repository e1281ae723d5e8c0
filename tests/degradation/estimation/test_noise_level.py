"""The noise estimators on synthetic scenes: smooth and textured random fields with edges between them.

What they read on photographs is measured elsewhere; the last test repeats a little of it where the pictures are.
"""

import io
import math
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from diffuse_cli.degradation.estimation.jpeg_noise import estimate_noise_jpeg
from diffuse_cli.degradation.estimation.noise_level import NoiseEstimate, estimate_noise
from tests.conftest import SHARED

CBSD68 = SHARED / "data" / "test" / "CBSD68"

Levels = NDArray[np.float32]

# Largest error of `level` against the std really present, by noise.
COLOUR_BARS = {5: 0.5, 15: 0.5, 25: 1.0, 50: 1.5}
GRAY_BARS = {5: 0.5, 15: 0.5, 25: 1.0, 50: 1.5}


def _field(height: int, width: int, slope: float, seed: int) -> NDArray[np.float64]:
    """A random field of mean 0 and std 1 whose amplitude falls with the frequency as f^-slope."""
    f = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    f[0, 0] = np.inf
    spectrum = np.fft.rfft2(np.random.RandomState(seed).normal(size=(height, width))) * f**-slope
    field = np.fft.irfft2(spectrum, (height, width))
    return np.asarray((field - field.mean()) / field.std())


def _scene(height: int = 240, width: int = 320, channels: int = 3, *, mean: float = 120, seed: int = 7) -> Levels:
    """A clean picture (H, W, C) of whole levels 0..255 whose channels share most of what they show.

    Smooth for the greater part; where one field is high lies an object with texture like leaves.
    """
    smooth = _field(height, width, 2.5, seed)
    texture = (_field(height, width, 2.5, seed + 1) > 0.5) * (0.5 + 0.3 * _field(height, width, 1.0, seed + 2))
    planes = [smooth + texture + 0.3 * _field(height, width, 2.5, seed + 3 + channel) for channel in range(channels)]
    return np.clip(np.round(mean + 35 * np.stack(planes, axis=2)), 0, 255).astype(np.float32)


def _noisy(clean: Levels, level: float, seed: int = 0) -> Levels:
    """As an 8-bit file would have it: rounded and clipped."""
    noise = np.random.RandomState(seed).normal(0, level, clean.shape)
    return np.clip(np.round(clean + noise), 0, 255).astype(np.float32)


def _jpeg(levels: Levels, quality: int) -> tuple[Levels, NDArray[np.int64]]:
    """The luma plane and its table of a 4:2:0 file, the way a caller gets them."""
    file = io.BytesIO()
    Image.fromarray(levels.astype(np.uint8).squeeze()).save(file, "JPEG", quality=quality, subsampling=2)
    with Image.open(file) as image:
        table = np.array(image.quantization[0])  # type: ignore[attr-defined]
        planes = image if image.mode == "L" else image.convert("YCbCr").getchannel(0)
        return np.asarray(planes, dtype=np.float32), table


def _text_page() -> Levels:
    image = Image.new("L", (400, 300), 255)
    draw = ImageDraw.Draw(image)
    for y in range(0, 300, 14):
        draw.text((10, y), "The quick brown fox jumps over the lazy dog 0123456789", fill=0)
    return np.asarray(image, dtype=np.float32)[:, :, None]


@pytest.mark.parametrize("noise", COLOUR_BARS)
def test_colour_reads_the_std_really_present(noise: int) -> None:
    clean = _scene()
    noisy = _noisy(clean, noise)
    estimate = estimate_noise(noisy, clips=True)
    assert estimate.level == pytest.approx(np.std(noisy - clean), abs=COLOUR_BARS[noise])
    assert estimate.nominal == pytest.approx(noise, abs=2 * COLOUR_BARS[noise])


@pytest.mark.parametrize("noise", GRAY_BARS)
def test_gray_reads_the_std_really_present(noise: int) -> None:
    clean = _scene(channels=1)
    noisy = _noisy(clean, noise)
    estimate = estimate_noise(noisy, clips=True)
    assert estimate.method == "ponomarenko"
    assert estimate.level == pytest.approx(np.std(noisy - clean), abs=GRAY_BARS[noise])
    assert estimate.nominal == pytest.approx(noise, abs=2 * GRAY_BARS[noise])


@pytest.mark.parametrize("channels", [1, 3])
def test_clean_pictures_read_nothing(channels: int) -> None:
    assert estimate_noise(_scene(channels=channels), clips=True).level == 0


@pytest.mark.parametrize("channels", [1, 3])
def test_faint_noise_is_read(channels: int) -> None:
    assert estimate_noise(_noisy(_scene(channels=channels), 2), clips=True).level == pytest.approx(2, abs=0.3)


def test_three_equal_channels_are_gray() -> None:
    gray = _noisy(_scene(channels=1), 15)
    assert estimate_noise(np.repeat(gray, 3, axis=2), clips=True) == estimate_noise(gray, clips=True)


def test_tinted_gray_is_not_taken_for_clean_colour() -> None:
    gray = _noisy(_scene(channels=1), 20)
    tinted = np.round(gray * np.array([1.0, 0.9, 0.7], dtype=np.float32))
    assert estimate_noise(tinted, clips=True).level == pytest.approx(20 * math.sqrt((1 + 0.81 + 0.49) / 3), rel=0.1)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("mean", [40, 215])
def test_clipping_is_undone_for_the_nominal_level(channels: int, mean: float) -> None:
    clean = _scene(channels=channels, mean=mean)
    noisy = _noisy(clean, 40)
    estimate = estimate_noise(noisy, clips=True)
    assert estimate.level < 36
    assert estimate.level == pytest.approx(np.std(noisy - clean), rel=0.08)
    assert estimate.nominal == pytest.approx(40, rel=0.08)


@pytest.mark.parametrize("channels", [1, 3])
def test_what_did_not_clip_is_not_inverted(channels: int) -> None:
    clean = _scene(channels=channels)
    noisy = (clean + np.random.RandomState(0).normal(0, 50, clean.shape)).astype(np.float32)
    unclipped = estimate_noise(noisy, clips=False)
    assert unclipped.level == unclipped.nominal == pytest.approx(50, abs=1)
    # Squeezed into the range and called an integer file: nothing lies at the ends, so nothing was cut off there.
    scale = 255 / float(np.ptp(noisy))
    squeezed = estimate_noise((noisy - noisy.min()) * np.float32(scale), clips=True)
    assert squeezed.level == pytest.approx(50 * scale, rel=0.03)
    assert squeezed.nominal == pytest.approx(squeezed.level, rel=0.01)


@pytest.mark.parametrize("colour", [0, 128, 255])
def test_a_border_changes_nothing(colour: float) -> None:
    noisy = _noisy(_scene(), 15)
    framed = np.pad(noisy, ((60, 40), (30, 50), (0, 0)), constant_values=colour)
    assert estimate_noise(framed, clips=True) == estimate_noise(noisy, clips=True)


def test_text_on_white_paper_is_not_noise() -> None:
    page = _text_page()
    assert estimate_noise(page, clips=True).level == 0
    assert estimate_noise(np.repeat(page, 3, axis=2), clips=True).level == 0
    assert estimate_noise(_noisy(page, 15), clips=True).nominal == pytest.approx(15, rel=0.25)


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 5000, 3), (5000, 3, 1), (7, 7, 1), (8, 8, 3), (15, 15, 1)])
def test_pictures_too_small_read_nothing(shape: tuple[int, int, int]) -> None:
    estimate = estimate_noise(_noisy(np.full(shape, 120, np.float32), 20), clips=True)
    assert (estimate.level, estimate.nominal) == (0, 0)
    assert estimate.method in {"too small", "constant"}


@pytest.mark.parametrize("value", [0.0, 77.0, 255.0])
@pytest.mark.parametrize("channels", [1, 3])
def test_constant_pictures_read_nothing(value: float, channels: int) -> None:
    constant = np.full((64, 64, channels), value, np.float32)
    assert estimate_noise(constant, clips=True) == NoiseEstimate(level=0.0, nominal=0.0, method="constant")


@pytest.mark.parametrize(("side", "error"), [(16, 0.4), (32, 0.2), (64, 0.1)])
@pytest.mark.parametrize("channels", [1, 3])
def test_small_pictures_read_roughly(side: int, error: float, channels: int) -> None:
    clean = _scene(channels=channels)[100 : 100 + side, 100 : 100 + side]
    assert estimate_noise(_noisy(clean, 20), clips=True).level == pytest.approx(20, rel=error)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    channels=st.sampled_from([1, 3]),
    kind=st.sampled_from(["noise", "ends", "checks", "ramp", "half"]),
    clips=st.booleans(),
)
def test_odd_pictures_never_fail(height: int, width: int, channels: int, kind: str, clips: bool) -> None:
    rng = np.random.RandomState(height * 41 + width)
    y, x = np.indices((height, width))
    plane = {
        "noise": rng.uniform(0, 255, (height, width)),
        "ends": 255.0 * rng.randint(0, 2, (height, width)),
        "checks": 255.0 * ((x + y) % 2),
        "ramp": np.linspace(0, 255, width)[None].repeat(height, 0),
        "half": 255.0 * (x < width // 2),
    }[kind]
    levels = np.repeat(plane[:, :, None], channels, axis=2).astype(np.float32)
    table = np.full(64, 8)
    for estimate in (estimate_noise(levels, clips=clips), estimate_noise_jpeg(levels[:, :, 0], table)):
        assert math.isfinite(estimate.level)
        assert estimate.level >= 0
        assert math.isfinite(estimate.nominal)


def test_readings_repeat_and_leave_the_picture_alone() -> None:
    noisy = _noisy(_scene(), 15)
    before = noisy.copy()
    assert estimate_noise(noisy, clips=True) == estimate_noise(noisy, clips=True)
    np.testing.assert_array_equal(noisy, before)


def test_large_pictures_are_sampled() -> None:
    noisy = _noisy(np.full((1500, 2000, 1), 120, np.float32), 10)
    tracemalloc.start()
    estimate = estimate_noise(noisy, clips=True)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert estimate.level == pytest.approx(10, abs=0.2)
    assert peak < 200e6


@pytest.mark.parametrize("quality", [50, 75, 90, 95])
@pytest.mark.parametrize("channels", [1, 3])
def test_clean_jpegs_read_nothing(quality: int, channels: int) -> None:
    luma, table = _jpeg(_scene(channels=channels), quality)
    assert estimate_noise_jpeg(luma, table, gray=channels == 1).level == 0


@pytest.mark.parametrize("quality", [50, 75, 90, 95, 100])
@pytest.mark.parametrize("noise", [15, 25])
def test_noise_is_read_through_a_colour_jpeg(quality: int, noise: int) -> None:
    luma, table = _jpeg(_noisy(_scene(), noise), quality)
    assert estimate_noise_jpeg(luma, table).level == pytest.approx(noise, rel=0.12)


@pytest.mark.parametrize("quality", [50, 75, 90, 95])
@pytest.mark.parametrize("noise", [8, 15])
def test_noise_is_read_through_a_gray_jpeg(quality: int, noise: int) -> None:
    luma, table = _jpeg(_noisy(_scene(channels=1), noise), quality)
    assert estimate_noise_jpeg(luma, table, gray=True).level == pytest.approx(noise, rel=0.12)


def test_a_jpeg_table_may_be_flat_or_square() -> None:
    luma, table = _jpeg(_noisy(_scene(), 15), 80)
    assert estimate_noise_jpeg(luma, table) == estimate_noise_jpeg(luma, table.reshape(8, 8))


@pytest.mark.parametrize("shape", [(1, 1), (7, 7), (8, 8), (3, 500), (64, 64)])
def test_small_and_constant_jpegs_read_nothing(shape: tuple[int, int]) -> None:
    assert estimate_noise_jpeg(np.full(shape, 90, np.float32), np.full((8, 8), 10)).level == 0


def test_importing_is_cheap() -> None:
    code = (
        "import sys, diffuse_cli.degradation.estimation.noise_level, diffuse_cli.degradation.estimation.jpeg_tables;"
        "sys.exit(any(m in sys.modules for m in ('torch', 'skimage', 'PIL')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.skipif(not CBSD68.is_dir(), reason="the test photographs are not here")
@pytest.mark.parametrize("noise", COLOUR_BARS)
@pytest.mark.parametrize("gray", [False, True])
def test_photographs(noise: int, gray: bool) -> None:
    errors = []
    for path in sorted(CBSD68.glob("*.png"))[::23]:
        with Image.open(path) as image:
            clean = np.asarray(image.convert("L" if gray else "RGB"), dtype=np.float32)
        clean = clean[:, :, None] if gray else clean
        noisy = _noisy(clean, noise)
        errors.append(abs(estimate_noise(noisy, clips=True).level - float(np.std(noisy - clean))))
    assert np.mean(errors) < (1.5 if gray else COLOUR_BARS[noise])
