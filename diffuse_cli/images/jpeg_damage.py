"""Damaged JPEGs: which pixels the file has no data for, and from where on its data contradict themselves.

The coded data are followed without decoding pixels (ITU-T T.81, annex F). Damage shows where a code is unknown, a block
has more than 64 coefficients or a mean beyond white, or an interval has more or fewer blocks than it must. After it
blocks are decoded again, but with the brightness and at the place that the damage has left them with.
"""

import functools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .jpeg_data import EOI, NEXT_MARKER, SOS, segments

_DQT, _DHT, _DRI, _PROGRESSIVE = 0xDB, 0xC4, 0xDD, 0xC2
_FRAMES: Final = frozenset({0xC0, 0xC1, _PROGRESSIVE})
_STRAY_OR_RESTART: Final = re.compile(rb"\xff[\x01-\xfe]")
_RESTART: Final = re.compile(rb"\xff+([\xd0-\xd7])")
_PADDING: Final = 16
"""Bits that may be left over: coders fill up a byte, or two."""
_MOST_MEAN: Final = 1200
"""Eight times a block's mean around gray is at most 1024, but for rounding."""
_JUMP: Final = 6.0
"""Stds by which a border of blocks must stand out to be where damage begins."""
_FIRST: Final = 0.6
"""The first border that stands out by this share of what the most does is where it begins."""

_MOST_INTERVAL: Final = 0.1
"""The largest share of a picture between restart markers that is filled if it is doubtful.

Of photographs of quality 85 with 40 random bytes, filling gains 3 to 4 dB there. Where half of a picture is doubtful it
gains 1 dB on average and loses in half of the cases.
"""

Flags = NDArray[np.bool_]


