"""Estimate -> the estimate within the intervals of the stored coefficients, flat areas without steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from ...degradation.resampling import resize_window
from ...diffusion.tiling import empty_picture
from ...images.picture import Picture
from ...images.units import LEVEL
from ...system.process import one_thread
from .canvas import SIDE, Canvas, Floats, coefficients, levels_of, plane_of, planes_of, repeated, shrunk
from .coding import Coding, Plane, coding_of
from .colour import guided
from .surface import Flags, continued, smoothest

_FINE: Final = 1.0
"""Steps of no more levels than this cannot be seen."""
_LIKE: Final = 1.5
"""Steps by which a pixel may differ from a surface and be as likely a part of it as not."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Band:
    """Rows of a picture and of its estimate.

    Attributes:
        rows: of the canvas.
        stored: coefficients of each plane, (rows, columns, 64).
        estimate: planes of the estimate, within the intervals.
    """

    rows: slice
    stored: list[Floats]
    estimate: list[Floats]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Surface:
    """The smoothest surface of a plane, by blocks.

    Attributes:
        means: (rows, columns), continued to blocks that are not on it.
        belief: (rows, columns), 0 .. 1.
    """

    means: Floats
    belief: Floats


@one_thread()
def within_intervals(
    x: Tensor, picture: Picture, quality: float, origin: tuple[int, int] | None, *, smooth: bool
) -> Tensor:
    """Move an estimate to where its blocks, coded again, are those of the picture, and take the steps out of skies.

    A coefficient was rounded, so the true one lies within half a step of it. Each estimate is projected into these
    intervals. Where only means of blocks were stored, the smoothest surface within the intervals has no steps. Where
    chroma fits a linear function of luma, it follows luma. If the pixels do not agree with the coder, nothing is done.

    Args:
        x: (1, 3, H, W), the estimate.
        picture: the JPEG, as it was read, or a picture that was one.
        quality: of the JPEG.
        origin: (row, column) where its blocks begin. None: as the file has them.
        smooth: take out steps, too; not from a sample, whose texture they would take along.
    """
    coding = coding_of(picture, quality, origin)
    if coding is None:
        return x
    gray = picture.is_gray
    work = _Work(x, picture, coding, channels=1 if gray else 3)
    out = empty_picture((x.shape[-2], x.shape[-1]))
    result = coding.as_coded(out[0].permute(1, 2, 0).numpy())
    smooth = smooth and any(coded.step > _FINE for coded in coding.planes)
    surfaces = work.surfaces() if smooth else [None] * len(coding.planes)
    for rows, around in work.canvas.bands():
        band = work.band(around)
        planes = work.finished(band, surfaces, smooth=smooth)
        inner = slice(rows.start - around.start, rows.stop - around.start)
        levels = levels_of([plane[inner] for plane in planes])
        work.canvas.paste(levels / np.float32(LEVEL) - np.float32(1), rows, result)
    return out


