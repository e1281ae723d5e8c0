"""`diffuse config`, and the settings that are the commands' defaults."""

from typing import Annotated, Any

import typer

from ...errors import UsageError
from .. import settings_files as configuration
from ..settings_files import Setting


def _options(group: Any) -> tuple[dict[str, list[Any]], set[tuple[str, str]]]:  # noqa: ANN401 - the parser's, not exported by typer
    """Return every command's options, and those that may be repeated, each with its command."""
    found = {
        name: [p for p in command.params if p.param_type_name == "option" and p.name != "help"]
        for name, command in group.commands.items()
        if name not in ("batch", "config", "models")
    }
    return found, {(command, p.name) for command, params in found.items() for p in params if p.multiple}


def _settings(group: Any) -> dict[str, dict[str, Setting]]:  # noqa: ANN401 - as above
    options, many = _options(group)
    names = {command: [p.name for p in params] for command, params in options.items()}
    return configuration.from_environment(names, many)


def default_map(group: Any) -> dict[str, dict[str, Any]]:  # noqa: ANN401 - as above
    """Return each command's settings, which hold unless a flag says otherwise.

    Raises:
        UsageError: a settings file cannot be read, or names an unknown command or option.
    """
    if not configuration.are_there():
        return {}  # and the commands that are not used stay unbuilt
    return {
        command: {name: setting.value for name, setting in found.items()} for command, found in _settings(group).items()
    }


def config(
    ctx: typer.Context,
    command: Annotated[
        str | None, typer.Argument(metavar="[COMMAND]", help="Show all options of this command.")
    ] = None,
) -> None:
    """Show the settings in force, and where each comes from.

    Flags override DIFFUSE_OPTION and DIFFUSE_COMMAND_OPTION variables. Variables override ./diffuse.toml, which
    overrides the user's config file, which overrides the defaults. In a file, `steps = 4` sets --steps of every command
    that has it. In a table [denoise], it sets --steps of that command only.
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
        if not any(settings.values()):
            typer.echo("# no settings, so the defaults hold; diffuse config COMMAND shows those of a command")
        return
    if command not in options:
        raise UsageError(f"{command}: no such command; the commands are {', '.join(options)}")
    for option in options[command]:
        default = Setting(value=option.default, origin="default")
        _show(option.name.replace("_", "-"), settings[command].get(option.name, default))


def _show(name: str, setting: Setting) -> None:
    value = getattr(setting.value, "value", setting.value)
    text = "(none)" if value is None else str(value).lower() if isinstance(value, bool) else value
    if value is not None and name.rpartition(".")[2] == "token":
        text = "(hidden)"
    typer.echo(f"{name} = {text}  # {setting.origin}")


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(config)
