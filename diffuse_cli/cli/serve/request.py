"""What a request asks for: options as JSON, checked against the tasks and the settings that they set."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Final, Union, cast, get_args, get_origin, get_type_hints

import pydantic

from ...diffusion.settings import Settings
from ...errors import UsageError
from ...images.choices import Damaged
from ...images.encoding import Encoding
from ...provenance.recipe import IN_ROUNDS
from ...restoration.sampling_request import SamplingRequest
from ...tasks.as_options import OPERATIONS, PARTS, Operation

if TYPE_CHECKING:
    from ..options.compute import ComputeInRounds

MOST_STEPS: Final = 1000
MOST_SAMPLES: Final = 256
_MOST_COORDINATE: Final = 1e6
_MOST_NUMBER: Final = 2.0**64
_SAMPLING: Final = ("fidelity", "steps", "samples", "average")
_COMPUTING: Final = ("seed", "sample", "solver", "ensemble", "rounds")
_CODING: Final = ("format", "quality", "depth", "metadata")
_MOST: Final = {"steps": MOST_STEPS, "samples": MOST_SAMPLES}
_DOCUMENTED: Final = re.compile(r"^        (\w+): (.*(?:\n            .*)*)", re.MULTILINE)
_OPTION: Final = re.compile(r"--([a-z][a-z-]*)")


class _Picture:
    """Stands for an array in the tasks' types. JSON has none; a picture comes beside the options."""

    def __class_getitem__(cls, _: object) -> type["_Picture"]:
        return cls


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What a request asks for, checked.

    Attributes:
        operation: the command's name.
        task: the task's own options.
        sampling: which of the pictures that fit is the result.
        compute: how to compute.
        sample: the number of the sample.
        coding: how the result is coded.
        damaged: what becomes of damaged pictures.
        provenance: the result's metadata say how it was made.
    """

    operation: str
    task: Mapping[str, Any]
    sampling: SamplingRequest
    compute: Mapping[str, Any]
    sample: int
    coding: Encoding
    damaged: Damaged
    provenance: bool


class OptionError(UsageError):
    """An option that is wrong, by its name."""

    def __init__(self, message: str, field: str | None) -> None:
        """Keep the name."""
        super().__init__(message)
        self.field = field


Models = Mapping[str, type[pydantic.BaseModel]]
"""What the options of each command may be."""


def models(defaults: "ComputeInRounds") -> Models:
    """Return what the options of each command may be.

    Args:
        defaults: how to compute where a request does not say it.
    """
    return {name: _model(name, operation, defaults) for name, operation in OPERATIONS.items()}


def _model(name: str, operation: Operation, defaults: "ComputeInRounds") -> type[pydantic.BaseModel]:
    own = {one.name: declared for one in operation.options if (declared := _declared(operation.kind, one)) is not None}
    computing = [key for key in _COMPUTING if key != "rounds" or name in IN_ROUNDS]
    shared = {
        **{key: _shared(SamplingRequest, key) for key in _SAMPLING},
        **{key: _shared(Settings, key, getattr(defaults, key, 0)) for key in computing},
        **{key: _shared(Encoding, key) for key in _CODING},
        "damaged": (Damaged, pydantic.Field("keep", description="what becomes of damaged JPEGs and animations.")),
        "provenance": (bool, pydantic.Field(True, description="the result's metadata say how it was made.")),
    }
    config = pydantic.ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, title=f"Options of {name}")
    made: type[pydantic.BaseModel] = pydantic.create_model(f"{name}_options", __config__=config, **own, **shared)
    return made


def _shared(kind: type[Any], name: str, default: Any = MISSING) -> Any:  # noqa: ANN401 - of any option
    one = next(one for one in fields(kind) if one.name == name)
    declared = _declared(kind, one, default)
    assert declared is not None
    return declared


def _declared(kind: type[Any], one: "Field[Any]", default: Any = MISSING) -> Any:  # noqa: ANN401 - a type and a default
    """Return a field as pydantic declares it; None = it is a picture and nothing else."""
    names = {"NDArray": _Picture, "np": _Nothing(), "Sequence": Sequence}
    hint = _of_json(get_type_hints(kind, localns=names)[one.name], is_inner=False)
    if hint in (None, NoneType):
        return None
    if default is MISSING:
        default = None if one.default is MISSING else one.default
    if one.name in _MOST:
        hint = Annotated[hint, pydantic.Field(le=_MOST[one.name])]
    if one.default_factory is not MISSING:
        hint = hint | None
    return hint, pydantic.Field(default, description=_descriptions(kind).get(one.name))


class _Nothing:
    """Stands for numpy, whose types of numbers say nothing about JSON."""

    def __getattr__(self, _: str) -> type[int]:
        return int


def _of_json(hint: Any, *, is_inner: bool) -> Any:  # noqa: ANN401 - a type
    """Return a type without arrays, and with numbers that can be computed with; None = nothing is left."""
    if hint is _Picture:
        return None
    most = _MOST_COORDINATE if is_inner else _MOST_NUMBER
    if hint in (int, float):
        bounds = {"ge": -int(most), "le": int(most)} if hint is int else {"ge": -most, "le": most}
        return Annotated[hint, pydantic.Field(**bounds)]
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, UnionType):
        left = [one for part in inner if (one := _of_json(part, is_inner=is_inner)) is not None]
        return Union[tuple(left)] if left else None  # noqa: UP007 - of a list
    if origin is tuple:
        return cast(Any, tuple)[tuple(part if part is Ellipsis else _of_json(part, is_inner=True) for part in inner)]
    if isinstance(origin, type) and issubclass(origin, Collection):
        return list[_of_json(inner[0], is_inner=True)]  # type: ignore[misc]
    return _nested(hint) if hasattr(hint, "__dataclass_fields__") else hint


def _nested(kind: type[Any]) -> type[pydantic.BaseModel]:
    own = {one.name: declared for one in fields(kind) if (declared := _declared(kind, one)) is not None}
    config = pydantic.ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
    made: type[pydantic.BaseModel] = pydantic.create_model(kind.__name__, __config__=config, **own)
    return made


def _descriptions(kind: type[Any]) -> dict[str, str]:
    """Return what the docstring of a dataclass says of its fields."""
    text = (kind.__doc__ or "").split("Attributes:")[-1].split("\n\n    Raises:")[0]
    return {name: " ".join(said.split()) for name, said in _DOCUMENTED.findall(text)}


def wish_of(operation: str, text: bytes, known: Models) -> Wish:
    """Return what a request asks for.

    Args:
        operation: the command's name.
        text: its options as JSON.
        known: what they may be.

    Raises:
        OptionError: they are no JSON, or an option is unknown, out of range, or contradicts another.
    """
    try:
        said: Any = known[operation].model_validate_json(text)
    except pydantic.ValidationError as error:
        raise _told(operation, known[operation], error) from None
    values = said.model_dump(exclude_unset=True)
    own = {one.name for one in OPERATIONS[operation].options}
    computing: dict[str, Any] = {
        key: getattr(said, key) for key in _COMPUTING if key in type(said).model_fields and key != "sample"
    }
    with_names = {key: values[key] for key in _SAMPLING if key in values}
    try:
        return Wish(
            operation=operation,
            task={key: value for key, value in values.items() if key in own},
            sampling=SamplingRequest(**with_names),
            compute=computing,
            sample=said.sample,
            coding=Encoding(**{key: values[key] for key in _CODING if key in values}),
            damaged=said.damaged,
            provenance=said.provenance,
        )
    except UsageError as error:
        raise as_option_error(error, known[operation]) from None


def as_option_error(error: UsageError, model: type[pydantic.BaseModel]) -> OptionError:
    """Return an error of the command line's options in the words of JSON.

    Args:
        error: names options with dashes.
        model: the options.
    """
    if isinstance(error, OptionError):
        return error
    named = [name for found in _OPTION.findall(str(error)) if (name := _json_name(found)) in _names(model)]
    return OptionError(_OPTION.sub(lambda found: _json_name(found[1]), str(error)), named[0] if named else None)


def _json_name(option: str) -> str:
    return {"box": "boxes", "polygon": "polygons"}.get(option, option.replace("-", "_"))


def _names(model: type[pydantic.BaseModel]) -> set[str]:
    holes = model.model_fields.get("holes")
    kinds = () if holes is None else get_args(holes.annotation)
    inner = {name for kind in kinds for name in getattr(kind, "model_fields", {})}
    return {*model.model_fields, *inner, *PARTS}


def _told(operation: str, model: type[pydantic.BaseModel], error: pydantic.ValidationError) -> OptionError:
    """Say on one line which option is wrong, and what it may be."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    first = found[0]
    if first["type"] == "json_invalid":
        return OptionError(f'options: no JSON ({first["msg"]}); give an object such as {{"seed": 1}}', "options")
    path = list(_path(first["loc"], model))
    name = ".".join(map(str, path)) or "options"
    if first["type"] == "extra_forbidden":
        return OptionError(f"{name}: {operation} has no such option; it has {', '.join(model.model_fields)}", name)
    if first["type"] == "missing":
        return OptionError(f"{name}: is missing; give it", name)
    same = [one["msg"] for one in found if list(_path(one["loc"], model)) == path]
    said = " or ".join(dict.fromkeys(text.removeprefix("Input should be ") for text in same))
    return OptionError(f"{name}: it should be {said}", name)


def _path(where: Sequence[str | int], model: type[pydantic.BaseModel]) -> Iterator[str | int]:
    """Yield the parts of a place that are names of options or numbers of items, without the names of types."""
    names = _names(model)
    for number, part in enumerate(where):
        if number == 0 or isinstance(part, int) or part in names:
            yield part
