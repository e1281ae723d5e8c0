"""Reading DICOM: each frame of a gray file becomes a picture whose levels are the stored values.

pydicom's words quote values of tags, which may be about a patient. So no message of this module repeats them.
"""

import copy
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import PictureError
from .dicom_values import as_numbers, one_level, units
from .optional_formats import library
from .picture import NO_PADDING, DicomData, Picture, Source, check_size, to_unit

DICOM_SUFFIXES: Final = frozenset({".dcm", ".dicom"})
GROUP: Final = 0x0099
CREATOR: Final = "diffuse-cli"
XMP_ELEMENT: Final = 0x01
"""The private element (GROUP,xx01) of CREATOR that holds the XMP packet with the recipe."""
_MAGIC: Final = b"DICM"
_MAGIC_AT: Final = 128
_FIRST_TAGS: Final = (b"\x02\0", b"\x08\0", b"\0\x08")
"""The groups that a file without lead-in begins with."""
_RLE: Final = "1.2.840.10008.1.2.5"
_DEFLATED: Final = "1.2.840.10008.1.2.1.99"
_MOST_INFLATED: Final = 2**28
"""Bytes that a deflated file may become. A small file can hold gigabytes of zeros."""
_LOSSY: Final = frozenset(
    f"1.2.840.10008.1.2.4.{number}" for number in (50, 51, 81, 91, 92, 93, 102, 103, 203)
)  # fmt: skip


def is_lossy_syntax(syntax: str) -> bool:
    """Return whether a transfer syntax may have lost something.

    Args:
        syntax: its UID.
    """
    return syntax in _LOSSY


_MONOCHROME: Final = ("MONOCHROME1", "MONOCHROME2")
_COLOURS: Final = frozenset(
    {"RGB", "PALETTE COLOR", "YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT"}
)
_PIXELS: Final = 0x7FE00010
_OFFSET_TABLES: Final = (0x7FE00001, 0x7FE00002)


def is_dicom(file: BinaryIO, path: Path) -> bool:
    """Return whether a file is DICOM, by its content. Old files without lead-in are told by their suffix, too.

    Args:
        file: the file.
        path: its name.
    """
    file.seek(0)
    head = file.read(_MAGIC_AT + len(_MAGIC))
    return head[_MAGIC_AT:] == _MAGIC or (path.suffix.lower() in DICOM_SUFFIXES and head[:2] in _FIRST_TAGS)


def has_dicom_content(path: Path) -> bool:
    """Return whether a file has DICOM's lead-in; False where it cannot be read, or is no file.

    Args:
        path: the file.
    """
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return file.read(_MAGIC_AT + len(_MAGIC))[_MAGIC_AT:] == _MAGIC
    except OSError:
        return False


@contextmanager
def in_plain_words() -> Iterator[None]:
    """Turn what pydicom and its decoders raise into one line without values of tags.

    Raises:
        PictureError: in the place of whatever they raise.
    """
    try:
        yield
    except (PictureError, MemoryError):
        raise
    except Exception as error:  # they meet broken files with a dozen different types
        if isinstance(error, OSError) and error.errno:
            raise
        raise PictureError(
            f"damaged or cut short, or an unusual kind of DICOM ({type(error).__name__}); copy it from its source again"
        ) from None


def dicom_frames(file: BinaryIO, max_pixels: int) -> Iterator[tuple[Picture, int]]:
    """Yield the frames of a DICOM file, and how many there are.

    Args:
        file: the file. It is read as a whole.
        max_pixels: refuse larger frames before decoding.

    Raises:
        PictureError: it is damaged, no gray picture of 8 to 16 bits, too large, or the extra [dicom] is missing.
    """
    yield from _Frames(file, max_pixels).pictures()


