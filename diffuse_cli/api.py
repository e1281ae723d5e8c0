"""The Python API: `restore` and `generate`, with the command line's option names and none of its side effects.

torch is imported by the first call, not before.
"""

import functools
import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Generic,
    Literal,
    TypeAlias,
    TypedDict,
    TypeGuard,
    TypeVar,
    Unpack,
    get_args,
    overload,
)

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from .degradation.estimation.noise_map import map_of
from .diffusion import checkpoint
from .diffusion.model import Device, Dtype, Model, prepare
from .diffusion.settings import GENERATE_STEPS, SAMPLE_STEPS, Engine, Settings, Solver, Tile, natural_size
from .errors import UsageError
from .images.image_io import Picture, read_picture, to_levels, to_unit
from .images.mask_picture import mask_of
from .restoration.sampling_request import UNCERTAINTY_SAMPLES, SamplingRequest
from .tasks.compose import Compose, cover_of
from .tasks.denoise import Denoise
from .tasks.enhance import Enhance
from .tasks.extend import Anchor, Extend
from .tasks.inpaint import Box, Inpaint, Polygon
from .tasks.restore import UNDONE, Restore, restore_only
from .tasks.stylize import Stylize
from .tasks.super_resolve import SuperResolve
from .tasks.task import Task

if TYPE_CHECKING:
    from torch import Tensor

    from .restoration.problem import Problem

TaskName = Literal[
    "denoise", "inpaint", "super-resolve", "restore", "deblur", "dejpeg", "enhance", "compose", "extend"
]  # fmt: skip
Numbers = TypeVar("Numbers", NDArray[Any], "Tensor")

One = TypeVar("One")

PictureLike: TypeAlias = "str | Path | Image.Image | NDArray[Any] | Tensor"

log = logging.getLogger("diffuse_cli")


class ComputeOptions(TypedDict, total=False):
    """How to compute; names and defaults are the command line's."""

    steps: int | None
    seed: int
    sample: int
    solver: Solver
    tile: Tile
    memory: int | None
    model: str | Path
    device: Device
    dtype: Dtype
    compile: bool
    engine: Engine
    threads: int | None


class SampleOptions(ComputeOptions, total=False):
    """What the tasks take beside: `restore` says which takes what."""

    fidelity: float | None
    noise: float | Literal["auto", "poisson", "auto-map"] | None
    noise_map: "str | Path | Image.Image | NDArray[Any] | Tensor | None"
    strength: float
    chroma_strength: float | None
    jpeg: float | Literal["auto"] | None
    blur: float | Literal["auto"] | None
    only: Sequence[str] | None
    mask: "str | Path | Image.Image | NDArray[Any] | Tensor | None"
    mask_strength: float
    mask_limit: float
    box: Sequence[Box]
    polygon: Sequence[Polygon]
    invert_mask: bool
    grow: int
    feather: int
    scale: float | None
    to_size: tuple[int, int] | None
    long_edge: int | None
    consistent: bool
    exposure: float | Literal["auto"]
    contrast: float | Literal["auto"]
    clarity: float | Literal["auto"]
    white_balance: Literal["auto", "off"]
    insert: "str | Path | Image.Image | NDArray[Any] | Tensor"
    join: "str | Path | Image.Image | NDArray[Any] | Tensor"
    at: tuple[int, int]
    rotate: float
    band: int
    blend: Literal["seam", "gradient", "alpha"]
    match: float | Literal["auto"]
    pad: tuple[int, int, int, int] | None
    anchor: Anchor


class Options(SampleOptions, total=False):
    """The same where one picture comes back."""

    samples: int | None
    average: bool


