"""Pictures with holes, filled for estimators that need whole pictures."""

import numpy as np
from numpy.typing import NDArray

_STEP = 16
"""Shifts are multiples of it, so that a JPEG's blocks stay where they are."""


def patched(x: NDArray[np.float32], hole: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Fill the holes with the nearest of what is a multiple of 16 pixels away from them.

    So noise, blocks and detail stay what they are. A smooth filling would read as a picture without noise. What has
    nothing known at such distances stays.

    Args:
        x: (H, W, C).
        hole: (H, W), True = missing.
    """
    from scipy.ndimage import distance_transform_edt  # late: every start would wait for it

    x, source = x.copy(), x
    for down in range(min(_STEP, hole.shape[0])):
        for across in range(min(_STEP, hole.shape[1])):
            phase = slice(down, None, _STEP), slice(across, None, _STEP)
            missing = hole[phase]
            if missing.any() and not missing.all():
                rows, columns = distance_transform_edt(missing, return_distances=False, return_indices=True)
                x[phase] = source[phase][rows, columns]
    return x


def _overlap(length: int, shift: int) -> tuple[slice, slice]:
    """Return where in a row of this length something lies after a shift, and where it lay before."""
    size = max(length - abs(shift), 0)
    near, far = slice(0, size), slice(length - size, length)
    return (far, near) if shift > 0 else (near, far)


def patched_points(x: NDArray[np.float32], hole: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Fill single missing pixels with one two pixels away, or as near as there is one.

    What is that near belongs to the same surface, so no edge comes of it, and its noise is another's.

    Args:
        x: (H, W, C).
        hole: (H, W), True = missing.
    """
    x, left, source, known = x.copy(), hole.copy(), x, ~hole
    h, w = hole.shape
    for distance in (2, 1, 3, 4, 5, 6):
        for down, across in ((0, 1), (1, 0), (0, -1), (-1, 0), (1, 1), (-1, -1), (1, -1), (-1, 1)):
            if not left.any():
                return x
            to, of = _overlap(h, down * distance), _overlap(w, across * distance)
            target, origin = (to[0], of[0]), (to[1], of[1])
            now = left[target] & known[origin]
            x[target][now] = source[origin][now]
            left[target] &= ~now
    return patched(x, left)
