"""What is known -> tiles -> denoiser, once or by the sampler: the posterior mean, or a posterior sample."""

import logging
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ..degradation.noise_field import BLOCK, noise_field
from ..errors import OutOfMemoryError, PictureError
from ..system.arrays import row_blocks
from .conditioning import Conditioning
from .data_consistency import consistent, projection
from .denoiser import Denoiser, DenoiserFn, sigma_start
from .model import Model
from .sampling import SOLVERS, karras_sigmas
from .settings import MIN_TILE, Settings, tile_side
from .tiling import BATCH_PIXELS, MARGIN, empty_picture, plan_tiles, tiled

log = logging.getLogger("diffuse_cli")

Progress = Callable[[int, int], None]
"""(tiles done, tiles in all)."""

OnStep = Callable[[float, Tensor], None]
"""Told of each step of a sample: sigma_t, and E[x0] (1, 3, H, W) there."""


def infer(
    known: Conditioning,
    settings: Settings,
    model: Model,
    progress: Progress | None = None,
    *,
    stage: int = 0,
    mean: Tensor | None = None,
    sigma: float | None = None,
    on_step: OnStep | None = None,
) -> Tensor:
    """The posterior mean, or a sample: (1, 3, H, W). Out of memory halves the tile and starts this picture again.

    Args:
        mean: around which a sample starts; None = it is computed first.
        sigma: std of the noise that it starts with; None = so much that hardly anything of the posterior is lost.
    """
    side = tile_side(settings)
    while True:
        try:
            x = _estimate(known, settings, model, side, progress, stage, mean, sigma, on_step)
            break
        except (MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
        # The failed call's tensors went with the error; nothing of its result is used again.
        side = _halved(side or max(known.x_t.shape[-2:]))
        log.warning("out of memory; begun again with tiles of %d pixels", side)
    if not _is_finite(x):
        raise PictureError("the result is not finite; the checkpoint may be damaged (diffuse models verify)")
    return x


def _halved(side: int) -> int:
    """The next smaller tile's side.

    Raises: OutOfMemoryError: there is none.
    """
    if side // 2 < MIN_TILE:
        raise OutOfMemoryError("out of memory, even with the smallest tiles; free some, or give a smaller picture")
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    return side // 2


def _is_finite(x: Tensor) -> bool:
    array = x[0].permute(1, 2, 0).numpy()
    return all(bool(np.isfinite(array[rows]).all()) for rows in row_blocks(array))


def _estimate(
    known: Conditioning,
    settings: Settings,
    model: Model,
    side: int | None,
    progress: Progress | None,
    stage: int,
    mean: Tensor | None,
    sigma: float | None,
    on_step: OnStep | None,
) -> Tensor:
    size = known.x_t.shape[-2], known.x_t.shape[-1]
    tiles = plan_tiles(size, side, known.needed)
    tick = tile_counter(progress, len(tiles) * (1 if settings.steps == 1 else (mean is None) + calls(settings)))
    posterior = Denoiser(model.network, known.observation, exact=model.exact)
    most = BATCH_PIXELS if side is None else min(BATCH_PIXELS, (side + 2 * MARGIN) ** 2)  # no more than a tile takes
    denoise = tiled(posterior, tiles, batch_pixels=most, rest=known.given, on_tile=tick)
    if known.small is not None:
        denoise = consistent(denoise, projection(known.small, size))
    if mean is None:
        mean = denoise(known.x_t, torch.tensor(known.sigma_t))
    if settings.steps == 1:
        return mean
    watched = denoise if on_step is None else _watched(denoise, on_step)
    start = sigma_start(known.observation) if sigma is None else sigma
    return draw(watched, mean, start, settings, gray=known.observation.gray, stage=stage)


def _watched(denoise: DenoiserFn, on_step: OnStep) -> DenoiserFn:
    def watched(x: Tensor, sigma: Tensor) -> Tensor:
        denoised = denoise(x, sigma)
        on_step(float(sigma), denoised)
        return denoised

    return watched


def draw(
    denoise: DenoiserFn, start: Tensor, sigma: float, settings: Settings, *, gray: bool = False, stage: int = 0
) -> Tensor:
    """A sample: `start` (1, 3, H, W) plus noise of std `sigma`, carried down to 0. Each `stage` has its own noise."""
    h, w = start.shape[-2:]
    x = empty_picture((h, w))
    for top in range(0, h, BLOCK):
        rows = slice(top, min(top + BLOCK, h))
        size, origin = (rows.stop - top, w), (top, 0)
        field = noise_field(size, seed=settings.seed, sample=settings.sample, step=stage, gray=gray, origin=origin)
        x[..., rows, :] = start[..., rows, :] + sigma * torch.from_numpy(field)[None]
    return SOLVERS[settings.solver](denoise, x, karras_sigmas(settings.steps, sigma))[0]


def _is_out_of_memory(error: BaseException) -> bool:
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "not enough memory" in text


def calls(settings: Settings) -> int:
    """Denoiser calls that a sample takes."""
    return 2 * settings.steps - 1 if settings.solver == "heun" else settings.steps


def part_of(progress: Progress | None, begin: float, end: float) -> Progress | None:
    """Progress of a part of the work, from one share of the whole to another, in thousandths."""
    if progress is None:
        return None
    return lambda done, total: progress(round((begin + (end - begin) * done / total) * 1000), 1000)


def tile_counter(progress: Progress | None, total: int) -> Callable[[], None]:
    """What to call after each of `total` tiles, so that `progress` hears of it."""
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    return tick
