"""What a file says beside its pixels: thumbnails, policies, comments, gain maps, and the extra's absence."""

import io
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from diffuse_cli.errors import PictureError, UsageError
from diffuse_cli.images import exif, metadata, optional_formats
from diffuse_cli.images.image_io import Encoding, Picture, read_picture, to_unit, write_picture

XMP = (
    b'<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF '
    b'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    b'xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    b'xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/" hdrgm:Version="1.0" exif:GPSLatitude="50,30N" '
    b'dc:format="image/jpeg"/></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)


def block_with_thumbnail(thumbnail: bytes, *, order: str = "little") -> bytes:
    """An EXIF block of two directories: make and private tags, then a thumbnail."""
    endian = "<" if order == "little" else ">"

    def entry(tag: int, kind: int, count: int, value: int | bytes) -> bytes:
        data = value if isinstance(value, bytes) else struct.pack(endian + "I", value)
        return struct.pack(endian + "HHI", tag, kind, count) + data

    head = (b"II*\0" if order == "little" else b"MM\0*") + struct.pack(endian + "I", 8)
    first_at, second_at = 8, 8 + 2 + 3 * 12 + 4
    serial_at, thumb_at = second_at + 2 + 2 * 12 + 4, second_at + 2 + 2 * 12 + 4 + 12
    first = struct.pack(endian + "H", 3) + entry(0x10F, 2, 4, b"Abc\0")
    first += entry(0xC62F, 2, 12, serial_at) + entry(256, 4, 1, 9999) + struct.pack(endian + "I", second_at)
    second = struct.pack(endian + "H", 2) + entry(513, 4, 1, thumb_at) + entry(514, 4, 1, len(thumbnail))
    assert first_at + len(first) == second_at
    return head + first + second + bytes(4) + b"SERIAL-0001\0" + thumbnail


def jpeg(image: Image.Image, quality: int = 95) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def flat(value: int, size: tuple[int, int] = (40, 60)) -> Picture:
    return Picture(pixels=to_unit(np.full((*size, 3), value, np.uint8), 8))


@pytest.mark.parametrize("order", ["little", "big"])
def test_the_thumbnail_shows_the_result_and_sizes_are_the_results(order: str, tmp_path: Path) -> None:
    old = jpeg(Image.effect_noise((160, 120), 80).convert("RGB"))
    picture = flat(200)
    picture = replace(picture, source=replace(picture.source, exif=block_with_thumbnail(old, order=order)))
    write_picture(picture, tmp_path / "a.jpg")
    after = read_picture(tmp_path / "a.jpg").source.exif
    assert len(after) == len(picture.source.exif)  # nothing has moved
    start = after.index(b"\xff\xd8\xff")
    with Image.open(io.BytesIO(after[start:])) as thumbnail:
        assert thumbnail.size == (60, 40)
        assert np.abs(np.asarray(thumbnail).astype(int) - 200).max() < 4
    parsed = Image.Exif()
    parsed.load(after)
    assert (parsed[256], parsed[0x10F]) == (60, "Abc")


def test_a_thumbnail_without_room_is_removed(tmp_path: Path) -> None:
    picture = flat(200)
    picture = replace(picture, source=replace(picture.source, exif=block_with_thumbnail(b"\xff\xd8tiny\xff\xd9")))
    write_picture(picture, tmp_path / "a.jpg")
    after = read_picture(tmp_path / "a.jpg").source.exif
    assert not exif.has_thumbnail(after)
    assert b"tiny" not in after


@pytest.mark.parametrize("order", ["little", "big"])
def test_private_tags_are_gone_and_not_just_unlinked(order: str) -> None:
    old = jpeg(Image.new("RGB", (9, 9)))
    safe = exif.without_private_tags(block_with_thumbnail(old, order=order))
    assert b"SERIAL" not in safe
    assert b"\xff\xd8" not in safe
    parsed = Image.Exif()
    parsed.load(safe)
    assert dict(parsed) == {0x10F: "Abc", 256: 9999}


@pytest.mark.parametrize("cut", range(0, 90, 3))
def test_broken_blocks_say_nothing(cut: int) -> None:
    block = block_with_thumbnail(jpeg(Image.new("RGB", (9, 9))))[:cut]
    assert exif.without_private_tags(block) in (b"", exif.without_private_tags(block))
    exif.of_result(block, (5, 5), Image.new("RGB", (5, 5)))
    assert isinstance(exif.has_thumbnail(block), bool)


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


WRONG = [{"format": "xyz"}, {"quality": 0}, {"quality": 101}, {"depth": "12"}, {"metadata": "all"}]


@pytest.mark.parametrize("change", WRONG)
def test_wrong_encodings_are_usage_errors(change: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=f"--{next(iter(change))} must"):
        Encoding(**change)  # type: ignore[arg-type]


def test_a_name_and_a_format_must_agree() -> None:
    assert Encoding(format="tiff").kind(Path("a.tiff")) == Encoding(format="tiff").kind(Path("scan.0001")) == "TIFF"
    with pytest.raises(UsageError, match="--format tiff does not go with"):
        Encoding(format="tiff").kind(Path("a.png"))


FILES = {
    "a.heic": (b"\0\0\0\x18ftypheic", "HEIC"),
    "a.jxl": (b"\xff\x0a" + bytes(60), "JPEG XL"),
    "a.cr3": (b"\0\0\0\x18ftypcrx ", "camera RAW"),
    "a.nef": (b"II*\0\x08\0\0\0" + bytes(60), "camera RAW"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_missing_extra_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in optional_formats._MODULES.values():
        monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    (tmp_path / name).write_bytes(FILES[name][0])
    with pytest.raises(PictureError) as caught:
        read_picture(tmp_path / name)
    assert f"{name}: {FILES[name][1]} needs the extra [formats]: pip install" in str(caught.value)
    assert ("darktable" in str(caught.value)) == (FILES[name][1] == "camera RAW")
    if name in ("a.heic", "a.jxl"):
        with pytest.raises(UsageError, match=r"needs the extra \[formats\]"):
            write_picture(flat(9), tmp_path / f"out{Path(name).suffix}")


def test_optional_libraries_are_not_imported_before_they_are_needed() -> None:
    code = "import sys, diffuse_cli.images.image_io; print([m for m in sys.argv[1:] if m in sys.modules])"
    command = [sys.executable, "-c", code, *optional_formats._MODULES.values(), "torch", "cv2"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"


def test_float_files_that_are_no_pictures_are_refused(tmp_path: Path) -> None:
    for value, problem in ((np.nan, "not finite"), (4000.0, "white is to be 1")):
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
