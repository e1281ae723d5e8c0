"""Noise maps as files hold them."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.degradation.estimation.noise_map import map_of
from diffuse_cli.errors import PictureError
from diffuse_cli.images.image_io import Picture, read_picture, to_unit


def test_levels(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 25, 255]], np.uint8)).save(tmp_path / "8.png")
    Image.fromarray(np.array([[0, 25 * 256 + 128, 65535]], np.uint16)).save(tmp_path / "16.png")
    np.testing.assert_allclose(map_of(read_picture(tmp_path / "8.png")), [[0, 25, 255]], atol=1e-4)
    np.testing.assert_allclose(map_of(read_picture(tmp_path / "16.png")), [[0, 25.5, 65535 / 256]], atol=1e-4)
    colours = Picture(pixels=to_unit(np.random.default_rng(0).integers(0, 255, (4, 4, 3)).astype(np.uint8), 8))
    with pytest.raises(PictureError, match="colours"):
        map_of(colours)
