"""Tasks as plain options by command, such as JSON holds, and back. The fields of the tasks are the options."""

from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final

from ..errors import UsageError
from .denoise import Denoise
from .enhance import Enhance
from .extend import Extend
from .inpaint import Inpaint
from .repair import Repair
from .restore import Restore
from .super_resolve import SuperResolve
from .task import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PARTS: Final = ("mask", "noise_map")
"""Fields that are pictures. They travel beside the options."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """What a command asks for.

    Attributes:
        kind: its task.
        fixed: the fields that the command sets itself.
        offered: the fields that are options; () = all.
    """

    kind: type[Any]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    offered: tuple[str, ...] = ()

    @property
    def options(self) -> "tuple[Field[Any], ...]":
        """The fields of the task that are options."""
        return tuple(one for one in fields(self.kind) if not self.offered or one.name in self.offered)

    @property
    def parts(self) -> tuple[str, ...]:
        """The pictures that may come with the options."""
        fills = self.kind is Inpaint or any(one.name == "holes" for one in self.options)
        own = {one.name for one in self.options} | ({"mask"} if fills else set())
        return tuple(name for name in PARTS if name in own)


OPERATIONS: Final[Mapping[str, Operation]] = {
    "denoise": Operation(kind=Denoise),
    "super-resolve": Operation(kind=SuperResolve),
    "restore": Operation(kind=Restore),
    "deblur": Operation(kind=Restore, fixed={"only": ("blur",)}, offered=("blur", "noise")),
    "dejpeg": Operation(kind=Restore, fixed={"only": ("jpeg",)}, offered=("jpeg",)),
    "repair": Operation(kind=Repair),
    "inpaint": Operation(kind=Inpaint),
    "enhance": Operation(kind=Enhance),
    "extend": Operation(kind=Extend),
}
"""The commands whose task needs one picture, options, and perhaps a mask or a map."""


def to_options(operation: str, task: Task) -> dict[str, Any]:
    """Return what a task says, as JSON can hold it, but for its pictures. What is the default is left out.

    Args:
        operation: the command's name, of `OPERATIONS`.
        task: of the command.
    """
    return {one.name: value for one in OPERATIONS[operation].options if (value := _plain(task, one)) is not _UNSAID}


_UNSAID: Final = object()


def _plain(task: object, one: "Field[Any]") -> Any:  # noqa: ANN401 - what JSON can hold
    value = getattr(task, one.name)
    if isinstance(value, Inpaint):
        return {inner.name: said for inner in fields(Inpaint) if (said := _plain(value, inner)) is not _UNSAID}
    if not isinstance(value, str | int | float | tuple | list | None):  # a picture
        return _UNSAID
    return _UNSAID if value == one.default else value


def from_options(
    operation: str, values: Mapping[str, Any], parts: "Mapping[str, NDArray[np.float32] | NDArray[np.bool_]]"
) -> Task:
    """Return the task that options ask for.

    Args:
        operation: the command's name, of `OPERATIONS`.
        values: options by the names of the task's fields; those of `Inpaint` below "holes".
        parts: its pictures, of `PARTS`: read as the task takes them.

    Raises:
        UsageError: a value is out of range, or two do not go together.
    """
    asked = OPERATIONS[operation]
    if foreign := sorted(set(parts) - set(asked.parts)):
        raise UsageError(f"--{foreign[0]}: {operation} takes no such picture; leave it out")
    said = {name: _tupled(value) for name, value in values.items() if (name, value) != ("holes", None)}
    given = {**asked.fixed, **said}
    own: dict[str, Any] = dict(parts)
    if asked.kind is not Inpaint:
        mask = {"mask": own.pop("mask")} if "mask" in own else {}
        if mask or given.get("holes") is not None:
            given["holes"] = _holes(asked.kind, given.get("holes") or {}, mask)
    task: Task = asked.kind(**_joined(given, own))
    return task


def _holes(kind: type[Any], said: Mapping[str, Any], mask: Mapping[str, Any]) -> Inpaint:
    """Return what is to be filled. A repair looks for marks if it is not told where they are."""
    values = _joined(dict(said), mask)
    named = any(values.get(name) for name in ("boxes", "polygons")) or values.get("mask") is not None
    return Inpaint(**values if named or kind is not Repair else {**values, "mask": "auto", "if_worn": True})


def _joined(values: dict[str, Any], parts: Mapping[str, Any]) -> dict[str, Any]:
    """Add the pictures.

    Raises:
        UsageError: an option says what a picture says, too.
    """
    for name in parts:
        if values.get(name) is not None:
            raise UsageError(f"--{name} {values[name]}: there is a picture of that name, too; give one of them")
    return {**values, **parts}


def _tupled(value: Any) -> Any:  # noqa: ANN401 - what JSON can hold
    """Return the same with tuples in the place of lists, as tasks have them."""
    if isinstance(value, dict):
        return {name: _tupled(inner) for name, inner in value.items()}
    return tuple(map(_tupled, value)) if isinstance(value, list | tuple) else value


def holes_of(task: Task) -> Inpaint | None:
    """Return what a task fills; None = nothing, or what lies beyond the frame.

    Args:
        task: any.
    """
    holes = task if isinstance(task, Inpaint) else getattr(task, "holes", None)
    return holes if isinstance(holes, Inpaint) and task.fills_holes else None


def result_size(task: Task, width: int, height: int) -> tuple[int, int]:
    """Return the (width, height) of what a task makes of a picture, before it is made.

    Args:
        task: any of `OPERATIONS`.
        width: of the picture.
        height: of the picture.

    Raises:
        PictureError: the task does not fit a picture of this size.
    """
    if isinstance(task, Extend):
        left, top, right, bottom = task.margins(width, height)
        return left + width + right, top + height + bottom
    scale = task.factor(width, height) if isinstance(task, SuperResolve) else getattr(task, "scale", 1.0)
    return round(width * scale), round(height * scale)
