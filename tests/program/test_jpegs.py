"""JPEGs through the installed program: what needs nothing is copied."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.images.jpeg_data import coded_picture
from tests.conftest import EXAMPLES, Run

pytestmark = pytest.mark.program


@pytest.mark.parametrize("command", ["denoise", "restore"])
def test_a_jpeg_that_needs_nothing_is_copied(command: str, diffuse: Run, tmp_path: Path) -> None:
    with Image.open(EXAMPLES / "coffee_small.png") as image:
        image.convert("RGB").crop((0, 0, 150, 90)).save(tmp_path / "a.jpg", quality=95, comment=b"mine")
    done = diffuse(command, "a.jpg", "-o", "b.jpg")
    assert done.returncode == 0, done.stderr
    assert b"b.jpg: nothing was changed, so the coded picture was copied" in done.stderr
    before, after = ((tmp_path / name).read_bytes() for name in ("a.jpg", "b.jpg"))
    assert coded_picture(before) == coded_picture(after)
    assert b"mine" in after
    assert b"diffuse" in after
    np.testing.assert_array_equal(*(np.asarray(Image.open(tmp_path / name)) for name in ("a.jpg", "b.jpg")))
