"""The program: its commands, and the place where every error becomes one line and an exit code."""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any, Final, NoReturn, cast

import typer
from typer.core import TyperGroup

from ..errors import DiffuseError, UsageError
from ..system.process import own_stderr, wait_passively
from ..system.streams import reading_once
from ..version import __version__
from .commands.config import default_map
from .named_commands import GROUPS, NamedCommands
from .options.help import Command
from .run.display import one_line
from .run.stopping import Terminated, on_sigterm

FIRST: Final = {
    "diffuse photo.jpg": "say what is wrong with a picture",
    "diffuse denoise photo.jpg -o clean.jpg": "make one result",
    "diffuse inpaint photo.jpg --paint": "paint over what is to go",
    "diffuse restore scans/ -o out/ --resume": "do a folder, or go on after a stop",
    "diffuse denoise -h": "list a command's options",
}
"""Whole command lines, as help shows them, and what they do."""
ALIASES: Final = {"upscale": "super-resolve"}
"""Other names of commands."""

_PLAINLY: Final = (
    (": Value error, ", ": "),
    ("Input should be a valid number, unable to parse string as a number", "give a number"),
    ("Input should be a valid integer, unable to parse string as an integer", "give a whole number"),
    ("Input should be", "it should be"),
)
"""What typer's converters say, and what it means."""

_MOST_NAMED: Final = 4
"""Commands that an error names, where they have the option that another one has not."""

_ENDS: Final = {
    KeyboardInterrupt: (130, "interrupted"), Terminated: (143, "terminated"), MemoryError: (4, "out of memory"),
}  # fmt: skip
"""The code and the line of what ends a command."""

# The parser's own error class, which typer does not export: the base of BadParameter's base.
ParserError = cast(type[Exception], typer.BadParameter.__mro__[2])


def _fail(code: int, *lines: object) -> NoReturn:
    for line in lines:
        typer.echo(f"diffuse: {one_line(str(line))}", err=True)
    raise typer.Exit(code)


class Boundary(TyperGroup):
    """Turns every error into one line on stderr and a documented exit code."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - as below
        """Take the commands by their names."""
        super().__init__(**options)
        self.commands = cast(Any, NamedCommands(Entrance))

    def make_context(self, *args: object, **kwargs: object) -> typer.Context:
        """Parse the options before the command's name."""
        try:
            return cast(typer.Context, super().make_context(*args, **kwargs))  # type: ignore[arg-type]
        except ParserError as error:
            if _is_help(error):
                raise
            typer.echo(f"diffuse: {_one_line(error)}", err=True)
            sys.exit(2)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - as below
        """Parse them, but convert none where a command's name comes first.

        typer's converters cost as much as typer itself, and `diffuse denoise --help` needs none of them.
        """
        if not args or args[0].startswith("-"):
            return super().parse_args(ctx, args)
        own, self.params, self.add_help_option = self.params, [], False
        try:
            return super().parse_args(ctx, args)
        finally:
            self.params, self.add_help_option = own, True

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401 - as above
        """Return a command by its name, or by another name that it has."""
        return super().get_command(ctx, ALIASES.get(cmd_name, cmd_name))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401 - as above
        """Return the command of these arguments. A file without a command is estimated."""
        is_named = self.get_command(ctx, args[0]) is not None
        return super().resolve_command(ctx, ["estimate", *args] if not is_named and _is_file(args[0]) else args)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - as above
        """Write the commands by groups, with their first sentences."""
        for title, names in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name, self.commands[name].get_short_help_str(limit=200)) for name in names])

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - as above
        """Write some whole command lines, then what exit codes mean."""
        with formatter.section("Examples"):
            formatter.write_dl(list(FIRST.items()), col_max=42)
        super().format_epilog(ctx, formatter)

    def invoke(self, ctx: Any) -> object:  # noqa: ANN401 - the parser's context, which typer does not export
        """Run the command with the settings as its defaults."""
        try:
            ctx.default_map = default_map(self)
            with reading_once():
                try:
                    return super().invoke(ctx)
                except _Trial as trial:
                    trial.run()
                    return None
        except DiffuseError as error:
            _fail(error.exit_code, *(error.args if isinstance(error, UsageError) else [error]))
        except ParserError as error:
            if _is_help(error):
                raise
            _fail(2, _one_line(error))
        except (KeyboardInterrupt, Terminated, MemoryError) as error:
            _fail(*_ENDS[type(error)])
        except BrokenPipeError:  # whoever read our output wants no more of it
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:  # a defect of ours: still one line, and never mistaken for success
            _fail(1, f"unexpected {type(error).__name__}: {error}")


class _Trial(Exception):  # noqa: N818 - it is no error
    """Raised by a command that is to be run once for each value of an option."""

    def __init__(self, context: typer.Context, tried: str, given: tuple[str, ...]) -> None:
        super().__init__(tried)
        self.context, self.tried, self.given = context, tried, given

    def run(self) -> None:
        """Make the sheet of results."""
        from .run.trials import try_values

        with self.context:
            try_values(self.context, self.tried, self.given)


class Entrance(Command):
    """A command that can try several values of an option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - as above
        """Parse the arguments."""
        given = tuple(args)
        rest = super().parse_args(ctx, args)
        tried = ctx.params.get("try_")
        if tried is not None:
            ctx.params["try_"] = None
            raise _Trial(ctx, tried, given)
        return rest


def _is_file(name: str) -> bool:
    """Return whether a name is that of a file, if only by its look."""
    return Path(name).exists() or "/" in name or bool(Path(name).suffix)


def _is_help(error: Exception) -> bool:
    """Return whether this is the help text of a command without arguments, which has many lines."""
    return type(error).__name__ == "NoArgsIsHelpError"


def _one_line(error: Exception) -> str:
    """Return the parser's message and where to look, without the usage block."""
    message = " ".join(str(error.format_message()).split())  # type: ignore[attr-defined]
    for said, meant in _PLAINLY:
        message = message.replace(said, meant)
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "diffuse"
    others = _commands_with(getattr(error, "option_name", None), context)
    if others:
        message = f"No such option: {getattr(error, 'option_name', None)}. {others}"
    return f"{message.rstrip('.')}; see {command} --help"


def _commands_with(option: str | None, context: Any) -> str:  # noqa: ANN401 - the parser's, as above
    """Return which commands have an option that this one has not, as a sentence. "" = none has it."""
    group = getattr(getattr(context, "parent", None), "command", None)
    commands = getattr(group, "commands", {})
    names = [name for name, one in commands.items() if any(option in p.opts for p in one.params)] if option else []
    return f"{', '.join(names)} {'has' if len(names) == 1 else 'have'} it" if 0 < len(names) <= _MOST_NAMED else ""


app = typer.Typer(
    cls=Boundary,
    name="diffuse",
    help="Restore pictures: remove noise, fill holes, enlarge, generate. One set of weights does it all.\n\n"
    "Commands take pictures, folders, globs and -, which is stdin. Most of those that restore take clips. Inputs "
    "are never overwritten.",
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 all done; 1 a picture, its mask or the disk failed; 2 wrong options or files; "
    "3 the model, or the server that has it, cannot be used; 4 out of memory; 130 after Ctrl-C, 143 after SIGTERM.",
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"diffuse {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Run the scripts `diffuse` and `diffuse-cli`, and `python -m diffuse_cli`."""
    if hasattr(signal, "SIGTERM"):
        signal.signal(signal.SIGTERM, on_sigterm)
    wait_passively()
    if "train" not in sys.argv[1:2]:  # there, what libraries say of a crash is worth more than a quiet screen
        own_stderr()
    app()
