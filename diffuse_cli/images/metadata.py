"""What a file says beside its pixels: how it is read, and what of it is written to results."""

import itertools
import re
import struct
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, BinaryIO

from PIL import Image, ImageFile, PngImagePlugin
from PIL.JpegImagePlugin import JpegImageFile, get_sampling
from PIL.TiffImagePlugin import TiffImageFile

from ..errors import DEFECTS
from . import exif
from .choices import Policy
from .containers import content, gif_xmp, png_chunks, riff_chunks
from .picture import JpegCoding, Picture, Source
from .xmp import safe, turned_xmp, upright_xmp, with_provenance, without_dead_references

X_DPI, Y_DPI, DPI_UNIT, XMP, IPTC, PHOTOSHOP, ICC, C2PA = 282, 283, 296, 700, 33723, 34377, 34675, 52545
_LAYOUT_TAGS = frozenset(
    {*range(254, 260), *range(262, 267), 273, exif.ORIENTATION, *range(277, 285), *range(288, 294), DPI_UNIT, 301}
    | {*range(317, 326), 330, *range(332, 348), *range(512, 522), *range(529, 533), 559}
    | {XMP, IPTC, PHOTOSHOP, ICC, C2PA}
)
"""TIFF tags that tell how the pixels lie in that very file, or that have a field of their own in Source."""

IPTC_RESOURCE = 1028
_THUMBNAIL_RESOURCES = frozenset({1033, 1036})
_COLOUR_CHUNKS = frozenset({b"gAMA", b"cHRM", b"sRGB", b"cICP", b"mDCV", b"cLLI"})
_PLAIN_TEXTS = frozenset({"Title", "Author", "Description", "Copyright", "Creation Time", "Disclaimer", "Comment"})
_NO_TEXT = frozenset({"XML:com.adobe.xmp", "dpi", "gamma", "transparency", "icc_profile", "exif"})


# Found ---------------------------------------------------------------------------------------------------------------


def source_of(image: ImageFile.ImageFile, file: BinaryIO) -> Source:
    """Return what a file says, with orientation 1, since it is applied.

    Args:
        image: opened and decoded by Pillow.
        file: the same file.
    """
    info = image.info
    name = "JPEG" if image.format == "MPO" else image.format or ""
    icc, xmp = info.get("icc_profile"), info.get("xmp", info.get("XML:com.adobe.xmp"))
    xmp = xmp.encode() if isinstance(xmp, str) else gif_xmp(file) if name == "GIF" else xmp
    return Source(
        format=name,
        lossy=name in ("JPEG", "AVIF") or (name == "WEBP" and _is_lossy_webp(file)),
        icc=icc if isinstance(icc, bytes) else b"",
        exif=_exif(image),
        xmp=upright_xmp(xmp) if isinstance(xmp, bytes) else b"",
        photoshop=_photoshop(image),
        texts=_texts(image),
        colour_chunks=_colour_chunks(file) if name == "PNG" else (),
        # Pillow gives a TIFF that says nothing of it a resolution of 1.
        dpi=None if isinstance(image, TiffImageFile) and X_DPI not in image.tag_v2 else plausible_dpi(info.get("dpi")),
        jpeg=_jpeg_coding(image) if isinstance(image, JpegImageFile) else None,
        segments=_segments(image),
        left_behind=_left_behind(image),
    )


def orientation(image: ImageFile.ImageFile) -> int:
    """Return how a decoded picture is to be turned, as EXIF numbers it; 1 = not at all.

    Args:
        image: decoded. Pillow turns a TIFF itself.
    """
    try:
        return int(image.getexif().get(exif.ORIENTATION, 1))
    except DEFECTS:
        raise
    except Exception:  # broken EXIF says nothing
        return 1


def plausible_dpi(value: object) -> tuple[float, float] | None:
    """Return the resolution, or None if it is nonsense. 65,535 is the most that a JPEG can say.

    Args:
        value: what the file says.
    """
    try:
        x, y = (float(v) for v in value)  # type: ignore[attr-defined]
        return (x, y) if 0 < x <= 65535 and 0 < y <= 65535 else None
    except (TypeError, ValueError, ZeroDivisionError):
        return None


