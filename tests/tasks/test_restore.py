"""diffuse estimate and restore: what is found out, what is undone, what recipes say of it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from PIL import Image

import diffuse_cli
from diffuse_cli.cli.run.restorer import _resolved
from diffuse_cli.degradation.damage import Damage
from diffuse_cli.degradation.estimation.patching import patched
from diffuse_cli.errors import UsageError
from diffuse_cli.images.image_io import Picture, to_unit
from diffuse_cli.provenance import recipe
from diffuse_cli.provenance.source_type import fitting
from diffuse_cli.tasks.denoise import Denoise
from diffuse_cli.tasks.inpaint import Inpaint
from diffuse_cli.tasks.restore import Restore, restore_only
from diffuse_cli.tasks.task import Task
from tests.conftest import EXAMPLES, pixels
from tests.running import Program

SCHEMA = json.loads((Path(diffuse_cli.__file__).parent / "json_lines.schema.json").read_text())


def photo(side: int = 192) -> Picture:
    with Image.open(EXAMPLES / "camera_scratched.png") as image:
        return Picture(pixels=to_unit(np.array(image.crop((200, 60, 200 + side, 60 + side)))[..., None], 8))


def blurred(noise: float) -> Picture:
    return Damage(blur=1.6, noise=noise).apply(photo())[0]


class TestRequest:
    def test_only_leaves_the_rest_out(self) -> None:
        none: Mapping[str, Any] = {"noise": None, "jpeg": None, "blur": None}
        assert restore_only(("jpeg",), none) == {"noise": None, "jpeg": "auto", "blur": None}
        assert restore_only(("noise", "jpeg", "blur"), {**none, "noise": 0.0}) == {
            "noise": 0.0, "jpeg": "auto", "blur": "auto",
        }  # fmt: skip
        with pytest.raises(UsageError, match="--only leaves it out"):
            restore_only(("jpeg",), {**none, "noise": 5.0})
        with pytest.raises(UsageError, match="--only takes"):
            restore_only(("dust",), none)

    def test_noise_is_told_with_a_blur_and_not_without(self) -> None:
        deblur = Restore(**restore_only(("blur",), {}))
        task = deblur.problem(blurred(4))
        assert task.guide is not None
        assert task.guide.blur == pytest.approx(1.6, abs=0.4)
        assert task.guide.noise * 127.5 == pytest.approx(4, abs=1)
        assert deblur.problem(Damage(noise=15).apply(photo())[0]).leaves_alone

    def test_what_is_known_is_not_looked_for(self) -> None:
        request = Restore(noise=20, jpeg=None, blur=0.0)
        assert request.estimated == ()
        task = request.problem(photo())
        assert task.noise * 127.5 == pytest.approx(20)
        assert task.guide is None
        assert task.notes == ()

    def test_noise_enters_once(self) -> None:
        for told in (Restore(noise=20, jpeg=60, blur=None), Restore(noise=20, jpeg=None, blur=1.5)):
            task = told.problem(photo())
            assert task.guide is not None
            assert task.noise == 0
            assert task.guide.noise * 127.5 == pytest.approx(20)

    def test_holes_beside_noise_and_beside_a_guide(self) -> None:
        holes = Inpaint(boxes=[(10, 10, 20, 20)])
        noisy = Restore(noise=20, jpeg=None, blur=None, holes=holes).problem(photo())
        assert noisy.hole is not None
        assert noisy.hole.sum() == 400
        assert noisy.noise * 127.5 == pytest.approx(20)
        assert noisy.guide is None
        guided = Restore(noise=None, jpeg=None, blur=None, scale=2, holes=holes).problem(photo())
        assert guided.hole is not None
        assert guided.guide is not None
        assert (guided.hole.sum(), guided.size, guided.guide.scale) == (400, (384, 384), 2)

    def test_how_a_wide_hole_is_filled_is_told(self) -> None:
        """Beside noise, too: what is around the hole is restored first."""
        holes = Inpaint(boxes=[(10, 10, 150, 150)])
        for noise in (0.0, 9):
            task = Restore(noise=noise, jpeg=None, blur=None, holes=holes).problem(photo())
            assert [note for note in task.notes if "pieces of the picture" in note]

    def test_noise_is_measured_beside_the_holes(self) -> None:
        """A torn corner has none, and would be taken for the flattest part of the picture."""
        noisy = Damage(noise=8).apply(photo())[0]
        noisy.pixels[:60, :50] = 0.9
        torn = Restore(holes=Inpaint(boxes=[(0, 0, 50, 60)])).problem(noisy)
        assert torn.noise * 127.5 == pytest.approx(8, abs=1.5)

    @pytest.mark.parametrize(
        "box", [(slice(0, 40), slice(0, 40)), (slice(30, 33), slice(None)), (slice(50, 64), slice(60, 90))]
    )
    def test_holes_are_patched_from_elsewhere(self, box: tuple[slice, slice]) -> None:
        x = np.random.default_rng(0).normal(0, 1, (64, 90, 3)).astype(np.float32)
        hole = np.zeros((64, 90), bool)
        hole[box] = True
        whole = patched(np.where(hole[..., None], np.float32(99), x), hole)
        assert np.array_equal(whole[~hole], x[~hole])
        assert whole[hole].max() < 99
        assert whole[hole].std() == pytest.approx(1, abs=0.1)
        assert (patched(x, np.ones((64, 90), bool)) == x).all()


class TestRecipe:
    """What another line made must not be taken for this one's."""

    @pytest.mark.parametrize(
        ("made", "asked"),
        [
            (Restore(noise=25, jpeg=40, blur=0.0), Restore(noise=25, jpeg=None, blur=None)),
            (Restore(), Restore(jpeg=None)),
            (Restore(noise="if-blurred", jpeg=None), Restore(jpeg=None)),
            (Restore(noise=5, holes=Inpaint(boxes=[(1, 1, 2, 2)])), Restore(noise=5)),
            (Restore(scale=2), Restore()),
            (Restore(), Restore(noise=12)),
        ],
    )
    def test_another_request(self, made: Task, asked: Task) -> None:
        told = recipe.plain({**made.to_recipe(), **_resolved(made.to_recipe(), made.problem(photo(64)))})
        assert recipe.agrees(told, recipe.plain(made.to_recipe()))
        assert not recipe.agrees(told, recipe.plain(asked.to_recipe()))

    def test_what_was_found_is_told(self) -> None:
        picture = blurred(4)
        told = _resolved(Restore().to_recipe(), Restore().problem(picture))
        assert told["noise"] == pytest.approx(4, abs=1)
        assert told["blur"] == pytest.approx(1.6, abs=0.4)
        assert told["jpeg"] == 100
        assert _resolved(Denoise().to_recipe(), Denoise().problem(picture))["noise"] == pytest.approx(4, abs=1)

    def test_a_picture_that_is_left_alone_is_not_called_altered(self) -> None:
        def kind(request: Restore, picture: Picture) -> str | None:
            told = request.to_recipe()
            return fitting(recipe.plain({"operation": "restore", **told, **_resolved(told, request.problem(picture))}))

        smooth = Picture(pixels=np.zeros((64, 64, 3), np.float32))
        assert kind(Restore(), smooth) is None
        assert kind(Restore(), blurred(4)) == "algorithmicallyEnhanced"
        assert kind(Restore(holes=Inpaint(boxes=[(1, 1, 5, 5)])), smooth) == "compositeWithTrainedAlgorithmicMedia"


