"""How results are coded, and what they keep of the inputs' metadata."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from ...images.choices import Depth, Policy

if TYPE_CHECKING:
    from ...images.encoding import Encoding


@dataclass(frozen=True, kw_only=True, slots=True)
class Coding:
    """Options for how results are coded."""

    title: ClassVar[str] = "Results"

    format: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="File format: png, jpeg, webp, tiff, ...", show_default="the input's, or what -o says"
        ),
    ] = None
    quality: Annotated[
        int | None,
        typer.Option(metavar="1..100", help="Quality of lossy formats.", show_default="a JPEG's own tables, else 95"),
    ] = None
    depth: Annotated[Depth, typer.Option(help="Bits per channel.")] = "keep"

    def encoding(self) -> "Encoding":
        """Return the encoding, checked.

        Raises:
            UsageError: a value is out of range.
        """
        from ...images.encoding import Encoding

        return Encoding(format=self.format, quality=self.quality, depth=self.depth)


@dataclass(frozen=True, kw_only=True, slots=True)
class MetadataOptions(Coding):
    """Options for how results are coded, and what they keep of their inputs."""

    title: ClassVar[str] = "Results"

    metadata: Annotated[
        Policy,
        typer.Option(
            help="What results keep of the input's metadata: all of it; safe drops place, serial numbers, owner, maker "
            "notes and thumbnails; strip drops all but colour."
        ),
    ] = "keep"
    keep_times: Annotated[bool, typer.Option("--keep-times", help="Give results the time stamps of their inputs.")] = (
        False
    )

    def encoding(self) -> "Encoding":
        """Return the encoding, checked.

        Raises:
            UsageError: a value is out of range.
        """
        from dataclasses import replace

        return replace(Coding.encoding(self), metadata=self.metadata, keep_times=self.keep_times)
