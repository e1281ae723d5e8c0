"""`diffuse batch`."""

import json
from pathlib import Path
from typing import Annotated, Final, Literal

import typer

from ...system.urls import path_of
from ..batch import status as journals
from ..batch.status import BatchStatus, Fate
from ..run.display import one_line

app = typer.Typer(help="Tell what became of a batch.", rich_markup_mode=None, no_args_is_help=True)

Listed = Literal["missing", "failed", "left"]
_MOST: Final = 20
"""Outputs of a kind that are named without --verbose."""


@app.callback()
def _root() -> None:
    pass


@app.command()
def status(
    files: Annotated[list[Path], typer.Argument(metavar="JOURNALS...", help="The files of --journal, in any order.")],
    list_: Annotated[
        Listed | None,
        typer.Option(
            "--list",
            metavar="missing|failed|left",
            help="Print only the inputs of these, one a line, for --files-from. left is both.",
        ),
    ] = None,
    null: Annotated[bool, typer.Option("-0", "--null", help="End these names with NUL, not with newlines.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one line of JSON for each, and a summary.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Name all outputs, not the first 20.")] = False,
) -> None:
    """Say what is missing, failed or doubled, by the journals of one run or of many.

    Journals of parts, of machines and of runs that were stopped are read together. An output is missing if it was
    planned, and neither made nor failed since. It is doubled if it was made twice in the same way, or is made from two
    pictures. Exits with 1 if anything is missing or failed, or a part of the batch was not begun.
    """
    found = journals.read(map(path_of, files))
    if list_ is not None:
        _print_inputs(found, list_, null=null)
    elif as_json:
        _print_json(found)
    else:
        _print(found, None if verbose else _MOST)
    if found.of("missing", "failed") or found.not_begun:
        raise typer.Exit(1)


def _print_inputs(found: BatchStatus, wanted: Listed, *, null: bool) -> None:
    outputs = found.of("missing", "failed") if wanted == "left" else found.of(wanted)
    for name in dict.fromkeys(fate.input for _, fate in outputs if fate.input):
        typer.echo(name + ("\0" if null else "\n"), nl=False)


def _print_json(found: BatchStatus) -> None:
    for output, fate in found.of("missing", "failed"):
        error = {"error": fate.error} if fate.state == "failed" else {}
        typer.echo(json.dumps({"type": "output", "status": fate.state, "input": fate.input, "output": output, **error}))
    for output, fate in found.doubled:
        inputs = [fate.input, *fate.rivals]
        typer.echo(
            json.dumps({"type": "output", "status": "doubled", "output": output, "times": fate.times, "inputs": inputs})
        )
    parts = [
        {"operation": operation, "place": place, "parts": count, "not_begun": numbers}
        for operation, place, count, numbers in found.not_begun
    ]
    typer.echo(json.dumps({"type": "batch", **_counts(found), "unread_lines": found.unread, "parts": parts}))


def _counts(found: BatchStatus) -> dict[str, int]:
    return {
        "outputs": len(found.fates), "done": len(found.of("done")), "missing": len(found.of("missing")),
        "failed": len(found.of("failed")), "doubled": len(found.doubled),
    }  # fmt: skip


def _print(found: BatchStatus, most: int | None) -> None:
    counts = _counts(found)
    typer.echo(f"{counts.pop('outputs')} outputs: " + ", ".join(f"{count} {what}" for what, count in counts.items()))
    for operation, place, count, numbers in found.not_begun:
        typer.echo(one_line(f"not begun: {operation} to {place}: part {', '.join(map(str, numbers))} of {count}"))
    if found.unread:
        typer.echo(f"{found.unread} lines are torn or of another program, and are passed over")
    for what, outputs in (("missing", found.of("missing")), ("failed", found.of("failed")), ("doubled", found.doubled)):
        for output, fate in outputs[:most]:
            typer.echo(one_line(f"{what}: {output}: {_words(what, fate)}"))
        if len(outputs) > len(outputs[:most]):
            typer.echo(f"{what}: {len(outputs) - len(outputs[:most])} more; -v names them")


def _words(what: str, fate: Fate) -> str:
    if what == "missing":
        return f"to be made from {fate.input}"
    if what == "failed":
        return fate.error
    return f"made from {' and '.join([fate.input, *fate.rivals])}" if fate.rivals else f"made {fate.times} times"


def add_to(group: typer.Typer) -> None:
    """Register the command."""
    group.add_typer(app, name="batch")
