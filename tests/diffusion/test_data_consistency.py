"""Consistent enlargements: shrunk again, they are the input."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from diffuse_cli import restore as restore_any
from diffuse_cli.degradation.operators import resize
from diffuse_cli.degradation.resampling import shrinker, taps
from diffuse_cli.diffusion.data_consistency import projection, within_range
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.images.image_io import Picture, to_levels, to_unit
from diffuse_cli.restoration.restore import restore
from diffuse_cli.tasks.super_resolve import SuperResolve
from tests.conftest import EXAMPLES, Run
from tests.tasks.test_task import as_jpeg, flat

sizes = st.tuples(st.integers(1, 24), st.integers(1, 24), st.floats(1, 8), st.floats(1, 8))


def enlarged(h: int, w: int, down: float, across: float) -> tuple[int, int]:
    return max(round(h * down), h), max(round(w * across), w)


def shrunk(pixels: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """By Pillow's float resize, which has nothing to do with the code under test."""
    planes = [
        Image.fromarray(np.ascontiguousarray(pixels[..., c])).resize(size[::-1], Image.Resampling.BICUBIC)
        for c in range(pixels.shape[2])
    ]
    return np.stack([np.asarray(plane) for plane in planes], axis=2)


@given(sizes)
@settings(max_examples=60, deadline=None)
def test_a_projection_is_consistent_and_the_nearest(size: tuple[int, int, float, float]) -> None:
    """A P x = y, P P x = P x, and the step P x - x stands at right angles to all that A does not see."""
    h, w = size[:2]
    large = enlarged(*size)
    torch.manual_seed(h * 100 + w)
    y, x = torch.randn(1, 2, h, w), torch.randn(1, 2, *large)
    project = projection(y, large)
    p = project(x)
    torch.testing.assert_close(resize(project(p), (h, w)), y, atol=5e-5, rtol=0)
    torch.testing.assert_close(project(p), p, atol=2e-3, rtol=0)
    unseen = projection(torch.zeros_like(y), large)(torch.randn_like(x))
    cosine = float(((p - x) * unseen).sum() / ((p - x).norm() * unseen.norm()).clamp_min(1e-6))
    assert abs(cosine) < 1e-3


@pytest.mark.parametrize("size", [(20, 1), (1, 20), (9, 9), (1, 1)])
def test_the_shrinker_is_pillows(size: tuple[int, int]) -> None:
    """Also for one column, where torch's own is wrong."""
    x = np.random.default_rng(0).normal(size=(69, 30, 1)).astype(np.float32)
    ours = resize(torch.from_numpy(x[..., 0])[None, None], size)[0, 0].numpy()
    np.testing.assert_allclose(ours, shrunk(x, size)[..., 0], atol=1e-4)


@given(st.integers(1, 40), st.floats(1.01, 8))
@settings(max_examples=60, deadline=None)
def test_the_matrix_is_the_shrinkers(small: int, factor: float) -> None:
    large = max(round(small * factor), small + 1)
    first, weights = taps(small, large)
    matrix = np.zeros((small, large + weights.shape[1]))
    for i in range(small):
        matrix[i, first[i] : first[i] + weights.shape[1]] = weights[i]
    assert (matrix[:, large:] == 0).all()
    np.testing.assert_allclose(matrix[:, :large], resize(torch.eye(large)[None, None], (small, large))[0, 0], atol=1e-5)


@pytest.mark.parametrize(("small", "large"), [((70, 150), (151, 300)), ((1, 200), (1, 200)), ((130, 5), (523, 5))])
def test_blocks_are_the_shrinker_and_its_adjoint(small: tuple[int, int], large: tuple[int, int]) -> None:
    """Several blocks of each, axes that are not shrunk, and <A x, r> = <x, A^T r>."""
    torch.manual_seed(0)
    x, r = torch.randn(large), torch.randn(small)
    a = shrinker(small, large)
    shrunk_x, adjoint = torch.full(small, torch.nan), torch.full(large, torch.nan)
    for rows, part in a.shrunk(x):
        shrunk_x[rows] = part
    for rows, part in a.adjoint(r):
        adjoint[rows] = part
    torch.testing.assert_close(shrunk_x, resize(x[None, None], small)[0, 0], atol=2e-5, rtol=0)
    both = float((shrunk_x * r).sum(dtype=torch.float64)), float((x * adjoint).sum(dtype=torch.float64))
    assert both[0] == pytest.approx(both[1], rel=1e-4, abs=1e-3)