def _jpeg_coding(image: JpegImageFile) -> JpegCoding:
    """Return how the JPEG was coded. Pillow gives the last table to all channels that are left over."""
    tables = [tuple(image.quantization[layer[3]]) for layer in image.layer]
    while len(tables) > 1 and tables[-1] == tables[-2]:
        tables.pop()
    return JpegCoding(
        tables=tuple(tables),
        subsampling=get_sampling(image),
        progressive=bool(image.info.get("progressive")),
        orientation=orientation(image),
    )


def jpeg_coding_of(image: JpegImageFile) -> JpegCoding:
    """Return how a JPEG was coded.

    Args:
        image: opened.
    """
    return _jpeg_coding(image)


def _is_lossy_webp(file: BinaryIO) -> bool:
    """Return whether the pixels, or the first frame's, are coded as VP8 and not as VP8L. Pillow does not tell."""
    for part in riff_chunks(file):
        if part.name in (b"VP8 ", b"VP8L", b"ANMF"):
            return b"VP8L" not in (part.name, content(file, part)[16:20])
    return True


def _colour_chunks(file: BinaryIO) -> tuple[tuple[bytes, bytes], ...]:
    """Return name and data of the chunks before the pixels that say what the numbers mean without a profile."""
    header = itertools.takewhile(lambda part: part.name != b"IDAT", png_chunks(file))
    return tuple((part.name, content(file, part)) for part in header if part.name in _COLOUR_CHUNKS and part.size <= 64)


def _exif(image: ImageFile.ImageFile) -> bytes:
    """Return the EXIF block with orientation 1; b"" if there is none or it is broken."""
    try:
        if isinstance(image, TiffImageFile):
            rebuilt = Image.Exif()
            rebuilt.update(exif_tags(image.getexif()))
            return rebuilt.tobytes()[6:] if rebuilt else b""
        raw = image.info.get("exif", b"")
        if not raw and "Raw profile type exif" in image.info:
            raw = _raw_profile(image.info["Raw profile type exif"])
        return whole_exif(raw)
    except DEFECTS:
        raise
    except Exception:  # the parser meets broken blocks with many types
        return b""


def whole_exif(raw: bytes) -> bytes:
    """Return an EXIF block without lead-in and with orientation 1; b"" if it is broken.

    Args:
        raw: as a file holds it.
    """
    try:
        raw = re.sub(rb"\A(?:Exif\0\0)+", b"", raw)
        return exif.upright(raw) if raw and _is_written_again(raw) else b""
    except DEFECTS:
        raise
    except Exception:  # the parser meets broken blocks with many types
        return b""


def _is_written_again(raw: bytes) -> bool:
    """Return whether Pillow reads an EXIF block, and writes what it has read."""
    try:
        parsed = Image.Exif()
        parsed.load(raw)
        parsed.tobytes()
    except MemoryError:
        raise
    except Exception:  # an AttributeError, too, where a text is a fraction
        return False
    return True


def exif_tags(block: Image.Exif) -> dict[int, Any]:
    """Return the tags that describe the picture and not its file, sub-directories as dictionaries.

    Args:
        block: read by Pillow.
    """
    tags = {tag: value for tag, value in block.items() if tag not in _LAYOUT_TAGS}
    for tag in (exif.EXIF_IFD, exif.GPS_IFD):
        if tag in tags:
            tags[tag] = dict(block.get_ifd(tag))
    if exif.INTEROP_IFD in tags.get(exif.EXIF_IFD, {}):
        tags[exif.EXIF_IFD][exif.INTEROP_IFD] = dict(block.get_ifd(exif.INTEROP_IFD))
    return {tag: value for tag, value in tags.items() if value != {}}


def _raw_profile(text: str) -> bytes:
    """Decode ImageMagick's text form of binary data in a PNG: lines with name, length and hexadecimal digits."""
    return bytes.fromhex("".join(text.split("\n")[3:]))


def raw_profile(name: str, data: bytes) -> str:
    """Encode binary data as text, as ImageMagick does; the inverse of `_raw_profile`.

    Args:
        name: of the profile.
        data: its bytes.
    """
    digits = data.hex()
    lines = [digits[at : at + 72] for at in range(0, len(digits), 72)]
    return "\n".join(["", name, f"{len(data):8d}", *lines, ""])