class _Work:
    """A picture, its estimate and its coding."""

    def __init__(self, x: Tensor, picture: Picture, coding: Coding, *, channels: int) -> None:
        self.planes: Sequence[Plane] = coding.planes
        self.estimate = coding.as_coded(x[0, :channels].permute(1, 2, 0).numpy())
        self.decoded = coding.as_coded(picture.pixels[..., :channels])
        self.canvas: Canvas = coding.canvas(*self.decoded.shape[:2])

    def band(self, rows: slice) -> _Band:
        """Read rows of the canvas."""
        decoded, estimate = (
            planes_of((self.canvas.cut(pixels, rows) + np.float32(1)) * np.float32(LEVEL))
            for pixels in (self.decoded, self.estimate)
        )
        stored = [coded.stored(plane) for coded, plane in zip(self.planes, decoded, strict=False)]
        return _Band(rows=rows, stored=stored, estimate=self.projected(estimate, stored, rows))

    def projected(self, planes: list[Floats], stored: list[Floats], rows: slice) -> list[Floats]:
        """Move the coefficients of whole blocks into their intervals. Planes of unknown coding stay."""
        moved = list(planes)
        for number, (coded, kept) in enumerate(zip(self.planes, stored, strict=True)):
            found, reach = coefficients(shrunk(planes[number], coded.cell)), coded.reach()
            off = np.clip(found, kept - reach, kept + reach) - found
            off *= self.canvas.whole(rows, coded.cell)[..., None]
            moved[number] = planes[number] + repeated(plane_of(off), coded.cell)
        return moved

    def surfaces(self) -> "list[_Surface | None]":
        """Find the smoothest surface of each plane. None: its steps are too fine to be seen."""
        means: list[list[Floats]] = [[] for _ in self.planes]
        stored: list[list[Floats]] = [[] for _ in self.planes]
        flat: list[list[Flags]] = [[] for _ in self.planes]
        for rows, around in self.canvas.bands():
            band = self.band(around)
            for number, coded in enumerate(self.planes):
                side = SIDE * coded.cell[0]
                inner = slice((rows.start - around.start) // side, (rows.stop - around.start) // side)
                kept, block = band.stored[number][inner], (side, SIDE * coded.cell[1])
                stored[number].append(kept[..., 0] / np.float32(SIDE))
                flat[number].append((kept[..., 1:] == 0).all(2))
                means[number].append(shrunk(band.estimate[number], block)[inner])
        whole = [np.concatenate(parts) for parts in flat]
        return [
            _surface(np.concatenate(stored[k]), np.concatenate(means[k]), _flat_in_luma(whole, k, coded.cell), coded)
            for k, coded in enumerate(self.planes)
        ]

    def finished(self, band: _Band, surfaces: "Sequence[_Surface | None]", *, smooth: bool) -> list[Floats]:
        """Return the planes of a band, finished."""
        if not smooth:
            return band.estimate
        planes = self._on_surfaces(band, surfaces)
        for number, coded in enumerate(self.planes[1:], start=1):
            if coded.step > _FINE:
                planes[number] = guided(planes[number], planes[0], coded.step)
        return self.projected(planes, band.stored, band.rows)

    def _on_surfaces(self, band: _Band, surfaces: "Sequence[_Surface | None]") -> list[Floats]:
        """Move pixels that look like a part of a surface onto it."""
        planes, unlike = list(band.estimate), np.zeros_like(band.estimate[0])
        drawn: list[tuple[int, Floats, Floats]] = []
        for number, (surface, coded) in enumerate(zip(surfaces, self.planes, strict=True)):
            if surface is None:
                continue
            height, belief = self._drawn(np.stack([surface.means, surface.belief]), band.rows)
            unlike += ((planes[number] - height) / np.float32(_LIKE * coded.step)) ** 2 / 2
            drawn.append((number, height, np.clip(belief, 0, 1)))
        like = np.exp(-unlike)
        for number, height, belief in drawn:
            planes[number] = planes[number] + belief * like * (height - planes[number])
        return planes

    def _drawn(self, blocks: Floats, rows: slice) -> Floats:
        """Return numbers of blocks (C, rows, columns) at each pixel of a band."""
        x = torch.from_numpy(np.ascontiguousarray(blocks))[None]
        return resize_window(x, self.canvas.size, rows, slice(0, self.canvas.size[1]))[0].numpy()


def _surface(stored: Floats, estimate: Floats, flat: Flags, coded: Plane) -> "_Surface | None":
    if coded.step <= _FINE:
        return None
    means, belief = smoothest(stored, estimate, flat, coded.step)
    return _Surface(means=continued(means, belief), belief=belief)


def _flat_in_luma(flat: Sequence[Flags], number: int, cell: tuple[int, int]) -> Flags:
    """Return which blocks of a plane are flat in luma, too: colour has its edges where luma has."""
    if number == 0:
        return flat[0]
    rows, columns = flat[number].shape
    luma = flat[0].reshape(rows, cell[0], columns, cell[1]).all((1, 3))
    both: Flags = flat[number] & luma
    return both