@overload
def restore(picture: str | Path | Image.Image, task: TaskName, **options: Unpack[Options]) -> Image.Image: ...
@overload
def restore(picture: Numbers, task: TaskName, **options: Unpack[Options]) -> Numbers: ...
def restore(picture: object, task: TaskName, **options: Unpack[Options]) -> object:
    """Restore a picture, as the commands of these names do.

    Args:
        picture: a file's name; a PIL image; an array (H, W) or (H, W, C) or a tensor (C, H, W) with C = 1 or 3, and
            for arrays also 2 or 4 (the last is alpha). Integers are 8 or 16 bit levels (uint8, uint16); floats are
            0 = black .. 1 = white, and neither they nor the result are clipped.
        task: "denoise", "inpaint", "super-resolve", "restore", "deblur", "dejpeg", "enhance", "compose" or "extend".
        options: `noise` (std in 8-bit levels, "auto", "poisson" or "auto-map"), `noise_map` (a file, an image, or an
            array or tensor (H, W) of floats in 8-bit levels), `strength`, `chroma_strength` for denoise;
            `mask` (a file, image, or array and tensor (H, W) in which True, or half white, is filled; "alpha"; or
            "auto", with `mask_strength` and `mask_limit`), `box` (a sequence of (x, y, width, height)), `polygon` (a
            sequence of sequences of (x, y)), `invert_mask`, `grow`, `feather` for inpaint;
            one of `scale`, `to_size` (width, height), `long_edge`, and `consistent` for super-resolve;
            `noise`, `jpeg` (quality), `blur` (std in pixels), each a number or "auto", `only` (a sequence of these
            names), `scale` and what inpaint takes for restore; `blur`, `noise` for deblur; `jpeg` for dejpeg;
            `exposure`, `contrast`, `clarity`, `white_balance`, `strength` for enhance;
            `insert` (a picture as the first argument), `at` (x, y), `scale`, `rotate`, `mask` (0..1), or `join` and
            `mask`, and `band`, `blend`, `match` for compose;
            `to_size` or `pad` (left, top, right, bottom), `anchor` for extend;
            `fidelity`, `steps`, `samples` with `average`, `seed`, `sample` (which of the seed's; the first to be
            averaged), `solver`, `tile`, `memory` (bytes), `model`, `device`, `dtype`, `compile`, `engine` and `threads`
            for all.
    Returns: what came in, restored: an image for a file or an image, an array for an array, a tensor for a tensor.
    Raises: errors.DiffuseError: UsageError, PictureError, CheckpointError or OutOfMemoryError, with one clear line.
    """
    answers, own, compute = _asked(options)
    if answers.pictures > 1:
        raise UsageError(f"restore gives one picture: add average=True, or call restore_samples for {answers.samples}")
    base, model, threads = _compute(compute)
    settings = answers.settings(task, base)
    seen, resolved = _seen(picture, task, own)
    with _threads(threads):
        if answers.average:
            from .restoration.samples import Samples

            restored = Samples(seen, resolved, model).average(settings, answers.count)
        else:
            from .restoration.restore import restore as restore_picture

            restored = restore_picture(seen, resolved, settings, model)
    return _like(picture, seen, restored, resolved.finish.corner)


@dataclass(frozen=True, kw_only=True, slots=True)
class Restored(Generic[One]):
    """Several answers about one picture.

    Attributes:
        mean: the posterior mean.
        samples: of the posterior, or what lies between them and the mean, as `fidelity` has it.
        std: (H, W) float32, how much samples differ, in 8-bit levels: the root of the unbiased variance, averaged over
            the channels. The true error is about as large (README, "How sure").
    """

    mean: One
    samples: list[One]
    std: NDArray[np.float32]


