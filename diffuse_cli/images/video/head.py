"""What clips are told by: their first bytes."""

from typing import Final

_PICTURE_BRANDS: Final = (
    b"avif",
    b"avis",
    b"mif1",
    b"msf1",
    b"heic",
    b"heix",
    b"heim",
    b"heis",
    b"MiHE",
    b"MiHB",
    b"crx ",
)
_QUICKTIME: Final = (b"moov", b"mdat", b"wide", b"free", b"skip")


def is_clip(head: bytes) -> bool:
    """Return whether a file that begins like this is a clip: MP4, QuickTime, Matroska, WebM, AVI or YUV4MPEG2.

    Args:
        head: at least 12 bytes.
    """
    if head[4:8] == b"ftyp":
        return head[8:12] not in _PICTURE_BRANDS
    if head.startswith(b"RIFF"):
        return head[8:12] == b"AVI "
    return head[4:8] in _QUICKTIME or head.startswith((b"\x1a\x45\xdf\xa3", b"YUV4MPEG2 "))
