"""Restoring as a problem: what is found out, what is undone, what recipes say of it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from diffuse_cli.cli.run.facts import problem_facts
from diffuse_cli.degradation.damage import Damage
from diffuse_cli.degradation.estimation.estimate import estimate_degradation
from diffuse_cli.diffusion.photo_noise import PhotoNoise
from diffuse_cli.errors import UsageError
from diffuse_cli.images.image_io import Picture, read_picture, to_unit
from diffuse_cli.provenance import recipe
from diffuse_cli.provenance.source_type import fitting
from diffuse_cli.restoration.noise_reading import FoundNoise
from diffuse_cli.restoration.preparation import nothing_prepared
from diffuse_cli.tasks.denoise import Denoise
from diffuse_cli.tasks.inpaint import Inpaint
from diffuse_cli.tasks.restore import Restore, restore_only
from diffuse_cli.tasks.task import Task
from tests.conftest import EXAMPLES


def photo(side: int = 192) -> Picture:
    with Image.open(EXAMPLES / "camera_scratched.png") as image:
        return Picture(pixels=to_unit(np.array(image.crop((200, 60, 200 + side, 60 + side)))[..., None], 8))


def blurred(noise: float) -> Picture:
    return Damage(blur=1.6, noise=noise).apply(photo())[0]


def test_only_leaves_the_rest_out() -> None:
    def options(only: tuple[str, ...] | None, **given: float) -> tuple[object, ...]:
        task = Restore(**restore_only(only, given))
        return task.noise, task.jpeg, task.blur, task.screen

    assert options(("jpeg",)) == (None, "auto", None, None)
    assert options(("blur",)) == ("if-blurred", None, "auto", None)
    assert options(("noise", "jpeg", "blur"), noise=0.0) == (0.0, "auto", "auto", None)
    assert options(("screen",)) == (None, None, None, "auto")
    assert options(None) == ("auto", "auto", "auto", "if-sure")
    assert Restore(noise="if-blurred", jpeg=None) == Restore(only=("blur",))
    with pytest.raises(UsageError, match="--only leaves"):
        options(("jpeg",), noise=5.0)
    with pytest.raises(UsageError, match="--only takes"):
        options(("dust",))


def test_noise_is_told_with_a_blur_and_not_without() -> None:
    deblur = Restore(only=("blur",))
    task = deblur.problem(blurred(4))
    assert task.guide is not None
    assert task.degradation.blur == pytest.approx(1.6, abs=0.4)
    assert task.degradation.noise * 127.5 == pytest.approx(4, abs=1)
    assert deblur.problem(Damage(noise=15).apply(photo())[0]).leaves_alone


def test_what_is_known_is_not_looked_for() -> None:
    request = Restore(noise=20, jpeg=None, blur=0.0)
    assert request.estimated == ()
    task = request.problem(photo())
    assert task.degradation.noise * 127.5 == pytest.approx(20)
    assert task.guide is None
    assert task.findings.notes == ()


def test_noise_enters_once() -> None:
    for told in (Restore(noise=20, jpeg=60, blur=None), Restore(noise=20, jpeg=None, blur=1.5)):
        task = told.problem(photo())
        assert task.guide is not None
        assert task.degradation.noise * 127.5 == pytest.approx(20)


def test_holes_beside_noise_and_beside_a_guide() -> None:
    holes = Inpaint(boxes=[(10, 10, 20, 20)])
    noisy = Restore(noise=20, jpeg=None, blur=None, holes=holes).problem(photo())
    assert noisy.hole is not None
    assert noisy.hole.sum() == 400
    assert noisy.degradation.noise * 127.5 == pytest.approx(20)
    assert noisy.guide is None
    guided = Restore(noise=None, jpeg=None, blur=None, scale=2, holes=holes).problem(photo())
    assert guided.hole is not None
    assert guided.guide is not None
    assert (guided.hole.sum(), guided.size, guided.degradation.scale) == (400, (384, 384), 2)


def test_how_a_wide_hole_is_filled_is_told() -> None:
    """Beside noise, too: what is around the hole is restored first."""
    holes = Inpaint(boxes=[(10, 10, 150, 150)])
    for noise in (0.0, 9):
        task = Restore(noise=noise, jpeg=None, blur=None, holes=holes).problem(photo())
        assert [note for note in task.findings.notes if "pieces of the picture" in note]


def test_noise_is_measured_beside_the_holes() -> None:
    """A torn corner has none, and would be taken for the flattest part of the picture."""
    noisy = Damage(noise=8).apply(photo())[0]
    noisy.pixels[:60, :50] = 0.9
    torn = Restore(holes=Inpaint(boxes=[(0, 0, 50, 60)])).problem(noisy)
    assert torn.degradation.noise * 127.5 == pytest.approx(8, abs=1.5)


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
        told = recipe.plain({**made.to_recipe(), **problem_facts(made.to_recipe(), made.problem(photo(64)))})
        assert recipe.agrees(told, recipe.plain(made.to_recipe()))
        assert not recipe.agrees(told, recipe.plain(asked.to_recipe()))

    def test_what_was_found_is_told(self) -> None:
        picture = blurred(4)
        told = problem_facts(Restore().to_recipe(), Restore().problem(picture))
        assert told["noise"] == pytest.approx(4, abs=1)
        assert told["blur"] == pytest.approx(1.6, abs=0.4)
        assert told["jpeg"] == 100
        assert problem_facts(Denoise().to_recipe(), Denoise().problem(picture))["noise"] == pytest.approx(4, abs=1)

    def test_a_picture_that_is_left_alone_is_not_called_altered(self) -> None:
        def kind(request: Restore, picture: Picture) -> str | None:
            told = request.to_recipe()
            return fitting(
                recipe.plain({"operation": "restore", **told, **problem_facts(told, request.problem(picture))})
            )

        smooth = Picture(pixels=np.zeros((64, 64, 3), np.float32))
        assert kind(Restore(), smooth) is None
        assert kind(Restore(), blurred(4)) == "algorithmicallyEnhanced"
        assert kind(Restore(holes=Inpaint(boxes=[(1, 1, 5, 5)])), smooth) == "compositeWithTrainedAlgorithmicMedia"


def test_a_fine_jpeg_is_left_alone_and_a_drawing_earlier(tmp_path: Path) -> None:
    page = np.full((160, 160, 3), 255, np.uint8)
    page[40:44, 20:140] = page[60:64, 20:100] = 0
    scene = np.asarray(data.coffee()[60:220, 60:220])

    def told(levels: np.ndarray, quality: int, task: Restore) -> float:
        Image.fromarray(levels).save(tmp_path / "a.jpg", quality=quality)
        return task.problem(read_picture(tmp_path / "a.jpg")).degradation.quality

    assert told(scene, 70, Restore()) == 70
    assert told(scene, 94, Restore()) == 100
    assert told(page, 85, Restore()) == 100
    assert told(page, 60, Restore()) == 60
    assert told(page, 85, Restore(only=("jpeg",))) == 85, "asked for"
    assert told(page, 85, Restore(noise=0.0)) == told(scene, 94, Restore(noise=0.0)) == 100, "it is not named"


def test_a_doubtful_blur_stays_unless_it_is_asked_for() -> None:
    picture = blurred(4)
    found = estimate_degradation(picture)
    doubtful = replace(found, blur=replace(found.blur, value=1.0, confidence="medium", spread=0.1))

    def blur(task: Restore) -> float:
        return task.problem_of(nothing_prepared(picture), doubtful).degradation.blur

    assert blur(Restore()) == blur(Restore(noise=4.0)) == 0
    assert blur(Restore(only=("noise", "blur"))) == blur(Restore(only=("blur",), noise=4.0)) == 1.0


def test_a_jpeg_stays_where_noise_is_suspected(tmp_path: Path) -> None:
    Image.fromarray(np.asarray(data.coffee()[60:220, 60:220])).save(tmp_path / "a.jpg", quality=75)
    picture = read_picture(tmp_path / "a.jpg")
    found = estimate_degradation(picture)
    for task, quality in ((Restore(), 100), (Restore(only=("jpeg",)), 75)):
        problem = task.problem_of(nothing_prepared(picture), found, FoundNoise(level=0.0, suspected=2.5))
        assert problem.degradation.quality == quality
    (note,) = (
        Restore().problem_of(nothing_prepared(picture), found, FoundNoise(level=0.0, suspected=2.5)).findings.notes
    )
    assert note.startswith("noise: perhaps 2.5 levels, left as they are, JPEG: quality 75")
    assert Restore().problem_of(nothing_prepared(picture), found, FoundNoise(level=0.0)).degradation.quality == 75


def test_a_blur_is_undone_exactly_where_nothing_but_white_noise_came_after_it() -> None:
    seen = blurred(0.5)
    given = Restore(noise=None, jpeg=None, blur=1.6).problem(seen).guide
    estimated = Restore(noise=None, jpeg=None).problem(seen).guide
    assert given is not None
    assert given.linear is not None
    assert given.linear.blur == 1.6
    assert estimated is not None
    assert estimated.linear is not None
    assert estimated.linear.noise * 127.5 == pytest.approx(1)
    coded = Restore(noise=None, jpeg=80, blur=1.6).problem(seen).guide
    assert coded is not None
    assert coded.linear is None
    large = Restore(noise=None, jpeg=None, blur=6.0).problem(Damage(blur=6.0).apply(photo())[0]).guide
    assert large is not None
    assert large.linear is not None
    assert large.linear.blur > 4  # the network is told no more than 3
    assert large.degradation.blur == 3


def test_more_blur_than_shows_is_told() -> None:
    seen = blurred(0)
    right, wrong = (Restore(noise=None, jpeg=None, blur=std).problem(seen).findings.warnings for std in (1.6, 2.4))
    assert right == ()
    assert [line[:42] for line in wrong] == ["--blur 2.4: the picture looks blurred by 1"]


@pytest.mark.parametrize(
    ("level", "grain", "chance", "is_exact"),
    [(2.5, 0.75, 0.83, True), (2.5, 0.75, 0.95, False), (5.0, 0.75, 0.83, False), (2.5, 0.4, 0.83, False)],
)
def test_faint_grain_as_coarse_as_the_blur_is_texture(
    level: float, grain: float, chance: float, is_exact: bool
) -> None:
    clean = Picture(pixels=to_unit(data.astronaut()[100:260, 100:260], 8))
    blurred = Damage(blur=0.8).apply(clean)[0]

    def read(_picture: Picture) -> PhotoNoise:
        part = level / 127.5
        return PhotoNoise(
            level=part,
            grain=grain,
            luma=part,
            chroma=part,
            bright_over_dark=1.0,
            doubt=0.3,
            chance=chance,
            by_texture=-1.0,
            correlation=0.6,
        )

    guide = Restore(blur=0.8).problem(blurred, read).guide
    assert guide is not None
    assert (guide.linear is not None) == is_exact
    assert (guide.degradation.grain == 0) == is_exact
