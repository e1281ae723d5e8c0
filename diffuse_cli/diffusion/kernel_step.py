"""Data steps for a blur by any kernel, which is not separable: conjugate gradients, with honest borders.

In each part of the picture (A A^T + rho) u = y - A x is solved for u, and x + A^T u is the step (see data_step). The
part's own border needs no assumption: x beyond it is known. The picture's border is replicated, as the blur did it.
Without borders A is diagonal in the Fourier domain, and this is what the gradients are preconditioned by.
"""

import functools
from collections.abc import Callable
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor

from ..degradation.kernels import Kernel, convolved, fast_size, spectrum
from .tiling import Window, empty_picture, spans, widened

_SIDE: Final = 512
_MARGIN_REACHES: Final = 3
_ROUNDS, _NEAR = 40, 0.02
"""The most rounds of conjugate gradients, and the rest of the residual that ends them: less of it changed no result."""


def kernel_step(y: Tensor, kernel: Kernel, hole: Tensor | None = None) -> Callable[[Tensor, float], Tensor]:
    """Return the data step of a blur by a kernel.

    Args:
        y: (1, 3, H, W), the blurred picture.
        kernel: the blur.
        hole: (H, W), True where y is missing. None: nowhere.
    """
    size, margin = (y.shape[-2], y.shape[-1]), _MARGIN_REACHES * kernel.reach + 16
    spectrum_of = functools.cache(functools.partial(spectrum, kernel))
    parts = [
        _Part((rows, columns), size, margin, kernel.reach, spectrum_of)
        for rows in spans(0, size[0], _SIDE)
        for columns in spans(0, size[1], _SIDE)
    ]

    def step(x: Tensor, rho: float) -> Tensor:
        out = empty_picture(size)
        for part in parts:
            seen, around, kept = (..., *part.seen), (..., *part.around), (..., *part.kept)
            missing = y[seen] - part.blurred(x[around])
            if hole is not None:
                missing = missing.masked_fill(hole[part.seen], 0)
            moved = part.adjoint(part.solved(missing, rho))
            top, left = (k.start - a.start for k, a in zip(part.kept, part.around, strict=True))
            h, w = (k.stop - k.start for k in part.kept)
            out[kept] = x[kept] + moved[..., top : top + h, left : left + w]
        return out

    return step


class _Part:
    """A part of the picture: A from what is around it to what is seen there.

    Attributes:
        kept: rows and columns of the result.
        seen: the same with margins: rows and columns of y.
        around: rows and columns of x that it sees.
    """

    def __init__(
        self,
        kept: Window,
        size: tuple[int, int],
        margin: int,
        reach: int,
        spectrum_of: Callable[[tuple[int, int]], Tensor],
    ) -> None:
        self.kept = kept
        self.seen = _grown(kept, margin, size)
        self.around = _grown(self.seen, reach, size)
        # How much of what A needs lies beyond the picture, at the left, right, top and bottom.
        self._beyond = [
            reach - (seen.start - around.start) if at_start else reach - (around.stop - seen.stop)
            for seen, around in reversed(list(zip(self.seen, self.around, strict=True)))
            for at_start in (True, False)
        ]
        self._reach = reach
        self._size = (self.seen[0].stop - self.seen[0].start, self.seen[1].stop - self.seen[1].start)
        self._fast = fast_size(self._size[0] + 2 * reach, self._size[1] + 2 * reach)
        self._spectrum = spectrum_of(self._fast)

    def blurred(self, x: Tensor) -> Tensor:
        """Return A x (1, 3, h, w) of x (1, 3, H, W) around."""
        whole = convolved(F.pad(x, self._beyond, mode="replicate"), self._spectrum, self._fast)
        return self._cut(whole, 2 * self._reach)

    def adjoint(self, u: Tensor) -> Tensor:
        """Return A^T u (1, 3, H, W) of u (1, 3, h, w): what is replicated is added up."""
        beyond = 2 * self._reach
        whole = convolved(F.pad(u, (beyond, 0, beyond, 0)), self._spectrum.conj(), self._fast)
        left, right, top, bottom = self._beyond
        whole = _folded(whole[..., : self._size[0] + beyond, : self._size[1] + beyond], left, right)
        return _folded(whole.mT, top, bottom).mT

    def _cut(self, whole: Tensor, begin: int) -> Tensor:
        return whole[..., begin : begin + self._size[0], begin : begin + self._size[1]]

    def solved(self, b: Tensor, rho: float) -> Tensor:
        """Return (A A^T + rho)^-1 b, by conjugate gradients."""
        u, r = torch.zeros_like(b), b
        inverse = 1 / (self._spectrum.abs().square() + rho)
        z = self._preconditioned(r, inverse)
        p, before = z, (r * z).sum()
        least = _NEAR * float(b.norm())
        for _ in range(_ROUNDS):
            if float(r.norm()) <= least:
                break
            q = self.blurred(self.adjoint(p)) + rho * p
            a = before / (p * q).sum()
            u, r = u + a * p, r - a * q
            z = self._preconditioned(r, inverse)
            after = (r * z).sum()
            p, before = z + (after / before) * p, after
        return u

    def _preconditioned(self, r: Tensor, inverse: Tensor) -> Tensor:
        return self._cut(convolved(r, inverse, self._fast), 0)


def _folded(x: Tensor, before: int, after: int) -> Tensor:
    """Add the first and the last columns to the ones next to them, from which they were replicated."""
    inner = x[..., before : x.shape[-1] - after].clone()
    inner[..., 0] += x[..., :before].sum(-1)
    inner[..., -1] += x[..., x.shape[-1] - after :].sum(-1)
    return inner


def _grown(window: Window, by: int, size: tuple[int, int]) -> Window:
    rows, columns = window
    return widened(rows, by, size[0]), widened(columns, by, size[1])
