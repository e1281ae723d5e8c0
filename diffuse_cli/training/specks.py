"""Training of the judge of specks: candidates of worn crops, what is measured of them, and the fit."""

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
from ..diffusion.speck_judge import Judgement, SpeckJudge, save_judge
from ..images.image_io import read_picture, to_levels
from ..images.units import LEVEL
from ..system.process import one_thread
from .pictures import picture_files
from .sample_spec import Rng, keyed
from .wear import CLEAN, MARK, MISSING, ROOM, UNSURE, Worn, worn

_SIDE: Final = 256
"""Of a crop, in pixels: it must show how many marks there are."""
_SMALLEST: Final = 0.4
"""Factor by which photographs are shrunk, at least, so that crops show much of one or little."""
_EACH: Final = 3
"""Crops of each photograph that is read."""
_HELD_OUT: Final = 8
"""One photograph in this many is held out."""
_REACH: Final = 1
"""Pixels around a mark that are right, too."""
_LARGEST: Final = 60
"""Pixels up to which a larger part counts more, by this power."""
_POWER: Final = 0.7
_STEPS: Final = 3000
_BATCH: Final = 2048
_RATE: Final = 3e-3


class Made(NamedTuple):
    """Candidates of one crop: their measures (N, F), the share of each that is a mark (N), its weight (N)."""

    measures: Tensor
    truth: Tensor
    weight: Tensor


class Crop(NamedTuple):
    """What a crop is from, how large it is, and its candidates."""

    source: int
    pixels: int
    made: Made


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
        learned = [crop for crop in made if crop.source % _HELD_OUT] or made  # one photograph cannot be held out
        judge = fit(learned, seed=seed, steps=steps)
        line = _accuracy(judge, [crop for crop in made if crop.source % _HELD_OUT == 0])
    save_judge(judge, target, {"crops": str(crops), "held_out": line})
    return line


def make(
    files: Sequence[Path], count: int, seed: int, detector: MarkDetector, tick: Callable[[int], None]
) -> list[Crop]:  # fmt: skip
    """Return the candidates of worn crops.

    Args:
        files: clean photographs.
        count: how many crops.
        seed: of the crops.
        detector: folded.
        tick: called with the number of crops that are done.
    """
    made = []
    for k, (which, crop) in enumerate(_crops(files, count, seed)):
        made.append(Crop(which, crop.shown.size, _candidates(crop, detector)))
        tick(k + 1)
    return made


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
    side = _SIDE + ROOM
    image = Image.fromarray(levels if levels.shape[2] == 3 else levels[..., 0]).convert("RGB")
    factor = max(rng.uniform(_SMALLEST, 1), side / min(image.size))
    image = image.resize((max(round(image.width * factor), side), max(round(image.height * factor), side)))
    left, top = (int(rng.integers(size - side + 1)) for size in image.size)
    return np.asarray(image.crop((left, top, left + side, top + side)))


@torch.no_grad()
def _candidates(crop: Worn, detector: MarkDetector) -> Made:
    """Measure the candidates of a crop. Those that are torn off, or are mostly unsure, have no weight."""
    x = torch.from_numpy(crop.levels).permute(2, 0, 1)[None].float() / LEVEL - 1
    parts = candidates(crop.levels.astype(np.float32), detector(evidence(x), torch.float32)[0, 0].numpy())
    right = grown(crop.shown == MARK, _REACH)
    unsure, missing = (crop.shown == UNSURE) & ~right, grown(crop.shown == MISSING, 2 * _REACH)
    labels, count = parts.labels.ravel(), len(parts.measures) + 1
    pixels, of_marks, of_unsure, of_missing = (
        torch.from_numpy(np.bincount(labels, np.broadcast_to(which, parts.labels.shape).ravel(), count)[1:]).float()
        for which in (np.ones_like(right, float), right, unsure, missing)
    )
    weights = pixels.clamp(max=_LARGEST) ** _POWER * (of_unsure < 0.5 * pixels) * (of_missing < 0.5 * pixels)
    return Made(parts.measures, of_marks / pixels.clamp_min(1), weights)


def fit(crops: Sequence[Crop], *, seed: int = 0, steps: int = _STEPS) -> SpeckJudge:
    """Fit a judge by cross-entropy: the first judgement, then the second one beside what the first one says.

    Args:
        crops: what to learn from.
        seed: of the first weights and of the order.
        steps: of gradient descent for each judgement, with up to 2048 candidates each.
    """
    torch.manual_seed(seed)
    judge = SpeckJudge()
    truth, weight = (torch.cat([crop.made[k] for crop in crops]) for k in (1, 2))
    _fit(judge.alone, Made(torch.cat([crop.made.measures for crop in crops]), truth, weight), steps)
    with torch.no_grad():
        placed = torch.cat([judge.placed(crop.made.measures, crop.pixels) for crop in crops])
    _fit(judge.beside, Made(placed, truth, weight), steps)
    return judge.eval()


def _fit(judgement: Judgement, made: Made, steps: int) -> None:
    judgement.mean.copy_(made.measures.mean(0))
    judgement.std.copy_(made.measures.std(0).clamp_min(1e-4))
    optimiser = torch.optim.AdamW(judgement.parameters(), _RATE, weight_decay=1e-3)
    for step in range(steps):
        optimiser.param_groups[0]["lr"] = _RATE * (1 - step / steps)
        some = torch.randint(len(made.truth), (min(_BATCH, len(made.truth)),))
        loss = F.binary_cross_entropy_with_logits(
            judgement(made.measures[some]), made.truth[some], made.weight[some], reduction="sum"
        )
        optimiser.zero_grad()
        (loss / made.weight[some].sum().clamp_min(1)).backward()  # type: ignore[no-untyped-call]
        optimiser.step()


@torch.no_grad()
def _accuracy(judge: SpeckJudge, crops: Sequence[Crop]) -> str:
    right, taken, there, count = 0.0, 0.0, 0.0, 0
    for crop in crops:
        measures, truth, weight = crop.made
        marks = judge(measures, crop.pixels) > 0
        right += float((weight * truth * marks).sum())
        taken += float((weight * marks).sum())
        there += float((weight * truth).sum())
        count += len(truth)
    shares = f"precision {right / max(taken, 1):.3f}, recall {right / max(there, 1):.3f}"
    return f"{shares} of {count} candidates of {len(FEATURES)} measures"
