"""What a result leaves of its input, measured.

A result explains its input if it gives the input again when it is degraded as declared: blurred, shrunk, made noisy,
coded as JPEG. The residual is the input minus the degraded result. A simulated input is made in the same way, and its
residual is compared with the real one, block by block. `limits` says how far they may differ.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from ..degradation.estimation.blocks import LUMA
from ..degradation.noise_field import noise_field
from ..degradation.operators import blur, resize
from ..images.image_io import Encoding, Picture, Source, encode_pages, read_pages, to_levels
from ..images.jpeg_writer import through_jpeg
from ..images.units import LEVEL
from ..restoration.alpha import near_range
from .declared import Declared

BLOCK: Final = 16
"""Side of the blocks in which residuals are compared, in pixels."""
_REACH: Final = 4
"""Pixels over which blurring and resizing mix a pixel with its neighbours."""
_NAMELESS: Final = Path("result")

Floats = NDArray[np.float64]


def to_level_floats(pixels: NDArray[np.float32]) -> Floats:
    """Convert pixels in [-1, 1] to 8-bit levels, not rounded."""
    levels: Floats = (pixels.astype(np.float64) + 1) * LEVEL
    return levels


def rms(array: Floats) -> float:
    """Return the root of the mean square."""
    return float(np.sqrt((array**2).mean()))


def split_luma(levels: Floats) -> tuple[Floats, Floats]:
    """Split (H, W, C) into luma (BT.601) in every channel, and the rest."""
    if levels.shape[2] == 1:
        return levels, np.zeros_like(levels)
    luma = np.repeat((levels @ LUMA)[..., None], 3, axis=2)
    return luma, levels - luma


def fine_detail(levels: Floats) -> Floats:
    """Return what a picture (H, W, C) has beyond its own mean of 3 x 3."""
    h, w = levels.shape[:2]
    padded = np.pad(levels, ((1, 1), (1, 1), (0, 0)), mode="edge")
    mean = sum(padded[i : i + h, j : j + w] for i in range(3) for j in range(3)) / 9
    detail: Floats = levels - mean
    return detail


# The residual --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Residuals:
    """The real residual and a simulated one, (H, W, C) each, in 8-bit levels.

    Attributes:
        real: the input minus the degraded result.
        simulated: a simulated input minus the degraded result.
        seen: the degraded result.
        restored: the estimate behind the result, at full strength, (h, w, C).
        counted: (H, W), True where something can be told: no hole and nothing transparent is near.
    """

    real: Floats
    simulated: Floats
    seen: Floats
    restored: Floats
    counted: NDArray[np.bool_]


def residuals_of(after: Picture, before: Picture, declared: Declared) -> Residuals:
    """Measure a result.

    Args:
        after: the result.
        before: its input.
        declared: what is said to have been done.
    """
    restored = _undo_strength(after, before, declared)
    y = to_level_floats((declared.prepared or before).pixels)
    seen, simulated = _degraded(restored, declared, y.shape[:2], gray=before.is_gray, floating=before.floating)
    counted = np.ones(y.shape[:2], bool)
    if declared.hole is not None:
        counted &= ~_grown(declared.hole)
    if before.alpha is not None:
        counted &= ~_grown(before.alpha == 0)
    real = y - seen
    if declared.impulses is not None:  # what was there says nothing, and no block is without one
        np.copyto(real, simulated - seen, where=declared.impulses[..., None])
    parts = _telling(real, simulated - seen, declared)
    return Residuals(real=parts[0], simulated=parts[1], seen=seen, restored=restored, counted=counted)


def _undo_strength(after: Picture, before: Picture, declared: Declared) -> Floats:
    """Return the estimate that a result of less than full strength was moved towards, in levels."""
    y, x = to_level_floats(before.pixels), to_level_floats(after.pixels)
    if declared.strength == declared.chroma_strength == 1:
        return x
    luma, chroma = split_luma(x - y)
    return y + luma / (declared.strength or 1) + chroma / (declared.chroma_strength or 1)


def _telling(real: Floats, simulated: Floats, declared: Declared) -> tuple[Floats, Floats]:
    """Return the part of both residuals that was to change: luma, chroma or both."""
    if declared.strength == 0:
        return split_luma(real)[1], split_luma(simulated)[1]
    if declared.chroma_strength == 0:
        return split_luma(real)[0], split_luma(simulated)[0]
    return real, simulated


def _grainy(field: NDArray[np.float32], grain: float) -> NDArray[np.float32]:
    """Return white noise (H, W, C) with this grain, its std unchanged."""
    if grain == 0:
        return field
    soft = blur(torch.from_numpy(field.transpose(2, 0, 1).copy())[None], grain)[0]
    correlated: NDArray[np.float32] = (soft / soft.std()).permute(1, 2, 0).numpy()
    return correlated


def _degraded(
    restored: Floats, declared: Declared, size: Sequence[int], *, gray: bool, floating: bool
) -> tuple[Floats, Floats]:
    """Return the result blurred and shrunk as declared, and the same as a file, with noise and coder."""
    what = declared.what
    std = what.noise * LEVEL if declared.std is None else declared.std[..., None].astype(np.float64)
    x = torch.from_numpy(restored.transpose(2, 0, 1).astype(np.float32))[None]
    seen = resize(blur(x, what.blur), (size[0], size[1]))[0].permute(1, 2, 0).numpy().astype(np.float64)
    field = noise_field((size[0], size[1]), seed=1, gray=gray).transpose(1, 2, 0)[..., : restored.shape[2]]
    simulated = seen + std * _grainy(field, what.grain)
    if not floating or what.quality < 100:
        simulated = np.rint(np.clip(simulated, 0, 255))
    if what.quality < 100:
        coded = through_jpeg(simulated.astype(np.uint8), round(what.quality), "4:2:0")
        simulated = coded.astype(np.float64)
    return seen, simulated


def _grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return a mask with its neighbours, which blurring and resizing mix with it."""
    x = torch.from_numpy(mask[None, None].astype(np.float32))
    near: NDArray[np.bool_] = torch.nn.functional.max_pool2d(x, 2 * _REACH + 1, 1, _REACH)[0, 0].numpy() > 0
    return near


