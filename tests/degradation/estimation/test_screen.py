"""Halftone screens are found, with period and angle. Photographs, text, patterns and blocks are none."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from diffuse_cli.degradation.estimation.screen import amplitude_in, find_screens, screens_of
from diffuse_cli.images.image_io import Picture, to_unit
from tests.conftest import SHARED, needs_shared
from tests.helpers.screens import ANGLES, dots, photo, printed

Levels = NDArray[np.floating[Any]]


def found(levels: Levels) -> list[tuple[float, float, str]]:
    planes = levels if levels.ndim == 3 else levels[..., None]
    screens = find_screens(np.rint(planes.clip(0, 255)).astype(np.float32))
    return [(round(s.period, 1), round(abs(s.angle)), s.confidence) for s in screens]


def jpeg(levels: Levels, quality: int) -> Levels:
    stream = io.BytesIO()
    Image.fromarray(np.rint(levels.clip(0, 255)).astype(np.uint8)).save(stream, "JPEG", quality=quality)
    with Image.open(stream) as image:
        return np.asarray(image, np.float64)


@pytest.mark.parametrize(("period", "angle"), [(3.0, 45.0), (4.2, 15.0), (5.5, 75.0), (7.3, 0.0), (8.0, 45.0)])
def test_a_screen_is_found(period: float, angle: float) -> None:
    gray = photo().mean(2)
    for levels in (dots(gray, period, angle), jpeg(dots(gray, period, angle), 60)):
        assert found(levels) == [(period, angle, "high")]


def test_a_faint_one_too() -> None:
    gray = photo().mean(2)
    assert found(gray + 0.3 * (dots(gray, 4.2, 45) - gray)) == [(4.2, 45, "high")]
    assert found(gray + 0.15 * (dots(gray, 4.2, 45) - gray)) == [(4.2, 45, "medium")]


def test_each_ink_has_its_own() -> None:
    screens = found(printed(photo((256, 320)), 5.0))
    assert {angle for _, angle, _ in screens} == set(ANGLES)
    assert {period for period, _, _ in screens} == {5.0}


def test_carriers_are_a_right_angle_and_amplitudes_are_levels() -> None:
    down, across = np.mgrid[0:200, 0:200]
    tones = np.linspace(60, 190, 200)
    levels = tones + 20 * np.cos(2 * np.pi * down / 4.4) + 20 * np.cos(2 * np.pi * across / 4.4)
    (screen,) = find_screens(levels[..., None].astype(np.float32))
    assert screen.period == pytest.approx(4.4, abs=0.01)
    assert screen.amplitude == pytest.approx(20, abs=0.5)
    first, second = np.array(screen.carriers)
    assert first @ second == pytest.approx(0)
    assert np.hypot(*first) == pytest.approx(1 / screen.period)
    assert amplitude_in(levels, screen) == pytest.approx(20, abs=0.5)


class TestNoScreens:
    """What looks like one."""

    @pytest.mark.parametrize("quality", [None, 40, 75, 92])
    def test_photographs(self, quality: int | None) -> None:
        assert found(photo() if quality is None else jpeg(photo(), quality)) == []

    @pytest.mark.parametrize("times", [3, 4, 5])
    def test_enlarged_pixels(self, times: int) -> None:
        small = photo((64, 80))
        assert found(np.kron(small, np.ones((times, times, 1)))) == []

    def test_lines_of_text(self) -> None:
        page = Image.new("L", (400, 300), 255)
        draw = ImageDraw.Draw(page)
        for top in range(4, 290, 11):
            draw.text((4, top), "the quick brown fox jumps over the lazy dog " * 2, fill=0)
        assert found(np.asarray(page, np.float64)) == []

    @pytest.mark.parametrize("period", [5, 7, 8, 10])
    def test_grids_checks_and_bricks(self, period: int) -> None:
        down, across = np.mgrid[0:240, 0:320]
        light = np.linspace(0, 60, 320)
        grid = (down % period == 0) | (across % period == 0)
        bricks = (down % period == 0) | ((across + down // period % 2 * period) % (2 * period) == 0)
        assert found(np.where(grid, 90.0, 60.0)) == []
        assert found(np.where(grid, 120.0, 80.0) + light) == []
        assert found(np.where(bricks, 160.0, 110.0) + light) == []
        assert found(np.where((down // period + across // period) % 2, 200.0, 50.0)) == []

    def test_a_wall_of_windows_in_a_part_is_not_sure(self) -> None:
        levels = photo((256, 320)).mean(2)
        down, across = np.mgrid[0:256, 0:320]
        windows = np.where((down % 6 < 3) & (across % 6 < 3), 60.0, 150.0)
        levels[:, :200] = windows[:, :200]
        assert "high" not in [confidence for _, _, confidence in found(levels)]

    @pytest.mark.parametrize("times", [1, 2, 3])
    @pytest.mark.parametrize("quality", [None, 90, 50, 10])
    def test_ordered_dithering_is_not_sure(self, times: int, quality: int | None) -> None:
        """Patterns of 2, 3, 4 and 8 pixels, enlarged or not, and JPEGs of them."""
        two = np.array([[0, 2], [3, 1]])
        four = np.block([[4 * two, 4 * two + 2], [4 * two + 3, 4 * two + 1]])
        eight = np.block([[4 * four, 4 * four + 2], [4 * four + 3, 4 * four + 1]])
        three = np.array([[0, 7, 3], [6, 5, 2], [4, 1, 8]])
        gray = photo((240, 320)).mean(2)[: 240 // times, : 320 // times]
        for pattern in (two, three, four, eight):
            h, w = (-(-n // len(pattern)) for n in gray.shape)
            ordered = np.tile((pattern + 0.5) / pattern.size * 255, (h, w))[: gray.shape[0], : gray.shape[1]]
            levels = np.kron(np.where(gray > ordered, 255.0, 0.0), np.ones((times, times)))
            seen = levels if quality is None else jpeg(levels, quality)
            assert "high" not in [confidence for _, _, confidence in found(seen)]

    def test_bars_of_a_chart_are_not_sure(self) -> None:
        levels = np.full((256, 256), 255.0)
        for left in range(32, 240, 36):
            levels[100:224, left : left + 15] = 120
        assert "high" not in [confidence for _, _, confidence in found(levels)]
        assert "high" not in [confidence for _, _, confidence in found(jpeg(levels, 75))]

    def test_woven_fabric(self) -> None:
        down, across = np.mgrid[0:240, 0:320]
        pull = 4 * np.sin(down / 31) + 5 * np.cos(across / 43 + down / 57)
        threads = 30 * np.cos(2 * np.pi * (down + pull) / 4.3) + 30 * np.cos(2 * np.pi * (across + 1.3 * pull) / 4.3)
        assert found(np.linspace(80, 160, 320) + threads) == []

    def test_small_pictures(self) -> None:
        assert found(dots(photo().mean(2), 4, 45)[:90, :90]) == []


def test_hidden_colours_do_not_count() -> None:
    levels = np.rint(dots(photo().mean(2), 4.2, 45)).astype(np.uint8)[..., None]
    alpha = np.full(levels.shape[:2], 255, np.uint8)
    alpha[:, 128:] = 0
    results = []
    for hidden in (0, 200):
        shown = np.where(alpha[..., None] > 0, levels, np.uint8(hidden)).astype(np.uint8)
        results.append(screens_of(Picture(pixels=to_unit(shown, 8), alpha=alpha)))
    assert results[0] == results[1]


@needs_shared
@pytest.mark.parametrize("name", ["test/Set14", "test/Classic5_gray"])
def test_no_photograph_of_the_sets_has_one(name: str) -> None:
    folder: Path = SHARED / "data" / name
    if not folder.is_dir():
        pytest.skip("needs the pictures in ../shared")
    for path in sorted(folder.iterdir()):
        with Image.open(path) as image:
            levels = np.asarray(image.convert("L" if image.mode == "L" else "RGB"), np.float64)
        assert found(levels) == [], path.name
        assert found(jpeg(levels, 75)) == [], path.name
