"""Damage that is found by its looks: `--mask auto`.

A network tells how likely each pixel is part of a mark (diffusion/mark_detector.py). What it sees, and what is narrow,
is measured (degradation/estimation/marks.py), and a second network judges it by these measures
(diffusion/speck_judge.py). Where the first network is sure, marks and missing parts are followed through less likely
pixels to their ends, as edges are by hysteresis (Canny 1986). Marks are if the judge knows a part of them, or if they
are long lines that the first network is sure of all along.
"""

import functools
import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from ..degradation.estimation.infrared import infrared_marks, infrared_of
from ..degradation.estimation.marks import candidates, torn
from ..degradation.estimation.sensor_dust import dust_mask, find_sensor_dust
from ..degradation.mask_shapes import grown
from ..diffusion import checkpoint
from ..diffusion.denoiser import pad_to_multiple
from ..diffusion.devices import gains_by_bf16
from ..diffusion.mark_detector import CLASSES, MULTIPLE, MarkDetector, evidence, load_detector
from ..diffusion.speck_judge import SpeckJudge, load_judge
from ..diffusion.tiling import plan_tiles, widened
from ..images.picture import Picture
from ..images.tensors import to_tensor
from ..images.units import luma
from .visible import visible
from .wear_evidence import counted, evidence_of_wear

Mask = NDArray[np.bool_]
_TILE: Final = 1024
_MARGIN: Final = 112
"""Pixels around a tile that are computed and thrown away: about the network's reach."""
_BEGINS: Final = (0.95, 0.9)
"""Chances from which a mark, and a missing part, begins at strength 0.5."""
_FOLLOWED: Final = (0.8, 0.5)
"""Chances down to which they are followed."""
_SHARE: Final = 0.2
"""Share of a followed mark that the judge takes for one, from which all of it is."""
_MARK: Final = 0.55
"""Chance from which a candidate is a mark, at strength 0.5."""
_SPAN: Final = 5.0
"""How far --mask-strength moves the logits of these, from 0 to 1."""
_SHORTEST: Final = 24
"""Pixels from corner to corner of a line that is one without the judge."""
_WIDEST: Final = 8.0
"""Its pixels for each of its length, at most."""
_SURE_LINE: Final = 3.0
"""Mean logit of such a line, at strength 0.5. The detector is sure of all of it, not of a place."""
_FEWEST: Final = 3
"""Pixels of a mark, at least."""
_SURE_SPOTS: Final = 2
"""Spots of a dirty sensor from which they are surely that: one may be a bird. 318 photographs had no two."""
_RIMS: Final = (1, 3)
"""Pixels around marks, and around missing parts, that are taken for their soft rims."""
_TOUCHING: Final = np.ones((3, 3), bool)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class FoundMarks:
    """What seems to be damaged.

    Attributes:
        marks: (H, W), dust, hairs, scratches, cracks and spots of a dirty sensor, with their soft rims.
        missing: (H, W), corners and strips that are torn off, with theirs.
        sure: (H, W), what is no thing in the picture: torn parts, several spots of a dirty sensor, and if the picture
            is worn, all marks and what is missing from its borders on.
        infrared: share of the picture that an infrared channel shows to be marks; None = there is no such channel.
    """

    marks: Mask
    missing: Mask
    sure: Mask
    infrared: float | None = None

    @property
    def all(self) -> Mask:
        """All of it, (H, W)."""
        return self.marks | self.missing


def find_marks(picture: Picture, strength: float = 0.5) -> FoundMarks:
    """Return where a picture seems to be damaged.

    Args:
        picture: as it was read.
        strength: 0 = only what is surely damage .. 1 = whatever may be.

    Raises:
        CheckpointError: the detector cannot be read.
    """
    seen = visible(picture)
    levels = seen.in_levels()
    logits = logits_of(to_tensor(seen.pixels), detector())
    marks, is_worn = _judged(levels, logits[0], strength)
    missing, torn_off = _missing(levels, logits[1], strength)
    sure = marks | torn_off | _from_borders(missing) if is_worn else torn_off
    spots = find_sensor_dust(levels, strength)
    dusty = dust_mask(marks.shape, spots)
    infrared = _infrared(picture, strength)
    if infrared is not None:
        marks, sure = marks | infrared.mask, sure | infrared.mask
    return FoundMarks(
        marks=marks | dusty, missing=missing, sure=sure | dusty if len(spots) >= _SURE_SPOTS else sure,
        infrared=None if infrared is None else infrared.share,
    )  # fmt: skip


@torch.no_grad()
def _judged(levels: NDArray[np.float32], logits: NDArray[np.float32], strength: float) -> tuple[Mask, bool]:
    """Return the candidates that the judge takes for marks, with their rims, and whether the picture is worn.

    Args:
        levels: (H, W, C), 0..255.
        logits: (H, W), the detector's of marks.
        strength: as `find_marks` takes it.
    """
    parts = candidates(levels, logits)
    said = judge()(parts.measures, logits.size).numpy()
    taken = said > logit(_MARK) + _shift(strength)
    followed_parts = _followed(logits, 0, strength)
    lines = sure_lines(followed_parts, logits, _SURE_LINE + _shift(strength))
    mask = _to_its_ends(np.any(np.concatenate([[False], taken])[parts.labels], axis=0), followed_parts) | lines
    counts = counted(parts.measures.numpy()[taken], said[taken], int(lines.sum()))
    return grown(mask, _RIMS[0]), evidence_of_wear(counts, logits.size) > 0


