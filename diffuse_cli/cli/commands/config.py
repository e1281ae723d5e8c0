"""`diffuse config`, and the settings that commands take as their defaults."""

from typing import Annotated, Any

import typer

from ...errors import UsageError
from .. import settings_files as configuration
from ..settings_files import Setting


def _options(group: Any) -> tuple[dict[str, list[Any]], set[str]]:  # noqa: ANN401 - the parser's, not exported by typer
    """Every command's options, and the names of those that may be given several times."""
    found = {
        name: [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
        for name, command in group.commands.items()
        if name not in ("config", "models")
    }
    return found, {p.name for params in found.values() for p in params if p.multiple}


def _settings(group: Any) -> dict[str, dict[str, Setting]]:  # noqa: ANN401 - as above
    options, many = _options(group)
    names = {command: [p.name for p in params] for command, params in options.items()}
    return configuration.from_environment(names, many)


def default_map(group: Any) -> dict[str, dict[str, Any]]:  # noqa: ANN401 - as above
    """What each command takes where no flag says otherwise.

    Raises: UsageError: as `configuration.settings`.
    """
    return {
        command: {name: setting.value for name, setting in found.items()} for command, found in _settings(group).items()
    }


def config(
    ctx: typer.Context,
    command: Annotated[str | None, typer.Argument(metavar="[COMMAND]", help="All options of this command.")] = None,
) -> None:
    """Show the settings that are in force, and where each comes from.

    Flags count more than DIFFUSE_OPTION and DIFFUSE_COMMAND_OPTION variables, these more than ./diffuse.toml, that more
    than the user's config file, and that more than the defaults. In a file, `steps = 4` holds for every command that
    has --steps, and in a table [denoise] for that command.
    """
    group = ctx.parent.command if ctx.parent is not None else None
    options, _ = _options(group)
    settings = _settings(group)
    if command is None:
        for path in configuration.files():
            typer.echo(f"# {path}: {'read' if path.is_file() else 'not there'}")
        for name, found in settings.items():
            for key, setting in found.items():
                _show(f"{name}.{key.replace('_', '-')}", setting)
        return
    if command not in options:
        raise UsageError(f"{command}: no such command; there are {', '.join(options)}")
    for option in options[command]:
        default = Setting(value=option.default, origin="default")
        _show(option.name.replace("_", "-"), settings[command].get(option.name, default))


def _show(name: str, setting: Setting) -> None:
    value = getattr(setting.value, "value", setting.value)
    text = {None: "(none)", True: "true", False: "false"}.get(value, value) if not isinstance(value, list) else value
    typer.echo(f"{name} = {text}  # {setting.origin}")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(config)
