"""Damage found by the network and by looks."""

import numpy as np
import pytest
import torch

from diffuse_cli.diffusion.mark_detector import CLASSES
from diffuse_cli.images.image_io import Picture, to_unit
from diffuse_cli.images.picture import ExtraChannels, Source
from diffuse_cli.images.tensors import to_tensor
from diffuse_cli.restoration import found_marks
from diffuse_cli.restoration.found_marks import detector, find_marks, followed, logits_of, sure_lines
from tests.conftest import EXAMPLES, pixels


def scratched() -> Picture:
    return Picture(pixels=to_unit(pixels(EXAMPLES / "camera_scratched.png")[..., None], 8))


def test_scratches_on_a_photograph() -> None:
    truth = pixels(EXAMPLES / "camera_mask.png") > 0
    found = find_marks(scratched()).marks
    assert (found & truth).sum() > 0.7 * truth.sum()
    assert (found & truth).sum() > 0.4 * found.sum()


@pytest.mark.slow
def test_strength_finds_more_of_the_same() -> None:
    little, usual, much = (find_marks(scratched(), strength).all for strength in (0.0, 0.5, 1.0))
    assert not (little & ~usual).any()
    assert not (usual & ~much).any()
    assert 0 < little.sum() < usual.sum() < much.sum()


def test_a_mark_is_followed_to_its_faint_ends() -> None:
    logits = np.full((20, 60), -9.0, np.float32)
    logits[10, 5:50], logits[10, 20] = 1.0, 5.0  # faint, and sure at one place
    logits[3, 5:50] = 1.0  # as faint, and nowhere sure
    found = followed(logits, 3.0, 0.5)
    assert found[10, 5:50].all()
    assert found.sum() == 45


def test_a_line_is_sure_if_it_is_long_and_sure_all_along() -> None:
    logits = np.full((30, 60), -9.0, np.float32)
    logits[5, 10:50] = 4.0
    logits[15, 10:50], logits[15, 20] = 2.0, 9.0  # sure at one place
    logits[25, 10:20] = 4.0  # short
    assert np.array_equal(sure_lines(logits > 0, logits, 3.0), (logits == 4) & (np.arange(30) == 5)[:, None])
    assert not sure_lines(logits > 9, logits, 3.0).any()
    assert not sure_lines(np.ones((30, 30), bool), np.full((30, 30), 4, np.float32), 3.0).any(), "a wide part"


def test_what_is_missing_inside_of_a_worn_picture_is_not_sure(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = np.zeros((30, 40), bool)
    marks, missing, corner = nothing.copy(), nothing.copy(), nothing.copy()
    marks[20, 5:30], corner[:5, :5], missing[10:15, 10:20] = True, True, True
    monkeypatch.setattr(found_marks, "logits_of", lambda *_: np.zeros((2, 30, 40), np.float32))
    for is_worn in (True, False):
        monkeypatch.setattr(found_marks, "_judged", lambda *_, is_worn=is_worn: (marks, is_worn))
        monkeypatch.setattr(found_marks, "_missing", lambda *_: (missing | corner, nothing))
        found = find_marks(Picture(pixels=np.zeros((30, 40, 3), np.float32)))
        assert np.array_equal(found.sure, (marks | corner) & is_worn)
        assert np.array_equal(found.all, marks | missing | corner)


def test_tiles_are_seamless(monkeypatch: pytest.MonkeyPatch) -> None:
    x = to_tensor(scratched().pixels)[..., :320, :400]
    whole = logits_of(x, detector())
    monkeypatch.setattr(found_marks, "_TILE", 208)
    tiles = logits_of(x, detector())
    assert whole.shape == (len(CLASSES), 320, 400)
    assert float(np.abs(whole - tiles).mean()) < 0.05
    assert ((whole > 0) != (tiles > 0)).mean() < 0.002


def test_infrared_is_evidence() -> None:
    rng = np.random.default_rng(0)
    levels = (60000 + 300 * rng.standard_normal((96, 128, 1))).astype(np.uint16)
    levels[40:43, 10:100] = 20000
    pixels = torch.from_numpy(rng.uniform(-0.1, 0.1, (96, 128, 3))).float().numpy()
    source = Source(extra=ExtraChannels(levels=levels, kinds=(0,)))
    found = find_marks(Picture(pixels=pixels, source=source))
    assert found.infrared == pytest.approx(3 * 90 / (96 * 128), rel=0.1)
    assert found.marks[40:43, 10:100].mean() > 0.95
    assert find_marks(Picture(pixels=pixels)).infrared is None


def test_two_spots_of_a_dirty_sensor_are_sure_and_one_is_not() -> None:
    rng = np.random.default_rng(0)
    rows, columns = np.indices((128, 128))
    sky = 120 + rows[..., None] * np.array([0.2, 0.3, 0.4]) + rng.normal(0, 2, (128, 128, 3))
    for places in (((40, 40), (80, 90)), ((60, 60),)):
        levels = sky.copy()
        for y, x in places:
            levels *= 1 - 0.15 * np.exp(-((np.hypot(rows - y, columns - x) / 5) ** 4))[..., None]
        found = find_marks(Picture(pixels=to_unit(levels.round().astype(np.uint8), 8)))
        assert all(found.marks[place] for place in places)
        assert all(found.sure[place] for place in places) == (len(places) > 1)
