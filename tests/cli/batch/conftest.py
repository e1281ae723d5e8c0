"""A folder of pictures by name alone, and what is found and planned of it."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from diffuse_cli.cli.batch import inputs, plan
from diffuse_cli.cli.batch.inputs import Found
from diffuse_cli.cli.batch.job import Job
from diffuse_cli.cli.batch.naming import Naming

SUFFIXES = (".png", ".jpg")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.jpg", "sub/a.png", "sub/deep/C.PNG", "sub/notes.txt", ".hidden.png", "x[1].png"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def found(*names: str | Path, recursive: bool = False, listed: Sequence[Path] = ()) -> list[Found]:
    return inputs.find([Path(name) for name in names], suffixes=SUFFIXES, recursive=recursive, listed=listed).found


def paths(some: list[Found]) -> list[str]:
    return [str(one.path) for one in some]


def planned(
    some: list[Found],
    output: str | None,
    on_exists: plan.OnExists = "fail",
    is_made: Callable[[Job], bool] | None = None,
) -> list[Job]:
    return plan.plan(some, Naming(output=output, op="denoise"), on_exists=on_exists, is_made=is_made)


def outputs(jobs: list[Job]) -> list[str]:
    return [str(job.output) for job in jobs]
