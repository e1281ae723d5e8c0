"""What was learned of a style: its colours, and the changes of a checkpoint's weights that make its texture.

It is stored as safetensors, in a file of its own. Nothing in it is executed.
"""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialise
from torch import Tensor

from ...diffusion.model import Model, from_weights
from ...errors import CheckpointError
from ...system.files import write_bytes
from .colour_transport import Colours

FORMAT = "diffuse-style-1"
_COLOURS = ("colours.mean", "colours.covariance")


@dataclass(frozen=True, kw_only=True, slots=True)
class Style:
    """A style, learned on top of a checkpoint.

    Attributes:
        colours: of the style's picture.
        delta: what is added to the checkpoint's folded weights, fp16, by their names.
        checkpoint: sha256 of the checkpoint's file.
        picture: sha256 of the picture's file.
        lesson: how it was learned.
    """

    colours: Colours
    delta: Mapping[str, Tensor]
    checkpoint: str
    picture: str
    lesson: Mapping[str, Any]

    def save(self, path: Path) -> None:
        """Write the style, whole or not at all.

        Raises:
            PictureError: the disk fails.
        """
        tensors = dict(zip(_COLOURS, (self.colours.mean, self.colours.covariance), strict=True))
        told = {"checkpoint": self.checkpoint, "picture": self.picture, "lesson": json.dumps(dict(self.lesson))}
        write_bytes(serialise({**self.delta, **tensors}, {"format": FORMAT, **told}), path)


def read_style(path: Path) -> Style:
    """Read a file that `Style.save` wrote.

    Raises:
        CheckpointError: the file is none, or it is damaged.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        if metadata.get("format") != FORMAT:
            raise CheckpointError(f"{path}: not a style; --style takes a picture, or a file that --save-style wrote")
        mean, covariance = (tensors.pop(name) for name in _COLOURS)
        style = Style(
            colours=Colours(mean=mean, covariance=covariance), delta=tensors, checkpoint=metadata["checkpoint"],
            picture=metadata["picture"], lesson=json.loads(metadata["lesson"]),
        )  # fmt: skip
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{path}: cannot be read as a style ({error}); make it again from its picture") from None
    whole = all(bool(t.isfinite().all()) for t in (mean, covariance, *tensors.values()))
    if not whole or mean.shape != (3,) or covariance.shape != (3, 3):
        raise CheckpointError(f"{path}: the style is damaged; make it again from its picture")
    return style


def with_style(model: Model, style: Style, name: str) -> Model:
    """Return a model with the style added to its weights. The given model stays as it is.

    Args:
        model: of the checkpoint that the style was learned on.
        style: what was learned.
        name: of the style, for messages.

    Raises:
        CheckpointError: the style was learned on another network.
    """
    exact = copy.deepcopy(model.exact or model.network)
    weights = dict(exact.named_parameters())
    if any(weights[n].shape != d.shape if n in weights else True for n, d in style.delta.items()):
        raise CheckpointError(f"{name}: does not fit this checkpoint's network; make the style again from its picture")
    with torch.no_grad():
        for layer, change in style.delta.items():
            weights[layer].add_(change.to(weights[layer]))
    return from_weights(exact, model.network.dtype, compiled=model.compiled, backend=model.backend, gpu=model.gpu)
