"""DICOM files of all kinds that are read."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PATIENT = "Grimm^Wilhelmina"
SECRET = "7Q4-1913"


def scene(low: int, high: int, shape: tuple[int, int] = (40, 48)) -> NDArray[np.int32]:
    """A disc before a ramp, with noise, from `low` to `high`."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    ramp = 0.2 + 0.3 * x / shape[1] + 0.4 * (np.hypot(y - shape[0] / 2, x - shape[1] / 2) < shape[0] / 3)
    noisy = np.clip(ramp + np.random.default_rng(0).normal(0, 0.04, shape), 0, 1)
    values: NDArray[np.int32] = np.rint(low + noisy * (high - low)).astype(np.int32)
    values[0, 0], values[0, 1] = low, high
    return values


def dataset(
    frames: list[NDArray[np.int32]],
    *,
    stored: int = 12,
    allocated: int = 16,
    signed: bool = False,
    kind: str = "MONOCHROME2",
    syntax: str = "1.2.840.10008.1.2.1",
    **tags: Any,  # noqa: ANN401 - whatever a tag holds
) -> Any:  # noqa: ANN401 - pydicom's
    """Return a dataset of a fictitious patient, with private tags."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import UID

    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = UID(syntax)
    made.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    made.SOPInstanceUID = "1.2.3.4"
    made.PatientName, made.PatientID, made.Modality = PATIENT, SECRET, "CT"
    made.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    made.Rows, made.Columns = frames[0].shape
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, kind
    made.BitsAllocated, made.BitsStored, made.HighBit = allocated, stored, stored - 1
    made.PixelRepresentation = int(signed)
    made.PixelSpacing = ["0.5", "0.25"]
    made.ImageOrientationPatient, made.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [-10, -20, 30]
    block = made.private_block(0x0029, "ACME 1.1", create=True)
    block.add_new(0x10, "LO", f"private {SECRET}")
    block.add_new(0x11, "UN", b"\1\2\3\4")
    if len(frames) > 1:
        made.NumberOfFrames = len(frames)
    order = "<" if made.file_meta.TransferSyntaxUID.is_little_endian else ">"
    dtype = np.dtype(f"{order}{'i' if signed else 'u'}{allocated // 8}")
    data = b"".join(frame.astype(dtype).tobytes() for frame in frames)
    for name, value in tags.items():
        setattr(made, name, value)
    made.add_new(0x7FE00010, "OW" if allocated > 8 else "OB", data + bytes(len(data) % 2))
    return made


def save(made: Any, path: Path) -> Path:  # noqa: ANN401
    """Write a dataset with lead-in."""
    from pydicom import dcmwrite

    dcmwrite(path, made, enforce_file_format=True)
    return path