@overload
def restore_samples(
    picture: str | Path | Image.Image, task: TaskName, samples: int = ..., **options: Unpack[SampleOptions]
) -> Restored[Image.Image]: ...
@overload
def restore_samples(
    picture: Numbers, task: TaskName, samples: int = ..., **options: Unpack[SampleOptions]
) -> Restored[Numbers]: ...
def restore_samples(
    picture: object, task: TaskName, samples: int = UNCERTAINTY_SAMPLES, **options: Unpack[SampleOptions]
) -> Restored[Any]:
    """Draw several samples of what a picture may have been, as `--samples K --uncertainty` does.

    Args: as `restore`; samples: how many, at least 2. Sample k is the same whatever their number is.
    Raises: errors.DiffuseError: as `restore`.
    """
    from .restoration.samples import Samples

    answers, own, compute = _asked({**options, "samples": samples}, uncertainty=True)
    base, model, threads = _compute(compute)
    settings = replace(answers.drawing(base), fidelity=answers.fidelity or 0.0)
    seen, resolved = _seen(picture, task, own)
    answer = Samples(seen, resolved, model, moments=True)
    with _threads(threads):
        numbered = [replace(settings, sample=settings.sample + k) for k in range(samples)]
        made = [_like(picture, seen, answer.restored(one), resolved.finish.corner) for one in numbered]
        mean = answer.restored(replace(settings, steps=1))
        return Restored(
            mean=_like(picture, seen, mean, resolved.finish.corner), samples=made, std=answer.std(settings, samples)
        )


@overload
def stylize(
    picture: str | Path | Image.Image, style: "PictureLike", *, strength: float = ..., keep_luma: bool = ...,
    mask: "PictureLike | None" = ..., **options: Unpack[ComputeOptions],
) -> Image.Image: ...  # fmt: skip
@overload
def stylize(
    picture: Numbers, style: "PictureLike", *, strength: float = ..., keep_luma: bool = ...,
    mask: "PictureLike | None" = ..., **options: Unpack[ComputeOptions],
) -> Numbers: ...  # fmt: skip
def stylize(
    picture: object,
    style: "PictureLike",
    *,
    strength: float = 0.5,
    keep_luma: bool = False,
    mask: "PictureLike | None" = None,
    **options: Unpack[ComputeOptions],
) -> object:
    """Give a picture the look of another, as `diffuse stylize` does.

    Args:
        picture: as for `restore`; one in gray comes back in colour.
        style: a picture in the same forms, whose texture is learned in some minutes and then kept in the user's
            cache; or the name of a file that `diffuse stylize --save-style` wrote.
        strength, keep_luma: as the command has them.
        mask: as for `restore`, True or half white where the picture is changed.
        options: as for `restore`.
    Raises: errors.DiffuseError: as `restore`.
    """
    from .restoration.restore import restore as restore_picture
    from .tasks.style.delta import with_style
    from .tasks.style.studio import StyleTrainer, styled_by

    values: dict[str, Any] = dict(options)
    path = checkpoint.find(values.get("model", checkpoint.DEFAULT_MODEL))
    settings, model, threads = _compute({"steps": SAMPLE_STEPS, **values})
    given = styled_by(Path(style)) if isinstance(style, str | Path) else styled_by(_picture_of(style))
    where = None if mask is None else _mask_of(mask)
    if isinstance(where, str):
        raise UsageError(f"stylize takes a mask that says where the picture is changed, not {where}")
    seen = _picture_of(picture)
    resolved = Stylize(colours=given.colours, strength=strength, keep_luma=keep_luma, mask=where).problem(seen)
    with _threads(threads):
        if settings.steps > 1 and not resolved.leaves_alone:
            studio = StyleTrainer(path=path, sha256=checkpoint.file_sha256(path))
            model = with_style(model, studio.style_of(given, "the style", model), "the style")
        made = restore_picture(seen, resolved, settings, model)
    return _like(picture, seen, made, None)


def generate(
    size: tuple[int, int] | None = None,
    *,
    label: str | None = None,
    guidance: float | None = None,
    **options: Unpack[ComputeOptions],
) -> Image.Image:
    """Draw a picture from what the checkpoint has learnt, as `diffuse generate` does.

    Args:
        size: (width, height); None = 64 x 64, or what the checkpoint was trained on if that is smaller.
        label: what it shows, where the checkpoint has labels.
        guidance: towards the label: 1 = as learnt, more = more typical and less varied; None = 1.5.
        options: as for `restore`; `sample` is the picture's number, k on the command line.
    Raises: errors.DiffuseError: as `restore`.
    """
    from .diffusion.generation import generate as draw
    from .images.tensors import to_array

    values: dict[str, Any] = dict(options)
    settings, model, threads = _compute({"steps": GENERATE_STEPS, **values})
    config = model.network.config
    shape = natural_size(config.crop) if size is None else (size[1], size[0])
    with _threads(threads):
        x = draw(shape, settings, model, label=label, guidance=guidance)
    return _to_image(Picture(pixels=to_array(x, 1 if config.gray else 3)))


