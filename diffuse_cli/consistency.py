"""Enlargements that are consistent: shrunk again, they are the picture that they were made from.

The shrinker A is `degradation.resize`: antialiased bicubic, half-pixel centres, in float. It is separable, A = R_h (x)
R_w, and so is its pseudo-inverse, R+ = R^T (R R^T)^-1, in which R R^T is banded: one Cholesky factor of five diagonals
for each axis, whatever the factor of the enlargement (Wang, Yu, Zhang 2023, "Zero-Shot Image Restoration Using
Denoising Diffusion Null-Space Model", for the projection).
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .degradation import resize
from .denoiser import Denoise
from .host_arrays import empty_array

Floats = NDArray[np.float64]

_BAND = 4
"""Rows of R further apart have no tap in common: each reaches two pixels of the small picture to either side."""
_MOST_ROUNDS = 300
_SLACK = 0.25
"""Of a level of the small picture, which is known no better than to half a level."""
_DONE = 0.02
_PROGRESS, _PATIENCE = 0.98, 40
"""What no picture in the range shrinks to is given up when so many rounds have not come nearer by a fiftieth."""


def shrinker(small: int, large: int) -> tuple[NDArray[np.intp], Floats]:
    """One axis of the shrinker, R: the first tap of each row (small,), and the weights from there on (small, taps).

    Keys' cubic with a = -0.5, stretched by the factor, cut off at the borders and normalised, as Pillow and torch do.
    """
    factor = large / small
    centres = factor * (np.arange(small) + 0.5)
    first = np.maximum((centres - 2 * factor + 0.5).astype(np.intp), 0)
    last = np.minimum((centres + 2 * factor + 0.5).astype(np.intp), large)
    taps = first[:, None] + np.arange(int((last - first).max()))
    t = np.abs(taps - centres[:, None] + 0.5) / factor
    near, far = (1.5 * t - 2.5) * t**2 + 1, ((-0.5 * t + 2.5) * t - 4) * t + 2
    weights = np.where(t < 1, near, np.where(t < 2, far, 0.0)) * (taps < last[:, None])
    return first, weights / weights.sum(1, keepdims=True)


def _gram(first: NDArray[np.intp], weights: Floats) -> Floats:
    """The diagonals of R R^T, (5, n): [d, i] is row i times row i + d."""
    n, taps = weights.shape
    diagonals = np.zeros((_BAND + 1, n))
    for d in range(min(_BAND, n - 1) + 1):
        at = (first[d:] - first[: n - d])[:, None] + np.arange(taps)
        upper = np.take_along_axis(weights[: n - d], np.minimum(at, taps - 1), 1) * (at < taps)
        diagonals[d, : n - d] = (upper * weights[d:]).sum(1)
    return diagonals


def _cholesky(gram: Floats) -> Floats:
    """L of R R^T = L L^T, (5, n): [d, i] is the entry of row i, column i - d."""
    lower = np.zeros_like(gram)
    for i in range(gram.shape[1]):
        for d in range(min(_BAND, i), -1, -1):
            j = i - d
            shared = sum(lower[d + k, i] * lower[k, j] for k in range(1, min(_BAND - d, j) + 1))
            rest = gram[d, j] - shared
            lower[d, i] = math.sqrt(rest) if d == 0 else rest / lower[0, j]
    return lower


def _solve(lower: Floats, b: NDArray[np.float32]) -> None:
    """(L L^T)^-1 b for b (n, columns), in place."""
    n = b.shape[0]
    rows = lower.astype(np.float32)
    for i in range(n):
        for d in range(1, min(_BAND, i) + 1):
            b[i] -= rows[d, i] * b[i - d]
        b[i] /= rows[0, i]
    for i in range(n - 1, -1, -1):
        for d in range(1, min(_BAND, n - 1 - i) + 1):
            b[i] -= rows[d, i + d] * b[i + d]
        b[i] /= rows[0, i]


def _factor(small: int, large: int) -> Floats | None:
    return None if small == large else _cholesky(_gram(*shrinker(small, large)))


def projection(y: Tensor, size: tuple[int, int]) -> Callable[[Tensor], Tensor]:
    """The nearest picture that is y when it is shrunk: x + A+ (y - A x).

    Args:
        y: (1, C, h, w), the small picture.
        size: (H, W) of the pictures to be projected; at least y's.
    Returns: a function of x (1, C, H, W); where C channels are equal in x and in y, they stay so.
    """
    down, across = _factor(y.shape[-2], size[0]), _factor(y.shape[-1], size[1])

    def project(x: Tensor) -> Tensor:
        out = _empty_like(x)
        for channel in range(x.shape[1]):  # one by one: the small pictures are many and the large ones large
            part = x[:, channel : channel + 1]
            missing = (y[:, channel : channel + 1] - resize(part, (y.shape[-2], y.shape[-1]))).numpy()[0, 0]
            if down is not None:
                _solve(down, missing)
            if across is not None:
                turned = np.ascontiguousarray(missing.T)
                _solve(across, turned)
                missing = np.ascontiguousarray(turned.T)
            out[:, channel : channel + 1] = part + _adjoint(torch.from_numpy(missing)[None, None], size)
        return out

    return project


def consistent(denoise: Denoise, project: Callable[[Tensor], Tensor]) -> Denoise:
    """A denoiser all of whose estimates are consistent."""
    return lambda x, sigma: project(denoise(x, sigma))


def _adjoint(r: Tensor, size: tuple[int, int]) -> Tensor:
    """A^T r."""
    large = torch.zeros(1, 1, *size)
    return _shrunk_and_adjoint(large, lambda _: r, (r.shape[-2], r.shape[-1]))[1]


def _shrunk_and_adjoint(
    x: Tensor, residual: Callable[[Tensor], Tensor], size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """`residual` of A x, and A^T of it: the shrinker is linear, so its gradient is its adjoint."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        small = resize(x, size)
    r = residual(small.detach())
    if small is x:
        return r, r
    return r, torch.autograd.grad(small, x, r)[0]


