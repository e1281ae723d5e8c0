"""Values of DICOM: stored values, what they mean, and how they are displayed."""

import math
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from .picture import NO_PADDING, DicomData, Picture, to_levels, to_unit

_MODALITY: Final = ("RescaleSlope", "RescaleIntercept", "RescaleType", "ModalityLUTSequence")
_WINDOW: Final = ("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence")
_FIXED: Final = ("BitsStored", "BitsAllocated", "PixelRepresentation", "PhotometricInterpretation")
_GROUPS: Final = ("PixelValueTransformationSequence", "FrameVOILUTSequence")
"""Where files with functional groups have them."""


# Stored --------------------------------------------------------------------------------------------------------------


def stored_values(picture: Picture, dicom: DicomData) -> NDArray[np.int32]:
    """Return the values (H, W) that a picture has in its file, padding included.

    Args:
        picture: gray.
        dicom: what it was read from. Padding grows with the picture.
    """
    levels = to_levels(picture.pixels[..., 0], 16, picture.white).astype(np.int32)
    values = np.clip(dicom.high - levels if dicom.is_inverted else dicom.low + levels, dicom.low, dicom.high)
    padding = padding_of(dicom, (values.shape[0], values.shape[1]))
    if padding is not None:
        values = np.where(padding == NO_PADDING, values, padding)
    return np.asarray(values, np.int32)


def padding_of(dicom: DicomData, shape: tuple[int, int]) -> NDArray[np.int32] | None:
    """Return the padding for a picture of that size: each pixel has that of the nearest one.

    Args:
        dicom: of the file.
        shape: (rows, columns).
    """
    if dicom.padding is None or dicom.padding.shape == shape:
        return dicom.padding
    rows, columns = (nearest(new, old) for new, old in zip(shape, dicom.padding.shape, strict=True))
    return dicom.padding[np.ix_(rows, columns)]


def nearest(new: int, old: int) -> NDArray[np.intp]:
    """Return the place before enlarging that is nearest to each place after it.

    Args:
        new: length of a side.
        old: its length before.
    """
    return ((np.arange(new) + 0.5) * old / new).astype(np.intp)


def on_levels_of(picture: Picture, other: Picture) -> Picture:
    """Return a DICOM picture on the levels of another one, so that both can be compared.

    Args:
        picture: read from DICOM.
        other: read from DICOM.
    """
    own, its = picture.source.dicom, other.source.dicom
    assert own is not None
    assert its is not None
    values = stored_values(picture, own)
    levels = its.high - values if its.is_inverted else values - its.low
    padding = padding_of(its, (values.shape[0], values.shape[1]))
    if padding is not None:
        levels = np.where(padding == values, 0, levels)
    pixels = np.float32(2 / other.white) * levels[..., None].astype(np.float32) - 1
    inside = to_unit(np.clip(levels, 0, other.white)[..., None].astype(np.uint16), 16, other.white)
    same = (levels >= 0) & (levels <= other.white)
    pixels = np.where(same[..., None], inside, pixels)
    return replace(picture, pixels=pixels, source=replace(picture.source, white=other.white, dicom=its))


# Meaning -------------------------------------------------------------------------------------------------------------


def frame_tags(dicom: DicomData) -> Any:  # noqa: ANN401 - pydicom's, which may not be there
    """Return the tags that say what a frame's values mean and how they are displayed.

    Args:
        dicom: of the frame.
    """
    from pydicom.dataset import Dataset

    found, tags = Dataset(), dicom.dataset
    found.file_meta = tags.file_meta  # tells the order of bytes in tables
    frames = tags.get("PerFrameFunctionalGroupsSequence") or []
    groups = [*(tags.get("SharedFunctionalGroupsSequence") or [])[:1], *frames[dicom.frame : dicom.frame + 1]]
    places = [tags, *(item for group in groups for name in _GROUPS for item in (group.get(name) or [])[:1])]
    for place in places:
        for name in (*_MODALITY, *_WINDOW, *_FIXED):
            if name in place:
                found[name] = place[name]
    return found


def as_numbers(values: NDArray[Any], dicom: DicomData) -> NDArray[np.float64]:
    """Return stored values in the units of the file, such as HU.

    Args:
        values: of any shape.
        dicom: of the frame. What cannot be understood of its tags is taken for no rescaling.
    """
    from pydicom.pixels import apply_modality_lut

    try:
        numbers = np.asarray(apply_modality_lut(values, frame_tags(dicom)), np.float64)
    except Exception:  # broken tags say nothing
        return values.astype(np.float64)
    return numbers if np.isfinite(numbers).all() else values.astype(np.float64)