class _Steps(NamedTuple):
    """Steps through the blocks of a component, by the next 16 bits: the bits that they take, and what they pass.

    Attributes:
        component: its number in the scan.
        first: size of a mean's difference << 8 | bits.
        one: coefficients << 8 | 64 at the end of a block | bits. None: the scan has means alone.
        many: the same of as many coefficients as the 16 bits hold.
        most: the largest mean.
    """

    component: int
    first: list[int]
    one: list[int] | None
    many: list[int]
    most: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Scan:
    """The first scan of a file.

    Attributes:
        size: (rows, columns) in pixels.
        unit: (rows, columns) in pixels of what is coded at once.
        blocks: of a unit, in order.
        interval: units between restart markers; 0 = there are none.
        data: the coded data.
        is_all: there is no other scan.
    """

    size: tuple[int, int]
    unit: tuple[int, int]
    blocks: Sequence[_Steps]
    interval: int
    data: bytes
    is_all: bool

    @property
    def grid(self) -> tuple[int, int]:
        """(rows, columns) of units."""
        return -(-self.size[0] // self.unit[0]), -(-self.size[1] // self.unit[1])

    def pixels(self, units: Flags) -> Flags:
        """Return flags of units (N,) as those of pixels (H, W)."""
        whole = units.reshape(self.grid).repeat(self.unit[0], 0).repeat(self.unit[1], 1)
        return whole[: self.size[0], : self.size[1]]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class JpegDamage:
    """What is wrong with the coded data of a JPEG.

    Attributes:
        missing: (H, W), True where there are no data.
        doubtful: (H, W), True where the data contradict themselves, or come after that.
        is_bounded: what is doubtful ends at restart markers that come often, so it can be filled.
        is_coarse: later scans of a progressive file, which have the detail, are missing.
        is_filled: what can be filled was filled since.
    """

    missing: Flags
    doubtful: Flags
    is_bounded: bool = False
    is_coarse: bool = False
    is_filled: bool = False

    def __str__(self) -> str:
        """Return what is wrong, in words."""
        filled = " and filled" if self.is_filled else ""
        found = [_rows(self.missing, "missing") + filled] if self.missing.any() else []
        replaced = filled if self.is_bounded else ""
        found += [_rows(self.doubtful, "doubtful") + replaced] if self.doubtful.any() else []
        return ", ".join([*found, *(["its detail is missing"] if self.is_coarse else [])])

    @property
    def fillable(self) -> Flags:
        """(H, W), True where pixels had better be filled than shown.

        This is what is missing, and what is doubtful up to the next restart marker. Without markers all of the rest of
        a file is doubtful, too much to invent.
        """
        return self.missing | self.doubtful if self.is_bounded else self.missing


def _rows(flags: Flags, what: str) -> str:
    """Return which rows are flagged; which columns, if that says more: a picture may lie on its side."""
    rows, columns = flags.any(axis=1), flags.any(axis=0)
    name, lines = ("columns", columns) if rows.all() and not columns.all() else ("rows", rows)
    where = np.flatnonzero(lines)
    if where.size == lines.size:
        return f"all {lines.size} {name} are {what}" if flags.all() else f"a part of all {lines.size} {name} is {what}"
    return f"{where.size} of {lines.size} {name} are {what} ({where[0] + 1} to {where[-1] + 1})"


# Mended --------------------------------------------------------------------------------------------------------------


class _Place(NamedTuple):
    """Where the coded data of the first scan lie.

    Attributes:
        begin: offset.
        end: offset behind it, the length of the file if that ends first.
        is_all: there is no other scan.
        interval: units between restart markers; 0 = there are none.
    """

    begin: int
    end: int
    is_all: bool
    interval: int


def mended(data: bytes) -> bytes:
    """Return a JPEG that decoders read to its end: with an end marker, and without markers amidst its coded data.

    Args:
        data: the file.
    """
    place = _place(data)
    if place is None:
        return data
    if not place.is_all:
        return data + b"\xff\xd9" if _is_cut(data) else data
    stray = NEXT_MARKER if place.interval else _STRAY_OR_RESTART
    coded = stray.sub(b"\xff\0", data[place.begin : place.end])
    return data[: place.begin] + coded + (data[place.end :] or b"\xff\xd9")


def _is_cut(data: bytes) -> bool:
    """Return whether the end marker is missing."""
    place = _place(data)
    if place is not None and place.is_all:
        return place.end == len(data)
    return not any(one.marker == EOI for one in segments(data))


def _coded(data: bytes) -> bytes:
    """Return the coded data of a file of one scan."""
    place = _place(data)
    return data[place.begin : place.end] if place is not None and place.is_all else b""


def _place(data: bytes) -> _Place | None:
    """Return where the coded data of the first scan lie. None: there is no scan."""
    interval, frame = 0, b""
    for one in segments(data):
        if one.marker in _FRAMES:
            frame = data[one.start + 1 : one.end]
        elif one.marker == _DRI:
            interval = int.from_bytes(data[one.start + 4 : one.start + 6], "big")
        elif one.marker == SOS:
            begin = one.start + 2 + int.from_bytes(data[one.start + 2 : one.start + 4], "big")
            is_all = len(frame) > 8 and frame[0] != _PROGRESSIVE and frame[8] == data[one.start + 4]
            end = data.find(b"\xff\xd9", begin) if is_all else one.end
            return _Place(begin, len(data) if end < 0 else end, is_all, interval)
    return None


# Examined ------------------------------------------------------------------------------------------------------------


def damage(data: bytes, levels: NDArray[np.uint8]) -> JpegDamage | None:
    """Return what is wrong with the coded data of a JPEG; None: nothing that shows.

    Files of one scan are followed to their end, progressive ones through the first scan. Others are not followed.

    Args:
        data: the file, as it was found.
        levels: (H, W, C), what it is decoded to, not turned.
    """
    scan = _scan(mended(data))
    if scan is None or scan.size != levels.shape[:2]:
        return None
    is_cut, has_strays = _is_cut(data), not scan.interval and _STRAY_OR_RESTART.search(_coded(data)) is not None
    total = scan.grid[0] * scan.grid[1]
    missing, doubtful = np.zeros(total, bool), np.zeros(total, bool)
    for begin, end, coded in _intervals(scan, total):
        found = _follow(coded, scan.blocks, end - begin)
        missing[begin + found.units : end] = True
        ends_early = found.units < end - begin and coded != b"" and not is_cut
        if found.wrong is not None or found.left > _PADDING or ends_early or has_strays:
            doubtful[begin if scan.interval else _beginning(scan, levels, found) : end] = True
    doubtful &= ~missing
    is_coarse = not scan.is_all and is_cut
    if not (missing.any() or doubtful.any() or is_coarse):
        return None
    is_bounded = 0 < scan.interval <= _MOST_INTERVAL * total
    return JpegDamage(
        missing=scan.pixels(missing), doubtful=scan.pixels(doubtful), is_bounded=is_bounded, is_coarse=is_coarse
    )


def _intervals(scan: _Scan, total: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield the first unit of each interval, the last but one, and its coded data; b"" if these are missing."""
    if not scan.interval:
        yield 0, total, scan.data
        return
    parts = _RESTART.split(scan.data)
    count = -(-total // scan.interval)
    found = {0: parts[0]}
    number = 0
    for marker, part in zip(parts[1::2], parts[2::2], strict=True):
        skipped = (marker[0] - 0xD0 - number) % 8
        number += 1 + (skipped if number + 1 + skipped < count else 0)
        found[number] = part
    for number in range(count):
        begin = number * scan.interval
        yield begin, min(begin + scan.interval, total), found.get(number, b"")


class _Followed(NamedTuple):
    """How far coded data were followed.

    Attributes:
        units: that there are data for.
        wrong: the unit in which the data contradict themselves; None: in none.
        left: bits that are left over.
    """

    units: int
    wrong: int | None
    left: int


def _follow(coded: bytes, blocks: Sequence[_Steps], count: int) -> _Followed:
    """Follow the coded data of an interval.

    After a contradiction it goes on as decoders do, which end the block.

    Args:
        coded: with stuffed zeros.
        blocks: of a unit.
        count: of units.
    """
    plain = coded.rstrip(b"\xff").replace(b"\xff\0", b"\xff")
    size = 8 * len(plain)
    window = _window(plain + bytes(16 + 256 * len(blocks)))
    at, wrong, means = 0, None, [0] * 4
    for unit in range(count):
        for component, first, one, many, most in blocks:
            bits, offset = window[at >> 3], at & 7
            step = first[bits >> (24 - offset) & 65535]
            taken, length = step & 63, step >> 8
            if length:
                value = bits >> (40 - offset - taken) & ((1 << length) - 1)
                means[component] += value if value >> (length - 1) else value - (1 << length) + 1
            if wrong is None and (not step or not -most <= means[component] <= most):
                wrong = unit
            at += taken or 16
            if one is not None:
                at, is_right = _coefficients(window, at, one, many)
                wrong = unit if wrong is None and not is_right else wrong
        if at > size:
            return _Followed(unit, wrong, 0)
    return _Followed(count, wrong, size - at)


def _coefficients(window: memoryview, at: int, one: list[int], many: list[int]) -> tuple[int, bool]:
    """Pass the coefficients of a block behind its mean. Return the bit behind them, and whether they can be."""
    passed = 1
    while passed < 64:
        bits = window[at >> 3] >> (24 - (at & 7)) & 65535
        step = many[bits]
        if passed + (step >> 8) > 63:
            step = one[bits]
        if not step:
            return at + 16, False
        passed += step >> 8
        at += step & 63
        if step & 64:
            break
    return at, passed <= 64


def _window(data: bytes) -> memoryview:
    """Return the number of the five bytes from each byte on."""
    one = np.frombuffer(data, np.uint8).astype(np.uint64)
    five, count = np.zeros(len(one) - 4, np.uint64), len(one) - 4
    for k in range(5):
        five = five << np.uint64(8) | one[k : k + count]
    return five.data


def _beginning(scan: _Scan, levels: NDArray[np.uint8], found: _Followed) -> int:
    """Return the first unit of the row in which damage begins, the first of all if it does not show.

    After damage the brightness jumps from one row of units to the next, and so does what is seen.
    """
    down, across, wrong = scan.unit[0], scan.grid[1], found.wrong
    last = found.units if wrong is None else min(found.units, wrong + across)
    if scan.grid[0] < 2:
        return 0
    steps = np.abs(np.diff(levels.astype(np.float32).mean(2), axis=0)).mean(1)
    borders = np.arange(down - 1, len(steps), down)
    near = [np.r_[steps[at - 3 : at], steps[at + 1 : at + 4]].mean() for at in borders]
    jumps = np.log((steps[borders] + 0.5) / (np.array(near) + 0.5))
    jumps = (jumps - np.median(jumps))[: last // across]
    least = _JUMP * max(1.4826 * float(np.median(np.abs(jumps))), 0.02) if len(jumps) else np.inf
    if len(jumps) and jumps.max() > least:
        return int(np.flatnonzero(jumps > max(least, _FIRST * float(jumps.max())))[0]) * across
    return 0 if wrong is None else max(wrong // across - 1, 0) * across


# Headers -------------------------------------------------------------------------------------------------------------


def _scan(data: bytes) -> _Scan | None:
    """Return the first scan, if it can be followed: of all components, and of 8 bits."""
    codes: dict[int, bytes] = {}
    steps: dict[int, int] = {}
    frame, kind, interval = b"", 0, 0
    for one in segments(data):
        part = data[one.start + 4 : one.end]
        if one.marker == _DHT:
            codes |= _tables(part)
        elif one.marker == _DQT:
            steps |= _first_steps(part)
        elif one.marker == _DRI:
            interval = int.from_bytes(part[:2], "big")
        elif one.marker in _FRAMES:
            frame, kind = part, one.marker
        elif one.marker == SOS and frame:
            head = int.from_bytes(data[one.start + 2 : one.start + 4], "big") - 2
            return _scan_of(frame, kind, part[:head], part[head:], codes, steps, interval)
    return None


def _scan_of(
    frame: bytes, kind: int, head: bytes, coded: bytes, codes: dict[int, bytes], steps: dict[int, int], interval: int
) -> _Scan | None:
    count = frame[5]
    if frame[0] != 8 or head[0] != count or len(frame) < 6 + 3 * count or len(head) != 4 + 2 * count:
        return None
    start, end, approximation = head[-3:]
    is_progressive = kind == _PROGRESSIVE
    if start != 0 or approximation >> 4 or end != (0 if is_progressive else 63):
        return None
    factors = [(frame[7 + 3 * k] & 15, frame[7 + 3 * k] >> 4) for k in range(count)]
    if count == 1:
        factors = [(1, 1)]
    blocks: list[_Steps] = []
    for k, (down, across) in enumerate(factors):
        which = head[2 + 2 * k]
        step = steps.get(frame[8 + 3 * k], 0) << (approximation & 15)
        if not step or not down or not across or (which >> 4) not in codes:
            return None
        first = _first_table(codes[which >> 4])
        if is_progressive:
            block = _Steps(k, first, None, first, _MOST_MEAN // step)
        elif 16 + (which & 15) in codes:
            block = _Steps(k, first, *_table(codes[16 + (which & 15)]), _MOST_MEAN // step)
        else:
            return None
        blocks += [block] * (down * across)
    size = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    unit = 8 * max(down for down, _ in factors), 8 * max(across for _, across in factors)
    return _Scan(size=size, unit=unit, blocks=blocks, interval=interval, data=coded, is_all=not is_progressive)


def _tables(part: bytes) -> dict[int, bytes]:
    """Return the Huffman tables of a segment: how many codes there are of each length, and their symbols."""
    found, at = {}, 0
    while at + 17 <= len(part):
        count = sum(part[at + 1 : at + 17])
        found[part[at]] = part[at + 1 : at + 17 + count]
        at += 17 + count
    return found


def _first_steps(part: bytes) -> dict[int, int]:
    """Return the step of the mean in each quantisation table of a segment."""
    found, at = {}, 0
    while at + 2 < len(part):
        wide = part[at] >> 4
        found[part[at] & 15] = int.from_bytes(part[at + 1 : at + (3 if wide else 2)], "big")
        at += 129 if wide else 65
    return found


def _symbols(table: bytes) -> NDArray[np.int64]:
    """Return symbol << 8 | length of the code that the next 16 bits begin with, 0 = none, (65536,)."""
    found, at, code = np.zeros(1 << 16, np.int64), 16, 0
    for length in range(1, 17):
        for symbol in table[at : at + table[length - 1]]:
            found[code << (16 - length) : (code + 1) << (16 - length)] = symbol << 8 | length
            code += 1
        at += table[length - 1]
        code <<= 1
    return found


@functools.lru_cache(maxsize=16)
def _first_table(table: bytes) -> list[int]:
    found = _symbols(table)
    size = found >> 8 & 15
    return list(np.where(found > 0, size << 8 | ((found & 63) + size), 0).tolist())


@functools.lru_cache(maxsize=16)
def _table(table: bytes) -> tuple[list[int], list[int]]:
    found = _symbols(table)
    length, size, run = found & 63, found >> 8 & 15, found >> 12
    ends = (size == 0) & (run != 15)
    one = np.where(found > 0, np.where(ends, 64, (run + 1) << 8) | (length + size), 0)
    many, bits = one.copy(), np.arange(1 << 16)
    for _ in range(8):
        taken = many & 63
        more = one[bits << np.minimum(taken, 16) & 65535]
        fits = (many > 0) & (many & 64 == 0) & (more > 0) & (taken + (more & 63) <= 16)
        many = np.where(fits, (many & ~63) + (more & ~63) | (taken + (more & 63)), many)
    return list(one.tolist()), list(many.tolist())