class _Frames:
    """The frames of a DICOM file."""

    def __init__(self, file: BinaryIO, max_pixels: int) -> None:
        """Read the tags, and find the range of all frames."""
        library("DICOM")
        with in_plain_words():
            self._read(file, max_pixels)

    def _read(self, file: BinaryIO, max_pixels: int) -> None:
        tags = _dataset(file)
        _check_kind(tags)
        check_size(tags.Columns, tags.Rows, max_pixels)
        self.syntax = _syntax(tags)
        self.decoder = _decoder(self.syntax)
        self.count = max(1, int(tags.get("NumberOfFrames") or 1))
        if tags.file_meta.TransferSyntaxUID.is_encapsulated:
            _check_coded(tags, self.count)
        self._with_pixels, self._padding = tags, _padding_of(tags)
        self._dataset = _without_pixels(tags)
        self._only: NDArray[np.int32] | None = None
        self._find_range()

    def _find_range(self) -> None:
        low, high, seen = 2**31 - 1, -(2**31), 0
        for values in self._values():
            seen += 1
            inside = values if self._padding is None else values[~_is_within(values, self._padding)]
            if inside.size:
                low, high = min(low, int(inside.min())), max(high, int(inside.max()))
            self._only = values if self.count == 1 else None
        if seen != self.count:
            raise PictureError(f"has {seen} of {self.count} frames; copy it from its source again")
        self.low, self.high = (low, high) if low <= high else (0, 0)

    def _values(self) -> Iterator[NDArray[np.int32]]:
        """Yield the stored values of each frame (H, W)."""
        plugin = "pydicom" if self.syntax == _RLE else ""  # pylibjpeg's panics on damaged data, which is no exception
        if {"gdcm", "pylibjpeg"} <= set(self.decoder.available_plugins):
            plugin = (
                plugin or "pylibjpeg"
            )  # gdcm's bytes cannot be written to, on which pydicom's correction of signs fails
        how = {"raw": True, "allow_excess_frames": False, "decoding_plugin": plugin}
        for array, _ in self.decoder.iter_array(self._with_pixels, **how):
            yield np.asarray(array, np.int32)

    def pictures(self) -> Iterator[tuple[Picture, int]]:
        with in_plain_words():
            for number, values in enumerate(self._values() if self._only is None else [self._only]):
                yield self._picture(values, number), self.count

    def _picture(self, values: NDArray[np.int32], number: int) -> Picture:
        tags = self._dataset
        is_inverted = tags.PhotometricInterpretation == "MONOCHROME1"
        levels = np.clip(self.high - values if is_inverted else values - self.low, 0, self.high - self.low)
        padding = None
        if self._padding is not None and (outside := _is_within(values, self._padding)).any():
            padding = np.where(outside, values, np.int32(NO_PADDING))
            levels[outside] = 0
        dicom = DicomData(
            dataset=tags, low=self.low, high=self.high, is_inverted=is_inverted, frame=number, frames=self.count,
            padding=padding, shape=(values.shape[0], values.shape[1]),
        )  # fmt: skip
        white, bits = max(self.high - self.low, 1), int(tags.BitsStored)
        source = Source(
            format="DICOM",
            lossy=self.syntax in _LOSSY or str(tags.get("LossyImageCompression", "")) == "01",
            bits=0 if bits in (8, 16) else bits,
            white=white,
            xmp=_xmp(tags),
            notes=(_scale_told(dicom),) if number == 0 else (),
            dicom=dicom,
        )
        pixels = to_unit(levels[..., None].astype(np.uint16), 16, white)
        return Picture(pixels=pixels, depth=16, source=source)


def _scale_told(dicom: DicomData) -> str:
    """Return what a level of noise is in the units of the file."""
    low, high = as_numbers(np.array([dicom.low, dicom.high]), dicom)
    unit = units(dicom)
    step = f"{one_level(dicom):.3g} {unit}".strip()
    return f"DICOM: values {min(low, high):g} to {max(low, high):g} are 255 levels, so one level is {step}"


# Tags ----------------------------------------------------------------------------------------------------------------


def _dataset(file: BinaryIO) -> Any:  # noqa: ANN401 - pydicom's, which may not be there
    """Read all tags.

    Raises:
        PictureError: a deflated file becomes too large.
    """
    from pydicom import dcmread
    from pydicom.filereader import read_dataset

    file.seek(_MAGIC_AT)
    if file.read(len(_MAGIC)) == _MAGIC:
        meta = read_dataset(
            file, is_implicit_VR=False, is_little_endian=True, stop_when=lambda tag, _vr, _length: tag >> 16 != 2
        )
        if str(meta.get("TransferSyntaxUID", "")) == _DEFLATED:
            _check_inflated(file.read())
    file.seek(0)
    tags = dcmread(file, force=True)
    if not getattr(tags, "file_meta", None) or "TransferSyntaxUID" not in tags.file_meta:
        _add_syntax(tags)
    return tags


