"""The type of pictures: pixels, alpha, depth, and what their file said."""

from dataclasses import dataclass, field, replace
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import PictureError
from ..system.arrays import copied, empty_array, equal_channels, row_blocks
from .jpeg_damage import JpegDamage
from .raw.sensor import SensorData
from .units import LEVEL
from .video.clip import ClipFrame

One = TypeVar("One", bound=np.generic)
Levels = NDArray[np.uint8] | NDArray[np.uint16]
"""Integers as a file holds them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JpegCoding:
    """How a JPEG was coded.

    Attributes:
        tables: quantisation tables, 64 numbers each in row order: luma, chroma, and a second chroma where it differs.
        subsampling: of the chroma: 0 = 4:4:4, 1 = 4:2:2, 2 = 4:2:0, -1 = another, or a gray picture.
        progressive: coded in several scans.
        orientation: how the decoded picture was turned for display, as EXIF numbers it; 1 = not at all.
    """

    tables: tuple[tuple[int, ...], ...]
    subsampling: int
    progressive: bool
    orientation: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class JpegData:
    """The coded picture of a JPEG file.

    Attributes:
        coded: the file without its metadata, see `jpeg_data.coded_picture`.
        orientation: how the decoded picture is turned for display, as EXIF numbers it.
    """

    coded: bytes = field(repr=False)
    orientation: int = 1


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ExtraChannels:
    """Channels of a TIFF beside colour and alpha: infrared, spot colours, further alphas.

    Attributes:
        levels: (H, W, N), in the file's own numbers, as displayed.
        kinds: what TIFF's ExtraSamples says of each: 0 = nothing, 1 or 2 = alpha.
        before_alpha: how many of them come before alpha, if there is one.
    """

    levels: NDArray[Any]
    kinds: tuple[int, ...]
    before_alpha: int = 0

    def joined(self, samples: NDArray[Any], colours: int) -> tuple[NDArray[Any], tuple[int, ...]]:
        """Return all channels of a file in their order, and the kinds of those beside colour.

        Args:
            samples: (H, W, C), colour and perhaps alpha, of the size and the type that the file is to have.
            colours: how many of them are colour.
        """
        levels = self.levels.astype(samples.dtype)
        alpha = samples[..., colours:]
        parts = [samples[..., :colours], levels[..., : self.before_alpha], alpha, levels[..., self.before_alpha :]]
        kinds = (*self.kinds[: self.before_alpha], *((2,) * alpha.shape[2]), *self.kinds[self.before_alpha :])
        return np.concatenate(parts, axis=2), kinds


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class DicomData:
    """What is needed to write a frame of a DICOM file again.

    Attributes:
        dataset: pydicom's, without the pixels. All frames of a file share it, and nobody changes it.
        low: the lowest stored value of all frames, without padding.
        high: the highest.
        is_inverted: the highest value is black (MONOCHROME1).
        frame: number of the frame, from 0.
        frames: how many the file has.
        padding: (H, W), the stored values that are no part of the picture, `NO_PADDING` elsewhere; None = there are
            none.
        shape: (rows, columns) that the tags are about; None = the tags no longer say where a pixel lies.
    """

    dataset: Any = field(repr=False)
    low: int
    high: int
    is_inverted: bool = False
    frame: int = 0
    frames: int = 1
    padding: NDArray[np.int32] | None = field(default=None, repr=False)
    shape: tuple[int, int] | None = None


NO_PADDING: Final = -(2**31)


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """The place of a picture in an animation.

    Attributes:
        duration: milliseconds for which it is shown.
        plays: how often the animation is shown; 0 = without end.
        is_still: it is what viewers show that know no animations, and no part of the animation (APNG's default image).
        is_cut: the file is damaged, so the animation has fewer frames than it had.
    """

    duration: float
    plays: int = 0
    is_still: bool = False
    is_cut: bool = False


def middle_frame(count: int) -> int:
    """Return the number, from 1, of the frame of an animation that tells what is known of all frames.

    Args:
        count: of the frames.
    """
    return count // 2 + 1


def frames_words(count: int, seconds: float) -> str:
    """Return how long an animation is, in words.

    Args:
        count: of its frames.
        seconds: for which they are shown.
    """
    return f"{count} frame{'s' if count != 1 else ''}, {seconds:.2f} s"


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """What a file said beside its pixels.

    Attributes:
        format: Pillow's name of the format ("PNG", "JPEG", ...); "" = from no file.
        lossy: the coding lost something (JPEG, AVIF, lossy WebP).
        icc: the colour profile; b"" = none.
        exif: a TIFF block without the "Exif" lead-in, orientation 1, since it is applied; b"" = none.
        xmp: the packet; b"" = none.
        photoshop: Photoshop's image resources, with the IPTC record ("8BIM...", without lead-in); b"" = none.
        texts: comments, by keyword.
        segments: a JPEG's APPn segments of unknown kinds, number and data.
        colour_chunks: a PNG's chunks that tell what its numbers mean (gAMA, cHRM, cICP, ...), name and data.
        dpi: horizontal and vertical dots per inch.
        jpeg: None unless it was a JPEG.
        jpeg_data: what a JPEG's pixels were decoded from. It is written again where they did not change.
        coded: a lossy WebP, AVIF or HEIC file. It is copied where its pixels did not change.
        damage: what is wrong with a JPEG's data, as displayed; None = nothing that shows.
        bits: per channel, if neither 8 nor 16 (10-bit HEIC); else 0.
        white: the level of white, where 16-bit integers use a part of their range (4095 of a 12-bit sensor); else 0.
        samples: (H, W, C) of a floating-point file, alpha included, 0 = black .. 1 = white, as displayed; None for
            integers. Unchanged pixels are written from here, since 0..1 -> -1..1 -> 0..1 rounds.
        extra: a TIFF's channels beside colour and alpha; None = there are none.
        sensor: what camera RAW says that was read as light; None = it is no light of a sensor.
        dicom: None unless it was DICOM. `white` then is the highest stored value above the lowest.
        pages: number of pages or frames in the file.
        frame: its place in an animation; None = it is a still picture.
        clip: its place in a clip, which is a frame of an animation, too; None = it comes from no video file.
        left_behind: what is not carried over (a gain map, frames, ...), in words.
        notes: what else the user is told of how it was read, such as a conversion of colours.
        source_type: IPTC's digital source type, the strongest in XMP and C2PA manifest; "" = none.
        provenance: how a result was made, as an RDF element for its XMP (see `provenance.recipe`); b"" = not told.
    """

    format: str = ""
    lossy: bool = False
    icc: bytes = b""
    exif: bytes = b""
    xmp: bytes = b""
    photoshop: bytes = b""
    texts: tuple[tuple[str, str], ...] = ()
    segments: tuple[tuple[int, bytes], ...] = ()
    colour_chunks: tuple[tuple[bytes, bytes], ...] = ()
    dpi: tuple[float, float] | None = None
    jpeg: JpegCoding | None = None
    jpeg_data: JpegData | None = None
    coded: bytes = field(default=b"", repr=False)
    damage: JpegDamage | None = field(default=None, repr=False)
    bits: int = 0
    white: int = 0
    samples: NDArray[np.floating[Any]] | None = field(default=None, repr=False)
    extra: ExtraChannels | None = field(default=None, repr=False)
    sensor: SensorData | None = None
    dicom: DicomData | None = field(default=None, repr=False)
    pages: int = 1
    frame: Frame | None = None
    clip: ClipFrame | None = None
    left_behind: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    source_type: str = ""
    provenance: bytes = b""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Picture:
    """A picture and what its file said.

    Attributes:
        pixels: (H, W, C) in [-1, 1], C = 3 colour or 1 gray, as displayed (orientation applied).
        alpha: (H, W), integers of `depth` bits; None = opaque.
        depth: bits per channel, 8 or 16.
        floating: write 32-bit floats, 0 = black .. 1 = white, not clipped; `depth` is then 16 and alpha's alone.
        source: what else the file said.

    Raises:
        ValueError: shapes or types do not fit together.
    """

    pixels: NDArray[np.float32]
    alpha: Levels | None = None
    depth: int = 8
    floating: bool = False
    source: Source = field(default_factory=Source)

    def __post_init__(self) -> None:
        """Check that pixels, alpha and depth fit together."""
        shape = self.pixels.shape
        if len(shape) != 3 or shape[2] not in (1, 3) or 0 in shape or self.pixels.dtype != np.float32:
            raise ValueError(f"pixels are {shape} {self.pixels.dtype}, not float32 (H, W, 1) or (H, W, 3)")
        if self.depth not in (8, 16):
            raise ValueError(f"depth is {self.depth}, not 8 or 16")
        if self.alpha is not None and (self.alpha.shape != shape[:2] or self.alpha.dtype.itemsize * 8 != self.depth):
            raise ValueError(f"alpha is {self.alpha.shape} {self.alpha.dtype}, the pixels {shape}, {self.depth} bit")

    @property
    def white(self) -> int:
        """The level of white where the file holds integers."""
        return self.source.white if self.depth == 16 and self.source.white else int(2**self.depth - 1)

    def in_levels(self) -> NDArray[np.float32]:
        """Return the pixels in 8-bit levels, (H, W, C), 0 = black .. 255 = white, not rounded."""
        levels = self.pixels + np.float32(1)
        levels *= np.float32(LEVEL)
        return levels

    @property
    def is_gray(self) -> bool:
        """Whether there is no colour: one channel, or three equal ones."""
        return self.pixels.shape[2] == 1 or equal_channels(self.pixels)


def to_unit(levels: Levels, depth: int, white: int | None = None) -> NDArray[np.float32]:
    """Return levels as numbers in [-1, 1].

    Args:
        levels: 0 .. 2^depth - 1, of any shape.
        depth: bits.
        white: the level of white; None = 2^depth - 1.
    """
    white = 2**depth - 1 if white is None else white
    pixels = empty_array(levels.shape, np.float32)
    for rows in row_blocks(pixels):
        pixels[rows] = levels[rows]
        pixels[rows] /= np.float32(white / 2)
        pixels[rows] -= 1
    return pixels


def to_levels(pixels: NDArray[np.float32], depth: int, white: int | None = None) -> Levels:
    """Return numbers in [-1, 1] as the nearest levels; the inverse of `to_unit`.

    Args:
        pixels: of any shape; what lies outside is clipped.
        depth: bits of the type.
        white: the highest level; None = 2^depth - 1.

    Raises:
        PictureError: some numbers are not finite.
    """
    if not (np.isfinite(pixels.min()) and np.isfinite(pixels.max())):
        raise PictureError("the result holds numbers that are not finite, so it is not written; report this as a bug")
    white = 2**depth - 1 if white is None else white
    shape = pixels.shape
    levels: Levels = empty_array(shape, np.uint8) if depth == 8 else empty_array(shape, np.uint16)
    for rows in row_blocks(pixels):
        block = pixels[rows] + np.float32(1)
        block *= np.float32(white / 2)
        np.rint(block, out=block)
        levels[rows] = np.clip(block, 0, white, out=block)
    return levels


def integers(levels: NDArray[Any], depth: int) -> Levels:
    """Return whole numbers as uint8 or uint16.

    Args:
        levels: of any type and shape.
        depth: bits.
    """
    return copied(levels, np.uint8) if depth == 8 else copied(levels, np.uint16)


def with_depth(picture: "Picture", depth: int) -> "Picture":
    """Return the picture with another depth, alpha included. Floats become integers. 8 bits use the whole range.

    Args:
        picture: of any depth.
        depth: 8 or 16 bits.
    """
    alpha = picture.alpha
    if alpha is not None and depth != picture.depth:
        alpha = to_levels(to_unit(alpha, picture.depth), depth)
    source = picture.source if depth == 16 else replace(picture.source, white=0)
    if source.extra is not None:
        levels = source.extra.levels
        floats = from_floats(levels) if levels.dtype.kind == "f" else to_unit(levels, 8 * levels.dtype.itemsize)
        source = replace(source, extra=replace(source.extra, levels=to_levels(floats, depth)))
    return replace(picture, alpha=alpha, depth=depth, floating=False, source=source)


def to_floats(picture: "Picture") -> NDArray[np.floating[Any]]:
    """Return samples (H, W, C), alpha included, 0 = black .. 1 = white.

    Args:
        picture: pixels that did not change get the bits of the input file.
    """
    floats: NDArray[np.floating[Any]] = (picture.pixels + np.float32(1)) / np.float32(2)
    if picture.alpha is not None:
        alpha = picture.alpha[..., None] / np.float32(2**picture.depth - 1)
        floats = np.concatenate([floats, alpha.astype(np.float32)], axis=2)
    before = picture.source.samples
    if before is None:
        return floats
    if before.shape != floats.shape:  # enlarged
        return floats.astype(before.dtype)
    colours = picture.pixels.shape[2]
    same = np.zeros(floats.shape, bool)
    same[..., :colours] = from_floats(before[..., :colours]) == picture.pixels
    if picture.alpha is not None:
        same[..., colours] = to_levels(from_floats(before[..., -1]), picture.depth) == picture.alpha
    return np.where(same, before, floats.astype(before.dtype))


def from_floats(samples: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """Return samples as numbers in [-1, 1], not clipped.

    Args:
        samples: 0 = black .. 1 = white, of any shape.
    """
    return np.asarray(2 * samples.astype(np.float64) - 1, np.float32)


def levels_of(picture: Picture) -> Levels:
    """Return the integers of a picture (H, W, 1 to 4), alpha last.

    Args:
        picture: of 8 or 16 bits.
    """
    levels = to_levels(picture.pixels, picture.depth, picture.white)
    if picture.alpha is None:
        return levels
    shape = *levels.shape[:2], levels.shape[2] + 1
    joined: Levels = empty_array(shape, np.uint8) if picture.depth == 8 else empty_array(shape, np.uint16)
    joined[..., :-1], joined[..., -1] = levels, picture.alpha
    return joined


def from_array(array: NDArray[Any], source: Source) -> Picture:
    """Return the picture of an array that a decoder made.

    Args:
        array: (H, W, 1 to 4), bool, uint8, uint16, or floats 0 = black .. 1 = white; the last of 2 or 4 is alpha.
        source: what the file said.

    Raises:
        PictureError: some numbers are not finite, or white is not 1.
    """
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * np.uint8(255)
    array = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
    colours = 1 if array.shape[2] < 3 else 3
    alpha = array[..., -1] if array.shape[2] > colours else None
    if array.dtype in (np.uint8, np.uint16):
        depth = 8 * array.dtype.itemsize
        alpha = None if alpha is None else integers(alpha, depth)
        return Picture(pixels=to_unit(array[..., :colours], depth), alpha=alpha, depth=depth, source=source)
    _check_floats(array)
    if alpha is not None:
        alpha = to_levels(from_floats(alpha), 16)
    pixels = from_floats(array[..., :colours])
    return Picture(pixels=pixels, alpha=alpha, depth=16, floating=True, source=replace(source, samples=array))


def divided_by_alpha(array: NDArray[Any]) -> NDArray[Any]:
    """Return colours without the alpha that had been multiplied into them, as exactly as alpha allows.

    Args:
        array: (H, W, 2 or 4), alpha last.
    """
    full = 1.0 if array.dtype.kind == "f" else float(np.iinfo(array.dtype).max)
    alpha = array[..., -1:].astype(np.float64)
    colours = np.divide(array[..., :-1] * full, alpha, out=np.zeros(array[..., :-1].shape), where=alpha > 0)
    if array.dtype.kind != "f":
        colours = np.minimum(np.rint(colours), full)
    return np.concatenate([colours.astype(array.dtype), array[..., -1:]], axis=2)


BRIGHTEST_WHITE = 1.1
"""Noise on white goes this far beyond it, where white is 1. More is light beyond white."""
DARKEST_BLACK = 0.25
"""The same of black, below it: of a picture from -0.25 to 1 the network loses nothing."""
MOST_LIGHT = 100.0
"""The brightest that a floating-point picture may be, where white is 1."""


def _check_floats(samples: NDArray[np.floating[Any]]) -> None:
    low, high = float(samples.min()), float(samples.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise PictureError("some of its numbers are not finite; replace them, and fill them with inpaint --mask")
    if max(-low, high) > MOST_LIGHT:
        raise PictureError(f"its numbers go from {low:g} to {high:g}, but white must be 1; scale them first")


def check_size(width: int, height: int, max_pixels: int) -> None:
    """Refuse a picture of too many pixels before decoding.

    Args:
        width: in pixels.
        height: in pixels.
        max_pixels: the limit.

    Raises:
        PictureError: there are more.
    """
    if width * height > max_pixels:
        raise PictureError(
            f"{width}x{height} is more than {max_pixels / 1e6:g} million pixels, the limit; "
            "raise it with --max-pixels, or cut the picture into parts first"
        )


def upright(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn and mirror as the EXIF orientation asks for.

    Args:
        array: (H, W, C).
        orientation: 1..8.
    """
    if orientation in (5, 6, 7, 8):
        array = array.swapaxes(0, 1)
    if orientation in (2, 3, 6, 7):
        array = array[:, ::-1]
    if orientation in (3, 4, 7, 8):
        array = array[::-1]
    return array


def as_coded(pixels: NDArray[One], orientation: int) -> NDArray[One]:
    """Turn a displayed picture back to how its file holds it; the inverse of `upright`.

    Args:
        pixels: (H, W, C).
        orientation: 1..8.
    """
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels.swapaxes(0, 1) if orientation in (5, 6, 7, 8) else pixels
