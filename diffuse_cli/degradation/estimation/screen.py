"""Halftone screens of printed pictures: found by the square lattice of peaks in the spectrum that a screen leaves.

A screen covers the whole picture with one phase. So its carriers stand out in every part that is neither paper nor
solid ink, and their phase goes on from part to part. Bricks, windows, fabric and text lines do neither.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...images.image_io import Picture
from ...system.arrays import equal_channels
from .blocks import luma_weights

Floats = NDArray[np.float64]
Number = TypeVar("Number", bound=np.generic)
Frequency = tuple[float, float]
"""Down and across, in cycles a pixel."""
Confidence = Literal["high", "medium"]
_CONFIDENCES: Final[tuple[Confidence, Confidence]] = ("high", "medium")

TILE: Final = 256
_TILES: Final = 3
"""Tiles a side."""
_SMALLEST: Final = 96
_SHORTEST, _LONGEST = 2.2, 10.0
"""Periods in pixels."""
_PEAK: Final = 2.5
"""Least height of a peak above its surroundings, in the mean logarithm of the power over the tiles."""
_MOST_PEAKS: Final = 24
_BLOCK: Final = 48
_STEP: Final = 24
_MID_TONES: Final = (40.0, 215.0)
"""Mean levels of blocks in which a screen must show. Paper and solid ink have no dots."""
_FEWEST_BLOCKS: Final = 6
_LEAST_PART: Final = 0.2
"""Least share of such blocks in a picture with a screen of high confidence. In a chart bars alone have mid-tones."""
_LEAST_TONES: Final = 40.0
"""Levels from the darkest to the brightest blocks, but for 5 % each. Patterns without a picture have one tone."""
_STANDS_OUT: Final = 10.0
"""Power of a carrier against that of other directions of the same frequency."""
_COVERS: Final = (0.9, 0.75)
"""Least share of the blocks in which both carriers stand out: of high and of medium confidence."""
_COHERENT: Final = (0.93, 0.85)
"""Least coherence of a carrier's phase from block to block."""
_STRONG: Final = (5.0, 2.5)
"""Least amplitude of the carriers, in levels."""
_STRONGER_THAN_JPEG: Final = 12.0
"""The same on the axes at multiples of an eighth, where a JPEG's blocks leave carriers, too."""
_DITHERS: Final = 8
"""Largest pattern, in pixels, that ordered dithering repeats."""
_EXACTLY: Final = 0.001
"""How near, in cycles a pixel, carriers of a dither are to multiples of its frequency."""
_SAME_PERIOD: Final = 0.05
_INK_COVERS, _INK_COHERENT, _INK_STRONG = 0.25, 0.8, 1.5
"""The same of a further ink, whose period is known."""
_PART: Final = 0.25
"""Least amplitude of a grid's lower frequencies, as a share of those that were found."""
_MOST_SCREENS: Final = 4
_NEAR: Final = 0.06
"""Carriers nearer than this share of their frequency are one."""
_UPRIGHT: Final = 0.5
"""Degrees below 90 that are told as below 0."""
_OTHER_DIRECTIONS: Final = tuple(math.radians(angle + turn) for angle in (20, 32, 45, 58, 70) for turn in (0, 90))


@dataclass(frozen=True, kw_only=True, slots=True)
class Screen:
    """A halftone screen of square cells.

    Attributes:
        period: side of a cell, in pixels.
        angle: of its rows, in degrees, about 0 .. 90.
        amplitude: of its carriers where they are strong, in 8-bit levels.
        confidence: high where it covers the whole picture, and no ordered dithering makes the same pattern.
    """

    period: float
    angle: float
    amplitude: float
    confidence: Confidence

    @property
    def carriers(self) -> tuple[Frequency, Frequency]:
        """The two frequencies of which all others are sums."""
        turn = math.radians(self.angle)
        down, across = math.sin(turn) / self.period, math.cos(turn) / self.period
        return (down, across), (across, -down)


def screens_of(picture: Picture) -> tuple[Screen, ...]:
    """Find the halftone screens of a picture where it is not transparent, the strongest first.

    Args:
        picture: the file's.
    """
    levels = picture.in_levels()
    if picture.alpha is not None and (seen := picture.alpha > 0).any():
        levels[~seen] = levels[seen].mean(0)
    return find_screens(levels)


