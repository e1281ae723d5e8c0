"""TIFF pages that Pillow does not read, or reads with a loss: deep colour, floats, planes, tiles, packed bits."""

import logging
import zlib
from dataclasses import replace
from importlib import util
from itertools import islice
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from ..errors import PictureError
from . import exif
from .optional_formats import INSTALL
from .picture import ExtraChannels, Picture, check_size, divided_by_alpha, from_array, upright
from .tiff import directories, source_of_directory

_DEFLATE: Final = (8, 32946)
_COMPRESSIONS, _PREDICTORS, _BITS = (1, 32773, *_DEFLATE), (1, 2), (1, 2, 4, 8, 16, 32, 64)
"""What tifffile reads by itself: not compressed, PackBits and deflate, differences of integers, and bits per sample."""

_MOST_PACKED: Final = {1: 1, 32773: 64, **dict.fromkeys(_DEFLATE, 1100)}
"""How much shorter a compression can make data, at best."""
_LARGE: Final = 1 << 24
"""Pixels from which that is asked."""


def read_tiff(file: BinaryIO, frame: int, max_pixels: int) -> Picture:
    """Read a page with tifffile.

    Args:
        file: of any kind of TIFF, BigTIFF included.
        frame: number of the page's directory, from 0.
        max_pixels: most pixels to read.

    Raises:
        PictureError: more than `max_pixels`, numbers or colours that are no picture, or a compression that needs the
            extra [formats].
        Exception: whatever tifffile raises on a damaged file.
    """
    import tifffile  # which imports imagecodecs

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # the error tells what is wrong
    file.seek(0)
    with tifffile.TiffFile(file) as container:
        page = container.pages[frame]
        check_size(page.imagewidth, page.imagelength, max_pixels)
        check_size(page.tilewidth, page.tilelength * page.tiledepth, max_pixels)
        _check_kind(page)
        _check_amount(page)
        _check_compression(file, page)
        array = page.asarray(maxworkers=1)
        if page.planarconfig == 2 and array.ndim == 3:
            array = np.moveaxis(array, 0, -1)
        array, extra = _samples(array[..., None] if array.ndim == 2 else array, page)
        turn = int(page.tags[exif.ORIENTATION].value) if exif.ORIENTATION in page.tags else 1
    source = source_of_directory(file, next(islice(directories(file), frame, None)))
    if extra is not None:
        source = replace(source, extra=replace(extra, levels=np.ascontiguousarray(upright(extra.levels, turn))))
    return from_array(upright(array, turn), source)


def _check_kind(page: Any) -> None:  # noqa: ANN401 - tifffile is not typed here
    if page.photometric not in (0, 1, 2):
        name = getattr(page.photometric, "name", "unknown")
        raise PictureError(f"a TIFF in {name} colours; convert it to RGB first")
    if page.imagedepth != 1 or page.tiledepth != 1 or page.samplesperpixel > 8:
        raise PictureError("a TIFF of several depths or many channels; save one layer as a picture of its own")
    if page.sampleformat not in (1, 3) or page.bitspersample not in (*range(1, 17), 32, 64):
        raise PictureError("a TIFF of signed or complex numbers; convert it to 32-bit floating point first")
    if page.sampleformat == 1 and page.bitspersample > 16:
        raise PictureError(f"a TIFF of {page.bitspersample}-bit integers; convert it to 32-bit floating point first")


def _check_amount(page: Any) -> None:  # noqa: ANN401
    """Refuse a large page whose data are too few for it before room is made for its pixels."""
    most, pixels = _MOST_PACKED.get(int(page.compression)), page.imagewidth * page.imagelength
    if most is None or pixels < _LARGE:
        return
    if pixels * page.samplesperpixel * page.bitspersample > 8 * most * sum(page.databytecounts):
        raise ValueError(f"too few data for {page.imagewidth}x{page.imagelength} pixels")


def _check_compression(file: BinaryIO, page: Any) -> None:  # noqa: ANN401
    """Refuse what needs imagecodecs where that is not installed.

    Refuse strips that hold more than their pixels, too: unlike imagecodecs, tifffile inflates them to their end.
    """
    if util.find_spec("imagecodecs") is not None:
        return
    if not (page.compression in _COMPRESSIONS and page.predictor in _PREDICTORS and page.bitspersample in _BITS):
        raise PictureError(f"this kind of TIFF needs the extra [formats]: {INSTALL}")
    if page.compression in _DEFLATE:
        most = int(np.prod(page.chunks)) * page.dtype.itemsize + 1
        for at, size in zip(page.dataoffsets, page.databytecounts, strict=True):
            file.seek(at)
            strip = zlib.decompressobj()
            strip.decompress(file.read(size), most)
            if strip.unconsumed_tail:
                raise ValueError("a strip holds more than its pixels")


def _samples(array: NDArray[Any], page: Any) -> tuple[NDArray[Any], ExtraChannels | None]:  # noqa: ANN401
    """Return (H, W, 1 to 4) uint8, uint16 or floats, alpha not multiplied in, and the channels beside these."""
    bits = page.bitspersample
    if array.dtype.kind in "ub" and bits not in (8, 16):
        full = 255 if bits < 8 else 65535
        array = np.rint(array.astype(np.float64) * full / (2**bits - 1)).astype(np.uint8 if bits < 8 else np.uint16)
    count = 3 if page.photometric == 2 else 1
    colours, others = array[..., :count], array[..., count:]
    if page.photometric == 0:
        colours = 1 - colours if array.dtype.kind == "f" else np.invert(colours)
    kinds = [int(kind) for kind in page.extrasamples][: others.shape[2]]
    kinds += [0] * (others.shape[2] - len(kinds))
    at = next((k for k, kind in enumerate(kinds) if kind in (1, 2)), None)
    if at is not None:
        colours = np.concatenate([colours, others[..., at : at + 1]], axis=2)
        colours = divided_by_alpha(colours) if kinds.pop(at) == 1 else colours
        others = np.delete(others, at, axis=2)
    extra = ExtraChannels(levels=others, kinds=tuple(kinds), before_alpha=at or 0) if kinds else None
    return colours, extra
