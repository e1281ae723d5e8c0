"""When a picture was taken."""

from pathlib import Path

import pytest
from PIL import Image

from diffuse_cli.images.capture_time import taken_at


def test_exif_tells_to_the_fraction_of_a_second(tmp_path: Path) -> None:
    times = []
    for k, (second, part) in enumerate((("05", None), ("05", "25"), ("07", "5"))):
        exif = Image.Exif()
        told = exif.get_ifd(0x8769)
        told[0x9003] = f"2026:03:02 14:59:{second}"
        if part is not None:
            told[0x9291] = part
        Image.new("RGB", (8, 8)).save(tmp_path / f"{k}.jpg", exif=exif)
        times.append(taken_at(tmp_path / f"{k}.jpg"))
    assert times[0] is not None
    assert times[1] == pytest.approx(times[0] + 0.25)
    assert times[2] == pytest.approx(times[0] + 2.5)


def test_what_says_nothing(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    (tmp_path / "none.jpg").write_bytes(b"no picture")
    assert [taken_at(tmp_path / n) for n in ("plain.png", "none.jpg", "missing.jpg")] == [None] * 3
