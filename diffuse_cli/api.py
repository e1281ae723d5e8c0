"""The Python API: functions that restore, sample, generate, estimate, read and write pictures.

The package exports them. torch is imported by the first call, not before.
"""

import functools
import logging
import warnings
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, TypedDict, TypeVar, Unpack, cast, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .diffusion.checkpoint import DEFAULT_MODEL
from .diffusion.model import Model
from .diffusion.settings import GENERATE_STEPS, Backend, Device, Dtype, Settings, Solver, Tile
from .errors import UsageError
from .images import image_io
from .images.comparison import comparison
from .images.convert import PictureLike, to_image, to_like, to_picture
from .images.picture import Picture, with_depth
from .images.white_level import told
from .restoration.sampling_request import UNCERTAINTY_SAMPLES, SamplingRequest
from .tasks.by_name import TASKS, task_of, to_mask
from .tasks.stylize import Stylize
from .tasks.task import Task
from .tasks.with_model import as_drawn

if TYPE_CHECKING:
    from torch import Tensor

    from .degradation.estimation.estimate import Estimate
    from .diffusion.foreign.model import AnyModel
    from .restoration.problem import Problem

One = TypeVar("One")
Same = TypeVar("Same", Picture, NDArray[Any], "Tensor")

log = logging.getLogger("diffuse_cli")


class Options(TypedDict, total=False):
    """How to compute. `docs/python.md` says what each option does; names and defaults are the command line's."""

    model: "AnyModel | str | Path"
    device: Device
    dtype: Dtype
    compiled: bool
    backend: Backend
    threads: int | None
    steps: int | None
    fidelity: float | None
    seed: int
    sample: int
    solver: Solver
    tile: Tile
    memory: int | None
    rounds: int
    ensemble: bool


_LOADING: Final = ("device", "dtype", "compiled", "backend")
_SETTINGS: Final = ("seed", "sample", "solver", "tile", "memory", "rounds", "ensemble")


@overload
def restore(picture: str | Path | Image.Image, task: Task, **options: Unpack[Options]) -> Image.Image: ...
@overload
def restore(picture: Same, task: Task, **options: Unpack[Options]) -> Same: ...
@overload
def restore(picture: PictureLike, task: str, **options: Any) -> Any: ...  # noqa: ANN401 - of release 0.1
def restore(picture: object, task: Task | str, **options: Any) -> Any:
    """Restore a picture.

    The result is the posterior mean, unless `steps`, `fidelity` or `sample` ask for a posterior sample.

    Args:
        picture: a file name, a PIL image, a Picture, an array or a tensor; `images.convert.to_picture` says which.
        task: what is to be done, such as `Denoise(noise=25)`.
        options: how to compute, see `Options`.

    Returns:
        The same kind of picture: a PIL image for a file name or a PIL image, else what `picture` is.

    Raises:
        errors.DiffuseError: UsageError, PictureError, CheckpointError or OutOfMemoryError, with a message of one line.
    """
    if isinstance(task, str):
        return _restore_by_name(picture, task, options)
    from .restoration.restore import restore as solve

    before, problem, settings, model = _prepared(picture, task, cast("Options", options))
    with _threads(options.get("threads")):
        after = solve(before, problem, settings, _adapted(model, task, problem, settings))
    return to_like(picture, before, after, problem.finish.corner)


@dataclass(frozen=True, kw_only=True, slots=True)
class PosteriorSamples(Generic[One]):
    """Several posterior samples of one picture.

    Attributes:
        mean: the posterior mean.
        samples: the samples, moved towards the mean by `fidelity`.
        average: the mean of the samples.
        std: (H, W) float32, how much samples differ, in 8-bit levels: the root of the unbiased variance, averaged over
            the channels, at fidelity 0. The true error is about as large.
    """

    mean: One
    samples: list[One]
    average: One
    std: NDArray[np.float32]


@overload
def sample(
    picture: str | Path | Image.Image, task: Task, *, count: int = ..., **options: Unpack[Options]
) -> PosteriorSamples[Image.Image]: ...
@overload
def sample(picture: Same, task: Task, *, count: int = ..., **options: Unpack[Options]) -> PosteriorSamples[Same]: ...
def sample(
    picture: object, task: Task, *, count: int = UNCERTAINTY_SAMPLES, **options: Unpack[Options]
) -> PosteriorSamples[Any]:
    """Draw several posterior samples of a picture.

    Args:
        picture: as for `restore`.
        task: as for `restore`.
        count: how many, at least 2. Sample k is the same whatever `count` is.
        options: as for `restore`. `sample` is the number of the first.

    Returns:
        The samples, with their mean and how much they differ.

    Raises:
        errors.DiffuseError: as `restore`.
    """
    from .restoration.samples import Samples

    before, problem, settings, model = _prepared(picture, task, options, count=count)
    mean_settings = replace(settings, steps=1, fidelity=0.0)
    with _threads(options.get("threads")):
        drawn = Samples(before, problem, _adapted(model, task, problem, settings), moments=True)
        samples = [drawn.restored(replace(settings, sample=settings.sample + k)) for k in range(count)]
        average, std = drawn.average(settings, count), drawn.std(settings, count)
        mean = drawn.restored(mean_settings)
    mean, average, *samples = (to_like(picture, before, x, problem.finish.corner) for x in (mean, average, *samples))
    return PosteriorSamples(mean=mean, samples=samples, average=average, std=std)


