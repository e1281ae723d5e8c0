"""Margins that are filled strip by strip, from what lies beside the edge."""

import numpy as np
from numpy.typing import NDArray

from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.images.image_io import Picture, to_unit
from diffuse_cli.restoration.restore import restore
from diffuse_cli.restoration.samples import Samples
from diffuse_cli.restoration.strips import LEAST_NEAR, strips
from diffuse_cli.tasks.extend import Extend, on_canvas


def meadow(height: int = 160, width: int = 220) -> NDArray[np.uint8]:
    """Green noise with a red thing in the middle, in levels."""
    levels = np.random.default_rng(0).normal((60, 140, 50), 12, (height, width, 3))
    levels[50:110, 80:140] = (220, 30, 30)
    return np.asarray(levels.round().clip(0, 255), np.uint8)


def picture() -> Picture:
    return Picture(pixels=to_unit(meadow(), 8))


def test_each_margin_has_a_window_and_what_is_near() -> None:
    larger = on_canvas(picture(), 20, 10, 0, 60)
    found = strips(larger.pixels, (20, 10, 0, 60))
    windows = [(rows.start, rows.stop, columns.start, columns.stop) for rows, columns in (one.window for one in found)]
    assert windows == [
        (10, 170, 0, 20 + LEAST_NEAR),
        (0, 10 + LEAST_NEAR, 0, 240),
        (230 - 60 - LEAST_NEAR, 230, 0, 240),
    ]
    for one in found:
        rows, columns = one.window
        assert one.sources.shape == (rows.stop - rows.start, columns.stop - columns.start)
    assert not found[0].sources[:, :20].any()
    assert found[0].sources[:, 20:30].all()


def test_a_thing_that_does_not_reach_the_edge_is_no_source() -> None:
    larger = on_canvas(picture(), 100, 0, 0, 0)
    (left,) = strips(larger.pixels, (100, 0, 0, 0))
    sources = left.sources[:, 100:]
    assert sources.shape[1] == 150
    assert not sources[56:104, 88:136].any()
    assert sources[:40].mean() > 0.95
    assert sources[:, :70].mean() > 0.95


def test_no_thing_is_repeated_in_the_margins(model: Model) -> None:
    before = picture()
    problem = Extend(pad=(60, 60, 60, 60)).problem(before)
    after = restore(before, problem, Settings(), model)
    assert after.pixels.shape == (280, 340, 3)
    assert np.array_equal(after.pixels[60:220, 60:280], before.pixels)
    red = after.pixels[..., 0] > after.pixels[..., 1] + 0.3
    red[60:220, 60:280] = False
    assert not red.any()
    assert 0.05 < after.pixels[:60].std() < 0.6


def test_small_pictures_are_extended_as_well(toy: Model) -> None:
    small = Picture(pixels=to_unit(meadow()[:5, :7].copy(), 8))
    after = restore(small, Extend(pad=(3, 9, 2, 1)).problem(small), Settings(), toy)
    assert after.pixels.shape == (15, 12, 3)
    assert np.array_equal(after.pixels[9:14, 3:10], small.pixels)
    gray = Picture(pixels=small.pixels[..., :1].copy(), alpha=np.full((5, 7), 255, np.uint8))
    after = restore(gray, Extend(pad=(3, 9, 2, 1)).problem(gray), Settings(steps=2), toy)
    assert after.alpha is not None
    assert (after.alpha == 255).all()


def test_a_trace_shows_the_whole_canvas_at_each_step(toy: Model) -> None:
    small = Picture(pixels=to_unit(meadow()[:40, :60].copy(), 8))
    samples = Samples(small, Extend(pad=(3, 0, 2, 0)).problem(small), toy, traces=True)
    trace = samples.traced(Settings(steps=3))
    assert len(trace.steps) == 4
    assert {image.size for _, image in trace.steps} == {(65, 40)}
