"""A picture through a network that maps pictures to pictures, tile by tile: y -> x."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from ...degradation.operators import resize
from ..denoiser import symmetric
from ..inference import halved, is_out_of_memory
from ..settings import Settings
from ..tiling import Tile, empty_picture, plan_tiles
from .model import ForeignModel, log

Counter = Callable[[int], Callable[[], None]]
"""(tiles in all) -> a function to call after each."""
MOST_PASSES: Final = 6
"""Calls of an enlarger, one after the other, that reach any factor up to 8 with any scale from 2 on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """How a picture is computed.

    Attributes:
        settings: tiles, memory and ensemble.
        gray: the picture's channels are equal, so the result's are.
        quality: of the JPEG that the picture was, for networks that are told it. None: they find it.
        counter: counts tiles.
    """

    settings: Settings
    gray: bool = False
    quality: float | None = None
    counter: Counter = lambda total: lambda: None


def enlarged(model: ForeignModel, y: Tensor, size: tuple[int, int], call: Call) -> Tensor:
    """Enlarge a picture to any size: by the network's own scale, as often as it takes, then resized.

    Args:
        model: an enlarger.
        y: (1, 3, h, w), [-1, 1] units.
        size: (H, W) of the result.
        call: how to compute.

    Returns:
        (1, 3, H, W).
    """
    x = y
    for _ in range(MOST_PASSES):
        x = mapped(model, x, call)
        if x.shape[-2] >= size[0] and x.shape[-1] >= size[1]:
            break
    return x if (x.shape[-2], x.shape[-1]) == size else resize(x, size)


def mapped(model: ForeignModel, y: Tensor, call: Call) -> Tensor:
    """Return what the network makes of a picture. If memory runs out, tiles of half the side are tried.

    Args:
        model: the network on its device.
        y: (1, 3, h, w), [-1, 1] units.
        call: how to compute.

    Returns:
        (1, 3, h s, w s), [-1, 1] units, in host memory.

    Raises:
        OutOfMemoryError: not even the smallest tile fits.
    """
    size = (y.shape[-2], y.shape[-1])
    side = model.tile_side(call.settings, size)
    while True:
        try:
            return _in_tiles(model, y, call, plan_tiles(size, side, grid=model.grid))
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        # Here the error is gone, and with it the tensors of the calls that failed.
        side = halved(side or max(size))
        log.warning("out of memory; begun again with tiles of %d pixels", side)


def _in_tiles(model: ForeignModel, y: Tensor, call: Call, tiles: list[Tile]) -> Tensor:
    size, scale, tick = (y.shape[-2], y.shape[-1]), model.header.scale, call.counter(len(tiles))
    out = empty_picture((scale * size[0], scale * size[1]))
    for tile in tiles:
        rows, columns = tile.window(size)
        found = _computed(model, y[..., rows, columns], call)
        kept = [_scaled(span, scale) for span in tile.within(rows, columns)]
        out[..., _scaled(tile.rows, scale), _scaled(tile.columns, scale)] = found[..., kept[0], kept[1]]
        tick()
    return out


def _scaled(span: slice, scale: int) -> slice:
    return slice(scale * span.start, scale * span.stop)


def _computed(model: ForeignModel, y: Tensor, call: Call) -> Tensor:
    """Return what the network makes of a window (1, 3, h, w). A gray network computes each channel by itself."""
    told = []
    if model.header.conditioned == "quality" and call.quality is not None:
        told = [torch.full((1, 1), 1 - call.quality / 100)]

    def compute(x: Tensor) -> Tensor:
        return model.computed(x, *told)

    x = ((y + 1) / 2).contiguous()
    parts = [x] if model.header.channels == 3 else [x[:, :1]] if call.gray else [x[:, k : k + 1] for k in range(3)]
    made = torch.cat([symmetric(compute, part) if call.settings.ensemble else compute(part) for part in parts], 1)
    if call.gray:
        made = made.mean(1, keepdim=True)
    return 2 * made.expand(-1, 3, -1, -1) - 1


def filled(
    model: ForeignModel, y: Tensor, hole: Tensor, memory: int, *, gray: bool, ensemble: bool = False
) -> tuple[Tensor, int]:
    """Fill a hole by a network that is told the mask.

    Args:
        model: an inpainting network.
        y: (1, 3, h, w), [-1, 1] units; not read in the hole.
        hole: (h, w), True where the picture is missing; of some pixels, but not of all.
        memory: that the network may take, in bytes; for more the picture is shrunk.
        gray: the picture's channels are equal.
        ensemble: average the network over the eight symmetries of the square.

    Returns:
        (1, 3, h, w), y where there is no hole; and by what factor the picture was shrunk for the network.
    """
    h, w = y.shape[-2:]
    shrunk = max(math.ceil(math.sqrt(h * w * model.bytes_per_pixel / memory)), 1)
    small = (max(h // shrunk, 1), max(w // shrunk, 1))
    mask = hole[None, None].float()
    known = torch.where(hole, 0.0, (y + 1) / 2)
    if shrunk > 1:
        share = resize(1 - mask, small).clamp_min(0)
        known = (resize(known, small) / share.clamp_min(0.05)).clamp(0, 1)
        mask = (share < 0.999).float()
        known = known * (1 - mask)
    told = torch.cat([known.clamp(0, 1), mask], 1)

    def compute(x: Tensor) -> Tensor:
        return model.computed(x[:, :3], x[:, 3:])

    found = symmetric(compute, told) if ensemble else compute(told)
    if shrunk > 1:
        found = resize(found, (h, w))
    if gray:
        found = found.mean(1, keepdim=True)
    return torch.where(hole, 2 * found.expand(-1, 3, -1, -1) - 1, y), shrunk
