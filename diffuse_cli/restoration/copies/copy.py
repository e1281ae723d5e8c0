"""A copy on the reference's pixels, in its light."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...errors import PictureError
from ...images.picture import Picture
from ...images.units import LEVEL
from ..visible import unseen
from .described import Described
from .following import follow
from .lighting import match_light
from .placing import NoiseKept, is_shift, noise_kept, place, shown
from .registration import Map, Matrix, register, scale_of

Mask = NDArray[np.bool_]
Describe = Callable[[Picture], Described]


@dataclass(frozen=True, kw_only=True, slots=True)
class Copy:
    """A copy on the reference's pixels.

    Attributes:
        name: as messages call it.
        pixels: (H, W, C), in the reference's light, [-1, 1] units.
        known: (H, W), where it shows anything.
        what: what happened to it.
        matrix: (3, 3), from the reference to the copy.
        flow: (H, W, 2), by how much the reference's pixels moved before. None: not at all.
        scale: its pixels per pixel of the reference.
        kept: what became of its noise.
        prior: the variance of its noise now, as the estimators tell, [-1, 1] units.
        icc: its colour profile.
        own: (h, w, C), its own pixels in the reference's light. None: nobody asked for them.
    """

    name: str
    pixels: Map
    known: Mask
    what: Described
    matrix: Matrix
    scale: float
    kept: NoiseKept
    prior: float
    icc: bytes = b""
    flow: Map | None = None
    own: Map | None = None

    @property
    def is_interpolated(self) -> bool:
        """Whether its pixels lie between its file's."""
        return self.flow is not None or not is_shift(self.matrix)


def reference(name: str, picture: Picture, describe_it: Describe, *, keep_own: bool = False) -> Copy:
    """Return the copy that the others are registered to.

    Args:
        name: as messages call it.
        picture: as it was read.
        describe_it: tells what happened to it.
        keep_own: its own pixels are wanted, too.
    """
    hidden = unseen(picture)
    what = describe_it(picture)
    size = (picture.pixels.shape[0], picture.pixels.shape[1])
    return Copy(
        name=name, pixels=picture.pixels, known=np.ones(size, bool) if hidden is None else ~hidden, what=what,
        matrix=np.eye(3), scale=1.0, kept=noise_kept(np.eye(3), size, what.noise.grain or 0.0, 0),
        prior=(what.noise.level / LEVEL) ** 2, icc=picture.source.icc, own=picture.pixels if keep_own else None,
    )  # fmt: skip


def placed(
    name: str, picture: Picture, first: Copy, number: int, describe_it: Describe, *, keep_own: bool = False
) -> Copy | None:
    """Return a copy on the reference's pixels. None: it shows something else.

    Args:
        name: as messages call it.
        picture: as it was read.
        first: the reference.
        number: of the copy; its noise is drawn by it.
        describe_it: tells what happened to it.
        keep_own: its own pixels are wanted, too.

    Raises:
        PictureError: it is gray, and the reference is not.
    """
    pixels = _in_channels(name, picture.pixels, first)
    size = (first.pixels.shape[0], first.pixels.shape[1])
    of_copy = (pixels.shape[0], pixels.shape[1])
    found = register(_luma(first.pixels), _luma(pixels))
    if found is None:
        return None
    moved = place(pixels, found.matrix, size)
    known = shown(found.matrix, size, of_copy)
    light = match_light(first.pixels, moved, known & first.known)
    what = describe_it(picture)
    noise = math.hypot(first.what.noise.level, what.noise.level * math.sqrt(light.square))
    flow = follow(_luma(first.pixels), _luma(light.matched(moved)), known & first.known, noise)
    moved = moved if flow is None else place(pixels, found.matrix, size, flow)
    hidden = unseen(picture)
    if hidden is not None:
        known &= place(hidden.astype(np.float32), found.matrix, size, flow) < 0.01
    light = light if flow is None else match_light(first.pixels, moved, known & first.known)
    known &= ~light.clipped(moved)
    kept = noise_kept(found.matrix, size, what.noise.grain or 0.0, number)
    return Copy(
        name=name, pixels=light.matched(moved), known=known, what=what, matrix=found.matrix,
        scale=scale_of(found.matrix, size), kept=kept,
        prior=(what.noise.level / LEVEL) ** 2 * kept.variance * light.square, icc=picture.source.icc, flow=flow,
        own=light.matched(pixels) if keep_own else None,
    )  # fmt: skip


def _in_channels(name: str, pixels: Map, first: Copy) -> Map:
    """Return a copy's pixels with as many channels as the reference has."""
    channels = first.pixels.shape[2]
    if pixels.shape[2] == channels:
        return pixels
    if channels == 1:
        return _luma_of(pixels)[..., None]
    raise PictureError(f"{name}: is gray, and {first.name} has colours; give one that has them too, or leave it out")


def _luma_of(pixels: Map) -> Map:
    if pixels.shape[2] == 1:
        return pixels[..., 0]
    luma: Map = pixels @ np.array([0.299, 0.587, 0.114], np.float32)
    return luma


def _luma(pixels: Map) -> Map:
    """Return luma (H, W) in 8-bit levels."""
    return (_luma_of(pixels) + 1) * np.float32(LEVEL)
