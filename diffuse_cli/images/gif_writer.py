"""Animated GIFs (GIF89a): a palette for each frame, and one bit of transparency.

Pixels that stay keep their colour, so that still parts do not flicker. Colours are not dithered, for that is noise.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.GifImagePlugin import getdata

from .animation_writer import Box, Flags, Shown, box_of, clock
from .containers import GIF_XMP_HEAD, GIF_XMP_TRAILER
from .picture import Source

_CLEAR: Final = 255
"""The index that draws nothing, where a frame needs one. The others are colours."""
_MOST_COLOURS: Final = 256
_SAME: Final = 2
"""Levels by which a pixel may change and is not drawn again, in frames of more colours than a palette has."""
_JUDGED: Final = 1 << 14
"""Pixels that a palette is made from. Eight times as many gain 0.2 dB and take five times as long."""
_MOST_SIDE: Final = 65535
_MOST_TIME: Final = 65535
_KEEP, _CLEAR_BOX = 1, 2
"""What becomes of a frame when its time is over."""


def write_gif(stream: BinaryIO, frames: Iterator[Shown]) -> str:
    """Write an animation.

    Args:
        stream: written from its position on.
        frames: of one size.

    Returns:
        What was lost; "" = nothing.

    Raises:
        ValueError: a side of more than 65,535 pixels, or frames of different sizes.
    """
    ticks, canvas, seen = clock(10), None, next(frames, None)
    while seen is not None:
        following = next(frames, None)
        if canvas is None:
            canvas = _Canvas.of(seen)
            stream.write(_head(seen))
        drawn = canvas.draw(seen.levels, None if following is None else following.levels)
        data = getdata(
            drawn.image, drawn.box[:2], duration=10 * min(ticks(seen.frame), _MOST_TIME), disposal=drawn.disposal,
            include_color_table=True, **({} if drawn.is_full else {"transparency": _CLEAR}),
        )  # fmt: skip
        stream.writelines(data)
        seen = following
    stream.write(b";")
    return "" if canvas is None else canvas.lost()


def _head(shown: Shown) -> bytes:
    height, width = shown.levels.shape[:2]
    if max(height, width) > _MOST_SIDE:
        raise ValueError(f"a GIF has at most {_MOST_SIDE} pixels a side")
    plays = shown.frame.plays
    sides = width.to_bytes(2, "little") + height.to_bytes(2, "little")
    parts = [b"GIF89a" + sides + bytes([0x70, 0, 0])]
    if plays != 1:  # it counts repetitions; 0 = without end
        repeats = min(plays - 1, 65535) if plays else 0
        parts.append(b"!\xff\x0bNETSCAPE2.0\x03\x01" + repeats.to_bytes(2, "little") + b"\0")
    return b"".join([*parts, *_comment(shown.source), *_packet(shown.source.xmp)])


def _comment(source: Source) -> Iterator[bytes]:
    text = dict(source.texts).get("Comment", dict(source.texts).get("Description", "")).encode()
    if text:
        blocks = [text[at : at + 255] for at in range(0, len(text), 255)]
        yield b"!\xfe" + b"".join(bytes([len(block)]) + block for block in blocks) + b"\0"


def _packet(xmp: bytes) -> Iterator[bytes]:
    if xmp and b"\0" not in xmp:
        yield GIF_XMP_HEAD + xmp + GIF_XMP_TRAILER


@dataclass(frozen=True, kw_only=True, slots=True)
class _Drawn:
    """A frame as it is written.

    Attributes:
        image: of palette indices.
        box: where it lies.
        disposal: what becomes of it.
        is_full: every index is a colour.
    """

    image: Image.Image
    box: Box
    disposal: int
    is_full: bool


@dataclass(kw_only=True, slots=True)
class _Canvas:
    """What a viewer shows.

    Attributes:
        meant: (H, W, 3), the colours that were to be drawn.
        covered: (H, W), True where something is drawn.
        has_fewer_colours: some frame has more colours than a palette.
        has_soft_edges: some pixels are neither opaque nor clear.
    """

    meant: NDArray[np.uint8]
    covered: Flags
    has_fewer_colours: bool = False
    has_soft_edges: bool = False

    @classmethod
    def of(cls, shown: Shown) -> "_Canvas":
        """Return an empty one."""
        size = shown.levels.shape[:2]
        return cls(meant=np.zeros((*size, 3), np.uint8), covered=np.zeros(size, bool))

    def draw(self, levels: NDArray[np.uint8], following: NDArray[np.uint8] | None) -> _Drawn:
        """Draw what changes.

        Args:
            levels: (H, W, 1 to 4) of the frame.
            following: of the next one.
        """
        if any(one is not None and one.shape[:2] != self.covered.shape for one in (levels, following)):
            raise ValueError("its frames have different sizes")
        colours, opaque = _colours(levels), _opaque(levels)
        has_alpha = levels.shape[2] in (2, 4)
        if has_alpha:
            self.has_soft_edges = self.has_soft_edges or bool(((levels[..., -1] % 255) != 0).any())
        same = 0 if len(np.unique(_packed(colours[opaque]))) <= _MOST_COLOURS else _SAME
        far = np.abs(colours.astype(np.int16) - self.meant).max(axis=2) > same
        new = opaque & (far | ~self.covered)
        gone = np.zeros_like(new) if following is None else opaque & ~_opaque(following)
        box = box_of(new | gone)
        if not has_alpha and len(np.unique(_packed(colours[new]))) == _MOST_COLOURS and same == 0:
            box.of(new)[:] = True  # so that no index is needed that draws nothing
        is_full = not has_alpha and bool(box.of(new).all())  # else some readers take what is not covered for opaque
        indices, palette = self._indexed(box.of(colours), box.of(new), _MOST_COLOURS if is_full else _CLEAR)
        self.meant[new] = colours[new]
        self.covered |= new
        if gone.any():
            box.of(self.covered)[:] = False
        image = Image.fromarray(indices, "P")
        image.putpalette(palette.tobytes())
        disposal = _CLEAR_BOX if gone.any() else _KEEP
        return _Drawn(image=image, box=box, disposal=disposal, is_full=is_full)

    def _indexed(
        self, colours: NDArray[np.uint8], new: Flags, most: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Return the indices (h, w) of what is new in a box, and its palette (256, 3) of at most so many colours."""
        indices, palette = np.full(new.shape, _CLEAR, np.uint8), np.zeros((256, 3), np.uint8)
        found = colours[new]
        if not found.size:
            return indices, palette
        which: NDArray[Any]
        _, first, which = np.unique(_packed(found), return_index=True, return_inverse=True)
        own = found[first]
        if len(own) > most:
            self.has_fewer_colours = True
            own, nearest = _quantised(found, own, most)
            which = nearest[which]
        palette[: len(own)] = own
        indices[new] = which.reshape(-1)
        return indices, palette

    def lost(self) -> str:
        """Return what a GIF could not hold; "" = nothing."""
        lost = ["256 colours a frame"] if self.has_fewer_colours else []
        lost += ["transparent or opaque pixels only"] if self.has_soft_edges else []
        return f"a GIF has {' and '.join(lost)}; --format png or webp keeps all" if lost else ""


