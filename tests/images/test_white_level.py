"""White of 10, 12 and 14 bits in 16-bit files: found where it is sure, kept in the file, never invented."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from diffuse_cli.images.convert import to_like, to_picture
from diffuse_cli.images.image_io import Picture, read_picture, write_picture
from diffuse_cli.images.picture import levels_of, to_unit, with_depth
from diffuse_cli.images.white_level import found_white, on_scale_of, told, with_white

WHITES = (1023, 4095, 16383)


def scene(white: int, size: tuple[int, int] = (40, 60)) -> NDArray[np.uint16]:
    """A noisy ramp that reaches white, where it is cut off."""
    ramp = np.linspace(0.02, 1.1, size[0] * size[1]).reshape(size) * white
    noisy = ramp + np.random.default_rng(0).normal(0, white / 40, size)
    return np.clip(np.rint(noisy), 0, white).astype(np.uint16)


@pytest.mark.parametrize("white", WHITES)
@pytest.mark.parametrize("suffix", [".png", ".tif", ".npy", ".pgm"])
def test_it_is_found_and_the_levels_are_kept(white: int, suffix: str, tmp_path: Path) -> None:
    levels = scene(white)
    path, again = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    write_picture(Picture(pixels=to_unit(levels[..., None], 16), depth=16), path)
    read = read_picture(path)
    assert read.white == white
    assert float(read.pixels.max()) == 1
    assert told(read) == f"{white.bit_length()} bits in 16: white is {white}"
    write_picture(read, again)
    assert (levels_of(read_picture(again))[..., 0] == levels).all()


def test_nothing_is_written_above_it(tmp_path: Path) -> None:
    read = with_white(Picture(pixels=to_unit(scene(4095)[..., None], 16), depth=16))
    brighter = Picture(pixels=read.pixels + np.float32(0.5), depth=16, source=read.source)
    assert levels_of(brighter).max() == 4095
    assert levels_of(with_depth(brighter, 8)).max() == 255
    write_picture(brighter, tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.pages[0].tags["MaxSampleValue"].value == 4095


@pytest.mark.parametrize("stated", [511, 2047, 4095, 32767])
def test_a_tiff_states_it(stated: int, tmp_path: Path) -> None:
    """Even of a dark picture, and of bits that nothing else would show."""
    levels = np.minimum(scene(400), 400)
    tifffile.imwrite(tmp_path / "a.tif", levels, extratags=[(281, "H", 1, stated, False)])
    assert read_picture(tmp_path / "a.tif").white == stated
    tifffile.imwrite(tmp_path / "b.tif", levels, extratags=[(281, "H", 1, 400, False)])  # the highest sample
    assert read_picture(tmp_path / "b.tif").white == 1023


class TestTheWholeRange:
    """Pictures that are taken as they are."""

    def test_of_a_bright_picture(self) -> None:
        assert found_white(scene(65535)) == 0

    def test_of_a_dark_picture(self) -> None:
        """It ends below a quarter of the range, and nothing is cut off there."""
        dark = np.abs(np.random.default_rng(1).normal(3000, 2200, (80, 80))).clip(0, 13000).astype(np.uint16)
        dark[dark == 13000] -= 5
        assert found_white(dark) == 0

    @pytest.mark.parametrize("step", [16, 64, 257])
    def test_of_fewer_bits_that_were_stretched(self, step: int) -> None:
        assert found_white((scene(4095) // step * step).astype(np.uint16)) == 0

    def test_of_labels_and_of_eight_bits(self) -> None:
        labels = np.random.default_rng(2).integers(0, 40, (50, 50)).astype(np.uint16) * 20
        assert found_white(labels) == 0
        assert found_white(scene(255)) == 0

    def test_of_eight_bits_and_of_floats(self) -> None:
        for picture in (Picture(pixels=to_unit(np.full((9, 9, 1), 3, np.uint8), 8)), to_picture(np.full((9, 9), 0.01))):
            assert with_white(picture) is picture


def test_arrays_keep_their_range() -> None:
    levels = scene(4095)
    picture = to_picture(levels)
    assert picture.white == 4095
    assert (to_like(levels, picture, picture) == levels).all()


def test_a_picture_on_anothers_scale() -> None:
    """A result whose highlights are gone shows fewer bits, and is still compared with its input."""
    levels = scene(4095)
    before, after = to_picture(levels), to_picture(levels // 4)
    assert after.white == 1023
    scaled = on_scale_of(after, before)
    assert scaled.white == 4095
    assert (levels_of(scaled)[..., 0] == levels // 4).all()
    whole = to_picture(scene(65535))
    assert (levels_of(on_scale_of(before, whole))[..., 0] == levels).all()
    assert on_scale_of(before, whole).white == 65535
