"""Pictures encoded as the bytes of a file."""

import io
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile, PngImagePlugin

from ..system.arrays import row_blocks
from .animation_writer import Shown
from .apng_writer import write_apng
from .copied_file import copied
from .dicom_values import displayed
from .dicom_writer import write_dicom
from .encoding import Encoding, holds_16_bit, lossy_quality
from .gif_writer import write_gif
from .jpeg_data import with_metadata
from .jpeg_writer import jpeg_options, unchanged
from .metadata import handed_on, iptc_record, raw_profile, turned
from .npy import write_npy
from .optional_formats import write_heif, write_jxl
from .picture import Levels, Picture, Source, as_coded, levels_of, to_floats, with_depth
from .png16 import write_png16
from .tiff_writer import write_tiff
from .video.writer import write_clip
from .webp_writer import write_animated_webp

_LARGE = 1_000_000
"""PNGs of more pixels are deflated at level 4, or by runs alone, whichever suits them."""
_TRIED_BANDS, _TRIED_ROWS = 8, 16
_MOST_LARGER = 1.05
"""Runs alone take half of the time. Photographs get 3 % smaller to 4 % larger by it, and drawings much larger."""


def encode(stream: BinaryIO, pages: Iterable[Picture], kind: str, encoding: Encoding) -> str:
    """Write pages to a stream.

    Args:
        stream: written from its position on.
        pages: at least one, taken one by one. Only TIFF and DICOM take more than one that is no frame of an animation.
        kind: the format, by Pillow's name, or "NPY", "HEIF", "JXL", "DICOM".
        encoding: depth, quality and metadata.

    Returns:
        What a user should know of how the pixels were coded; "" = nothing.

    Raises:
        Exception: whatever the encoder or the stream raises.
    """
    if kind == "DICOM":
        write_dicom(stream, ((page, _said(page, encoding).xmp) for page in pages))
        return ""
    if kind == "DNG":
        from .raw.dng_writer import write_dng

        for page in pages:
            write_dng(stream, page, _said(page, encoding))
        return ""
    if kind == "TIFF":
        write_tiff(stream, (_tiff_page(_of_depth(page, kind, encoding), encoding) for page in pages))
        return ""
    pages = iter(pages)
    first = next(pages)
    pages = chain([first], pages)
    if first.source.clip is not None:
        return write_clip(
            stream, pages, kind, coding=encoding.clip, depth=encoding.depth, policy=encoding.metadata
        )  # fmt: skip
    if first.source.frame is not None:
        return _write_animation(stream, pages, kind, encoding)
    note = ""
    for page in pages:
        picture = _of_depth(page, kind, encoding)
        if kind == "JPEG":
            note = _write_jpeg(stream, picture, encoding)
            continue
        if (copy := copied(picture, kind, encoding)) is not None:
            stream.write(copy[0])
            return copy[1]
        _encode_one(stream, picture, kind, _said(picture, encoding), encoding)
    return note


def _of_depth(picture: Picture, kind: str, encoding: Encoding) -> Picture:
    """Return a picture as it is written. DICOM that becomes another format is written as it is displayed."""
    is_dicom = picture.source.dicom is not None
    picture = displayed(picture)
    if encoding.depth != "keep":
        return with_depth(picture, int(encoding.depth))
    return with_depth(picture, 8) if is_dicom and not holds_16_bit(kind) else picture


def _write_animation(stream: BinaryIO, pages: Iterable[Picture], kind: str, encoding: Encoding) -> str:
    """Write frames, and return what a user should know of it."""
    frames = _frames(pages, encoding, with_still=kind == "PNG")
    if kind == "GIF":
        return write_gif(stream, frames)
    if kind == "WEBP":
        write_animated_webp(stream, frames, lambda source: _coding_options(kind, source, encoding, gray=False))
        return ""
    first = next(frames)
    gray = first.levels.shape[2] < 3
    write_apng(stream, chain([first], frames), lambda source: _ancillary_chunks(source, encoding, gray=gray))
    return "" if first.source.format == "PNG" else "written as an animated PNG (APNG)"


