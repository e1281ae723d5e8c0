"""A network that sees damage of prints, films and sensors: a small U-Net that is told no noise level.

It reads the picture and four maps of what is narrow: what an opening or a closing removes (top-hats: Giakoumis,
Nikolaidis, Pitas 2006). It tells of every pixel how likely it is part of a mark, and how likely the picture is missing
there. It is trained on prints that are worn on purpose (training/marks.py).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..degradation.operators import closed, opened
from .estimator_file import load_weights, save_weights
from .network import PASS_GAIN, RELU_GAIN, RESIDUAL_GAIN, Linear, mp_cat

CHANNELS: Final = (32, 32, 48, 64)
"""Of the levels, finest first. The finest has half the picture's resolution."""
PATCH: Final = 2
MULTIPLE: Final = PATCH << (len(CHANNELS) - 1)
"""Height and width of the input must be multiples of this."""
CLASSES: Final = ("mark", "missing")
"""Specks, hairs, lines, spots and dates that hide the picture; corners and strips that are torn off."""
RADII: Final = (2, 5)
"""Of the openings and closings, in pixels."""
_LUMA: Final = (0.299, 0.587, 0.114)
_STEEP: Final = 16.0
"""Contrasts of a few levels are spread, large ones are compressed."""
FORMAT: Final = "diffuse-marks-1"


class _Block(nn.Module):
    """Two 3x3 convolutions beside a pass-through, as `network.Block` without its embedding."""

    def __init__(self, width_in: int, width: int) -> None:
        super().__init__()
        self.conv0 = Linear(width_in, width, 3, RELU_GAIN)
        self.conv1 = Linear(width, width, 3, RELU_GAIN * RESIDUAL_GAIN)
        self.skip = Linear(width_in, width, 1, PASS_GAIN) if width_in != width else None

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv1(F.relu_(self.conv0(F.relu(x))))
        return y.add_(x, alpha=PASS_GAIN) if self.skip is None else y.add_(self.skip(x))


class MarkDetector(nn.Module):
    """The network. Training calls it with normalised weights; `fold` makes it ready for use."""

    def __init__(self) -> None:
        """Make one whose weights are uninitialised until they are loaded."""
        super().__init__()
        inputs = 3 + 2 * len(RADII)
        self.stem = Linear(inputs * PATCH**2 + 1, CHANNELS[0], 3)
        widths = (CHANNELS[0], *CHANNELS[:-1])
        self.enc = nn.ModuleList(_Block(a, b) for a, b in zip(widths, CHANNELS, strict=True))
        self.mid = _Block(CHANNELS[-1], CHANNELS[-1])
        coarse = (*CHANNELS[1:-1], CHANNELS[-1])
        self.dec = nn.ModuleList(_Block(a + b, b) for a, b in reversed(list(zip(coarse, CHANNELS[:-1], strict=True))))
        self.out = Linear(CHANNELS[0] + 1, len(CLASSES) * PATCH**2, 3)
        self.gain = nn.Parameter(torch.empty([]))
        """Of the logits."""

    def layers(self) -> Iterator[tuple[str, Linear, nn.Parameter | None]]:
        """Return every layer by name, with the learned gain that multiplies it."""
        for name, module in self.named_modules():
            if isinstance(module, Linear):
                yield name, module, self.gain if name == "out" else None

    def trained_weights(self, dtype: torch.dtype) -> dict[str, Tensor]:
        """Return what `fold` would leave of normalised weights, by name, differentiable."""
        return {f"{name}.weight": layer.trained(gain).to(dtype) for name, layer, gain in self.layers()}

    @torch.no_grad()
    def fold(self, dtype: torch.dtype) -> "MarkDetector":
        """Multiply every gain into the weights, for use."""
        for _, layer, gain in self.layers():
            layer.fold_(1.0 if gain is None else float(gain.detach()))
            layer.weight.data = layer.weight.data.to(dtype, memory_format=torch.channels_last)
        self.gain.fill_(1)
        return self.eval().requires_grad_(False)

    def forward(self, seen: Tensor, dtype: torch.dtype) -> Tensor:
        """Return logits (B, len(CLASSES), H, W), in `dtype`.

        Args:
            seen: (B, 7, H, W), as `evidence` returns it; H and W are multiples of `MULTIPLE`.
            dtype: of the convolutions.
        """
        x = _with_one(F.pixel_unshuffle(seen.to(dtype), PATCH)).contiguous(memory_format=torch.channels_last)
        x = self.stem(x)
        skips = []
        for i, block in enumerate(self.enc):
            x = block(F.avg_pool2d(x, 2) if i else x)
            skips.append(x)
        x = self.mid(skips.pop())
        for block in self.dec:
            x = block(mp_cat(F.interpolate(x, scale_factor=2.0, mode="nearest"), skips.pop()))
        return F.pixel_shuffle(cast(Tensor, self.out(_with_one(F.relu(x)))), PATCH)


def _with_one(x: Tensor) -> Tensor:
    """Append a channel of ones, whose weights are the biases."""
    return torch.cat([x, torch.ones_like(x[:, :1])], 1)


def evidence(x: Tensor) -> Tensor:
    """Return what the detector sees: the picture, and what is narrow in it, light and dark.

    Args:
        x: (B, 3, H, W), [-1, 1] units.

    Returns:
        (B, 7, H, W).
    """
    light = (x * x.new_tensor(_LUMA)[:, None, None]).sum(1, keepdim=True)
    hats = [hat for r in RADII for hat in (light - opened(light, r), closed(light, r) - light)]
    return torch.cat([x, torch.asinh(_STEEP * torch.cat(hats, 1)) / 2], 1)


def load_detector(path: Path) -> MarkDetector:
    """Read a detector, not folded.

    Raises:
        CheckpointError: the file is missing, damaged, or of another kind.
    """
    detector = MarkDetector()
    load_weights(detector, path, form=FORMAT, what="detector of marks")
    return detector


def save_detector(weights: dict[str, Tensor], path: Path, summary: dict[str, str]) -> None:
    """Write a detector.

    Args:
        weights: trained, of unit mean square per output channel.
        path: the file.
        summary: what it was trained on and with, as text.

    Raises:
        PictureError: the disk fails.
    """
    save_weights(weights, path, form=FORMAT, summary=summary)