def _seen(picture: object, task: str, own: dict[str, Any]) -> "tuple[Picture, Problem]":
    """A picture, and what is known about it; what was found out is logged."""
    request = _request(task, own)
    seen = _picture_of(picture)
    resolved = request.problem(seen)
    for note in resolved.findings.notes:
        log.info(note)
    for warning in resolved.findings.warnings:
        log.warning(warning)
    return seen, resolved


def _like(given: object, seen: Picture, restored: Picture, corner: tuple[int, int] | None) -> Any:  # noqa: ANN401 - as what was given
    """A result as what was given."""
    if _is_tensor(given):
        return _tensor_like(given, seen, restored, corner)
    if isinstance(given, np.ndarray):
        return _array_like(given, seen, restored, corner)
    return _image_like(given, restored)


_COMPUTE = ComputeOptions.__annotations__.keys()
_WHICH = ("fidelity", "steps", "samples", "average")


def _asked(
    options: Mapping[str, Any], *, uncertainty: bool = False
) -> tuple[SamplingRequest, dict[str, Any], dict[str, Any]]:
    """Which answers are asked for, the task's own options, and how to compute."""
    answers = SamplingRequest(**{k: v for k, v in options.items() if k in _WHICH}, uncertainty=uncertainty)
    compute, own = _split({k: v for k, v in options.items() if k not in _WHICH})
    return answers, own, compute


