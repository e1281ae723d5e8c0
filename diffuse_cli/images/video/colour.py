"""Decoded frames to pixels and back: Y'CbCr of any matrix and range, in floating point.

PyAV resamples chroma. The matrix is applied here, so that nothing is rounded or clipped in between.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .clip import Clip
from .library import AvFrame, pyav

_LUMA_WEIGHTS: Final = {1: (0.2126, 0.0722), 7: (0.212, 0.087), 9: (0.2627, 0.0593), 10: (0.2627, 0.0593)}
"""Shares of red and blue in luma, by matrix (ITU-T H.273, Table 4). All others are those of BT.601."""
_BT601: Final = (0.299, 0.114)


def pixels_of(frame: AvFrame, clip: Clip) -> NDArray[np.float32]:
    """Return a frame's pixels (H, W, 3 or 1) in [-1, 1]. Levels below black and above white lie outside.

    Args:
        frame: the decoded frame.
        clip: what it is a frame of.
    """
    planes = _planes(frame, clip)
    if clip.is_rgb:
        green, blue, red = (plane / np.float32(2**clip.bits - 1) for plane in planes)
        return np.ascontiguousarray(2 * np.stack([red, green, blue], axis=2) - 1)
    black, white, neutral, span = _levels(clip.bits, full_range=clip.full_range)
    y = (planes[0] - np.float32(black)) / np.float32(white - black)
    if clip.is_gray:
        return np.ascontiguousarray(2 * y[..., None] - 1)
    cb, cr = ((plane - np.float32(neutral)) / np.float32(span) for plane in planes[1:])
    kr, kb = _LUMA_WEIGHTS.get(clip.matrix, _BT601)
    red, blue = y + 2 * (1 - kr) * cr, y + 2 * (1 - kb) * cb
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    return np.ascontiguousarray(2 * np.stack([red, green, blue], axis=2) - 1)


def frame_of(pixels: NDArray[np.float32], clip: Clip, pixel_format: str, bits: int) -> AvFrame:
    """Return a frame of pixels; the inverse of `pixels_of`.

    Args:
        pixels: (H, W, 3 or 1) in [-1, 1].
        clip: tells the colours' matrix and range.
        pixel_format: of the frame.
        bits: of its channels.
    """
    unit, gray = (pixels.astype(np.float32) + np.float32(1)) / np.float32(2), pixel_format.startswith("gray")
    if pixel_format.startswith(("gbr", "bgr")):
        planes = [unit[..., channel] * (2**bits - 1) for channel in (1, 2, 0)]
    else:
        planes = _luma_and_chroma(unit, clip, bits)[: 1 if gray else 3]
    is_subsampled = pixel_format.startswith(("yuv420", "yuv422"))
    whole = pyav().VideoFrame(unit.shape[1], unit.shape[0], _deep(pixel_format))
    step, top = _unit(bits, gray=gray), 2**bits - 1
    for number, (there, plane) in enumerate(zip(whole.planes, planes, strict=True)):
        levels = plane.clip(0, top) if is_subsampled and number else np.rint(plane).clip(0, top)
        _array(there, 16)[...] = np.rint(levels * step)
    made = _converted(whole, pixel_format, clip)
    if pixel_format.startswith("yuv"):  # swscale's own depends on the range and on how chroma is resampled
        _array(made.planes[0], bits)[...] = np.rint(planes[0]).clip(0, top)
    return made


def _luma_and_chroma(unit: NDArray[np.float32], clip: Clip, bits: int) -> list[NDArray[np.float32]]:
    """Return luma and chroma of channels 0 = black .. 1 = white, in levels that are not rounded."""
    black, white, neutral, span = _levels(bits, full_range=clip.full_range)
    kr, kb = _LUMA_WEIGHTS.get(clip.matrix, _BT601)
    red, blue = unit[..., 0], unit[..., -1]
    y = red if unit.shape[2] == 1 else kr * red + (1 - kr - kb) * unit[..., 1] + kb * blue
    chroma = [(colour - y) / (2 * (1 - share)) * span + neutral for colour, share in ((blue, kb), (red, kr))]
    return [plane.astype(np.float32) for plane in (y * (white - black) + black, *chroma)]


def _levels(bits: int, *, full_range: bool) -> tuple[float, float, float, float]:
    """Return black, white, neutral chroma and chroma's span (ITU-T H.273, equations 20 to 31)."""
    factor = 2.0 ** (bits - 8)
    if full_range:
        return 0.0, 2.0**bits - 1, 128 * factor, 2.0**bits - 1
    return 16 * factor, 235 * factor, 128 * factor, 224 * factor


def _unit(bits: int, *, gray: bool) -> float:
    """Return what a level is in 16 bits as swscale makes them: shifted, or spread over the range."""
    return 65535 / (2**bits - 1) if gray else 2.0 ** (16 - bits)


def _deep(pixel_format: str) -> str:
    """Return the planar format of 16 bits and full resolution with the same kind of colours."""
    if pixel_format.startswith("gray"):
        return "gray16le"
    return "yuv444p16le" if pixel_format.startswith("yuv") else "gbrp16le"


def _planes(frame: AvFrame, clip: Clip) -> list[NDArray[np.float32]]:
    """Return a frame's planes in levels, all of full resolution. Luma is as it was decoded."""
    plain = frame if frame.format.name == clip.pixel_format else _converted(frame, clip.pixel_format, clip)
    unit = np.float32(_unit(clip.bits, gray=clip.is_gray))
    planes = [_array(p, 16).astype(np.float32) / unit for p in _converted(plain, _deep(clip.pixel_format), clip).planes]
    if not clip.pixel_format.startswith(("yuv420", "yuv422")):  # nothing was interpolated
        planes = [np.rint(plane) for plane in planes]
    if clip.pixel_format.startswith("yuv"):
        planes[0] = _array(plain.planes[0], clip.bits).astype(np.float32)
    return planes


def _array(plane: AvFrame, bits: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Return a plane's numbers (H, W), as they lie in memory."""
    if bits == 8:
        return np.frombuffer(plane, np.uint8).reshape(plane.height, -1)[:, : plane.width]
    return np.frombuffer(plane, np.uint16).reshape(plane.height, -1)[:, : plane.width]


def _converted(frame: AvFrame, pixel_format: str, clip: Clip) -> AvFrame:
    """Return a frame in another format, of the same matrix and range."""
    flags = pyav().video.reformatter.Interpolation
    how = flags.BICUBIC | flags.ACCURATE_RND | flags.FULL_CHR_H_INT | flags.FULL_CHR_H_INP
    same = 2 if clip.full_range else 1
    matrix = 5 if clip.matrix not in _LUMA_WEIGHTS else clip.matrix
    return frame.reformat(
        format=pixel_format, interpolation=how, src_color_range=same, dst_color_range=same, src_colorspace=matrix,
        dst_colorspace=matrix, threads=1,
    )  # fmt: skip
