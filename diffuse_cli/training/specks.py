"""Training of the judge of specks: narrow things of worn crops, what is measured of them, and the fit."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from ..degradation.estimation.marks import FEATURES, candidates
from ..degradation.mask_shapes import grown
from ..diffusion import checkpoint
from ..diffusion.mark_detector import MarkDetector, evidence, load_detector
from ..diffusion.speck_judge import SpeckJudge, save_judge
from ..images.image_io import read_picture, to_levels
from ..images.units import LEVEL
from ..system.process import one_thread
from .pictures import picture_files
from .sample_spec import Rng, keyed
from .wear import CLEAN, MARK, ROOM, SIDE, UNSURE, Worn, worn

_SMALLEST: Final = 0.4
"""Factor by which photographs are shrunk, at least, so that crops show much of one or little."""
_EACH: Final = 4
"""Crops of each photograph that is read."""
_HELD_OUT: Final = 8
"""One photograph in this many is held out."""
_REACH: Final = 1
"""Pixels around a mark that are right, too."""
_LARGEST: Final = 60
"""Pixels up to which a larger part counts more, by this power."""
_POWER: Final = 0.7
_STEPS: Final = 6000
_BATCH: Final = 4096
_RATE: Final = 3e-3


class Made(NamedTuple):
    """Parts of crops: their measures (N, F), the share of each that is a mark (N), its weight (N), its picture (N)."""

    measures: Tensor
    truth: Tensor
    weight: Tensor
    source: Tensor


def train_judge(
    folders: Sequence[Path], target: Path, crops: int, seed: int, tick: Callable[[int], None], *, steps: int = _STEPS
) -> str:  # fmt: skip
    """Wear crops, fit a judge to the parts of seven eighths of the photographs, and write it.

    Args:
        folders: of clean photographs.
        target: the judge's file.
        crops: how many crops.
        seed: of the crops.
        tick: called with the number of crops that are done.
        steps: of the fit.

    Returns:
        One line: how well it judges the parts that were held out.

    Raises:
        UsageError: there are no pictures.
        CheckpointError: the detector cannot be read.
        PictureError: a picture cannot be read, or the disk fails.
    """
    files = picture_files(folders)
    detector = load_detector(checkpoint.estimator("marks")).fold(torch.float32)
    with one_thread():
        made = make(files, crops, seed, detector, tick)
        held_out = made.source % _HELD_OUT == 0
        judge = fit(Made(*(each[~held_out] for each in made)), seed=seed, steps=steps)
        line = _accuracy(judge, Made(*(each[held_out] for each in made)))
    save_judge(judge, target, {"crops": str(crops), "held_out": line})
    return line


def make(
    files: Sequence[Path], count: int, seed: int, detector: MarkDetector, tick: Callable[[int], None]
) -> Made:  # fmt: skip
    """Return the parts of worn crops.

    Args:
        files: clean photographs.
        count: how many crops.
        seed: of the crops.
        detector: folded.
        tick: called with the number of crops that are done.
    """
    measures, truth, weight, source = [], [], [], []
    for k, (which, crop) in enumerate(_crops(files, count, seed)):
        for part_measures, share, counts in _parts_of(crop, detector):
            measures.append(part_measures)
            truth.append(share)
            weight.append(counts)
            source.append(np.full(len(share), which))
        tick(k + 1)
    return Made(
        torch.from_numpy(np.concatenate(measures)).float(), torch.from_numpy(np.concatenate(truth)).float(),
        torch.from_numpy(np.concatenate(weight)).float(), torch.from_numpy(np.concatenate(source)),
    )  # fmt: skip


def _crops(files: Sequence[Path], count: int, seed: int) -> Iterator[tuple[int, Worn]]:
    """Yield crops, and the numbers of the files they are from."""
    for k in range(count):
        rng = keyed(seed, k, 6)
        if k % _EACH == 0:
            which = int(keyed(seed, k, 5).integers(len(files)))
            levels = to_levels(read_picture(files[which]).pixels, 8).astype(np.uint8)
        yield which, worn(_part(levels, rng), rng, clean=rng.random() < CLEAN)


def _part(levels: NDArray[np.uint8], rng: Rng) -> NDArray[np.uint8]:
    """Return a crop of a photograph that was shrunk, (P, P, 3)."""
    side = SIDE + ROOM
    image = Image.fromarray(levels if levels.shape[2] == 3 else levels[..., 0]).convert("RGB")
    factor = max(rng.uniform(_SMALLEST, 1), side / min(image.size))
    image = image.resize((max(round(image.width * factor), side), max(round(image.height * factor), side)))
    left, top = (int(rng.integers(size - side + 1)) for size in image.size)
    return np.asarray(image.crop((left, top, left + side, top + side)))


@torch.no_grad()
def _parts_of(
    crop: Worn, detector: MarkDetector
) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]]:
    """Yield measures, share of marks and weights of the light and of the dark parts of a crop."""
    x = torch.from_numpy(crop.levels).permute(2, 0, 1)[None].float() / LEVEL - 1
    logits = detector(evidence(x), torch.float32)[0, 0].numpy()
    right, unsure = grown(crop.shown == MARK, _REACH), crop.shown == UNSURE
    for parts in candidates(crop.levels.astype(np.float32), logits):
        labels, count = parts.labels.ravel(), len(parts.measures) + 1
        pixels, of_marks, of_unsure = (
            np.bincount(labels, which.ravel(), count)[1:]
            for which in (np.ones_like(right, float), right.astype(float), (unsure & ~right).astype(float))
        )
        weights = np.minimum(pixels, _LARGEST) ** _POWER * (of_unsure < 0.5 * pixels)
        yield parts.measures, of_marks / np.maximum(pixels, 1), weights


def fit(made: Made, *, seed: int = 0, steps: int = _STEPS) -> SpeckJudge:
    """Fit a judge by cross-entropy.

    Args:
        made: parts to learn from.
        seed: of the first weights and of the order.
        steps: of gradient descent, each with up to 4096 parts.
    """
    torch.manual_seed(seed)
    judge = SpeckJudge()
    judge.mean.copy_(made.measures.mean(0))
    judge.std.copy_(made.measures.std(0).clamp_min(1e-4))
    optimiser = torch.optim.AdamW(judge.parameters(), _RATE, weight_decay=1e-3)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = _RATE * (1 - step / steps)
        some = torch.randint(len(made.truth), (min(_BATCH, len(made.truth)),))
        loss = F.binary_cross_entropy_with_logits(
            judge(made.measures[some]), made.truth[some], made.weight[some], reduction="sum"
        )
        optimiser.zero_grad()
        (loss / made.weight[some].sum().clamp_min(1)).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return judge.eval()


@torch.no_grad()
def _accuracy(judge: SpeckJudge, made: Made) -> str:
    taken, weight = judge(made.measures) > 0, made.weight
    right = weight * made.truth * taken
    precision = float(right.sum() / (weight * taken).sum().clamp_min(1))
    recall = float(right.sum() / (weight * made.truth).sum().clamp_min(1))
    return f"precision {precision:.3f}, recall {recall:.3f} of {len(taken)} parts of {len(FEATURES)} measures"
