"""What a file says beside its pixels: policies, profiles, comments, gain maps."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin

from diffuse_cli.images import metadata
from diffuse_cli.images.image_io import (
    Encoding,
    Picture,
    Source,
    read_picture,
    to_unit,
    write_picture,
)
from tests.helpers.image_files import SRGB, XMP_UPRIGHT, assert_same, described, levels_of, noise, picture, smooth
from tests.helpers.image_files import XMP as ORIENTED
from tests.images.test_exif import flat

XMP = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    b'xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    b'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0" exif:GPSLatitude="50,30N" '
    b'dc:format="image/jpeg"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)


def test_safe_xmp_drops_place_and_keeps_the_rest(tmp_path: Path) -> None:
    picture = flat(9)
    picture = replace(picture, source=replace(picture.source, xmp=XMP))
    for policy, latitude, form in (("keep", True, True), ("safe", False, True), ("strip", False, False)):
        write_picture(picture, tmp_path / "a.png", encoding=Encoding(metadata=policy))  # type: ignore[arg-type]
        xmp = read_picture(tmp_path / "a.png").source.xmp
        assert (b"50,30N" in xmp) == latitude
        assert (b"image/jpeg" in xmp) == form
        assert b"hdrgm:Version" not in xmp  # there is no gain map any more


@pytest.mark.parametrize("bad", [b"<x", b"\xff\xfe", b'<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'])
def test_xmp_that_cannot_be_read_is_not_called_safe(bad: bytes) -> None:
    picture = flat(9)
    assert metadata.handed_on(replace(picture, source=replace(picture.source, xmp=bad)), "safe").xmp == b""


def test_resources_survive_and_thumbnails_do_not() -> None:
    found = [(1028, b"", b"iptc"), (2000, b"Path 1", b"odd"), (1036, b"", b"thumb")]
    block = metadata.resource_block(found)
    assert list(metadata.resources(block)) == found
    assert metadata.photoshop_of(block, b"") == metadata.resource_block(found[:2])
    assert metadata.iptc_record(block) == b"iptc"


def test_texts_comments_and_colour_chunks(tmp_path: Path) -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "A title")
    info.add_itxt("Comment", "žluťoučký")
    info.add_text("parameters", "a prompt")
    info.add(b"gAMA", (45455).to_bytes(4, "big"))
    info.add(b"cICP", bytes([9, 16, 0, 1]))
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png", pnginfo=info)
    picture = read_picture(tmp_path / "a.png")
    write_picture(picture, tmp_path / "b.png")
    after = read_picture(tmp_path / "b.png").source
    assert dict(after.texts) == {"Title": "A title", "Comment": "žluťoučký", "parameters": "a prompt"}
    assert after.colour_chunks == ((b"gAMA", (45455).to_bytes(4, "big")), (b"cICP", bytes([9, 16, 0, 1])))
    write_picture(picture, tmp_path / "c.jpg")
    assert dict(read_picture(tmp_path / "c.jpg").source.texts) == {"Comment": "žluťoučký"}
    write_picture(picture, tmp_path / "d.png", encoding=Encoding(metadata="safe"))
    assert "parameters" not in dict(read_picture(tmp_path / "d.png").source.texts)
    write_picture(picture, tmp_path / "e.png", encoding=Encoding(metadata="strip"))
    stripped = read_picture(tmp_path / "e.png").source
    assert (stripped.texts, len(stripped.colour_chunks)) == ((), 2)


def test_a_gain_map_is_said_to_be_left_behind(tmp_path: Path) -> None:
    image = Image.new("RGB", (24, 16), (90, 80, 70))
    image.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[Image.new("L", (6, 4))], xmp=XMP)
    assert read_picture(tmp_path / "a.jpg").source.left_behind == ("an HDR gain map",)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_orientation_is_applied_and_reset(suffix: str, tmp_path: Path) -> None:
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[274], exif[271] = orientation, "Maker"
        smooth().save(tmp_path / f"a{suffix}", exif=exif)
        with Image.open(tmp_path / f"a{suffix}") as image:
            expected = np.asarray(ImageOps.exif_transpose(image))
        read = read_picture(tmp_path / f"a{suffix}")
        np.testing.assert_array_equal(levels_of(read), expected)
        changed = replace(read, pixels=read.pixels * np.float32(0.5))
        for out, result in (("b.png", read), ("b.tif", read), ("b.jpg", changed)):
            write_picture(result, tmp_path / out)
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
    smooth().save(tmp_path / "a.jpg", xmp=ORIENTED)
    read = read_picture(tmp_path / "a.jpg")
    assert read.pixels.shape == (24, 16, 3)
    assert read.source.xmp == XMP_UPRIGHT


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
