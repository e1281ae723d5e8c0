"""Lossy WebP, AVIF and HEIC files whose pixels did not change: their coded pictures are copied, not coded again.

A WebP's chunks are copied, and the metadata around them are the result's. The metadata of AVIF and HEIC files cannot be
changed without moving the coded data, so these files are copied as they are.
"""

import io
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from . import content_credentials, optional_formats
from .containers import content, riff_chunks
from .encoding import Encoding
from .metadata import handed_on, turned
from .picture import Picture, Source, as_coded
from .pillow_reader import PillowReader
from .webp_writer import PIXELS, webp_file

KINDS: Final = ("WEBP", "AVIF", "HEIF")
_UNLIMITED: Final = 1 << 62
_TOLD: Final = ("icc", "exif", "xmp", "photoshop", "texts", "dpi")
"""What a file that is copied as it is must say of the result."""


def with_file(source: Source, file: BinaryIO) -> Source:
    """Keep the file of a picture that may be copied.

    Args:
        source: what the file says.
        file: the file.
    """
    if source.format not in KINDS or not source.lossy or source.frame is not None:
        return source
    if source.format != "WEBP" and content_credentials.manifest(file):  # which is not handed on
        return source
    file.seek(0)
    return replace(source, coded=file.read())


def may_copy_whole(source: Source, kind: str, encoding: Encoding) -> bool:
    """Return whether a file whose pixels do not change is copied as it is.

    Args:
        source: of the input.
        kind: the result's format, by Pillow's name.
        encoding: how it is to be coded.
    """
    plain = encoding.quality is None and encoding.depth == "keep" and encoding.metadata == "keep"
    return plain and kind in ("AVIF", "HEIF") and source.format == kind and source.coded != b""


def copied(picture: Picture, kind: str, encoding: Encoding) -> tuple[bytes, str] | None:
    """Return the content of a file whose pixels did not change, and a line for the user; None = they did.

    Args:
        picture: the result.
        kind: its format, by Pillow's name.
        encoding: how it is to be coded.
    """
    source = picture.source
    if may_copy_whole(source, kind, encoding):
        before = _decoded(source.coded)
        same = all(getattr(source, name) == getattr(before.source, name) for name in _TOLD)
        if same and _unchanged(picture, before):
            line = "nothing was changed, so the file was copied as it is; its recipe is in the journal, not in the file"
            return source.coded, line
    is_webp = kind == "WEBP" == source.format and encoding.quality is None and source.coded != b""
    if is_webp and _unchanged(picture, _decoded(source.coded)):
        return _webp(picture, encoding), "nothing was changed, so the coded picture was copied"
    return None


def _decoded(data: bytes) -> Picture:
    file = io.BytesIO(data)
    kind = optional_formats.kind_of(file, Path())
    return optional_formats.read(kind, file, _UNLIMITED) if kind else PillowReader(file).picture(_UNLIMITED)


def _unchanged(picture: Picture, before: Picture) -> bool:
    """Return whether a picture is what its file was decoded to."""
    if (picture.depth, picture.floating, picture.pixels.shape) != (before.depth, before.floating, before.pixels.shape):
        return False
    if (picture.alpha is None) != (before.alpha is None):
        return False
    same_alpha = picture.alpha is None or before.alpha is None or np.array_equal(picture.alpha, before.alpha)
    return same_alpha and bool(np.array_equal(picture.pixels, before.pixels))


def _webp(picture: Picture, encoding: Encoding) -> bytes:
    """Return a WebP with the coded picture of the input and the metadata of the result."""
    file = io.BytesIO(picture.source.coded)
    turn = PillowReader(file).turn()
    before = replace(picture, pixels=as_coded(picture.pixels, turn), alpha=None)
    source = turned(handed_on(before, encoding.metadata), turn)
    height, width = before.pixels.shape[:2]
    parts = [(part.name, content(file, part)) for part in riff_chunks(file) if part.name in PIXELS]
    return webp_file(source, (width, height), parts, has_alpha=picture.alpha is not None)
