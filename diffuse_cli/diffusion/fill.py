"""The smooth picture around which missing pixels are drawn: pull-push (Gortler et al. 1996, "The Lumigraph")."""

import math
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from ..degradation.operators import resize

Span = tuple[int, int]
"""A range of rows or columns: start, stop."""
Windows = Callable[[slice, slice], Tensor]
"""(rows, columns) -> the window of a picture there, (1, C, h, w)."""

_FINE_LEVELS = 3
"""Levels that are made anew for each window; so a 64th of a large picture is kept."""
_BLOCK_PIXELS = 1 << 20


def _pull(y: Tensor, known: Tensor, most: int = 64) -> tuple[list[Tensor], list[Tensor]]:
    """Return ever coarser means of the known pixels, from fine to 1 x 1.

    Args:
        y: (B, 3, H, W).
        known: (B, 1, H, W) bool.
        most: number of the coarsest level.

    Returns:
        the means (B, 3, h, w), and whether any pixel was known (B, 1, h, w), of each level.
    """
    means, weights = [torch.where(known, y, 0.0)], [known.to(y.dtype)]
    while max(weights[-1].shape[-2:]) > 1 and len(weights) <= most:
        h, w = weights[-1].shape[-2:]
        even = (0, w % 2, 0, h % 2)
        a = F.avg_pool2d(F.pad(weights[-1], even), 2)
        b = F.avg_pool2d(F.pad(means[-1], even), 2)
        weights.append((4 * a).clamp(max=1))
        means.append(b / a.clamp_min(1e-6) * weights[-1])
    return means, weights


def _up(x: Tensor, like: Tensor) -> Tensor:
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=False)


def pull_push(y: Tensor, sigma_y: Tensor) -> tuple[Tensor, Tensor]:
    """Fill the missing pixels from ever coarser means of the known ones.

    Args:
        y: (B, 3, H, W), [-1, 1] units; not read where it is missing.
        sigma_y: (B, 1, H, W), std of its noise; inf = missing.

    Returns:
        mu (B, 3, H, W), equal to y where it is known, and sigma_p (B, 1, H, W), the prior std of the picture around mu.
        sigma_p grows with the distance to the known pixels, as calibrated on photographs.
    """
    known = torch.isfinite(sigma_y)
    mu, level = _push(*_pull(y, known))
    return mu, _sigma_p(level, torch.where(known, sigma_y, 0.0))


def _push(means: list[Tensor], weights: list[Tensor], finest: int = 0) -> tuple[Tensor, Tensor]:
    """Return mu (B, 3, h, w) and level (B, 1, h, w) of the first of these levels, whose number is `finest`."""
    mu, level = means[-1], torch.full_like(weights[-1], float(finest + len(weights) - 1))
    for k in range(len(weights) - 2, -1, -1):
        w = weights[k]
        mu = means[k] + (1 - w) * _up(mu, w)
        level = (finest + k) * w + (1 - w) * _up(level, w)
    return mu, level


def _sigma_p(level: Tensor, noise: Tensor | float) -> Tensor:
    return ((0.06 * level**0.7) ** 2 + noise**2 + 0.01**2).sqrt()