def generate(
    size: tuple[int, int] | None = None,
    *,
    label: str | None = None,
    guidance: float | None = None,
    **options: Unpack[Options],
) -> Image.Image:
    """Draw a picture from what the checkpoint has learned.

    Args:
        size: (width, height); None = 64 x 64, or the checkpoint's training crops if they are smaller.
        label: what it shows, where the checkpoint has labels.
        guidance: classifier-free guidance towards the label: 1 = as learned, more = more typical; None = 1.5.
        options: as for `restore`, but for `fidelity`. `sample` is the number of the picture.

    Raises:
        errors.DiffuseError: as `restore`.
    """
    from .diffusion.foreign.model import drawing_model
    from .diffusion.generation import generate as draw
    from .images.tensors import to_array

    _check(options, without=("fidelity",))
    settings = _settings(options, steps=options.get("steps") or GENERATE_STEPS)
    model = drawing_model(_model(options))
    settings = _on(model, settings)
    shape = model.natural_size if size is None else (size[1], size[0])
    with _threads(options.get("threads")):
        x = draw(shape, settings, model, label=label, guidance=guidance)
    return to_image(Picture(pixels=to_array(x, 1 if model.gray else 3)))


def estimate_degradation(picture: PictureLike) -> "Estimate":
    """Estimate what happened to a picture: noise, JPEG compression, blur and enlargement.

    Args:
        picture: as for `restore`.

    Returns:
        One finding for each, with its confidence.

    Raises:
        errors.DiffuseError: UsageError or PictureError.
    """
    from .degradation.estimation.estimate import estimate_degradation as estimate

    return estimate(to_picture(picture))


def compare(before: PictureLike, after: PictureLike, titles: tuple[str, str] = ("before", "after")) -> Image.Image:
    """Draw two pictures side by side, and below them a detail of both at 1:1.

    Args:
        before: as for `restore`. If it is smaller, it is enlarged to the size of `after`.
        after: as for `restore`.
        titles: what is written above them.

    Raises:
        errors.DiffuseError: UsageError or PictureError.
    """
    shown = [p if isinstance(p, Image.Image) else to_image(with_depth(to_picture(p), 8)) for p in (before, after)]
    return comparison(shown[0], shown[1], titles)


def read_picture(path: str | Path) -> Picture:
    """Read an image file with all that it says beside its pixels: depth, alpha, profile, metadata.

    Raises:
        PictureError: the file cannot be read.
    """
    return image_io.read_picture(Path(path))


def write_picture(picture: PictureLike, path: str | Path) -> None:
    """Write an image file, whole or not at all. An existing file is replaced.

    Args:
        picture: as for `restore`. A Picture keeps its metadata.
        path: its suffix says the format.

    Raises:
        UsageError: the suffix is unknown.
        PictureError: the format cannot hold the picture, or the disk fails.
    """
    image_io.write_picture(to_picture(picture), Path(path))


# Options -------------------------------------------------------------------------------------------------------------


def _prepared(
    picture: object, task: Task, options: Options, count: int | None = None
) -> "tuple[Picture, Problem, Settings, AnyModel]":
    """Return the picture, what is known about it, and how to compute. Notes go to the log."""
    from .restoration.noise_reading import noise_reader

    _check(options)
    base = _settings(options)  # this and the request refuse what is wrong before the model is loaded
    request = SamplingRequest(
        fidelity=options.get("fidelity"), steps=options.get("steps"), samples=count, uncertainty=count is not None
    )  # fmt: skip
    model = _model(options)
    header = None if isinstance(model, Model) else model.header
    steps, fidelity = as_drawn(header, options.get("steps"), options.get("fidelity"))
    if isinstance(task, Stylize) and steps != 1 and fidelity is None:
        fidelity = 0.0  # the mean would be its colours alone
    request = replace(request, fidelity=fidelity, steps=steps)
    if count is None:
        settings = request.settings(base, fills_holes=task.fills_holes)
    else:
        settings = replace(request.drawing(base), fidelity=fidelity or 0.0)
    before = to_picture(picture)
    settings, task = _on(model, settings), _fitting(task, model, drawn=request.are_drawn)
    problem = task.problem(before, noise_reader(model))
    for note in (told(before), *before.source.notes, *problem.findings.notes):
        if note:
            log.info(note)
    if before.source.damage is not None:
        log.warning(f"damaged: {before.source.damage}")
    for warning in problem.findings.warnings:
        log.warning(warning)
    return before, problem, settings, model


