"""Is what was changed explained by what is said to have been done?

Whatever was restored, the result must explain the input: degraded again as declared (blurred, shrunk, noise added,
coded as JPEG), it gives the input up to the noise's chance. So a simulated input and the real one are compared by how
far each lies from the degraded result, block by block: noise that was removed has the declared size, is white, and
takes nothing else with it. Where pixels are said to be untouched, they are compared one by one. A lossy file is allowed
what its coder does to such a picture, which is measured by coding it once more. No network is needed.

The limits were fixed on pictures that the table of their errors (docs/provenance.md) does not use.
"""

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from ..degradation.estimation.blocks import LUMA
from ..degradation.noise_field import noise_field
from ..degradation.operators import Degradation, blur, resize
from ..images.encoder import through_jpeg
from ..images.image_io import PLAIN, Encoding, Picture, Source, encode_pages, read_pages, to_levels
from ..images.units import LEVEL
from .declared import Declared

BLOCK: Final = 16
"""Side of the blocks in which residuals are compared."""
MOST_RESIDUAL: Final = 1.09
"""The removed noise against the simulated one, in the flattest blocks; MOST_IN_A_BLOCK: the same in the worst block."""
MOST_IN_A_BLOCK: Final = 1.25
LEAST_RESIDUAL: Final = (0.84, 0.06)
"""The least of it: where the picture is flat, and less for each octave of texture above FLAT times the noise, since
what cannot be told from texture stays in the mean."""
FLAT: Final = 0.25
MOST_CORRELATED: Final = (0.2, 0.05)
"""How far the removed noise's correlation between neighbours may lie from the simulated one's, and more an octave."""
CODED_RESIDUAL: Final = (0.4, 1.5, 1.6, 0.35)
"""Least and most residual, most in a block, most correlated, where a coder, blur or enlargement is declared too."""
MOST_ENLARGED: Final = 0.5
"""An enlarged picture shrunk again differs from its input by at most this share of its finest detail."""
MOST_DEBLURRED: Final = 0.35
"""Where a blur is declared, the same of the result's own finest detail, which its error grows with, beside it."""
BLURRED: Final = 2.0
"""Levels that are allowed then in any case, else 1."""
MOST_CODER: Final = 1.5
"""A picture that was a JPEG differs from the result coded again by at most this multiple of what the coder does."""
MOST_UNEXPLAINED: Final = 3.0
"""Of what these two allow, in the worst block; on the whole it is 1."""
MOST_RECODED: Final = {"JPEG": (0.2, 0.5)}
"""Untouched pixels in a lossy file: rms and largest difference from the input coded alike, of the coder's own."""
MOST_RECODED_ELSE: Final = (1.2, 1.2)
"""Of coders that predict one block from another, so that a change reaches far."""
LOSSY: Final = 0.04
"""Less is enough in a lossy file."""
LEAST_NOISE: Final = 2.0
"""Levels; less noise is lost in rounding, and is not measured."""

Floats = NDArray[np.float64]
_NAMELESS: Final = Path("result")


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One thing that was measured.

    Attributes:
        name: of what, in words; unit: of the value.
        at_least, at_most: the limits.
    """

    name: str
    value: float
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        """Numbers of numpy become Python's, which JSON takes."""
        for name in ("value", "at_least", "at_most"):
            value = getattr(self, name)
            if value is not None:
                object.__setattr__(self, name, float(value))

    @property
    def strain(self) -> float:
        """How near it comes to its limits: up to 1 it is within them."""
        low = self.at_least / max(self.value, 1e-9) if self.at_least else 0.0
        if self.at_most is None:
            return low
        high = self.value / self.at_most if self.at_most else math.inf if self.value > 0 else 0.0
        return max(low, high)

    @property
    def is_fine(self) -> bool:
        """Whether it lies within the limits."""
        return self.strain <= 1


def verify(after: Picture, before: Picture, declared: Declared, encoding: Encoding = PLAIN) -> list[Figure]:
    """Hold a result against its input.

    Args:
        after, before: the result and its input, as displayed.
        declared: what is said to have been done.
        encoding: how the result was written, where its file does not tell (the quality of a WebP or AVIF).
    Returns: what was measured; the result is explained if every figure is fine.
    """
    size = after.pixels.shape[:2]
    if size != declared.size:
        return [_size_figure(size, declared.size)]
    if before.pixels.shape[2] != after.pixels.shape[2]:
        return [
            Figure(
                name="channels",
                value=after.pixels.shape[2],
                at_least=before.pixels.shape[2],
                at_most=before.pixels.shape[2],
            )
        ]
    if declared.margins is not None:
        before = _on_canvas(before, after, declared.margins)
    alpha = _alpha_figures(after, before, declared)
    if declared.keeps_known_pixels:
        return _untouched(after, before, declared, encoding) + alpha
    return _explained(after, before, declared, encoding) + alpha


