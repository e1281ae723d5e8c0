"""Other people's files -> tensors -> a network. Nothing that a file holds is run."""

import errno
import importlib.util
import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

from ...errors import DEFECTS, CheckpointError, OutOfMemoryError, UsageError
from .formats import refuse_others

if TYPE_CHECKING:
    from spandrel import ModelDescriptor

_FORBIDDEN: Final = re.compile(r"GLOBAL ([\w.]+)|[Gg]lobal '?([\w.]+)")
_DIGITS: Final = re.compile(r"\d+")
_AVERAGED: Final = ("params_ema", "params-ema", "model_ema", "net_g_ema", "g_ema", "ema")
"""Where trainers keep the running average of the weights, which is taken before the weights themselves."""
_DEEPEST: Final = 2
"""Wrappings of a network whose names are taken off to find its architecture."""


class _Left:
    """Stands for a number of numpy that trainers write beside weights. A forged one could harm, so none is made."""

    def __init__(self, *parts: object) -> None:
        """Forget the parts."""

    def __setstate__(self, state: object) -> None:
        """Forget the state."""


_LEFT: Final[list[Any]] = [
    (_Left, name) for name in ("numpy.dtype", "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")
]


def check_spandrel() -> None:
    """Check that the library is installed that knows the architectures.

    Raises:
        UsageError: it is not.
    """
    if importlib.util.find_spec("spandrel") is None:
        raise UsageError("other people's models need spandrel; pip install 'diffuse-cli[models]'")


def read_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Read the tensors of a file, and what it states in words. Pickles may hold tensors in containers, and no more.

    Args:
        path: a safetensors file, or one that `torch.save` wrote.

    Returns:
        the tensors by name, without the wrappings of trainers; the metadata of a safetensors file.

    Raises:
        CheckpointError: the file is missing, damaged, TorchScript, or holds something else than tensors.
    """
    try:
        if not _has_header(path):
            refuse_others(path)
        if _has_header(path) or path.suffix.lower() == ".safetensors":
            return _safetensors(path)
        found = _unpickled(path)
    except (OSError, MemoryError) as error:
        if getattr(error, "errno", None) == errno.EINVAL:  # as torch has it where an archive ends early
            raise CheckpointError(f"{path}: ends early; download it again") from None
        raise CheckpointError(
            f"{path}: cannot be read: {getattr(error, 'strerror', None) or _first_line(error)}"
        ) from None
    except pickle.UnpicklingError as error:
        raise CheckpointError(f"{path}: {_forbidden(str(error))}") from None
    except (*DEFECTS, CheckpointError):
        raise
    except Exception as error:  # whatever torch raises of a damaged file
        raise CheckpointError(f"{path}: not a file of weights, or damaged ({_first_line(error)})") from None
    if not isinstance(found, dict):
        raise CheckpointError(f"{path}: holds no weights by name, but a {type(found).__name__}")
    tensors = {name: value for name, value in _unwrapped(found).items() if isinstance(value, Tensor)}
    _check_sizes(path, tensors)
    return tensors, {}


def _unpickled(path: Path) -> object:
    """Return what `torch.save` wrote, if it is tensors and numbers in containers. Numbers of numpy are left out."""
    with warnings.catch_warnings(), torch.serialization.safe_globals(_LEFT):
        warnings.simplefilter("ignore")  # of pickles of a later protocol
        return torch.load(path, map_location="cpu", weights_only=True)


def _unwrapped(found: Mapping[Any, Any]) -> dict[str, Any]:
    """Return the weights of a trainer's file: the averaged ones if there are some."""
    from spandrel import canonicalize_state_dict

    named = {str(name): value for name, value in found.items()}
    for name in _AVERAGED:
        if isinstance(named.get(name), dict):
            return {str(key): value for key, value in canonicalize_state_dict(named[name]).items()}
    return {str(key): value for key, value in canonicalize_state_dict(named).items()}


def _has_header(path: Path) -> bool:
    """Return whether a file begins as safetensors do, whatever it is called: a length, then a JSON object."""
    with path.open("rb") as file:
        return file.read(9)[8:] == b"{"


