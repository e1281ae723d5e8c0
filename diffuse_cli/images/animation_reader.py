"""Frames of animated GIF, APNG and WebP files, each composed to the whole picture that is seen.

Pillow applies what a file says of disposal and blending. All frames get the same channels.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFile

from ..errors import PictureError
from ..system.arrays import equal_channels
from .containers import gif_boxes
from .metadata import orientation, source_of
from .picture import Frame, Picture, Source, to_unit, upright
from .pillow_reader import PillowReader, coding, plain_levels

_DEEP: Final = ("I;16", "I;16B", "RGB;16B", "RGBA;16B", "LA;16B")
"""Raw modes of PNGs of 16 bits, whose frames Pillow composes at 8."""


_BEYOND: Final = "an animation with frames beyond its borders; save its frames as single pictures"
_GRAYS: Final = ("1", "L", "LA", "P")
"""Modes in which a picture of grays is a gray picture."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Survey:
    """What holds for all frames.

    Attributes:
        count: of the frames that can be read.
        is_cut: there were more, which cannot be read.
        has_alpha: some pixel of a frame is transparent.
        is_gray: no frame has colour.
    """

    count: int
    is_cut: bool
    has_alpha: bool
    is_gray: bool


def read_frames(reader: PillowReader, max_pixels: int) -> Iterator[tuple[Picture, int]]:
    """Yield the frames of an animation, and how many there are. They are decoded one by one.

    All of them are decoded twice: first to find out what they have in common, and which of them are damaged. A damaged
    frame ends the animation.

    Args:
        reader: of the file.
        max_pixels: the most that all frames may have together.

    Raises:
        PictureError: there are more, or samples of 16 bits.
        ValueError: not even the first frame can be read.
    """
    image, found = _survey(reader, max_pixels)
    source, turn = source_of(image, reader.file), orientation(image)
    image = reader.opened(max_pixels)
    for number in range(found.count):
        levels = upright(_alike(_shown(image, number, image.size), found, gray=found.is_gray and not source.icc), turn)
        yield (
            _picture(levels, replace(source, frame=_frame(image, number, found)), has_alpha=found.has_alpha),
            found.count,
        )


def _survey(reader: PillowReader, max_pixels: int) -> tuple[ImageFile.ImageFile, _Survey]:
    """Decode all frames. Return the file as it is opened then, too."""
    image = reader.opened(max_pixels)
    if coding(image)[1] in _DEEP:
        raise PictureError("an animation of 16 bits per channel; convert it to 8 bits first")
    has_alpha, is_gray, is_cut, size = False, image.mode in _GRAYS, False, image.size
    frames = getattr(image, "n_frames", 0) if image.format != "GIF" else 0  # a GIF does not tell
    if image.format == "GIF" and any(box[2] > size[0] or box[3] > size[1] for box in gif_boxes(reader.file)):
        raise PictureError(_BEYOND)
    for number in count():
        if number and number == frames:
            break
        _check_total(size, frames, max_pixels)
        try:
            levels = _shown(image, number, size)
        except EOFError:
            is_cut = frames > 0
            break
        except ValueError:
            if number == 0:
                raise
            is_cut = True
            break
        _check_total(size, number + 1, max_pixels)
        has_alpha = has_alpha or (levels.shape[2] in (2, 4) and int(levels[..., -1].min()) < 255)
        is_gray = is_gray and (levels.shape[2] < 3 or _equal(levels))
    if number == (1 if getattr(image, "default_image", False) else 0):
        raise ValueError("it has no frames")
    return image, _Survey(count=number, is_cut=is_cut, has_alpha=has_alpha, is_gray=is_gray)


def _check_total(size: tuple[int, int], frames: int, max_pixels: int) -> None:
    if size[0] * size[1] * frames > max_pixels:
        raise PictureError(
            f"an animation of {frames} or more frames of {size[0]}x{size[1]}, more than {max_pixels / 1e6:g} million "
            "pixels in all, the limit; raise it with --max-pixels, or cut the animation into parts first"
        )


def _shown(image: ImageFile.ImageFile, number: int, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return the levels of a frame, (H, W, 1 to 4).

    Raises:
        EOFError: there is no such frame.
        PictureError: it is larger than the animation's size.
        ValueError: it is damaged.
    """
    try:
        image.seek(number)
        if image.size != size:  # which the frame would grow to
            raise PictureError(_BEYOND)
        rawmode = coding(image)[1] if number == 0 else image.mode  # later, Pillow has applied it
        image.load()
        return plain_levels(image, rawmode)
    except (EOFError, MemoryError, PictureError):
        raise
    except Exception as error:  # decoders meet broken frames with a dozen different types
        if isinstance(error, OSError) and error.errno:
            raise
        raise ValueError(f"frame {number + 1} cannot be read") from error


def _equal(levels: NDArray[np.uint8]) -> bool:
    """Return whether the colours of a frame are grays."""
    return equal_channels(levels[..., :3])


def _alike(levels: NDArray[np.uint8], found: _Survey, *, gray: bool) -> NDArray[np.uint8]:
    """Return a frame with the channels that all frames get."""
    colours = levels[..., :1] if gray or levels.shape[2] < 3 else levels[..., :3]
    if not gray and colours.shape[2] == 1:
        colours = np.repeat(colours, 3, axis=2)
    if not found.has_alpha:
        return colours
    alpha = levels[..., -1:] if levels.shape[2] in (2, 4) else np.full_like(levels[..., :1], 255)
    return np.concatenate([colours, alpha], axis=2)


def _frame(image: ImageFile.ImageFile, number: int, found: _Survey) -> Frame:
    """Return how a decoded frame is shown."""
    info: dict[Any, Any] = image.info
    is_still = number == 0 and image.format == "PNG" and bool(getattr(image, "default_image", False))
    loop = info.get("loop")
    plays = int(loop or 0)
    if image.format == "GIF":  # it counts repetitions, and is shown once if it says nothing
        plays = 1 if loop is None else plays + 1 if plays else 0
    duration = 0.0 if is_still else float(info.get("duration") or 0)
    return Frame(duration=duration, plays=plays, is_still=is_still, is_cut=found.is_cut)


def _picture(levels: NDArray[np.uint8], source: Source, *, has_alpha: bool) -> Picture:
    colours = levels.shape[2] - has_alpha
    alpha = np.ascontiguousarray(levels[..., -1]) if has_alpha else None
    return Picture(pixels=to_unit(levels[..., :colours], 8), alpha=alpha, source=source)
