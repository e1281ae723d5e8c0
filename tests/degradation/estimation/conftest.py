"""Photographs whose history is known because the tests make it."""

import io

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import data as samples

Floats = NDArray[np.float32]


@pytest.fixture(scope="module", params=["astronaut", "coffee", "chelsea"])
def photo(request: pytest.FixtureRequest) -> NDArray[np.uint8]:
    """A photograph of half its size: sharp, and without a JPEG's traces."""
    image = Image.fromarray(getattr(samples, request.param)())
    return np.asarray(image.resize((image.width // 2 // 8 * 8, image.height // 2 // 8 * 8), Image.Resampling.LANCZOS))


def through_jpeg(levels: NDArray[np.uint8], quality: int, subsampling: str = "4:2:0") -> Floats:
    file = io.BytesIO()
    Image.fromarray(levels).save(file, "JPEG", quality=quality, subsampling=subsampling)
    with Image.open(file) as image:
        return np.asarray(image, np.float32)


def noisy(levels: NDArray[np.uint8], std: Floats | float, seed: int = 0) -> Floats:
    noise = np.random.default_rng(seed).normal(size=levels.shape) * std
    return (levels + noise).round().clip(0, 255).astype(np.float32)
