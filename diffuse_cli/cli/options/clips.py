"""Options for clips: which part, how it is coded, and whether frames learn from earlier ones."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

import typer

from ...errors import UsageError
from ...images.choices import Codec

if TYPE_CHECKING:
    from ...images.video.clip import ClipCoding, ClipPart


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipOptions:
    """Options for clips."""

    title: ClassVar[str] = "Clips"

    start: Annotated[
        str | None, typer.Option(metavar="TIME", help="Begin a clip here: seconds, or H:MM:SS.", show_default="0")
    ] = None
    end: Annotated[
        str | None, typer.Option(metavar="TIME", help="End a clip before this time.", show_default="its end")
    ] = None
    frames: Annotated[
        int | None, typer.Option(metavar="N", help="Restore at most N frames of a clip.", show_default="all")
    ] = None
    temporal: Annotated[
        Literal["on", "off"],
        typer.Option(help="on also uses the frames before, moved by optical flow. off restores each frame alone."),
    ] = "on"
    codec: Annotated[Codec | None, typer.Option(help="Codec of a clip. ffv1 loses nothing.", show_default="h264")] = (
        None
    )
    crf: Annotated[
        float | None,
        typer.Option(
            metavar="0..51", help="Quality of a clip: constant rate factor, 0 is best.", show_default="18, hevc 20"
        ),
    ] = None
    preset: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="How long the encoder tries: ultrafast to veryslow.", show_default="medium"),
    ] = None

    def part(self) -> "ClipPart":
        """Return the part of clips that is restored, checked.

        Raises:
            UsageError: it is empty, or a time is none.
        """
        from ...images.video.clip import ClipPart

        end = None if self.end is None else seconds("end", self.end)
        return ClipPart(start=0.0 if self.start is None else seconds("start", self.start), end=end, frames=self.frames)

    def coding(self) -> "ClipCoding":
        """Return how clips are coded, checked.

        Raises:
            UsageError: a value is out of range, or contradicts another.
        """
        from ...images.video.clip import ClipCoding

        return ClipCoding(codec=self.codec, crf=self.crf, preset=self.preset)

    def check_used(self, *, has_clips: bool) -> None:
        """Refuse options that would do nothing.

        Args:
            has_clips: there may be a clip among the inputs.

        Raises:
            UsageError: an option is for clips, and there is none.
        """
        given = {
            "start": self.start, "end": self.end, "frames": self.frames, "codec": self.codec, "crf": self.crf,
            "preset": self.preset,
        }  # fmt: skip
        unused = [name for name, value in given.items() if value is not None]
        if unused and not has_clips:
            raise UsageError(f"--{unused[0]} is for clips, and no input is one (.mp4, .mkv, .mov, .webm, .avi)")


def seconds(name: str, text: str) -> float:
    """Return a time in seconds.

    Args:
        name: the option, without dashes.
        text: seconds, M:SS or H:MM:SS, each with or without decimals.

    Raises:
        UsageError: the text is no time.
    """
    if re.fullmatch(r"(?:(?:\d+:)?[0-5]?\d:)?\d+(?:\.\d*)?", text.strip()) is None:
        raise UsageError(f"--{name} {text}: not a time; give seconds like 12.5, or H:MM:SS like 0:01:30")
    total = 0.0
    for piece in text.strip().split(":"):
        total = 60 * total + float(piece)
    return total
