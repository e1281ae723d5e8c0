"""Image files: a file becomes a Picture, and a Picture a file."""

import io
import itertools
import os
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Final

from ..errors import PictureError
from ..system.files import disk_trouble, reason, replaced_whole, shown
from ..system.streams import opened
from . import content_credentials, optional_formats, tiff
from .animation_reader import read_frames
from .copied_file import with_file
from .dicom import dicom_frames, is_dicom
from .encoder import encode
from .encoding import PLAIN, Encoding, check_fits, check_quality, check_writable_format, is_lossless
from .jpeg_writer import SUBSAMPLINGS, jpeg_coding, through_jpeg
from .npy import MAGIC as NPY_MAGIC
from .npy import read_npy
from .picture import JpegCoding, Levels, Picture, Source, as_coded, from_array, to_levels, to_unit
from .pillow_reader import PillowReader, decoding, is_animation, quiet_pillow
from .source_type import strongest
from .tiff_reader import read_tiff
from .video.clip import ClipPart
from .video.facts import facts
from .video.head import is_clip
from .video.reader import read_clip
from .white_level import stated_white, with_white
from .xmp import has_manifest_elsewhere, source_types

__all__ = [
    "MAX_PIXELS", "PLAIN", "SUBSAMPLINGS", "Encoding", "JpegCoding", "Levels", "Picture", "Source",
    "as_coded", "check_fits", "check_quality", "check_writable_format", "clip_facts", "encode_pages", "is_lossless",
    "jpeg_coding", "pour_pages", "read_pages", "read_picture", "through_jpeg", "to_levels", "to_unit", "write_pages",
    "write_picture",
]  # fmt: skip

MAX_PIXELS: Final = 500_000_000


# Reading -------------------------------------------------------------------------------------------------------------


def read_picture(
    path: Path, *, max_pixels: int = MAX_PIXELS, data: io.BytesIO | None = None, as_light: bool = False
) -> Picture:
    """Read an image file. Its content tells the format, not its name.

    Args:
        path: PNG, JPEG, WebP, TIFF, BMP, PBM/PGM/PPM, AVIF, GIF or .npy, no animation. With the extra [formats] also
            HEIC, JPEG XL, camera RAW, AVIF of more than 8 bits, and rare codings of TIFF; with [dicom] gray DICOM.
        max_pixels: refuse larger pictures before decoding. A small file can hold a picture that fills the memory.
        data: as for `read_pages`.
        as_light: as for `read_pages`.

    Raises:
        PictureError: the file is no picture, damaged, too large, animated, or has several pages; it is of a kind that
            would lose something (LAB, signed integers, ...); it changed while it was read; or the disk fails.
    """
    pages = read_pages(path, max_pixels=max_pixels, data=data, as_light=as_light)
    picture = next(pages)
    pages.close()
    if picture.source.frame is not None:
        raise PictureError(
            f"{shown(path)}: an animation of {picture.source.pages} frames; save one of them as a picture first"
        )
    if picture.source.pages > 1:
        raise PictureError(f"{shown(path)}: it has {picture.source.pages} pages; save one of them as a picture first")
    return picture


def read_pages(
    path: Path,
    *,
    max_pixels: int = MAX_PIXELS,
    data: io.BufferedReader | io.BytesIO | None = None,
    part: ClipPart | None = None,
    as_light: bool = False,
) -> Generator[Picture]:
    """Read the pages of a TIFF, the frames of an animation, DICOM or a clip, or another file's picture, one by one.

    Args:
        path: the file.
        max_pixels: refuse larger pages before decoding.
        data: content of the file, if it comes from elsewhere.
        part: what is read of a clip; None = clips are refused.
        as_light: camera RAW is not developed, but read as the light of its sensor, of which a DNG can be written.

    Raises:
        PictureError: as `read_picture`.
    """
    with _named(path), opened(path) if data is None else data as file:
        head = file.read(16)
        file.seek(0)
        if is_clip(head):
            yield from _clip_frames(file, path, max_pixels, part)
            return
        state, pages = _state(file), _pages(file, path, max_pixels, as_light=as_light)
        while (found := _next(pages)) is not None:
            picture, count = found
            if _state(file) != state:
                raise PictureError("the file changed while it was read; wait until it is written, and try again")
            source = with_file(_with_claims(picture.source, file), file)
            yield replace(picture, source=replace(source, pages=count))
            del found, picture, source  # before the next is decoded


def clip_facts(path: Path, *, max_pixels: int = MAX_PIXELS) -> dict[str, Any] | None:
    """Return what a clip says of itself (see `video.facts`); None = the file is none.

    Args:
        path: the file.
        max_pixels: refuse larger frames.

    Raises:
        PictureError: it is a clip that cannot be opened, or the file cannot be read.
    """
    with _named(path), opened(path) as file:
        head = file.read(16)
        return facts(file, path, max_pixels) if is_clip(head) else None


