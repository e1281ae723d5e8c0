"""Every command line in docs/ works as it stands there.

A page's blocks run in order, in one folder, with a tiny network in the place of `photo`: its results are of no use, but
made and told in the same way.
"""

import importlib.util
import shutil
import struct
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.tasks.style import studio
from diffuse_cli.tasks.style.fine_tuning import StyleTraining
from tests.conftest import EXAMPLES
from tests.docs.pages import DOCS, ELSEWHERE, blocks, lines, missing, run_line, shell, snapshot
from tests.helpers.dicom_files import dataset, save, scene
from tests.helpers.image_files import HAS_FORMATS
from tests.helpers.program import Program
from tests.helpers.raw_files import scene as raw_scene
from tests.helpers.raw_files import sensor_law, write_raw

WITH_COMMANDS = [page for page in DOCS if page.stem not in ("mnist", "serving") and blocks(page.read_text(), "sh")]
"""tests/training runs the MNIST page, for which it makes the data, and test_serving.py runs that of the server."""
REAL = {"provenance"}
"""Pages with the shipped weights: `verify` finds that the tiny network restores nothing."""
SHORTER = {"--init photo": "--init toy.safetensors --config toy.toml", "--minutes 60": "--images 96"}


def part(name: str, box: tuple[int, int, int, int]) -> Image.Image:
    with Image.open(EXAMPLES / name) as image:
        return image.convert("RGB").crop(box)


def labelled(folder: Path) -> None:
    """A data set like Fashion-MNIST, of sixty pictures, where torchvision looks for it."""
    folder.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (60, 28, 28), np.uint8)
    for name, array in (("images-idx3", pixels), ("labels-idx1", np.arange(60, dtype=np.uint8) % 10)):
        head = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
        for part in ("train", "t10k"):
            (folder / f"{part}-{name}-ubyte").write_bytes(head + array.tobytes())


@pytest.fixture
def place(tmp_path: Path, toy_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the examples, small photographs, scans, and a film where ffmpeg can make one."""
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    shutil.copy(toy_file, tmp_path / "toy.safetensors")
    (tmp_path / "toy.toml").write_text("channels = [8, 16]\nblocks = [1, 1]\nemb = 16\ncrop = 32\nbatch = 16\n")
    for name in ("photos", "scans", "holdout"):
        (tmp_path / name).mkdir()
    for k, name in enumerate("abcd"):
        part("rocket_noisy.jpg", (40 * k, 60 * k, 40 * k + 160, 60 * k + 160)).save(tmp_path / "photos" / f"{name}.png")
    part("cat_noisy.png", (150, 60, 290, 200)).save(tmp_path / "holdout" / "c.png")
    moves = [part("cat_noisy.png", (150 + 4 * k, 60, 198 + 4 * k, 100)) for k in range(3)]
    (tmp_path / "clips").mkdir(exist_ok=True)
    moves[0].save(tmp_path / "clips" / "moves.gif", save_all=True, append_images=moves[1:], duration=80)
    (tmp_path / "frames").mkdir()
    for k, move in enumerate(moves):
        move.save(tmp_path / "frames" / f"f{k}.png")
    shutil.copy(EXAMPLES / "camera_scratched.png", tmp_path / "scans")
    (tmp_path / "copies").mkdir()
    for k, name in enumerate(("a.jpg", "b.png", "c.jpg")):
        part("cat_noisy.png", (150 + 3 * k, 60 + k, 278 + 3 * k, 188 + k)).save(tmp_path / "copies" / name, quality=80)
    if importlib.util.find_spec("pydicom") is not None:
        save(dataset([scene(-1000, 2000, (64, 64))], stored=16, signed=True), tmp_path / "scan.dcm")
    if HAS_FORMATS:
        for name in ("shot", "shot1", "shot2", "shot3"):
            write_raw(tmp_path / f"{name}.dng", raw_scene(96, 128), sensor_law(3200))
    labelled(tmp_path / "data" / "FashionMNIST" / "raw")
    if shutil.which("ffmpeg"):
        source = ["-f", "lavfi", "-i", "testsrc=size=64x48:rate=25:duration=0.12"]
        subprocess.run(["ffmpeg", "-v", "error", *source, str(tmp_path / "film.mp4")], check=True)
    monkeypatch.setattr(studio, "LESSON", StyleTraining(steps=2, batch=3))
    return tmp_path


NEEDED = {"dicom": "pydicom", "raw": "rawpy", "fusing": "cv2"}
"""Modules that a page's commands need."""


@pytest.mark.program
@pytest.mark.parametrize("page", WITH_COMMANDS, ids=lambda page: page.stem)
def test_every_command_runs(place: Path, run: Program, page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if page.stem not in REAL:
        monkeypatch.setenv("DIFFUSE_MODEL", "toy.safetensors")
    pytest.importorskip(NEEDED.get(page.stem, "diffuse_cli"))
    before, skipped = snapshot(place), set()
    for block in blocks(page.read_text(), "sh"):
        if missing(block):
            skipped.update(missing(block))
            continue
        for line in lines(block):
            if any(words in line for words in ELSEWHERE):
                continue
            for words, shorter in SHORTER.items():
                line = line.replace(words, shorter)
            run_line(line, run, place)
    assert {path: path.read_bytes() for path in before} == before
    if skipped:
        pytest.skip(f"all but the blocks that need {', '.join(sorted(skipped))} ran")


@pytest.mark.program
def test_painting_waits_for_a_mask(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As far as one gets without a browser; tests/cli/paint goes on from there."""
    monkeypatch.setenv("DIFFUSE_MODEL", "toy.safetensors")
    text = "".join(page.read_text() for page in WITH_COMMANDS)
    asked = [line for block in blocks(text, "sh") for line in lines(block) if "--paint" in line]
    assert {line.split()[1] for line in asked} == {"inpaint", "restore"}
    for line in asked:
        result = shell(f"timeout --signal INT 15 {line}", place)
        assert b"paint the mask at http://127.0.0.1:" in result.stderr
        assert not (place / line.split()[-1]).exists()
