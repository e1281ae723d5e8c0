"""What is known of a large picture, window by window: guides are resized and holes filled where they are looked at.

Each is a `WindowedObservation` (see denoiser): up to rounding, its windows are those of the picture's `Observation`.
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
    """A guide (1, 3, h, w) brought to the size (H, W) of the output; `base` has description and sigma_p."""

    base: Observation
    guide: Tensor
    size: tuple[int, int]

    @property
    def gray(self) -> bool:
        """As the base's."""
        return self.base.gray

    def crop(self, rows: slice, columns: slice) -> Observation:
        """A window of it."""
        return replace(self.base, mu=resize_window(self.guide, self.size, rows, columns))

    def spread(self) -> float:
        """The prior's std."""
        return self.base.spread()


@dataclass(frozen=True, kw_only=True, slots=True)
class Filled:
    """Pixels y (1, 3, H, W), some (H, W) missing, the others known up to noise of this std, a number or (H, W).

    Attributes:
        fill: of the missing ones.
        base: what it is beside that.
    """

    base: Observation
    y: Tensor
    missing: Tensor
    noise: float | Tensor
    fill: WindowedFill

    @property
    def gray(self) -> bool:
        """As the base's."""
        return self.base.gray

    def crop(self, rows: slice, columns: slice) -> Observation:
        """A window of it."""
        mu, sigma_p = self.fill.window(rows, columns)
        noise = self.noise[rows, columns] if isinstance(self.noise, Tensor) else self.noise
        sigma_y = torch.where(self.missing[rows, columns], math.inf, noise)[None, None]
        return replace(self.base, mu=mu, sigma_p=sigma_p, y=self.y[..., rows, columns], sigma_y=sigma_y)

    def spread(self) -> float:
        """That of the missing pixel that is farthest from the known ones."""
        shape = (self.missing.shape[0], self.missing.shape[1])
        tiles = plan_tiles(shape, _SIDE, self.missing.numpy())
        noise = float(self.noise[~self.missing].max()) if isinstance(self.noise, Tensor) else self.noise
        prior = math.hypot(noise, 0.01)  # around a known pixel
        known = prior * noise / math.hypot(prior, noise)
        return max([known, *(self.crop(tile.rows, tile.columns).spread() for tile in tiles)])


@dataclass(frozen=True, kw_only=True, slots=True)
class GuidedWithHoles:
    """A guide with holes at the output's size: filled at its own size, resized, filled again (see `fill_guide`)."""

    base: Observation
    fill: WindowedFill

    @property
    def gray(self) -> bool:
        """As the base's."""
        return self.base.gray

    def crop(self, rows: slice, columns: slice) -> Observation:
        """A window of it."""
        mu, spread = self.fill.window(rows, columns)
        return replace(self.base, mu=mu, sigma_p=(self.base.sigma_p**2 + spread**2 - 0.01**2).sqrt())

    def spread(self) -> float:
        """The prior's std where it is widest."""
        shape = (self.fill.missing.shape[0], self.fill.missing.shape[1])
        tiles = plan_tiles(shape, _SIDE, self.fill.missing.numpy())
        return max([self.base.spread(), *(self.crop(tile.rows, tile.columns).spread() for tile in tiles)])


def guided_with_holes(base: Observation, guide: Tensor, missing: Tensor, size: tuple[int, int]) -> GuidedWithHoles:
    """Args: guide (1, 3, h, w), missing (h, w) of it, size (H, W) of the output."""
    whole = filled_picture(guide, missing)
    fill = WindowedFill(lambda rows, columns: resize_window(whole, size, rows, columns), resized(missing, size))
    return GuidedWithHoles(base=base, fill=fill)


def filled(base: Observation, y: Tensor, missing: Tensor, noise: float | Tensor = 0.0) -> Filled:
    """Args: y (1, 3, H, W), missing (H, W), noise: std of that of the known pixels, or (H, W)."""
    around = noise[None, None] if isinstance(noise, Tensor) else noise
    fill = WindowedFill(lambda rows, columns: y[..., rows, columns], missing, around)
    return Filled(base=base, y=y, missing=missing, noise=noise, fill=fill)


def filled_picture(y: Tensor, missing: Tensor) -> Tensor:
    """A copy of y (1, 3, H, W) in host memory, with the fill where it is missing (H, W)."""
    fill = WindowedFill(lambda rows, columns: y[..., rows, columns], missing)
    out = copied_picture(y)
    for tile in plan_tiles((y.shape[-2], y.shape[-1]), _SIDE, missing.numpy()):
        out[..., tile.rows, tile.columns] = fill.window(tile.rows, tile.columns)[0]
    return out
