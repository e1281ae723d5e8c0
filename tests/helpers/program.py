"""The program run in this process, which saves the time of starting it."""

import json
from collections.abc import Callable
from contextlib import chdir
from pathlib import Path
from typing import Any

import jsonschema
import torch
from typer.testing import CliRunner, Result

import diffuse_cli
from diffuse_cli.cli.app import app

Program = Callable[..., Result]
SCHEMA = json.loads((Path(diffuse_cli.__file__).parent / "json_lines.schema.json").read_text())


def call(*arguments: str | Path, cwd: str | Path = ".", stdin: bytes = b"", **env: str) -> Result:
    """What it writes is captured; an exception that it would die of is raised, and torch's threads are put back."""
    threads = torch.get_num_threads()
    with chdir(cwd):
        result = CliRunner().invoke(app, [str(argument) for argument in arguments], stdin, {"NO_COLOR": "1", **env})
    torch.set_num_threads(threads)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def json_lines(text: str | bytes) -> list[dict[str, Any]]:
    """What --json printed, each line as the schema has it."""
    found = [json.loads(line) for line in text.splitlines()]
    for line in found:
        jsonschema.validate(line, SCHEMA)
    return found
