"""Test sets: which pictures of a folder, and how much of them."""

from pathlib import Path

import numpy as np
from PIL import Image

from diffuse_cli.evaluation.picture_sets import clean_levels, pictures


def test_limits_are_spread_evenly(tmp_path: Path) -> None:
    for k in range(10):
        Image.new("L", (4, 4)).save(tmp_path / f"{k}.png")
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / ".hidden.png").write_text("no picture")
    assert [p.stem for p in pictures(tmp_path, 4)] == ["0", "2", "5", "7"]
    assert len(pictures(tmp_path, None)) == len(pictures(tmp_path, 99)) == 10


def test_a_crop_is_the_middle_and_never_larger_than_the_picture(tmp_path: Path) -> None:
    levels = np.arange(9 * 14, dtype=np.uint8).reshape(9, 14)
    Image.fromarray(levels).save(tmp_path / "a.png")
    np.testing.assert_array_equal(clean_levels(tmp_path / "a.png", gray=False, crop=4)[..., 0], levels[2:6, 5:9])
    np.testing.assert_array_equal(clean_levels(tmp_path / "a.png", gray=False, crop=11)[..., 0], levels[:, 1:12])