# Blocks --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class Blocks:
    """Square pieces of the residuals, (N, side, side, C) each, without those that hold pixels that do not count.

    Attributes:
        residual: the real one.
        simulated: the simulated one.
        detail: what detail lets differ.
        texture: (N,), how much the degraded result varies in each block, in levels.
        whole: which of all blocks these are.
    """

    residual: Floats
    simulated: Floats
    detail: Floats
    texture: Floats
    whole: NDArray[np.bool_]

    @classmethod
    def of(cls, found: Residuals, detail: Floats) -> "Blocks | None":
        """Cut the residuals and the detail (H, W, C); None where no block is left."""
        side = min(BLOCK, *found.real.shape[:2])
        whole: NDArray[np.bool_] = cut(found.counted[..., None].astype(np.float64), side).min(axis=(1, 2, 3)) > 0
        if not whole.any():
            return None
        texture = np.sqrt((cut(fine_detail(found.seen), side)[whole] ** 2).mean(axis=(1, 2, 3)))
        parts = [cut(array, side)[whole] for array in (found.real, found.simulated, detail)]
        return cls(residual=parts[0], simulated=parts[1], detail=parts[2], texture=texture, whole=whole)

    @property
    def side(self) -> int:
        """Side of a block in pixels."""
        return int(self.residual.shape[1])

    @property
    def numbers_a_block(self) -> int:
        """How many numbers a block's rms is the mean of; equal channels count once."""
        _, rows, columns, channels = self.residual.shape
        gray = channels == 1 or bool((self.residual == self.residual[..., :1]).all())
        return int(rows * columns * (1 if gray else channels))

    def squares(self, array: Floats) -> Floats:
        """Return the mean square of each block, (N,)."""
        means: Floats = (array**2).mean(axis=(1, 2, 3))
        return means

    def flattest(self) -> "Blocks":
        """Return the quarter with the least texture, and of it only what is not clipped away."""
        noise = self.squares(self.simulated)
        usable = np.flatnonzero(noise >= 0.75 * np.quantile(noise, 0.9))
        count = max(len(usable) // 4, min(len(usable), 4))
        flat = usable[np.argsort(self.texture[usable], kind="stable")[:count]]
        parts = {name: getattr(self, name)[flat] for name in ("residual", "simulated", "detail", "texture")}
        return Blocks(**parts, whole=self.whole)


def cut(array: Floats, side: int) -> Floats:
    """Cut (H, W, C) into blocks (N, side, side, C); what is left at the right and at the bottom is dropped."""
    h, w, channels = array.shape
    rows, columns = h // side, w // side
    pieces = array[: rows * side, : columns * side].reshape(rows, side, columns, side, channels)
    blocks: Floats = pieces.transpose(0, 2, 1, 3, 4).reshape(rows * columns, side, side, channels)
    return blocks


def correlations(blocks: Floats) -> list[float]:
    """Return the correlation of horizontal and of vertical neighbours in blocks (N, side, side, C)."""
    power = float((blocks**2).mean()) + 1e-9
    across, down = blocks[:, :, 1:] * blocks[:, :, :-1], blocks[:, 1:] * blocks[:, :-1]
    return [float(across.mean()) / power, float(down.mean()) / power] if min(blocks.shape[1:3]) > 1 else [0.0, 0.0]


# The coder of the result's file --------------------------------------------------------------------------------------


def recoded(picture: Picture, encoding: Encoding) -> NDArray[np.float32]:
    """Return the pixels of a picture that is written as its own file was, and read again."""
    kept = Source(format=picture.source.format, lossy=picture.source.lossy, jpeg=picture.source.jpeg)
    asked = Encoding(quality=encoding.quality).like(picture.source.format)
    plain = replace(picture, source=kept)
    name = _NAMELESS.with_suffix(asked.suffix or ".png")
    data = encode_pages([plain], name, encoding=asked)
    return next(read_pages(name, data=io.BytesIO(data))).pixels


def coding_error(after: Picture, encoding: Encoding) -> float:
    """Return the rms, in levels, of what the result's coder does to such a picture.

    It is coded once more with its blocks elsewhere. They are moved by an odd number of pixels, or subsampled chroma
    would stay as it is.
    """
    moved = after.pixels[5:, 5:]
    if min(moved.shape[:2]) < BLOCK // 2:
        moved = after.pixels
    alpha = None if after.alpha is None else after.alpha[-moved.shape[0] :, -moved.shape[1] :]
    coded = recoded(replace(after, pixels=moved, alpha=alpha), encoding)
    return rms(to_level_floats(coded) - to_level_floats(moved))


def squares_lost(after: Picture, before: Picture, encoding: Encoding, side: int) -> Floats:
    """Return the mean square, (N,), of what the result's coder would do to the input, whose detail the result has."""
    coded = recoded(Picture(pixels=before.pixels, source=after.source), encoding)
    lost: Floats = (cut(to_level_floats(coded) - to_level_floats(before.pixels), side) ** 2).mean(axis=(1, 2, 3))
    return lost


# Pixels that are said to be untouched, and alpha ---------------------------------------------------------------------


def changed_pixels(after: Picture, before: Picture, known: NDArray[np.bool_]) -> tuple[int, float]:
    """Return how many known pixels changed, and the largest change in 8-bit levels, as the result's file holds them."""
    if after.floating:
        a, b = (picture.pixels.astype(np.float64) * LEVEL for picture in (after, before))
    else:
        a, b = (to_levels(p.pixels, after.depth, after.white).astype(np.float64) for p in (after, before))
    changed = (a != b).any(axis=2) & known
    far = np.abs(a - b).max(axis=2)[known].max() * (1 if after.floating else 255 / after.white)
    return int(changed.sum()), float(far)


def recoded_differences(
    after: Picture, before: Picture, known: NDArray[np.bool_], encoding: Encoding
) -> tuple[Floats, Floats]:
    """Code the input, with the filled pixels of the result, as the result was coded: that gives the result again.

    Returns:
        How far the known pixels of the result lie from it, and how far its coder moved them, in levels.
    """
    if bool((after.pixels == before.pixels)[known].all()):  # of a JPEG that was copied, or that its coder left alone
        nothing = np.zeros((int(known.sum()), after.pixels.shape[2]))
        return nothing, nothing
    expected = np.where(known[..., None], before.pixels, after.pixels)
    coded = to_level_floats(recoded(replace(after, pixels=expected), encoding))
    difference = np.abs(to_level_floats(after.pixels) - coded)[known]
    own = np.abs(to_level_floats(expected) - coded)[known]
    return difference, own


def alpha_difference(after: Picture, before: Picture, declared: Declared) -> float:
    """Return the largest difference, in 8-bit levels, of the alpha from what it is to be: kept, filled or enlarged.

    If it was enlarged, it is to lie between what is near in the input, or to be interpolated from that.
    """
    opaque = np.ones(before.pixels.shape[:2])
    expected, now = (opaque if p.alpha is None else p.alpha / (2**p.depth - 1) for p in (before, after))
    if declared.opaque and declared.hole is not None:
        expected = np.where(declared.hole, 1.0, expected)
    if expected.shape != declared.size:
        plane = torch.from_numpy(2 * expected.astype(np.float32) - 1)[None, None]
        low, high = near_range(expected, declared.size)
        plain = np.clip((resize(plane, declared.size)[0, 0].numpy() + 1) / 2, 0, 1)
        low, high = np.minimum(low, plain), np.maximum(high, plain)
        now = now if now.shape == declared.size else np.ones(declared.size)
        return float(np.maximum(now - high, low - now).max().clip(0) * 255)
    if now.shape != declared.size:
        now = np.ones(declared.size)
    return float(np.abs(now - expected).max() * 255)