def _colours(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return levels[..., :1].repeat(3, axis=2) if levels.shape[2] < 3 else levels[..., :3]


def _packed(colours: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """Return colours (N, 3) as numbers."""
    red, green, blue = (colours[:, k].astype(np.uint32) for k in range(3))
    packed: NDArray[np.uint32] = red * np.uint32(65536) + green * np.uint32(256) + blue
    return packed


def _opaque(levels: NDArray[np.uint8]) -> Flags:
    return levels[..., -1] >= 128 if levels.shape[2] in (2, 4) else np.ones(levels.shape[:2], bool)


def _quantised(
    pixels: NDArray[np.uint8], colours: NDArray[np.uint8], count: int
) -> tuple[NDArray[np.uint8], NDArray[Any]]:
    """Return a palette of so many colours, and the nearest of them to each colour.

    Of Pillow's ways to make a palette, this one has the least error: an rms of 3.0 levels on photographs, where the
    octree has 4.1. Pillow's way to find the nearest colour loses another 0.4.

    Args:
        pixels: (N, 3).
        colours: (M, 3), those that are among them.
        count: of the palette's colours.
    """
    from scipy.spatial import cKDTree

    judged = pixels[:: -(-len(pixels) // _JUDGED)]
    made = Image.fromarray(judged[:, None]).quantize(
        count, Image.Quantize.MAXCOVERAGE, kmeans=1, dither=Image.Dither.NONE
    )
    palette = np.array(made.getpalette(), np.uint8).reshape(-1, 3)[:count]
    return palette, np.asarray(cKDTree(palette.astype(np.float64)).query(colours)[1])
