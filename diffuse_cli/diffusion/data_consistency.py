"""Enlargements that are consistent: shrunk again, they are the picture that they were made from.

The shrinker A is `degradation.resize`: antialiased bicubic, half-pixel centres, in float. It is separable, A = R_h (x)
R_w, and so is its pseudo-inverse, R+ = R^T (R R^T)^-1. R R^T is banded, so each axis takes one Cholesky factor of five
diagonals, whatever the factor of the enlargement. The projection follows Wang, Yu and Zhang 2023 ("Zero-Shot Image
Restoration Using Denoising Diffusion Null-Space Model").
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..degradation.resampling import Shrinker, shrinker, taps
from ..system.arrays import copied, empty_array, row_blocks
from ..system.process import one_thread
from .denoiser import DenoiserFn

Floats = NDArray[np.float64]

_BAND = 4
"""Rows of R that are further apart have no tap in common: each reaches two pixels of the small picture either way."""
_MOST_ROUNDS = 300
_SLACK = 0.25
"""Levels of the small picture by which a result may miss it; it is known no better than to half a level."""
_DONE = 0.02
_PROGRESS, _PATIENCE = 0.98, 40
"""If so many rounds come no nearer by a fiftieth, no picture in the range shrinks to y, and the search ends."""


def _gram(first: NDArray[np.intp], weights: Floats) -> Floats:
    """Return the diagonals of R R^T, (5, n): [d, i] is row i times row i + d."""
    n, taps = weights.shape
    diagonals = np.zeros((_BAND + 1, n))
    for d in range(min(_BAND, n - 1) + 1):
        at = (first[d:] - first[: n - d])[:, None] + np.arange(taps)
        upper = np.take_along_axis(weights[: n - d], np.minimum(at, taps - 1), 1) * (at < taps)
        diagonals[d, : n - d] = (upper * weights[d:]).sum(1)
    return diagonals


def _factor(small: int, large: int) -> NDArray[np.float32] | None:
    """Return the Cholesky factor of R R^T, as LAPACK stores a band. None if nothing is shrunk."""
    if small == large:
        return None
    from scipy.linalg import cholesky_banded  # late, as all of scipy but ndimage: it would delay every start

    return np.asarray(cholesky_banded(_gram(*taps(small, large)), lower=True), np.float32)


def _solve(factor: NDArray[np.float32], b: NDArray[np.float32]) -> None:
    """Replace b (n, columns) by (R R^T)^-1 b, in blocks: a large picture lies in a mapped file."""
    from scipy.linalg import cho_solve_banded

    for columns in row_blocks(b.T):
        b[:, columns] = cho_solve_banded((factor, True), b[:, columns], check_finite=False)


def projection(y: Tensor, size: tuple[int, int]) -> Callable[[Tensor], Tensor]:
    """Return the function that maps x to the nearest picture that is y when it is shrunk: x + A+ (y - A x).

    Args:
        y: (1, C, h, w), the small picture.
        size: (H, W) of the pictures to project; at least y's.

    Returns:
        a function of x (1, C, H, W). Channels that are equal in x and in y stay equal.
    """
    small = (y.shape[-2], y.shape[-1])
    down, across = _factor(small[0], size[0]), _factor(small[1], size[1])
    shrinks = shrinker(small, size)

    @one_thread()
    def project(x: Tensor) -> Tensor:
        out = _empty(tuple(x.shape))
        missing = empty_array(small, np.float32)
        for given, before, after in zip(y[0], x[0], out[0], strict=True):  # channels: together they would be large
            for rows, part in shrinks.shrunk(before):
                missing[rows] = given[rows] - part
            if down is not None:
                _solve(down, missing)
            if across is not None:
                _solve(across, missing.T)
            for rows, part in shrinks.adjoint(torch.from_numpy(missing)):
                torch.add(before[rows], part, out=after[rows])
        return out

    return project


def consistent(denoise: DenoiserFn, project: Callable[[Tensor], Tensor]) -> DenoiserFn:
    """Return a denoiser whose estimates are all consistent.

    Args:
        denoise: the denoiser.
        project: see `projection`.
    """
    return lambda x, sigma: project(denoise(x, sigma))


@one_thread()
def within_range(x: Tensor, y: Tensor, depth: int) -> Tensor:
    """Return a consistent picture within [-1, 1], near one that leaves the range.

    Accelerated projected gradients (Beck and Teboulle 2009, FISTA) on the squared distance between A x and y. A quarter
    of a level counts as no distance. Nor does what lies beyond an end of the range where y is at that end: y was cut
    off there.

    Args:
        x: (1, C, H, W), consistent up to its range.
        y: (1, C, h, w), in [-1, 1].
        depth: bits in which y was stored.

    Returns:
        (1, C, H, W).
    """
    slack = _SLACK * 2 / (2**depth - 1)
    shrinks = shrinker((y.shape[-2], y.shape[-1]), (x.shape[-2], x.shape[-1]))
    steepest = _norm(y.shape[-2], x.shape[-2]) * _norm(y.shape[-1], x.shape[-1])
    out = _empty(tuple(x.shape))
    for begin, given, found in zip(x[0], y[0], out[0], strict=True):
        torch.clamp(begin, -1, 1, out=found)
        _descend(found, given, shrinks, slack, steepest)
    return out


def _empty(shape: tuple[int, ...]) -> Tensor:
    """Return a tensor of arbitrary content; a large one lies in a mapped file."""
    return torch.from_numpy(empty_array(shape, np.float32))


def _norm(small: int, large: int) -> float:
    """Return an upper bound of the largest eigenvalue of R R^T: the largest sum of a row (Gershgorin)."""
    if small == large:
        return 1.0
    gram = np.abs(_gram(*taps(small, large)))
    rows = gram[0].copy()
    for d in range(1, min(_BAND, small - 1) + 1):
        rows[: small - d] += gram[d, : small - d]
        rows[d:] += gram[d, : small - d]
    return float(rows.max())


def _descend(ahead: Tensor, y: Tensor, shrinks: Shrinker, slack: float, steepest: float) -> None:
    """Bring one channel (H, W) near to what shrinks to y (h, w), within the range; in place, block by block."""
    before, rest = torch.from_numpy(copied(ahead.numpy())), _empty(tuple(y.shape))
    t, best, idle = 1.0, math.inf, 0
    for _ in range(_MOST_ROUNDS):
        worst = 0.0
        for rows, part in shrinks.shrunk(ahead):
            rest[rows] = _residual(y[rows], part, slack)
            worst = max(worst, float(rest[rows].abs().max()))
        idle, best = (0, worst) if worst < _PROGRESS * best else (idle + 1, best)
        if worst <= _DONE * slack or idle > _PATIENCE:
            return
        t_after = (1 + math.sqrt(1 + 4 * t * t)) / 2
        for rows, upwards in shrinks.adjoint(rest):
            after = upwards.div_(steepest).add_(ahead[rows]).clamp_(-1, 1)
            step = (after - before[rows]).mul_((t - 1) / t_after)
            before[rows] = after
            torch.clamp(step.add_(after), -1, 1, out=ahead[rows])
        t = t_after
    ahead.copy_(before)


def _residual(y: Tensor, shrunk: Tensor, slack: float) -> Tensor:
    """Return y - shrunk without a part of a level, and without what lies beyond an end of the range that cut y off."""
    r = torch.nn.functional.softshrink(y - shrunk, slack)
    return torch.where(y >= 1, r.clamp_min(0), torch.where(y <= -1, r.clamp_max(0), r))
