"""A request: the options of a command, in the command line's names; the Python API uses them too.

Nothing in this room imports torch before `task` is called.
"""

from collections.abc import Collection
from dataclasses import Field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from ..errors import UsageError

if TYPE_CHECKING:
    from ..images.picture import Picture
    from ..restoration.problem import Problem


class Task(Protocol):
    """What is asked for; a dataclass whose fields are its options."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def problem(self, picture: "Picture") -> "Problem":
        """What is known about this picture."""

    def to_recipe(self) -> dict[str, Any]:
        """What is asked for, in the words of a recipe, which two requests share only if their results are the same.

        What is found out for each picture is named under "estimated". Masks, maps and other pictures are missing: the
        command tells them by the hashes of their files.
        """


def to_recipe(task: Task, *, without: Collection[str] = ()) -> dict[str, Any]:
    """A request's options as they are, as far as they are given."""
    values = {name: getattr(task, name) for name in task.__dataclass_fields__ if name not in without}
    return {name: value for name, value in values.items() if value is not None}


def check_range(name: str, value: float, low: float, high: float) -> None:
    """A number of a range; NaN compares false, so it fails too.

    Raises: UsageError: it is not in it.
    """
    if not isinstance(value, int | float) or not low <= value <= high:
        raise UsageError(f"--{name} must be a number in {low:g} .. {high:g}, not {value}")
