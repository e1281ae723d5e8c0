"""The commands of a page, run as they stand there."""

import functools
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

from tests.conftest import PROGRAM, ROOT
from tests.helpers.program import Program

README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").glob("*.md"))
CARD = ROOT / "checkpoints" / "README.md"
TOOLS = ("convert", "parallel", "ffmpeg", "find")
OPERATORS = set("|&;<>()")
TELLING = (
    "batch status",
    "config",
    "doctor",
    "estimate",
    "info",
    "verify",
    "models",
    "evaluate --compare",
    "--dry-run",
)
"""Commands of `diffuse` that write no file."""
ELSEWHERE = {
    "--paint": "tests/cli/paint, tests/program/test_painting.py",
    "weights/": "tests/cli/commands/test_models.py",
    "--model cats": "tests/diffusion/foreign/test_generative.py",
    "models export": "tests/diffusion/test_export.py",
    "compact": "tests/cli/commands/test_models.py",
    "dncnn_25": "tests/cli/commands/test_models.py",
    "torchrun": "tests/training/test_runs.py",
    "examples/check_generated.py": "a trained network",
}
"""Lines that no page's test runs, and what runs them, or what they need."""


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def lines(block: str) -> list[str]:
    """Its commands, without comments, those of several lines joined."""
    return [line for line in block.replace("\\\n", " ").splitlines() if line and not line.startswith("#")]


def command(line: str) -> tuple[list[str], str | None] | None:
    """Arguments of `diffuse`, and the file that its output goes to, where a line is one run of it; else None."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, "#"
    tokens = list(lexer)
    to = tokens.pop() if ">" in tokens[-2:-1] else None
    if to is not None:
        tokens.pop()
    if tokens[0] != "diffuse" or any(set(token) <= OPERATORS for token in tokens):
        return None
    return tokens[1:], to


def run_line(line: str, run: Program, folder: Path) -> None:
    """Run a line of a page, in this process where it can be: starting the program takes seconds.

    Globs are the program's own business, so a shell that leaves them alone gives the same.
    """
    before = len(list(folder.rglob("*")))
    _run(line, run, folder)
    assert [name for name in outputs(line) if not (folder / name).exists()] == [], line
    tells = any(f" {words}" in line for words in TELLING) or not line.startswith("diffuse")
    assert tells or len(list(folder.rglob("*"))) > before, line


def _run(line: str, run: Program, folder: Path) -> None:
    one = command(line)
    if one is None:
        result = shell(line, folder)
        assert result.returncode == 0, f"{line}\n{result.stderr.decode()}"
        return
    ended = run(*one[0], cwd=folder)
    assert ended.exit_code == 0, f"{line}\n{ended.stderr}"
    if one[1] is not None:
        (folder / one[1]).write_text(ended.stdout)


def shell(script: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    path = f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=folder, capture_output=True, check=False, timeout=300,
        env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def missing(block: str) -> list[str]:
    """Programs that a block needs and that are not here."""
    return [tool for tool in TOOLS if re.search(rf"\b{tool} ", block) and not _works(tool)]


@functools.cache
def _works(tool: str) -> bool:
    if shutil.which(tool) is None:
        return False
    about = subprocess.run([tool, "-version"], capture_output=True, check=False).stdout
    return tool != "convert" or b"ImageMagick" in about


def outputs(line: str) -> list[str]:
    """Names of files in a line; after it they must exist."""
    line = line.split(" #")[0]
    return re.findall(r"(?<![\w%*./{}-])[\w/.-]+\.(?:png|jpg|mp4|jsonl|log|html|json|safetensors|toml)\b", line)


def snapshot(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
