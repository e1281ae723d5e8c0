"""Row noise: offsets that are the same along a whole row of the picture, of amplifiers, scanners and interference.

Along a row, different parts of the picture have nothing in common but its offset. So the differences between
neighbouring rows are read in several parts, side by side. Where they agree in nearly all rows and parts, and where
nothing returns at a distance as stripes do, there is row noise. Hum is a sine down the picture, of one phase in all
parts. Column noise is the same of the picture turned.
"""

from dataclasses import dataclass, replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...system.arrays import equal_channels
from .blocks import WHITE, at_ends

Floats = NDArray[np.float64]
Levels = NDArray[np.float32]

_PARTS: Final = 8
"""Of a row, side by side."""
_COLUMNS: Final = 64
"""Of a part that are read to find row noise."""
_KNOWN: Final = 0.5
"""Of a part's pixels. On white paper offsets do not show, and ink alone tells nothing."""
_FEWEST_PARTS, _PARTS_OF_HUM = 3, 5
_MORE_COLUMNS: Final = 256
"""The same to tell the offsets."""
_LEAST_SIDE: Final = 64
_LEAST_LEVEL, _MOST_LEVEL = 0.8, 25.0
"""Levels; weaker offsets are not told from rounding, stronger ones are taken for a part of the picture."""
_AGREEMENT: Final = 0.14
"""Of signs in parts that do not touch. Of 142 photographs none has 0.1 and `_LEAST_LEVEL`."""
_CHANCE: Final = 4.0
"""Stds by which signs that are drawn may agree."""
_RETURN: Final = 0.25
"""Correlation of the offsets with those of other rows, from three rows on. Stripes of the picture have more."""
_ALTERNATING: Final = (-0.85, -0.3)
"""Correlation with the next row's. Of independent offsets it is -2/3."""
_LAGS: Final = 3
"""Rows that are compared with each row, to tell its offset."""
_TREND: Final = 15
"""Rows over which differences that stay are the picture's own."""
_DOUBT: Final = 4.0
"""By what the variance of differences is multiplied, since the picture's own go together. Measured, as the two above:
0.37 of offsets of 10 levels is left, 0.48 of 4, 0.62 of 2."""
_OUTLIER: Final = 6.5
"""Differences of more stds of the offsets are edges of the picture."""
_COHERENCE: Final = 20.0
"""Power of a sine that all parts have, over that of their differences."""
_PEAK: Final = 4.5
"""Amplitude of hum, over the median of the frequencies around it."""
_HARMONIC: Final = 0.35
"""Of hum's amplitude. Stripes of the picture have more."""
_LEAST_CYCLES: Final = 4
"""Of hum in the picture."""
_LEAST_PERIOD, _MOST_PERIOD = 4, 48
"""Of hum, in pixels."""
_STRIP: Final = 3
"""Columns of a strip. Hum is in nearly all strips, an ornament that repeats in some."""
_LEAST_IN_STRIPS: Final = 0.33
"""Of hum's amplitude, in all but a fifth of the strips."""
_END: Final = 1e-3
"""Levels from the ends of the range that are the end."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RowNoise:
    """Offsets of rows or columns.

    Attributes:
        offsets: (H, C) of rows, (W, C) of columns, in levels.
        level: their std, in levels.
        by_columns: they are of columns.
        period: of hum, in pixels; None: the offsets are random.
    """

    offsets: Levels
    level: float
    by_columns: bool
    period: float | None = None

    @property
    def name(self) -> str:
        """What it is called."""
        return "hum" if self.period is not None else "column noise" if self.by_columns else "row noise"


def find_row_noise(levels: Levels, opaque: NDArray[np.bool_] | None = None) -> tuple[RowNoise, ...]:
    """Find the offsets of rows, then those of columns.

    Args:
        levels: (H, W, C), 0..255.
        opaque: (H, W), True where the picture is seen. None: everywhere.
    """
    found: list[RowNoise] = []
    if min(levels.shape[:2]) < _LEAST_SIDE:
        return ()
    for by_columns in (False, True):
        rows = _read(levels, opaque, by_columns=by_columns)
        for search in (_hum, _random):
            one = search(rows, by_columns=by_columns)
            if one is not None:
                found.append(one)
                levels = without(levels, one)
                rows = _read(levels, opaque, by_columns=by_columns)
    return tuple(found)


def _read(levels: Levels, opaque: NDArray[np.bool_] | None, *, by_columns: bool) -> "_Rows":
    turned = levels.transpose(1, 0, 2) if by_columns else levels
    seen = opaque.T if by_columns and opaque is not None else opaque
    channels = levels.shape[2]
    planes = [_Plane(turned[..., c], seen) for c in range(1 if equal_channels(levels) else channels)]
    return _Rows(planes, [_parts(plane, _COLUMNS) for plane in planes], channels)


def without(levels: Levels, noise: RowNoise) -> Levels:
    """Return a picture without the offsets of its rows or columns.

    Of a pixel that an offset took to an end of the range, only that is known. It gets what its neighbours have.

    Args:
        levels: (H, W, C), 0..255.
        noise: what was found in it.
    """
    if noise.by_columns:
        return without(levels.transpose(1, 0, 2), replace(noise, by_columns=False)).transpose(1, 0, 2).copy()
    offset = noise.offsets[:, None]
    low, high = (levels <= _END) & (offset < 0), (levels >= WHITE - _END) & (offset > 0)
    clean = levels - offset
    known = np.where(low, 0, np.where(high, WHITE, clean)).astype(np.float32)
    padded = np.pad(known, ((1, 1), (0, 0), (0, 0)), mode="edge")
    near = (padded[:-2] + padded[2:]) / 2
    clean = np.where(low, np.clip(near, 0, -offset), clean)
    return np.where(high, np.clip(near, WHITE - offset, WHITE), clean).astype(np.float32)


class _Plane(NamedTuple):
    """One channel.

    Attributes:
        levels: (H, W).
        opaque: (H, W), True where the picture is seen. None: everywhere.
    """

    levels: Levels
    opaque: NDArray[np.bool_] | None

    def known(self, columns: NDArray[np.intp]) -> Levels:
        """Return some columns, (H, *columns.shape).

        NaN is where an offset does not show: at the ends of the range, and under transparency.
        """
        values = self.levels[:, columns]
        unknown = at_ends(values) if self.opaque is None else at_ends(values) | ~self.opaque[:, columns]
        return np.where(unknown, np.float32(np.nan), values)


class _Rows(NamedTuple):
    """The rows of a picture, as both searches read them.

    Attributes:
        planes: its channels; one if all are the same.
        parts: some columns of each, as `_parts` returns them.
        channels: of the picture.
    """

    planes: list[_Plane]
    parts: list[Levels]
    channels: int


# Random offsets ------------------------------------------------------------------------------------------------------


def _random(rows: _Rows, *, by_columns: bool) -> RowNoise | None:
    read = [_agreement(parts) for parts in rows.parts]
    if not any(level >= _LEAST_LEVEL and agreement >= _AGREEMENT for level, agreement in read):
        return None
    offsets = np.zeros((len(rows.planes[0].levels), rows.channels), np.float32)
    for c, (plane, (level, agreement)) in enumerate(zip(rows.planes, read, strict=True)):
        if level >= _LEAST_LEVEL / 2 and agreement >= _AGREEMENT / 2:
            offsets[:, c] = _offsets(plane, level)
    if len(rows.planes) == 1:
        offsets[:] = offsets[:, :1]
    return RowNoise(offsets=offsets, level=max(level for level, _ in read), by_columns=by_columns)


def _agreement(parts: Levels) -> tuple[float, float]:
    """Return the std of the offsets of rows, and how far the parts agree on them.

    Both are 0 if the offsets are not random.
    """
    if parts.shape[1] < _FEWEST_PARTS:
        return 0.0, 0.0
    bent = _middle(parts[1:-1] - (parts[:-2] + parts[2:]) / 2)
    usual = _median(bent)
    scale = 1.4826 * float(np.median(np.abs(usual)))
    if scale == 0:
        return 0.0, 0.0
    sign = np.sign(np.where(np.abs(bent) < 0.05, 0, np.nan_to_num(bent)))
    count = sign.shape[1]
    pairs = [float((sign[:, a] * sign[:, b]).mean()) for a in range(count) for b in range(a + 2, count)]
    again = _autocorrelation(np.clip(usual, -4 * scale, 4 * scale))
    low, high = _ALTERNATING
    returns = float(np.abs(again[3:]).max())
    random = low <= again[1] <= high and returns <= _RETURN + 3.5 / np.sqrt(len(usual))
    level = scale / np.sqrt(1.5)  # of the differences' variance
    agreement = float(np.quantile(pairs, 0.2)) - _CHANCE / np.sqrt(len(usual) * len(pairs))
    return (level, agreement) if random and level <= _MOST_LEVEL else (0.0, 0.0)


def _autocorrelation(x: Floats) -> Floats:
    """Return the correlation of a series with itself, moved by 0 .. half its length."""
    n = len(x)
    power = np.abs(np.fft.rfft(x, 2 * n)) ** 2
    sums = np.fft.irfft(power)[: n // 2] / (n - np.arange(n // 2))
    return np.asarray(sums / max(sums[0], 1e-12))


def _offsets(plane: _Plane, level: float) -> Floats:
    """Return the offset of each row, (H,): their posterior mean, given the differences between rows of each distance.

    The offsets are independent and normal. A difference is as certain as the parts agree on it. Differences that do
    not fit, as at a horizon, are left out.
    """
    from scipy.linalg import solveh_banded

    parts, h = _parts(plane, _MORE_COLUMNS), len(plane.levels)
    links = [_link(parts, lag, level) for lag in range(1, min(_LAGS, h // 4) + 1)]
    offsets = np.zeros(h)
    for _ in range(3):
        bands = np.zeros((len(links) + 1, h))
        bands[0] = 1 / level**2
        right = np.zeros(h)
        for lag, (seen, variance) in enumerate(links, 1):
            rest = seen - (offsets[lag:] - offsets[:-lag])
            weight = np.where(np.isfinite(variance), 1 / (variance + (rest**2 if offsets.any() else 0)), 0)
            bands[0, :-lag] += weight
            bands[0, lag:] += weight
            bands[lag, :-lag] -= weight
            right[lag:] += weight * seen
            right[:-lag] -= weight * seen
        offsets = solveh_banded(bands, right, lower=True)
    return offsets


def _link(parts: Levels, lag: int, level: float) -> tuple[Floats, Floats]:
    """Return by how much rows differ from those `lag` before, and the variance of that; inf = not known."""
    from scipy.ndimage import uniform_filter1d  # late: every start would wait for it

    each = _middle(parts[lag:] - parts[:-lag])
    seen = _median(each)
    most = _OUTLIER * level
    scatter = 1.4826 * _median(np.abs(each - seen[:, None]))
    own = uniform_filter1d(np.clip(seen, -most, most), min(_TREND, len(seen)), mode="nearest")
    seen = seen - own  # the offsets' own differences have no mean
    few = np.isfinite(each).sum(1) < 2
    variance = _DOUBT * (1.57 * scatter**2 / each.shape[1] + 0.01)
    return seen, np.where(few | (np.abs(seen) > most), np.inf, variance)


# Hum -----------------------------------------------------------------------------------------------------------------


def _hum(rows: _Rows, *, by_columns: bool) -> RowNoise | None:
    steps = [_steps(parts) for parts in rows.parts]
    waves = [_wave(step) for step in steps]
    best = max(waves, key=lambda wave: wave[1])
    clearest = waves.index(best)
    if best[1] == 0 or not _is_pure(rows.parts[clearest], best[0]):
        return None
    if not _is_in_strips(rows.planes[clearest], best[0]):
        return None
    offsets = np.stack([_sine(step, best[0]) for step in steps], 1).astype(np.float32)
    offsets = np.broadcast_to(offsets, (len(offsets), rows.channels)).copy()
    return RowNoise(offsets=offsets, level=float(offsets.std(0).max()), by_columns=by_columns, period=1 / best[0])


def _steps(parts: Levels) -> Floats:
    """Return the differences of neighbouring rows in each part, (H - 1, parts). Edges are cut down."""
    return _cut_steps(_middle(parts[1:] - parts[:-1]))


def _cut_steps(each: Floats) -> Floats:
    """Return steps without NaN, those at edges cut down."""
    each = np.nan_to_num(each)
    if each.size == 0:
        return each
    scale = 1.4826 * float(np.median(np.abs(each - np.median(each, 0)))) + 0.25
    return np.clip(each, -4 * scale, 4 * scale)


def _spectrum(steps: Floats, frequencies: Floats) -> NDArray[np.complex128]:
    """Return the sines' complex amplitudes (F, parts) of offsets with these differences; the phase is of row 0."""
    n = len(steps)
    windowed, scale = _windowed(steps)
    waves = np.exp(-2j * np.pi * np.outer(frequencies, np.arange(n)))
    return np.asarray(waves @ windowed * scale / (np.exp(2j * np.pi * frequencies) - 1)[:, None])


