"""Pictures from nothing: restoration without an observation, and a cascade for sizes beyond the training crops."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from ..degradation.operators import Degradation
from ..errors import UsageError
from .conditioning import Conditioning, guided, no_state
from .denoiser import SIGMA_MAX, Denoiser, DenoiserFn, Observation, nothing_known
from .foreign.generative import GenerativeModel
from .foreign.header import ForeignHeader
from .foreign.text import TextModel
from .inference import Progress, Run, calls, infer, noised, part_of, tile_counter
from .model import Model
from .sampling import SOLVERS, karras_sigmas
from .settings import Settings, label_guidance, tile_side
from .tiling import plan_tiles, tiled

STAGE_SCALE = 4.0
"""The most by which a stage of the cascade enlarges."""


def generate(
    size: tuple[int, int],
    settings: Settings,
    model: Model | GenerativeModel | TextModel,
    *,
    label: str | None = None,
    guidance: float | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """Draw a picture from the prior.

    Args:
        size: (height, width).
        settings: how to compute.
        model: the network on its device.
        label: one of the checkpoint's. None: no label.
        guidance: how far towards the label (see `towards`). None: `settings.LABEL_GUIDANCE`.
        progress: called after each tile.

    Returns:
        (1, 3, *size), [-1, 1] units, not clipped.

    Raises:
        UsageError: the label is unknown, the size is below 1, there are fewer than 2 steps, or the guidance is negative
            or without a label.
        PictureError: the result is not finite.
        OutOfMemoryError: not even the smallest tile fits.
    """
    if settings.steps < 2 or min(size) < 1:
        raise UsageError("generate draws samples: --steps must be at least 2, and --size at least 1x1")
    if isinstance(model, TextModel):
        check_drawing(model.header, size, None)
        return model.drawn(size, settings, progress)
    if isinstance(model, GenerativeModel):
        check_drawing(model.header, size, guidance)
        nothing = model.nothing_known(1, torch.device("cpu"))
        known = Conditioning(observation=nothing, x_t=no_state(size), sigma_t=math.inf)
        return drawn(known, Run(model=model.told(label), settings=settings, progress=progress))
    weight = label_guidance(guidance, label)
    config = model.network.config
    nothing = nothing_known(1, config, torch.device("cpu"))
    seen = replace(nothing, cond=_label_cond(nothing.cond, model, label), gray=config.gray)
    sizes = cascade(size, config.crop)
    x = _first(seen, weight, sizes[0], settings, model, part_of(progress, 0, 1 / len(sizes)))
    for stage, larger in enumerate(sizes[1:], start=1):
        scale = max(larger[0] / x.shape[-2], larger[1] / x.shape[-1])
        up = guided(seen, x.clamp(-1, 1), Degradation(scale=scale), larger)
        known = Conditioning(observation=up, x_t=no_state(larger), sigma_t=math.inf)
        part = part_of(progress, stage / len(sizes), (stage + 1) / len(sizes))
        x = infer(known, Run(model=model, settings=settings, progress=part, stage=stage))
    return x


def check_drawing(header: ForeignHeader, size: tuple[int, int], guidance: float | None) -> None:
    """Check that an imported model can draw what is asked for.

    Raises:
        UsageError: it draws other sizes, or knows no guidance.
    """
    side, multiple = header.side, header.multiple
    if header.reads_text:
        if any(n % multiple for n in size):
            raise UsageError(f"this model draws pictures whose sides are multiples of {multiple}; give another --size")
        return
    if size != (side, side):
        raise UsageError(f"this model was trained on pictures of {side}x{side}, and draws no others; leave --size out")
    if guidance not in (None, 1):
        raise UsageError("--guidance: this model draws what the label says, no more and no less; leave it out")


def drawn(known: Conditioning, run: Run) -> Tensor:
    """Draw a sample from pure noise. The arguments are those of `infer`, with a model that generates."""
    assert isinstance(run.model, GenerativeModel)
    zero = torch.zeros(1, 1, 1, 1).expand(known.x_t.shape)
    return infer(known, replace(run, mean=zero, sigma=run.model.sigma_max))


def cascade(size: tuple[int, int], base: int = 96) -> list[tuple[int, int]]:
    """Return (height, width) of each stage, from at most `base` pixels to `size`, by equal factors of at most 4.

    Args:
        size: (height, width) of the picture.
        base: longest side that is generated at once: the side of the training crops.
    """
    factor = max(max(size) / base, 1.0)
    stages = math.ceil(math.log(factor) / math.log(STAGE_SCALE) - 1e-9)
    shrunk = [factor ** (1 - k / stages) for k in range(stages)] if stages else []
    return [(max(round(size[0] / f), 1), max(round(size[1] / f), 1)) for f in shrunk] + [size]


def _first(
    seen: Observation,
    guidance: float,
    size: tuple[int, int],
    settings: Settings,
    model: Model,
    progress: Progress | None,
) -> Tensor:
    tiles = plan_tiles(size, tile_side(settings))
    tick = tile_counter(progress, len(tiles) * calls(settings) * (1 if guidance == 1 else 2))
    unlabelled = replace(seen, cond=torch.zeros_like(seen.cond))
    denoise, without = (
        tiled(Denoiser(model.network, one, exact=model.exact, ensemble=settings.ensemble), tiles, on_tile=tick)
        for one in (seen, unlabelled)
    )
    if guidance != 1:
        denoise = towards(denoise, without, guidance)
    x = noised(torch.zeros(1, 3, *size), SIGMA_MAX, settings, gray=seen.gray)
    return SOLVERS[settings.solver](denoise, x, karras_sigmas(settings.steps, SIGMA_MAX))[0]


def towards(denoise: DenoiserFn, without: DenoiserFn, guidance: float) -> DenoiserFn:
    """Go further along what the label changes: classifier-free guidance (Ho and Salimans 2022, equation 6).

    Args:
        denoise: the denoiser that knows the label.
        without: the same without the label.
        guidance: 0 = ignore the label, 1 = the model as it is, more = more typical and less varied.
    """

    def guided_denoise(x_t: Tensor, sigma_t: Tensor) -> Tensor:
        return torch.lerp(without(x_t, sigma_t), denoise(x_t, sigma_t), guidance)

    return guided_denoise


def _label_cond(cond: Tensor, model: Model, label: str | None) -> Tensor:
    if label is None:
        return cond
    known = cond.clone()
    known[:, model.network.config.described + model.label_index(label)] = 1
    return known
