"""The steps of commands that make pictures (claim, read, make, write) or look at them (read, print)."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from ..batch.job import Job
from ..batch.pipeline import MOST_WEIGHT
from .results import Results

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ...images.encoding import Encoding
    from ...images.picture import Picture
    from ...restoration.problem import Problem

Read = TypeVar("Read")


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """A picture and its result, to be looked at. A result that was made from nothing has no `before`."""

    before: "Picture | None"
    after: "Picture"
    problem: "Problem | None" = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """A result on its way to its file.

    Attributes:
        pages: what is to be written. None = it is written already, page by page.
        recipe: how it was made.
        encoding: how it is coded.
        hole: (H, W), True where pixels were filled, or hidden.
        shown: for --compare and --report, where they ask for it.
    """

    pages: "list[Picture] | None"
    recipe: dict[str, Any]
    encoding: "Encoding"
    hole: "NDArray[np.bool_] | None" = None
    shown: Shown | None = None


class Looking(ABC, Generic[Read]):
    """The work on each picture of a command that prints what it finds, and writes no file."""

    def weight(self, job: Job) -> int:
        """Return the picture's number of pixels, by its header."""
        return header_pixels(job.source)

    @abstractmethod
    def read(self, job: Job) -> Read:
        """Read the picture, or what is wanted of it."""

    def wait(self, job: Job) -> None:
        """Tell nothing."""

    @abstractmethod
    def restore(self, job: Job, read: Read) -> None:
        """Look at it, and print what is found."""

    def write(self, job: Job, restored: None) -> dict[str, Any]:
        """Write nothing."""
        return {}

    def let_go(self, job: Job) -> None:
        """Release nothing."""


@dataclass(frozen=True, kw_only=True)
class PictureSteps(ABC, Generic[Read]):
    """The work on each picture. A command says how a picture is read and what is made of it.

    Attributes:
        results: where they go.
    """

    waiting: ClassVar[str] = "reading"
    """What is done while a picture waits for its turn, in words; "" = nothing."""

    results: Results

    def weight(self, job: Job) -> int:
        """Return the picture's number of pixels, by its header."""
        return header_pixels(job.source)

    @abstractmethod
    def read(self, job: Job) -> Read:
        """Claim the picture, see that it is still due, and read it."""

    def wait(self, job: Job) -> None:
        """Show what is done before it is made."""
        if self.waiting:
            self.results.display.show(Path(job.source_name).name, self.waiting, counted=False)

    @abstractmethod
    def restore(self, job: Job, read: Read) -> Made:
        """Make the result."""

    def write_beside(self, job: Job, made: Made) -> None:
        """Write what lies beside the result. It comes first: where the result is, it is."""

    def write(self, job: Job, restored: Made) -> dict[str, Any]:
        """Write the result, and show it."""
        self.write_beside(job, restored)
        if restored.pages is not None:
            self.results.write(job, restored.pages, restored.recipe, restored.encoding)
        if restored.shown is not None:
            one = restored.shown
            self.results.show(job, one.before, one.after, restored.recipe, one.problem)
        return {"recipe": restored.recipe}

    def let_go(self, job: Job) -> None:
        """Release the claim."""
        self.results.let_go(job)


def header_pixels(path: Path, data: bytes | None = None) -> int:
    """Return how many pixels a file has. If the header does not tell, it counts as the most.

    Args:
        path: the file.
        data: its content, where that is known.
    """
    from ...images.pillow_reader import quick_size

    width, height = quick_size(path, data) or (MOST_WEIGHT, 1)
    return width * height