def _on_canvas(before: Picture, after: Picture, margins: tuple[int, int, int, int]) -> Picture:
    """The input where it lies on the result's canvas, with the result around it."""
    left, top, _, _ = margins
    place = np.s_[top : top + before.pixels.shape[0], left : left + before.pixels.shape[1]]
    pixels, alpha = after.pixels.copy(), None
    pixels[place] = before.pixels
    if before.alpha is not None:
        alpha = np.full(pixels.shape[:2], 2**before.depth - 1, before.alpha.dtype)
        alpha[place] = before.alpha
    return replace(before, pixels=pixels, alpha=alpha)


def _rough(texture: float, noise: float) -> float:
    """Octaves by which the flattest blocks' texture is above a quarter of the noise: so much is lost with the noise."""
    return max(math.log2(max(texture, 1e-6) / (FLAT * noise)), 0.0)


def _size_figure(size: Sequence[int], wanted: Sequence[int]) -> Figure:
    """Width, or height where that is the one that is wrong."""
    axis = 1 if size[1] != wanted[1] else 0
    name = ("height", "width")[axis]
    return Figure(name=name, value=size[axis], unit="pixels", at_least=wanted[axis], at_most=wanted[axis])


# Pixels that are said to be untouched --------------------------------------------------------------------------------


def _untouched(after: Picture, before: Picture, declared: Declared, encoding: Encoding) -> list[Figure]:
    known = np.ones(declared.size, bool) if declared.hole is None else ~declared.hole
    if before.alpha is not None and declared.hole is None:
        known &= before.alpha > 0
    if not known.any():
        return []
    if not after.source.lossy:
        a, b = _comparable(after, before)
        changed = (a != b).any(axis=2) & known
        far = np.abs(a - b).max(axis=2)[known].max() * (1 if after.floating else 255 / (2**after.depth - 1))
        return [
            Figure(name="untouched pixels that changed", value=int(changed.sum()), unit="pixels", at_most=0),
            Figure(name="by at most", value=float(far), unit="levels", at_most=0),
        ]
    return _untouched_but_coded(after, before, known, encoding)


def _comparable(after: Picture, before: Picture) -> tuple[Floats, Floats]:
    """Both as the result's file holds them."""
    if after.floating:
        return after.pixels.astype(np.float64) * LEVEL, before.pixels.astype(np.float64) * LEVEL
    a, b = (to_levels(picture.pixels, after.depth).astype(np.float64) for picture in (after, before))
    return a, b


def _untouched_but_coded(after: Picture, before: Picture, known: NDArray[np.bool_], encoding: Encoding) -> list[Figure]:
    """The input with the filled pixels of the result is coded as the result was, which gives the result again."""
    expected = np.where(known[..., None], before.pixels, after.pixels)
    coded = _coded(replace(after, pixels=expected), encoding)
    difference = np.abs(_levels(after.pixels) - _levels(coded))[known]
    own = np.abs(_levels(expected) - _levels(coded))[known]
    share, largest = MOST_RECODED.get(after.source.format, MOST_RECODED_ELSE)
    rms, allowed = _rms(difference), share * _rms(own) + 0.5
    worst, most = float(difference.max()), largest * float(own.max()) + 4
    return [
        Figure(
            name="untouched pixels differ from the input coded alike by",
            value=rms,
            unit="levels",
            at_most=allowed,
        ),
        Figure(name="by at most", value=worst, unit="levels", at_most=most),
    ]


def _coded(picture: Picture, encoding: Encoding) -> NDArray[np.float32]:
    """What is left of a picture that is written as its own file was and read again."""
    kept = Source(format=picture.source.format, lossy=picture.source.lossy, jpeg=picture.source.jpeg)
    asked = Encoding(quality=encoding.quality).like(picture.source.format)
    plain = replace(picture, source=kept)
    name = _NAMELESS.with_suffix(asked.suffix or ".png")
    data = encode_pages([plain], name, encoding=asked)
    return next(read_pages(name, data=io.BytesIO(data))).pixels


