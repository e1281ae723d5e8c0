"""Other people's files -> tensors -> a network. Nothing that a file holds is run."""

import importlib.util
import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

from ...errors import DEFECTS, CheckpointError, OutOfMemoryError, UsageError

if TYPE_CHECKING:
    from spandrel import ModelDescriptor

_FORBIDDEN: Final = re.compile(r"GLOBAL ([\w.]+)|[Gg]lobal '?([\w.]+)")
_DIGITS: Final = re.compile(r"\d+")


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
    from spandrel import canonicalize_state_dict

    try:
        if _is_safetensors(path):
            return _safetensors(path)
        _refuse_programs(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, MemoryError) as error:
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
    named = canonicalize_state_dict({str(name): value for name, value in found.items()})
    tensors = {str(name): value for name, value in named.items() if isinstance(value, Tensor)}
    _check_sizes(path, tensors)
    return tensors, {}


def _is_safetensors(path: Path) -> bool:
    """Return whether a file is safetensors, whatever it is called: a length, then a JSON object."""
    with path.open("rb") as file:
        head = file.read(9)
    return head[8:] == b"{" or path.suffix.lower() == ".safetensors"


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


def _refuse_programs(path: Path) -> None:
    """Refuse TorchScript, which is a program.

    Raises:
        CheckpointError: the file is TorchScript.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if any(name.endswith("constants.pkl") or "/code/" in f"/{name}" for name in names):
        raise CheckpointError(f"{path}: is TorchScript, which is a program and could do anything; ask for its weights")


def _forbidden(text: str) -> str:
    found = _FORBIDDEN.search(text)
    what = next((part for part in found.groups() if part), "code") if found else ""
    if not what:
        return "not a file of weights, or damaged"
    return f"holds {what}, which could run code; ask for the weights alone, as safetensors"


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:100]


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
    from spandrel import ModelLoader, UnsupportedModelError

    _check_names(tensors, name)
    copies: dict[str, Any] = {key: value.detach().clone() for key, value in tensors.items()}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of architectures that call torch in older ways
            found = ModelLoader().load_from_state_dict(copies)
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