def _frames(pages: Iterable[Picture], encoding: Encoding, *, with_still: bool) -> Iterator[Shown]:
    """Yield frames of 8 bits. The first tells what the file says beside its pixels."""
    said = None
    for page in pages:
        frame = page.source.frame
        if frame is not None and (with_still or not frame.is_still):
            said = said or _said(page, encoding)
            yield Shown(levels_of(with_depth(page, 8)).astype(np.uint8, copy=False), frame, said)


def _said(picture: Picture, encoding: Encoding) -> Source:
    """Return what the file is to say beside its pixels."""
    source = handed_on(picture, encoding.metadata)
    return replace(source, icc=_fitting_profile(source.icc, gray=picture.pixels.shape[2] == 1))


def _fitting_profile(icc: bytes, *, gray: bool) -> bytes:
    """Return the profile, or b"" if it is for other channels than the file has."""
    return icc if icc[16:20] == (b"GRAY" if gray else b"RGB ") else b""


def _tiff_page(picture: Picture, encoding: Encoding) -> tuple[NDArray[Any], Source]:
    return to_floats(picture) if picture.floating else levels_of(picture), _said(picture, encoding)


def _encode_one(stream: BinaryIO, picture: Picture, kind: str, source: Source, encoding: Encoding) -> None:
    if kind == "NPY":
        write_npy(stream, picture)
    elif kind == "HEIF":
        write_heif(stream, picture, source, lossy_quality(kind, picture.source, encoding))
    elif kind == "JXL":
        write_jxl(stream, picture, source, lossy_quality(kind, picture.source, encoding))
    else:
        levels = levels_of(picture)
        if levels.dtype == np.uint8:
            _write_with_pillow(stream, levels, kind, source, encoding)
        elif kind == "PNG":
            ancillary = _ancillary_chunks(source, encoding, gray=levels.shape[2] < 3)
            write_png16(stream, levels.astype(np.uint16, copy=False), ancillary)
        else:
            height, width, channels = levels.shape
            stream.write(b"P%d\n%d %d\n65535\n" % (6 if channels == 3 else 5, width, height))
            for rows in row_blocks(levels):
                stream.write(levels[rows].astype(">u2").tobytes())


def _ancillary_chunks(source: Source, encoding: Encoding, *, gray: bool) -> list[tuple[bytes, bytes]]:
    """Return a PNG's chunks between its header and its pixels, name and data."""
    chunks = PngImagePlugin.getchunks(Image.new("L", (1, 1)), **_options("PNG", source, encoding, gray=gray))
    return [chunk[:2] for chunk in chunks if chunk[0] not in (b"IHDR", b"IDAT", b"IEND")]


def _write_with_pillow(stream: BinaryIO, levels: Levels, kind: str, source: Source, encoding: Encoding) -> None:
    options = _options(kind, source, encoding, gray=levels.shape[2] < 3)
    if kind == "PNG" and levels.shape[0] * levels.shape[1] > _LARGE:
        options |= _quick_deflation(levels)
    _save(stream, levels, kind, options)


def _quick_deflation(levels: Levels) -> dict[str, int]:
    """Return how a large PNG is deflated, as some of its rows tell."""
    tops = np.linspace(0, max(len(levels) - _TRIED_ROWS, 0), _TRIED_BANDS).astype(int).tolist()
    some = np.concatenate([levels[top : top + _TRIED_ROWS] for top in tops])
    matches, runs = {"compress_level": 4}, {"compress_type": zlib.Z_RLE}
    sizes = []
    for options in (matches, runs):
        stream = io.BytesIO()
        _save(stream, some, "PNG", options)
        sizes.append(stream.tell())
    return runs if sizes[1] <= _MOST_LARGER * sizes[0] else matches


def _save(stream: BinaryIO, levels: Levels, kind: str, options: dict[str, Any]) -> None:
    plain = levels[..., 0] if levels.shape[2] == 1 else levels
    Image.fromarray(plain).save(cast("BinaryIO", _Writer(stream)), kind, **options)


