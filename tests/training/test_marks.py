"""Worn crops, and the training of the detector of marks."""

from pathlib import Path

import numpy as np
import pytest
import torch

from diffuse_cli.diffusion.mark_detector import CLASSES, load_detector
from diffuse_cli.errors import CheckpointError
from diffuse_cli.training import marks
from diffuse_cli.training.config import Length
from diffuse_cli.training.lookalikes import lookalike
from diffuse_cli.training.marks import DETECTOR, MarksRun, loss_of, oldest, train_detector
from diffuse_cli.training.sample_spec import keyed
from diffuse_cli.training.wear import KINDS, MARK, MISSING, NONE, ROOM, SIDE, UNSURE, hardest, worn, worn_by
from tests.conftest import EXAMPLES


def ramp(side: int) -> np.ndarray:
    levels = np.add.outer(np.arange(side), np.arange(side)) * (120 / side) + 40
    return np.repeat(levels[..., None].astype(np.uint8), 3, 2)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_drawn_and_told(kind: str) -> None:
    clean = ramp(SIDE)
    for k in range(3):
        crop = worn_by(clean, kind, keyed(k, 0, 0))
        changed = np.abs(crop.levels.astype(int) - clean).max(2)
        told = (crop.shown == MARK) | (crop.shown == MISSING)
        if told.sum() > 20:
            break
    assert told.any()
    assert changed[told].mean() > 3 * changed[crop.shown == NONE].mean()
    if kind in ("missing", "print tears"):
        assert (crop.shown == MISSING).any()
    else:
        assert not (crop.shown == MISSING).any()


def test_a_crop_follows_from_its_generator_and_some_are_clean() -> None:
    clean = ramp(SIDE + ROOM)
    crops = [worn(clean, keyed(0, k, 1), clean=k % 4 == 0) for k in range(24)]
    again = worn(clean, keyed(0, 3, 1))
    assert np.array_equal(again.levels, crops[3].levels)
    assert np.array_equal(again.shown, crops[3].shown)
    assert crops[0].levels.shape == (SIDE, SIDE, 3)
    bare = [k for k, crop in enumerate(crops) if not (crop.shown > NONE).any()]
    assert set(range(0, 24, 4)) <= set(bare)
    assert len(bare) <= 12


def test_the_crop_with_the_strongest_narrow_things_is_the_hardest() -> None:
    smooth = ramp(SIDE + ROOM)
    lined = smooth.copy()
    lined[::9] = 255
    assert hardest([smooth, lined, smooth]) is lined


def test_what_cannot_be_seen_does_not_count() -> None:
    crop = worn_by(np.full((SIDE, SIDE, 3), 255, np.uint8), "missing", keyed(1, 0, 0))
    light = (crop.levels.min(2) > 250) & (crop.shown != NONE)
    assert not (crop.shown[light] == MISSING).any()


def test_lookalikes_are_drawn_on_the_picture() -> None:
    x = torch.zeros(1, 3, 64, 64)
    for k in range(12):
        y = lookalike(x, keyed(k, 0, 0))
        assert y.shape == x.shape
        assert float(y.abs().max()) <= 1


def test_unsure_pixels_have_no_part_in_the_loss() -> None:
    shown = torch.zeros(1, 8, 8, dtype=torch.uint8)
    shown[0, :2], shown[0, 2:4] = MARK, UNSURE
    logits = torch.zeros(1, len(CLASSES), 8, 8)
    other = logits.clone()
    other[..., 2:4, :] = 50
    assert torch.equal(loss_of(logits, shown), loss_of(other, shown))
    right = torch.where(torch.stack([shown == MARK, shown == MISSING], 1), 9.0, -9.0)
    assert float(loss_of(right, shown)) < 0.1 * float(loss_of(logits, shown))


def test_the_pool_forgets_the_oldest() -> None:
    assert oldest(0) == 0
    assert oldest(10_000) == marks._FIRST + marks.FRESH * 10_001 - marks.POOL


@pytest.mark.slow
def test_a_run_that_is_continued_gives_the_weights_of_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("cat_noisy.png", "rocket_noisy.jpg", "old_photo.png"):
        (photos / name).write_bytes((EXAMPLES / name).read_bytes())
    for name, value in (("POOL", 24), ("_FIRST", 8), ("_VALIDATION", 2)):
        monkeypatch.setattr(marks, name, value)
    lines: list[str] = []

    def run(out: str, stops: int = 99) -> bool:
        left = iter(range(stops))
        request = MarksRun(data=(photos,), out=tmp_path / out, length=Length(images=64), threads=1, workers=0)
        return train_detector(request, lines.append, lambda: next(left, None) is None)

    assert run("whole")
    assert not run("parts", stops=2)
    assert run("parts")
    whole, parts = (load_detector(tmp_path / out / DETECTOR).state_dict() for out in ("whole", "parts"))
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value)
    (tmp_path / "parts" / marks.STATE).write_bytes(b"no state")
    with pytest.raises(CheckpointError, match="take a new --out"):
        run("parts")
