"""What a clip is beside its pixels: its time, its colours, its pixels' format."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Final, get_args

from ...errors import UsageError
from ..choices import Codec

PRESETS: Final = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow",
)  # fmt: skip
"""Of the encoders of H.264 and HEVC, from quick to thorough."""
MAX_CRF: Final = 51.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Survey:
    """What decoding a clip once has told.

    Attributes:
        frames: how many can be decoded.
        start: seconds at which the first one is shown.
        end: seconds at which the last one is no longer shown.
        damage: what is wrong, in words; "" = nothing.
    """

    frames: int
    start: Fraction
    end: Fraction
    damage: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipPart:
    """The part of a clip that is read.

    Attributes:
        start: seconds from its beginning.
        end: seconds from its beginning; None = to its end.
        frames: at most this many; None = any number.
        survey: what is known of the part already. None: it is decoded once to be known.

    Raises:
        UsageError: nothing lies in between.
    """

    start: float = 0.0
    end: float | None = None
    frames: int | None = None
    survey: Survey | None = None

    def __post_init__(self) -> None:
        """Check that something is left."""
        if not self.start >= 0:
            raise UsageError(f"--start must be a time of 0 seconds or more, not {self.start:g}")
        if self.end is not None and not self.end > self.start:
            raise UsageError(f"--end {self.end:g} is not after --start {self.start:g}; give a later time")
        if self.frames is not None and self.frames < 1:
            raise UsageError(f"--frames must be 1 or more, not {self.frames}")

    @property
    def first(self) -> Fraction:
        """The start as it was given: 0.1 is a tenth."""
        return Fraction(str(self.start))

    @property
    def last(self) -> Fraction | None:
        """The end as it was given."""
        return None if self.end is None else Fraction(str(self.end))

    @property
    def is_whole(self) -> bool:
        """Whether nothing is left out."""
        return self.start == 0 and self.end is None and self.frames is None

    @property
    def is_to_end(self) -> bool:
        """Whether nothing is left out at the end."""
        return self.end is None and self.frames is None

    def to_recipe(self) -> dict[str, object]:
        """Return the options as a recipe tells them."""
        said = {"start": self.start or None, "end": self.end, "first_frames": self.frames}
        return {name: value for name, value in said.items() if value is not None}


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipCoding:
    """How a clip is coded.

    Attributes:
        codec: "h264", "hevc", or "ffv1", which loses nothing; None = h264.
        crf: constant rate factor, 0 = best .. 51 = smallest; None = 18, for hevc 20.
        preset: how long the encoder tries, as x264 and x265 name it; None = medium.

    Raises:
        UsageError: a value out of range, or one that the codec does not have.
    """

    codec: Codec | None = None
    crf: float | None = None
    preset: str | None = None

    def __post_init__(self) -> None:
        """Check the values."""
        if self.codec is not None and self.codec not in get_args(Codec):
            raise UsageError(f"--codec must be {', '.join(get_args(Codec))}, not {self.codec}")
        if self.crf is not None and not 0 <= self.crf <= MAX_CRF:
            raise UsageError(f"--crf must be a number from 0 to {MAX_CRF:g}, not {self.crf:g}")
        if self.preset is not None and self.preset not in PRESETS:
            raise UsageError(f"--preset must be one of {', '.join(PRESETS)}, not {self.preset}")
        if self.codec == "ffv1" and (self.crf is not None or self.preset is not None):
            raise UsageError("--codec ffv1 loses nothing, so it has no --crf and no --preset; leave them out")

    @property
    def is_given(self) -> bool:
        """Whether any value is."""
        return self != ClipCoding()

    @property
    def chosen(self) -> Codec:
        """The codec."""
        return self.codec or "h264"

    def to_recipe(self) -> dict[str, object]:
        """Return what decides pixels, as a recipe tells it."""
        if self.chosen == "ffv1":
            return {"codec": "ffv1"}
        return {"codec": self.chosen, "crf": self.factor, "preset": self.preset or "medium"}

    @property
    def factor(self) -> float:
        """The constant rate factor of a lossy codec."""
        return self.crf if self.crf is not None else (20.0 if self.codec == "hevc" else 18.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Clip:
    """What holds for all frames of a clip.

    Attributes:
        path: its file.
        data: its content, if that came from a pipe; None = it is in the file.
        part: what is read of it, with its survey.
        time_base: seconds of one unit of time.
        rate: frames a second, on average.
        pixel_format: FFmpeg's name.
        bits: per channel, 8 or 10.
        matrix: how colours became Y'CbCr, by the numbers of ITU-T H.273; 2 = not told.
        full_range: black is 0. Else it is 16 of 255.
        tags: what it says of its colours, as H.273 numbers it: range (1 or 2), primaries, transfer, matrix.
        size: (width, height) in pixels.
        aspect: width of a pixel over its height; None = not told.
        rotation: degrees by which players turn it.
    """

    path: Path
    data: bytes | None = field(default=None, repr=False)
    part: ClipPart
    time_base: Fraction
    rate: Fraction
    pixel_format: str
    bits: int
    matrix: int
    full_range: bool
    tags: tuple[int, int, int, int]
    size: tuple[int, int]
    aspect: Fraction | None = None
    rotation: int = 0

    @property
    def survey(self) -> Survey:
        """What decoding it has told."""
        assert self.part.survey is not None
        return self.part.survey

    @property
    def middle(self) -> ClipPart:
        """The frame in the middle of the part that is read."""
        half = float(self.survey.end - self.survey.start) / 2
        return ClipPart(start=self.part.start + half, frames=1)

    @property
    def is_rgb(self) -> bool:
        """Whether its numbers are red, green and blue."""
        return self.pixel_format.startswith(("rgb", "bgr", "gbr", "0rgb", "0bgr"))

    @property
    def is_gray(self) -> bool:
        """Whether it has no colour."""
        return self.pixel_format.startswith("gray")


@dataclass(frozen=True, kw_only=True, slots=True)
class ClipFrame:
    """A frame of a clip.

    Attributes:
        clip: the clip.
        pts: when it is shown, in the clip's time base.
        duration: for how long, in the clip's time base; 0 = until the next.
        is_copied: it stands for all frames, of which none was changed. The coded video is copied.
        segments: it stands for all frames, which are coded in these files.
    """

    clip: Clip
    pts: int
    duration: int = 0
    is_copied: bool = False
    segments: tuple[Path, ...] = ()