# What was restored ---------------------------------------------------------------------------------------------------


def _explained(after: Picture, before: Picture, declared: Declared, encoding: Encoding) -> list[Figure]:
    what, y = declared.what, _levels(before.pixels)
    restored = _undo_strength(after, before, declared)
    seen, simulated = _degraded(restored, declared, y.shape[:2], gray=before.is_gray)
    away = _away(y - seen, simulated - seen, declared)
    counted = np.ones(y.shape[:2], bool)
    if declared.hole is not None:
        counted &= ~_grown(declared.hole)
    if before.alpha is not None:
        counted &= ~_grown(before.alpha == 0)
    blocks = _Blocks.of(*away, _allowed_detail(y, restored, what), seen, counted)
    if blocks is None:
        return []
    if what.noise * LEVEL >= LEAST_NOISE:
        slack = _coding_error(after, encoding) if after.source.lossy else 0.0
        slack /= max(min(declared.strength or 1, declared.chroma_strength or 1), 0.05)
        return _noise_figures(blocks, what, slack) + _unmoved_figures(after, before, declared)
    coder = _squares_lost(after, before, encoding, blocks.side)[blocks.whole] if after.source.lossy else 0.0
    return _detail_figures(blocks, what, coder) + _unmoved_figures(after, before, declared)


def _allowed_detail(y: Floats, restored: Floats, what: Degradation) -> Floats:
    """What the input's and, of a deblurred picture, the result's own detail let differ: MOST_ENLARGED of this."""
    detail = _detail(y)
    if what.blur == 0 or restored.shape != y.shape:
        return detail
    both: Floats = np.sqrt(detail**2 + (MOST_DEBLURRED / MOST_ENLARGED * _detail(restored)) ** 2)
    return both


def _noise_figures(blocks: "_Blocks", what: Degradation, slack: float) -> list[Figure]:
    """Its size where the picture is flat, its largest anywhere, its whiteness."""
    flat, chance = blocks.flattest(), 4 / np.sqrt(2 * blocks.numbers_a_block)
    low, high, block, correlated = CODED_RESIDUAL
    shrunk = what.scale > 1 or what.blur > 0
    if what.quality >= 100 and not shrunk:
        octaves = _rough(_rms(flat.texture), _rms(flat.simulated))
        low = LEAST_RESIDUAL[0] - LEAST_RESIDUAL[1] * octaves - (LOSSY if slack else 0)
        high, block, correlated = MOST_RESIDUAL, MOST_IN_A_BLOCK, MOST_CORRELATED[0] + MOST_CORRELATED[1] * octaves
    size = np.sqrt((flat.residual**2).mean() / ((flat.simulated**2).mean() + slack**2))
    budget = blocks.squares(blocks.simulated) + slack**2 + 0.25
    if shrunk:
        budget += MOST_ENLARGED**2 * blocks.squares(blocks.detail)
    worst = float(np.sqrt(blocks.squares(blocks.residual) / budget).max())
    figures = [
        Figure(name="noise removed, of that declared", value=float(size), at_least=low - chance / 8, at_most=high),
        Figure(name="the same in the worst block", value=worst, at_most=block + chance),
    ]
    if slack == 0:
        both = zip(_correlations(flat.residual), _correlations(flat.simulated), strict=True)
        gap = max(abs(a - b) for a, b in both)
        figures.append(Figure(name="its correlation between neighbours", value=gap, at_most=correlated))
    return figures


def _detail_figures(blocks: "_Blocks", what: Degradation, lost: Floats | float) -> list[Figure]:
    """Without noise: against the finest detail of the input, and what coders do.

    Args: lost: mean square of what the result's own coder does, in each block.
    """
    share = MOST_ENLARGED**2 * blocks.squares(blocks.detail)
    floor = BLURRED**2 if what.blur > 0 else 1.0
    coder = MOST_CODER**2 * blocks.squares(blocks.simulated) + lost + floor
    residual = blocks.squares(blocks.residual)
    whole = float(np.sqrt(residual.mean() / (share + coder).mean()))
    worst = float(np.sqrt(residual / (share + coder)).max())
    return [
        Figure(name="input not explained by the result, of what is allowed", value=whole, at_most=1.0),
        Figure(name="the same in the worst block", value=worst, at_most=MOST_UNEXPLAINED),
    ]