class TestProgram:
    def test_a_rerun_skips_and_a_changed_option_does_not(self, run: Program, cat: Path, toy_file: Path) -> None:
        line = ["restore", cat, "--model", toy_file, "-o", "out.png", "-f", "--resume", "--json"]

        def status(*more: str) -> str:
            result = run(*line, *more)
            assert result.code == 0, result.err
            return str(json.loads(result.out.splitlines()[0])["status"])

        assert [status(), status(), status("--only", "noise"), status("--only", "noise")] == [
            "done", "skipped", "done", "skipped",
        ]  # fmt: skip
        found = recipe.read(cat.with_name("out.png"))
        assert found is not None
        assert (found["operation"], found["estimated"], found["jpeg"]) == ("restore", {"noise": "auto"}, 100)
        assert found["noise"] == pytest.approx(25, abs=3)

    def test_a_jpeg_that_was_repaired_is_not_damaged_again(self, run: Program, cat: Path, toy_file: Path) -> None:
        with Image.open(cat) as image:
            image.save(cat.with_suffix(".jpg"), quality=20)
        assert run("dejpeg", cat.with_suffix(".jpg"), "--model", toy_file, "-q").code == 0
        with Image.open(cat.with_name("in.dejpeg.jpg")) as result, Image.open(cat.with_suffix(".jpg")) as before:
            assert max(result.quantization[0]) <= 12 <= min(before.quantization[0])  # type: ignore[attr-defined]

    def test_restore_with_a_mask_keeps_clean_pixels_exact(self, run: Program, cat: Path, toy_file: Path) -> None:
        line = ["restore", cat, "--model", toy_file, "--noise", "0", "--only", "noise", "--box", "20,20,9,9"]
        assert run(*line, "-o", "out.png").code == 0
        before, after = pixels(cat).copy(), pixels(cat.with_name("out.png")).copy()
        assert not np.array_equal(before[20:29, 20:29], after[20:29, 20:29])
        before[20:29, 20:29] = after[20:29, 20:29] = 0
        assert np.array_equal(before, after)

    @pytest.mark.parametrize(
        "line",
        [
            "restore in.png --only dust", "restore in.png --only jpeg --noise 5", "restore in.png --noise loud",
            "restore in.png --jpeg 0", "restore in.png --blur nan", "restore in.png --scale 9",
            "restore in.png --mask nosuch.png", "restore in.png --box 1,2,3", "deblur in.png --blur -1",
            "dejpeg in.png --jpeg 101", "estimate", "estimate nosuch.png", "estimate in.png --shard 0/2",
        ],
    )  # fmt: skip
    def test_usage(self, run: Program, cat: Path, line: str) -> None:
        result = run(*line.split())
        assert result.code == 2, result.err
        assert len(result.err.splitlines()) == 1
        assert list(cat.parent.iterdir()) == [cat]

    def test_estimate_tells_in_words_and_in_json(self, run: Program, cat: Path) -> None:
        (cat.parent / "broken.png").write_text("no picture")
        words = run("estimate", cat)
        assert words.code == 0
        block = words.out.splitlines()
        assert block[0] == f"{cat}: 96x64"
        assert [line.split()[0] for line in block[1:]] == ["noise", "JPEG", "blur", "detail", "restore"]
        assert "would remove noise of 2" in block[-1]
        result = run("estimate", "--json", cat.parent)
        assert result.code == 1
        lines = [json.loads(line) for line in result.out.splitlines()]
        for line in lines:
            jsonschema.validate(line, SCHEMA)
        assert [line["status"] for line in lines[:-1]] == ["failed", "done"]
        assert lines[1]["estimate"]["noise"]["value"] == pytest.approx(25, abs=3)
        assert lines[1]["restore"]["changes"]
        assert (lines[-1]["done"], lines[-1]["failed"], lines[-1]["exit_code"]) == (1, 1, 1)


def test_api() -> None:
    array = np.random.default_rng(0).normal(120, 1, (32, 40, 3)).round().clip(0, 255).astype(np.uint8)
    restored = diffuse_cli.restore(array, Restore(noise=20, jpeg=None, blur=None))
    assert np.array_equal(restored, diffuse_cli.restore(array, Denoise(noise=20)))
    assert not np.array_equal(diffuse_cli.restore(array, Restore(noise=None, jpeg=30, blur=None)), array)
    assert not np.array_equal(diffuse_cli.restore(array, Restore(noise="if-blurred", jpeg=None, blur=1.5)), array)
