"""A task: what is asked for, with the options of a command.

The Python API and the command line use the same tasks. Nothing in this room imports torch before `problem` is called.
"""

from collections.abc import Collection, Mapping
from dataclasses import Field, fields
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from ..errors import UsageError
from ..images.source_type import ALTERED, EDITED

if TYPE_CHECKING:
    from ..images.picture import Picture
    from ..restoration.noise_reading import NoiseReader
    from ..restoration.problem import Problem

MAX_NOISE: Final = 255.0
"""The most noise that may be given, in 8-bit levels."""
PREPARED: Final = frozenset({"impulses", "row_noise", "column_noise", "hum"})
"""Facts of a recipe that tell what was undone before the network (see `restoration.preparation`)."""


class Task(Protocol):
    """What is asked for: a dataclass whose fields are its options."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def fills_holes(self) -> bool:
        """Whether pixels are missing, which are filled."""

    def problem(self, picture: "Picture", read_noise: "NoiseReader | None" = None) -> "Problem":
        """Return what is known about a picture.

        Args:
            picture: the file's.
            read_noise: reads the noise of photographs, with a model; None: only white noise is found.
        """

    @staticmethod
    def source_type(recipe: Mapping[str, Any]) -> str | None:
        """Return IPTC's digital source type of what a recipe makes of a photograph; None = it is not changed."""

    def to_recipe(self) -> dict[str, Any]:
        """Return the options as a recipe tells them. Equal recipes mean equal results.

        Values that are found out for each picture stand under "estimated", by their names. Masks, maps and other
        pictures are left out: the command tells them by the hashes of their files.
        """


def to_recipe(task: Task, *, without: Collection[str] = ()) -> dict[str, Any]:
    """Return the options of a task that are not None, but for those named in `without`."""
    values = {field.name: getattr(task, field.name) for field in fields(task) if field.name not in without}
    return {name: value for name, value in values.items() if value is not None}


def altered(recipe: Mapping[str, Any]) -> str:
    """Return the digital source type of a restored picture.

    A posterior mean invents nothing: what it cannot know stays blurred. A posterior sample draws the detail it shows.
    """
    drawn = recipe["fidelity"] < 1 if "fidelity" in recipe else recipe.get("steps", 1) > 1
    return EDITED if drawn else ALTERED


def check_range(name: str, value: float, low: float, high: float) -> None:
    """Check that a number lies in a range. NaN does not.

    Raises:
        UsageError: it does not.
    """
    if not isinstance(value, int | float) or not low <= value <= high:
        raise UsageError(f"--{name} must be a number from {low:g} to {high:g}, not {value}")