def _unmoved_figures(after: Picture, before: Picture, declared: Declared) -> list[Figure]:
    """Luma or chroma that was to stay, up to the rounding of three channels."""
    if 0 not in (declared.strength, declared.chroma_strength) or after.source.lossy:
        return []
    luma, chroma = _split(_levels(after.pixels) - _levels(before.pixels))
    still = luma if declared.strength == 0 else chroma
    return [Figure(name="what was to stay moved by rms", value=_rms(still), unit="levels", at_most=1.0)]


def _undo_strength(after: Picture, before: Picture, declared: Declared) -> Floats:
    """The estimate that a result of less than full strength was moved towards, in levels."""
    y, x = _levels(before.pixels), _levels(after.pixels)
    if declared.strength == declared.chroma_strength == 1:
        return x
    luma, chroma = _split(x - y)
    return y + luma / (declared.strength or 1) + chroma / (declared.chroma_strength or 1)


def _away(real: Floats, simulated: Floats, declared: Declared) -> tuple[Floats, Floats]:
    """The part of both residuals that tells something: not what was to stay."""
    if declared.strength == 0:
        return _split(real)[1], _split(simulated)[1]
    if declared.chroma_strength == 0:
        return _split(real)[0], _split(simulated)[0]
    return real, simulated


def _split(levels: Floats) -> tuple[Floats, Floats]:
    """Luma (BT.601), in every channel, and the rest."""
    if levels.shape[2] == 1:
        return levels, np.zeros_like(levels)
    luma = np.repeat((levels @ LUMA)[..., None], 3, axis=2)
    return luma, levels - luma


def _degraded(restored: Floats, declared: Declared, size: Sequence[int], *, gray: bool) -> tuple[Floats, Floats]:
    """The result blurred and shrunk as declared; and the same as a file, with noise and coder."""
    what = declared.what
    std = what.noise * LEVEL if declared.std is None else declared.std[..., None].astype(np.float64)
    x = torch.from_numpy(restored.transpose(2, 0, 1).astype(np.float32))[None]
    seen = resize(blur(x, what.blur), (size[0], size[1]))[0].permute(1, 2, 0).numpy().astype(np.float64)
    field = noise_field((size[0], size[1]), seed=1, gray=gray).transpose(1, 2, 0)[..., : restored.shape[2]]
    simulated = np.rint(np.clip(seen + std * field, 0, 255))
    if what.quality < 100:
        coded = through_jpeg(simulated.astype(np.uint8), round(what.quality), "4:2:0")
        simulated = coded.astype(np.float64)
    return seen, simulated


def _coding_error(after: Picture, encoding: Encoding) -> float:
    """What the result's coder does to such a picture: coded once more with its blocks elsewhere. Rms in levels.

    They are moved by an odd number of pixels, or coarser chroma would stay as it is.
    """
    moved = after.pixels[5:, 5:]
    if min(moved.shape[:2]) < BLOCK // 2:
        moved = after.pixels
    alpha = None if after.alpha is None else after.alpha[-moved.shape[0] :, -moved.shape[1] :]
    coded = _coded(replace(after, pixels=moved, alpha=alpha), encoding)
    return _rms(_levels(coded) - _levels(moved))


def _squares_lost(after: Picture, before: Picture, encoding: Encoding, side: int) -> Floats:
    """(N,), the mean square of what the result's coder would do to the input, whose detail the result has."""
    coded = _coded(Picture(pixels=before.pixels, source=after.source), encoding)
    lost: Floats = (_cut(_levels(coded) - _levels(before.pixels), side) ** 2).mean(axis=(1, 2, 3))
    return lost


# Alpha ---------------------------------------------------------------------------------------------------------------


def _alpha_figures(after: Picture, before: Picture, declared: Declared) -> list[Figure]:
    """Transparency is kept, resized with the picture, or filled; never invented."""
    if before.alpha is None and after.alpha is None:
        return []
    opaque = np.ones(before.pixels.shape[:2])
    was, now = (opaque if p.alpha is None else p.alpha / (2**p.depth - 1) for p in (before, after))
    if before.alpha is not None and after.alpha is None and was.min() < 1:
        return [Figure(name="transparency that is gone", value=1, at_most=0)]
    expected = was
    if declared.opaque and declared.hole is not None:
        expected = np.where(declared.hole, 1.0, was)
    if expected.shape != declared.size:
        plane = torch.from_numpy(2 * expected.astype(np.float32) - 1)[None, None]
        expected = np.clip((resize(plane, declared.size)[0, 0].numpy() + 1) / 2, 0, 1)
    if now.shape != declared.size:
        now = np.ones(declared.size)
    most = 16.0 if after.source.lossy else 1.0 if before.pixels.shape[:2] != declared.size else 0.5
    worst = float(np.abs(now - expected).max() * 255)
    return [Figure(name="transparency differs by at most", value=worst, unit="levels", at_most=most)]