def sure_lines(followed_parts: Mask, logits: NDArray[np.float32], least: float) -> Mask:
    """Return the long parts that the detector is sure of all along. Rough walls have wide ones, which are no lines.

    Args:
        followed_parts: (H, W), of the detector.
        logits: (H, W), the detector's of marks.
        least: mean logit of a part.

    Returns:
        (H, W).
    """
    labels, count = ndimage.label(followed_parts, _TOUCHING)
    size = np.bincount(labels.ravel())
    mean = np.bincount(labels.ravel(), logits.ravel(), count + 1) / np.maximum(size, 1)
    length = [math.hypot(*(side.stop - side.start for side in box)) for box in ndimage.find_objects(labels)]
    reach = np.array([0.0, *length])
    kept = (mean >= least) & (reach >= _SHORTEST) & (size <= _WIDEST * reach)
    return np.asarray(kept[labels])


def _to_its_ends(mask: Mask, lines: Mask) -> Mask:
    """Return marks, and all of each line of which they are a large enough share.

    Args:
        mask: (H, W), what the judge takes for marks.
        lines: (H, W), what is followed.
    """
    labels, count = ndimage.label(lines, _TOUCHING)
    size, met = (np.bincount(each, minlength=count + 1) for each in (labels.ravel(), labels[mask]))
    kept = met >= _SHARE * size
    kept[0] = False
    return np.asarray(mask | kept[labels])


def _missing(levels: NDArray[np.float32], logits: NDArray[np.float32], strength: float) -> tuple[Mask, Mask]:
    """Return what is torn off, and what of it surely is: flat areas of paper or a scanner's lid.

    Args:
        levels: (H, W, C), 0..255.
        logits: (H, W), the detector's of missing parts.
        strength: as `find_marks` takes it.
    """
    flat = torn(levels)
    return grown(_followed(logits, 1, strength) | flat, _RIMS[1]), grown(flat, _RIMS[1])


def _from_borders(mask: Mask) -> Mask:
    """Return the parts of a mask that touch the picture's borders. White petals have none."""
    labels, count = ndimage.label(mask, _TOUCHING)
    kept = np.zeros(count + 1, bool)
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        kept[edge] = True
    kept[0] = False
    return np.asarray(kept[labels])


class _Infrared(NamedTuple):
    """Where an infrared channel shows marks, with their rims, (H, W), and their share of the picture without them."""

    mask: Mask
    share: float


def _infrared(picture: Picture, strength: float) -> _Infrared | None:
    """Return what an infrared channel shows; None: the picture has none of its size, or it tells nothing."""
    channel = infrared_of(picture.source.extra)
    if channel is None or channel.shape != picture.pixels.shape[:2]:
        return None
    marks = infrared_marks(channel, luma(to_tensor(visible(picture).pixels))[0, 0].numpy(), strength)
    return None if marks is None else _Infrared(grown(marks, _RIMS[0]), float(marks.mean()))


def _shift(strength: float) -> float:
    """Return what --mask-strength adds to the least logits."""
    return _SPAN * (0.5 - strength)


def _followed(logits: NDArray[np.float32], which: int, strength: float) -> Mask:
    """Return what is followed of one of the CLASSES, (H, W)."""
    shift = _shift(strength)
    return followed(logits, logit(_BEGINS[which]) + shift, logit(_FOLLOWED[which]) + shift)


def followed(logits: NDArray[np.float32], begins: float, ends: float) -> Mask:
    """Return what begins with a large chance, and is connected with it by smaller ones.

    Args:
        logits: (H, W).
        begins: the least logit of one pixel of a mark.
        ends: the least logit of all its pixels.

    Returns:
        (H, W).
    """
    labels, count = ndimage.label(logits > ends, _TOUCHING)
    begun = np.bincount(labels[logits > begins], minlength=count + 1) > 0
    kept = begun & (np.bincount(labels.ravel(), minlength=count + 1) >= _FEWEST)
    kept[0] = False
    return np.asarray(kept[labels])


def logit(chance: float) -> float:
    """Return the logit of a chance."""
    return math.log(chance / (1 - chance))


@torch.no_grad()
def logits_of(x: Tensor, network: MarkDetector) -> NDArray[np.float32]:
    """Return the logits of marks and missing parts, (len(CLASSES), H, W).

    Args:
        x: (1, 3, H, W), [-1, 1] units.
        network: folded.
    """
    size = (x.shape[-2], x.shape[-1])
    out = np.empty((len(CLASSES), *size), np.float32)
    for tile in plan_tiles(size, _TILE):
        rows, columns = (widened(s, _MARGIN, n) for s, n in zip((tile.rows, tile.columns), size, strict=True))
        part = pad_to_multiple(x[..., rows, columns], MULTIPLE)
        found = network(evidence(part), network.stem.weight.dtype)[0].float().numpy()
        top, left = tile.rows.start - rows.start, tile.columns.start - columns.start
        height, width = tile.rows.stop - tile.rows.start, tile.columns.stop - tile.columns.start
        out[:, tile.rows, tile.columns] = found[:, top : top + height, left : left + width]
    return out


@functools.cache
def detector() -> MarkDetector:
    """Return the detector that comes with the checkpoints, ready for use.

    Raises:
        CheckpointError: it cannot be read.
    """
    dtype = torch.bfloat16 if gains_by_bf16(torch.device("cpu")) else torch.float32
    return load_detector(checkpoint.estimator("marks")).fold(dtype)


@functools.cache
def judge() -> SpeckJudge:
    """Return the judge of specks that comes with the checkpoints.

    Raises:
        CheckpointError: it cannot be read.
    """
    return load_judge(checkpoint.estimator("specks"))
