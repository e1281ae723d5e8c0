"""The tasks by their commands' names."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from ..degradation.estimation.noise_map import map_of
from ..errors import UsageError
from ..images.convert import is_tensor, to_picture
from ..images.mask_reading import read_mask
from .compose import Compose
from .denoise import Denoise
from .enhance import Enhance
from .extend import Extend
from .fuse import Fuse
from .inpaint import Inpaint
from .repair import Repair
from .restore import UNDONE, Restore, restore_only
from .stylize import Stylize
from .super_resolve import SuperResolve
from .task import Task

TASKS: Final[Mapping[str, type[Task]]] = {
    "denoise": Denoise, "inpaint": Inpaint, "super-resolve": SuperResolve, "restore": Restore, "deblur": Restore,
    "dejpeg": Restore, "enhance": Enhance, "repair": Repair, "compose": Compose, "extend": Extend, "stylize": Stylize,
    "fuse": Fuse,
}  # fmt: skip
"""The task of each command."""

# The API of release 0.1: tasks as strings ----------------------------------------------------------------------------

_RENAMED: Final = {"box": "boxes", "polygon": "polygons"}
_OF_HOLES: Final = frozenset(field.name for field in fields(Inpaint)) - {*_RENAMED.values()} | _RENAMED.keys()
_OPTIONS: Final[Mapping[str, frozenset[str]]] = {
    "denoise": frozenset(field.name for field in fields(Denoise)),
    "inpaint": _OF_HOLES,
    "super-resolve": frozenset(field.name for field in fields(SuperResolve)),
    "restore": frozenset({*UNDONE, "grain", "only", "scale"}) | _OF_HOLES,
    "deblur": frozenset({"blur", "noise"}),
    "dejpeg": frozenset({"jpeg"}),
    "enhance": frozenset(field.name for field in fields(Enhance)),
    "compose": frozenset(field.name for field in fields(Compose)) - {"seed"} | {"join"},
    "extend": frozenset(field.name for field in fields(Extend)),
}


def task_of(name: str, options: Mapping[str, Any]) -> Task:
    """Make the task of `restore(picture, "denoise", noise=25)`, the API of release 0.1.

    Args:
        name: of the command.
        options: the command's, by its names. Pictures, masks and maps are of any kind that `to_picture` takes.

    Raises:
        UsageError: an unknown name or option, or a wrong value.
        PictureError: a file cannot be read.
    """
    if name not in _OPTIONS:
        raise UsageError(f"task must be one of {', '.join(_OPTIONS)}, not {name!r}")
    if foreign := options.keys() - _OPTIONS[name]:
        raise UsageError(f"{name} has no option {', '.join(sorted(foreign))}")
    if name == "compose":
        return _compose(dict(options))
    if name in ("restore", "deblur", "dejpeg"):
        return _restore(name, dict(options))
    if name == "inpaint":
        return _inpaint(options)
    values = dict(options)
    if values.get("noise_map") is not None:
        values["noise_map"] = _to_noise_map(values["noise_map"])
    return TASKS[name](**values)


def _inpaint(options: Mapping[str, Any]) -> Inpaint:
    values = {_RENAMED.get(name, name): value for name, value in options.items()}
    if values.get("mask") is not None:
        values["mask"] = to_mask(values["mask"])
    return Inpaint(**values)


def _restore(name: str, options: dict[str, Any]) -> Restore:
    if name == "dejpeg":
        return Restore(**restore_only(("jpeg",), options))
    if name == "deblur":
        noise = options.pop("noise", "auto")
        return Restore(**restore_only(("blur",), options) | {"noise": noise})
    masking = {key: options.pop(key) for key in _OF_HOLES if key in options}
    only, scale, grain = options.pop("only", None), options.pop("scale", None), options.pop("grain", "auto")
    told = restore_only(only, options)
    return Restore(
        **told, grain=grain, scale=1.0 if scale is None else scale, holes=_inpaint(masking) if masking else None
    )


def _compose(options: dict[str, Any]) -> Compose:
    if ("insert" in options) == ("join" in options):
        raise UsageError("compose takes either insert, a cut-out, or join, a picture of the same size, and mask")
    joined = "join" in options
    if joined and (options.get("mask") is None or {"at", "scale", "rotate"} & options.keys()):
        raise UsageError("join takes a mask, which is white where it shows, and neither at, scale nor rotate")
    insert, mask = to_picture(options.pop("join" if joined else "insert")), options.pop("mask", None)
    if is_tensor(mask):
        mask = mask.detach().cpu().numpy()
    if isinstance(mask, np.ndarray) and mask.dtype == np.bool_:
        mask = mask.astype(np.float64)
    cover = None if mask is None else read_mask(to_picture(mask)).share
    place: dict[str, Any] = {"at": None} if joined else {}
    return Compose(insert=insert, mask=cover, **place, **options)


def to_mask(mask: object) -> "NDArray[np.bool_ | np.float32] | Literal['alpha', 'auto']":
    """Convert a mask of release 0.1: a file, an image, an array or a tensor, True or what it marks = masked."""
    if isinstance(mask, str) and mask in ("alpha", "auto"):
        return "auto" if mask == "auto" else "alpha"
    if is_tensor(mask):
        mask = mask.detach().cpu().numpy()
    if isinstance(mask, np.ndarray) and mask.dtype == np.bool_:
        if mask.ndim != 2:
            raise UsageError(f"a mask of booleans must be (H, W), not {mask.shape}")
        return mask
    return read_mask(to_picture(mask)).marks


def _to_noise_map(std: object) -> NDArray[np.float32]:
    """Convert a map in 8-bit levels; an array of floats holds just these."""
    if is_tensor(std):
        std = std.detach().cpu().numpy()
    if isinstance(std, np.ndarray) and np.issubdtype(std.dtype, np.floating):
        return np.asarray(std, np.float32)
    return map_of(to_picture(std))