def _safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    from safetensors import SafetensorError, safe_open
    from spandrel import canonicalize_state_dict

    try:
        with safe_open(path, framework="pt") as file:
            metadata = {str(k): str(v) for k, v in (file.metadata() or {}).items()}
            tensors = {name: file.get_tensor(name) for name in list(file.keys())}
    except SafetensorError as error:
        raise CheckpointError(f"{path}: not a safetensors file, or damaged ({_first_line(error)})") from None
    if "config" in metadata and metadata.get("format", "").startswith("diffuse-"):
        raise CheckpointError(f"{path}: is a checkpoint of this program already; give it to --model")
    return dict(canonicalize_state_dict(tensors)), metadata


def _forbidden(text: str) -> str:
    found = _FORBIDDEN.search(text)
    what = next((part for part in found.groups() if part), "code") if found else ""
    if not what:
        return "not a file of weights, or damaged"
    return f"holds {what}, which could run code; ask for the weights alone, as safetensors"


def _first_line(error: BaseException) -> str:
    first, *more = str(error).splitlines() or [type(error).__name__]
    return f"{first} {more[0].strip()}"[:150] if more and first.endswith(":") else first[:100]


def _check_sizes(path: Path, tensors: Mapping[str, Tensor]) -> None:
    """Refuse tensors that claim more numbers than the file has.

    Raises:
        CheckpointError: one does.
    """
    size = path.stat().st_size
    for name, tensor in tensors.items():
        if tensor.device.type != "cpu" or tensor.is_sparse or tensor.is_quantized or tensor.layout != torch.strided:
            raise CheckpointError(f"{path}: {name[:60]} is no plain tensor; ask for the weights as safetensors")
        if tensor.numel() * tensor.element_size() > size:
            raise CheckpointError(f"{path}: {name[:60]} claims more than the file holds; the file is damaged or forged")


def describe(tensors: Mapping[str, Tensor], name: str) -> "ModelDescriptor":
    """Return the network of tensors: spandrel finds its architecture and builds it.

    Args:
        tensors: by name; their numbers are not changed.
        name: of the file, for messages.

    Raises:
        CheckpointError: the architecture is unknown, the tensors do not fit it, or they are not finite.
        OutOfMemoryError: memory is not enough for it.
    """
    from spandrel import UnsupportedModelError

    _check_names(tensors, name)
    copies: dict[str, Any] = {key: value.detach().clone() for key, value in tensors.items()}
    try:
        found = _built(copies)
    except UnsupportedModelError:
        raise CheckpointError(f"{name}: of an architecture that spandrel does not know (docs/models.md)") from None
    except MemoryError:
        raise OutOfMemoryError(f"{name}: not enough memory for this network") from None
    except NotImplementedError as error:
        raise CheckpointError(f"{name}: {_first_line(error)}") from None
    except Exception as error:  # detection guesses sizes from shapes, and anything may fail on forged ones
        raise CheckpointError(f"{name}: its tensors fit no architecture ({_first_line(error)})") from None
    found.model.eval().requires_grad_(False)
    return found


def _built(tensors: dict[str, Any], deep: int = 0) -> "ModelDescriptor":
    """Return spandrel's network; where all names begin alike, as `net_g.` or `_orig_mod.`, also without that."""
    from spandrel import ModelLoader, UnsupportedModelError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of architectures that call torch in older ways
            return ModelLoader().load_from_state_dict(tensors)
    except UnsupportedModelError:
        first = {key.partition(".")[0] for key in tensors}
        if len(first) != 1 or deep == _DEEPEST:
            raise
    return _built({key.partition(".")[2]: value for key, value in tensors.items()}, deep + 1)


def _check_names(tensors: Mapping[str, Tensor], name: str) -> None:
    """Refuse what makes no sense before a network is built of it.

    Raises:
        CheckpointError: there are no tensors, a layer's number is absurd, or numbers are not finite.
    """
    if not tensors:
        raise CheckpointError(f"{name}: holds no tensors")
    most = 64 + 16 * len(tensors)
    for key, tensor in tensors.items():
        if any(len(digits) > 9 or int(digits) > most for digits in _DIGITS.findall(key)):
            raise CheckpointError(f"{name}: {key[:60]} is numbered beyond its layers; the file is damaged or forged")
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise CheckpointError(f"{name}: holds weights that are not finite")
