"""Floating-point files."""

from pathlib import Path

import numpy as np
import pytest

from diffuse_cli.errors import PictureError
from diffuse_cli.images.image_io import read_picture, write_picture


def test_float_files_that_are_no_pictures_are_refused(tmp_path: Path) -> None:
    for value, problem in ((np.nan, "not finite"), (4000.0, "white must be 1")):
        np.save(tmp_path / "a.npy", np.full((4, 4), value, np.float32))
        with pytest.raises(PictureError, match=problem):
            read_picture(tmp_path / "a.npy")
    for array in (np.zeros((4, 4), np.int64), np.zeros(4, np.uint8), np.zeros((2, 2, 7), np.uint8)):
        np.save(tmp_path / "a.npy", array)
        with pytest.raises(PictureError, match=r"a\.npy: an array of"):
            read_picture(tmp_path / "a.npy")
    np.save(tmp_path / "a.npy", np.array([object()]), allow_pickle=True)
    with pytest.raises(PictureError, match=r"a\.npy: an array of object"):
        read_picture(tmp_path / "a.npy")


def test_floats_outside_0_to_1_survive_bit_for_bit(tmp_path: Path) -> None:
    array = np.random.default_rng(0).normal(0.5, 3, (20, 30, 3)).astype(np.float32)
    array[0, 0] = [1e-8, -1e-20, 3.3e-5]
    for suffix in (".npy", ".tif"):
        np.save(tmp_path / "in.npy", array)
        write_picture(read_picture(tmp_path / "in.npy"), tmp_path / f"out{suffix}")
        back = read_picture(tmp_path / f"out{suffix}")
        assert back.floating
        assert back.source.samples is not None
        np.testing.assert_array_equal(back.source.samples, array)
    with pytest.raises(PictureError, match="cannot hold floating-point numbers"):
        write_picture(read_picture(tmp_path / "in.npy"), tmp_path / "a.png")
