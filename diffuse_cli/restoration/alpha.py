"""Alpha of an enlarged cut-out, by the core: its edges are as sharp as those of the colours."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..degradation.operators import Degradation
from ..diffusion.inference import Run
from ..diffusion.model import Model
from ..images.picture import Levels, Picture, integers, to_levels, to_unit
from .problem import GuidePicture, Problem
from .solve import solve

_REACH = 5
"""Side of the square of the picture's pixels whose range bounds a pixel of the result."""


def near_range(alpha: NDArray[Any], size: tuple[int, int]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the lowest and the highest of an alpha near each pixel of a result.

    Args:
        alpha: (h, w).
        size: (height, width) of the result.
    """
    from scipy.ndimage import maximum_filter, minimum_filter  # late: every start would wait for it

    rows, columns = (np.arange(new) * old // new for new, old in zip(size, alpha.shape, strict=True))
    low, high = (found(alpha, _REACH, mode="nearest")[rows][:, columns] for found in (minimum_filter, maximum_filter))
    return low, high


def enlarged_alpha(picture: Picture, size: tuple[int, int], run: Run) -> Levels | None:
    """Return the alpha at the result's size: the posterior mean, within the range of what is near. None: there is none.

    Imported models have not learned cut-outs, so then there is none, too.

    So what is opaque or transparent all around stays so, to the bit.

    Args:
        picture: the file's.
        size: (height, width) of the result.
        run: how to compute.

    Raises:
        OutOfMemoryError: not even the smallest tile fits.
    """
    alpha, depth = picture.alpha, picture.depth
    if alpha is None or not isinstance(run.model, Model):
        return None
    low, high = near_range(alpha, size)
    if (low == high).all():
        return integers(low, depth)
    told = Degradation(scale=size[0] / alpha.shape[0])
    gray = Picture(pixels=to_unit(alpha, depth)[..., None], depth=depth)
    x = solve(Problem(observation=GuidePicture(degradation=told, size=size)), gray, run.of_mean())
    levels = to_levels(x[0].mean(0).clamp(-1, 1).numpy(), depth)
    return integers(np.clip(levels, low, high), depth)
