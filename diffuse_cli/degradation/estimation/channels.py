"""Over the channels of a picture, plane by plane: numpy takes several times as long for an axis of three numbers."""

from functools import reduce
from typing import Any, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

Number = TypeVar("Number", bound=np.number[Any])


def lowest(levels: NDArray[Number]) -> NDArray[Number]:
    """Return the least channel of each pixel, (H, W), of (H, W, C)."""
    return np.asarray(reduce(np.minimum, _planes(levels)))


def highest(levels: NDArray[Number]) -> NDArray[Number]:
    """Return the greatest channel of each pixel, (H, W), of (H, W, C)."""
    return np.asarray(reduce(np.maximum, _planes(levels)))


def mean(levels: NDArray[Any], dtype: DTypeLike | None = None) -> NDArray[Any]:
    """Return the mean of each pixel's channels, (H, W), of (H, W, C).

    Args:
        levels: floats.
        dtype: to compute in; None = as they are.
    """
    first, *others = _planes(levels)
    total = first.astype(levels.dtype if dtype is None else dtype)
    for plane in others:
        total += plane
    total /= levels.shape[2]
    return total


def _planes(levels: NDArray[Any]) -> list[NDArray[Any]]:
    return [levels[..., c] for c in range(levels.shape[2])]