def _split(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    items = list(options.items())
    return {k: v for k, v in items if k in _COMPUTE}, {k: v for k, v in items if k not in _COMPUTE}


def _request(task: str, options: dict[str, Any]) -> Task:
    """The task's request, from the options that are its own."""
    plain: dict[str, type[Denoise | Inpaint | SuperResolve]] = {
        "denoise": Denoise, "inpaint": Inpaint, "super-resolve": SuperResolve,
    }  # fmt: skip
    short = {"deblur": ("blur", "noise"), "dejpeg": ("jpeg",)}
    if task in plain:
        _refuse_foreign(task, options, _MASKING if task == "inpaint" else _names(plain[task]))
        if options.get("noise_map") is not None:
            options["noise_map"] = _noise_map_of(options["noise_map"])
        return plain[task](**(_holes(options) if task == "inpaint" else options))
    if task in short:
        _refuse_foreign(task, options, set(short[task]))
        return Restore(**_short(task, options))
    if task == "compose":
        return _composing(options)
    simple: dict[str, type[Enhance | Extend]] = {"enhance": Enhance, "extend": Extend}
    if task in simple:
        _refuse_foreign(task, options, {f.name for f in fields(simple[task])})
        return simple[task](**options)
    if task != "restore":
        raise UsageError(f"task must be one of {', '.join(get_args(TaskName))}, not {task!r}")
    masking: dict[str, Any] = {name: options.pop(name) for name in _MASKING if name in options}
    _refuse_foreign(task, options, {*UNDONE, "only", "scale"})
    only, scale = options.pop("only", None), options.pop("scale", None)
    holes = Inpaint(**_holes(masking)) if masking else None
    told = restore_only(UNDONE if only is None else only, options)
    return Restore(**told, scale=1.0 if scale is None else scale, holes=holes)


def _composing(options: dict[str, Any]) -> Compose:
    _refuse_foreign("compose", options, {f.name for f in fields(Compose)} - {"seed"} | {"join"})
    if ("insert" in options) == ("join" in options):
        raise UsageError("compose takes either insert, a cut-out, or join, a picture of the same size, and mask")
    joined = "join" in options
    if joined and (options.get("mask") is None or {"at", "scale", "rotate"} & options.keys()):
        raise UsageError("join takes a mask, which is white where it shows, and neither at, scale nor rotate")
    other = _picture_of(options.pop("join") if joined else options.pop("insert"))
    mask = options.pop("mask", None)
    if _is_tensor(mask):
        mask = mask.detach().cpu().numpy()
    if isinstance(mask, np.ndarray) and mask.dtype == np.bool_:
        mask = mask.astype(np.float64)
    cover = None if mask is None else cover_of(_picture_of(mask))
    place: dict[str, Any] = {"at": None} if joined else {}
    return Compose(insert=other, mask=cover, **place, **options)


_MASKING: Final = {
    "mask", "mask_strength", "mask_limit", "box", "polygon", "invert_mask", "grow", "feather",
}  # fmt: skip


def _short(task: str, options: dict[str, Any]) -> dict[str, Any]:
    noise = options.pop("noise", "auto")
    told = restore_only(("blur",) if task == "deblur" else ("jpeg",), options)
    return told if task == "dejpeg" or noise == "auto" else told | {"noise": noise}


def _holes(options: dict[str, Any]) -> dict[str, Any]:
    """The options of `Inpaint`."""
    plural = {"box": "boxes", "polygon": "polygons"}
    named = {plural.get(name, name): value for name, value in options.items()}
    return named if named.get("mask") is None else named | {"mask": _mask_of(named["mask"])}


def _names(kind: type[Denoise | Inpaint | SuperResolve]) -> set[str]:
    return {f.name for f in fields(kind)}


def _refuse_foreign(task: str, options: dict[str, Any], own: set[str]) -> None:
    if foreign := options.keys() - own:
        raise UsageError(f"{task} has no option {', '.join(sorted(foreign))}")


def _compute(options: dict[str, Any]) -> tuple[Settings, Model, int | None]:
    where = {k: options.pop(k) for k in ("model", "device", "dtype", "compile") if k in options}
    threads, engine = options.pop("threads", None), options.pop("engine", "torch")
    return Settings(**options, engine=engine), _model(**where, engine=engine), threads


@functools.lru_cache(maxsize=2)
def _model(
    model: str | Path = "photo",
    device: Device = "auto",
    dtype: Dtype = "auto",
    compile: bool = False,
    engine: Engine = "torch",
) -> Model:
    return prepare(model, device=device, dtype=dtype, compiled=compile, engine=engine)


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


def _is_tensor(value: object) -> "TypeGuard[Tensor]":
    """Whether it is a tensor; a program that has not imported torch has none."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def _picture_of(picture: object) -> Picture:
    if isinstance(picture, str | Path):
        return read_picture(Path(picture))
    if isinstance(picture, Image.Image):
        return _of_array(_array_of_image(picture))
    if _is_tensor(picture):
        if picture.ndim != 3 or picture.shape[0] not in (1, 3):
            raise UsageError(f"a tensor must be (1, H, W) or (3, H, W), not {tuple(picture.shape)}")
        return _of_array(picture.detach().cpu().permute(1, 2, 0).contiguous().numpy())
    if isinstance(picture, np.ndarray):
        return _of_array(picture)
    raise UsageError(f"a picture is a file name, a PIL image, an array or a tensor, not {type(picture).__name__}")


def _array_of_image(image: Image.Image) -> NDArray[Any]:
    if image.mode in ("L", "LA", "RGB", "RGBA") or image.mode.startswith("I;16"):
        return np.asarray(image)
    plain = {"1": "L", "P": "RGBA" if "transparency" in image.info else "RGB", "PA": "RGBA"}
    if image.mode not in plain:
        raise UsageError(f"a PIL image of mode {image.mode} must be converted first, for example to RGB")
    return np.asarray(image.convert(plain[image.mode]))


def _of_array(array: NDArray[Any]) -> Picture:
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim != 3 or array.shape[2] not in (1, 2, 3, 4) or 0 in array.shape:
        raise UsageError(f"an array must be (H, W) or (H, W, 1..4), not {array.shape}")
    colours = array[..., : array.shape[2] - (array.shape[2] + 1) % 2]
    has_alpha = colours.shape[2] < array.shape[2]
    if array.dtype in (np.uint8, np.uint16):
        depth = array.dtype.itemsize * 8
        alpha = np.ascontiguousarray(array[..., -1]) if has_alpha else None
        return Picture(pixels=to_unit(colours, depth), alpha=alpha, depth=depth)
    if not np.issubdtype(array.dtype, np.floating) or has_alpha:
        raise UsageError("an array holds uint8, uint16, or floats in 0..1 without alpha")
    if not np.isfinite(array).all():
        raise UsageError("the array holds values that are not finite; mark missing pixels by the mask instead")
    return Picture(pixels=(2 * colours - 1).astype(np.float32), depth=16)


def _mask_of(mask: object) -> "NDArray[np.bool_] | Literal['alpha', 'auto']":
    if isinstance(mask, str) and mask in ("alpha", "auto"):
        return "auto" if mask == "auto" else "alpha"
    if _is_tensor(mask):
        mask = mask.detach().cpu().numpy()
    if isinstance(mask, np.ndarray) and mask.dtype == np.bool_:
        if mask.ndim != 2:
            raise UsageError(f"a mask of booleans must be (H, W), not {mask.shape}")
        return mask
    return mask_of(_picture_of(mask))


def _noise_map_of(std: object) -> NDArray[np.float32]:
    """A map in 8-bit levels; an array of floats holds just these."""
    if _is_tensor(std):
        std = std.detach().cpu().numpy()
    if isinstance(std, np.ndarray) and np.issubdtype(std.dtype, np.floating):
        return np.asarray(std, np.float32)
    return map_of(_picture_of(std))


def _tensor_like(given: "Tensor", seen: Picture, restored: Picture, corner: tuple[int, int] | None) -> "Tensor":
    import torch

    array = _array_like(given.detach().cpu().permute(1, 2, 0).numpy(), seen, restored, corner)
    return torch.from_numpy(array).permute(2, 0, 1).to(given.device, given.dtype)


def _array_like(given: NDArray[Any], seen: Picture, restored: Picture, corner: tuple[int, int] | None) -> NDArray[Any]:
    """The result as what was given is; where nothing was changed, with its very numbers."""
    if np.issubdtype(given.dtype, np.floating):
        array = ((restored.pixels + 1) / 2).astype(given.dtype)
        if corner is not None or array.shape == seen.pixels.shape:  # 0..1 -> -1..1 -> 0..1 is not exact
            (top, left), (h, w) = corner or (0, 0), given.shape[:2]
            own = (slice(top, top + h), slice(left, left + w))
            same = restored.pixels[own] == seen.pixels
            array[own] = np.where(same, given.reshape(same.shape), array[own])
    else:
        array = _levels(restored)
    return array[..., 0] if given.ndim == 2 else array


def _levels(picture: Picture) -> NDArray[Any]:
    levels = to_levels(picture.pixels, picture.depth)
    return levels if picture.alpha is None else np.concatenate([levels, picture.alpha[..., None]], 2)


def _to_image(picture: Picture) -> Image.Image:
    levels = _levels(picture)
    if picture.depth == 16 and levels.shape[2] > 1:
        raise UsageError("PIL holds no 16-bit colour or alpha; give the picture as a uint16 array")
    return Image.fromarray(levels[..., 0] if levels.shape[2] == 1 else levels)


def _image_like(original: object, restored: Picture) -> Image.Image:
    """The result as a PIL image, with what the original knew beside its pixels (profile, EXIF, ...)."""
    image = _to_image(restored)
    if isinstance(original, Image.Image):
        image.info.update({k: v for k, v in original.info.items() if k != "transparency"})
    elif restored.source.icc:
        image.info["icc_profile"] = restored.source.icc
    return image
