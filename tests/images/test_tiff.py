"""TIFFs as the specification has them: either byte order, 16 bits, alpha of either kind."""

from pathlib import Path

import numpy as np
import pytest

from diffuse_cli.images.image_io import (
    read_picture,
)
from tests.helpers.image_files import levels_of, noise, tiff_directory


def test_premultiplied_alpha_is_divided_out(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff_directory(np.array([[[51, 102, 0, 102]]], np.uint8), extra=1))
    assert levels_of(read_picture(tmp_path / "a.tif")).tolist() == [[[127, 255, 0, 102]]]


@pytest.mark.parametrize("prefix", [b"II", b"MM"])
@pytest.mark.parametrize(("channels", "extra"), [(1, None), (3, None), (4, 2), (4, 0)])
def test_16_bit_tiff_is_read_in_full(prefix: bytes, channels: int, extra: int | None, tmp_path: Path) -> None:
    levels = noise(6, 7, channels, 16)
    (tmp_path / "a.tif").write_bytes(tiff_directory(levels, prefix=prefix, extra=extra))
    read = read_picture(tmp_path / "a.tif")
    assert read.depth == 16
    np.testing.assert_array_equal(levels_of(read), levels[..., :3] if extra == 0 else levels)


@pytest.mark.parametrize("depth", [8, 16])
def test_tiff_whose_white_is_zero(depth: int, tmp_path: Path) -> None:
    levels = noise(6, 7, 1, depth)
    (tmp_path / "a.tif").write_bytes(tiff_directory(levels, photometric=0))
    np.testing.assert_array_equal(levels_of(read_picture(tmp_path / "a.tif")), 2**depth - 1 - levels.astype(int))