def _photoshop(image: ImageFile.ImageFile) -> bytes:
    """Return Photoshop's resources without thumbnails, which would show the picture as it was."""
    info = image.info
    try:
        if isinstance(image, TiffImageFile):
            block, record = raw_bytes(image.tag_v2, PHOTOSHOP), raw_bytes(image.tag_v2, IPTC)
        elif isinstance(image, JpegImageFile):
            parts = [data[14:] for name, data in image.applist if name == "APP13" and data[:14] == b"Photoshop 3.0\0"]
            block, record = b"".join(parts), b""
        elif "Raw profile type iptc" in info or "Raw profile type 8bim" in info:
            raw = info.get("Raw profile type 8bim") or info["Raw profile type iptc"]
            block, record = _raw_profile(raw), b""
            if not block.startswith(b"8BIM"):
                block, record = b"", block
        else:
            return b""
        return photoshop_of(block, record)
    except DEFECTS:
        raise
    except Exception:  # a broken block says nothing
        return b""


def photoshop_of(block: bytes, record: bytes) -> bytes:
    """Return Photoshop's resources without thumbnails, and an IPTC record among them.

    Args:
        block: the resources.
        record: an IPTC record from elsewhere in the file; b"" = none.
    """
    kept = [r for r in resources(block) if r[0] not in _THUMBNAIL_RESOURCES]
    if record and not any(number == IPTC_RESOURCE for number, _, _ in kept):
        kept.append((IPTC_RESOURCE, b"", record))
    return resource_block(kept)


def raw_bytes(ifd: Any, tag: int) -> bytes:  # noqa: ANN401 - Pillow's directory, which knows no types of values
    """Return the bytes of a tag. Pillow takes IPTC for a number, since old writers store it as an array of numbers.

    Args:
        ifd: a directory read by Pillow.
        tag: number of the tag.
    """
    data = getattr(ifd, "_tagdata", {}).get(tag, b"")
    return data if isinstance(data, bytes) else b""


Resource = tuple[int, bytes, bytes]
"""Number, name and data of a Photoshop image resource."""


def resources(block: bytes) -> Iterator[Resource]:
    """Yield the resources of a block (Adobe Photoshop File Formats Specification, "Image Resource Blocks").

    Args:
        block: without lead-in.
    """
    at = 0
    while block[at : at + 4] == b"8BIM" and at + 12 <= len(block):
        number, length = struct.unpack_from(">HB", block, at + 4)
        name = block[at + 7 : at + 7 + length]
        at += 7 + length + (length + 1) % 2
        (size,) = struct.unpack_from(">I", block, at)
        yield number, name, block[at + 4 : at + 4 + size]
        at += 4 + size + size % 2


def resource_block(found: Iterable[Resource]) -> bytes:
    """Return resources as a block; the inverse of `resources`.

    Args:
        found: the resources.
    """
    out = b""
    for number, name, data in found:
        padded_name = bytes([len(name)]) + name + b"\0" * ((len(name) + 1) % 2)
        out += b"8BIM" + struct.pack(">H", number) + padded_name
        out += struct.pack(">I", len(data)) + data + b"\0" * (len(data) % 2)
    return out


def iptc_record(block: bytes) -> bytes:
    """Return the IPTC record among Photoshop's resources; b"" = none.

    Args:
        block: the resources.
    """
    return next((data for number, _, data in resources(block) if number == IPTC_RESOURCE), b"")


def _texts(image: ImageFile.ImageFile) -> tuple[tuple[str, str], ...]:
    """Return the text chunks of a PNG, or the comment of a JPEG or GIF."""
    if isinstance(image, PngImagePlugin.PngImageFile):
        texts = {k: v for k, v in image.text.items() if isinstance(v, str)}
        return tuple((k, v) for k, v in texts.items() if k not in _NO_TEXT and not k.startswith("Raw profile type"))
    comment = image.info.get("comment")
    if isinstance(comment, bytes):
        comment = comment.decode("utf-8", "replace")
    return (("Comment", comment),) if isinstance(comment, str) and comment.strip("\0 ") else ()


_GAIN_MAP = re.compile(rb"hdrgm:Version|HDRGainMap:|http://ns\.google\.com/photos/1\.0/container/")


