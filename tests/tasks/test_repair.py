"""The repair of old photographs: marks, noise and fading as one problem."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from diffuse_cli.errors import UsageError
from diffuse_cli.images.image_io import Picture
from diffuse_cli.images.srgb import encoded, linear
from diffuse_cli.images.tensors import to_tensor
from diffuse_cli.restoration.found_marks import FoundMarks
from diffuse_cli.restoration.problem import Problem
from diffuse_cli.tasks.inpaint import Inpaint
from diffuse_cli.tasks.repair import Repair
from diffuse_cli.tasks.tone.faded import is_faded
from diffuse_cli.tasks.tone.print_area import print_area

FADING = Repair(only=("fading",))


def scene(h: int = 160, w: int = 200) -> NDArray[np.float32]:
    """Blocks of colour with some grain, black and white among them: (H, W, 3), encoded, 0..1."""
    rng = np.random.default_rng(1)
    tones = np.concatenate([rng.uniform(0.1, 0.9, (18, 3)), np.zeros((1, 3)), np.ones((1, 3))])
    blocks = rng.permutation(tones)[np.arange(20).reshape(4, 5)]
    whole = np.kron(blocks, np.ones((h // 4, w // 5, 1)))
    return (whole + rng.normal(0, 0.004, whole.shape)).clip(0, 1).astype(np.float32)


def faded(v: NDArray[np.float32]) -> NDArray[np.float32]:
    """The same with a tinted veil in its light."""
    light = linear(torch.from_numpy(v)) * 0.8 + torch.tensor([0.12, 0.09, 0.06])
    return np.asarray(encoded(light).numpy(), np.float32)


def picture(v: NDArray[np.float32]) -> Picture:
    return Picture(pixels=2 * v - 1)


def test_a_picture_with_blacks_is_not_faded() -> None:
    problem = FADING.problem(picture(scene()))
    assert problem.leaves_alone
    assert problem.picture is None
    assert problem.findings.notes == ("fading: none found",)


def test_fading_is_undone_in_each_channel() -> None:
    before = scene()
    problem = FADING.problem(picture(faded(before)))
    assert problem.picture is not None
    restored = (problem.picture.pixels + 1) / 2
    assert np.abs(restored - before).mean() < 0.6 * np.abs(faded(before) - before).mean()
    black = before.max(2) < 0.02
    assert restored[black].max() < 0.08 < faded(before)[black].min()


def test_a_veil_that_may_be_of_the_scene_is_told_and_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Repair, "_restored", lambda *_: Problem())
    foggy = picture(0.35 + 0.3 * scene(80, 100))
    problem = Repair().problem(foggy)
    assert problem.picture is None
    assert problem.findings.notes[-1].endswith("of a print or of the scene; --only fading undoes it")
    assert FADING.problem(foggy).picture is not None
    framed = Picture(pixels=np.pad(foggy.pixels, ((12, 12), (12, 12), (0, 0)), constant_values=0.97))
    assert Repair().problem(framed).picture is not None
    stronger = Repair(saturation=1.5).problem(foggy)
    assert stronger.findings.facts["tone"] == {"black": 0, "cast": 0, "clarity": 0, "saturation": 1.5}


def test_prints_have_paper_and_hard_blacks() -> None:
    x = to_tensor(picture(faded(scene())).pixels)
    assert is_faded(x, 0.06)
    assert not is_faded(x, 0.001)  # too thin
    assert not is_faded(x * 0.5 - 0.4, 0.06)  # no paper
    assert not is_faded(torch.where(x == x.max(), 1, x * 1.2), 0.06)  # clipped
    soft = x.clone()
    soft[..., :8, :] = torch.linspace(-1, -0.4, x.shape[-1])  # the blacks fade away
    assert not is_faded(soft, 0.06)


def test_dark_marks_and_paper_do_not_hide_the_fading() -> None:
    v = faded(scene())
    seen = FADING.problem(picture(v)).findings.facts["tone"]["black"]
    v[20:150, 40:43] = 0  # a dark hair
    framed = np.pad(v, ((12, 12), (12, 12), (0, 0)), constant_values=0.97)
    framed[:12] = 0.97
    found = FADING.problem(picture(framed)).findings.facts["tone"]["black"]
    assert found == pytest.approx(seen, rel=0.15)


def test_the_tone_is_changed_after_the_marks_are_filled() -> None:
    v = faded(scene())
    hole = np.zeros(v.shape[:2], bool)
    hole[30:34, 20:180] = True
    problem = Repair(only=("marks", "fading"), holes=Inpaint(mask=hole)).problem(picture(v))
    assert problem.hole is not None
    assert (problem.hole == hole).all()
    tone = problem.finish.tone
    assert tone is not None
    x = to_tensor(picture(v).pixels)
    assert float(tone(x).min()) < float(x.min()) - 0.2


def test_too_many_marks_are_told_and_not_filled(monkeypatch: pytest.MonkeyPatch) -> None:
    def everything(picture: Picture, strength: float) -> FoundMarks:
        all_of_it = np.ones(picture.pixels.shape[:2], bool)
        return FoundMarks(marks=all_of_it, missing=~all_of_it, sure=all_of_it)

    monkeypatch.setattr("diffuse_cli.restoration.found_marks.find_marks", everything)
    problem = Repair(only=("marks",)).problem(picture(scene()))
    assert not problem.has_hole
    (warning,) = problem.findings.warnings
    assert "100.0 % of the picture looks damaged" in warning
    assert warning.endswith("nothing is filled")


def test_marks_that_may_be_things_stay_unless_they_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def few(picture: Picture, strength: float) -> FoundMarks:
        marks, missing = (np.zeros(picture.pixels.shape[:2], bool) for _ in range(2))
        marks[5, 5:20], missing[:4, :4] = True, True
        return FoundMarks(marks=marks, missing=missing, sure=missing)

    monkeypatch.setattr("diffuse_cli.restoration.found_marks.find_marks", few)
    problem = Repair(only=("marks",)).problem(picture(scene()))
    assert problem.hole is not None
    assert int(problem.hole.sum()) == 16
    assert "may be marks or things in it, and stays; --mask auto fills it" in problem.findings.notes[1]
    asked = Repair(only=("marks",), holes=Inpaint(mask="auto")).problem(picture(scene()))
    assert asked.hole is not None
    assert int(asked.hole.sum()) == 31


def test_a_gray_picture_stays_gray() -> None:
    gray = faded(np.repeat(scene()[..., :1], 3, axis=2)).mean(2, keepdims=True)
    problem = FADING.problem(picture(np.ascontiguousarray(gray)))
    assert problem.picture is not None
    assert problem.picture.pixels.shape[2] == 1


@pytest.mark.parametrize("options", [{"only": ("dust",)}, {"only": ()}, {"saturation": 4.0}])
def test_what_makes_no_sense_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"--(only|saturation)"):
        Repair(**options)  # type: ignore[arg-type]


def test_a_margin_is_even_and_ends_at_the_print() -> None:
    pixels = np.full((60, 80, 3), 0.95, np.float32)
    pixels[5:50, 10:72] = np.random.default_rng(0).uniform(-1, 0.5, (45, 62, 3))
    assert print_area(pixels) == (slice(5, 50), slice(10, 72))
    assert print_area(pixels[5:50, 10:72]) == (slice(0, 45), slice(0, 62))
    blank = np.full((60, 80, 3), 0.95, np.float32)
    assert print_area(blank) == (slice(0, 60), slice(0, 80))


def test_text_does_not_fade() -> None:
    v = np.ones((120, 160, 3), np.float32)
    rng = np.random.default_rng(2)
    for row in range(10, 110, 10):
        for column in range(10, 150, 4):
            v[row : row + int(rng.integers(3, 7)), column : column + 2] = 0.1
    problem = FADING.problem(picture(v))
    assert problem.leaves_alone
    assert problem.findings.notes == ("fading: none found",)
