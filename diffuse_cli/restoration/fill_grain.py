"""The grain of a picture beside its holes, given to what was filled: a smooth filling shows in a grainy print.

The network takes the noise away around a hole. What it took tells level, correlation and colour of the grain there.
What the filling already has of it, as pieces of the picture have, is not given again.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..degradation.noise_field import noise_field
from ..diffusion.inference import Run
from ..diffusion.tiling import copied_picture
from ..images.picture import Picture
from ..images.tensors import to_array
from ..images.units import LEVEL
from .problem import Problem
from .solve import solve
from .wide_holes.widths import window_of

AROUND: Final = 48
"""Pixels around what is filled that are looked at."""
LEAST: Final = 1.0 / LEVEL
"""Less grain than this is not given: a level of 8 bits."""
_BLOCK: Final = 512
"""Side of the squares of a picture that are handled at once."""
_LAGS: Final = 6
"""Pixels over which grain correlates at most."""
_PERIOD: Final = 32
"""Side of the square on which a spectrum is computed."""
_NEAR: Final = 16.0
"""Std in pixels of the weights by which the level beside a hole is measured."""
_WITHIN: Final = 3.0
"""The same for what the filling has of it."""
_KNOTS: Final = 6
"""Brightnesses for which the level is measured."""
_PRIOR: Final = 0.02
"""Weight of the level of the whole window where little of that brightness is near."""
_OUTLIER: Final = 3.5
"""Residuals above so many stds are edges."""
_STAGE: Final = 1 << 31
"""Number of the noise field, far from those of scales and steps."""
_PLANES: Final = ((3**-0.5,) * 3, (2**-0.5, 0.0, -(2**-0.5)), (6**-0.5, -2 * 6**-0.5, 6**-0.5))
"""Luma and two chromas, orthonormal."""


def with_grain(estimate: Tensor, picture: Picture, problem: Problem, run: Run) -> Tensor:
    """Give what was filled the grain that is beside it. The other pixels stay as they are.

    Args:
        estimate: (1, 3, H, W), what `solve` returns.
        picture: the file's.
        problem: what is known about it; `finish.fill_noise` is what the network is told of the grain.
        run: how to compute; its seed chooses the grain.

    Returns:
        (1, 3, H, W), the estimate itself if no grain is to be given.
    """
    if problem.finish.fill_noise is None or problem.hole is None or not run.settings.has_texture:
        return estimate
    gray = (problem.picture or picture).is_gray
    out = copied_picture(estimate)
    for window, fresh in _windows(problem.hole):
        hole = torch.from_numpy(problem.hole[window])
        x = estimate[..., window[0], window[1]]
        grain = _grain(x, hole, _denoised(x, problem, run, gray=gray), window, run.settings.seed, gray=gray)
        out[..., window[0], window[1]] += torch.where(torch.from_numpy(fresh), grain, 0.0)
    return out


def _windows(hole: NDArray[np.bool_]) -> Iterator[tuple[tuple[slice, slice], NDArray[np.bool_]]]:
    """Return windows (rows, columns), and the missing pixels of each that are in no other one."""
    h, w = hole.shape
    for top in range(0, h, _BLOCK):
        for left in range(0, w, _BLOCK):
            within = slice(top, top + _BLOCK), slice(left, left + _BLOCK)
            if hole[within].any():
                block = np.zeros_like(hole)
                block[within] = hole[within]
                window = window_of(block, AROUND, 1)
                yield window, block[window]


def _denoised(x: Tensor, problem: Problem, run: Run, *, gray: bool) -> Tensor:
    """Return a window (1, 3, h, w) without the noise that the network is told."""
    told = problem.finish.fill_noise
    assert told is not None
    window = Picture(pixels=to_array(x, 1 if gray else 3), depth=16, floating=True)
    return solve(Problem(observation=told), window, replace(run.of_mean(), progress=None))


def _grain(x: Tensor, hole: Tensor, denoised: Tensor, window: tuple[slice, slice], seed: int, *, gray: bool) -> Tensor:
    """Return the grain (1, 3, h, w) that a window's filling lacks.

    Args:
        x: (1, 3, h, w), with the filling.
        hole: (h, w) bool.
        denoised: (1, 3, h, w), x without noise.
        window: where it lies in the picture, which chooses the noise.
        seed: of the noise.
        gray: the channels are equal.
    """
    axes = torch.tensor(_PLANES)[: 1 if gray else 3]
    residual = torch.einsum("kc,bchw->bkhw", axes, x - denoised)
    bright = denoised.mean(1, keepdim=True)
    flat = ~hole[None, None] * _flatness(bright, residual, ~hole)
    if float(flat.sum()) < _PERIOD**2 / 4:
        return torch.zeros_like(x)
    level = _lacking(residual, bright, flat, hole)
    if not bool((level[0, 0][hole] > 0).any()):
        return torch.zeros_like(x)
    field = _correlated(_kernels(residual, flat), window, seed, gray=gray)
    return torch.einsum("kc,bkhw->bchw", axes, level * field).expand(-1, 3, -1, -1)


def _flatness(bright: Tensor, residual: Tensor, known: Tensor) -> Tensor:
    """Return weights (1, 1, h, w), 0 .. 1, of pixels that are not beside edges, where residuals hold the picture."""
    padded = F.pad(bright, (1, 1, 1, 1), mode="replicate")
    slope = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]).square()
    slope = (slope + (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]).square()).sqrt()
    usual = residual.square().sum(1)[0][known].mean().sqrt()
    return (-(slope / usual.clamp_min(1e-6)).square()).exp()


def _lacking(residual: Tensor, bright: Tensor, flat: Tensor, hole: Tensor) -> Tensor:
    """Return the std of the grain that the filling lacks, summed over the planes: (1, 1, h, w).

    Args:
        residual: (1, K, h, w), what was taken away.
        bright: (1, 1, h, w), brightness without noise.
        flat: (1, 1, h, w), weights of the pixels that tell the level.
        hole: (h, w) bool.
    """
    energy = residual.square().sum(1, keepdim=True)
    usual = float((energy * flat).sum() / flat.sum())
    energy = energy.clamp(max=_OUTLIER**2 * usual)
    usual = float((energy * flat).sum() / flat.sum())
    low, high = (float(bright[flat > 0].quantile(q)) for q in (0.02, 0.98))
    step = max(high - low, 0.1) / (_KNOTS - 1)
    wanted, total = torch.zeros_like(bright), torch.zeros_like(bright)
    for k in range(_KNOTS):
        of_brightness = (1 - (bright.clamp(low, max(high, low + 0.1)) - low - k * step).abs() / step).clamp_min(0)
        near = _blurred(torch.cat([energy, torch.ones_like(energy)], 1) * flat * of_brightness, _NEAR)
        wanted += of_brightness * (near[:, :1] + _PRIOR * usual) / (near[:, 1:] + _PRIOR)
        total += of_brightness
    wanted /= total
    missing = hole[None, None].to(energy.dtype)
    own = _blurred(energy * missing, _WITHIN) / _blurred(missing, _WITHIN).clamp_min(1e-6)
    channels = 1 if residual.shape[1] == 1 else 3
    enough = wanted > channels * LEAST**2
    return torch.where(enough, (wanted - own).clamp_min(0).sqrt(), 0.0) * missing


def _blurred(x: Tensor, std: float) -> Tensor:
    reach = math.ceil(3 * std)
    taps = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / std) ** 2)
    taps = (taps / taps.sum()).expand(x.shape[1], 1, 1, -1)
    x = F.conv2d(x, taps, padding=(0, reach), groups=x.shape[1])
    return F.conv2d(x, taps.mT, padding=(reach, 0), groups=x.shape[1])


def _kernels(residual: Tensor, flat: Tensor) -> Tensor:
    """Return filters (K, 1, n, n) that give white noise the grain's correlations; all squares sum to 1."""
    mask = (flat > math.exp(-1)).to(residual.dtype)
    mask = mask if float(mask.sum()) >= _PERIOD**2 / 4 else (flat > 0).to(residual.dtype)
    size = (residual.shape[-2] + _LAGS, residual.shape[-1] + _LAGS)
    inside = residual * mask

    def correlated(a: Tensor) -> Tensor:
        power = torch.fft.rfft2(a, s=size).abs().square()
        every = torch.fft.irfft2(power, s=size)
        return torch.roll(every, (_LAGS, _LAGS), (-2, -1))[..., : 2 * _LAGS + 1, : 2 * _LAGS + 1]

    pairs = correlated(mask)
    lags = torch.arange(-_LAGS, _LAGS + 1)
    taper = (1 - lags.abs() / (_LAGS + 1)).clamp_min(0)
    covariance = correlated(inside) / pairs.clamp_min(1) * torch.outer(taper, taper)
    periodic = torch.zeros(*covariance.shape[:2], _PERIOD, _PERIOD)
    periodic[..., : 2 * _LAGS + 1, : 2 * _LAGS + 1] = covariance
    periodic = torch.roll(periodic, (-_LAGS, -_LAGS), (-2, -1))
    spectrum = torch.fft.fft2(periodic).real.clamp_min(0)
    kernel = torch.fft.ifft2(spectrum.sqrt()).real
    kernel = torch.roll(kernel, (_LAGS, _LAGS), (-2, -1))[..., : 2 * _LAGS + 1, : 2 * _LAGS + 1]
    return kernel[0][:, None] / kernel.square().sum().sqrt().clamp_min(1e-12)


def _correlated(kernels: Tensor, window: tuple[slice, slice], seed: int, *, gray: bool) -> Tensor:
    """Return noise (1, K, h, w) of unit std, summed over the planes, that depends on seed and place alone."""
    size = tuple(span.stop - span.start + 2 * _LAGS for span in window)
    noise = noise_field(
        (size[0], size[1]), seed=seed, step=_STAGE, gray=gray, origin=(window[0].start, window[1].start)
    )
    white = torch.from_numpy(noise)[None, : len(kernels)]
    return F.conv2d(white, kernels, groups=len(kernels))
