"""The coded picture of a JPEG is taken out of its file, and put under other metadata."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.images.jpeg_data import coded_picture, decoded, segments, with_metadata
from tests.helpers.image_files import noise


def jpeg(mode: str = "RGB", **options: object) -> bytes:
    stream = io.BytesIO()
    levels = noise(24, 40, 3, 8) if mode == "RGB" else noise(24, 40, 1, 8)[..., 0]
    Image.fromarray(levels).save(stream, "JPEG", **options)
    return stream.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 2}, {"restart_marker_blocks": 2}])
def test_a_coded_picture_decodes_to_the_same(mode: str, options: dict[str, object]) -> None:
    data = jpeg(mode, comment=b"hello", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0", **options)
    coded = coded_picture(data)
    np.testing.assert_array_equal(decoded(coded), decoded(data))
    assert b"hello" not in coded
    assert b"Exif" not in coded


def test_what_lies_behind_the_picture_stays_out() -> None:
    assert coded_picture(jpeg() + b"\xff\xd8 a second picture \xff\xd9") == coded_picture(jpeg())


def test_a_missing_end_marker_is_added() -> None:
    assert coded_picture(jpeg()[:-2]) == coded_picture(jpeg())


def test_colours_stay_what_they_are_under_other_metadata(tmp_path: Path) -> None:
    """An Adobe segment says that the colours are RGB, unless a JFIF segment beside it says that they are YCbCr."""
    stream = io.BytesIO()
    Image.fromarray(noise(24, 40, 3, 8)).save(stream, "JPEG", keep_rgb=True)
    adobe = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0"
    plain = stream.getvalue()
    without = b"".join(plain[s.start : s.end] for s in segments(plain) if s.marker != 0xE0)
    data = b"\xff\xd8" + adobe + without
    out = with_metadata(coded_picture(data), jpeg(comment=b"hello", dpi=(300, 300)))
    np.testing.assert_array_equal(decoded(out), decoded(data))
    assert b"hello" in out
    assert b"JFIF" not in out


def test_the_resolution_is_the_other_files() -> None:
    out = with_metadata(coded_picture(jpeg(dpi=(72, 72))), jpeg(dpi=(300, 300)))
    with Image.open(io.BytesIO(out)) as image:
        assert image.info["dpi"] == (300, 300)


@pytest.mark.parametrize("data", [b"", b"\xff\xd8", b"\xff\xd8\xff\xe0\0", b"\xff\xd8\xff\xc4\0\0" * 3, b"junk"])
def test_what_is_no_picture_has_no_coded_one(data: bytes) -> None:
    assert coded_picture(data) == b""
