"""Channels of a TIFF beside colour and alpha are carried over, whatever they hold."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from diffuse_cli.images.image_io import Encoding, read_picture, write_picture
from tests.helpers.image_files import noise

KINDS = [(0,), (0, 0), (2, 0), (0, 2), (2, 2), (0, 1, 0), (2, 0, 0, 0, 0)]


def stored(path: Path, colours: int, kinds: tuple[int, ...], kind: str, **options: object) -> np.ndarray:
    full = 1 if kind[0] == "f" else np.iinfo(kind).max
    levels = (np.random.default_rng(0).random((20, 30, colours + len(kinds))) * full).astype(kind)
    photometric = "rgb" if colours == 3 else "minisblack"
    tifffile.imwrite(path, levels, photometric=photometric, extrasamples=kinds, planarconfig="contig", **options)
    return levels


@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
@pytest.mark.parametrize("colours", [1, 3])
@pytest.mark.parametrize("kinds", [kinds for kinds in KINDS if 1 not in kinds])
def test_they_are_written_as_they_were(colours: int, kinds: tuple[int, ...], kind: str, tmp_path: Path) -> None:
    levels = stored(tmp_path / "a.tif", colours, kinds, kind)
    read = read_picture(tmp_path / "a.tif")
    assert (read.alpha is not None) is (2 in kinds)
    assert read.pixels.shape[2] == colours
    write_picture(read, tmp_path / "b.tif")
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        page = file.pages[0]
        np.testing.assert_array_equal(page.asarray(), levels)
        assert tuple(map(int, page.extrasamples)) == kinds
        assert page.photometric == (2 if colours == 3 else 1)


def test_alpha_that_was_multiplied_in_is_divided_out_and_the_others_stay(tmp_path: Path) -> None:
    levels = stored(tmp_path / "a.tif", 3, (0, 1, 0), "u2")
    write_picture(read_picture(tmp_path / "a.tif"), tmp_path / "b.tif")
    after = tifffile.imread(tmp_path / "b.tif")
    np.testing.assert_array_equal(after[..., 3:], levels[..., 3:])
    with tifffile.TiffFile(tmp_path / "b.tif") as file:
        assert tuple(map(int, file.pages[0].extrasamples)) == (0, 2, 0)


def test_white_is_zero_for_colours_alone(tmp_path: Path) -> None:
    levels = noise(9, 8, 2, 8)
    tifffile.imwrite(tmp_path / "a.tif", levels, photometric="miniswhite", extrasamples=[0], planarconfig="contig")
    write_picture(read_picture(tmp_path / "a.tif"), tmp_path / "b.tif")
    after = tifffile.imread(tmp_path / "b.tif")
    np.testing.assert_array_equal(after, np.stack([255 - levels[..., 0], levels[..., 1]], axis=2))


def test_they_are_turned_with_the_picture(tmp_path: Path) -> None:
    levels = stored(tmp_path / "a.tif", 3, (0,), "u1", extratags=[(274, "H", 1, 6, True)])
    write_picture(read_picture(tmp_path / "a.tif"), tmp_path / "b.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "b.tif"), np.rot90(levels, -1))


@pytest.mark.parametrize(("kind", "depth"), [("u1", "16"), ("u2", "8"), ("f4", "16")])
def test_they_get_the_depth_that_is_asked_for(kind: str, depth: str, tmp_path: Path) -> None:
    levels = stored(tmp_path / "a.tif", 3, (0, 2), kind)
    write_picture(read_picture(tmp_path / "a.tif"), tmp_path / "b.tif", encoding=Encoding(depth=depth))  # type: ignore[arg-type]
    after = tifffile.imread(tmp_path / "b.tif")
    assert after.dtype == f"u{int(depth) // 8}"
    full = 1 if kind[0] == "f" else np.iinfo(kind).max
    np.testing.assert_allclose(after / (2.0 ** int(depth) - 1), levels / full, atol=1 / 255)


def test_a_result_of_another_size_has_none(tmp_path: Path) -> None:
    stored(tmp_path / "a.tif", 3, (0,), "u1")
    read = read_picture(tmp_path / "a.tif")
    write_picture(replace(read, pixels=read.pixels[:10]), tmp_path / "b.tif")
    assert tifffile.imread(tmp_path / "b.tif").shape == (10, 30, 3)


def test_alpha_alone_is_no_extra_channel(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", noise(9, 8, 4, 8), photometric="rgb", extrasamples=[2], planarconfig="contig")
    assert read_picture(tmp_path / "a.tif").source.extra is None
