"""The Python of docs/python.md runs as it stands there, with a tiny network in the place of `photo`."""

import re
import shutil
from pathlib import Path

import pytest

import diffuse_cli
from diffuse_cli.diffusion import checkpoint
from diffuse_cli.tasks.style import studio
from diffuse_cli.tasks.style.fine_tuning import StyleTraining
from tests.conftest import EXAMPLES, ROOT

PAGE = (ROOT / "docs" / "python.md").read_text()


def test_every_block_runs(tmp_path: Path, toy_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checkpoint, "find", lambda model="photo": toy_file)
    monkeypatch.setattr(studio, "LESSON", StyleTraining(steps=2, batch=3))
    values: dict[str, object] = {}
    for block in re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        exec(block, values)
    assert {path.name for path in tmp_path.iterdir()} == {"examples", "cat.png", "cat.tif", "compare.png"}


def test_the_page_names_all_that_is_public() -> None:
    named = set(re.findall(r"\w+", PAGE))
    assert {*diffuse_cli.__all__} - named == {"__version__"}
