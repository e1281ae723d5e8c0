"""What is known of a large picture, window by window: guides are resized and holes filled where they are looked at.

Each class is a `WindowedObservation` (see denoiser). Up to rounding, its windows are those of the picture's
`Observation`.
"""

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..degradation.mask_shapes import resized
from ..degradation.resampling import resize_window
from .denoiser import Observation
from .fill import WindowedFill
from .tiling import copied_picture, plan_tiles

_SIDE = 1024
"""Of the windows in which whole pictures are looked through."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Guided:
    """A guide brought to the size of the output.

    Attributes:
        base: what is known beside it: cond and sigma_p.
        guide: (1, 3, h, w).
        size: (H, W) of the output.
    """

    base: Observation
    guide: Tensor
    size: tuple[int, int]

    @property
    def gray(self) -> bool:
        """Whether the picture's channels are equal."""
        return self.base.gray

    def crop(self, rows: slice, columns: slice) -> Observation:
        """Return the observation of a window."""
        return replace(self.base, mu=resize_window(self.guide, self.size, rows, columns))

    def spread(self) -> float:
        """The prior's std."""
        return self.base.spread()


@dataclass(frozen=True, kw_only=True, slots=True)
class Filled:
    """A picture with missing pixels.

    Attributes:
        base: what is known beside it.
        y: (1, 3, H, W), not read where it is missing.
        missing: (H, W) bool.
        noise: std of the noise of the other pixels: a number or (H, W).
        fill: the fill of the missing pixels.
    """

    base: Observation
    y: Tensor
    missing: Tensor
    noise: float | Tensor
    fill: WindowedFill

    @property
    def gray(self) -> bool:
        """Whether the picture's channels are equal."""
        return self.base.gray

    def crop(self, rows: slice, columns: slice) -> Observation:
        """Return the observation of a window."""
        mu, sigma_p = self.fill.window(rows, columns)
        noise = self.noise[rows, columns] if isinstance(self.noise, Tensor) else self.noise
        sigma_y = torch.where(self.missing[rows, columns], math.inf, noise)[None, None]
        return replace(self.base, mu=mu, sigma_p=sigma_p, y=self.y[..., rows, columns], sigma_y=sigma_y)

    def spread(self) -> float:
        """The std of the missing pixel that is farthest from the known ones."""
        shape = (self.missing.shape[0], self.missing.shape[1])
        tiles = plan_tiles(shape, _SIDE, self.missing.numpy())
        noise = float(self.noise[~self.missing].max()) if isinstance(self.noise, Tensor) else self.noise
        prior = math.hypot(noise, 0.01)  # around a known pixel
        known = prior * noise / math.hypot(prior, noise)
        return max([known, *(self.crop(tile.rows, tile.columns).spread() for tile in tiles)])


@dataclass(frozen=True, kw_only=True, slots=True)
class GuidedWithHoles:
    """A guide with holes: filled at its own size, resized, filled again (see `fill_guide`).

    Attributes:
        base: what is known beside it: cond and sigma_p.
        fill: the fill at the output's size.
    """

    base: Observation
    fill: WindowedFill

    @property
    def gray(self) -> bool:
        """Whether the picture's channels are equal."""
        return self.base.gray

    def crop(self, rows: slice, columns: slice) -> Observation:
        """Return the observation of a window."""
        mu, spread = self.fill.window(rows, columns)
        return replace(self.base, mu=mu, sigma_p=(self.base.sigma_p**2 + spread**2 - 0.01**2).sqrt())

    def spread(self) -> float:
        """The largest std of the prior."""
        shape = (self.fill.missing.shape[0], self.fill.missing.shape[1])
        tiles = plan_tiles(shape, _SIDE, self.fill.missing.numpy())
        return max([self.base.spread(), *(self.crop(tile.rows, tile.columns).spread() for tile in tiles)])


def guided_with_holes(base: Observation, guide: Tensor, missing: Tensor, size: tuple[int, int]) -> GuidedWithHoles:
    """Return what is known by a guide with holes.

    Args:
        base: what is known beside it: cond and sigma_p.
        guide: (1, 3, h, w), not read where it is missing.
        missing: (h, w) bool.
        size: (H, W) of the output.
    """
    whole = filled_picture(guide, missing)
    fill = WindowedFill(lambda rows, columns: resize_window(whole, size, rows, columns), resized(missing, size))
    return GuidedWithHoles(base=base, fill=fill)


def filled(base: Observation, y: Tensor, missing: Tensor, noise: float | Tensor = 0.0) -> Filled:
    """Return what is known of a picture with missing pixels.

    Args:
        base: what is known beside it.
        y: (1, 3, H, W), not read where it is missing.
        missing: (H, W) bool.
        noise: std of the noise of the other pixels: a number or (H, W).
    """
    around = noise[None, None] if isinstance(noise, Tensor) else noise
    fill = WindowedFill(lambda rows, columns: y[..., rows, columns], missing, around)
    return Filled(base=base, y=y, missing=missing, noise=noise, fill=fill)


def filled_picture(y: Tensor, missing: Tensor) -> Tensor:
    """Return a copy of a picture in host memory, with the fill where it is missing.

    Args:
        y: (1, 3, H, W).
        missing: (H, W) bool.
    """
    fill = WindowedFill(lambda rows, columns: y[..., rows, columns], missing)
    out = copied_picture(y)
    for tile in plan_tiles((y.shape[-2], y.shape[-1]), _SIDE, missing.numpy()):
        out[..., tile.rows, tile.columns] = fill.window(tile.rows, tile.columns)[0]
    return out
