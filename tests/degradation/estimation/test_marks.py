"""Masks that are found, drawn, grown and faded in; damage that looks like that of old prints."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from diffuse_cli.degradation.damage import Damage
from diffuse_cli.degradation.estimation.marks import find_marks, torn
from diffuse_cli.degradation.mask_shapes import fading, grown, polygon_mask
from diffuse_cli.degradation.random_masks import MaskKind
from diffuse_cli.errors import PictureError, UsageError
from diffuse_cli.images.image_io import Picture, to_unit
from diffuse_cli.provenance import recipe
from diffuse_cli.tasks.inpaint import Inpaint
from tests.conftest import EXAMPLES, pixels
from tests.running import Program

Mask = NDArray[np.bool_]


def near(mask: Mask, reach: int = 2) -> Mask:
    return np.asarray(ndimage.binary_dilation(mask, iterations=reach))


class TestFound:
    def test_scratches_on_a_photograph(self) -> None:
        levels, truth = pixels(EXAMPLES / "camera_scratched.png"), pixels(EXAMPLES / "camera_mask.png") > 0
        found = find_marks(levels[..., None].astype(np.float32))
        assert (found & truth).sum() > 0.6 * truth.sum()
        assert (found & near(truth, 4)).sum() > 0.8 * found.sum()

    def test_strength_finds_more_of_the_same(self) -> None:
        levels = pixels(EXAMPLES / "camera_scratched.png")[..., None].astype(np.float32)
        little, usual, much = (find_marks(levels, strength) for strength in (0.0, 0.5, 1.0))
        assert not (little & ~usual).any()
        assert not (usual & ~much).any()
        assert 0 < little.sum() < much.sum()

    @pytest.mark.parametrize("tone", [235, 8])
    def test_a_missing_corner_and_not_the_sky(self, tone: int) -> None:
        rng = np.random.default_rng(0)
        levels = (120 + 20 * np.sin(np.arange(200) / 9)[:, None, None] + rng.normal(0, 6, (200, 240, 3))).astype(
            np.float32
        )
        corner = np.add.outer(np.arange(200), np.arange(240)) < 40
        levels[corner] = tone
        found = torn(levels)
        assert (found & corner).sum() > 0.8 * corner.sum()
        assert not (found & ~near(corner)).any()
        levels[:60] = tone
        assert not torn(levels).any()

    @pytest.mark.parametrize("shape", [(1, 1, 1), (3, 200, 3), (40, 40, 1)])
    def test_nothing_in_nothing(self, shape: tuple[int, int, int]) -> None:
        assert not find_marks(np.full(shape, 90, np.float32)).any()
        assert not find_marks(np.zeros(shape, np.float32), 1.0).any()


class TestShapes:
    def test_growing_is_by_so_many_pixels(self) -> None:
        point = np.zeros((41, 41), bool)
        point[20, 20] = True
        distance = ndimage.distance_transform_edt(~point)
        for reach in (1, 4, 9):
            larger = grown(point, reach)
            assert larger[distance <= 0.9 * reach].all()
            assert not larger[distance > 1.2 * reach].any()

    def test_fading_is_inwards(self) -> None:
        mask = np.zeros((40, 50), bool)
        mask[5:30, 10:40] = True
        cover = fading(mask, 4)
        assert (cover[~mask] == 0).all()
        assert (cover[mask] > 0).all()
        assert (cover[12:23, 17:33] == 1).all()
        assert (np.diff(cover[17, 10:16]) >= 0).all()
        assert (fading(np.ones((9, 9), bool), 3) == 1).all()

    def test_a_polygon(self) -> None:
        found = polygon_mask((40, 50), [(10, 5), (30, 5), (30, 25), (10, 25)])
        assert found.sum() == 21 * 21
        assert found[5, 10]
        assert not polygon_mask((40, 50), [(60, 60), (70, 60), (65, 70)]).any()


class TestRequest:
    def picture(self) -> Picture:
        return Picture(pixels=to_unit(pixels(EXAMPLES / "camera_scratched.png")[..., None], 8))

    def test_too_much_is_refused_and_can_be_insisted_on(self) -> None:
        with pytest.raises(PictureError, match=r"--mask-limit \d+ insists"):
            Inpaint(mask="auto", mask_limit=0.5).problem(self.picture())
        task = Inpaint(mask="auto", mask_limit=50).problem(self.picture())
        assert task.hole is not None
        assert task.hole.any()
        assert "looks like dust" in task.notes[0]

    def test_grown_last_and_the_given_mask_is_not_changed(self) -> None:
        mask = np.zeros((512, 512), bool)
        task = Inpaint(mask=mask, boxes=[(100, 100, 10, 10)], grow=3).problem(self.picture())
        assert task.hole is not None
        assert task.hole[97, 105]
        assert not mask.any()

    @pytest.mark.parametrize(
        "options",
        [
            {"polygons": [((0, 0), (5, 5))]},
            {"mask": "auto", "grow": -1},
            {"mask": "auto", "mask_strength": 2},
            {"grow": 3},
        ],
    )
    def test_refused(self, options: dict[str, Any]) -> None:
        with pytest.raises(UsageError):
            Inpaint(**options)


class TestProgram:
    def test_outside_of_the_grown_polygon_all_is_exact(self, run: Program, cat: Path, toy_file: Path) -> None:
        line = ["inpaint", cat, "--model", toy_file, "--polygon", "20,20,50,20,35,45", "--grow", "2"]
        assert run(*line, "-o", "hard.png", "--save-mask", "m.png").code == 0
        assert run(*line, "-o", "soft.png", "--feather", "6").code == 0
        before, hard, soft = (pixels(cat.with_name(name)).astype(int) for name in ("in.png", "hard.png", "soft.png"))
        hole = pixels(cat.with_name("m.png")) > 0
        assert np.array_equal(hole, grown(polygon_mask((64, 96), [(20, 20), (50, 20), (35, 45)]), 2))
        assert np.array_equal(before[~hole], hard[~hole])
        assert np.array_equal(before[~hole], soft[~hole])
        rim = hole & ~ndimage.binary_erosion(hole)
        assert np.abs(soft - before)[rim].mean() < 0.5 * np.abs(hard - before)[rim].mean()
        assert np.array_equal(soft[fading(hole, 6) == 1], hard[fading(hole, 6) == 1])

    def test_a_mask_that_was_found_can_be_given_again(self, run: Program, cat: Path, toy_file: Path) -> None:
        scratched = cat.with_name("old.png")
        with Image.open(EXAMPLES / "camera_scratched.png") as image:
            image.crop((150, 100, 390, 340)).save(scratched)
        line = ["inpaint", scratched, "--model", toy_file, "--mask-limit", "40"]
        found = run(*line, "--mask", "auto", "--save-mask", "masks/", "-o", "a.png")
        assert found.code == 0, found.err
        assert "% of the picture looks like dust" in found.err
        again = run("inpaint", scratched, "--model", toy_file, "--mask", "masks/old.png", "-o", "b.png")
        assert again.code == 0, again.err
        assert np.array_equal(pixels(cat.with_name("a.png")), pixels(cat.with_name("b.png")))
        told = recipe.read(cat.with_name("a.png"))
        assert told is not None
        assert (told["mask"], told["mask_strength"], told["mask_limit"]) == ("auto", 0.5, 40)

    @pytest.mark.parametrize(
        "options",
        [
            "--polygon 1,2,3", "--polygon 1,2,3,4", "--polygon 1,2,3,x,5,6", "--grow 3", "--feather 2",
            "--save-mask m.png",
            "--mask auto --mask-strength 3", "--box 1,1,2,2 --mask-strength 0.9", "--box 1,1,2,2 --save-mask m.jpg",
            "--box 1,1,2,2 --save-mask in.png", "--box 1,1,2,2 --save-mask exists.png", "--box 1,1,2,2 --grow -1",
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("command", ["inpaint", "restore"])
    def test_usage(self, run: Program, cat: Path, command: str, options: str) -> None:
        cat.with_name("exists.png").write_bytes(cat.read_bytes())
        before = cat.read_bytes()
        result = run(command, "in.png", *options.split(), "-o", "out.png")
        assert result.code == 2, result.err
        assert len(result.err.splitlines()) == 1
        assert sorted(path.name for path in cat.parent.iterdir()) == ["exists.png", "in.png"]
        assert cat.read_bytes() == before

    def test_a_polygon_beside_the_picture(self, run: Program, cat: Path, toy_file: Path) -> None:
        result = run("inpaint", cat, "--model", toy_file, "--polygon", "200,200,210,200,205,210")
        assert result.code == 1
        assert "outside the picture" in result.err


@pytest.mark.parametrize("kind", ["dust", "scratches", "tears"])
def test_worn_marks(kind: MaskKind) -> None:
    picture = Picture(pixels=np.zeros((150, 200, 3), np.float32))
    plain, hole = Damage(mask=kind, mask_share=0.03, seed=5).apply(picture)
    worn, seen = Damage(mask=kind, mask_share=0.03, seed=5, worn=True).apply(picture)
    assert hole is not None
    assert seen is not None
    assert (plain.pixels[hole] == 1).all()
    assert (plain.pixels[~hole] == 0).all()
    assert not (hole & ~near(seen, 1)).any()
    assert np.abs(worn.pixels[~seen]).max() < 0.12, "what is not said to be hidden is hardly touched"
    again, _ = Damage(mask=kind, mask_share=0.03, seed=5, worn=True).apply(picture)
    assert np.array_equal(worn.pixels, again.pixels)
    assert len(np.unique(worn.pixels.round(2))) > 3, "tones of their own, and soft rims"
