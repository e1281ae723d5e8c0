"""What is estimated of one frame holds for all."""

from dataclasses import replace

import numpy as np
import pytest

from diffuse_cli.images.image_io import Picture, to_unit
from diffuse_cli.tasks.denoise import Denoise
from diffuse_cli.tasks.enhance import Enhance
from diffuse_cli.tasks.frames import problems_of_frames
from diffuse_cli.tasks.inpaint import Inpaint
from diffuse_cli.tasks.restore import Restore
from diffuse_cli.tasks.super_resolve import SuperResolve


def scene(noise: float, *, light: float = 1.0, seed: int = 0) -> Picture:
    """Smooth shapes under white noise."""
    rows, columns = np.mgrid[:128, :128]
    plane = 90 + 40 * np.sin(rows / 17) + 30 * np.cos(columns / 23)
    levels = plane[..., None] * np.array([1.0, 0.9, 0.8]) * light
    levels = levels + np.random.default_rng(seed).normal(0, noise, levels.shape)
    return Picture(pixels=to_unit(levels.round().clip(0, 255).astype(np.uint8), 8))


@pytest.mark.parametrize("task", [Denoise(), Restore(), SuperResolve(scale=2)])
def test_the_noise_is_that_of_one_frame(task: Denoise | Restore | SuperResolve) -> None:
    judged, other = scene(12), scene(4, seed=1)
    alone, known = task.problem(other), task.problem(judged)
    assert alone.degradation.noise != known.degradation.noise
    problem = problems_of_frames(task, judged)(other)
    assert problem.degradation == known.degradation
    assert problem.findings.facts == known.findings.facts


def test_impulses_are_found_in_each_frame() -> None:
    def with_impulses(picture: Picture, seed: int) -> Picture:
        pixels = picture.pixels.copy()
        where = np.random.default_rng(seed).random(pixels.shape[:2]) < 0.02
        pixels[where] = 1.0
        return replace(picture, pixels=pixels)

    judged, other = with_impulses(scene(12), 2), with_impulses(scene(4, seed=1), 3)
    known = Denoise().problem(judged)
    found = problems_of_frames(Denoise(), judged)(other)
    assert known.hole is not None
    assert found.hole is not None
    assert (found.hole != known.hole).any()
    assert found.degradation.noise == known.degradation.noise > 0


def test_light_is_that_of_one_frame() -> None:
    judged, other = scene(2, light=0.3), scene(2, light=0.5, seed=1)
    problem_of = problems_of_frames(Enhance(), judged)
    first, second, alone = problem_of(judged), problem_of(other), Enhance().problem(other)
    assert first.findings.facts["tone"]["exposure"] == second.findings.facts["tone"]["exposure"] > 0
    assert alone.findings.facts["tone"]["exposure"] != second.findings.facts["tone"]["exposure"]
    assert first.picture is not None
    np.testing.assert_array_equal(first.picture.pixels, Enhance().problem(judged).picture.pixels)  # type: ignore[union-attr]


def test_a_mask_is_the_same_in_all_frames() -> None:
    problem_of = problems_of_frames(Inpaint(boxes=[(4, 4, 8, 8)]), scene(2))
    hole = problem_of(scene(2, seed=1)).hole
    assert hole is not None
    assert hole.sum() == 64
