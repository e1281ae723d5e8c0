"""`diffuse info`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ...errors import DiffuseError
from ..run.display import one_line
from ..run.working import report_failures


def info(
    files: Annotated[list[Path], typer.Argument(metavar="FILES...", help="Pictures.")],
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON for each picture.")] = False,
) -> None:
    """Tell what pictures' files say about themselves: format, origin, content credentials, and how diffuse made them.

    Signatures of content credentials (C2PA) are not checked, only found.
    """
    from ...images.source_type import meaning
    from ...provenance.about import about, lines

    failed: list[tuple[Path, DiffuseError]] = []
    for path in files:
        try:
            said = about(path)
        except DiffuseError as error:
            failed.append((path, error))
            continue
        if as_json:
            typer.echo(json.dumps({"type": "info", "input": str(path), **said}))
            continue
        typer.echo(one_line(str(path)))
        for line in lines(said, meaning):
            typer.echo(f"  {one_line(line)}")
    report_failures(failed, len(files))


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(info)
