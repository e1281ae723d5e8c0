"""The program: its commands, and the place where every error becomes one line and an exit code."""

import importlib
import os
import signal
import sys
from typing import Annotated, Any, NoReturn, cast

import typer
from typer.core import TyperGroup

from ..errors import DiffuseError, UsageError
from ..system.process import own_stderr, wait_passively
from ..system.streams import reading_once
from ..version import __version__
from .commands.config import default_map
from .run.display import one_line
from .run.stopping import Terminated, on_sigterm

# The parser's own error class, which typer does not export: the base of BadParameter's base.
ParserError = cast(type[Exception], typer.BadParameter.__mro__[2])


def _fail(code: int, *lines: object) -> NoReturn:
    for line in lines:
        typer.echo(f"diffuse: {one_line(str(line))}", err=True)
    raise typer.Exit(code)


class Boundary(TyperGroup):
    """Turns every error into one line on stderr and a documented exit code."""

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

    def invoke(self, ctx: Any) -> object:  # noqa: ANN401 - the parser's context, which typer does not export
        """Run the command with the settings as its defaults."""
        try:
            ctx.default_map = default_map(self)
            with reading_once():
                return super().invoke(ctx)
        except DiffuseError as error:
            _fail(error.exit_code, *(error.args if isinstance(error, UsageError) else [error]))
        except ParserError as error:
            if _is_help(error):
                raise
            _fail(2, _one_line(error))
        except KeyboardInterrupt:
            _fail(130, "interrupted")
        except Terminated:
            _fail(143, "terminated")
        except MemoryError:
            _fail(4, "out of memory")
        except BrokenPipeError:  # whoever read our output wants no more of it
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        except (typer.Exit, typer.Abort):
            raise
        except Exception as error:  # a defect of ours: still one line, and never mistaken for success
            _fail(1, f"unexpected {type(error).__name__}: {error}")


def _is_help(error: Exception) -> bool:
    """Return whether this is the help text of a command without arguments, which has many lines."""
    return type(error).__name__ == "NoArgsIsHelpError"


def _one_line(error: Exception) -> str:
    """Return the parser's message and where to look, without the usage block."""
    message = " ".join(str(error.format_message()).split())  # type: ignore[attr-defined]
    message = message.replace(": Value error, ", ": ")  # what typer's converters say before they say what is wrong
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "diffuse"
    return f"{message.rstrip('.')}; see {command} --help"


app = typer.Typer(
    cls=Boundary,
    name="diffuse",
    help="Restore pictures: remove noise, fill holes, enlarge, generate. One set of weights does it all.",
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=True,
    epilog="Exit codes: 0 all done; 1 a picture, its mask or the disk failed; 2 wrong options or files; "
    "3 the model cannot be used; 4 out of memory; 130 after Ctrl-C, 143 after SIGTERM.",
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


COMMANDS = (
    "denoise", "inpaint", "super_resolve", "restore", "repair", "enhance", "compose", "extend", "stylize", "generate",
    "estimate", "degrade", "info", "replay", "verify", "train", "evaluate", "bench", "models", "config", "doctor",
)  # fmt: skip
for _name in COMMANDS:
    importlib.import_module(f".commands.{_name}", __package__).add_to(app)


def main() -> None:
    """Run the scripts `diffuse` and `diffuse-cli`, and `python -m diffuse_cli`."""
    if hasattr(signal, "SIGTERM"):
        signal.signal(signal.SIGTERM, on_sigterm)
    wait_passively()
    if "train" not in sys.argv[1:2]:  # there, what libraries say of a crash is worth more than a quiet screen
        own_stderr()
    app()