# Blocks --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class _Blocks:
    """Square pieces of the residuals, (N, side, side, C) each, without those that hold pixels not to be counted."""

    residual: Floats
    simulated: Floats
    detail: Floats
    texture: Floats
    """(N,), how much the degraded result varies in each."""
    whole: NDArray[np.bool_]
    """Which of all blocks these are."""

    @classmethod
    def of(
        cls, residual: Floats, simulated: Floats, detail: Floats, seen: Floats, counted: NDArray[np.bool_]
    ) -> "_Blocks | None":
        """Cut; None where no block is left."""
        side = min(BLOCK, *residual.shape[:2])
        whole: NDArray[np.bool_] = _cut(counted[..., None].astype(np.float64), side).min(axis=(1, 2, 3)) > 0
        if not whole.any():
            return None
        texture = np.sqrt((_cut(_detail(seen), side)[whole] ** 2).mean(axis=(1, 2, 3)))
        parts = [_cut(array, side)[whole] for array in (residual, simulated, detail)]
        return cls(residual=parts[0], simulated=parts[1], detail=parts[2], texture=texture, whole=whole)

    @property
    def side(self) -> int:
        """Of a block, in pixels."""
        return int(self.residual.shape[1])

    @property
    def numbers_a_block(self) -> int:
        """How many numbers a block's rms is the mean of; equal channels count once."""
        _, rows, columns, channels = self.residual.shape
        gray = channels == 1 or bool((self.residual == self.residual[..., :1]).all())
        return int(rows * columns * (1 if gray else channels))

    def squares(self, array: Floats) -> Floats:
        """(N,), the mean square of each block."""
        means: Floats = (array**2).mean(axis=(1, 2, 3))
        return means

    def flattest(self) -> "_Blocks":
        """The quarter with the least texture, and in it only what is not clipped away."""
        noise = self.squares(self.simulated)
        usable = np.flatnonzero(noise >= 0.75 * np.quantile(noise, 0.9))
        count = max(len(usable) // 4, min(len(usable), 4))
        flat = usable[np.argsort(self.texture[usable], kind="stable")[:count]]
        parts = {name: getattr(self, name)[flat] for name in ("residual", "simulated", "detail", "texture")}
        return _Blocks(**parts, whole=self.whole)


def _cut(array: Floats, side: int) -> Floats:
    h, w, channels = array.shape
    rows, columns = h // side, w // side
    pieces = array[: rows * side, : columns * side].reshape(rows, side, columns, side, channels)
    cut: Floats = pieces.transpose(0, 2, 1, 3, 4).reshape(rows * columns, side, side, channels)
    return cut


def _correlations(blocks: Floats) -> list[float]:
    """Of horizontal and of vertical neighbours."""
    power = float((blocks**2).mean()) + 1e-9
    across, down = blocks[:, :, 1:] * blocks[:, :, :-1], blocks[:, 1:] * blocks[:, :-1]
    return [float(across.mean()) / power, float(down.mean()) / power] if min(blocks.shape[1:3]) > 1 else [0.0, 0.0]


def _detail(levels: Floats) -> Floats:
    """What a picture has beyond its own mean of 3 x 3."""
    h, w = levels.shape[:2]
    padded = np.pad(levels, ((1, 1), (1, 1), (0, 0)), mode="edge")
    mean = sum(padded[i : i + h, j : j + w] for i in range(3) for j in range(3)) / 9
    detail: Floats = levels - mean
    return detail


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """With its neighbours, which blurring and resizing mix with it."""
    reach = 4
    grown = torch.nn.functional.max_pool2d(
        torch.from_numpy(mask[None, None].astype(np.float32)), 2 * reach + 1, 1, reach
    )
    near: NDArray[np.bool_] = grown[0, 0].numpy() > 0
    return near


def _levels(pixels: NDArray[np.float32]) -> Floats:
    levels: Floats = (pixels.astype(np.float64) + 1) * LEVEL
    return levels


def _rms(array: Floats) -> float:
    return float(np.sqrt((array**2).mean()))