def _write_jpeg(stream: BinaryIO, picture: Picture, encoding: Encoding) -> str:
    """Write a JPEG, and return what a user should know of it. Pixels that did not change are not coded again."""
    levels, gray = levels_of(picture), picture.pixels.shape[2] == 1
    data = picture.source.jpeg_data
    if encoding.quality is None and data is not None and unchanged(picture, levels):
        before = replace(picture, pixels=as_coded(picture.pixels, data.orientation))
        options = _options("JPEG", turned(_said(before, encoding), data.orientation), encoding, gray=gray)
        metadata = io.BytesIO()
        _save(metadata, levels[:1, :1], "JPEG", options)
        stream.write(with_metadata(data.coded, metadata.getvalue()))
        return "nothing was changed, so the coded picture was copied"
    coding, note = jpeg_options(picture, levels, encoding.quality)
    if coding.get("progressive"):
        # libjpeg needs room for the whole file then; Pillow's guess is too small for fine tables.
        ImageFile.MAXBLOCK = max(ImageFile.MAXBLOCK, min(8 * levels.size, 2**31 - 1))
    _save(stream, levels, "JPEG", _options("JPEG", _said(picture, encoding), encoding, gray=gray) | coding)
    return note


class _Writer:
    """A stream without a descriptor.

    Given a file, Pillow writes to its descriptor. It does not notice when a disk that is getting full takes only a
    part.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.write = stream.write
        self.flush = stream.flush


def _options(kind: str, source: Source, encoding: Encoding, *, gray: bool) -> dict[str, Any]:
    """Return what Pillow is told beside the pixels."""
    options: dict[str, Any] = {}
    if source.icc:
        options["icc_profile"] = source.icc
    if source.exif:
        options["exif"] = b"Exif\0\0" + source.exif
    if kind in ("PNG", "JPEG", "BMP") and (source.dpi or kind == "BMP"):
        options["dpi"] = source.dpi or (0, 0)  # without it, Pillow says 96 in a BMP
    if kind == "PNG":
        options["pnginfo"] = _png_chunks(source)
    elif source.xmp:
        options["xmp"] = source.xmp
    return options | _coding_options(kind, source, encoding, gray=gray)


def _coding_options(kind: str, source: Source, encoding: Encoding, *, gray: bool) -> dict[str, Any]:
    quality = lossy_quality(kind, source, encoding)
    if kind == "JPEG":
        options: dict[str, Any] = {"extra": _segments(source)}
        comment = dict(source.texts).get("Comment", dict(source.texts).get("Description"))
        return options if comment is None else {**options, "comment": comment.encode()}
    if kind == "WEBP":
        # exact: the colour under transparent pixels is kept
        return {"lossless": True, "exact": True} if quality is None else {"quality": quality}
    if kind == "AVIF":
        return {"quality": quality, "subsampling": "4:0:0" if gray else "4:4:4"}
    return {}


def _png_chunks(source: Source) -> PngImagePlugin.PngInfo:
    chunks = PngImagePlugin.PngInfo()
    for name, data in source.colour_chunks:
        if not source.icc or name != b"sRGB":  # a file may have but one of them
            chunks.add(name, data)
    if source.xmp:  # where Pillow ignores xmp= without a word
        chunks.add_itxt("XML:com.adobe.xmp", source.xmp.decode("utf-8", "replace"))
    for key, text in source.texts:
        chunks.add_itxt(key, text) if not text.isascii() else chunks.add_text(key, text)
    if record := iptc_record(source.photoshop):
        # exiftool, ImageMagick and exiv2 look for the record here, inside Photoshop's block or bare.
        chunks.add_text("Raw profile type iptc", raw_profile("iptc", record), zip=True)
    return chunks


def _segments(source: Source) -> bytes:
    """Return a JPEG's segments for Photoshop's resources, and those of unknown kinds."""
    block = source.photoshop
    photoshop = [(13, b"Photoshop 3.0\0" + block[at : at + 65000]) for at in range(0, len(block), 65000)]
    found = [*photoshop, *source.segments]
    return b"".join(b"\xff" + bytes([0xE0 + n]) + struct.pack(">H", len(data) + 2) + data for n, data in found)
