"""Pictures of other libraries: PIL images, arrays and tensors become a Picture, and a Picture becomes what was given.

Importing this does not import torch.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..errors import UsageError
from .dicom_values import displayed
from .image_io import read_picture
from .picture import BRIGHTEST_WHITE, DARKEST_BLACK, Picture, levels_of, to_unit
from .white_level import with_white

if TYPE_CHECKING:
    from torch import Tensor

PictureLike: TypeAlias = "str | Path | Image.Image | Picture | NDArray[Any] | Tensor"
"""Whatever the Python API takes as a picture."""


def is_tensor(value: object) -> "TypeGuard[Tensor]":
    """Return whether a value is a tensor. A program that has not imported torch has none."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def to_picture(given: object) -> Picture:
    """Convert what the Python API takes.

    Args:
        given: one of
            a file name;
            a PIL image of mode 1, L, LA, P, PA, RGB, RGBA or I;16;
            a Picture;
            an array (H, W) or (H, W, C), C = 1 gray, 2 gray and alpha, 3 colour, 4 colour and alpha;
            a tensor (C, H, W), C = 1 or 3.
            uint8 and uint16 hold levels; `white_level` says which 16 bits are 10, 12 or 14. Floats hold
            0 = black .. 1 = white, unclipped and without alpha.

    Returns:
        The picture. Floats get a depth of 16 bits; much beyond black and white they stay floats.

    Raises:
        UsageError: `given` is none of these.
        PictureError: the file cannot be read.
    """
    if isinstance(given, Picture):
        return given
    if isinstance(given, str | Path):
        return read_picture(Path(given))
    if isinstance(given, Image.Image):
        return _from_array(_array_of_image(given))
    if is_tensor(given):
        if given.ndim != 3 or given.shape[0] not in (1, 3):
            raise UsageError(f"a tensor must be (1, H, W) or (3, H, W), not {tuple(given.shape)}")
        return _from_array(given.detach().cpu().permute(1, 2, 0).contiguous().numpy())
    if isinstance(given, np.ndarray):
        return _from_array(given)
    name = type(given).__name__
    raise UsageError(f"a picture is a file name, a PIL image, a Picture, an array or a tensor, not {name}")


def to_like(given: object, before: Picture, after: Picture, corner: tuple[int, int] | None = None) -> Any:  # noqa: ANN401 - as what was given
    """Convert a result to the kind of picture that was given.

    Args:
        given: what `to_picture` made `before` of.
        before: the input.
        after: the result.
        corner: (row, column) of the input in the result, where the result is a larger canvas; None = it is not.

    Returns:
        A PIL image for a file name or a PIL image; else a Picture, an array or a tensor. Arrays and tensors keep
        their type and device. Floats that did not change keep their bits.

    Raises:
        UsageError: PIL cannot hold 16-bit colour.
    """
    if isinstance(given, Picture):
        return after
    if is_tensor(given):
        import torch

        array = _to_array_like(given.detach().cpu().permute(1, 2, 0).numpy(), before, after, corner)
        return torch.from_numpy(array).permute(2, 0, 1).to(given.device, given.dtype)
    if isinstance(given, np.ndarray):
        return _to_array_like(given, before, after, corner)
    image = to_image(after)
    if isinstance(given, Image.Image):
        image.info.update({key: value for key, value in given.info.items() if key != "transparency"})
    elif after.source.icc:
        image.info["icc_profile"] = after.source.icc
    return image


def to_image(picture: Picture) -> Image.Image:
    """Convert a picture to a PIL image, without what its file said beside the pixels. DICOM gets its window.

    Raises:
        UsageError: PIL cannot hold 16-bit colour.
    """
    levels = levels_of(displayed(picture))
    if picture.depth == 16 and levels.shape[2] > 1:
        raise UsageError("PIL holds no 16-bit colour or alpha; give a uint16 array, or what read_picture returns")
    return Image.fromarray(levels[..., 0] if levels.shape[2] == 1 else levels)


def _array_of_image(image: Image.Image) -> NDArray[Any]:
    if image.mode in ("L", "LA", "RGB", "RGBA") or image.mode.startswith("I;16"):
        return np.asarray(image)
    same = {"1": "L", "P": "RGBA" if "transparency" in image.info else "RGB", "PA": "RGBA"}
    if image.mode not in same:
        raise UsageError(f"a PIL image of mode {image.mode} must be converted first, for example to RGB")
    return np.asarray(image.convert(same[image.mode]))


def _from_array(array: NDArray[Any]) -> Picture:
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 2, 3, 4) or 0 in array.shape:
        raise UsageError(f"an array must be (H, W) or (H, W, 1..4), not {array.shape}")
    colours = array[..., : array.shape[2] - (array.shape[2] + 1) % 2]
    has_alpha = colours.shape[2] < array.shape[2]
    if array.dtype in (np.uint8, np.uint16):
        depth = array.dtype.itemsize * 8
        alpha = np.ascontiguousarray(array[..., -1]) if has_alpha else None
        return with_white(Picture(pixels=to_unit(colours, depth), alpha=alpha, depth=depth))
    if not np.issubdtype(array.dtype, np.floating) or has_alpha:
        raise UsageError("an array holds uint8, uint16, or floats in 0..1 without alpha")
    if not np.isfinite(array).all():
        raise UsageError("the array holds values that are not finite; mark missing pixels by the mask instead")
    beyond = float(colours.max()) > BRIGHTEST_WHITE or float(colours.min()) < -DARKEST_BLACK
    return Picture(pixels=(2 * colours - 1).astype(np.float32), depth=16, floating=beyond)


def _to_array_like(
    given: NDArray[Any], before: Picture, after: Picture, corner: tuple[int, int] | None
) -> NDArray[Any]:
    if not np.issubdtype(given.dtype, np.floating):
        levels: NDArray[Any] = levels_of(after)
        return _as_flat(levels, given)
    array: NDArray[Any] = ((after.pixels + 1) / 2).astype(given.dtype)
    if corner is not None or array.shape == before.pixels.shape:  # 0..1 -> -1..1 -> 0..1 rounds
        (top, left), (h, w) = corner or (0, 0), given.shape[:2]
        own = (slice(top, top + h), slice(left, left + w))
        same = after.pixels[own] == before.pixels
        array[own] = np.where(same, given.reshape(same.shape), array[own])
    return _as_flat(array, given)


def _as_flat(array: NDArray[Any], given: NDArray[Any]) -> NDArray[Any]:
    """Drop the only channel where a gray array without channels was given."""
    return array[..., 0] if given.ndim == 2 and array.shape[2] == 1 else array
