"""Conditioning -> tiles -> denoiser, called once or by a solver: the posterior mean, or a posterior sample."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from ..degradation.noise_field import BLOCK, noise_field
from ..errors import OutOfMemoryError, PictureError
from ..system.arrays import row_blocks
from .conditioning import Conditioning
from .data_consistency import consistent, projection
from .data_step import FIRST_SIGMA_OF_KERNEL, DataStep, data_step, explained, guided_by_data, rounds_of
from .denoiser import DenoiserFn, sigma_start
from .devices import ACCELERATORS, is_there
from .foreign.model import AnyModel, Prior, prior_of
from .sampling import SOLVERS, karras_sigmas
from .settings import MIN_TILE, Settings
from .tiling import BATCH_PIXELS, empty_picture, plan_tiles, tiled

log = logging.getLogger("diffuse_cli")

_OUT_OF_MEMORY = ("out of memory", "not enough memory", "out of device memory", "out of host memory")
"""What torch and drivers say."""

Progress = Callable[[int, int], None]
"""(tiles done, tiles in all)."""

OnStep = Callable[[float, Tensor], None]
"""(sigma_t, E[x0] (1, 3, H, W)) of each step of a sample."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """How one result is computed, and who hears of it.

    Attributes:
        model: the network on its device.
        settings: what decides the pixels beside the picture and the weights.
        progress: called after each tile.
        on_step: called after each step of a sample.
        mean: (1, 3, H, W), the posterior mean, around which a sample starts. None: `infer` computes it first.
        sigma: std of the noise that a sample starts with. None: `sigma_start`.
        stage: number of the noise field; each scale of a result has its own.
    """

    model: AnyModel
    settings: Settings = field(default_factory=Settings)
    progress: Progress | None = None
    on_step: OnStep | None = None
    mean: Tensor | None = None
    sigma: float | None = None
    stage: int = 0

    @property
    def prior(self) -> Prior:
        """The model, as what the core's equations ask for.

        Raises:
            CheckpointError: it is a pipeline that is told by text.
        """
        return prior_of(self.model)

    def part(self, begin: float, end: float) -> "Run":
        """Return the run of a part of the work.

        Args:
            begin: share of the work that is done before the part, 0 .. 1.
            end: share of the work that is done after the part.
        """
        return replace(self, progress=part_of(self.progress, begin, end))

    def of_mean(self) -> "Run":
        """Return the run that computes the posterior mean under the same settings."""
        return replace(self, settings=replace(self.settings, steps=1), mean=None, on_step=None)


def infer(known: Conditioning, run: Run) -> Tensor:
    """Compute the posterior mean or, with more than one step, a posterior sample.

    If memory runs out, the computation starts again with tiles of half the side.

    Args:
        known: what is known of the picture.
        run: how to compute.

    Returns:
        (1, 3, H, W), [-1, 1] units, in host memory.

    Raises:
        OutOfMemoryError: not even the smallest tile fits.
        PictureError: the result is not finite.
    """
    settings, size = run.settings, (known.x_t.shape[-2], known.x_t.shape[-1])
    side = run.prior.tile_side(settings, size)
    rounds = rounds_of(known.damage, settings.rounds)
    step = data_step(known.damage, size) if known.damage is not None and rounds else None
    while True:
        tick = tile_counter(
            run.progress, len(plan_tiles(size, side, known.needed, run.prior.grid)) * _evaluations(known, run)
        )
        try:
            denoise, x = _tiled(known, run, side, tick), run.mean
            if x is None:
                x = known.start if known.start is not None else denoise(known.x_t, torch.tensor(known.sigma_t))
                x = x if step is None else _explained(x, known, run, side, tick, step)
            if settings.steps > 1:
                denoise = _within_sampler(known, denoise, step)
                sigma = _start(known) if run.sigma is None else run.sigma
                x = noised(x, sigma, settings, gray=known.observation.gray, stage=run.stage)
                x = SOLVERS[settings.solver](_watched(denoise, run.on_step), x, karras_sigmas(settings.steps, sigma))[0]
            break
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
        # Here the error is gone, and with it the tensors of the calls that failed.
        side = halved(side or max(known.x_t.shape[-2:]))
        log.warning("out of memory; begun again with tiles of %d pixels", side)
    if not _is_finite(x):
        raise PictureError("the result is not finite; the checkpoint may be damaged (diffuse models verify)")
    return x


def _start(known: Conditioning) -> float:
    """Return the sigma at which sampling starts."""
    return sigma_start(known.observation) if known.start is None else FIRST_SIGMA_OF_KERNEL


def _evaluations(known: Conditioning, run: Run) -> int:
    """Return how often the network computes the picture."""
    of_mean = (known.start is None) + rounds_of(known.damage, run.settings.rounds)
    return (of_mean if run.mean is None else 0) + (calls(run.settings) if run.settings.steps > 1 else 0)


def _explained(
    x: Tensor, known: Conditioning, run: Run, side: int | None, tick: Callable[[], None], step: DataStep
) -> Tensor:
    """Return an estimate after rounds of data steps. Their denoiser knows nothing of the picture."""
    assert known.damage is not None
    nothing = replace(run.prior.nothing_known(1, x.device), gray=known.observation.gray)
    denoise = _tiled(replace(known, observation=nothing), run, side, tick)
    return explained(denoise, step, x, known.damage, rounds_of(known.damage, run.settings.rounds))


def _within_sampler(known: Conditioning, denoise: DenoiserFn, step: DataStep | None) -> DenoiserFn:
    if known.damage is None or step is None:
        return denoise
    return guided_by_data(denoise, step, known.damage.sigma_n)


def _tiled(known: Conditioning, run: Run, side: int | None, tick: Callable[[], None]) -> DenoiserFn:
    """Return the denoiser of the whole picture, evaluated in tiles of that side. `tick` is called after each."""
    size = (known.x_t.shape[-2], known.x_t.shape[-1])
    posterior, grid = run.prior.posterior(known.observation, ensemble=run.settings.ensemble), run.prior.grid
    most = BATCH_PIXELS if side is None else min(BATCH_PIXELS, (side + 2 * grid.margin) ** 2)  # as a tile takes
    tiles = plan_tiles(size, side, known.needed, grid)
    denoise = tiled(posterior, tiles, batch_pixels=most, rest=known.given, on_tile=tick)
    return denoise if known.small is None else consistent(denoise, projection(known.small, size))


def _watched(denoise: DenoiserFn, on_step: OnStep | None) -> DenoiserFn:
    """Return the same denoiser; `on_step` hears of each call."""
    if on_step is None:
        return denoise

    def watched(x: Tensor, sigma: Tensor) -> Tensor:
        denoised = denoise(x, sigma)
        on_step(float(sigma), denoised)
        return denoised

    return watched


def noised(start: Tensor, sigma: float, settings: Settings, *, gray: bool, stage: int = 0) -> Tensor:
    """Add the noise that a sample starts with.

    Args:
        start: (1, 3, H, W).
        sigma: std of the noise, [-1, 1] units.
        settings: its seed and its sample number choose the noise.
        gray: give all channels the same noise.
        stage: number of the noise field.

    Returns:
        (1, 3, H, W), a new picture in host memory.
    """
    h, w = start.shape[-2:]
    x = empty_picture((h, w))
    for top in range(0, h, BLOCK):
        rows = slice(top, min(top + BLOCK, h))
        size, origin = (rows.stop - top, w), (top, 0)
        field = noise_field(size, seed=settings.seed, sample=settings.sample, step=stage, gray=gray, origin=origin)
        x[..., rows, :] = start[..., rows, :] + sigma * torch.from_numpy(field)[None]
    return x


def halved(side: int) -> int:
    """Return the next smaller side of a tile.

    Raises:
        OutOfMemoryError: the side is the smallest.
    """
    if side // 2 < MIN_TILE:
        raise OutOfMemoryError("out of memory, even with the smallest tiles; free some, or give a smaller picture")
    for name in ACCELERATORS:
        if is_there(name):
            getattr(torch, name).empty_cache()
    return side // 2


def _is_finite(x: Tensor) -> bool:
    array = x[0].permute(1, 2, 0).numpy()
    return all(bool(np.isfinite(array[rows]).all()) for rows in row_blocks(array))


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out."""
    text = str(error).lower().replace("_", " ")
    return isinstance(error, MemoryError) or any(words in text for words in _OUT_OF_MEMORY)


def calls(settings: Settings) -> int:
    """Return how many denoiser calls a sample takes."""
    return 2 * settings.steps - 1 if settings.solver == "heun" else settings.steps


def part_of(progress: Progress | None, begin: float, end: float) -> Progress | None:
    """Return the progress of a part of the work, in thousandths of the whole.

    Args:
        progress: of the whole; None: nobody listens.
        begin: share of the work that is done before the part, 0 .. 1.
        end: share of the work that is done after the part.
    """
    if progress is None:
        return None
    return lambda done, total: progress(round((begin + (end - begin) * done / total) * 1000), 1000)


def tile_counter(progress: Progress | None, total: int) -> Callable[[], None]:
    """Return a function to call after each of `total` tiles; it reports to `progress`."""
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    return tick
