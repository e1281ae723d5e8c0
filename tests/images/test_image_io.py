import base64
import importlib.util
import io
import os
import stat
import struct
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageFile, ImageOps, PngImagePlugin
from PIL.JpegImagePlugin import get_sampling
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from diffuse_cli.errors import PictureError, UsageError
from diffuse_cli.images import image_io
from diffuse_cli.images.image_io import (
    JpegCoding,
    Levels,
    Picture,
    Source,
    check_writable_format,
    is_lossless,
    read_picture,
    to_levels,
    to_unit,
    write_picture,
)
from diffuse_cli.system.files import TEMPORARY_SUFFIX

HAS_FORMATS = all(importlib.util.find_spec(name) for name in ("imagecodecs", "pillow_heif", "rawpy"))
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" a="\xc3\xa9"/></x:xmpmeta>'
XMP_UPRIGHT = XMP.replace(b'"6"', b'"1"')


AVIF_OF_10_BITS = (  # 4x4, by imagecodecs.avif_encode(..., bitspersample=10)
    b"AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUEAAADrbWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAAAAAAAAAOcGl0"
    b"bQAAAAAAAQAAAB5pbG9jAAAAAEQAAAEAAQAAAAEAAAETAAAAKAAAAChpaW5mAAAAAAABAAAAGmluZmUCAAAAAAEAAGF2MDFDb2xvcgAAAABqaXBy"
    b"cAAAAEtpcGNvAAAAFGlzcGUAAAAAAAAABAAAAAQAAAAQcGl4aQAAAAADCgoKAAAADGF2MUOBIEAAAAAAE2NvbHJuY2x4AAIAAgAGgAAAABdpcG1h"
    b"AAAAAAAAAAEAAQQBAoMEAAAAMG1kYXQSAAoIOAR9rAgIGkAyGhrCYuTnnnnhQCAA/1rLMFpbYsUqyoZbDv4d"
)


def noise(height: int, width: int, channels: int, depth: int = 8, seed: int = 0) -> Levels:
    levels = np.random.default_rng(seed).integers(0, 2**depth, (height, width, channels))
    return levels.astype(np.uint8) if depth == 8 else levels.astype(np.uint16)


def picture(channels: int = 3, depth: int = 8, alpha: bool = False, source: Source | None = None) -> Picture:
    levels = noise(13, 9, channels + alpha, depth)
    return Picture(
        pixels=to_unit(levels[..., :channels], depth),
        alpha=levels[..., -1] if alpha else None,
        depth=depth,
        source=source or Source(),
    )


def smooth(mode: str = "RGB", size: tuple[int, int] = (24, 16)) -> Image.Image:
    """A picture that survives lossy coding well enough to be recognised, and looks different from every side."""
    x, y = np.meshgrid(np.linspace(0, 1, size[0]), np.linspace(0, 1, size[1]))
    colour = np.stack([x, y, x * y], -1) * 255
    return Image.fromarray(colour.astype(np.uint8)).convert(mode)


def levels_of(read: Picture) -> NDArray[Any]:
    levels = to_levels(read.pixels, read.depth)
    return levels if read.alpha is None else np.concatenate([levels, read.alpha[..., None]], -1)


def assert_same(a: Picture, b: Picture) -> None:
    assert a.depth == b.depth
    np.testing.assert_array_equal(levels_of(a), levels_of(b))


# Levels


@pytest.mark.parametrize("depth", [8, 16])
def test_every_level_survives(depth: int) -> None:
    levels = np.arange(256, dtype=np.uint8) if depth == 8 else np.arange(65536, dtype=np.uint16)
    pixels = to_unit(levels, depth)
    assert pixels.dtype == np.float32
    assert (pixels[0], pixels[-1]) == (-1, 1)
    back = to_levels(pixels, depth)
    assert back.dtype == levels.dtype
    np.testing.assert_array_equal(back, levels)