def _check(options: Mapping[str, Any], without: Collection[str] = ()) -> None:
    known = [name for name in Options.__annotations__ if name not in without]
    if unknown := sorted(options.keys() - set(known)):
        raise UsageError(f"unknown option {', '.join(unknown)}; the options are {', '.join(known)}")


def _settings(options: Options, steps: int = 1) -> Settings:
    values: dict[str, Any] = {name: value for name, value in options.items() if name in _SETTINGS}
    return Settings(**values, steps=steps)


def _on(model: "AnyModel", settings: Settings) -> Settings:
    """Return the settings with the tiles of what computes the model."""
    return replace(settings, backend=model.backend, heap=model.heap if isinstance(model, Model) else None)


def _fitting(task: Task, model: "AnyModel", *, drawn: bool) -> Task:
    """Return the task as the model carries it out.

    Raises:
        UsageError: an imported model does not fit it.
    """
    if isinstance(model, Model):
        return task
    from .tasks.with_model import check_samples, with_model

    check_samples(model.header, model.header.architecture, drawn=drawn)
    return with_model(task, model.header)


def _model(options: Options) -> "AnyModel":
    model = options.get("model", DEFAULT_MODEL)
    how = {name: value for name, value in options.items() if name in _LOADING}
    if isinstance(model, str | Path):
        return _loaded(model, **how)
    if how:
        raise UsageError(f"the model is loaded already: give {', '.join(how)} to Model.load")
    return model


@functools.lru_cache(maxsize=2)
def _loaded(model: str | Path, **how: Any) -> "AnyModel":  # noqa: ANN401 - the options of `Model.load`
    from .diffusion.foreign.model import load_any

    return load_any(model, **how)


def _adapted(model: "AnyModel", task: Task, problem: "Problem", settings: Settings) -> "AnyModel":
    """Return the model that the task needs: one that has learned the style, if it is drawn with."""
    if not isinstance(task, Stylize) or settings.steps == 1 or problem.leaves_alone:
        return model
    from .diffusion.foreign.model import core_of
    from .tasks.style.studio import with_look

    return with_look(core_of(model), task.learnable)


@contextmanager
def _threads(count: int | None) -> Iterator[None]:
    """Compute with so many threads, and leave torch's global setting as it was."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


# The API of release 0.1, until the next release ----------------------------------------------------------------------


def _restore_by_name(picture: object, name: str, options: dict[str, Any]) -> Any:  # noqa: ANN401 - as what was given
    """Do what `restore(picture, "denoise", noise=25)` does in release 0.1."""
    kind = TASKS[name].__name__ if name in TASKS else "Denoise"
    _warn(f'restore(picture, "{name}", ...) will go in the next release: write restore(picture, {kind}(...), ...)')
    task, compute = _split(name, options)
    samples, average = options.get("samples") or 1, options.get("average", False)
    if average:
        return sample(picture, task, count=samples, **compute).average  # type: ignore[call-overload]
    if samples > 1:
        raise UsageError(f"restore gives one picture: call sample for {samples}")
    return restore(picture, task, **compute)  # type: ignore[call-overload]


def restore_samples(picture: PictureLike, task: str, samples: int = UNCERTAINTY_SAMPLES, **options: Any) -> Any:  # noqa: ANN401 - of release 0.1
    """Draw several posterior samples, as release 0.1 did. Deprecated: call `sample`."""
    _warn("restore_samples will go in the next release: call sample(picture, Denoise(...), count=8)")
    made, compute = _split(task, options)
    return sample(picture, made, count=samples, **compute)


def stylize(
    picture: PictureLike,
    style: PictureLike,
    *,
    strength: float = 0.5,
    keep_luma: bool = False,
    mask: "PictureLike | None" = None,
    **options: Any,  # noqa: ANN401 - of release 0.1
) -> Any:  # noqa: ANN401 - as what was given
    """Give a picture the look of another, as release 0.1 did. Deprecated: restore with the task `Stylize`."""
    _warn("stylize will go in the next release: write restore(picture, Stylize(style=...), ...)")
    where = None if mask is None else to_mask(mask)
    if isinstance(where, str):
        raise UsageError(f"stylize takes a mask that says where the picture is changed, not {where}")
    where = None if where is None else where >= 0.5
    given = style if isinstance(style, str | Path) else to_picture(style)
    task = Stylize(style=given, strength=strength, keep_luma=keep_luma, mask=where)
    return restore(picture, task, **options)


def _split(name: str, options: Mapping[str, Any]) -> tuple[Task, dict[str, Any]]:
    """Return the task, and how to compute."""
    old = {("compiled" if key == "compile" else key): value for key, value in options.items()}
    compute = {key: value for key, value in old.items() if key in Options.__annotations__}
    own = {key: value for key, value in old.items() if key not in (*compute, "samples", "average")}
    return task_of(name, own), compute


def _warn(text: str) -> None:
    warnings.warn(text, DeprecationWarning, stacklevel=4 if text.startswith("restore(") else 3)
