"""Processes that are really measured."""

import sys
from pathlib import Path

import pytest
from PIL import Image

from diffuse_cli.evaluation.command_speed import CommandFailedError, picture, run


def test_processes_are_measured() -> None:
    code = "import time; block = bytearray(200 << 20); time.sleep(0.3)"
    spent = run([sys.executable, "-c", code])
    assert spent.seconds >= 0.3
    assert 200 <= spent.peak_mib < 300
    assert 0 < spent.cpu_seconds < spent.seconds
    busy = run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.5: pass"])
    assert busy.cpu_seconds >= 0.5
    with pytest.raises(CommandFailedError, match="exit code 3: went wrong"):
        run([sys.executable, "-c", "import sys; sys.stderr.write('went wrong'); sys.exit(3)"])


def test_synthetic_pictures_have_the_size_asked_for(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 0.3)
    picture(tmp_path / "b.png", 0.3)
    with Image.open(tmp_path / "a.png") as image:
        assert image.width * image.height == pytest.approx(0.3e6, rel=0.01)
        assert len(image.getcolors(1 << 20) or range(1 << 20)) > 10_000, "grain and colour"
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
