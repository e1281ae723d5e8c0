"""How much a command says."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import typer


@dataclass(frozen=True, kw_only=True)
class LogOptions:
    """Options for how much a command says."""

    title: ClassVar[str] = "Messages"

    json: Annotated[bool, typer.Option("--json", help="Print one line of JSON for each picture, and a summary.")] = (
        False
    )
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Show no progress. Errors and failures still show.")] = (
        False
    )
    verbose: Annotated[
        bool, typer.Option("-v", "--verbose", help="Also show how each picture was made, and why one was skipped.")
    ] = False