def _clip_frames(file: BinaryIO, path: Path, max_pixels: int, part: ClipPart | None) -> Iterator[Picture]:
    """Yield the frames of a clip.

    Raises:
        PictureError: clips are refused, or as `read_clip`.
    """
    if part is None:
        raise PictureError("a clip, which is not read here; denoise, super-resolve, restore and enhance take clips")
    yield from read_clip(file, path, part, max_pixels)


def _next(pages: Iterator[tuple[Picture, int]]) -> tuple[Picture, int] | None:
    """Decode the next page; None = there is none."""
    with quiet_pillow(), decoding():
        return next(pages, None)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Name the file in errors."""
    try:
        yield
    except PictureError as error:
        raise PictureError(f"{shown(path)}: {error}") from error
    except OSError as error:
        raise PictureError(f"{shown(path)}: {disk_trouble(error)}") from error


def _state(file: io.BufferedReader | io.BytesIO) -> tuple[int, int]:
    if isinstance(file, io.BytesIO):
        return 0, 0
    info = os.fstat(file.fileno())
    return info.st_size, info.st_mtime_ns


def _pages(stream: BinaryIO, path: Path, max_pixels: int, *, as_light: bool = False) -> Iterator[tuple[Picture, int]]:
    """Yield the pages or frames, and how many there are."""
    stream.seek(0)
    head = stream.read(16)
    if not head:
        raise PictureError("the file is empty (0 bytes); copy it from its source again")
    if head.startswith(NPY_MAGIC):
        yield with_white(from_array(read_npy(stream, max_pixels), Source(format="NPY"))), 1
    elif (kind := optional_formats.kind_of(stream, path)) == "RAW" and as_light:
        yield optional_formats.read_sensor(stream, max_pixels), 1
    elif kind:
        yield optional_formats.read(kind, stream, max_pixels), 1
    elif is_dicom(stream, path):
        yield from dicom_frames(stream, max_pixels)
    elif head.startswith(tiff.MAGICS):
        yield from _tiff_pages(stream, max_pixels)
    elif (picture := _still(stream, max_pixels)) is not None:
        yield picture, 1
    else:
        yield from read_frames(PillowReader(stream), max_pixels)


def _still(stream: BinaryIO, max_pixels: int) -> Picture | None:
    """Read a picture with Pillow; None = it is an animation."""
    reader = PillowReader(stream)
    image = reader.opened(max_pixels)
    return None if is_animation(image) else with_white(reader.picture_of(image))


def _tiff_pages(stream: BinaryIO, max_pixels: int) -> Iterator[tuple[Picture, int]]:
    number, count = 0, 1
    while number < count:
        picture, count = _tiff_page(stream, number, max_pixels)
        yield picture, count
        number += 1


def _tiff_page(stream: BinaryIO, number: int, max_pixels: int) -> tuple[Picture, int]:
    """Return a page and the number of pages, by Pillow if it can, else by tifffile."""
    every = [(tiff.is_page(ifd), stated_white(ifd)) for ifd in tiff.directories(stream)]
    frames = [frame for frame, (is_page, _) in enumerate(every) if is_page] or [0]
    frame = frames[number]
    try:
        picture = PillowReader(stream, frame).picture(max_pixels)
    except tiff.UnusualTiffError:
        picture = read_tiff(stream, frame, max_pixels)
    return with_white(picture, every[frame][1]), len(frames)


def _with_claims(source: Source, stream: BinaryIO) -> Source:
    """Add what the file claims of its origin, and that its content credentials are not carried over."""
    store = content_credentials.manifest(stream)
    left = source.left_behind
    if store:
        left += ("content credentials (C2PA), whose signature no longer applies",)
    elif has_manifest_elsewhere(source.xmp):
        left += ("a link to content credentials (C2PA), whose signature no longer applies",)
    names = [*source_types(source.xmp), *content_credentials.source_types(store)]
    return replace(source, left_behind=left, source_type=strongest(names))


# Writing -------------------------------------------------------------------------------------------------------------


def write_picture(picture: Picture, path: Path, *, encoding: Encoding = PLAIN, like: Path | None = None) -> None:
    """Write a picture, whole or not at all.

    Depth, grayness, alpha, profile, EXIF, XMP, IPTC, comments and resolution are kept, unless `encoding` says
    otherwise. If the pixels of a JPEG did not change, its coded picture is copied. Else it keeps its tables,
    subsampling and scans, unless they would undo too much of the change (see `jpeg_writer`). What was no JPEG has
    quality 95 and full chroma. A WebP is lossless unless it was read from a lossy one. An existing file is replaced. A
    symbolic link stays, and the file that it points to is replaced. A pipe or a device is written into.

    Args:
        picture: the result.
        path: where to; the suffix decides the format.
        encoding: format, quality, depth and metadata, if they are to differ.
        like: file that the picture was made from; the result gets its permissions, and its time stamps if asked for.

    Raises:
        UsageError: the suffix is unknown.
        PictureError: the format cannot hold the picture, pixels are not finite, or the disk fails. Nothing is left
            behind.
    """
    write_pages([picture], path, encoding=encoding, like=like)


def write_pages(
    pages: Iterable[Picture],
    path: Path,
    *,
    encoding: Encoding = PLAIN,
    like: Path | None = None,
    tell: Callable[[str], object] | None = None,
) -> None:
    """Write pages that are made one by one: any number to TIFF and DICOM, frames to an animation, one to others.

    Args:
        pages: the results; an exception in making one comes through, and nothing is left behind.
        path: as for `write_picture`.
        encoding: as for `write_picture`.
        like: as for `write_picture`.
        tell: takes a line of how the pixels were coded, where a user should know.

    Raises:
        UsageError: as `write_picture`.
        PictureError: as `write_picture`.
    """
    encoding.kind(path)
    making = _Making(pages, path, encoding)
    making.first()  # before there is a file, which a killed run would leave
    kind = check_writable_format(path, encoding, animated=making.is_animation)
    with (
        _told(path, kind, making),
        quiet_pillow(),
        replaced_whole(path, like=like, keep_times=encoding.keep_times) as stream,
    ):
        note = encode(stream, making, kind, encoding)
    if note and tell is not None:
        tell(note)


def encode_pages(
    pages: Iterable[Picture], name: Path, *, encoding: Encoding, tell: Callable[[str], object] | None = None
) -> bytes:
    """Return the bytes that `write_pages` writes, for a pipe.

    Args:
        pages: the results.
        name: what errors call the file. Its suffix decides the format, unless `encoding` does.
        encoding: format, quality, depth and metadata.
        tell: as for `write_pages`.

    Raises:
        UsageError: the suffix is unknown.
        PictureError: the format cannot hold the picture, or pixels are not finite.
    """
    stream = io.BytesIO()
    pour_pages(pages, stream, name, encoding=encoding, tell=tell)
    return stream.getvalue()


def pour_pages(
    pages: Iterable[Picture],
    stream: BinaryIO,
    name: Path,
    *,
    encoding: Encoding,
    tell: Callable[[str], object] | None = None,
) -> None:
    """Write pages into a stream as they are made.

    Args:
        pages: the results.
        stream: written from its position on. Of YUV4MPEG2, nothing is sought.
        name: as for `encode_pages`.
        encoding: as for `encode_pages`.
        tell: as for `write_pages`.

    Raises:
        UsageError: as `encode_pages`.
        PictureError: as `encode_pages`.
    """
    encoding.kind(name)
    making = _Making(pages, name, encoding)
    making.first()
    kind = check_writable_format(name, encoding, animated=making.is_animation)
    with _told(name, kind, making), quiet_pillow():
        note = encode(stream, making, kind, encoding)
    if note and tell is not None:
        tell(note)


@contextmanager
def _told(path: Path, kind: str, making: "_Making") -> Iterator[None]:
    """Turn what goes wrong in writing into one line that names the file."""
    try:
        yield
    except PictureError as error:
        if making.failed or str(error).startswith(shown(path)):
            raise
        raise PictureError(f"{shown(path)}: {error}") from error
    except OSError as error:
        if error.errno is None:  # the encoder's own words
            raise PictureError(f"{shown(path)}: cannot be written ({reason(error)}); try -o out.png") from error
        raise PictureError(f"{shown(path)}: cannot be written: {disk_trouble(error)}") from error
    except (ValueError, RuntimeError, ArithmeticError) as error:
        if making.failed:
            raise
        raise PictureError(f"{shown(path)}: cannot be written as {kind} ({reason(error)}); try -o out.png") from error


class _Making:
    """Pages on their way to the encoder. Each is checked. Errors of making one are told from the encoder's."""

    def __init__(self, pages: Iterable[Picture], path: Path, encoding: Encoding) -> None:
        self.pages, self.path, self.encoding = iter(pages), path, encoding
        self.made: list[Picture] = []
        self.failed = False

    def first(self) -> None:
        """Make the first page."""
        self.made = [self._make(next(self.pages))]

    @property
    def is_animation(self) -> bool:
        """Whether the page that was made is a frame of an animation."""
        return self.made[0].source.frame is not None

    def __iter__(self) -> Iterator[Picture]:
        while self.made:
            yield self.made.pop()
            self.failed = True
            self.made = [self._make(picture) for picture in itertools.islice(self.pages, 1)]
            self.failed = False

    def _make(self, picture: Picture) -> Picture:
        check_fits(picture, self.path, self.encoding)
        return picture
