"""PNGs as the specification has them: 16 bits, interlaced, with a transparent colour."""

from pathlib import Path

import numpy as np
import pytest

from diffuse_cli.errors import PictureError
from diffuse_cli.images.image_io import (
    read_picture,
    write_picture,
)
from tests.helpers.image_files import levels_of, noise, picture, png


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
