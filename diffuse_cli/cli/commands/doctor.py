"""`diffuse doctor`."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..doctor.finding import Finding

_WIDTH = 22


def doctor(
    self_test: Annotated[
        bool,
        typer.Option(
            "--self-test/--no-self-test",
            help="Time the devices, and restore and compare three pictures.",
        ),
    ] = True,
    json_lines: Annotated[bool, typer.Option("--json", help="Print one line of JSON for each finding.")] = False,
) -> None:
    """Check this machine and this installation.

    Shows hardware, number types, formats and extras, and runs a short self-test. A missing part is no failure; it is
    listed with what installs it. Exits with 3 if a checkpoint is missing or broken, and with 1 if the shipped weights
    compute wrong pixels.
    """
    from ..doctor.doctor import examine

    found: list[Finding] = []
    for finding in examine(testing=self_test):
        if json_lines:
            typer.echo(json.dumps(asdict(finding)))
        else:
            if not found or found[-1].topic != finding.topic:
                typer.echo(finding.topic)
            typer.echo(_line(finding))
        found.append(finding)
    if not json_lines:
        _advise(found)
    wrong = {finding.topic for finding in found if finding.verdict == "wrong"}
    if wrong:
        raise typer.Exit(3 if "checkpoints" in wrong else 1)


def _line(finding: "Finding") -> str:
    mark = {"ok": " ", "missing": "-", "wrong": "!"}[finding.verdict]
    return f" {mark} {finding.name.ljust(_WIDTH)} {finding.says}"


def _advise(found: "list[Finding]") -> None:
    """Print what to do, each thing once."""
    remedies: dict[str, list[str]] = {}
    for finding in found:
        if finding.verdict != "ok" and finding.remedy:
            remedies.setdefault(finding.remedy, []).append(finding.name)
    if not remedies:
        typer.echo("nothing is missing")
        return
    typer.echo("to install what is missing")
    for remedy, names in remedies.items():
        typer.echo(f"   {', '.join(names)}: {remedy}")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(doctor)
