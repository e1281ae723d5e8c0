"""Holes wider than the network's reach: how wide they are, what is halved, and that what is known stays."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from diffuse_cli import restore as restore_any
from diffuse_cli.diffusion.denoiser import Observation, nothing_known
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.images.image_io import Picture, to_unit
from diffuse_cli.images.picture import integers
from diffuse_cli.provenance.recipe import read
from diffuse_cli.restoration.restore import restore
from diffuse_cli.restoration.wide_holes.scales import coarse_to_fine, halved, pyramid
from diffuse_cli.restoration.wide_holes.widths import REACH, dilated, eroded, wide_part, widest, width, window_of
from diffuse_cli.tasks.inpaint import Inpaint
from diffuse_cli.tasks.restore import Restore
from tests.conftest import EXAMPLES, Run, pixels

Mask = NDArray[np.bool_]


def box(size: tuple[int, int], rows: slice, columns: slice) -> Mask:
    hole = np.zeros(size, bool)
    hole[rows, columns] = True
    return hole


@given(st.integers(3, 14), st.integers(3, 14), st.floats(0, 0.3), st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_distances_are_those_counted_by_hand(h: int, w: int, share: float, seed: int) -> None:
    known = np.random.default_rng(seed).random((h, w)) < share
    known[seed % h, seed % w] = True
    away = np.full((h, w), 99)
    for i, j in itertools.product(range(h), range(w)):
        away[i, j] = min(max(abs(i - a), abs(j - b)) for a, b in np.argwhere(known))
    assert width(~known) == 2 * away.max()
    for reach in (0, 1, 3):
        np.testing.assert_array_equal(eroded(~known, reach), away > reach)
        np.testing.assert_array_equal(dilated(known, reach), away <= reach)


def test_what_is_wide() -> None:
    """A box with a scratch through it: the box is wide, the scratch, but for its root, is not."""
    hole = box((300, 300), slice(100, 200), slice(90, 220)) | box((300, 300), slice(140, 146), slice(0, 300))
    found = widest(hole)
    assert found is not None
    assert (found.levels(24), found.levels(26), found.levels(200)) == (3, 2, 0)  # 100 pixels halved twice are 25
    assert found.part[100:200, 90:220].all()
    assert not found.part[:, :80].any()
    assert not (found.part & ~hole).any()
    assert widest(box((300, 300), slice(100, 100 + REACH - 1), slice(0, 300))) is None
    assert widest(box((300, 300), slice(0, REACH - 2), slice(0, 300))) is not None  # known on one side only
    assert widest(np.ones((60, 60), bool)) is None
    assert widest(np.zeros((60, 60), bool)) is None
    assert not wide_part(hole, 120, 4).any()


def test_windows_begin_on_the_grid() -> None:
    rows, columns = window_of(box((500, 400), slice(200, 210), slice(390, 400)), 30, 64)
    assert (rows, columns) == (slice(128, 240), slice(320, 400))


def test_halving_averages_what_is_known() -> None:
    y = torch.arange(12.0).reshape(1, 1, 3, 4).repeat(1, 3, 1, 1)
    known = torch.tensor([[1, 1, 0, 0], [1, 0, 1, 0], [1, 1, 0, 0]]).bool()[None, None]
    small, which = halved(torch.where(known, y, torch.nan), known)
    assert which[0, 0].tolist() == [[True, False], [True, False]]
    torch.testing.assert_close(small[0, 0, :, 0], torch.tensor([(0 + 1 + 4) / 3, (8 + 9) / 2]))
    assert len(pyramid(y, known, 9)) <= 4


def test_every_scale_is_given_what_is_known_exactly() -> None:
    """And the enlarged result of the one before as its guide; the answer is the finest."""
    torch.manual_seed(0)
    y = torch.randn(1, 3, 90, 131)
    hole = torch.from_numpy(box((90, 131), slice(10, 70), slice(20, 101)))
    seen: list[tuple[int, Observation]] = []

    def solve(observation: Observation, halvings: int) -> torch.Tensor:
        seen.append((halvings, observation))
        assert observation.y is not None
        assert observation.sigma_y is not None
        return torch.where(observation.sigma_y == 0, observation.y, 0.1 * halvings)

    filled = coarse_to_fine(nothing_known(1, 4, y.device), y, hole, 2, solve)
    assert [k for k, _ in seen] == [2, 1, 0]
    torch.testing.assert_close(filled, torch.where(hole, 0.0, y))
    middle = seen[1][1]
    assert middle.mu.shape == (1, 3, 45, 66)
    torch.testing.assert_close(middle.mu[0, :, 20, 30], torch.full((3,), 0.2))
    assert middle.cond[0, 0] == 1  # one octave, as of any picture enlarged twice
    assert float(seen[0][1].cond.abs().max()) == 0


class TestRestored:
    @pytest.mark.parametrize("how", [Settings(textured=True), Settings(), Settings(steps=3)])
    @pytest.mark.parametrize("depth", [8, 16])
    def test_known_pixels_stay_bit_for_bit(self, toy: Model, how: Settings, depth: int) -> None:
        rng = np.random.default_rng(0)
        levels = integers(rng.integers(0, 2**depth, (150, 170, 3)), depth)
        picture = Picture(pixels=to_unit(levels, depth), depth=depth)
        hole = box((150, 170), slice(30, 130), slice(25, 120)) | box((150, 170), slice(5, 9), slice(0, 170))
        made = restore(picture, Inpaint(mask=hole).problem(picture), how, toy).pixels
        assert np.array_equal(made[~hole], picture.pixels[~hole])
        assert np.isfinite(made).all()
        assert (made[hole] != picture.pixels[hole]).any(1).all()

    def test_seeds_differ_and_the_mean_does_not(self, toy: Model) -> None:
        picture = Picture(pixels=np.random.default_rng(0).normal(0, 0.3, (140, 140, 3)).astype(np.float32), depth=16)
        task = Inpaint(boxes=[(20, 20, 100, 100)]).problem(picture)
        assert "100 pixels wide" in task.notes[0]

        def made(seed: int, *, textured: bool) -> NDArray[np.float32]:
            return restore(picture, task, Settings(seed=seed, textured=textured), toy).pixels

        assert np.array_equal(made(1, textured=True), made(1, textured=True))
        assert not np.array_equal(made(1, textured=True), made(2, textured=True))
        assert np.array_equal(made(1, textured=False), made(2, textured=False))

    def test_narrow_holes_are_as_ever(self, toy: Model) -> None:
        picture = Picture(pixels=np.random.default_rng(0).normal(0, 0.3, (90, 90, 3)).astype(np.float32), depth=16)
        task = Inpaint(boxes=[(20, 20, 20, 40)]).problem(picture)
        assert task.notes == ()
        one, other = (restore(picture, task, Settings(textured=k), toy).pixels for k in (False, True))
        assert np.array_equal(one, other)

    def test_gray_stays_gray(self, toy: Model) -> None:
        plane = np.random.default_rng(0).normal(0, 0.3, (120, 130, 1)).astype(np.float32)
        picture = Picture(pixels=np.repeat(plane, 3, 2), depth=16)
        made = restore(picture, Inpaint(boxes=[(20, 20, 80, 90)]).problem(picture), Settings(textured=True), toy).pixels
        np.testing.assert_allclose(made, made[..., :1].repeat(3, 2), atol=1e-6)

    @pytest.mark.parametrize(("textured", "most", "at_rim"), [(True, 16, 3), (False, 30, 6)])
    def test_no_gray_and_no_seam_with_the_real_weights(
        self, model: Model, textured: bool, most: float, at_rim: float
    ) -> None:
        """In a smooth gradient a hole of 96 pixels comes back as the gradient, nearly, at its rim above all."""
        v, u = np.mgrid[-0.6:0.6:160j, -0.4:0.4:160j]
        pixels = np.stack([v, u, 0.3 * v + u], 2).astype(np.float32)
        picture = Picture(pixels=pixels, depth=16)
        task = Inpaint(boxes=[(32, 32, 96, 96)]).problem(picture)
        error = np.abs(restore(picture, task, Settings(textured=textured), model).pixels - pixels) * 127.5
        assert error.max() < most
        assert error[32:36, 40:120].max() < at_rim


def steepness(pixels: NDArray[np.float32], inside: Mask) -> float:
    """Mean absolute difference of neighbours in a region, away from its rim."""
    region = eroded(inside, 6)
    return float(np.mean([np.abs(np.diff(pixels, axis=axis, append=0))[region].mean() for axis in (0, 1)]))


@pytest.mark.parametrize("scale", [1, 2])
def test_beside_noise_a_wide_hole_has_texture_too(model: Model, scale: int) -> None:
    """What is around it is restored as ever, and it is not the blur that it would be if it were filled at once."""
    with Image.open(EXAMPLES / "cat_noisy.png") as image:
        given = np.asarray(image.crop((40, 120, 200, 280)))
    holes = Inpaint(boxes=[(30, 40, 80, 80)])
    task = Restore(noise=25, jpeg=100, blur=0, scale=scale, holes=holes).problem(Picture(pixels=to_unit(given, 8)))
    picture, how = Picture(pixels=to_unit(given, 8)), Settings(textured=True)
    made = restore(picture, task, how, model).pixels
    at_once = restore(picture, replace(task, at_once=1 << 20), how, model).pixels
    hole = box(made.shape[:2], slice(40 * scale, 120 * scale), slice(30 * scale, 110 * scale))
    assert np.array_equal(made[~hole], at_once[~hole])
    around = steepness(made, ~hole)
    assert steepness(made, hole) > 0.6 * around
    assert steepness(at_once, hole) < 0.4 * around
    assert any("80 pixels wide" in note for note in task.notes)


def test_the_program_and_python(diffuse: Run, toy_file: Path, tmp_path: Path) -> None:
    """Sampled unless steps are given; the recipe says so, and a given 1 is another recipe."""
    rough = np.random.default_rng(0).integers(
        0, 256, (112, 128, 3), np.uint8
    )  # a smooth one's fillings have no texture
    Image.fromarray(rough).save(tmp_path / "in.png")
    run = ["inpaint", "in.png", "--box", "20,20,80,80", "-o", "out.png", "--model", toy_file, "--resume"]
    result = diffuse(*run)
    assert result.returncode == 0, result.stderr
    assert b"80 pixels wide" in result.stderr
    told = read(tmp_path / "out.png")
    assert told is not None
    assert (told["steps"], told["wide_holes"], told["seed"]) == (1, "texture", 0)
    sampled = pixels(tmp_path / "out.png")
    assert diffuse(*run, "--steps", "1", "-f").returncode == 0
    mean = pixels(tmp_path / "out.png")
    assert (sampled != mean).any()
    given = str(tmp_path / "in.png")
    made = restore_any(given, Inpaint(boxes=[(20, 20, 80, 80)]), model=toy_file)
    np.testing.assert_array_equal(np.asarray(made), sampled)
    made = restore_any(given, Inpaint(boxes=[(20, 20, 80, 80)]), model=toy_file, steps=1)
    np.testing.assert_array_equal(np.asarray(made), mean)
