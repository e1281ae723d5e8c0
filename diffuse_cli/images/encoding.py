"""The format that a result is written in, how it is coded, and whether it can hold the picture."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, get_args

from ..errors import PictureError, UsageError
from ..system.files import shown
from .choices import Depth, Policy
from .optional_formats import RAW_SUFFIXES, check_installed
from .picture import Picture, Source
from .video.clip import ClipCoding

FORMAT_OF_SUFFIX: Final = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".ppm": "PPM",
    ".pgm": "PPM",
    ".gif": "GIF",
    ".avif": "AVIF",
    ".npy": "NPY",
    ".heic": "HEIF",
    ".heif": "HEIF",
    ".jxl": "JXL",
    ".dcm": "DICOM",
    ".dicom": "DICOM",
    ".dng": "DNG",
    ".mp4": "MP4",
    ".m4v": "MP4",
    ".mkv": "MKV",
    ".y4m": "Y4M",
}
_ONLY_READ: Final = {".gif": "GIF", ".pbm": "PBM", **dict.fromkeys(sorted(RAW_SUFFIXES), "camera RAW")}
_CLIPS_ONLY_READ: Final = {".mov": "QuickTime", ".avi": "AVI", ".webm": "WebM"}
_CODED_CLIPS: Final = (".mp4", ".m4v", ".mkv")
CLIP_SUFFIXES: Final = (*_CODED_CLIPS, ".y4m", *_CLIPS_ONLY_READ)
"""What clips are told by before they are opened."""
WRITTEN_AS: Final = {
    ".jpe": ".jpg", ".jfif": ".jpg", ".mpo": ".jpg", **dict.fromkeys(_ONLY_READ, ".png"),
    ".mov": ".mp4", ".avi": ".mkv", ".webm": ".mkv", ".y4m": ".mkv",
}  # fmt: skip
"""Suffixes of results that are named after their inputs, where they are not the inputs'."""
PICTURE_SUFFIXES: Final = tuple(
    suffix for suffix in dict.fromkeys((*FORMAT_OF_SUFFIX, ".mpo", *_ONLY_READ)) if suffix not in CLIP_SUFFIXES
)
"""What a folder's pictures are told by. Clips, which take hours, are named one by one."""
_SUFFIX_OF_NAME = {
    "png": ".png", "jpeg": ".jpg", "jpg": ".jpg", "webp": ".webp", "tiff": ".tif", "tif": ".tif", "bmp": ".bmp",
    "gif": ".gif", "ppm": ".ppm", "pgm": ".pgm", "avif": ".avif", "npy": ".npy", "heic": ".heic", "heif": ".heif",
    "jxl": ".jxl", "dicom": ".dcm", "dcm": ".dcm", "dng": ".dng", "y4m": ".y4m",
}  # fmt: skip
_HOLDS_16_BIT = frozenset({"PNG", "TIFF", "PPM", "NPY", "JXL", "DICOM", "DNG", "MP4", "MKV", "Y4M"})
_HOLDS_FLOATS = frozenset({"TIFF", "NPY"})
_HOLDS_FRAMES = frozenset({"PNG", "WEBP", "GIF"})
_HOLDS_PAGES = frozenset({"TIFF", "DICOM"})
_HOLDS_ALPHA = frozenset({"PNG", "GIF", "WEBP", "TIFF", "AVIF", "NPY", "HEIF", "JXL"})
_LOSSLESS = frozenset({"PNG", "TIFF", "BMP", "PPM", "NPY", "DICOM", "DNG"})
_TAKES_QUALITY = frozenset({"JPEG", "WEBP", "AVIF", "HEIF", "JXL"})
_BITS_OF_HEIF = frozenset({10, 12})
CLIPS: Final = frozenset({"MP4", "MKV", "Y4M"})
"""Formats of clips. Y4M is YUV4MPEG2, which programs hand to each other by pipes: frames without times and sound."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoding:
    """How results are written.

    Attributes:
        format: "png", "jpeg", ...; None = by the file's suffix.
        quality: 1..100 of a lossy format; None = the tables of an input JPEG, else 95.
        depth: bits per channel; "keep" = the input's.
        metadata: which of the input's metadata to write, see `metadata.handed_on`.
        keep_times: give results the time stamps of their inputs.
        clip: how clips are coded.

    Raises:
        UsageError: a value out of range.
    """

    format: str | None = None
    quality: int | None = None
    depth: Depth = "keep"
    metadata: Policy = "keep"
    keep_times: bool = False
    clip: ClipCoding = field(default_factory=ClipCoding)

    def __post_init__(self) -> None:
        """Check the values."""
        if self.format is not None and self.format.lower() not in _SUFFIX_OF_NAME:
            raise UsageError(f"--format must be one of {', '.join(_SUFFIX_OF_NAME)}, not {self.format}")
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise UsageError(f"--quality must lie in 1 .. 100, not {self.quality}")
        if self.depth not in get_args(Depth):
            raise UsageError(f"--depth must be keep, 8 or 16, not {self.depth}")
        if self.metadata not in get_args(Policy):
            raise UsageError(f"--metadata must be keep, safe or strip, not {self.metadata}")

    def to_recipe(self, path: Path) -> dict[str, object]:
        """Return what the recipe says of the coding.

        Args:
            path: name of the result.

        Raises:
            UsageError: as `kind`.
        """
        asked = {"quality": self.quality, "depth": self.depth, "metadata": self.metadata}
        kind = self.kind(path)
        coding = self.clip.to_recipe() if kind in CLIPS and kind != "Y4M" else {}
        return {"format": kind, **{key: value for key, value in asked.items() if value is not None}, **coding}

    def like(self, format_read: str, *, animated: bool = False, clip: bool = False) -> "Encoding":
        """Return the encoding of a result without a name: that of the input, if no format was asked for.

        What is only read is written as PNG, and clips as YUV4MPEG2.

        Args:
            format_read: the input's format, by Pillow's name.
            animated: it is an animation.
            clip: it is a clip.
        """
        if self.format is not None:
            return self
        if clip:
            return replace(self, format="y4m")
        wanted = "" if format_read == "GIF" and not animated else format_read
        known = (name for name, suffix in _SUFFIX_OF_NAME.items() if FORMAT_OF_SUFFIX[suffix] == wanted)
        return replace(self, format=next(known, "png"))

    @property
    def suffix(self) -> str | None:
        """Suffix of results that are not named one by one; None = the input's."""
        return None if self.format is None else _SUFFIX_OF_NAME[self.format.lower()]

    def is_dng(self, path: Path) -> bool:
        """Return whether a result is a DNG.

        Args:
            path: name of the result.
        """
        return (FORMAT_OF_SUFFIX.get(path.suffix.lower()) if self.suffix is None else self.suffix) in ("DNG", ".dng")

    def kind(self, path: Path) -> str:
        """Return the format of a result, by Pillow's name.

        Args:
            path: name of the result.

        Raises:
            UsageError: the suffix is unknown, or does not go with `format`.
        """
        suffix = path.suffix.lower()
        named = FORMAT_OF_SUFFIX.get(suffix)
        if self.suffix is not None:
            wanted = FORMAT_OF_SUFFIX[self.suffix]
            if named not in (None, wanted):
                raise UsageError(f"{shown(path)}: --format {self.format} does not go with {path.suffix}; leave one out")
            return wanted
        if named is None:
            raise UsageError(f"{shown(path)}: {_unknown(path)}")
        return named


