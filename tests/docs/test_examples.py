"""Every command line and every line of Python in the pages under examples/ works as it stands there.

They run with a tiny network in the place of `photo`: its results are of no use, but made and told in the same way.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import EXAMPLES, PROGRAM
from tests.docs.test_readme import blocks

PAGES = ("shell", "scans", "fine-tuning")
TOOLS = ("convert", "parallel", "ffmpeg", "find")


def scripts() -> list[tuple[str, int]]:
    """Pages and the numbers of their blocks; a page's later blocks may need what the earlier ones made."""
    found = []
    for page in PAGES:
        found += [(page, k) for k in range(len(blocks((EXAMPLES / f"{page}.md").read_text(), "sh")))]
    return found


def part(name: str, box: tuple[int, int, int, int]) -> Image.Image:
    with Image.open(EXAMPLES / name) as image:
        return image.convert("RGB").crop(box)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory, toy_file: Path) -> dict[str, Path]:
    """For each page a folder with small photographs, scans, and a film where ffmpeg can make one."""
    made = {}
    for page in PAGES:
        folder = made[page] = tmp_path_factory.mktemp(page)
        shutil.copytree(EXAMPLES, folder / "examples")
        shutil.copy(toy_file, folder / "toy.safetensors")
        (folder / "toy.toml").write_text("channels = [8, 16]\nblocks = [1, 1]\nemb = 16\ncrop = 32\nbatch = 16\n")
        for name in ("photos", "scans", "holdout", "archive"):
            (folder / name).mkdir()
        side = 160 if page == "fine-tuning" else 64
        for k, name in enumerate("abcd" if page == "fine-tuning" else "ab"):
            part("rocket_noisy.jpg", (40 * k, 60 * k, 40 * k + side, 60 * k + side)).save(
                folder / "photos" / f"{name}.png"
            )
        part("cat_noisy.png", (150, 60, 290, 200)).save(folder / "holdout" / "c.png")
        shutil.copy(EXAMPLES / "camera_scratched.png", folder / "scans")
    if shutil.which("ffmpeg"):
        source = ["-f", "lavfi", "-i", "testsrc=size=64x48:rate=25:duration=0.12"]
        subprocess.run(["ffmpeg", "-v", "error", *source, str(made["shell"] / "film.mp4")], check=True)
    return made


@pytest.mark.parametrize(("page", "number"), scripts())
def test_every_block_runs(folders: dict[str, Path], page: str, number: int) -> None:
    lines = blocks((EXAMPLES / f"{page}.md").read_text(), "sh")[number].splitlines()
    script = "\n".join(line for line in lines if "--paint" not in line)  # test_paint, test_pages
    for tool in TOOLS:
        if re.search(rf"\b{tool} ", script) and shutil.which(tool) is None:
            pytest.skip(f"needs {tool}")
    script = script.replace("--init photo", "--init toy.safetensors --config toy.toml")
    path = f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folders[page], capture_output=True, check=False, timeout=300,
        env={**os.environ, "DIFFUSE_MODEL": "toy.safetensors", "PATH": path, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert result.returncode == 0, result.stderr.decode()
    for name in re.findall(r"(?<!%)\b[\w/.-]+\.(?:png|mp4|jsonl|html|json|safetensors)\b", script):
        assert (folders[page] / name).exists(), name


def test_the_python_runs(tmp_path: Path, toy_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import diffuse_cli
    from diffuse_cli import api

    shutil.copytree(EXAMPLES, tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    restore = api.restore
    monkeypatch.setattr(
        diffuse_cli,
        "restore",
        lambda *given, **options: restore(*given, **{"model": toy_file, **options}),
        raising=False,
    )
    values: dict[str, object] = {}
    for block in blocks((EXAMPLES / "python.md").read_text(), "python"):
        exec(block, values)
    assert (tmp_path / "compare.png").exists()
    assert isinstance(values["repaired"], np.ndarray)


def test_every_link_leads_somewhere() -> None:
    for page in EXAMPLES.rglob("*.md"):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page}: {target}"
