"""Files of the small networks beside the checkpoints: the noise regressor, and the detector of marks."""

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor, nn

from ..errors import CheckpointError
from ..system.files import write_bytes


def load_weights(network: nn.Module, path: Path, *, form: str, what: str) -> None:
    """Read the weights of a network into it.

    Args:
        network: new, of the shape that the file is to have.
        path: the file.
        form: the format that the file states.
        what: the network in words, for errors.

    Raises:
        CheckpointError: the file is missing, damaged, or of another kind.
    """
    try:
        with safe_open(path, framework="pt") as file:
            known = (file.metadata() or {}).get("format") == form
        weights = load_file(path)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: cannot be read: {error}; install diffuse again") from None
    wanted = {name: value.shape for name, value in network.state_dict().items()}
    if not known or wanted != {name: value.shape for name, value in weights.items()}:
        raise CheckpointError(f"{path}: is not a {what} of this program; install diffuse again")
    network.load_state_dict(weights)


def save_weights(weights: Mapping[str, Tensor], path: Path, *, form: str, summary: Mapping[str, str]) -> None:
    """Write the weights of a network.

    Args:
        weights: by their names.
        path: the file.
        form: the format that the file is to state.
        summary: what it was trained on and with, as text.

    Raises:
        PictureError: the disk fails.
    """
    tensors = {name: value.detach().contiguous() for name, value in weights.items()}
    write_bytes(save(tensors, {**summary, "format": form}), path)
