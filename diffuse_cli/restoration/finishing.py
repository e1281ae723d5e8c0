"""Estimate -> picture: how strongly, how consistently, and with which alpha."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..degradation.mask_shapes import resized
from ..degradation.operators import resize
from ..diffusion.data_consistency import projection, within_range
from ..diffusion.tiling import by_rows, empty_picture
from ..diffusion.windowed_observation import filled_picture
from ..images.image_io import Levels, Picture, to_levels, to_unit
from ..images.picture import ExtraChannels
from ..images.tensors import to_array, to_tensor
from ..images.units import luma
from ..system.arrays import copied, row_blocks
from .problem import Problem


def to_picture(picture: Picture, problem: Problem, estimate: Tensor, alpha: Levels | None = None) -> Picture:
    """Make the result of an estimate.

    Args:
        picture: the file's.
        problem: what is known about it, and what its result is to be.
        estimate: (1, 3, H, W), what `solve` returns.
        alpha: (H, W), if the size changes. None: it is interpolated.
    """
    picture, finish = problem.picture or picture, problem.finish
    y = to_tensor(extend_colour_under_alpha(picture).pixels)
    if problem.guide is not None and problem.guide.consistent:
        estimate = make_consistent(estimate, y, picture)
    if problem.size is None:
        beneath = y if finish.beneath is None else to_tensor(extend_colour_under_alpha(finish.beneath).pixels)
        estimate = blend(beneath, estimate, finish.strength, finish.chroma_strength)
    pixels = to_array(estimate, picture.pixels.shape[2])
    if finish.grain is not None:
        pixels = pixels + finish.grain
    if finish.tone is not None:
        pixels = to_array(finish.tone(to_tensor(pixels)), pixels.shape[2])
    if finish.uncoded:
        picture = replace(picture, source=replace(picture.source, jpeg=None))
    if picture.source.extra is not None and problem.size is not None:
        picture = replace(picture, source=replace(picture.source, extra=_extra_resized(picture, problem.size)))
    if picture.alpha is None:
        return replace(picture, pixels=pixels)
    if problem.size is not None:
        alpha = _resized(picture.alpha, picture.depth, problem.size) if alpha is None else alpha
        return replace(picture, pixels=pixels, alpha=alpha)
    hole, unseen = problem.hole, _unseen(picture.alpha)
    pixels = copied(pixels)  # what nobody sees is not changed
    np.copyto(pixels, picture.pixels, where=(unseen if hole is None else unseen & ~hole)[..., None])
    if hole is None or not finish.opaque:
        return replace(picture, pixels=pixels)
    filled = picture.alpha.copy()
    filled[hole] = 2**picture.depth - 1
    return replace(picture, pixels=pixels, alpha=filled)


def interpolate(sample: Tensor, mean: Tensor, fidelity: float) -> Tensor:
    """Return what lies between a sample and the mean: x_f = mean + (1 - f) (sample - mean).

    Its error is MSE(mean) + (1 - f)^2 (MSE(sample) - MSE(mean)), if the mean is the exact posterior mean. It is the
    straight line of Freirich et al. 2021 ("A theory of the distortion-perception tradeoff in Wasserstein space") with a
    posterior sample as its far end. Their far end, the mean's optimal transport onto the pictures, has half the
    sample's excess error, but cannot be computed.

    Args:
        sample: (1, 3, H, W).
        mean: (1, 3, H, W).
        fidelity: 0 = the sample, 1 = the mean.
    """
    return by_rows(lambda sample, mean: torch.lerp(sample, mean, fidelity), sample, mean)


def make_consistent(x: Tensor, y: Tensor, picture: Picture) -> Tensor:
    """Make an enlargement consistent with its picture, within the range if the file holds integers.

    Args:
        x: (1, 3, H, W), the enlargement.
        y: (1, 3, h, w), the picture.
        picture: the file's, which says how y was stored.
    """
    size = (x.shape[-2], x.shape[-1])
    x = projection(y, size)(x)
    bounded = not picture.floating and float(y.min()) >= -1 and float(y.max()) <= 1
    return within_range(x, y, picture.white.bit_length()) if bounded else x


def feather(whole: Tensor, filled: Tensor, hole: NDArray[np.bool_], cover: NDArray[np.float32]) -> Tensor:
    """Lay what was filled over what the picture would be without a hole. Outside the hole nothing changes.

    Args:
        whole: (1, 3, H, W), the picture without a hole.
        filled: (1, 3, H, W), the same with the hole filled.
        hole: (h, w), brought to their size.
        cover: (h, w), the share of the filling that counts, brought to their size.
    """
    size = (filled.shape[-2], filled.shape[-1])
    inside = resized(torch.from_numpy(hole), size)
    share = torch.from_numpy(cover)[None, None]
    share = share if share.shape[-2:] == size else F.interpolate(share, size=size, mode="bilinear")
    return torch.where(inside, torch.lerp(whole, filled, share), filled)


def blend(y: Tensor, estimate: Tensor, strength: float, chroma_strength: float) -> Tensor:
    """Move the picture towards the estimate, luma and chroma each by its own share.

    Args:
        y: (1, 3, H, W), the picture.
        estimate: (1, 3, H, W).
        strength: 0 = the picture, 1 = the estimate.
        chroma_strength: the same for chroma.
    """
    if strength == chroma_strength == 1:
        return estimate
    out = empty_picture((y.shape[-2], y.shape[-1]))
    for rows in row_blocks(out[0].permute(1, 2, 0).numpy()):
        before, after = y[..., rows, :], estimate[..., rows, :]
        change = after - before
        brighter = luma(change)
        both = before + strength * brighter + chroma_strength * (change - brighter)
        out[..., rows, :] = torch.lerp(before, after, strength) if strength == chroma_strength else both
    return out


def extend_colour_under_alpha(picture: Picture) -> Picture:
    """Carry the colour of what is opaque under what is fully transparent.

    The colour there is arbitrary, often black, and would show as a fringe when it is blurred into its neighbours.
    """
    if picture.alpha is None:
        return picture
    unseen = _unseen(picture.alpha)
    if not unseen.any() or unseen.all():
        return picture
    whole = filled_picture(to_tensor(picture.pixels), torch.from_numpy(unseen))
    return replace(picture, pixels=to_array(whole, picture.pixels.shape[2]))


def _unseen(alpha: Levels) -> NDArray[np.bool_]:
    unseen: NDArray[np.bool_] = alpha == 0
    return unseen


def _extra_resized(picture: Picture, size: tuple[int, int]) -> ExtraChannels | None:
    """Return the channels beside colour and alpha at the result's size, each by itself."""
    extra = picture.source.extra
    if extra is None:
        return None
    levels = extra.levels
    if levels.dtype.kind == "f":
        planes = resize(torch.from_numpy(np.moveaxis(levels.astype(np.float32), 2, 0))[None], size)[0].numpy()
        return replace(extra, levels=np.moveaxis(planes, 0, 2).astype(levels.dtype))
    depth = 8 * levels.dtype.itemsize
    resized: list[NDArray[Any]] = [_resized(plane, depth, size) for plane in np.moveaxis(levels, 2, 0)]
    return replace(extra, levels=np.stack(resized, axis=2))


def _resized(alpha: Levels, depth: int, size: tuple[int, int]) -> Levels:
    """Return the alpha at the result's size."""
    large = resize(torch.from_numpy(to_unit(alpha, depth))[None, None], size)[0, 0]
    return to_levels(large.numpy(), depth)