def test_levels_are_rounded_and_clipped() -> None:
    pixels = np.array([-3, -1 + 0.4 / 127.5, -1 + 0.6 / 127.5, 3], np.float32)
    assert to_levels(pixels, 8).tolist() == [0, 0, 1, 255]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_not_written(bad: float, tmp_path: Path) -> None:
    broken = replace(picture(), pixels=np.full((2, 2, 3), bad, np.float32))
    with pytest.raises(PictureError, match=r"a.png: .*not finite"):
        write_picture(broken, tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_a_picture_of_parts_that_do_not_fit_is_refused() -> None:
    whole = picture(alpha=True)
    for change in (
        {"pixels": np.zeros((13, 9), np.float32)},
        {"pixels": np.zeros((13, 9, 3))},
        {"pixels": np.zeros((26, 18, 3), np.float32)},
        {"depth": 16},
        {"depth": 10},
    ):
        with pytest.raises(ValueError, match=r"not|alpha"):
            replace(whole, **change)


def test_is_gray() -> None:
    assert picture(1).is_gray
    assert not picture(3).is_gray
    assert replace(picture(), pixels=np.repeat(picture(1).pixels, 3, 2)).is_gray


# There and back


@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("suffix", [".png", ".PNG", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".webp"])
def test_lossless_formats_return_the_same_or_refuse(
    suffix: str, depth: int, channels: int, alpha: bool, tmp_path: Path
) -> None:
    before, path = picture(channels, depth, alpha), tmp_path / f"a{suffix}"
    png_or_tiff = suffix.lower() in (".png", ".tif", ".tiff")
    fits = (
        (depth == 8 or png_or_tiff or suffix in (".ppm", ".pgm"))
        and (not alpha or png_or_tiff or suffix == ".webp")
        and (channels == 1 or suffix != ".pgm")
    )
    assert is_lossless(path, before)
    if not fits:
        with pytest.raises(PictureError, match=r"a\.\w+: .*cannot hold.*; use -o out\."):
            write_picture(before, path)
        assert not list(tmp_path.iterdir())
        return
    write_picture(before, path)
    after = read_picture(path)
    if suffix == ".webp" and channels == 1:  # a WebP has no gray
        assert after.is_gray
        after = replace(after, pixels=after.pixels[..., :1])
    assert_same(before, after)


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".avif"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_lossy_formats_return_nearly_the_same(suffix: str, mode: str, tmp_path: Path) -> None:
    smooth(mode).save(tmp_path / "a.png")
    before, path = read_picture(tmp_path / "a.png"), tmp_path / f"a{suffix}"
    assert not is_lossless(path, before)
    write_picture(before, path)
    after = read_picture(path)
    assert after.is_gray == before.is_gray  # as for shape: until Pillow 13, an AVIF had no gray
    assert np.abs(after.pixels - before.pixels).max() < 0.06
    assert after.source.lossy


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    channels=st.sampled_from([1, 3]),
    depth=st.sampled_from([8, 16]),
    alpha=st.booleans(),
    suffix=st.sampled_from([".png", ".tif"]),
    seed=st.integers(0, 2**16),
)
def test_any_picture_survives_png_and_tiff(
    size: tuple[int, int], channels: int, depth: int, alpha: bool, suffix: str, seed: int, tmp_path: Path
) -> None:
    levels = noise(*size, channels + alpha, depth, seed)
    before = Picture(
        pixels=to_unit(levels[..., :channels], depth), alpha=levels[..., -1] if alpha else None, depth=depth
    )
    write_picture(before, tmp_path / f"a{suffix}")
    assert_same(before, read_picture(tmp_path / f"a{suffix}"))


def test_large_pictures_are_written_in_several_pieces(tmp_path: Path) -> None:
    levels = noise(500, 500, 3, 16)
    before = Picture(pixels=to_unit(levels, 16), depth=16)
    for suffix in (".png", ".tif"):
        write_picture(before, tmp_path / f"a{suffix}")
        assert_same(before, read_picture(tmp_path / f"a{suffix}"))
    assert (tmp_path / "a.png").read_bytes().count(b"IDAT") > 1


