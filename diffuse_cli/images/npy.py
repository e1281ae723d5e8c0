"""NumPy's .npy files as pictures."""

import math
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from ..errors import PictureError
from .picture import Picture, check_size, levels_of, to_floats

MAGIC = b"\x93NUMPY"


def read_npy(file: BinaryIO, max_pixels: int) -> NDArray[Any]:
    """Read the array of a .npy file.

    Args:
        file: the file.
        max_pixels: refuse larger arrays.

    Returns:
        (H, W, C).

    Raises:
        ValueError: the file is cut short.
        PictureError: the array is no picture, or has more than `max_pixels`.
    """
    file.seek(0)
    version = npy_format.read_magic(file)
    read_header = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
    shape, _, dtype = read_header(file)
    if dtype.hasobject or dtype.kind not in "buf" or dtype.newbyteorder("=") not in _DTYPES:
        raise PictureError(f"an array of {dtype}; give bool, uint8, uint16, float16, float32 or float64")
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] not in (1, 2, 3, 4)) or 0 in shape:
        raise PictureError(f"an array of shape {shape}; give (height, width) or (height, width, 1 to 4)")
    check_size(shape[1], shape[0], max_pixels)
    size = math.prod(shape) * dtype.itemsize
    at = file.tell()
    if file.seek(0, 2) - at < size:
        raise ValueError("fewer numbers than its header says")
    file.seek(0)
    array: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
    return array if array.ndim == 3 else array[..., None]


_DTYPES = frozenset(np.dtype(t) for t in (np.bool_, np.uint8, np.uint16, np.float16, np.float32, np.float64))


def write_npy(stream: BinaryIO, picture: Picture) -> None:
    """Write an array: uint8, uint16, or floats 0 = black .. 1 = white.

    Args:
        stream: written from its position on.
        picture: gray without alpha is written as (H, W), another as (H, W, C).
    """
    array: NDArray[Any] = to_floats(picture) if picture.floating else levels_of(picture)
    array = np.ascontiguousarray(array[..., 0] if array.shape[2] == 1 else array)
    npy_format.write_array_header_1_0(stream, npy_format.header_data_from_array_1_0(array))
    stream.write(array.data.cast("B"))  # NumPy's own way would not tell a full disk from another failure
