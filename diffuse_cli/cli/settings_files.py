"""Settings between the flags and the defaults: DIFFUSE_* variables, ./diffuse.toml, the user's config file.

A key is an option's name. At the top of a file, or in DIFFUSE_OPTION, it sets the option of every command that has it.
In a table [command], or in DIFFUSE_COMMAND_OPTION, it sets the option of that command.
"""

import os
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UsageError

Options = Mapping[str, Collection[str]]
"""The names of every command's options, with underscores."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """A value, and where it was found."""

    value: Any
    origin: str


def files() -> list[Path]:
    """Return the files that are read. The first one overrides the second."""
    from platformdirs import user_config_path

    return [Path("diffuse.toml"), user_config_path("diffuse") / "config.toml"]


def are_there() -> bool:
    """Return whether there is a settings file, or a variable that may hold a setting."""
    return any(path.is_file() for path in files()) or any(name.startswith("DIFFUSE_") for name in os.environ)


def load(
    options: Options, *, environment: Mapping[str, str], many: Collection[tuple[str, str]] = ()
) -> dict[str, dict[str, Setting]]:
    """Return the settings of each command.

    Args:
        options: the options of each command.
        environment: the variables.
        many: commands and their options that may be repeated. A variable's words are then one value each, and one text
            of a file is one value.

    Raises:
        UsageError: a file cannot be read, or names an unknown command or option.
    """
    found: dict[str, dict[str, Setting]] = {command: {} for command in options}
    for path in reversed(files()):
        if path.is_file():
            _take(found, _listed(_in_file(path, options), many))
    _take(found, _in_environment(environment, options, many))
    return found


def _listed(found: dict[str, dict[str, Setting]], many: Collection[tuple[str, str]]) -> dict[str, dict[str, Setting]]:
    """Make a list of one text where an option may be repeated."""
    for command, name in many:
        setting = found.get(command, {}).get(name)
        if setting is not None and isinstance(setting.value, str):
            found[command][name] = Setting(value=[setting.value], origin=setting.origin)
    return found


def _take(found: dict[str, dict[str, Setting]], more: Mapping[str, Mapping[str, Setting]]) -> None:
    for command, values in more.items():
        found[command].update(values)


def _in_file(path: Path, options: Options) -> dict[str, dict[str, Setting]]:
    content = _parsed(path)
    tables = {key: value for key, value in content.items() if isinstance(value, dict)}
    found: dict[str, dict[str, Setting]] = {command: {} for command in options}
    for key, value in content.items():
        if key not in tables:
            name = key.replace("-", "_")
            having = [command for command in options if name in options[command]]
            if not having:
                raise UsageError(f"{path}: {key}: no command has this option; see diffuse config COMMAND")
            for command in having:
                found[command][name] = Setting(value=value, origin=str(path))
    for command, table in tables.items():
        if command not in options:
            raise UsageError(f"{path}: [{command}]: no such command; the commands are {', '.join(options)}")
        found[command] |= _in_table(path, command, table, options[command])
    return found


def _parsed(path: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: the settings cannot be read ({error.strerror})") from None
    except ValueError as error:
        raise UsageError(f"{path}: not valid TOML: {error}") from None


def _in_table(path: Path, command: str, table: Mapping[str, Any], names: Collection[str]) -> dict[str, Setting]:
    found = {}
    for key, value in table.items():
        if key.replace("-", "_") not in names:
            raise UsageError(f"{path}: [{command}] {key}: no such option; see diffuse config {command}")
        found[key.replace("-", "_")] = Setting(value=value, origin=f"{path} [{command}]")
    return found


def _in_environment(
    environment: Mapping[str, str], options: Options, many: Collection[tuple[str, str]]
) -> dict[str, dict[str, Setting]]:
    found: dict[str, dict[str, Setting]] = {}
    for command, names in options.items():
        found[command] = {}
        for name in names:
            own = f"DIFFUSE_{command.replace('-', '_')}_{name}".upper()
            for variable in (f"DIFFUSE_{name}".upper(), own):
                if variable in environment:
                    text = environment[variable]
                    value: Any = shlex.split(text) if (command, name) in many else text
                    found[command][name] = Setting(value=value, origin=variable)
    return found


def from_environment(options: Options, many: Collection[tuple[str, str]]) -> dict[str, dict[str, Setting]]:
    """Return the settings, with this process's variables.

    Args:
        options: the options of each command.
        many: commands and their options that may be repeated.

    Raises:
        UsageError: a file cannot be read, or names an unknown command or option.
    """
    return load(options, environment=os.environ, many=many)
