"""The page of the server runs as one script; the files that other projects copy do what they say."""

import os
import shutil
import socket
import stat
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import EXAMPLES, PROGRAM, ROOT
from tests.docs.pages import blocks
from tests.helpers.program import Program

PAGE = ROOT / "docs" / "serving.md"


@pytest.mark.program
@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_the_page_runs_from_start_to_stop(tmp_path: Path, toy_file: Path) -> None:
    pytest.importorskip("starlette", reason="needs the extra [serve]")
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    script = "\n".join(blocks(PAGE.read_text(), "sh")).replace("8765", port)
    path = f"{PROGRAM.parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "DIFFUSE_MODEL": str(toy_file)}
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True,
        timeout=600,
    )  # fmt: skip
    log = (tmp_path / "serve.log").read_text()
    assert ended.returncode == 0, ended.stderr + log
    assert log.splitlines()[-1] == "stopped"
    for name in ("by_http.png", "filled.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "openapi.json").read_text().startswith("{")


def parsed(name: str) -> Any:  # noqa: ANN401 - what YAML holds
    yaml = pytest.importorskip("yaml")
    return yaml.safe_load((ROOT / name).read_text())


def test_the_hook_fails_where_a_picture_cannot_be_read(run: Program, cat: Path, tmp_path: Path) -> None:
    (hook,) = parsed(".pre-commit-hooks.yaml")
    assert f"- id: {hook['id']}\n" in PAGE.read_text()
    (tmp_path / "broken.png").write_bytes(cat.read_bytes()[:60])
    command = hook["entry"].split()[1:]
    assert run(*command, cat).exit_code == 0
    ended = run(*command, cat, "broken.png")
    assert (ended.exit_code, "in.png: " in ended.stdout, "broken.png: " in ended.stderr) == (1, True, True)


def test_the_action_passes_arguments_as_they_are(tmp_path: Path) -> None:
    action = parsed("action.yml")
    install, last = (step for step in action["runs"]["steps"] if "run" in step)
    assert "${{" not in install["run"] + last["run"]  # what a user gives is never a part of a script
    program = tmp_path / "diffuse" / "bin" / "diffuse"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\nprintf "<%s>" "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    asked = "restore\nmy scans\n-o\n$(touch owned); `id`\n"
    ended = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", last["run"]], capture_output=True, text=True, cwd=tmp_path, check=True,
        env={**os.environ, "RUNNER_TEMP": str(tmp_path), "ARGUMENTS": asked},
    )  # fmt: skip
    assert ended.stdout == "<restore><my scans><-o><$(touch owned); `id`>"
    assert not (tmp_path / "owned").exists()


def test_the_image_gets_all_that_the_wheel_is_made_of() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*build["packages"], *build["shared-data"], *(name.split("/")[0] for name in build["force-include"])}
    assert {*needed, "pyproject.toml", "README.md", "LICENSE"} <= let_in
    users = [line.split()[1] for line in lines if line.startswith("USER ")]
    assert users
    assert not users[-1].startswith(("0", "root"))
