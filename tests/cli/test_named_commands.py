"""The commands by their names."""

from pathlib import Path

import pytest

from diffuse_cli.cli import commands
from diffuse_cli.cli.app import Entrance
from diffuse_cli.cli.named_commands import NamedCommands


def test_every_module_of_a_command_is_reached_by_a_name() -> None:
    found = NamedCommands(Entrance)
    modules = {path.stem for path in Path(commands.__file__).parent.glob("[a-z]*.py")}
    assert {name.replace("-", "_") for name in found} - {"deblur", "dejpeg"} == modules
    assert all(found[name].name == name for name in found)
    assert len(found) == len(list(found))


def test_a_command_is_built_once_and_a_strange_name_is_none() -> None:
    found = NamedCommands(Entrance)
    assert found["restore"] is found["restore"]
    assert found.get("commands") is None
    with pytest.raises(KeyError):
        found["super_resolve"]
