"""Formats of extras: HEIC, JPEG XL, AVIF of more than 8 bits and camera RAW of [formats], and DICOM of [dicom]."""

import importlib
import io
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from PIL import Image

from ..errors import PictureError, UsageError
from ..system.files import shown
from .containers import boxes, content
from .metadata import orientation, source_of, whole_exif
from .picture import Picture, Source, check_size, divided_by_alpha, from_array, levels_of, upright
from .pillow_reader import is_deep_avif
from .raw.metadata import camera_of, in_plain_words, raw_exif
from .tiff import MAGICS
from .xmp import upright_xmp

INSTALL: Final = "pip install 'diffuse-cli[formats]'"
INSTALL_DICOM: Final = "pip install 'diffuse-cli[dicom]'"
_RAW_NAMES = "3fr arw cr2 cr3 crw dcr dng erf fff iiq kdc mef mos mrw nef nrw orf pef raf raw rw2 rwl sr2 srf srw x3f"
RAW_SUFFIXES: Final = frozenset(f".{name}" for name in _RAW_NAMES.split())
"""Of camera RAW files. Of these, DNG alone is written."""
_HEIF_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"MiHE", b"MiHB")
_AVIF_BRANDS = (b"avif", b"avis")
_RAW_MAGICS = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM")
_CIFF = b"HEAPCCDR"
_JXL = (b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n")
_DEVELOPERS = "darktable, RawTherapee or your camera's own program"
_MODULES = {"HEIF": "pillow_heif", "JXL": "imagecodecs", "AVIF": "imagecodecs", "RAW": "rawpy", "DICOM": "pydicom"}
_NAMES = {
    "HEIF": "HEIC", "JXL": "JPEG XL", "AVIF": "10- or 12-bit AVIF", "RAW": "camera RAW", "DICOM": "DICOM",
}  # fmt: skip


def library(kind: str) -> Any:  # noqa: ANN401 - a library that may not be there
    """Return the library that knows a format.

    Args:
        kind: as `kind_of` returns it, or "DICOM".

    Raises:
        PictureError: it is not installed.
    """
    try:
        return importlib.import_module(_MODULES[kind])
    except ImportError:
        other = f", or develop it with {_DEVELOPERS}" if kind == "RAW" else ""
        extra, install = ("dicom", INSTALL_DICOM) if kind == "DICOM" else ("formats", INSTALL)
        raise PictureError(f"{_NAMES[kind]} needs the extra [{extra}]: {install}{other}") from None


def check_installed(kind: str, path: Path) -> None:
    """Refuse a format that cannot be written here, before the work is done.

    Args:
        kind: "HEIF", "JXL" or "DICOM".
        path: name of the result, for the error.

    Raises:
        UsageError: the format's library is not installed.
    """
    try:
        library(kind)
    except PictureError as error:
        raise UsageError(f"{shown(path)}: {error}") from None


def kind_of(file: BinaryIO, path: Path) -> str:
    """Return which of these formats a file has: "HEIF", "JXL", "AVIF", "RAW"; "" = none.

    Args:
        file: its content decides; AVIF of 8 bits is none of these formats.
        path: its suffix tells RAW files that are TIFFs by their content.
    """
    file.seek(0)
    head = file.read(64)
    brand = head[8:12] if head[4:8] == b"ftyp" else b""
    if head.startswith(_JXL):
        return "JXL"
    if brand in _AVIF_BRANDS or (brand in (b"mif1", b"msf1") and b"avif" in head):
        return "AVIF" if is_deep_avif(file) else ""
    if brand in _HEIF_BRANDS:
        return "HEIF"
    return "RAW" if _is_raw(head, brand, file, path) else ""


def _is_raw(head: bytes, brand: bytes, file: BinaryIO, path: Path) -> bool:
    """Return whether the file is camera RAW. Most of these are TIFFs whose first page is a preview."""
    if brand == b"crx " or head.startswith(_RAW_MAGICS) or head[6:14] == _CIFF:
        return True
    if not head.startswith(MAGICS):
        return False
    if head[8:10] == b"CR" or path.suffix.lower() in RAW_SUFFIXES:
        return True
    with suppress(Exception):  # the reader will say what is wrong with it
        block = Image.Exif()
        file.seek(0)
        block.load_from_fp(file)
        return 50706 in block  # DNGVersion
    return False


def read(kind: str, file: BinaryIO, max_pixels: int) -> Picture:
    """Decode a file of one of these formats.

    Args:
        kind: what `kind_of` returned.
        file: the file.
        max_pixels: refuse larger pictures before decoding.

    Raises:
        PictureError: the library is not installed, the picture is an animation, or it has more than `max_pixels`.
        Exception: whatever the library raises.
    """
    module = library(kind)
    file.seek(0)
    return {"HEIF": _read_heif, "JXL": _read_jxl, "AVIF": _read_avif, "RAW": _read_raw}[kind](module, file, max_pixels)


# HEIC ----------------------------------------------------------------------------------------------------------------


def _read_heif(pillow_heif: Any, file: BinaryIO, max_pixels: int) -> Picture:  # noqa: ANN401
    container = pillow_heif.open_heif(file, convert_hdr_to_8bit=False)
    image = container[container.primary_index]
    width, height = image.size
    check_size(width, height, max_pixels)
    if len(container) > 1 and container.mimetype.endswith("-sequence"):
        raise PictureError("an animation; save its frames as single pictures")
    info = image.info
    levels = np.asarray(image)
    levels = levels[..., None] if levels.ndim == 2 else levels
    if image.premultiplied_alpha:
        levels = divided_by_alpha(levels)
    left = [] if len(container) == 1 else [f"{len(container) - 1} more pictures"]
    gain_map = any("hdrgainmap" in str(name).lower() for name in info.get("aux", {}))
    left += ["an HDR gain map"] if gain_map else []
    left += ["a depth map"] if info.get("depth_images") else []
    source = Source(
        format="HEIF",
        lossy=True,
        icc=info.get("icc_profile") or b"",
        exif=whole_exif(info.get("exif") or b""),
        xmp=upright_xmp(info.get("xmp") or b""),
        bits=info.get("bit_depth", 8) if levels.dtype == np.uint16 else 0,
        left_behind=tuple(left),
    )
    return from_array(levels, source)


def write_heif(stream: BinaryIO, picture: Picture, source: Source, quality: int | None) -> None:
    """Write HEVC in HEIF, with full chroma. 16 bits come from a 10- or 12-bit file and are written as 12.

    Args:
        stream: written from its position on.
        picture: of 8 or 16 bits.
        source: what the file is to say.
        quality: 1..100.
    """
    pillow_heif = library("HEIF")
    levels = levels_of(picture)
    mode = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[levels.shape[2]] + (";16" if picture.depth == 16 else "")
    before = pillow_heif.options.SAVE_HDR_TO_12_BIT
    pillow_heif.options.SAVE_HDR_TO_12_BIT = picture.depth == 16
    try:
        image = pillow_heif.from_bytes(mode, (levels.shape[1], levels.shape[0]), levels.tobytes())
        if source.icc:
            image.info["icc_profile"], image.info["icc_profile_type"] = source.icc, "prof"
        data = io.BytesIO()
        image.save(data, quality=quality, chroma=444, exif=source.exif or None, xmp=source.xmp or None)
        stream.write(data.getvalue())
    finally:
        pillow_heif.options.SAVE_HDR_TO_12_BIT = before


# AVIF of more than 8 bits --------------------------------------------------------------------------------------------


def _read_avif(imagecodecs: Any, file: BinaryIO, max_pixels: int) -> Picture:  # noqa: ANN401
    data = file.read()
    image = Image.open(io.BytesIO(data), formats=["AVIF"])
    check_size(*image.size, max_pixels)
    if getattr(image, "is_animated", False):
        raise PictureError("an animation; save its frames as single pictures")
    levels = imagecodecs.avif_decode(data, numthreads=1)
    levels = levels[..., None] if levels.ndim == 2 else levels
    match = int(levels.max()).bit_length()
    bits = 12 if match > 10 or _av1_is_12_bit(data) else 10
    deep = np.rint(levels * (65535 / (2**bits - 1))).astype(np.uint16)
    assert isinstance(image, Image.Image)
    source = source_of(image, file)
    return from_array(upright(deep, orientation(image)), source)


def _av1_is_12_bit(data: bytes) -> bool:
    at = data.find(b"av1C")
    return at >= 0 and bool(data[at + 6] & 0x20)


# JPEG XL -------------------------------------------------------------------------------------------------------------


def _read_jxl(imagecodecs: Any, file: BinaryIO, max_pixels: int) -> Picture:  # noqa: ANN401
    data = file.read()
    width, height = _jxl_size(data)
    check_size(width, height, max_pixels)
    array = imagecodecs.jpegxl_decode(data, numthreads=1)
    if array.ndim == 4 or (array.ndim == 3 and array.shape[2] > 4):
        raise PictureError("an animation; save its frames as single pictures")
    array = array[..., None] if array.ndim == 2 else array
    boxes = _boxes(data)
    block = boxes.get(b"Exif", b"")
    at = 4 + int.from_bytes(block[:4], "big")  # an offset to the block comes first (ISO/IEC 23008-12, annex A)
    return from_array(
        array,
        Source(
            format="JXL",
            lossy=False,
            icc=_jxl_profile(data),
            exif=whole_exif(block[at:]),
            xmp=upright_xmp(boxes.get(b"xml ", b"")),
        ),
    )


def _jxl_profile(data: bytes) -> bytes:
    """Return the colour profile, or b"" for sRGB, which a JPEG XL without a profile means."""
    decoder = importlib.import_module("pillow_jxl").Decoder(num_threads=1)
    icc = decoder(data)[3] or b""
    described = b"RGB_D65_SRG_" in icc or "RGB_D65_SRG".encode("utf-16-be") in icc
    described |= b"Gra_D65_" in icc or "Gra_D65".encode("utf-16-be") in icc
    return b"" if described else bytes(icc)


def write_jxl(stream: BinaryIO, picture: Picture, source: Source, quality: int | None) -> None:
    """Write JPEG XL in its container, with EXIF and XMP.

    Args:
        stream: written from its position on.
        picture: of 8 or 16 bits.
        source: what the file is to say.
        quality: 1..99; None = lossless.
    """
    imagecodecs = library("JXL")
    levels = levels_of(picture)
    levels = levels[..., 0] if levels.shape[2] == 1 else levels
    if quality is None:
        data = imagecodecs.jpegxl_encode(levels, lossless=True, usecontainer=True, numthreads=1)
    else:
        distance = 0.1 + (100 - quality) * 0.09  # as libjxl's encoders understand quality from 30 on
        data = imagecodecs.jpegxl_encode(levels, distance=distance, usecontainer=True, numthreads=1)
    stream.write(data)
    if source.exif:
        stream.write(_box(b"Exif", bytes(4) + source.exif))
    if source.xmp:
        stream.write(_box(b"xml ", source.xmp))


def _box(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", 8 + len(data)) + name + data


def _boxes(data: bytes) -> dict[bytes, bytes]:
    """Return the boxes of a container (ISO/IEC 18181-2), the first of each name."""
    if data.startswith(_JXL[0]):
        return {}
    file, found = io.BytesIO(data), dict[bytes, bytes]()
    for part in boxes(file):
        if part.name not in found:
            found[part.name] = content(file, part)
    return found


class _Bits:
    """The bits of a JPEG XL codestream, from the lowest of each byte on."""

    def __init__(self, data: bytes) -> None:
        """Begin after the signature.

        Args:
            data: the codestream.
        """
        self.value, self.at = int.from_bytes(data[:32], "little"), 16  # after the signature

    def take(self, count: int) -> int:
        """Return the next number of so many bits."""
        taken = (self.value >> self.at) & ((1 << count) - 1)
        self.at += count
        return taken


def _jxl_size(data: bytes) -> tuple[int, int]:
    """Return (width, height) before anything is decoded (ISO/IEC 18181-1, annex D.2, SizeHeader)."""
    boxes = _boxes(data)
    stream = data if data.startswith(_JXL[0]) else boxes.get(b"jxlc", boxes.get(b"jxlp", bytes(4))[4:])
    if not stream.startswith(_JXL[0]):
        raise ValueError("no codestream")
    bits = _Bits(stream)

    def side(small: int) -> int:
        return 8 * (bits.take(5) + 1) if small else bits.take((9, 13, 18, 30)[bits.take(2)]) + 1

    small = bits.take(1)
    height = side(small)
    ratio = bits.take(3)
    if ratio:
        up, down = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))[ratio - 1]
        return height * up // down, height
    return side(small), height


# Camera RAW ----------------------------------------------------------------------------------------------------------


def _read_raw(rawpy: Any, file: BinaryIO, max_pixels: int) -> Picture:  # noqa: ANN401
    """Develop with the camera's white balance into 16-bit sRGB, not brightened."""
    data = file.read()
    with in_plain_words(rawpy), rawpy.imread(io.BytesIO(data)) as raw:
        check_size(raw.sizes.width, raw.sizes.height, max_pixels)
        levels = raw.postprocess(use_camera_wb=True, output_bps=16, no_auto_bright=True)
    return from_array(levels, Source(format="RAW", exif=raw_exif(data, rawpy)))


def read_sensor(file: BinaryIO, max_pixels: int) -> Picture:
    """Read the light of camera RAW, of which a DNG can be written.

    Args:
        file: the file.
        max_pixels: refuse larger pictures before decoding.

    Raises:
        PictureError: as `read`, or it has no sensor of red, green and blue.
        Exception: whatever the library raises.
    """
    from .raw.reader import read_light

    rawpy = library("RAW")
    file.seek(0)
    data = file.read()
    exif = raw_exif(data, rawpy)
    with in_plain_words(rawpy):
        return read_light(rawpy, data, max_pixels, exif, camera_of(exif))
