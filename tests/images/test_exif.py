"""EXIF blocks: orientation, thumbnails, private tags, and the rest untouched."""

import io
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.images import exif
from diffuse_cli.images.image_io import (
    Picture,
    read_picture,
    to_unit,
    write_picture,
)
from tests.helpers.image_files import smooth


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


def test_broken_blocks_say_nothing() -> None:
    whole = block_with_thumbnail(jpeg(Image.new("RGB", (9, 9))))
    for cut in range(90):
        assert b"SERIAL" not in exif.without_private_tags(whole[:cut])
        assert len(exif.of_result(whole[:cut], (5, 5), Image.new("RGB", (5, 5)))) <= cut
        assert exif.has_thumbnail(whole[:cut]) in (cut >= 50, False)  # the link to it ends at 50


def test_the_rest_of_the_exif_block_is_untouched(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274], exif[271], exif[34665] = 8, "Maker", {37500: b"\0\1absolute offsets in here"}
    smooth().save(tmp_path / "a.jpg", exif=exif)
    before, after = exif.tobytes()[6:], read_picture(tmp_path / "a.jpg").source.exif
    assert [(b, a) for b, a in zip(before, after, strict=True) if a != b] == [(8, 1)]


def test_a_text_that_is_a_fraction_says_nothing(tmp_path: Path) -> None:
    block = b"MM\0*\0\0\0\x08\0\1" + struct.pack(">HHII", 271, 10, 1, 26) + bytes(4) + struct.pack(">ii", 1, 2)
    smooth().save(tmp_path / "a.webp", exif=block)
    assert read_picture(tmp_path / "a.webp").source.exif == b""