@given(st.integers(6, 20), st.integers(6, 20), st.floats(1.5, 5), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_within_the_range_it_stays_consistent(h: int, w: int, factor: float, seed: int) -> None:
    """Of a picture that was made by shrinking one in the range, with hard edges up to both ends of it."""
    rng = np.random.default_rng(seed)
    large = enlarged(h, w, factor, factor)
    blocks = rng.choice([-1.0, -0.9, 0.3, 1.0], (1, 1, -(-large[0] // 4), -(-large[1] // 4)))
    truth = torch.from_numpy(blocks.repeat(4, 2).repeat(4, 3)[..., : large[0], : large[1]]).float()
    y = ((resize(truth, (h, w)).clamp(-1, 1) + 1) * 127.5).round() / 127.5 - 1
    x = projection(y, large)(resize(y, large))
    found = within_range(x, y, 8)
    assert float(found.abs().max()) <= 1
    assert float((resize(found, (h, w)).clamp(-1, 1) - y).abs().max()) * 127.5 < 0.5


class TestResults:
    @pytest.mark.parametrize("steps", [1, 3])
    @pytest.mark.parametrize(("scale", "depth"), [(2, 8), (2.7, 16), (4, 8)])
    def test_shrink_to_the_input(self, toy: Model, scale: float, depth: int, steps: int) -> None:
        """Whatever the network says; this one knows nothing, so it is far off."""
        with Image.open(EXAMPLES / "coffee_small.png") as image:
            levels = np.asarray(image.convert("RGB").crop((10, 10, 58, 50)))
        given = levels if depth == 8 else levels.astype(np.uint16) * 257 - levels % 3
        picture = Picture(pixels=to_unit(given, depth), depth=depth)
        task = SuperResolve(scale=scale, consistent=True).problem(picture)
        made = to_levels(restore(picture, task, Settings(steps=steps), toy).pixels, depth)
        again = np.rint(shrunk(made.astype(np.float32), given.shape[:2])).clip(0, 2**depth - 1)
        wrong = again != given
        assert wrong.mean() < 0.002
        assert np.abs(again - given).max() <= 1
        plain = restore(picture, SuperResolve(scale=scale).problem(picture), Settings(steps=steps), toy).pixels
        loose = np.rint(shrunk((plain + 1) * (2**depth - 1) / 2, given.shape[:2]))
        assert (loose != given).mean() > 0.5

    def test_gray_alpha_and_floats(self, toy: Model) -> None:
        rng = np.random.default_rng(0)
        gray = Picture(
            pixels=to_unit(rng.integers(90, 160, (20, 24, 1)).astype(np.uint8), 8),
            alpha=rng.choice([0, 60, 255], (5, 6)).astype(np.uint8).repeat(4, 0).repeat(4, 1),
        )
        made = restore(gray, SuperResolve(scale=3, consistent=True).problem(gray), Settings(), toy)
        assert made.pixels.shape == (60, 72, 1)
        assert gray.alpha is not None
        visible = gray.alpha > 0
        np.testing.assert_allclose(shrunk(made.pixels, (20, 24))[visible], gray.pixels[visible], atol=0.6 / 127.5)
        bright = Picture(pixels=rng.normal(0, 2, (20, 24, 3)).astype(np.float32), depth=16, floating=True)
        free = restore(bright, SuperResolve(scale=2, consistent=True).problem(bright), Settings(), toy).pixels
        np.testing.assert_allclose(shrunk(free, (20, 24)), bright.pixels, atol=1e-3)

    def test_a_jpeg_or_noise_warns(self, tmp_path: Path) -> None:
        request = SuperResolve(scale=2, consistent=True)
        assert request.problem(flat((64, 64))).warnings == ()
        assert "its noise" in request.problem(flat((64, 64), noise=15)).warnings[0]
        jpeg = as_jpeg(flat((64, 64), noise=15), tmp_path, quality=60, subsampling="4:2:0")
        assert "JPEG compression" in request.problem(jpeg).warnings[0]
        assert SuperResolve(scale=2).problem(jpeg).warnings == ()

    def test_python_and_the_program(self, diffuse: Run, cat: Path, toy_file: Path) -> None:
        result = diffuse("super-resolve", cat, "--scale", "1.7", "--consistent", "-o", "o.png", "--model", toy_file)
        assert result.returncode == 0, result.stderr
        assert b"--consistent enlarges its noise" in result.stderr
        made = restore_any(str(cat), SuperResolve(scale=1.7, consistent=True), model=toy_file)
        with Image.open(cat.with_name("o.png")) as image:
            np.testing.assert_array_equal(np.asarray(image), np.asarray(made))