def only_read(path: Path) -> str:
    """Return the name of a format that still pictures or clips are read from and never written as, by its suffix.

    "" = it is written, or unknown.

    Args:
        path: of an input.
    """
    suffix = path.suffix.lower()
    return _ONLY_READ.get(suffix) or _CLIPS_ONLY_READ.get(suffix, "")


def _unknown(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix in RAW_SUFFIXES:
        return (
            "of camera RAW only DNG is written; name a file like -o out.dng (denoise and fuse), or give --format tiff"
        )
    if suffix in _CLIPS_ONLY_READ:
        return f"{_CLIPS_ONLY_READ[suffix]} is read and not written; name the clip like -o out.mkv, or -o out.mp4"
    what = f"the suffix {path.suffix!a}" if suffix else "a name without a suffix"
    return f"{what} is no picture format; use one of {' '.join(FORMAT_OF_SUFFIX)}, or give --format"


_NO_GIF = "GIF is written for animations only, since it holds 256 colours; give --format png, or -o out.png"


PLAIN: Final = Encoding()


def is_clip_name(path: Path) -> bool:
    """Return whether a file is called as clips are.

    Args:
        path: any.
    """
    return path.suffix.lower() in CLIP_SUFFIXES


def is_coded_clip_name(path: Path) -> bool:
    """Return whether a file is called as clips are that hold coded frames, with their times.

    Args:
        path: any.
    """
    return path.suffix.lower() in _CODED_CLIPS


def check_quality(paths: Sequence[Path], encoding: Encoding) -> None:
    """Refuse a quality that none of the results can have.

    Args:
        paths: names of the results.
        encoding: the quality, and perhaps the format.

    Raises:
        UsageError: no format has a quality, or a suffix is unknown.
    """
    kinds = {encoding.kind(path) for path in paths}
    if encoding.quality is not None and not kinds & _TAKES_QUALITY:
        raise UsageError(f"--quality {encoding.quality}: {', '.join(sorted(kinds))} has no quality; leave it out")


def check_writable_format(path: Path, encoding: Encoding = PLAIN, *, animated: bool = False) -> str:
    """Return the format of a result, by Pillow's name.

    Args:
        path: name of the result.
        encoding: its format, if it is not that of the suffix.
        animated: it may be an animation, which alone is written as GIF.

    Raises:
        UsageError: the suffix is unknown, the format is for animations, or it needs an extra that is not installed.
    """
    kind = encoding.kind(path)
    if kind == "GIF" and not animated:
        raise UsageError(f"{shown(path)}: {_NO_GIF}")
    if kind in ("HEIF", "JXL", "DICOM"):
        check_installed(kind, path)
    return kind


def holds_16_bit(kind: str) -> bool:
    """Return whether a format holds 16 bits per channel.

    Args:
        kind: by Pillow's name.
    """
    return kind in _HOLDS_16_BIT


def is_lossless(path: Path, picture: Picture, encoding: Encoding = PLAIN) -> bool:
    """Return whether a written picture is read again bit for bit.

    Args:
        path: name of the result.
        picture: the result.
        encoding: its format and quality.

    Raises:
        UsageError: the suffix is unknown.
    """
    kind = encoding.kind(path)
    if kind in ("WEBP", "JXL"):
        return lossy_quality(kind, picture.source, encoding) is None
    return kind in _LOSSLESS


def lossy_quality(kind: str, source: Source, encoding: Encoding) -> int | None:
    """Return the quality of a lossy format; None = lossless.

    WebP and JPEG XL are lossless by default. A lossy WebP stays one, unless it is an animation. JPEG XL takes 100 as
    lossless, as its encoder does.

    Args:
        kind: "WEBP", "JXL", "AVIF" or "HEIF".
        source: of the input.
        encoding: with the quality, if one was asked for.
    """
    if kind == "JXL" and encoding.quality == 100:
        return None
    if encoding.quality is not None:
        return encoding.quality
    is_still = source.frame is None
    if kind == "JXL" or (kind == "WEBP" and not (source.format == "WEBP" and source.lossy and is_still)):
        return None
    return 95


def check_fits(picture: Picture, path: Path, encoding: Encoding = PLAIN) -> None:
    """Refuse to lose depth, alpha, colour, pages or frames. Ask before the work is done.

    Args:
        picture: to be written.
        path: name of the result.
        encoding: its format and depth.

    Raises:
        UsageError: the suffix is unknown.
        PictureError: the format cannot hold the picture.
    """
    kind = encoding.kind(path)
    problem = _misfit_pages(picture.source, kind, encoding) or _misfit_pixels(picture, path, kind, encoding)
    if problem:
        raise PictureError(f"{shown(path)}: {problem}")


def _misfit_pixels(picture: Picture, path: Path, kind: str, encoding: Encoding) -> str:
    """Return why a format cannot hold the numbers or channels of a picture; "" = it can."""
    floating = picture.floating and encoding.depth == "keep"
    is_dicom = picture.source.dicom is not None  # of which other formats get what is displayed
    deep = picture.depth == 16 and not is_dicom if encoding.depth == "keep" else encoding.depth == "16"
    deep = deep and not floating
    problem = ""
    if kind == "DICOM":
        return _not_dicom(picture, encoding)
    if kind == "DNG":
        return _not_dng(picture, encoding)
    if floating and kind not in _HOLDS_FLOATS:
        problem = f"{kind} cannot hold floating-point numbers; use -o out.tif, or --depth 16"
    elif deep and kind not in _HOLDS_16_BIT and not (kind == "HEIF" and picture.source.bits in _BITS_OF_HEIF):
        problem = f"{kind} cannot hold 16 bits per channel, but PNG, TIFF and PPM can; use -o out.png, or --depth 8"
    elif picture.alpha is not None and kind not in _HOLDS_ALPHA:
        problem = f"{kind} cannot hold transparency; use -o out.png"
    elif picture.pixels.shape[2] == 3 and path.suffix.lower() == ".pgm":
        problem = "PGM cannot hold colour; use -o out.ppm"
    elif kind == "JXL" and picture.source.icc and not is_srgb(picture.source.icc):
        problem = "JPEG XL with a colour profile other than sRGB cannot be written; use -o out.png"
    return problem


def _misfit_pages(source: Source, kind: str, encoding: Encoding) -> str:
    """Return why a format cannot hold pages or frames; "" = it can."""
    if source.clip is not None or kind in CLIPS:
        return _misfit_clip(source, kind, encoding)
    if source.frame is None:
        if kind == "GIF":
            return _NO_GIF
        return (
            f"{kind} cannot hold {source.pages} pages; use -o out.tif"
            if source.pages > 1 and kind not in _HOLDS_PAGES
            else ""
        )
    if kind not in _HOLDS_FRAMES:
        return f"{kind} cannot hold an animation; use -o out.png (APNG), -o out.webp or -o out.gif"
    return "animations are written with 8 bits per channel; leave --depth out" if encoding.depth == "16" else ""


def _not_dicom(picture: Picture, encoding: Encoding) -> str:
    """Return why a picture cannot be written as DICOM; "" = it can."""
    dicom = picture.source.dicom
    if dicom is None:
        return "only a picture that was read from DICOM is written as DICOM; use -o out.png"
    if dicom.shape is None:
        return "a larger canvas no longer lies where the tags of the DICOM file say; use -o out.png"
    if picture.pixels.shape[2] != 1 or picture.alpha is not None or picture.floating or encoding.depth == "8":
        return "DICOM keeps its gray values and their bits; use -o out.png"
    if encoding.metadata != "keep":
        return "DICOM keeps all its tags; leave --metadata out, and take out names with a program made for it"
    return ""


def _not_dng(picture: Picture, encoding: Encoding) -> str:
    """Return why a picture cannot be written as DNG; "" = it can."""
    if picture.source.sensor is None:
        return "DNG is written of camera RAW, by denoise and fuse; use -o out.tif"
    return "DNG is written with 16 bits; leave --depth out" if encoding.depth == "8" else ""


def _misfit_clip(source: Source, kind: str, encoding: Encoding) -> str:
    """Return why a format cannot hold a clip; "" = it can."""
    if source.clip is None:
        what = "an animation" if source.frame is not None else "a picture"
        return f"{kind} is written for clips only, and the input is {what}; use -o out.png"
    if kind not in CLIPS:
        return f"{kind} cannot hold a clip; use -o out.mp4 or -o out.mkv"
    if encoding.depth == "16":
        return "clips have 8 or 10 bits per channel; leave --depth out"
    if kind == "Y4M" and encoding.clip.is_given:
        return "YUV4MPEG2 is not coded; leave --codec, --crf and --preset out, or use -o out.mkv"
    if encoding.clip.chosen == "ffv1" and kind == "MP4":
        return "FFV1 is written into Matroska; use -o out.mkv"
    return ""


def is_srgb(icc: bytes) -> bool:
    """Return whether a profile calls itself sRGB.

    Args:
        icc: the profile.
    """
    return b"sRGB" in icc[:4096] or "sRGB".encode("utf-16-be") in icc[:4096]