def from_numbers(numbers: NDArray[np.float64], dicom: DicomData) -> NDArray[np.float64] | None:
    """Return the stored values of numbers in the units of the file; None = they are not proportional.

    Args:
        numbers: of any shape.
        dicom: of the frame.
    """
    ends = np.array([dicom.low, (dicom.low + dicom.high) // 2, dicom.high], np.int64)
    low, middle, high = as_numbers(ends, dicom)
    slope = (high - low) / max(dicom.high - dicom.low, 1)
    if slope == 0 or abs(low + slope * (ends[1] - ends[0]) - middle) > 1e-6 * abs(high - low):
        return None
    return np.asarray((numbers - low) / slope + dicom.low, np.float64)


def one_level(dicom: DicomData) -> float:
    """Return a level of noise, a 255th of the range, in the units of the file.

    Args:
        dicom: of the frame.
    """
    low, high = as_numbers(np.array([dicom.low, dicom.high]), dicom)
    return float(abs(high - low)) / 255


def units(dicom: DicomData) -> str:
    """Return the units of a file's numbers; "" = it does not say.

    Args:
        dicom: of the frame.
    """
    said = str(frame_tags(dicom).get("RescaleType", "") or "")
    if said in ("HU", "OD", "US"):
        return "" if said == "US" else said
    return "HU" if dicom.dataset.get("Modality") == "CT" and not said else ""


def windows(dicom: DicomData) -> tuple[float, float] | None:
    """Return centre and width of the first window; None = there is none that makes sense.

    Args:
        dicom: of the frame.
    """
    tags = frame_tags(dicom)
    try:
        centre, width = (_first(tags.get(name)) for name in ("WindowCenter", "WindowWidth"))
    except (TypeError, ValueError):
        return None
    least = 1 if str(tags.get("VOILUTFunction", "LINEAR")).upper() == "LINEAR" else 0
    makes_sense = math.isfinite(centre) and math.isfinite(width) and width > least
    return (centre, width) if makes_sense else None


def _first(value: Any) -> float:  # noqa: ANN401 - a number, or several
    return float(value if isinstance(value, str | int | float) else value[0])


# Display -------------------------------------------------------------------------------------------------------------


def displayed(picture: Picture) -> Picture:
    """Return a picture as DICOM's window shows it, of 16 bits; any other picture as it is.

    Without a window, the whole range is shown. Padding is black.

    Args:
        picture: of any kind.
    """
    dicom = picture.source.dicom
    if dicom is None or picture.depth != 16 or picture.floating:
        return picture
    source = replace(picture.source, white=0, bits=0, dicom=None)
    if picture.pixels.shape[2] != 1:
        return replace(picture, source=source)
    values = stored_values(picture, dicom)
    shown = _shown(values, dicom)
    if shown is None:
        shown = (picture.pixels[..., 0].astype(np.float64) + 1) / 2
    elif dicom.is_inverted:
        shown = 1 - shown
    padding = padding_of(dicom, (values.shape[0], values.shape[1]))
    if padding is not None:
        shown[padding != NO_PADDING] = 0
    levels = np.rint(np.clip(shown, 0, 1) * 65535).astype(np.uint16)
    return replace(picture, pixels=to_unit(levels[..., None], 16), source=source)


def _shown(values: NDArray[np.int32], dicom: DicomData) -> NDArray[np.float64] | None:
    """Return the display values 0..1, before inversion (PS3.3, C.11.2); None = nothing says how to display."""
    from pydicom.pixels import apply_voi

    tags = frame_tags(dicom)
    numbers = as_numbers(values, dicom)
    if tags.get("VOILUTSequence"):
        try:
            table = tags.VOILUTSequence[0]
            looked_up = np.asarray(apply_voi(numbers.astype(np.int64), tags), np.float64)
            return looked_up / (2.0 ** int(table.LUTDescriptor[2]) - 1)
        except Exception:  # a broken table says nothing
            return None
    window = windows(dicom)
    if window is None:
        return None
    centre, width = window
    kind = str(tags.get("VOILUTFunction", "LINEAR")).upper()
    if kind == "SIGMOID":
        return np.asarray(1 / (1 + np.exp(np.clip(-4 * (numbers - centre) / width, -50, 50))))
    if kind == "LINEAR_EXACT":
        return np.asarray((numbers - centre) / width + 0.5)
    return np.asarray((numbers - (centre - 0.5)) / (width - 1) + 0.5)


# Facts ---------------------------------------------------------------------------------------------------------------


def facts(dicom: DicomData) -> dict[str, Any]:
    """Return what a file says of its values, as JSON holds it. Nothing of it is about a patient.

    Args:
        dicom: of a frame.

    Returns:
        modality, bits, signed, inverted, coding, range and level (in `unit`), window (centre and width), spacing (of
        rows and columns in mm); None where the file does not say.
    """
    tags = dicom.dataset
    low, high = sorted(float(value) for value in as_numbers(np.array([dicom.low, dicom.high]), dicom))
    window, modality = windows(dicom), str(tags.get("Modality", "") or "")
    return {
        "modality": modality if _is_code(modality) else None,
        "bits": int(tags.BitsStored),
        "signed": bool(tags.PixelRepresentation == 1),
        "inverted": dicom.is_inverted,
        "coding": tags.file_meta.TransferSyntaxUID.name,
        "range": [low, high],
        "unit": units(dicom) or None,
        "level": one_level(dicom),
        "window": None if window is None else list(window),
        "spacing": spacing_of(tags) or None,
    }


def _is_code(text: str) -> bool:
    """Return whether a text is one of DICOM's code strings, and not what a broken file has in its place."""
    return 0 < len(text) <= 8 and text.isascii() and text.isalnum() and text.isupper()


def spacing_of(tags: Any) -> list[float]:  # noqa: ANN401 - pydicom's, which may not be there
    """Return the distance of rows and of columns in mm; [] = the file does not say.

    Args:
        tags: of the file.
    """
    names = ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
    groups = [group for name in names for group in (tags.get(name) or [])[:1]]
    measures = [item for group in groups for item in group.get("PixelMeasuresSequence") or []]
    for place in (tags, *measures):
        for name in SPACINGS:
            if len(found := numbers(place, name)) == 2:
                return found
    return []


SPACINGS: Final = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")


def numbers(place: Any, name: str) -> list[float]:  # noqa: ANN401
    """Return the numbers of a tag; [] = there are none that make sense.

    Args:
        place: a dataset.
        name: of the tag.
    """
    try:
        return [float(value) for value in place.get(name) or []]
    except (TypeError, ValueError):
        return []