# What Pillow makes of modes


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGB", "RGBA", "I;16"])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_reads_what_pillow_writes(mode: str, suffix: str, tmp_path: Path) -> None:
    if mode == "I;16":
        image = Image.fromarray(noise(5, 7, 1, 16)[..., 0])
    else:
        image = Image.fromarray(noise(5, 7, 4)).convert(mode)
    image.save(tmp_path / f"a{suffix}")
    read = read_picture(tmp_path / f"a{suffix}")
    assert read.depth == (16 if mode == "I;16" else 8)
    assert (read.alpha is not None) == mode.endswith("A")
    expected = np.asarray(image.convert("L") if mode == "1" else image).reshape(5, 7, -1)
    np.testing.assert_array_equal(levels_of(read), expected)


def test_palettes(tmp_path: Path) -> None:
    indices = Image.frombytes("P", (4, 3), bytes([0, 1, 2] * 4))
    indices.putpalette([255, 0, 0, 0, 255, 0, 9, 9, 9])
    indices.save(tmp_path / "colour.png")
    indices.save(tmp_path / "clear.png", transparency=b"\xff\x80\x00")
    indices.save(tmp_path / "still.gif")
    for name, mode in (("colour.png", "RGB"), ("clear.png", "RGBA"), ("still.gif", "RGB")):
        with Image.open(tmp_path / name) as image:
            expected = np.asarray(image.convert(mode))
        np.testing.assert_array_equal(levels_of(read_picture(tmp_path / name)), expected)
    indices.putpalette([0, 0, 0, 70, 70, 70, 9, 9, 9])
    indices.save(tmp_path / "gray.png")
    assert read_picture(tmp_path / "gray.png").pixels.shape == (3, 4, 1)


def test_premultiplied_alpha_is_divided_out(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff_directory(np.array([[[51, 102, 0, 102]]], np.uint8), extra=1))
    assert levels_of(read_picture(tmp_path / "a.tif")).tolist() == [[[127, 255, 0, 102]]]


