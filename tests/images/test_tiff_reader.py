"""TIFFs that Pillow does not read, without the extra [formats]."""

import struct
import sys
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from diffuse_cli.errors import PictureError
from diffuse_cli.images.image_io import read_picture, write_picture
from tests.helpers.image_files import levels_of, noise, picture


class TestTiffsWithoutImagecodecs:
    """tifffile reads plain codings by itself; imagecodecs is in the extra [formats]."""

    @pytest.fixture(autouse=True)
    def without(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "imagecodecs", None)

    @pytest.mark.parametrize("options", [{"planarconfig": "separate"}, {"tile": (16, 16), "compression": "zlib"}])
    def test_plain_ones_are_read(self, options: dict[str, Any], tmp_path: Path) -> None:
        levels = noise(20, 30, 3, 16)
        array = np.moveaxis(levels, 2, 0) if "planarconfig" in options else levels
        tifffile.imwrite(tmp_path / "a.tif", array, photometric="rgb", metadata=None, **options)
        np.testing.assert_array_equal(levels_of(read_picture(tmp_path / "a.tif")), levels)

    def test_others_need_the_extra(self, tmp_path: Path) -> None:
        write_picture(replace(picture(depth=16), floating=True), tmp_path / "a.tif")
        data = (tmp_path / "a.tif").read_bytes()
        at = data.index(struct.pack("<HHI", 317, 3, 1)) + 8  # Predictor
        (tmp_path / "a.tif").write_bytes(data[:at] + struct.pack("<H", 3) + data[at + 2 :])  # of floats
        with pytest.raises(PictureError, match=r"a\.tif: this kind of TIFF needs the extra \[formats\]: pip install"):
            read_picture(tmp_path / "a.tif")

    def test_a_strip_is_not_inflated_beyond_its_pixels(self, tmp_path: Path) -> None:
        floats = np.random.default_rng(0).random((8, 8, 3), np.float32)
        tifffile.imwrite(tmp_path / "a.tif", floats, photometric="rgb", metadata=None, compression="zlib")
        assert read_picture(tmp_path / "a.tif").floating
        data, bomb = (tmp_path / "a.tif").read_bytes(), zlib.compress(bytes(1 << 24))
        with tifffile.TiffFile(tmp_path / "a.tif") as container:
            tags = container.pages[0].tags
        for tag, value in ((tags[279], len(bomb)), (tags[273], len(data))):
            data = data[: tag.valueoffset] + struct.pack("<I", value) + data[tag.valueoffset + 4 :]
        (tmp_path / "a.tif").write_bytes(data + bomb)
        with pytest.raises(PictureError, match="a strip holds more than its pixels"):
            read_picture(tmp_path / "a.tif")


@pytest.mark.parametrize("compression", ["none", "zlib"])
def test_a_large_page_of_few_data_is_refused_before_it_is_decoded(compression: str, tmp_path: Path) -> None:
    levels = noise(20, 30, 5, 8)
    options = {} if compression == "none" else {"compression": "zlib"}
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, levels, photometric="rgb", extrasamples=(0, 0), metadata=None, rowsperstrip=1 << 30, **options
    )
    assert read_picture(path).source.extra is not None
    with tifffile.TiffFile(path, mode="r+b") as file:
        file.pages[0].tags["ImageLength"].overwrite(16_000_000)
    with pytest.raises(PictureError, match="too few data for 30x16000000 pixels"):
        read_picture(path)
