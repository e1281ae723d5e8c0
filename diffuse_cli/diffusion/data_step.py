"""Data steps: a blur, and the shrinking after it, are undone exactly; the network does the rest.

The picture is y = A x0 + n, A linear and known, n white of std sigma_n. A data step takes an estimate x to

    argmin_z |y - A z|^2 / (2 sigma_n^2) + lambda |z - x|^2 / (2 sigma^2) = x + A^T (A A^T + rho)^-1 (y - A x),

rho = lambda sigma_n^2 / sigma^2. It alternates with the denoiser told sigma (Zhang et al. 2021, "Plug-and-Play Image
Restoration with Deep Denoiser Prior", equations 6a and 6b). Within a sampler it makes any solver guided (Zhu et al.
2023, "Denoising Diffusion Models for Plug-and-Play Image Restoration", zeta = 0).
"""

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..degradation.kernels import Kernel
from ..degradation.separable import Axis, axis
from ..system.process import one_thread
from .denoiser import DenoiserFn
from .kernel_step import kernel_step
from .shots_step import Shot, shots_step
from .tiling import empty_picture, spans, widened

DataStep = Callable[[Tensor, float], Tensor]
"""(x (1, 3, H, W), rho) -> the picture near x that explains y."""

WEIGHT: Final = 0.15
"""lambda of the rounds after the mean. Of .06 to 1 it measured best, from .12 on, with noise and without."""
FIRST_SIGMA, LAST_SIGMA = 0.15, 0.012
"""Sigma of the first and the last round. The last is never below 1.2 sigma_n."""
FIRST_SIGMA_OF_SHOTS: Final = 0.06
"""Shots need little of the network: they know most of the picture. 0.03 and 0.15 measured the same within 0.3 dB."""
WEIGHT_OF_KERNEL, FIRST_SIGMA_OF_KERNEL, ROUNDS_OF_KERNEL = 0.23, 0.4, 5
"""The same for kernels, whose rounds begin with the blurred picture, and by how many rounds they are more.

Motion of 15 pixels and a disk of radius 4, one level of noise: 0.12 measured 1.4 dB worse, half as many rounds 0.3 dB.
"""
_ROUNDING: Final = 0.29 / 127.5
"""Std of what rounding to 8 bits leaves, in [-1, 1] units."""
_SIDE: Final = 512
"""Side of the parts in which a picture is computed, without margins."""
_MARGIN_STDS, _MARGIN_SCALES = 10.0, 8.0
"""Margins of the parts: so many stds of the blur plus so many pixels of the small picture."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LinearDamage:
    """What is undone exactly.

    Attributes:
        y: (1, 3, h, w), the damaged picture.
        blur: std of the Gaussian in pixels of the result.
        kernel: a blur that is no Gaussian, in its place. Then nothing is shrunk.
        noise: std of what A x0 misses y by, [-1, 1] units. Rounding to 8 bits is added.
        hole: (h, w), True where y is missing. None: nowhere.
        shots: what is known in the place of y and its blur, if there are any.
    """

    y: Tensor
    blur: float
    noise: float
    hole: Tensor | None = None
    kernel: Kernel | None = None
    shots: tuple[Shot, ...] = ()

    @property
    def sigma_n(self) -> float:
        """Std of the noise, rounding included."""
        return math.hypot(self.noise, _ROUNDING)


def sigmas(rounds: int, sigma_n: float, first: float = FIRST_SIGMA) -> list[float]:
    """Return the sigmas of the rounds: a geometric series down to the noise.

    Args:
        rounds: how many.
        sigma_n: std of the noise.
        first: sigma of the first.
    """
    last = max(1.2 * sigma_n, LAST_SIGMA)
    first = max(first, last)
    return [last * (first / last) ** ((rounds - 1 - k) / max(rounds - 1, 1)) for k in range(rounds)]


def explained(denoise: DenoiserFn, step: DataStep, x: Tensor, damage: LinearDamage, rounds: int) -> Tensor:
    """Return an estimate after rounds of a data step and a denoiser call.

    Args:
        denoise: knows nothing of y.
        step: see `data_step`.
        x: (1, 3, H, W), the estimate to begin with.
        damage: what is undone.
        rounds: how many (see `rounds_of`).
    """
    begins, weight = (FIRST_SIGMA, WEIGHT) if damage.kernel is None else (FIRST_SIGMA_OF_KERNEL, WEIGHT_OF_KERNEL)
    begins = FIRST_SIGMA_OF_SHOTS if damage.shots else begins
    for sigma in sigmas(rounds, damage.sigma_n, begins):
        x = denoise(step(x, weight * (damage.sigma_n / sigma) ** 2), torch.tensor(sigma))
    return x


def rounds_of(damage: LinearDamage | None, rounds: int) -> int:
    """Return how many rounds are meant. A kernel takes more: the network has no estimate to begin with."""
    return 0 if damage is None else rounds if damage.kernel is None else rounds + ROUNDS_OF_KERNEL


def guided_by_data(denoise: DenoiserFn, step: DataStep, sigma_n: float) -> DenoiserFn:
    """Return a denoiser whose estimates all explain y, the less the larger sigma_n is beside sigma (lambda = 1)."""
    return lambda x, sigma: step(denoise(x, sigma), (sigma_n / float(sigma)) ** 2)


def data_step(damage: LinearDamage, size: tuple[int, int]) -> DataStep:
    """Return the data step of a blur and shrinking.

    A Gaussian and shrinking are separable, so one singular value decomposition an axis solves it exactly, with
    replicated borders. Large pictures are computed in parts with margins; parts of equal matrices share one.

    Args:
        damage: what is undone.
        size: (H, W) of the result.
    """
    if damage.shots:
        return shots_step(damage.shots, size)
    if damage.kernel is not None:
        return kernel_step(damage.y, damage.kernel, damage.hole)
    down, across = (
        _parts(axis(*pair, damage.blur), damage.blur) for pair in zip(damage.y.shape[-2:], size, strict=True)
    )

    def step(x: Tensor, rho: float) -> Tensor:
        out = empty_picture(size)
        for rows in down:
            for columns in across:
                moved = _correction(damage, x, rows, columns, rho)
                out[..., rows.kept, columns.kept] = x[..., rows.kept, columns.kept] + moved
        return out

    return step


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Decomposed:
    """A matrix M (m, n) = U S V^T, in single precision.

    Attributes:
        u: (m, k).
        s: (k,).
        vt: (k, n).
    """

    u: Tensor
    s: Tensor
    vt: Tensor


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Part:
    """A part of one axis, with its margins.

    Attributes:
        kept: pixels of the result.
        seen: pixels of y that are looked at.
        around: pixels of the result that y sees there.
        matrix: from `around` to `seen`.
    """

    kept: slice
    seen: slice
    around: slice
    matrix: _Decomposed


@one_thread()
def _parts(one: Axis, std: float) -> list[_Part]:
    """Cut an axis into parts of about equal length."""
    margin = math.ceil(_MARGIN_STDS * std + _MARGIN_SCALES * one.large / one.small)
    known: dict[tuple[tuple[int, ...], bytes], _Decomposed] = {}
    parts = []
    for kept in spans(0, one.large, _SIDE):
        seen = one.rows(widened(kept, margin, one.large))
        matrix = one.matrix(seen)
        key = matrix.shape, hashlib.sha256(matrix.round(12).tobytes()).digest()
        if key not in known:
            known[key] = _decomposed(matrix)
        parts.append(_Part(kept=kept, seen=seen, around=one.columns(seen), matrix=known[key]))
    return parts


def _decomposed(matrix: NDArray[np.float64]) -> _Decomposed:
    u, s, vt = (part.float() for part in torch.linalg.svd(torch.from_numpy(matrix), full_matrices=False))
    return _Decomposed(u=u.contiguous(), s=s, vt=vt.contiguous())


def _correction(damage: LinearDamage, x: Tensor, rows: _Part, columns: _Part, rho: float) -> Tensor:
    """Return A^T (A A^T + rho)^-1 (y - A x) for the pixels that are kept."""
    h, w = rows.matrix, columns.matrix
    s = h.s[:, None] * w.s
    y, shrunk = damage.y[..., rows.seen, columns.seen], s * (h.vt @ x[..., rows.around, columns.around] @ w.vt.T)
    if damage.hole is not None:
        y = torch.where(damage.hole[rows.seen, columns.seen], h.u @ shrunk @ w.u.T, y)
    inner = s / (s * s + rho) * (h.u.T @ y @ w.u - shrunk)
    kept = [slice(p.kept.start - p.around.start, p.kept.stop - p.around.start) for p in (rows, columns)]
    return h.vt[:, kept[0]].T @ inner @ w.vt[:, kept[1]]