def png(levels: NDArray[Any], bits: int, colour: int, *, interlaced: bool = False, trns: bytes = b"") -> bytes:
    """A PNG as the specification has it, unfiltered; levels (H, W, C)."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    def scanlines(part: NDArray[Any]) -> bytes:
        if bits == 4:
            part = (part[:, ::2] << 4) | part[:, 1::2]
        return b"".join(b"\0" + row.astype(">u2" if bits == 16 else "u1").tobytes() for row in part if row.size)

    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    parts = [levels[y::dy, x::dx] for y, x, dy, dx in passes] if interlaced else [levels]
    header = struct.pack(">IIBBBBB", levels.shape[1], levels.shape[0], bits, colour, 0, 0, interlaced)
    data = zlib.compress(b"".join(scanlines(part) for part in parts))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + (chunk(b"tRNS", trns) if trns else b"")
        + chunk(b"IDAT", data)
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("channels", "colour"), [(1, 0), (2, 4), (3, 2), (4, 6)])
def test_16_bit_png_is_read_in_full(channels: int, colour: int, interlaced: bool, tmp_path: Path) -> None:
    levels = noise(11, 13, channels, 16)
    (tmp_path / "a.png").write_bytes(png(levels, 16, colour, interlaced=interlaced))
    read = read_picture(tmp_path / "a.png")
    assert read.depth == 16
    np.testing.assert_array_equal(levels_of(read), levels)


@pytest.mark.parametrize(("bits", "colour", "channels"), [(16, 0, 1), (16, 2, 3), (8, 0, 1), (8, 2, 3), (4, 0, 1)])
def test_a_transparent_colour_becomes_alpha(bits: int, colour: int, channels: int, tmp_path: Path) -> None:
    levels = noise(4, 6, channels, 16) >> (16 - bits)
    levels[1, 2] = levels[0, 0]
    trns = levels[0, 0].astype(">u2").tobytes()
    (tmp_path / "a.png").write_bytes(png(levels, bits, colour, trns=trns))
    read = read_picture(tmp_path / "a.png")
    full = 65535 if bits == 16 else 255
    opaque = (levels != levels[0, 0]).any(-1)
    assert read.alpha is not None
    np.testing.assert_array_equal(read.alpha, opaque * full)
    np.testing.assert_array_equal(levels_of(read)[..., :channels], levels * (17 if bits == 4 else 1))


def tiff_directory(
    levels: NDArray[Any], *, prefix: bytes = b"II", photometric: int | None = None, extra: int | None = None
) -> bytes:
    """An uncompressed TIFF of one strip, of either byte order."""
    height, width, channels = levels.shape
    ifd = ImageFileDirectory_v2(prefix=prefix)
    ifd[256], ifd[257], ifd[277], ifd[278], ifd[259] = width, height, channels, height, 1
    ifd[258] = (8 * levels.itemsize,) * channels
    ifd[262] = photometric if photometric is not None else 2 if channels > 2 else 1
    if extra is not None:
        ifd[338] = extra
    ifd[273], ifd[279] = 0, levels.nbytes
    stream = io.BytesIO()
    ifd.save(stream)
    return stream.getvalue() + levels.astype(levels.dtype.newbyteorder("<" if prefix == b"II" else ">")).tobytes()


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


@pytest.mark.parametrize(("magic", "channels"), [("P5", 1), ("P6", 3)])
@pytest.mark.parametrize("maxval", [100, 1023, 65535])
def test_pnm_of_any_white(magic: str, channels: int, maxval: int, tmp_path: Path) -> None:
    levels = np.random.default_rng(0).integers(0, maxval + 1, (5, 7, channels))
    data = levels.astype(">u2" if maxval > 255 else "u1").tobytes()
    (tmp_path / "a.pnm").write_bytes(f"{magic}\n# a comment\n7 5\n{maxval}\n".encode() + data)
    read = read_picture(tmp_path / "a.pnm")
    assert read.depth == (16 if maxval > 255 else 8)
    np.testing.assert_array_equal(levels_of(read), np.rint(levels * (2**read.depth - 1) / maxval))


def test_a_named_pipe_is_read(tmp_path: Path) -> None:
    write_picture(picture(depth=16), tmp_path / "a.png")
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes((tmp_path / "a.png").read_bytes()))
    writer.start()
    assert_same(read_picture(tmp_path / "pipe"), picture(depth=16))
    writer.join()


# What else a file says


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_orientation_is_applied_and_reset(suffix: str, orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274], exif[271] = orientation, "Maker"
    smooth().save(tmp_path / f"a{suffix}", exif=exif)
    with Image.open(tmp_path / f"a{suffix}") as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    read = read_picture(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(levels_of(read), expected)
    for out in ("b.png", "b.jpg", "b.tif"):
        write_picture(read, tmp_path / out)
        with Image.open(tmp_path / out) as image:
            assert image.size == expected.shape[1::-1]
            assert image.getexif().get(274, 1) == 1
            assert image.getexif()[271] == "Maker"


def test_alpha_and_16_bits_are_turned_as_well(tmp_path: Path) -> None:
    levels, exif = noise(3, 4, 4, 16), Image.Exif()
    exif[274] = 6
    source = Source(exif=exif.tobytes()[6:])
    turned = Picture(pixels=to_unit(levels[..., :3], 16), alpha=levels[..., 3], depth=16, source=source)
    write_picture(turned, tmp_path / "a.png")
    np.testing.assert_array_equal(levels_of(read_picture(tmp_path / "a.png")), np.rot90(levels, -1))


def described() -> Source:
    exif = Image.Exif()
    exif[271], exif[272], exif[274] = "Maker", "Model", 1
    exif[34665] = {33434: 0.01, 37500: b"maker note", 36864: b"0232"}
    exif[34853] = {1: "N", 2: (50.0, 30.0, 0.0)}
    return Source(icc=SRGB, exif=exif.tobytes()[6:], xmp=XMP_UPRIGHT, dpi=(300.0, 150.0))


@pytest.mark.parametrize(
    ("suffix", "depth"), [(".png", 8), (".png", 16), (".tif", 8), (".tif", 16), (".jpg", 8), (".webp", 8), (".avif", 8)]
)
def test_profile_exif_xmp_and_resolution_are_kept(suffix: str, depth: int, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    write_picture(picture(depth=depth, source=described()), path)
    after = read_picture(path).source
    assert (after.icc, after.xmp) == (SRGB, XMP_UPRIGHT)
    if suffix in (".png", ".jpg", ".tif"):
        assert after.dpi == pytest.approx((300, 150), abs=0.02)
    if suffix in (".png", ".jpg", ".webp"):
        assert after.exif == described().exif
    with Image.open(path) as image:
        exif = image.getexif()
        assert (exif[271], exif[272]) == ("Maker", "Model")
        assert exif.get_ifd(34665)[37500] == b"maker note"
        assert exif.get_ifd(34665)[33434] == pytest.approx(0.01)
        assert exif.get_ifd(34853)[1] == "N"


def test_tiff_exif_reaches_other_formats(tmp_path: Path) -> None:
    write_picture(picture(source=described()), tmp_path / "a.tif")
    read = read_picture(tmp_path / "a.tif")
    for out in ("b.jpg", "b.tif", "b.png"):
        write_picture(read, tmp_path / out)
        with Image.open(tmp_path / out) as image:
            assert image.getexif()[271] == "Maker"
            assert image.getexif().get_ifd(34665)[37500] == b"maker note"
            assert image.getexif().get_ifd(34853)[2] == (50, 30, 0)


def test_orientation_in_xmp_alone_is_applied_and_reset(tmp_path: Path) -> None:
    smooth().save(tmp_path / "a.jpg", xmp=XMP)
    read = read_picture(tmp_path / "a.jpg")
    assert read.pixels.shape == (24, 16, 3)
    assert read.source.xmp == XMP_UPRIGHT


def test_the_rest_of_the_exif_block_is_untouched(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274], exif[271], exif[34665] = 8, "Maker", {37500: b"\0\1absolute offsets in here"}
    smooth().save(tmp_path / "a.jpg", exif=exif)
    before, after = exif.tobytes()[6:], read_picture(tmp_path / "a.jpg").source.exif
    assert [(b, a) for b, a in zip(before, after, strict=True) if a != b] == [(8, 1)]


def test_broken_exif_and_text_in_place_of_facts_are_dropped(tmp_path: Path) -> None:
    text = PngImagePlugin.PngInfo()
    for key in ("dpi", "transparency", "icc_profile", "exif", "Raw profile type exif"):
        text.add_text(key, "nonsense")
    smooth("L").save(tmp_path / "a.png", pnginfo=text)
    smooth("L").save(tmp_path / "a.jpg", exif=b"Exif\0\0II*\0\xff\0\0\0nonsense")
    smooth("L").save(tmp_path / "a.webp", exif=b"nonsense", lossless=True)
    for suffix in ("png", "jpg", "webp"):
        source = read_picture(tmp_path / f"a.{suffix}").source
        assert (source.exif, source.icc) == (b"", b"")
        assert source.dpi is None or suffix == "jpg"


def test_a_profile_for_other_channels_is_not_written(tmp_path: Path) -> None:
    write_picture(picture(1, source=described()), tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").source.icc == b""


def test_formats_without_room_for_facts_take_the_pixels(tmp_path: Path) -> None:
    for suffix in (".bmp", ".ppm"):
        write_picture(picture(source=described()), tmp_path / f"a{suffix}")
        assert_same(picture(), read_picture(tmp_path / f"a{suffix}"))
    assert read_picture(tmp_path / "a.bmp").source.dpi == pytest.approx((300, 150), abs=0.02)
    write_picture(picture(), tmp_path / "b.bmp")
    assert read_picture(tmp_path / "b.bmp").source.dpi is None


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
def test_jpeg_tables_subsampling_and_scans_are_reused(subsampling: int, progressive: bool, tmp_path: Path) -> None:
    smooth().save(tmp_path / "a.jpg", quality=63, subsampling=subsampling, progressive=progressive)
    write_picture(read_picture(tmp_path / "a.jpg"), tmp_path / "b.jpeg")
    with Image.open(tmp_path / "a.jpg") as a, Image.open(tmp_path / "b.jpeg") as b:
        assert a.quantization == b.quantization  # type: ignore[attr-defined]
        assert get_sampling(a) == get_sampling(b) == subsampling
        assert a.info.get("progressive") == b.info.get("progressive")


def test_jpeg_tables_of_a_gray_file_serve_a_colour_result(tmp_path: Path) -> None:
    smooth("L").save(tmp_path / "a.jpg", quality=63)
    read = read_picture(tmp_path / "a.jpg")
    write_picture(replace(read, pixels=np.repeat(read.pixels, 3, 2)), tmp_path / "b.jpg")
    after = read_picture(tmp_path / "b.jpg")
    assert after.source.jpeg is not None
    assert read.source.jpeg is not None
    assert after.source.jpeg.tables == read.source.jpeg.tables
    assert after.source.jpeg.subsampling == 0


def test_three_tables_and_fine_progressive_noise(tmp_path: Path) -> None:
    coding = JpegCoding(tables=((1,) * 64, (2,) * 64, (3,) * 64), subsampling=-1, progressive=True)
    levels = noise(300, 300, 3)
    write_picture(Picture(pixels=to_unit(levels, 8), source=Source(format="JPEG", jpeg=coding)), tmp_path / "a.jpg")
    assert read_picture(tmp_path / "a.jpg").source.jpeg == replace(coding, subsampling=0)


def test_jpeg_from_other_formats_is_fine_and_of_full_chroma(tmp_path: Path) -> None:
    write_picture(picture(), tmp_path / "a.jpg")
    smooth().save(tmp_path / "b.jpg", quality=95, subsampling=0)
    assert read_picture(tmp_path / "a.jpg").source.jpeg == read_picture(tmp_path / "b.jpg").source.jpeg


@pytest.mark.parametrize("alpha", [False, True])
def test_webp_stays_lossy_or_lossless(alpha: bool, tmp_path: Path) -> None:
    image = smooth("RGBA" if alpha else "RGB")
    image.putpixel((0, 0), (1, 2, 3, 4) if alpha else (1, 2, 3))
    for lossless in (False, True):
        image.save(tmp_path / "a.webp", lossless=lossless, exif=described().exif)
        read = read_picture(tmp_path / "a.webp")
        assert read.source.lossy != lossless
        assert is_lossless(tmp_path / "b.webp", read) == lossless
        write_picture(read, tmp_path / "b.webp")
        assert read_picture(tmp_path / "b.webp").source.lossy != lossless


def test_a_phone_jpeg_with_a_preview_is_its_first_picture(tmp_path: Path) -> None:
    smooth().save(tmp_path / "a.mpo", save_all=True, append_images=[smooth("RGB", (8, 8))])
    read = read_picture(tmp_path / "a.mpo")
    assert read.source.format == "JPEG"
    assert read.source.jpeg is not None
    assert read.pixels.shape == (16, 24, 3)


# What is refused


def bad_files(folder: Path) -> Iterator[tuple[str, str]]:
    """Names of files in the folder, and what is said of each."""
    (folder / "zero.png").touch()
    yield "zero.png", "empty"
    (folder / "text.png").write_text("not a picture at all, but long enough to look at")
    yield "text.png", "not a picture"
    (folder / "folder.png").mkdir()
    yield "folder.png", "is a folder"
    yield "gone.png", "no such file"
    yield "text.png/a.png", "not a folder"
    for suffix in ("png", "jpg", "webp", "tif", "bmp", "ppm", "avif"):
        Image.fromarray(noise(64, 64, 3)).save(folder / "whole", {"jpg": "jpeg", "tif": "tiff"}.get(suffix, suffix))
        whole = (folder / "whole").read_bytes()
        (folder / f"cut.{suffix}").write_bytes(whole[: len(whole) // 2])
        yield f"cut.{suffix}", "damaged"
    write_picture(picture(depth=16), folder / "deep.png")
    (folder / "cut16.png").write_bytes((folder / "deep.png").read_bytes()[:300])
    yield "cut16.png", "damaged"
    (folder / "cut16.ppm").write_bytes(b"P6 9 9 65535 " + bytes(99))
    yield "cut16.ppm", "damaged"
    for suffix in ("png", "webp", "gif"):
        smooth().save(folder / f"moves.{suffix}", save_all=True, append_images=[smooth("L").convert("RGB")])
        yield f"moves.{suffix}", "an animation"
    smooth().save(folder / "pages.tif", save_all=True, append_images=[smooth()])
    yield "pages.tif", "2 pages"
    for mode in ("CMYK", "I"):
        smooth("L" if mode == "I" else "RGB").convert(mode).save(folder / f"{mode}.tif")
    smooth("CMYK").save(folder / "CMYK.jpg")
    Image.merge("LAB", smooth().split()).save(folder / "LAB.tif")
    yield from (("CMYK.tif", "convert it to RGB"), ("LAB.tif", "convert it to RGB"), ("CMYK.jpg", "convert it to RGB"))
    yield "I.tif", "to 32-bit floating point"
    (folder / "text.ppm").write_text("P3 1 1 65535 1 2 3")
    yield "text.ppm", "16-bit PPM written as text"
    if not HAS_FORMATS:
        (folder / "deep.avif").write_bytes(base64.b64decode(AVIF_OF_10_BITS))
        yield "deep.avif", "10- or 12-bit AVIF needs the extra [formats]"


def test_bad_files_are_refused_in_one_line_that_names_them(tmp_path: Path) -> None:
    for name, reason in bad_files(tmp_path):
        with pytest.raises(PictureError) as caught:
            read_picture(tmp_path / name)
        message = str(caught.value)
        assert message.startswith(str(tmp_path / name)), message
        assert reason in message, message
        assert "\n" not in message


def test_a_changed_byte_of_a_png_is_noticed(tmp_path: Path) -> None:
    write_picture(picture(depth=16), tmp_path / "a.png")
    whole = (tmp_path / "a.png").read_bytes()
    data = whole.index(b"IDAT") + 4
    for at in range(data, len(whole) - 16, 97):
        changed = bytearray(whole)
        changed[at] ^= 1
        (tmp_path / "b.png").write_bytes(changed)
        with pytest.raises(PictureError, match="damaged"):
            read_picture(tmp_path / "b.png")


def test_damage_never_shows_as_anything_but_a_picture_error(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for suffix in (".png", ".jpg", ".webp", ".tif", ".bmp", ".ppm"):
        write_picture(picture(source=described()), tmp_path / f"a{suffix}")
        whole = np.frombuffer((tmp_path / f"a{suffix}").read_bytes(), np.uint8)
        for _ in range(25):
            changed = whole.copy()
            changed[rng.integers(0, len(whole), 4)] = rng.integers(0, 256, 4)
            (tmp_path / "b").write_bytes(changed.tobytes())
            with suppress(PictureError):
                read_picture(tmp_path / "b", max_pixels=1_000_000)


def test_the_limit_is_max_pixels_and_not_pillows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    smooth().save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert read_picture(tmp_path / "a.png", max_pixels=24 * 16).pixels.shape == (16, 24, 3)
    with pytest.raises(PictureError, match="24x16 is more than"):
        read_picture(tmp_path / "a.png", max_pixels=24 * 16 - 1)
    assert Image.MAX_IMAGE_PIXELS == 10


def test_names_are_shown_on_one_line(tmp_path: Path) -> None:
    with pytest.raises(PictureError) as caught:
        read_picture(tmp_path / "a\nb\udce9é.png")
    assert "a\\nb\\udce9é.png: " in str(caught.value)


def test_unknown_suffixes_are_a_usage_error() -> None:
    assert check_writable_format(Path("a.JPeG")) == "JPEG"
    for name in ("a.xyz", "a", ".png", "a.gif", "a.NEF"):
        with pytest.raises(UsageError, match=r"use one of .*\.png|give --format"):
            check_writable_format(Path(name))
        with pytest.raises(UsageError, match=r"use one of|give --format"):
            is_lossless(Path(name), picture())


# Writing whole or not at all


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt(), SystemExit(1)])
@pytest.mark.parametrize("moment", ["encode", "sync", "rename"])
@pytest.mark.parametrize("existed", [False, True])
def test_a_failed_write_leaves_all_as_it_was(
    failure: BaseException, moment: str, existed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if existed:
        (tmp_path / "a.png").write_bytes(b"before")

    def fail(*args: object, **kwargs: object) -> None:
        raise failure

    def fail_halfway(stream: BinaryIO, *args: object) -> None:
        stream.write(b"half a picture")
        raise failure

    if moment == "encode":
        monkeypatch.setattr(image_io, "encode", fail_halfway)
    else:
        monkeypatch.setattr(*((os, "fsync", fail) if moment == "sync" else (Path, "replace", fail)))
    expected = PictureError if isinstance(failure, OSError) else type(failure)
    with pytest.raises(expected, match="cannot be written: the disk is full" if expected is PictureError else None):
        write_picture(picture(), tmp_path / "a.png")
    left = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert left == ({"a.png": b"before"} if existed else {})


def test_a_missing_folder_and_a_folder_in_the_way(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"b/a.png: cannot be written: there is no such file or folder"):
        write_picture(picture(), tmp_path / "b" / "a.png")
    (tmp_path / "c.png").mkdir()
    with pytest.raises(PictureError, match=r"c.png: cannot be written"):
        write_picture(picture(), tmp_path / "c.png")
    assert [path.name for path in tmp_path.iterdir()] == ["c.png"]


def test_what_an_encoder_refuses_is_a_picture_error(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"a.jpg: cannot be written.*XMP data is too long"):
        write_picture(picture(source=Source(xmp=bytes(70000))), tmp_path / "a.jpg")
    wide = Picture(pixels=np.zeros((1, 16384, 3), np.float32))
    with pytest.raises(PictureError, match=r"a.webp: cannot be written.*16383"):
        write_picture(wide, tmp_path / "a.webp")
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_new_file_has_the_permissions_of_any_new_file(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        write_picture(picture(), tmp_path / "a.png")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.png").stat().st_mode) == 0o666 & ~umask


def test_a_symbolic_link_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "original.png").write_bytes(b"precious")
    (tmp_path / "a.png").symlink_to("original.png")
    write_picture(picture(), tmp_path / "a.png")
    assert (tmp_path / "original.png").read_bytes() == b"precious"
    assert_same(read_picture(tmp_path / "a.png"), picture())


def test_the_temporary_file_is_hidden_recognisable_and_near(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Path] = []
    monkeypatch.setattr(Path, "replace", lambda self, target: seen.append(self))
    write_picture(picture(), tmp_path / ("n" * 251 + ".png"))
    assert seen[0].parent == tmp_path
    assert seen[0].name.startswith(f".{os.getpid()}-")
    assert seen[0].name.endswith(TEMPORARY_SUFFIX)


def test_threads_share_pillow_and_leave_its_settings_alone(tmp_path: Path) -> None:
    limit, block = Image.MAX_IMAGE_PIXELS, ImageFile.MAXBLOCK
    write_picture(picture(source=described()), tmp_path / "a.jpg")
    threads = [threading.Thread(target=lambda: [read_picture(tmp_path / "a.jpg") for _ in range(5)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (limit, block) == (Image.MAX_IMAGE_PIXELS, ImageFile.MAXBLOCK)


def test_torch_is_not_imported() -> None:
    code = "import sys, diffuse_cli.images.image_io; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP"])
def test_encoders_never_write_past_the_stream(tmp_path: Path, kind: str) -> None:
    """Pillow's own writing to a descriptor loses bytes on a disk that is getting full, without a word."""
    from diffuse_cli.images.encoder import encode
    from diffuse_cli.images.encoding import PLAIN

    with (tmp_path / "descriptor").open("wb") as other:

        class Stream(io.BytesIO):
            def fileno(self) -> int:
                return other.fileno()

        stream = Stream()
        encode(stream, [Picture(pixels=np.zeros((64, 64, 3), np.float32))], kind, PLAIN)
    assert (tmp_path / "descriptor").stat().st_size == 0
    with Image.open(io.BytesIO(stream.getvalue())) as image:
        assert image.size == (64, 64)