class WindowedFill:
    """`pull_push` of a large picture window by window, equal to it up to rounding.

    Coarse levels are made at once, from blocks of the picture. The few finest are made for each window from the pixels
    around it. Pixel k of a level lies on those of the finer one from 2k, so windows that begin on multiples of 2^level
    have the picture's own levels.
    """

    def __init__(self, y: Windows, missing: Tensor, noise: Tensor | float = 0.0) -> None:
        """Read the whole picture once.

        Args:
            y: windows (1, 3, h, w) of the picture; not read where it is missing.
            missing: (H, W) bool.
            noise: std of the noise of the known pixels: a number or (1, 1, H, W).
        """
        self.y, self.missing, self.noise = y, missing, noise
        height, width = missing.shape
        top = math.ceil(math.log2(max(height, width)))
        self.fine = min(_FINE_LEVELS, top)
        self.sizes = [(-(-height // 2**k), -(-width // 2**k)) for k in range(self.fine + 1)]
        blocks = [self._coarse(rows, (0, width)) for rows in self._row_blocks()]
        means, weights = (torch.cat([block[i] for block in blocks], 2) for i in (0, 1))
        known = weights > 0
        self.mu, self.level = _push(*_pull(means, known), finest=self.fine)

    def _row_blocks(self) -> Iterator[Span]:
        height, width = self.sizes[0]
        step = max(_BLOCK_PIXELS // width >> self.fine, 1) << self.fine
        return ((top, min(top + step, height)) for top in range(0, height, step))

    def _pulled(self, rows: Span, columns: Span) -> tuple[list[Tensor], list[Tensor]]:
        window = slice(*rows), slice(*columns)
        return _pull(self.y(*window), ~self.missing[window][None, None], self.fine)

    def _coarse(self, rows: Span, columns: Span) -> tuple[Tensor, Tensor]:
        """Return the coarsest of the fine levels of a block. If nothing is missing, it is a plain mean."""
        window = slice(*rows), slice(*columns)
        side = 1 << self.fine
        height, width = rows[1] - rows[0], columns[1] - columns[0]
        if height % side or width < side or bool(self.missing[window].any()):
            means, weights = self._pulled(rows, columns)
            return means[-1], weights[-1]
        even = columns[0] + width // side * side
        pixels = self.y(window[0], slice(columns[0], even))[0].permute(1, 2, 0)
        sums = pixels.reshape(height // side, side, -1).sum(1)  # whole rows, which is fast
        mean = sums.reshape(height // side, width // side, side, 3).mean(2) / side
        found = mean.permute(2, 0, 1)[None], mean.new_ones(1, 1, *mean.shape[:2])
        if even == columns[1]:
            return found
        rest = self._coarse(rows, (even, columns[1]))
        return torch.cat([found[0], rest[0]], 3), torch.cat([found[1], rest[1]], 3)

    def window(self, rows: slice, columns: slice) -> tuple[Tensor, Tensor]:
        """Return mu (1, 3, h, w) and sigma_p (1, 1, h, w) of a window."""
        spans = [(_span_of(rows), _span_of(columns))]
        for k in range(self.fine):
            pairs = zip(spans[-1], self.sizes[k], self.sizes[k + 1], strict=True)
            spans.append(tuple(_reached(span, fine, coarse) for span, fine, coarse in pairs))  # type: ignore[arg-type]
        around = [_hull([s[axis] for s in spans], self.sizes[0][axis]) for axis in (0, 1)]
        means, weights = self._pulled(*around)
        wide = spans[-1]
        x = torch.cat([self.mu, self.level], 1)[..., slice(*wide[0]), slice(*wide[1])]
        for k in range(self.fine - 1, -1, -1):
            own = tuple(slice(a - (o[0] >> k), b - (o[0] >> k)) for (a, b), o in zip(spans[k], around, strict=True))
            w, v = weights[k][..., own[0], own[1]], means[k][..., own[0], own[1]]
            for axis, span in enumerate(spans[k]):
                x = _interpolated(
                    x, axis - 2, span, spans[k + 1][axis][0], self.sizes[k][axis], self.sizes[k + 1][axis]
                )
            x = torch.cat([v, k * w], 1) + (1 - w) * x
        noise = self.noise[..., rows, columns] if isinstance(self.noise, Tensor) else self.noise
        known = torch.where(self.missing[rows, columns], 0.0, noise)
        return x[:, :3], _sigma_p(x[:, 3:], known)


def _span_of(span: slice) -> Span:
    return int(span.start), int(span.stop)


def _source(at: Tensor, fine: int, coarse: int) -> Tensor:
    """Return where pixels of an axis of `fine` pixels lie on one of `coarse`, in torch's own arithmetic."""
    scale = torch.tensor(coarse / fine, dtype=torch.float32).double()
    return (scale * (at.double() + 0.5) - 0.5).clamp(0).float()  # rounded once, as a fused multiply-add does


def _reached(span: Span, fine: int, coarse: int) -> Span:
    """Return the coarser pixels that interpolation to a range of finer ones reads."""
    first, last = _source(torch.tensor([span[0], span[1] - 1]), fine, coarse).long().tolist()
    return first, min(last + 2, coarse)


def _hull(spans: list[Span], length: int) -> Span:
    """Return the finest pixels below ranges of every level, from and to multiples of the coarsest level's pixels."""
    unit = 1 << (len(spans) - 1)
    start = min(a << k for k, (a, _) in enumerate(spans))
    stop = max(b << k for k, (_, b) in enumerate(spans))
    return start // unit * unit, min(-(-stop // unit) * unit, length)


def _interpolated(x: Tensor, axis: int, span: Span, first: int, fine: int, coarse: int) -> Tensor:
    """Interpolate linearly to a range of the finer level; x begins with the coarser level's pixel `first`."""
    source = _source(torch.arange(*span), fine, coarse)
    low = source.long()
    share = source - low
    share = share[:, None] if axis == -2 else share
    high = (low + 1).clamp(max=coarse - 1)
    return torch.lerp(x.index_select(axis, low - first), x.index_select(axis, high - first), share)


def fill_guide(guide: Tensor, missing: Tensor, sigma_p: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Fill a guide with missing pixels at its own size, resize it, and fill it again.

    The first fill keeps what is missing from bleeding into its neighbours by the resizing. The second says how far the
    picture may be from it.

    Args:
        guide: (1, 3, h, w), [-1, 1] units.
        missing: (h, w) bool.
        sigma_p: (1, 1, 1, 1) or of the output's size, std of the picture around a whole guide.
        size: (H, W) of the output.

    Returns:
        mu (1, 3, H, W) and sigma_p (1, 1, H, W).
    """
    own = torch.where(missing, math.inf, 0.0)[None, None]
    large = resize(pull_push(guide, own)[0], size)
    mu, spread = pull_push(large, F.interpolate(own, size=size, mode="nearest"))
    return mu, (sigma_p**2 + spread**2 - 0.01**2).sqrt()