def find_screens(levels: NDArray[np.float32]) -> tuple[Screen, ...]:
    """Find the halftone screens of a picture, the strongest first. In colour each ink has its own.

    Args:
        levels: (H, W, C), 0..255.
    """
    if min(levels.shape[:2]) < _SMALLEST:
        return ()
    in_colour = levels.shape[2] == 3 and not equal_channels(levels)
    planes = [tiles for tiles in _planes(list(_tiles(levels)), in_colour=in_colour) if _has_tones(tiles)]
    pairs = [(tiles, carriers) for tiles in planes for carriers in _pairs(_mean_log_power(tiles))]
    found = _different([screen for tiles, carriers in pairs if (screen := _judged(tiles, carriers)) is not None])
    if not found or len(planes) == 1:
        return tuple(found[:_MOST_SCREENS])
    period = found[0].period
    inks = [_ink(tiles, carriers, found[0].confidence) for tiles, carriers in pairs if _has_period(carriers, period)]
    alike = [screen for screen in found if _has_period(screen.carriers, period)]
    return tuple(_different([*alike, *(ink for ink in inks if ink is not None)])[:_MOST_SCREENS])


def _different(screens: list[Screen]) -> list[Screen]:
    """Return the screens that are not the same, the strongest first."""
    different: list[Screen] = []
    for screen in sorted(screens, key=lambda screen: -screen.amplitude):
        if not any(_is_same(screen, other) for other in different):
            different.append(screen)
    return different


def _has_period(carriers: tuple[Frequency, Frequency], period: float) -> bool:
    return abs(1 / math.hypot(*carriers[0]) / period - 1) < _SAME_PERIOD


def _ink(tiles: list[Floats], carriers: tuple[Frequency, Frequency], confidence: Confidence) -> Screen | None:
    """Return a further ink of a printed picture, which may cover a part of it only."""
    covered, coherence, amplitude = _coverage(tiles, carriers)
    if covered < _INK_COVERS or coherence < _INK_COHERENT or amplitude < _INK_STRONG:
        return None
    return _screen(carriers, amplitude, confidence)


def _planes(tiles: list[NDArray[np.float32]], *, in_colour: bool) -> Iterator[list[Floats]]:
    """Yield tiles of luma, and of the channels of a colour picture."""
    weights = luma_weights(tiles[0].shape[2]).astype(np.float64)
    yield [tile.astype(np.float64) @ weights for tile in tiles]
    for channel in range(3 if in_colour else 0):
        yield [tile[..., channel].astype(np.float64) for tile in tiles]


def _tiles(levels: NDArray[Number]) -> Iterator[NDArray[Number]]:
    """Yield tiles that are spread evenly, (N, N) or (N, N, C)."""
    side = min(TILE, *levels.shape[:2])
    for top in _starts(levels.shape[0], side):
        for left in _starts(levels.shape[1], side):
            yield levels[top : top + side, left : left + side]


