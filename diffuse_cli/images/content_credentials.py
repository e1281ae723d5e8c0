"""The C2PA manifest of a file, and the digital source types that it names.

C2PA Technical Specification 2.1, appendix A, tells where manifests are stored. Signatures are not checked: a result is
another picture, so its input's signature never applies to it.
"""

import re
from contextlib import suppress
from typing import BinaryIO, Final

from .containers import boxes, content, jpeg_segments, png_chunks, riff_chunks
from .pillow_reader import quiet_pillow
from .tiff import directories

_STORE: Final = bytes.fromhex("6332706100110010800000AA00389B71")
"""UUID of the description box of a manifest store."""
_UUID: Final = bytes.fromhex("D8FEC3D61B0E483C92975828877EC481")
_TIFF_TAG: Final = 52545
_MOST_BYTES: Final = 1 << 26
_TYPES: Final = re.compile(rb"cv\.iptc\.org/newscodes/digitalsourcetype/([A-Za-z]{3,60})")


def manifest(file: BinaryIO) -> bytes:
    """Return the C2PA manifest store of a file; b"" if there is none.

    Args:
        file: of any format. No more than 64 MiB of the store are read.
    """
    file.seek(0)
    head = file.read(12)
    if head.startswith(b"\xff\xd8"):
        return _in_jpeg(file)
    if head.startswith(b"\x89PNG"):
        return next((content(file, part) for part in png_chunks(file) if part.name == b"caBX"), b"")
    if head.startswith(b"RIFF") and head[8:12] == b"WEBP":
        return next((content(file, part) for part in riff_chunks(file) if part.name == b"C2PA"), b"")
    if head.startswith((b"II", b"MM")):
        return _in_tiff(file)
    return _in_boxes(file) if head[4:8] in (b"ftyp", b"JXL ") else b""


def source_types(store: bytes) -> list[str]:
    """Return the digital source types that a manifest names, those of its ingredients included.

    Args:
        store: what `manifest` returned.
    """
    return [name.decode() for name in _TYPES.findall(store)]


def _in_jpeg(file: BinaryIO) -> bytes:
    """Read APP11 segments: JP, numbers of box and packet, and a JUMBF box whose description has the UUID."""
    found = [content(file, part) for part in jpeg_segments(file) if part.name == b"\xeb" and part.size > 8]
    found = [data for data in found if data.startswith(b"JP")]
    return b"".join(found)[:_MOST_BYTES] if any(_STORE in data[:64] for data in found) else b""


def _in_tiff(file: BinaryIO) -> bytes:
    """Read a tag of any page's directory."""
    with quiet_pillow(), suppress(Exception):  # Pillow meets damaged directories with many types
        for ifd in directories(file):
            if isinstance(found := ifd.get(_TIFF_TAG), bytes):
                return found
    return b""


def _in_boxes(file: BinaryIO) -> bytes:
    """Read a uuid box of AVIF and HEIC, or a jumb box of JPEG XL."""
    for part in boxes(file):
        data = content(file, part) if part.name in (b"uuid", b"jumb") else b""
        if data.startswith(_UUID) or _STORE in data[:64]:
            return data
    return b""
