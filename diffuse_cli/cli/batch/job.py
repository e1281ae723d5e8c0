"""One picture to read and one to write."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Final, Literal

from .inputs import PIPE, Found

Action = Literal["make", "replace", "skip"]


class Product:
    """One of the files that a picture becomes.

    Attributes:
        name: the option that asks for it, without dashes. "" = the picture itself.
        suffix: the suffix of its file, if nothing else says it. None = the picture's.
        depth: bits per channel. None = the picture's.
        formats: the formats that can hold it. () = any.
        shown_over: the report lays it over the picture.
    """

    name: ClassVar[str] = ""
    suffix: ClassVar[str | None] = None
    depth: ClassVar[int | None] = None
    formats: ClassVar[tuple[str, ...]] = ()
    shown_over: ClassVar[bool] = False

    @property
    def is_picture(self) -> bool:
        """Whether it is the picture itself, and not something beside it."""
        return not self.name


PICTURE: Final = Product()


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """One picture to read and one to write.

    Attributes:
        found: the input.
        output: the file that is written.
        sample: the result's number, if an input has several.
        product: what the output shows.
        action: what will be done. "replace" is "make" over a file that exists.
        why: why it is skipped.
        problem: why it will fail, if that is known already.
    """

    found: Found
    output: Path
    sample: int = 0
    product: Product = PICTURE
    action: Action = "make"
    why: str = ""
    problem: str = ""

    @property
    def source(self) -> Path:
        """The input's file."""
        return self.found.path

    @property
    def source_name(self) -> str:
        """The input, as messages call it."""
        return "stdin" if self.source == PIPE else str(self.source)

    @property
    def output_name(self) -> str:
        """The output, as messages call it."""
        return "stdout" if self.output == PIPE else str(self.output)