def _starts(length: int, side: int) -> list[int]:
    count = min(_TILES, max(1, round(length / side)))
    return [round(x) for x in np.linspace(0, length - side, count)] if count > 1 else [(length - side) // 2]


def _mean_log_power(tiles: list[Floats]) -> Floats:
    """Return the mean logarithm of the power spectrum, (N, N), zero frequency in the middle."""
    side = len(tiles[0])
    window = np.outer(np.hanning(side), np.hanning(side))
    logs = [np.log(np.abs(np.fft.fft2((tile - tile.mean()) * window)) ** 2 + 1) for tile in tiles]
    mean: Floats = np.fft.fftshift(sum(logs) / len(logs))
    return mean


def _has_tones(tiles: list[Floats]) -> bool:
    """Return whether there is a picture, and not a pattern alone."""
    means = np.concatenate([_demodulated(tile, (0.0, 0.0)).real.ravel() for tile in tiles])
    low, high = np.quantile(means, [0.05, 0.95])
    return bool(high - low >= _LEAST_TONES)


def _pairs(log_power: Floats) -> Iterator[tuple[Frequency, Frequency]]:
    """Yield pairs of peaks of one frequency at a right angle, the highest first."""
    from scipy.ndimage import maximum_filter, uniform_filter  # late: every start would wait for it

    side = len(log_power)
    height = log_power - uniform_filter(log_power, max(side // 12, 9), mode="wrap")
    is_peak = (maximum_filter(log_power, 5, mode="wrap") == log_power) & (height > _PEAK)
    rows, columns = np.nonzero(is_peak)
    peaks = sorted(zip(rows.tolist(), columns.tolist(), strict=True), key=lambda at: -float(log_power[at]))
    middle, taken = side // 2, list[Frequency]()
    for row, column in peaks[: 2 * _MOST_PEAKS]:
        down, across = _refined(log_power, row, column)
        down, across = (down - middle) / side, (across - middle) / side
        radius = math.hypot(down, across)
        if not 1 / _LONGEST <= radius <= 1 / _SHORTEST or across < -1e-9 or (across <= 1e-9 and down < 0):
            continue
        turned = (-across, down) if down >= 0 else (across, -down)
        mate = _peak_near(log_power, height, turned)
        if mate is not None and abs(math.hypot(*mate) - radius) < 1.2 / side:
            first, second = _squared((down, across), mate)
            if not any(math.dist(first, other) < 2 / side or math.dist(second, other) < 2 / side for other in taken):
                taken.append(first)
                yield first, second


def _refined(log_power: Floats, row: int, column: int) -> Frequency:
    """Return where a parabola through a peak and its neighbours is highest."""
    side = len(log_power)
    at = []
    for index, line in ((row, log_power[:, column]), (column, log_power[row])):
        before, here, after = line[index - 1], line[index], line[(index + 1) % side]
        bend = before - 2 * here + after
        at.append(index + (0.5 * (before - after) / bend if bend < 0 else 0.0))
    return at[0], at[1]


def _peak_near(log_power: Floats, height: Floats, frequency: Frequency) -> Frequency | None:
    """Return the peak within two bins of a frequency."""
    side = len(log_power)
    row, column = (round(f * side) + side // 2 for f in frequency)
    if not (3 <= row < side - 3 and 3 <= column < side - 3):
        return None
    near = log_power[row - 2 : row + 3, column - 2 : column + 3]
    r, c = np.unravel_index(int(near.argmax()), near.shape)
    row, column = row - 2 + int(r), column - 2 + int(c)
    if height[row, column] < _PEAK:
        return None
    at = _refined(log_power, row, column)
    return (at[0] - side // 2) / side, (at[1] - side // 2) / side


def _squared(first: Frequency, second: Frequency) -> tuple[Frequency, Frequency]:
    """Return the nearest pair of equal length at a right angle: (down, across) and (across, -down)."""
    down, across = first
    a, b = second if second[0] * across - second[1] * down >= 0 else (-second[0], -second[1])
    down, across = (down - b) / 2, (across + a) / 2
    return (down, across), (across, -down)


def amplitude_in(plane: Floats, screen: Screen) -> float:
    """Return the mean amplitude of a screen's carriers in a channel, in the unit of the channel.

    Waves of another phase, as texture has them, cancel.

    Args:
        plane: (H, W).
        screen: one that was found in the picture.
    """
    waves = [abs(_demodulated(tile, carrier).mean()) for tile in _tiles(plane) for carrier in screen.carriers]
    return 2 * float(np.mean(waves))


def _judged(tiles: list[Floats], carriers: tuple[Frequency, Frequency]) -> Screen | None:
    """Return the screen of two carriers, if they cover the picture with one phase."""
    covered, coherence, amplitude = _coverage(tiles, carriers)
    screen = _screen(carriers, amplitude, "high")
    least = _STRONGER_THAN_JPEG if _is_of_blocks(screen.period, screen.angle) else _STRONG[1]
    if covered < _COVERS[1] or amplitude < least:
        return None
    if any(_has_part(tiles, carriers, part, _PART * amplitude) for part in (2, 3, 4)):
        return None
    is_sure = not _may_be_dithered(carriers) and _share_of_mid_tones(tiles) >= _LEAST_PART
    for confidence, share, phase, strength in zip(_CONFIDENCES, _COVERS, _COHERENT, _STRONG, strict=True):
        if covered >= share and coherence >= phase and amplitude >= strength:
            return replace(screen, confidence=confidence if is_sure else "medium")
    return None


def _share_of_mid_tones(tiles: list[Floats]) -> float:
    """Return the share of blocks that have room for dots."""
    return float(np.mean(np.concatenate([_is_mid_tone(_demodulated(tile, (0.0, 0.0)).real) for tile in tiles])))


def _is_mid_tone(means: Floats) -> NDArray[np.bool_]:
    return (means > _MID_TONES[0]) & (means < _MID_TONES[1])


def _may_be_dithered(carriers: tuple[Frequency, Frequency]) -> bool:
    """Return whether carriers repeat with the pixels: ordered dithering's do, a scanned screen's hardly ever."""
    each = [abs(f) for carrier in carriers for f in carrier]
    return any(all(abs(f - round(f * n) / n) < _EXACTLY for f in each) for n in range(2, _DITHERS + 1))


def _screen(carriers: tuple[Frequency, Frequency], amplitude: float, confidence: Confidence) -> Screen:
    (down, across), _ = carriers
    angle = math.degrees(math.atan2(down, across)) % 90
    return Screen(
        period=1 / math.hypot(down, across), angle=angle if angle < 90 - _UPRIGHT else angle - 90,
        amplitude=amplitude, confidence=confidence,
    )  # fmt: skip


def _has_part(tiles: list[Floats], carriers: tuple[Frequency, Frequency], part: int, least: float) -> bool:
    """Return whether the carriers are multiples of others: of a grid of lines, and not of dots."""
    lower = tuple((down / part, across / part) for down, across in carriers)
    covered, coherence, amplitude = _coverage(tiles, (lower[0], lower[1]))
    return covered >= _COVERS[1] and coherence >= _COHERENT[1] and amplitude >= least


def _is_of_blocks(period: float, angle: float) -> bool:
    """Return whether a lattice may be that of a JPEG's blocks, or of enlarged pixels."""
    eighths = 8 / period
    return abs(angle) < 1 and abs(eighths - round(eighths)) < 0.04


def _coverage(tiles: list[Floats], carriers: tuple[Frequency, Frequency]) -> tuple[float, float, float]:
    """Return the share of blocks in which both carriers stand out, the coherence of their phases, and the amplitude.

    All are 0 where too few blocks can tell.
    """
    stands, together, apart, amplitudes = [], [0j] * 4, [0.0] * 4, []
    for tile in tiles:
        mean = _demodulated(tile, (0.0, 0.0)).real
        usable = _is_mid_tone(mean)
        both = np.ones(usable.shape, bool)
        for k, carrier in enumerate(carriers):
            wave = _demodulated(tile, carrier)
            others = [np.abs(_demodulated(tile, _turned(carrier, angle))) ** 2 for angle in _OTHER_DIRECTIONS]
            both &= np.abs(wave) ** 2 > _STANDS_OUT * np.median(others, axis=0)
            for axis in (0, 1):
                a, b = (wave[1:], wave[:-1]) if axis == 0 else (wave[:, 1:], wave[:, :-1])
                u = (usable[1:] & usable[:-1]) if axis == 0 else (usable[:, 1:] & usable[:, :-1])
                product = (a * b.conj())[u]
                together[2 * k + axis] += product.sum()
                apart[2 * k + axis] += np.abs(product).sum()
            amplitudes.append(2 * np.abs(wave[usable]))
        stands.append(both[usable])
    whole = np.concatenate(stands)
    if len(whole) < _FEWEST_BLOCKS or min(apart) == 0:
        return 0.0, 0.0, 0.0
    coherence = min(abs(t) / a for t, a in zip(together, apart, strict=True))
    return float(whole.mean()), coherence, float(np.median(np.concatenate(amplitudes)))


def _demodulated(tile: Floats, frequency: Frequency) -> NDArray[np.complex128]:
    """Return the complex amplitude of a wave in overlapping blocks, (rows, columns)."""
    waves: NDArray[np.complex128] = (
        _windows(tile.shape[0], frequency[0]) @ tile @ _windows(tile.shape[1], frequency[1]).T
    )
    return waves


def _windows(length: int, frequency: float) -> NDArray[np.complex128]:
    """Return a windowed wave for each block along a side, (blocks, length). The window's sum is 1."""
    tops = range(0, length - _BLOCK + 1, _STEP)
    window = np.hanning(_BLOCK + 2)[1:-1]
    out = np.zeros((len(tops), length), np.complex128)
    wave = np.exp(-2j * np.pi * frequency * np.arange(length))
    for k, top in enumerate(tops):
        out[k, top : top + _BLOCK] = window / window.sum() * wave[top : top + _BLOCK]
    return out


def _turned(frequency: Frequency, angle: float) -> Frequency:
    down, across = frequency
    return down * math.cos(angle) + across * math.sin(angle), across * math.cos(angle) - down * math.sin(angle)


def _is_same(one: Screen, other: Screen) -> bool:
    """Return whether two findings are one screen, or one is the other's sum of carriers."""
    (down, across), (a, b) = one.carriers
    lattice = [(i * down + j * a, i * across + j * b) for i in range(-3, 4) for j in range(-3, 4) if (i, j) != (0, 0)]
    (p, q), (r, s) = other.carriers
    turned = [(i * p + j * r, i * q + j * s) for i in range(-3, 4) for j in range(-3, 4) if (i, j) != (0, 0)]
    return any(math.dist(one.carriers[0], f) < _NEAR / one.period for f in turned) or any(
        math.dist(other.carriers[0], f) < _NEAR / other.period for f in lattice
    )