def _windowed(steps: Floats) -> tuple[Floats, float]:
    """Return differences under a window, and the factor that makes sums of them amplitudes."""
    window = np.hanning(len(steps) + 2)[1:-1]
    return window[:, None] * (steps - steps.mean(0)), 2 / float(window.sum())


def _spectrum_on_grid(steps: Floats, numbers: NDArray[np.intp]) -> NDArray[np.complex128]:
    """Return what `_spectrum` does at the frequencies number / 2n, by a Fourier transform."""
    n = len(steps)
    windowed, scale = _windowed(steps)
    found = np.fft.rfft(windowed, 2 * n, axis=0)[numbers] * scale
    return np.asarray(found / (np.exp(1j * np.pi * numbers / n) - 1)[:, None])


def _wave(steps: Floats) -> tuple[float, float]:
    """Return the frequency of hum, in cycles a row, and its amplitude; 0 = there is none."""
    from scipy.ndimage import median_filter

    n = len(steps)
    if steps.shape[1] < _PARTS_OF_HUM:
        return 0.0, 0.0
    first = max(2 * _LEAST_CYCLES, 2 * n // _MOST_PERIOD)
    numbers = np.arange(first, 2 * n // _LEAST_PERIOD)
    frequencies = numbers / (2 * n)
    parts = _spectrum_on_grid(steps, numbers)
    common = parts.mean(1)
    scatter = (np.abs(parts - common[:, None]) ** 2).mean(1) / (parts.shape[1] - 1)
    coherence = np.abs(common) ** 2 / (scatter + 1e-4)
    height = np.abs(common) * np.abs(np.exp(2j * np.pi * frequencies) - 1)
    usual = median_filter(height, 41, mode="nearest")
    peak = height / (usual + 1e-6)
    good = (coherence >= _COHERENCE) & (peak >= _PEAK)
    at = int(np.argmax(np.where(good, np.abs(common), 0)))
    if not good[at]:
        return 0.0, 0.0
    fine = np.linspace(frequencies[at] - 0.5 / n, frequencies[at] + 0.5 / n, 41)
    exact = fine[int(np.argmax(np.abs(_spectrum(steps, fine).mean(1))))]
    one = _spectrum(steps, np.array([exact]))[0]
    amplitude = float(np.abs(one.mean()))
    apart = np.sort(np.abs(one - one.mean()))[-2] / amplitude
    told = _LEAST_LEVEL <= amplitude <= _MOST_LEVEL and apart <= 0.6
    return (float(exact), amplitude) if told else (0.0, 0.0)


def _is_pure(parts: Levels, frequency: float) -> bool:
    """Return whether a sine has no harmonics, the jumps of a repeated picture included."""
    steps = np.nan_to_num(_middle(parts[1:] - parts[:-1]))
    several = np.array([k * frequency for k in (1, 2, 3) if k * frequency < 0.5])
    found = np.abs(_spectrum(steps, several).mean(1))
    return bool((found[1:] <= _HARMONIC * found[0]).all())


def _is_in_strips(plane: _Plane, frequency: float) -> bool:
    """Return whether nearly all narrow strips of a plane have the sine that all have together."""
    width = plane.levels.shape[1] // _STRIP * _STRIP
    strips = plane.known(np.arange(width)).reshape(len(plane.levels), -1, _STRIP)
    strips = strips[:, np.isfinite(strips).mean((0, 2)) >= _KNOWN]
    if strips.shape[1] < _PARTS_OF_HUM:
        return False
    each = _spectrum(_cut_steps(_middle(strips[1:] - strips[:-1])), np.array([frequency]))[0]
    usual = complex(np.median(each.real), np.median(each.imag))
    agreeing = (each * usual.conjugate()).real / abs(usual) ** 2
    return bool(np.quantile(agreeing, 0.2) >= _LEAST_IN_STRIPS)


def _sine(steps: Floats, frequency: float) -> Floats:
    """Return the sine of one frequency that the steps of all parts have, (H,)."""
    amplitude = np.median(_spectrum(steps, np.array([frequency]))[0])
    return np.asarray((amplitude * np.exp(2j * np.pi * frequency * np.arange(len(steps) + 1))).real)


# Rows in parts -------------------------------------------------------------------------------------------------------


def _parts(plane: _Plane, columns: int) -> Levels:
    """Return some columns of a plane, in parts: (H, parts, n). Parts that are mostly not known are left out."""
    across = plane.levels.shape[1]
    parts = int(np.clip(across // 24, 3, _PARTS))
    width = across // parts
    step = max(width // columns, 1)
    used = plane.known(np.arange(parts)[:, None] * width + np.arange(0, width, step)[None])
    return used[:, np.isfinite(used).mean((0, 2)) >= _KNOWN]


def _middle(values: NDArray[np.floating]) -> Floats:
    """Return the mean of the middle half of values along the last axis; NaN is left out, and comes of too few."""
    ordered = np.sort(values, -1)  # NaN last
    if values.size and not np.isnan(ordered[..., -1]).any():  # nothing is missing
        count = values.shape[-1]
        return np.asarray(ordered[..., count // 4 : count - count // 4].mean(-1, dtype=np.float64))
    known = values.shape[-1] - np.isnan(values).sum(-1)
    place = np.arange(values.shape[-1])
    inside = (place >= (known // 4)[..., None]) & (place < (known - known // 4)[..., None])
    total = np.where(inside, ordered, 0).sum(-1, dtype=np.float64)
    mean = total / np.maximum(inside.sum(-1), 1)
    return np.asarray(np.where(known >= min(8, values.shape[-1] // 2), mean, np.nan))


def _median(values: Floats) -> Floats:
    """Return the median over the last axis, without NaN; 0 where there is nothing else."""
    known = np.isfinite(values)
    filled = np.where(known.any(-1, keepdims=True), values, 0)
    return np.asarray(np.nanmedian(filled, -1))
