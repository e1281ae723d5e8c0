"""Writing DICOM: the input's tags with new pixels, and what must change with them."""

import copy
import hashlib
import re
import uuid
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import PictureError
from ..version import __version__
from .dicom import CREATOR, GROUP, XMP_ELEMENT, in_plain_words, is_lossy_syntax
from .dicom_values import SPACINGS, nearest, numbers, stored_values
from .optional_formats import library
from .picture import DicomData, Picture

_EXTREMES: Final = ("SmallestImagePixelValue", "LargestImagePixelValue")
_FUNCTIONAL_GROUPS: Final = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
_PURPOSE: Final = ("121322", "DCM", "Source image for image processing operation")
_MOST_TEXT: Final = 1024
"""Characters that a Derivation Description holds."""
_OPERATION: Final = re.compile(rb"&quot;operation&quot;:&quot;([a-z-]+)&quot;")
_WARNING: Final = "for research, not for diagnosis"


def write_dicom(stream: BinaryIO, pages: Iterable[tuple[Picture, bytes]]) -> None:
    """Write frames as an uncompressed DICOM file.

    Every tag of the input stays, but for those that tell of the pixels, of the instance and of its origin. The same
    result has the same SOP Instance UID.

    Args:
        stream: written from its position on.
        pages: the frames of one file, each with the XMP packet that tells how it was made.

    Raises:
        PictureError: frames are missing, or pydicom cannot write the tags.
    """
    library("DICOM")
    frames, dicom, xmp, provenance = [], None, b"", b""
    for picture, packet in pages:
        if dicom is None:
            dicom, xmp, provenance = picture.source.dicom, packet, picture.source.provenance
        assert dicom is not None
        frames.append(stored_values(picture, picture.source.dicom or dicom))
    assert dicom is not None
    if len(frames) != dicom.frames:
        raise PictureError(f"{len(frames)} of {dicom.frames} frames cannot be written as this DICOM file; write all")
    with in_plain_words():
        _write(stream, dicom, frames, xmp, provenance)


def _write(stream: BinaryIO, dicom: DicomData, frames: list[NDArray[np.int32]], xmp: bytes, provenance: bytes) -> None:
    from pydicom import dcmwrite

    tags = copy.deepcopy(dicom.dataset)
    _set_coding(tags)
    data = _bytes_of(tags, frames)
    if frames[0].shape != (tags.Rows, tags.Columns):
        _enlarge(tags, (frames[0].shape[0], frames[0].shape[1]))
    _set_pixels(tags, frames, data)
    _set_origin(tags, hashlib.sha256(provenance + data).digest(), provenance)
    if xmp:
        block = tags.private_block(GROUP, CREATOR, create=True)
        block.add_new(XMP_ELEMENT, "OB", xmp + b" " * (len(xmp) % 2))
    elif (GROUP, 0x0010) in tags:
        _remove_xmp(tags)
    dcmwrite(stream, tags, enforce_file_format="SOPClassUID" in tags)


def _remove_xmp(tags: Any) -> None:  # noqa: ANN401 - pydicom's, which may not be there
    try:
        del tags.private_block(GROUP, CREATOR)[XMP_ELEMENT]
    except KeyError:
        return


# Pixels --------------------------------------------------------------------------------------------------------------


def _set_coding(tags: Any) -> None:  # noqa: ANN401
    """Keep an uncompressed coding, so that tags are written as they were read. Else take the usual one."""
    from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

    meta = tags.file_meta
    if meta.TransferSyntaxUID not in (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian):
        if _is_lossy(tags):
            tags.LossyImageCompression = "01"
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for name in ("ImplementationClassUID", "ImplementationVersionName"):
        if name in meta:
            del meta[name]
    tags.preamble = bytes(128)


def _is_lossy(tags: Any) -> bool:  # noqa: ANN401
    return is_lossy_syntax(str(tags.file_meta.TransferSyntaxUID))


def _bytes_of(tags: Any, frames: list[NDArray[np.int32]]) -> bytes:  # noqa: ANN401
    kind = "i" if tags.PixelRepresentation == 1 else "u"
    order = "<" if tags.file_meta.TransferSyntaxUID.is_little_endian else ">"
    dtype = np.dtype(f"{order}{kind}{int(tags.BitsAllocated) // 8}")
    return b"".join(frame.astype(dtype).tobytes() for frame in frames)


def _set_pixels(tags: Any, frames: list[NDArray[np.int32]], data: bytes) -> None:  # noqa: ANN401
    tags.Rows, tags.Columns = frames[0].shape
    is_words = tags.BitsAllocated > 8 or tags.file_meta.TransferSyntaxUID.is_implicit_VR
    tags.add_new(0x7FE00010, "OW" if is_words else "OB", data + bytes(len(data) % 2))
    ends = (min(int(frame.min()) for frame in frames), max(int(frame.max()) for frame in frames))
    for name, value in zip(_EXTREMES, ends, strict=True):
        if name in tags:
            tags[name].VR = "SS" if tags.PixelRepresentation == 1 else "US"
            tags[name].value = value


# Origin --------------------------------------------------------------------------------------------------------------