def _add_syntax(tags: Any) -> None:  # noqa: ANN401
    """Say how a file without lead-in is coded, as pydicom found it."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    implicit, little = tags.original_encoding
    meta = getattr(tags, "file_meta", None) or FileMetaDataset()
    explicit = ExplicitVRLittleEndian if little else ExplicitVRBigEndian
    meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    tags.file_meta = meta


def _check_inflated(data: bytes) -> None:
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    unpacker.decompress(data, _MOST_INFLATED)
    if unpacker.unconsumed_tail:
        raise PictureError(f"it unpacks to more than {_MOST_INFLATED >> 20} MiB; save it without deflation first")


def _check_kind(tags: Any) -> None:  # noqa: ANN401
    """Refuse what is no gray picture of 8 to 16 bits.

    Raises:
        PictureError: it is none.
    """
    if _PIXELS not in tags:
        floats = "FloatPixelData" in tags or "DoubleFloatPixelData" in tags
        what = "its pixels are floating-point numbers" if floats else "it holds no picture"
        raise PictureError(f"{what}; give DICOM with gray pixels of 8 to 16 bits")
    kind = str(tags.get("PhotometricInterpretation", ""))
    if kind not in _MONOCHROME or tags.get("SamplesPerPixel", 1) != 1:
        named = f" ({kind})" if kind in _COLOURS else ""
        raise PictureError(f"a DICOM file in colour{named}; export it as PNG first, for only gray DICOM is read")
    allocated, stored = int(tags.BitsAllocated), int(tags.get("BitsStored", tags.BitsAllocated))
    if allocated not in (8, 16) or not 1 < stored <= allocated:
        bits = stored if allocated in (8, 16) else allocated
        raise PictureError(f"pixels of {bits} bits; DICOM of 8 to 16 bits is read")
    if int(tags.get("HighBit", stored - 1)) != stored - 1:
        raise PictureError("its values do not begin at the lowest bit; save it with another program first")
    if "PixelRepresentation" not in tags:
        tags.PixelRepresentation = 0
    if any(_is_overlay_in_pixels(tags, group) for group in range(0x6000, 0x6020, 2)):
        raise PictureError("an overlay is hidden in its pixels; save it with another program first")


def _is_overlay_in_pixels(tags: Any, group: int) -> bool:  # noqa: ANN401
    return (group, 0x0010) in tags and (group, 0x3000) not in tags


def _padding_of(tags: Any) -> tuple[int, int] | None:  # noqa: ANN401
    """Return the lowest and highest stored value of pixels that are no part of the picture."""
    found = [tags.get(name) for name in ("PixelPaddingValue", "PixelPaddingRangeLimit")]
    if found[0] is None or isinstance(found[0], bytes):
        return None
    ends = [_signed(int(value), tags) for value in found if value is not None and not isinstance(value, bytes)]
    return min(ends), max(ends)


def _signed(value: int, tags: Any) -> int:  # noqa: ANN401
    """Return a stored value that may have been written as the other kind of integer."""
    size = 2 ** int(tags.BitsAllocated)
    value %= size
    return value - size if tags.PixelRepresentation == 1 and value >= size // 2 else value


def _is_within(values: NDArray[np.int32], ends: tuple[int, int]) -> NDArray[np.bool_]:
    within: NDArray[np.bool_] = (values >= ends[0]) & (values <= ends[1])
    return within


def _without_pixels(tags: Any) -> Any:  # noqa: ANN401
    """Return the same tags without the pixels, which are shared and not copied."""
    pixels = tags[_PIXELS]
    del tags[_PIXELS]
    kept = copy.deepcopy(tags)
    tags[_PIXELS] = pixels
    for tag in _OFFSET_TABLES:
        if tag in kept:
            del kept[tag]
    return kept


def _xmp(tags: Any) -> bytes:  # noqa: ANN401
    """Return the packet that an earlier run has written; b"" = none."""
    try:
        value = tags.private_block(GROUP, CREATOR)[XMP_ELEMENT].value
    except KeyError:
        return b""
    return value.rstrip(b"\0 ") if isinstance(value, bytes) else b""


# Coded frames --------------------------------------------------------------------------------------------------------


def _syntax(tags: Any) -> str:  # noqa: ANN401
    return str(tags.file_meta.TransferSyntaxUID)


def _decoder(syntax: str) -> Any:  # noqa: ANN401
    """Return pydicom's decoder.

    Raises:
        PictureError: it has none, or its library is not installed.
    """
    from pydicom.pixels import get_decoder
    from pydicom.uid import UID

    try:
        decoder = get_decoder(UID(syntax))
    except NotImplementedError:
        raise PictureError("its pixels are coded in a way that is not read; save it uncompressed first") from None
    if not decoder.is_available:
        raise PictureError("the library for its coding is not installed; save it uncompressed first")
    return decoder


def _check_coded(tags: Any, count: int) -> None:  # noqa: ANN401
    """Refuse coded frames of another size than the tags say: a few bytes could ask for gigabytes.

    Raises:
        PictureError: a frame is of another size.
    """
    from pydicom.encaps import generate_frames

    wanted = (int(tags.Columns), int(tags.Rows))
    for number, coded in enumerate(generate_frames(tags.PixelData, number_of_frames=count)):
        found = _coded_size(coded)
        if found is not None and found != wanted:
            raise PictureError(f"frame {number + 1} is {found[0]}x{found[1]} but the tags say {wanted[0]}x{wanted[1]}")


def _coded_size(coded: bytes) -> tuple[int, int] | None:
    """Return (width, height) of a JPEG, JPEG-LS or JPEG 2000 codestream; None = another coding, or damaged."""
    at = coded.find(b"\xff\x4f\xff\x51")
    if 0 <= at < 4096 and len(coded) >= at + 24:  # JPEG 2000, ISO/IEC 15444-1, annex A.5.1
        right, bottom, left, top = (int.from_bytes(coded[at + 8 + k : at + 12 + k]) for k in range(0, 16, 4))
        return right - left, bottom - top
    if not coded.startswith(b"\xff\xd8"):
        return None
    at = 2
    while len(head := coded[at : at + 9]) == 9 and head[0] == 0xFF:
        if head[1] in (*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0), 0xF7):
            return int.from_bytes(head[7:9]), int.from_bytes(head[5:7])
        at += 1 if head[1] == 0xFF else 2 + int.from_bytes(head[2:4])
    return None
