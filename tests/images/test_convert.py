"""Pictures of other libraries become a Picture, and a Picture becomes what was given."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from diffuse_cli.errors import UsageError
from diffuse_cli.images.convert import to_image, to_like, to_picture

COLOUR = np.random.default_rng(0).integers(0, 256, (6, 7, 3), np.uint8)


@pytest.mark.parametrize(
    ("mode", "channels", "alpha"),
    [("1", 1, False), ("L", 1, False), ("LA", 1, True), ("RGB", 3, False), ("RGBA", 3, True), ("P", 3, False),
     ("PA", 3, True)],
)  # fmt: skip
def test_modes_of_pil(mode: str, channels: int, alpha: bool) -> None:
    image = Image.fromarray(COLOUR).convert("P" if mode == "PA" else mode)
    image = image.convert(mode)
    picture = to_picture(image)
    assert picture.pixels.shape == (6, 7, channels)
    assert (picture.alpha is not None) == alpha
    expected = image.convert({"1": "L", "P": "RGB", "PA": "RGBA"}.get(mode, mode))
    assert np.array_equal(np.asarray(to_like(image, picture, picture)), np.asarray(expected))


def test_transparency_of_a_palette_is_alpha() -> None:
    image = Image.fromarray(COLOUR).quantize(4)
    image.info["transparency"] = 0
    picture = to_picture(image)
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha == 0, np.asarray(image) == 0)
    assert "transparency" not in to_like(image, picture, picture).info


def test_sixteen_bits() -> None:
    deep = Image.fromarray(COLOUR[..., 0].astype(np.uint16) * 257)
    picture = to_picture(deep)
    assert picture.depth == 16
    assert np.array_equal(np.asarray(to_like(deep, picture, picture)), np.asarray(deep))
    with pytest.raises(UsageError, match="16-bit colour"):
        to_image(to_picture(COLOUR.astype(np.uint16) * 257))
    with pytest.raises(UsageError, match="CMYK must be converted"):
        to_picture(Image.fromarray(COLOUR).convert("CMYK"))


def test_what_was_known_beside_the_pixels_stays() -> None:
    image = Image.fromarray(COLOUR)
    image.info["dpi"] = (300, 300)
    picture = to_picture(image)
    assert to_like(image, picture, picture).info["dpi"] == (300, 300)
    whole = replace(picture, alpha=np.full((6, 7), 9, np.uint8))
    assert to_like(whole, whole, whole) is whole


def test_a_gray_array_that_got_colour_keeps_it() -> None:
    gray = COLOUR[..., 0]
    before, after = to_picture(gray), to_picture(COLOUR)
    assert np.array_equal(to_like(gray, before, after), COLOUR)
    assert np.array_equal(to_like(gray, before, before), gray)
    tensor = torch.rand(1, 6, 7)
    assert to_like(tensor, to_picture(tensor), after).shape == (3, 6, 7)


def test_floats_that_did_not_change_keep_their_bits() -> None:
    floats = np.random.default_rng(1).random((6, 7, 3))
    before = to_picture(floats)
    pixels = before.pixels.copy()
    pixels[2] += 0.5
    found = to_like(floats, before, replace(before, pixels=pixels))
    assert np.array_equal(np.delete(found, 2, 0), np.delete(floats, 2, 0))
    assert np.allclose(found[2], floats[2] + 0.25)
    larger = replace(before, pixels=np.pad(before.pixels, ((1, 2), (3, 0), (0, 0))))
    assert np.array_equal(to_like(floats, before, larger, corner=(1, 3))[1:7, 3:], floats)


def test_floats_beyond_white_stay_floats() -> None:
    ramp = np.linspace(0, 4, 12).reshape(3, 4)
    assert to_picture(ramp).floating
    assert not to_picture(ramp / 4).floating
    assert (to_like(ramp, to_picture(ramp), to_picture(ramp)) == ramp).all()
