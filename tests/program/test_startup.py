"""How the installed program starts: its scripts, and what help costs."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROGRAM, Run

pytestmark = pytest.mark.program


def test_version_and_module_entry(diffuse: Run) -> None:
    version = diffuse("--version").stdout
    assert version.startswith(b"diffuse ")
    module = subprocess.run([sys.executable, "-m", "diffuse_cli", "--version"], capture_output=True, check=True)
    assert module.stdout == version
    assert PROGRAM.with_name("diffuse-cli").exists()


def test_a_small_picture_waits_for_torch_but_not_for_scipy(cat: Path) -> None:
    words = ["diffuse", "denoise", str(cat), "--noise", "15", "-o", str(cat.with_name("out.png"))]
    program = f"""
import atexit, sys
from diffuse_cli.cli.app import main
atexit.register(lambda: print(*sys.modules))
sys.argv = {words}
main()"""
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    assert "torch" in loaded
    assert not {"scipy", "torchvision", "skimage", "cv2", "matplotlib"} & set(loaded)
    assert [name for name in loaded if name.startswith("diffuse_cli.cli.commands.")] == [
        "diffuse_cli.cli.commands.config", "diffuse_cli.cli.commands.denoise",
    ]  # fmt: skip


def test_help_imports_nothing_that_computes() -> None:
    """What help costs is what it imports; beside typer that is only this package's own modules."""
    for command in ([], ["denoise"], ["train"], ["evaluate"]):
        listing = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "diffuse_cli", *command, "--help"],
            check=True, capture_output=True, text=True,
        ).stderr  # fmt: skip
        loaded = {line.rsplit("|", 1)[1].strip().split(".")[0] for line in listing.splitlines() if "|" in line}
        assert "typer" in loaded
        assert not loaded & {"torch", "numpy", "PIL", "safetensors", "rich", "pydantic", "skimage", "scipy"}
