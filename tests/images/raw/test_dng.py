"""Camera RAW is read as light, and written as a DNG whose light, colours and noise are the same."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from diffuse_cli.errors import PictureError
from diffuse_cli.images.image_io import Picture, read_pages, read_picture, write_picture
from diffuse_cli.images.raw.metadata import camera_of, raw_exif
from tests.helpers.raw_files import GAINS, MATRIX, scene, sensor_law, write_raw

rawpy: Any = pytest.importorskip("rawpy", reason="the extra [formats] is not installed")

LAW = sensor_law(1600)


def as_light(path: Path) -> Picture:
    return next(read_pages(path, as_light=True))


def light(picture: Picture) -> Any:  # noqa: ANN401
    return (picture.pixels.astype(np.float64) + 1) / 2


def test_the_light_is_that_of_the_scene(tmp_path: Path) -> None:
    clean = scene(96, 144)
    write_raw(tmp_path / "a.dng", clean)
    picture = as_light(tmp_path / "a.dng")
    inside = (slice(8, -8), slice(8, -8))
    assert light(picture)[inside].mean((0, 1)) == pytest.approx((clean * GAINS)[inside].mean((0, 1)), rel=0.005)
    assert picture.source.sensor is not None
    assert picture.source.sensor.is_mosaic


def test_noise_below_black_is_not_cut_off(tmp_path: Path) -> None:
    dark = np.full((96, 96, 3), 0.0005)
    write_raw(tmp_path / "a.dng", dark, (1e-5, 1e-4), black=4096)
    found = light(as_light(tmp_path / "a.dng"))
    assert found.min() < -0.01
    assert found.mean() == pytest.approx(0.0005 * GAINS.mean(), abs=3e-4)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_dng_is_read_again_as_it_was(tmp_path: Path, orientation: int) -> None:
    write_raw(tmp_path / "a.dng", scene(64, 96), LAW, orientation=orientation)
    before = as_light(tmp_path / "a.dng")
    assert (before.pixels.shape[0] > before.pixels.shape[1]) == (orientation in (6, 8))
    write_picture(before, tmp_path / "b.dng")
    after = as_light(tmp_path / "b.dng")
    assert np.abs(light(after) - np.maximum(light(before), 0)).max() < 6e-5
    assert after.source.sensor is not None
    assert not after.source.sensor.is_mosaic
    with tifffile.TiffFile(tmp_path / "b.dng") as file:
        tags = file.pages[0].tags
        assert int(tags[262].value) == 34892
        assert tags[274].value == orientation
        assert np.array(tags[50721].value).reshape(-1, 2) @ [1, 0] / 1e4 == pytest.approx(MATRIX.ravel())
        assert tags[50708].value == "Maker Model 1"
        assert [tags[271].value, tags[272].value] == ["Maker", "Model 1"]
        neutral = np.array(tags[50728].value, float).reshape(-1, 2)
        assert neutral[:, 0] / neutral[:, 1] == pytest.approx(1 / GAINS, rel=1e-5)


def test_every_level_of_fourteen_bits_stays_apart(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0.001, 0.4, 1024)[None, :, None], (64, 1, 3)) / GAINS
    write_raw(tmp_path / "a.dng", ramp)
    write_picture(as_light(tmp_path / "a.dng"), tmp_path / "b.dng")
    green = tifffile.imread(tmp_path / "b.dng")[8, :, 1].astype(int)
    before = tifffile.imread(tmp_path / "a.dng")[8, 1::2].astype(int)
    assert (np.diff(green[1::2])[np.diff(before) > 0] > 0).all()


def test_libraw_develops_the_same_colours(tmp_path: Path) -> None:
    write_raw(tmp_path / "a.dng", scene(96, 144) * 0.9)
    write_picture(as_light(tmp_path / "a.dng"), tmp_path / "b.dng")
    with rawpy.imread(str(tmp_path / "a.dng")) as one, rawpy.imread(str(tmp_path / "b.dng")) as other:
        how = {"use_camera_wb": True, "no_auto_bright": True, "output_bps": 16, "adjust_maximum_thr": 0.0}
        before, after = (raw.postprocess(**how).astype(float) for raw in (one, other))
    assert after.mean((0, 1)) == pytest.approx(before.mean((0, 1)), rel=0.01)


def test_the_noise_that_is_stated_is_taken_and_what_is_left_is_stated(tmp_path: Path) -> None:
    write_raw(tmp_path / "a.dng", scene(192, 256), (0.001, 0.00002), stated=True)
    before = as_light(tmp_path / "a.dng")
    sensor = before.source.sensor
    assert sensor is not None
    assert sensor.is_stated
    assert [(law.gain, law.offset) for law in sensor.laws] == [(0.001, 0.00002)] * 3
    write_picture(before, tmp_path / "b.dng")
    with tifffile.TiffFile(tmp_path / "b.dng") as file:
        assert file.pages[0].tags[51041].value == pytest.approx([0.001, 0.00002] * 3, rel=0.05)


def test_development_stays_as_it_was(tmp_path: Path) -> None:
    write_raw(tmp_path / "a.dng", scene(64, 96))
    picture = read_picture(tmp_path / "a.dng")
    assert picture.source.sensor is None
    assert not picture.floating
    write_picture(picture, tmp_path / "a.png")
    with pytest.raises(PictureError, match="DNG is written of camera RAW, by denoise and fuse"):
        write_picture(picture, tmp_path / "b.dng")


def test_a_monochrome_sensor_is_told_so(tmp_path: Path) -> None:
    write_raw(tmp_path / "a.dng", scene(64, 96))
    with tifffile.TiffFile(tmp_path / "a.dng", mode="r+b") as file:
        file.pages[0].tags[262].overwrite(34892)
    with pytest.raises(PictureError, match=r"a monochrome sensor.*write -o out\.tif"):
        as_light(tmp_path / "a.dng")


def test_a_file_that_is_cut_short_is_told_in_one_line(tmp_path: Path) -> None:
    write_raw(tmp_path / "a.dng", scene(64, 96))
    data = (tmp_path / "a.dng").read_bytes()
    (tmp_path / "b.dng").write_bytes(data[: len(data) // 2])
    (tmp_path / "c.cr3").write_bytes(b"\0\0\0\x18ftypcrx " + bytes(4000))
    for name in ("b.dng", "c.cr3"):
        with pytest.raises(PictureError, match=rf"{name}: .*(cut short|does not read)"):
            as_light(tmp_path / name)


def test_exif_of_cr3_stands_in_its_boxes() -> None:
    first, second = Image.Exif(), Image.Exif()
    first.update({271: "Canon", 272: "Canon EOS R6"})
    second.update({34855: 800})

    def box(name: bytes, block: Image.Exif) -> bytes:
        data = block.tobytes()[6:]
        return (8 + len(data)).to_bytes(4, "big") + name + data

    file = b"\0\0\0\x18ftypcrx " + bytes(12) + box(b"CMT1", first) + box(b"CMT2", second)
    found = raw_exif(file, rawpy)
    assert camera_of(found) == "Canon EOS R6"
    block = Image.Exif()
    block.load_from_fp(io.BytesIO(found))
    assert block.get_ifd(34665)[34855] == 800


def test_a_camera_without_a_name_is_told_so() -> None:
    assert camera_of(b"") == "unknown camera"
