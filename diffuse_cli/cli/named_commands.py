"""The commands by their names. Each is imported and built when its name is used."""

import importlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

import typer

from .options.help import Command, Group

GROUPS: Final = {
    "Restore": ("denoise", "super-resolve", "restore", "deblur", "dejpeg", "repair", "inpaint", "fuse"),
    "Create": ("enhance", "compose", "extend", "stylize", "generate"),
    "Check": ("estimate", "info", "batch", "verify", "replay", "doctor", "config"),
    "Measure and train": ("evaluate", "bench", "degrade", "train", "models"),
    "Serve": ("serve",),
}
"""The commands, as help lists them."""
_MODULES: Final = {"deblur": "restore", "dejpeg": "restore"}
"""Modules of commands that are not named after them."""


class NamedCommands(Mapping[str, Any]):
    """Maps names to the parser's commands.

    Building all of them takes a tenth of the time that importing torch takes. Most runs need one.
    """

    def __init__(self, entrance: type[Command]) -> None:
        """Build nothing yet.

        Args:
            entrance: the class of the commands that are no group of others.
        """
        self._entrance = entrance
        self._built: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - the parser's, which typer does not export
        """Return a command."""
        if name not in tuple(self):
            raise KeyError(name)
        if name not in self._built:
            self._built |= _built(_MODULES.get(name, name.replace("-", "_")), self._entrance)
        return self._built[name]

    def __iter__(self) -> Iterator[str]:
        """Go through the names."""
        return (name for names in GROUPS.values() for name in names)

    def __len__(self) -> int:
        """Return how many commands there are."""
        return sum(map(len, GROUPS.values()))


def _built(module: str, entrance: type[Command]) -> dict[str, Any]:
    """Import a module, and return its commands by name."""
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    app.callback()(lambda: None)
    importlib.import_module(f".commands.{module}", __package__).add_to(app)
    for command in app.registered_commands:
        command.cls = entrance
    for group in app.registered_groups:
        assert group.typer_instance is not None
        group.cls = Group
        for command in group.typer_instance.registered_commands:
            command.cls = Command
    built: Any = typer.main.get_command(app)
    return dict(built.commands)
