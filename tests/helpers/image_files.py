"""Pictures and files of every kind, some written byte by byte as their specifications say."""

import importlib.util
import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from diffuse_cli.images.image_io import (
    Levels,
    Picture,
    Source,
    to_levels,
    to_unit,
)

HAS_FORMATS = all(importlib.util.find_spec(name) for name in ("imagecodecs", "pillow_heif", "rawpy"))


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" a="\xc3\xa9"/></x:xmpmeta>'


XMP_UPRIGHT = XMP.replace(b'"6"', b'"1"')


def noise(height: int, width: int, channels: int, depth: int = 8, seed: int = 0) -> Levels:
    levels = np.random.default_rng(seed).integers(0, 2**depth, (height, width, channels))
    return levels.astype(np.uint8) if depth == 8 else levels.astype(np.uint16)


def picture(channels: int = 3, depth: int = 8, alpha: bool = False, source: Source | None = None) -> Picture:
    levels = noise(13, 9, channels + alpha, depth)
    return Picture(
        pixels=to_unit(levels[..., :channels], depth),
        alpha=levels[..., -1] if alpha else None,
        depth=depth,
        source=source or Source(),
    )


def smooth(mode: str = "RGB", size: tuple[int, int] = (24, 16)) -> Image.Image:
    """A picture that survives lossy coding well enough to be recognised, and looks different from every side."""
    x, y = np.meshgrid(np.linspace(0, 1, size[0]), np.linspace(0, 1, size[1]))
    colour = np.stack([x, y, x * y], -1) * 255
    return Image.fromarray(colour.astype(np.uint8)).convert(mode)


def levels_of(read: Picture) -> NDArray[Any]:
    levels = to_levels(read.pixels, read.depth)
    return levels if read.alpha is None else np.concatenate([levels, read.alpha[..., None]], -1)


def assert_same(a: Picture, b: Picture) -> None:
    assert a.depth == b.depth
    np.testing.assert_array_equal(levels_of(a), levels_of(b))


def described() -> Source:
    exif = Image.Exif()
    exif[271], exif[272], exif[274] = "Maker", "Model", 1
    exif[34665] = {33434: 0.01, 37500: b"maker note", 36864: b"0232"}
    exif[34853] = {1: "N", 2: (50.0, 30.0, 0.0)}
    return Source(icc=SRGB, exif=exif.tobytes()[6:], xmp=XMP_UPRIGHT, dpi=(300.0, 150.0))


def png(levels: NDArray[Any], bits: int, colour: int, *, interlaced: bool = False, trns: bytes = b"") -> bytes:
    """A PNG as the specification has it, unfiltered; levels (H, W, C)."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    def scanlines(part: NDArray[Any]) -> bytes:
        if bits == 4:
            part = (part[:, ::2] << 4) | part[:, 1::2]
        return b"".join(b"\0" + row.astype(">u2" if bits == 16 else "u1").tobytes() for row in part if row.size)

    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    parts = [levels[y::dy, x::dx] for y, x, dy, dx in passes] if interlaced else [levels]
    header = struct.pack(">IIBBBBB", levels.shape[1], levels.shape[0], bits, colour, 0, 0, interlaced)
    data = zlib.compress(b"".join(scanlines(part) for part in parts))
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + (chunk(b"tRNS", trns) if trns else b"")
        + chunk(b"IDAT", data)
        + chunk(b"IEND", b"")
    )


def tiff_directory(
    levels: NDArray[Any], *, prefix: bytes = b"II", photometric: int | None = None, extra: int | None = None
) -> bytes:
    """An uncompressed TIFF of one strip, of either byte order."""
    height, width, channels = levels.shape
    ifd = ImageFileDirectory_v2(prefix=prefix)
    ifd[256], ifd[257], ifd[277], ifd[278], ifd[259] = width, height, channels, height, 1
    ifd[258] = (8 * levels.itemsize,) * channels
    ifd[262] = photometric if photometric is not None else 2 if channels > 2 else 1
    if extra is not None:
        ifd[338] = extra
    ifd[273], ifd[279] = 0, levels.nbytes
    stream = io.BytesIO()
    ifd.save(stream)
    return stream.getvalue() + levels.astype(levels.dtype.newbyteorder("<" if prefix == b"II" else ">")).tobytes()
