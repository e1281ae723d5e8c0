"""Makes the manual page, the reference and the completions: python -m diffuse_cli.cli.manual FOLDER."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import typer

from ..version import __version__
from .options.help import plain

COMPLETIONS = {
    "bash": "bash-completion/completions/diffuse",
    "zsh": "zsh/site-functions/_diffuse",
    "fish": "fish/vendor_completions.d/diffuse.fish",
}
"""Where each shell looks below share/."""


REFERENCE = "doc/diffuse/commands.md"
_REFERENCE_WIDTH = 100


def pages() -> dict[str, str]:
    """Return every file below share/ by its name."""
    return {
        "man/man1/diffuse.1": man_page(),
        REFERENCE: reference(),
        **{name: completion(shell) for shell, name in COMPLETIONS.items()},
    }


def reference() -> str:
    """Return every command's help as one page of Markdown."""
    from .app import app

    group: Any = typer.main.get_command(app)
    lines = ["# Every command's help", "", "Written by `python -m diffuse_cli.cli.manual share`.", ""]
    for name, command in sorted(group.commands.items()):
        for title, one in _leaves(name, command):
            context = typer.Context(one, info_name=f"diffuse {title}", terminal_width=_REFERENCE_WIDTH)
            lines += [f"## diffuse {title}", "", "```text", one.get_help(context).rstrip(), "```", ""]
    return "\n".join(line.rstrip() for line in "\n".join(lines).split("\n"))


def completion(shell: str) -> str:
    """Return what a shell sources, from the parser."""
    environment = {**os.environ, "_DIFFUSE_COMPLETE": f"source_{shell}"}
    command = [sys.executable, "-c", "from diffuse_cli.cli.app import app; app(prog_name='diffuse')"]
    text = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    if shell == "zsh":  # which runs the file as a function at the first TAB
        text += '\n[ "$funcstack[1]" = "_diffuse" ] && _diffuse_completion'
    return text.strip() + "\n"


def man_page() -> str:
    """Return diffuse(1) in the man macros."""
    from .app import app

    group: Any = typer.main.get_command(app)
    lines = [
        f'.TH DIFFUSE 1 "" "diffuse {__version__}" "User Commands"',
        ".SH NAME",
        f"diffuse \\- {_text(group.help.splitlines()[0])}",
        ".SH SYNOPSIS",
        ".B diffuse",
        "COMMAND [OPTIONS] [INPUTS...]",
        ".SH COMMANDS",
    ]
    for name, command in sorted(group.commands.items()):
        for title, one in _leaves(name, command):
            lines += _section(title, one)
    lines += [".SH SETTINGS", _text(_paragraphs(group.commands["config"].help)[1])]
    lines += [".SH EXIT STATUS", _text(group.epilog.removeprefix("Exit codes: "))]
    return "\n".join(lines) + "\n"


def _leaves(name: str, command: Any) -> list[tuple[str, Any]]:  # noqa: ANN401 - the parser's, not exported by typer
    below = getattr(command, "commands", None)
    return [(name, command)] if below is None else [(f"{name} {key}", one) for key, one in sorted(below.items())]


def _section(title: str, command: Any) -> list[str]:  # noqa: ANN401 - as above
    context = typer.Context(command, info_name=f"diffuse {title}")
    lines = [f'.SS "diffuse {_text(title)}"']
    for paragraph in _paragraphs(command.help):
        lines += [_text(paragraph), ".PP"]
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is not None:
            names, words = plain(record)
            lines += [".TP", f".B {_text(names)}", _text(" ".join(words.split()))]
    return lines


def _paragraphs(text: str | None) -> list[str]:
    return [" ".join(part.split()) for part in (text or "").split("\n\n") if part.strip()]


def _text(text: str) -> str:
    """Escape what roff would take for a command."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return "\\&" + escaped if escaped.startswith((".", "'")) else escaped


def main() -> None:
    """Write every file below the folder that the argument names."""
    for name, text in pages().items():
        path = Path(sys.argv[1]) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