def within_range(x: Tensor, y: Tensor, depth: int) -> Tensor:
    """A consistent picture that keeps to [-1, 1], near one that does not.

    Accelerated projected gradients (Beck and Teboulle 2009, FISTA) on the squared distance between A x and y, of which
    a quarter of a level is let be; and where y is at an end of the range, what lies beyond: it was cut off there.

    Args:
        x: (1, C, H, W), consistent up to its range.
        y: (1, C, h, w), in [-1, 1].
        depth: bits in which y was stored.
    """
    slack = _SLACK * 2 / (2**depth - 1)
    steepest = _norm(y.shape[-2], x.shape[-2]) * _norm(y.shape[-1], x.shape[-1])
    out = _empty_like(x)
    for c in range(x.shape[1]):
        out[:, c : c + 1] = _within_range(x[:, c : c + 1], y[:, c : c + 1], slack, steepest)
    return out


def _empty_like(x: Tensor) -> Tensor:
    """(1, C, H, W) of arbitrary content; a large one lies in a mapped file."""
    return torch.from_numpy(empty_array(tuple(x.shape), np.float32))


def _norm(small: int, large: int) -> float:
    """Upper bound of the largest eigenvalue of R R^T: the largest sum of a row (Gershgorin)."""
    if small == large:
        return 1.0
    gram = np.abs(_gram(*shrinker(small, large)))
    rows = gram[0].copy()
    for d in range(1, min(_BAND, small - 1) + 1):
        rows[: small - d] += gram[d, : small - d]
        rows[d:] += gram[d, : small - d]
    return float(rows.max())


def _within_range(x: Tensor, y: Tensor, slack: float, steepest: float) -> Tensor:
    low, high = y <= -1, y >= 1
    size = (y.shape[-2], y.shape[-1])

    def residual(small: Tensor) -> Tensor:
        r = torch.nn.functional.softshrink(y - small, slack)
        return torch.where(high, r.clamp_min(0), torch.where(low, r.clamp_max(0), r))

    ahead = before = x.clamp(-1, 1)
    t, best, idle = 1.0, math.inf, 0
    for _ in range(_MOST_ROUNDS):
        r, upwards = _shrunk_and_adjoint(ahead, residual, size)
        worst = float(r.abs().max())
        idle, best = (0, worst) if worst < _PROGRESS * best else (idle + 1, best)
        if worst <= _DONE * slack or idle > _PATIENCE:
            return ahead
        after = (ahead + upwards / steepest).clamp_(-1, 1)
        t_after = (1 + math.sqrt(1 + 4 * t * t)) / 2
        ahead = (after + (t - 1) / t_after * (after - before)).clamp_(-1, 1)
        before, t = after, t_after
    return before
