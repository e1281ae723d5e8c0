"""Fine-tune the core shortly on crops of one picture, so that what it draws looks like that picture close by.

The optimiser, the operators that degrade a crop and the loss are those of training. The coarsest levels stay as they
are. They see farther than a brush stroke and would memorise where in the picture things are. What sees no farther than
a patch cannot memorise (Wang et al. 2025, "SinDiffusion").
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ...degradation.operators import Degradation, resize
from ...diffusion.checkpoint import read_info
from ...diffusion.network import NetworkConfig, UNet
from ...errors import PictureError
from ...training.batch import Batch, Clean, collate
from ...training.config import TrainConfig
from ...training.model import Trainable, losses
from ...training.sample_spec import Rng, SampleSpec, keyed
from ...training.state import State, start

Progress = Callable[[int, int], None]
"""(steps done, steps in all)."""

SIGMAS = (0.02, 1.0)
"""Of the state's noise: what the sampler starts from, and what lies below."""
SCALES = (1.5, 8.0)
"""By which a guide is shrunk."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StyleTraining:
    """How long to train, and on what. The name of a kept style depends on all of it.

    Attributes:
        steps: of the optimiser.
        batch: crops of a step.
        crop: side of a crop in pixels.
        lr: Muon's learning rate, which falls to 0 over the last half.
        sizes: factors by which the picture is shrunk; each is used as often.
        guided: share of crops that come with a guide.
        frozen: levels, from the coarsest, that are not trained.
        seed: of all that is drawn.
    """

    steps: int = 200
    batch: int = 12
    crop: int = 64
    lr: float = 0.01
    sizes: tuple[float, ...] = (1.0, 0.5, 0.25)
    guided: float = 0.5
    frozen: int = 2
    seed: int = 0


def fine_tuned(
    path: Path, picture: Tensor, lesson: StyleTraining, place: tuple[torch.device, torch.dtype], progress: Progress
) -> dict[str, Tensor]:
    """Train, and return the change of the network's folded weights, by their names.

    Args:
        path: the checkpoint's file.
        picture: (1, 3, H, W), [-1, 1] units.
        lesson: how long, and on what.
        place: the device, and the type that convolutions compute in.
        progress: called after each step.

    Raises:
        PictureError: the loss is not finite.
        CheckpointError: the checkpoint cannot be read.
    """
    config = TrainConfig(
        batch=lesson.batch, crop=lesson.crop, lr=lesson.lr, warmup=10, decay=0.5, seed=lesson.seed
    )  # fmt: skip
    network = NetworkConfig.from_json(read_info(path).config)
    run = start(str(path), config, network, place[0])
    run.averages.clear()
    before = _folded(run.net)
    freeze_(run.net, lesson.frozen)
    model, sizes = Trainable(run.net, place[1]), pyramid(picture, lesson)
    for step in range(lesson.steps):
        run.set_rate(config.rate(step, step / lesson.steps))
        _step(run, config, model, batch_of(sizes, lesson, step, network).to(place[0]))
        progress(step + 1, lesson.steps)
    after = _folded(run.net)
    trained = {name for name, layer, _ in run.net.layers() if layer.weight.requires_grad}
    return {name: after[name] - before[name] for name in before if name.removesuffix(".weight") in trained}


def _folded(net: UNet) -> dict[str, Tensor]:
    return {name: weight.detach().cpu() for name, weight in net.trained_weights(torch.float32).items()}


def freeze_(net: UNet, levels: int) -> None:
    """Train neither the middle nor so many levels, from the coarsest. The finest level is always trained."""
    depth = len(net.config.channels)
    levels = min(levels, depth - 1)
    for part in (net.mid, *net.enc[depth - levels :], *net.dec[:levels]):
        part.requires_grad_(False)


def _step(run: State, config: TrainConfig, model: Trainable, batch: Batch) -> None:
    loss = losses(model(batch.net_in, batch.noise, batch.cond), batch).mean()
    if not math.isfinite(loss.item()):
        raise PictureError(
            "learning the style failed: the loss is not finite; check the weights (diffuse models verify)"
        )
    for optimiser in (run.muon, run.adam):
        optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    run.update(config)


def pyramid(picture: Tensor, lesson: StyleTraining) -> list[Tensor]:
    """Return the picture in its sizes, (1, 3, h, w) each. None is smaller than a crop: small pictures are enlarged."""
    h, w = picture.shape[-2:]
    found = []
    for size in lesson.sizes:
        by = max(size, lesson.crop / min(h, w))
        found.append(resize(picture, (max(round(h * by), lesson.crop), max(round(w * by), lesson.crop))))
    return found


def batch_of(sizes: list[Tensor], lesson: StyleTraining, step: int, network: NetworkConfig) -> Batch:
    """Return the batch of a step, a pure function of (seed, step)."""
    crops, recipes, rngs = [], [], []
    for sample in range(lesson.batch):
        rng = keyed(lesson.seed, step, sample)
        crops.append(_crop(sizes[sample % len(sizes)], lesson.crop, rng))
        recipes.append(_recipe(lesson, rng))
        rngs.append(rng)
    return collate(crops, recipes, rngs, network.described, len(network.labels))


def _crop(picture: Tensor, side: int, rng: Rng) -> Clean:
    top, left = (int(rng.integers(length - side + 1)) for length in picture.shape[-2:])
    x0 = picture[0, :, top : top + side, left : left + side]
    gray = bool((x0 == x0[:1]).all())
    return Clean(x0=x0.flip(2) if rng.random() < 0.5 else x0, label=-1, picture=0, gray=gray)


def _recipe(lesson: StyleTraining, rng: Rng) -> SampleSpec:
    sigma = _loguniform(rng, *SIGMAS)
    if rng.random() >= lesson.guided:
        return SampleSpec(task="denoise", sigma_t=sigma)
    small = max(round(lesson.crop / _loguniform(rng, *SCALES)), 1)
    return SampleSpec(task="resize", sigma_t=sigma, guide=Degradation(scale=lesson.crop / small))


def _loguniform(rng: Rng, low: float, high: float) -> float:
    return math.exp(rng.uniform(math.log(low), math.log(high)))
