"""Make the fields of a dataclass the options of a command."""

import copy
import functools
import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, get_args, get_type_hints

import typer


def shared(command: Callable[..., None]) -> Callable[..., None]:
    """Replace every parameter whose type is a dataclass by the dataclass's fields, as parameters of the command."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
    own = [p.replace(annotation=hints[p.name]) for p in inspect.signature(command).parameters.values()]
    parameters = [q for p in own for q in (_parameters(groups[p.name]) if p.name in groups else [p])]

    @functools.wraps(command)
    def run(**values: Any) -> None:  # noqa: ANN401 - the parser's values, as declared by the fields
        for name, kind in groups.items():
            values[name] = kind(**{f.name: values.pop(f.name) for f in fields(kind)})
        command(**values)

    run.__signature__ = inspect.Signature([p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters])  # type: ignore[attr-defined]
    del run.__wrapped__  # or the parser would look through to the original
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run


def _parameters(kind: type[Any]) -> list[inspect.Parameter]:
    """Return the fields of a dataclass as parameters, each under the title of the class that declares it."""
    hints = get_type_hints(kind, include_extras=True)
    missing = inspect.Parameter.empty
    return [
        inspect.Parameter(
            f.name,
            inspect.Parameter.KEYWORD_ONLY,
            annotation=_titled(hints[f.name], _title(kind, f.name)),
            default=missing if f.default is f.default_factory else f.default,
        )
        for f in fields(kind)
    ]


def _title(kind: type[Any], name: str) -> str | None:
    """Return the title of the class that declares a field. None: it has none."""
    declares = next(one for one in kind.__mro__ if name in inspect.get_annotations(one))
    return getattr(declares, "title", None)


def _titled(annotation: Any, title: str | None) -> Any:  # noqa: ANN401 - a type
    """Return an option's type with the title of its group in help texts, unless it has one of its own."""
    kind, info = get_args(annotation)
    if title is None or not isinstance(info, typer.models.OptionInfo) or info.rich_help_panel is not None:
        return annotation
    info = copy.copy(info)
    info.rich_help_panel = title
    return Annotated[kind, info]
