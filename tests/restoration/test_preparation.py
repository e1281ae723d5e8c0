"""What is undone before the network: impulses become a hole, offsets of rows are subtracted."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data

from diffuse_cli.degradation.estimation.impulses import find_impulses
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.images.image_io import Picture, jpeg_coding, to_unit
from diffuse_cli.images.picture import Source, to_levels
from diffuse_cli.restoration.preparation import prepare
from diffuse_cli.restoration.restore import restore
from diffuse_cli.restoration.samples import Samples
from diffuse_cli.tasks.denoise import Denoise
from diffuse_cli.tasks.inpaint import Inpaint
from diffuse_cli.tasks.restore import Restore
from tests.degradation.estimation.test_impulses import salted
from tests.helpers.pictures import as_jpeg
from tests.helpers.screens import dots, photo

CLEAN = data.coffee()[60:220, 60:260]


def picture_of(levels: NDArray[Any], **source: Any) -> Picture:  # noqa: ANN401
    return Picture(pixels=to_unit(np.asarray(levels, np.uint8), 8), **source)


def peppered(share: float = 0.05) -> Picture:
    return picture_of(salted(CLEAN, np.random.default_rng(1), share))


def rowed(std: float = 6.0) -> Picture:
    moved = CLEAN + np.random.default_rng(2).normal(0, std, (len(CLEAN), 1, 1))
    return picture_of(moved.round().clip(0, 255))


def psnr(picture: Picture) -> float:
    levels = to_levels(picture.pixels, 8).astype(float)
    return float(10 * np.log10(255**2 / np.mean((levels - CLEAN) ** 2)))


def test_a_clean_picture_stays() -> None:
    found = prepare(picture_of(CLEAN))
    assert (found.hole, found.replaced, dict(found.facts), found.notes) == (None, None, {}, ())
    assert found.seen is found.picture


def test_impulses_are_a_hole_and_estimators_do_not_see_them() -> None:
    task = Denoise().problem(peppered())
    assert task.hole is not None
    assert task.hole.mean() == pytest.approx(0.05, abs=0.012)
    assert task.degradation.noise * 127.5 < 2
    assert task.findings.facts["impulses"] == pytest.approx(float(task.hole.mean()))
    assert task.findings.notes[0].startswith("impulses: ")
    both = salted(np.asarray(CLEAN + np.random.default_rng(3).normal(0, 12, CLEAN.shape)).clip(0, 255).astype(np.uint8),
                  np.random.default_rng(1), 0.05)  # fmt: skip
    for problem in (Denoise().problem(picture_of(both)), Restore().problem(picture_of(both))):
        assert problem.degradation.noise * 127.5 == pytest.approx(12, abs=1.5)
        assert problem.has_hole


def test_a_given_level_is_all_that_is_done() -> None:
    for picture in (peppered(), rowed()):
        for problem in (Denoise(noise=9).problem(picture), Restore(noise=9, jpeg=None, blur=None).problem(picture)):
            assert not problem.has_hole
            assert problem.picture is None
            assert "impulses" not in problem.findings.facts
    assert Denoise(strength=0).problem(peppered()).leaves_alone
    assert not Restore(noise="if-blurred", jpeg=None).problem(peppered()).has_hole


def test_rows_are_subtracted_before_the_noise_is_read() -> None:
    picture = rowed()
    problem = Denoise().problem(picture)
    assert problem.picture is not None
    assert problem.findings.facts["row_noise"] == pytest.approx(6, rel=0.3)
    assert "row noise: " in problem.findings.notes[0]
    assert problem.degradation.noise * 127.5 < 4


def test_a_jpeg_keeps_its_tables(tmp_path: Any) -> None:  # noqa: ANN401
    picture = as_jpeg(rowed(8), tmp_path, quality=92, subsampling="4:4:4")
    problem = Restore().problem(picture)
    assert problem.picture is not None
    assert problem.picture.source.jpeg == picture.source.jpeg


def test_the_result_is_better(model: Model) -> None:
    for picture, least in ((peppered(), 34), (peppered(0.2), 30), (rowed(), 34)):
        problem = Denoise().problem(picture)
        assert psnr(restore(picture, problem, Settings(), model)) > max(least, psnr(picture) + 2)


def test_known_pixels_stay(toy: Model) -> None:
    picture = peppered()
    problem = replace(Denoise().problem(picture), observation=Denoise(noise=0).problem(picture).observation)
    after = restore(picture, problem, Settings(), toy)
    assert problem.hole is not None
    assert (after.pixels[~problem.hole] == picture.pixels[~problem.hole]).all()


def test_strength_starts_from_the_files_own_picture(toy: Model) -> None:
    """With noise to remove, and with offsets alone."""
    grainy = rowed().pixels + np.random.default_rng(5).normal(0, 0.1, CLEAN.shape).astype(np.float32)
    for picture in (rowed(), replace(rowed(), pixels=grainy)):
        full, half = (Denoise(strength=share).problem(picture) for share in (1.0, 0.5))
        whole = restore(picture, full, Settings(), toy).pixels
        between = restore(picture, half, Settings(), toy).pixels
        assert between == pytest.approx((picture.pixels + whole) / 2, abs=1e-4)
        assert (Samples(picture, half, toy).restored(Settings()).pixels == between).all()


def test_transparent_pixels_keep_theirs(toy: Model) -> None:
    alpha = np.full(CLEAN.shape[:2], 255, np.uint8)
    alpha[:, :50] = 0
    picture = replace(peppered(), alpha=alpha)
    problem = Denoise().problem(picture)
    assert problem.hole is not None
    assert problem.hole.any()
    assert not problem.hole[:, :50].any()
    after = restore(picture, problem, Settings(), toy)
    assert (after.pixels[:, :50] == picture.pixels[:, :50]).all()


def test_impulses_join_a_mask(toy: Model) -> None:
    """Also one that fades; and dust is looked for in the picture without them."""
    picture = peppered(0.1)
    holes = Inpaint(boxes=((20, 20, 30, 30),), feather=4)
    problem = Restore(holes=holes).problem(picture)
    assert problem.hole is not None
    assert problem.finish.cover is not None
    assert problem.hole[20:50, 20:50].all()
    outside = problem.hole.copy()
    outside[20:50, 20:50] = False
    assert outside.mean() == pytest.approx(0.1, abs=0.03)
    assert (problem.finish.cover[outside] == 1).all()
    after = restore(picture, problem, Settings(), toy)
    assert np.abs(after.pixels - picture.pixels)[outside].max() > 0.2
    Restore(holes=Inpaint(mask="auto")).problem(picture)  # else too much looks damaged


@pytest.mark.parametrize("period", [2.6, 3.0])
def test_dots_of_a_screen_are_no_impulses(period: float) -> None:
    paper = np.where(dots(photo().mean(2), period, 45) > 127, 255, 0)
    scan = paper + np.random.default_rng(4).normal(0, 3, paper.shape)
    picture = picture_of(scan.round().clip(0, 255)[..., None])
    assert find_impulses((picture.pixels + 1) * np.float32(127.5)).where.any()
    prepared = prepare(picture)
    assert (prepared.hole, prepared.replaced, dict(prepared.facts)) == (None, None, {})
    assert prepared.screens
    assert Denoise().problem(picture).hole is None
    problem = Restore().problem(picture)
    assert problem.hole is None
    assert "screen" in problem.findings.facts
    assert "impulses" not in problem.findings.facts


def test_few_impulses_of_a_jpeg_are_told_only() -> None:
    rng = np.random.default_rng(0)
    levels = np.asarray(data.coffee()[60:220, 60:220]).astype(np.float32)
    for share, acted in ((0.004, False), (0.03, True)):
        dotted = levels.copy()
        dotted[rng.random(levels.shape[:2]) < share] = 255
        picture = Picture(pixels=dotted / np.float32(127.5) - 1)
        assert prepare(picture).hole is not None
        stored = replace(picture, source=Source(jpeg=jpeg_coding(95, "4:4:4")))
        assert (prepare(stored).hole is not None) == acted