def _set_origin(tags: Any, digest: bytes, provenance: bytes) -> None:  # noqa: ANN401
    """Give the file a UID of its own, and say what it was made of."""
    from pydicom.dataset import Dataset

    before = str(tags.get("SOPInstanceUID", "") or "")
    if before:
        source = Dataset()
        if "SOPClassUID" in tags:
            source.ReferencedSOPClassUID = tags.SOPClassUID
        source.ReferencedSOPInstanceUID = before
        source.PurposeOfReferenceCodeSequence = [_code(*_PURPOSE)]
        tags.SourceImageSequence = [*(tags.get("SourceImageSequence") or []), source]
    number = uuid.UUID(bytes=hashlib.sha256(before.encode() + digest).digest()[:16], version=5).int
    tags.SOPInstanceUID = f"2.25.{number}"  # PS3.5, annex B.2
    tags.file_meta.MediaStorageSOPInstanceUID = tags.SOPInstanceUID
    if "SOPClassUID" in tags:
        tags.file_meta.MediaStorageSOPClassUID = tags.SOPClassUID
    for place in (tags, *_frame_items(tags)):
        for name in ("ImageType", "FrameType"):
            if name in place or (name == "ImageType" and place is tags):
                place.__setattr__(name, ["DERIVED", *_values(place.get(name))[1:]])
    if len(tags.ImageType) < 2:
        tags.ImageType = ["DERIVED", "PRIMARY"]
    operation = _OPERATION.search(provenance)
    line = f"diffuse {__version__}{f': {operation[1].decode()}' if operation else ''} ({_WARNING})"
    earlier = str(tags.get("DerivationDescription", "") or "")
    joined = f"{earlier}; {line}" if earlier else line
    tags.DerivationDescription = joined if len(joined) <= _MOST_TEXT else line


def _code(value: str, scheme: str, meaning: str) -> Any:  # noqa: ANN401
    from pydicom.dataset import Dataset

    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _values(value: Any) -> list[str]:  # noqa: ANN401 - a text, or several
    return [] if value is None else [value] if isinstance(value, str) else list(value)


# Size ----------------------------------------------------------------------------------------------------------------


def _frame_items(tags: Any) -> Iterator[Any]:  # noqa: ANN401
    """Yield the items of the functional groups, where files with many frames have what belongs to one."""
    for group in (group for name in _FUNCTIONAL_GROUPS for group in tags.get(name) or []):
        for element in group:
            if element.VR == "SQ":
                yield from element.value


def _enlarge(tags: Any, shape: tuple[int, int]) -> None:  # noqa: ANN401
    """Correct spacing, position and overlays for another size of the same picture.

    Args:
        tags: with the rows and columns of the input.
        shape: (rows, columns) of the result.
    """
    factors = (shape[0] / int(tags.Rows), shape[1] / int(tags.Columns))
    for place, spacing, orientation in _planes(tags):
        _move(place, spacing, orientation, factors)
    for place in (tags, *_frame_items(tags)):
        for name in SPACINGS:
            if len(spacing := numbers(place, name)) == 2:
                place.__setattr__(name, [_text(old / factor) for old, factor in zip(spacing, factors, strict=True)])
    for group in range(0x6000, 0x6020, 2):
        if (group, 0x3000) in tags:
            _enlarge_overlay(tags, group, factors)


def _planes(tags: Any) -> Iterator[tuple[Any, list[float], list[float]]]:  # noqa: ANN401
    """Yield each place that tells a position, with the spacing and the orientation that belong to it."""
    shared = [*(tags.get(_FUNCTIONAL_GROUPS[0]) or [])[:1]]
    for group in (tags, *shared, *(tags.get(_FUNCTIONAL_GROUPS[1]) or [])):
        nearest = (group, *shared)
        positions = [group, *(group.get("PlanePositionSequence") or [])]
        spacing = _nearest(nearest, "PixelMeasuresSequence", "PixelSpacing")
        orientation = _nearest(nearest, "PlaneOrientationSequence", "ImageOrientationPatient")
        for place in positions:
            if "ImagePositionPatient" in place:
                yield place, spacing, orientation


def _nearest(groups: tuple[Any, ...], sequence: str, name: str) -> list[float]:
    for group in groups:
        for place in (group, *(group.get(sequence) or [])):
            if name in place:
                return numbers(place, name)
    return []


def _move(place: Any, spacing: list[float], orientation: list[float], factors: tuple[float, float]) -> None:  # noqa: ANN401
    """Move the centre of the first pixel, which is smaller now (PS3.3, C.7.6.2.1.1)."""
    position = numbers(place, "ImagePositionPatient")
    if len(position) != 3 or len(spacing) != 2 or len(orientation) != 6:
        return
    down, right = ((1 / factor - 1) * old / 2 for old, factor in zip(spacing, factors, strict=True))
    moved = np.array(position) + right * np.array(orientation[:3]) + down * np.array(orientation[3:])
    place.ImagePositionPatient = [_text(float(value)) for value in moved]


def _text(value: float) -> str:
    """Return a number in the 16 characters of a decimal string."""
    from pydicom.valuerep import format_number_as_ds

    return str(format_number_as_ds(value))


def _enlarge_overlay(tags: Any, group: int, factors: tuple[float, float]) -> None:  # noqa: ANN401
    """Enlarge an overlay with the picture: each pixel has the bit of the nearest one."""
    rows, columns = int(tags[group, 0x0010].value), int(tags[group, 0x0011].value)
    count = int(tags[group, 0x0015].value) if (group, 0x0015) in tags else 1
    bits = np.unpackbits(np.frombuffer(tags[group, 0x3000].value, np.uint8), bitorder="little")
    planes = bits[: count * rows * columns].reshape(count, rows, columns)
    sides = [round(old * factor) for old, factor in zip((rows, columns), factors, strict=True)]
    down, right = (nearest(new, old) for new, old in zip(sides, (rows, columns), strict=True))
    packed = np.packbits(planes[:, down][:, :, right], bitorder="little").tobytes()
    tags[group, 0x0010].value, tags[group, 0x0011].value = sides
    tags[group, 0x3000].value = packed + bytes(len(packed) % 2)
    if (group, 0x0050) in tags:
        origin = tags[group, 0x0050].value
        moved = [round((int(old) - 1) * factor) + 1 for old, factor in zip(origin, factors, strict=True)]
        tags[group, 0x0050].value = moved
