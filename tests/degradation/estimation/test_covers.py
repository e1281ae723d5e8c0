"""Half-transparent covers: the model's own covers are found and lifted, and nothing else is."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from diffuse_cli.degradation.estimation.covers import find_cover

Pixels = NDArray[np.float32]


@pytest.fixture
def clean(photo: NDArray[np.uint8]) -> Pixels:
    return photo.astype(np.float32) / 127.5 - 1


def letters(size: tuple[int, int]) -> NDArray[np.float32]:
    """Return how much each pixel is covered, with antialiased rims."""
    image = Image.new("L", (2 * size[1], 2 * size[0]))
    ImageDraw.Draw(image).text((20, size[0] // 2), "COPY", fill=255, font=ImageFont.load_default(size[1] * 0.7))
    return np.asarray(image.resize(size[::-1], Image.Resampling.BOX), np.float32) / np.float32(255)


def covered(clean: Pixels, cover: NDArray[np.float32], opacity: float, colour: tuple[float, ...]) -> Pixels:
    alpha = opacity * cover[..., None]
    y = clean * (1 - alpha) + alpha * np.array(colour, np.float32)
    return np.asarray(((y + 1) * 127.5).round() / 127.5 - 1, np.float32)


@pytest.mark.parametrize(
    ("opacity", "colour"), [(0.5, (1.0, 1.0, 1.0)), (0.35, (-1.0, -0.8, 0.2)), (0.7, (0.3, 1.0, -0.5))]
)
def test_opacity_and_colour_are_found_and_the_picture_comes_back(
    clean: Pixels, opacity: float, colour: tuple[float, ...]
) -> None:
    cover = letters(clean.shape[:2])
    y = covered(clean, cover, opacity, colour)
    found = find_cover(y, cover > 0)
    assert found is not None
    assert found.opacity == pytest.approx(opacity, abs=0.04)
    np.testing.assert_allclose(found.colour, colour, atol=0.2)
    lifted = found.lifted(y)
    inside = found.core
    before, after = (np.square(x[inside] - clean[inside]).mean() for x in (y, lifted))
    assert after < before / 40
    np.testing.assert_array_equal(lifted[~inside], y[~inside])


def test_what_is_not_covered_is_no_cover(clean: Pixels) -> None:
    assert find_cover(clean, letters(clean.shape[:2]) > 0) is None


def test_an_opaque_cover_cannot_be_lifted(clean: Pixels) -> None:
    cover = letters(clean.shape[:2])
    assert find_cover(covered(clean, cover, 1.0, (1.0, 1.0, 1.0)), cover > 0) is None
    assert find_cover(covered(clean, cover, 0.9, (1.0, 1.0, 1.0)), cover > 0) is None


def test_a_flat_picture_tells_no_opacity() -> None:
    cover = letters((120, 160))
    assert find_cover(covered(np.zeros((120, 160, 3), np.float32), cover, 0.5, (1.0, 1.0, 1.0)), cover > 0) is None


def test_masks_that_leave_no_border_are_no_cover(clean: Pixels) -> None:
    everything = np.ones(clean.shape[:2], bool)
    assert find_cover(clean, everything) is None
    speck = np.zeros(clean.shape[:2], bool)
    speck[10:13, 10:13] = True
    assert find_cover(clean, speck) is None