def _left_behind(image: ImageFile.ImageFile) -> tuple[str, ...]:
    """Return parts of a JPEG that are not written to results, since they show the input."""
    if not isinstance(image, JpegImageFile):
        return ()
    parts, xmp = [], image.info.get("xmp", b"")
    gain_map = isinstance(xmp, bytes) and bool(_GAIN_MAP.search(xmp))
    frames = getattr(image, "n_frames", 1) - 1
    if gain_map or any(data.startswith(b"urn:iso:std:iso:ts:21496:-1\0") for _, data in image.applist):
        parts.append("an HDR gain map")
        frames -= 1
    if frames > 0:
        parts.append(f"{frames} more picture{'s' if frames > 1 else ''} (MPF previews)")
    if any(data.startswith(b"http://ns.adobe.com/xmp/extension/\0") for _, data in image.applist):
        parts.append("extended XMP (a depth map, or the like)")
    return tuple(parts)


def _segments(image: ImageFile.ImageFile) -> tuple[tuple[int, bytes], ...]:
    """Return the APPn segments of a JPEG that are of unknown kinds: thermal data, records of makers, ..."""
    if not isinstance(image, JpegImageFile):
        return ()
    unknown = ((n, data) for n, data in image.applist if n.startswith("APP") and not data.startswith(_KNOWN_SEGMENTS))
    return tuple((int(name[3:]), data) for name, data in unknown)


_KNOWN_SEGMENTS = (
    b"JFIF\0", b"JFXX\0", b"Exif\0", b"http://ns.adobe.com/", b"ICC_PROFILE\0", b"MPF\0", b"Photoshop 3.0\0", b"Adobe",
    b"urn:iso:std:iso:ts:21496:-1\0", b"JP",
)  # fmt: skip


# Handed on -----------------------------------------------------------------------------------------------------------


def handed_on(picture: Picture, policy: Policy) -> Source:
    """Return what a result's file is to say.

    Facts that changed with the picture are corrected. How the result was made is always said.

    Args:
        picture: the result, with the input's `source`.
        policy: "keep" = all; "safe" = no place, serial numbers, owner, maker notes and thumbnails; "strip" = only what
            is needed to show the picture rightly: profile, colour chunks and resolution.
    """
    source = picture.source
    if policy == "strip":
        xmp = with_provenance(b"", source.provenance)
        return replace(source, exif=b"", xmp=xmp, photoshop=b"", texts=(), segments=())
    if policy == "safe":
        source = replace(
            source,
            exif=exif.without_private_tags(source.exif),
            xmp=safe(source.xmp),
            photoshop=resource_block(r for r in resources(source.photoshop) if r[0] in _SAFE_RESOURCES),
            texts=tuple((k, v) for k, v in source.texts if k in _PLAIN_TEXTS),
            segments=(),
        )
    height, width = picture.pixels.shape[:2]
    thumbnail = _thumbnail(picture) if exif.has_thumbnail(source.exif) else None
    return replace(
        source,
        exif=exif.of_result(source.exif, (width, height), thumbnail),
        xmp=with_provenance(without_dead_references(source.xmp), source.provenance),
    )


def turned(source: Source, orientation: int) -> Source:
    """Return what a file says whose pixels are turned for display.

    Args:
        source: of a picture with orientation 1.
        orientation: as EXIF numbers it.
    """
    if orientation == 1:
        return source
    return replace(source, exif=exif.turned(source.exif, orientation), xmp=turned_xmp(source.xmp, orientation))


_SAFE_RESOURCES = frozenset({IPTC_RESOURCE, 1034, 1035, 1061, *range(1999, 2999)})
"""IPTC, copyright flag and URL, IPTC digest, clipping paths."""


def _thumbnail(picture: Picture) -> Image.Image:
    """Return the picture within 160x160, the size that EXIF recommends."""
    from .picture import to_levels

    step = max(min(picture.pixels.shape[:2]) // 480, 1)  # enough for a good average, and never the whole picture
    levels = to_levels(picture.pixels[::step, ::step], 8)
    image = Image.fromarray(levels[..., 0] if levels.shape[2] == 1 else levels).convert("RGB")
    image.thumbnail((160, 160))
    return image
