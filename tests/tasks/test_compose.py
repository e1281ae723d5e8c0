"""Compositing: what is to stay stays to the bit, and what is put in belongs."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from diffuse_cli import restore
from diffuse_cli.degradation.mask_shapes import steps_inside
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.errors import PictureError, UsageError
from diffuse_cli.images.convert import to_picture
from diffuse_cli.images.image_io import Picture, to_levels, to_unit
from diffuse_cli.images.picture import integers
from diffuse_cli.restoration.restore import restore as restored_by
from diffuse_cli.tasks.compose import Compose
from diffuse_cli.tasks.composition.blending import Condition, compose
from diffuse_cli.tasks.composition.matching import light_gains, lit, missing_blur
from diffuse_cli.tasks.composition.membrane import corrected
from diffuse_cli.tasks.composition.placing import Layer, place
from diffuse_cli.tasks.composition.region import seam_distance
from diffuse_cli.tasks.extend import Extend, margins_of


def random_picture(size: tuple[int, int], seed: int = 0, channels: int = 3, depth: int = 8) -> Picture:
    rng = np.random.default_rng(seed)
    return Picture(pixels=to_unit(integers(rng.integers(0, 2**depth, (*size, channels)), depth), depth), depth=depth)


def smooth(size: tuple[int, int], seed: int = 0) -> Tensor:
    """(1, 3, *size), soft colours in [-1, 1]."""
    coarse = torch.rand((1, 3, 4, 5), generator=torch.Generator().manual_seed(seed)) * 1.4 - 0.7
    return torch.nn.functional.interpolate(coarse, size=size, mode="bilinear", align_corners=True)


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("at", "band"), [((20, 10), 8), ((-15, -9), 16), ((50, 40), 32), ((0, 0), 5)])
def test_beyond_the_band_nothing_changes(toy: Model, at: tuple[int, int], band: int, channels: int, depth: int) -> None:
    base = random_picture((64, 80), channels=channels, depth=depth)
    insert = random_picture((30, 40), seed=1)
    request = Compose(insert=insert, at=at, band=band)
    after = restored_by(base, request.problem(base), Settings(), toy)
    inside = np.zeros((64, 80), bool)
    inside[max(at[1], 0) : at[1] + 30, max(at[0], 0) : at[0] + 40] = True
    reach = band // 2
    rows, columns = np.nonzero(inside)
    v, u = np.mgrid[:64, :80]
    beyond = (np.maximum(rows.min() - v, v - rows.max()) > reach) | (
        np.maximum(columns.min() - u, u - columns.max()) > reach
    )
    assert beyond.any()
    assert np.array_equal(to_levels(after.pixels, depth)[beyond], to_levels(base.pixels, depth)[beyond])
    assert not np.array_equal(to_levels(after.pixels, depth)[inside], to_levels(base.pixels, depth)[inside])


def test_steps_count_from_the_border() -> None:
    region = torch.zeros(1, 1, 9, 9, dtype=torch.bool)
    region[..., 2:7, 1:8] = True
    steps = steps_inside(region, 10)[0, 0]
    assert steps[4].tolist() == [0, 1, 2, 3, 3, 3, 2, 1, 0]
    distance = seam_distance(region.float(), 10)[0, 0]
    assert distance[4, :2].tolist() == [0.5, 0.5]


def test_placing_copies_crops_and_turns() -> None:
    x, cover = torch.rand(1, 3, 4, 6), torch.ones(1, 1, 4, 6)
    there = place(x, cover, (10, 10), at=(-2, 7))
    assert torch.equal(there.x[..., 7:10, 0:4], x[..., :3, 2:])
    assert there.cover.sum() == 12
    turned = place(x, cover, (10, 10), at=(0, 0), rotate=90)
    assert torch.allclose(turned.x[..., :6, :4], torch.rot90(x, 1, (-2, -1)), atol=1e-6)
    assert place(x, cover, (10, 10), at=(40, 0)).cover.sum() == 0
    askew = place(x, cover, (20, 20), at=(5, 5), scale=2, rotate=30)
    assert float(askew.cover.sum()) == pytest.approx(96, rel=0.1)


def test_what_is_transparent_does_not_bleed_in() -> None:
    x, cover = torch.full((1, 3, 16, 16), -1.0), torch.zeros(1, 1, 16, 16)
    x[..., 4:12, 4:12], cover[..., 4:12, 4:12] = 0.5, 1.0
    layer = place(x, cover, (40, 40), at=(4, 4), scale=1.7, rotate=20)
    seen = (layer.cover > 0.2).expand_as(layer.x)
    assert (layer.x[seen] - 0.5).abs().max() < 0.04


def test_a_darker_copy_gets_the_light_of_its_surroundings() -> None:
    base = smooth((80, 80))
    cover = torch.zeros(1, 1, 80, 80)
    cover[..., 20:60, 20:60] = 1
    dark = lit(base, (0.5, 0.5, 0.5))
    gains = light_gains(base, Layer(x=dark, cover=cover), 1.0)
    assert gains == pytest.approx((2.0, 2.0, 2.0), rel=0.25)
    assert light_gains(base, Layer(x=dark, cover=cover), 0.0) == (1.0, 1.0, 1.0)
    assert missing_blur(1.5, 0.9) == pytest.approx(1.2)
    assert missing_blur(0.9, 1.5) == missing_blur(None, 1.0) == 0.0


def test_the_membrane_meets_the_picture_at_the_seam() -> None:
    base = smooth((80, 80))
    cover = torch.zeros(1, 1, 80, 80)
    cover[..., 20:60, 20:60] = 1
    shifted = Layer(x=base - 0.3, cover=cover)
    assert (corrected(base, shifted) - base)[..., 20:60, 20:60].abs().max() < 0.04


@pytest.mark.parametrize("noise", np.linspace(0.01, 0.5, 8))
def test_no_grain_is_added_where_nothing_is_covered(noise: float) -> None:
    cover = torch.zeros(1, 1, 16, 20)
    layer, base = Layer(x=torch.zeros(1, 3, 16, 20), cover=cover), torch.zeros(1, 3, 16, 20)
    of_base, of_layer = Condition(noise=noise, blur=None), Condition(noise=0.0, blur=None)
    made = compose(base, layer, "seam", 4, of_base=of_base, of_layer=of_layer, match=0, seed=0, gray=False)
    assert (made.grain == 0).all()


def test_grain_is_that_of_the_picture(toy: Model) -> None:
    rng = np.random.default_rng(0)
    noisy = 128 + 10 * rng.standard_normal((160, 160, 3))
    base = Picture(pixels=to_unit(noisy.round().astype(np.uint8), 8))
    flat = Picture(pixels=np.zeros((100, 100, 3), np.float32))
    after = restored_by(base, Compose(insert=flat, at=(30, 30), blend="gradient").problem(base), Settings(), toy)
    assert (to_levels(after.pixels, 8)[60:110, 60:110].astype(float)).std() == pytest.approx(10, rel=0.1)


def test_what_cannot_be_composed_or_extended_is_refused() -> None:
    picture = random_picture((20, 30))
    with pytest.raises(PictureError, match="20x10"):
        Compose(insert=random_picture((10, 20)), at=None).problem(picture)
    with pytest.raises(UsageError, match="the mask is 30x20"):
        Compose(insert=random_picture((10, 20)), mask=np.ones((20, 30), np.float32))
    for bad in ({}, {"to_size": (9, 9), "pad": (1, 1, 1, 1)}, {"pad": (-1, 0, 0, 0)}, {"pad": (0, 0, 0, 0)}):
        with pytest.raises(UsageError):
            Extend(**bad)
    for small in ((30, 20), (20, 40), (200, 20)):
        with pytest.raises(PictureError):
            Extend(to_size=small).problem(picture)
    assert margins_of((2, 3), 1, 0, 0, 2).sum() == 4 * 4 - 6
    outside = Compose(insert=random_picture((4, 4)), at=(100, 0)).problem(picture)
    assert "nothing is changed" in outside.findings.warnings[0]
    assert outside.leaves_alone


def test_python_gives_back_the_very_floats(toy_file: Path) -> None:
    rng = np.random.default_rng(3)
    array = rng.random((24, 32, 3))
    extended = restore(array, Extend(pad=(5, 0, 3, 2)), model=toy_file, steps=1)
    assert np.array_equal(extended[:24, 5:37], array)
    insert = to_picture(rng.random((8, 8, 3)))
    composed = restore(array, Compose(insert=insert, at=(2, 2), band=4), model=toy_file)
    assert np.array_equal(composed[:, 14:], array[:, 14:])
    assert not math.isnan(composed.sum())


def cut_out(seed: int = 1) -> Picture:
    """A round cut-out with a soft edge of two pixels."""
    rows, columns = np.ogrid[:40, :50]
    distance = np.hypot(rows - 20, columns - 25)
    alpha = np.rint(255 * np.clip((17 - distance) / 2, 0, 1)).astype(np.uint8)
    return replace(random_picture((40, 50), seed=seed), alpha=alpha)


def test_a_cut_out_with_alpha_keeps_its_edge(toy: Model) -> None:
    base = Picture(pixels=smooth((64, 80))[0].permute(1, 2, 0).contiguous().numpy())
    insert = replace(cut_out(), pixels=smooth((40, 50), seed=1)[0].permute(1, 2, 0).contiguous().numpy())
    task = Compose(insert=insert, at=(10, 12), match=0)
    assert task.how == "edge"
    assert task.to_recipe()["blend"] == "edge"
    problem = task.problem(base)
    assert problem.hole is None or not problem.hole.any()
    after = restored_by(base, problem, Settings(), toy)
    laid = restored_by(base, Compose(insert=insert, at=(10, 12), blend="alpha").problem(base), Settings(), toy)
    covered = np.zeros((64, 80), bool)
    covered[12:52, 10:60] = insert.alpha > 0  # type: ignore[operator]
    assert np.array_equal(after.pixels[~covered], base.pixels[~covered])
    assert np.abs(after.pixels - laid.pixels)[covered].mean() < 0.02


def test_seams_are_painted_only_where_no_edge_is_known() -> None:
    insert = cut_out()
    opaque = replace(insert, alpha=np.full((40, 50), 255, np.uint8))
    assert Compose(insert=opaque).how == Compose(insert=replace(insert, alpha=None)).how == "seam"
    assert Compose(insert=insert, blend="seam").how == "seam"
    base = random_picture((64, 80))
    assert bool(np.any(Compose(insert=opaque, at=(5, 5)).problem(base).hole))


def test_colour_under_full_transparency_has_no_say() -> None:
    base, insert = random_picture((64, 80)), cut_out()
    other = insert.pixels.copy()
    other[insert.alpha == 0] = (-1, 1, -1)
    one, two = (
        Compose(insert=each, at=(10, 12)).problem(base).picture for each in (insert, replace(insert, pixels=other))
    )
    assert one is not None
    assert two is not None
    assert np.array_equal(one.pixels, two.pixels)


def test_the_light_of_a_thing_moves_less_than_that_of_a_scene() -> None:
    base, cover = torch.full((1, 3, 80, 80), 0.9), torch.zeros(1, 1, 80, 80)
    cover[..., 20:60, 20:60] = 1
    layer = Layer(x=torch.full((1, 3, 80, 80), -0.9), cover=cover)
    condition = Condition(noise=0.0, blur=None)
    gains = {
        blend: compose(base, layer, blend, 4, of_base=condition, of_layer=condition, match=1, seed=0, gray=False).gains
        for blend in ("edge", "seam")
    }  # fmt: skip
    assert gains["edge"] == pytest.approx((2, 2, 2))
    assert gains["seam"] == pytest.approx((4, 4, 4))
