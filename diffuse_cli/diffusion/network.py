"""F: a U-Net of magnitude-preserving layers, without normalisation layers.

In the spirit of Karras et al. 2024 (EDM2, arXiv:2312.02696): weights have unit mean square per output channel, and sums
and concatenations keep the mean square of what they join. Nothing in it looks further than a few hundred pixels.
"""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import CheckpointError

RELU_GAIN = math.sqrt(2)
BALANCE = 0.3
_NORM = math.hypot(1 - BALANCE, BALANCE)
RESIDUAL_GAIN, PASS_GAIN = BALANCE / _NORM, (1 - BALANCE) / _NORM
FOURIER_FEATURES = 128
DESCRIBED = (4, 5, 6)
"""How many numbers of a degradation networks can be told."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkConfig:
    """The shape of the network, as the checkpoint states it.

    Attributes:
        in_ch: input channels: x, mu, c_noise(sigma), c_noise(sigma_p).
        described: numbers of the degradation that it is told: 4, 5 with grain, 6 with grain and doubt.
        cond: length of the condition: these numbers, then one per label.
        channels: width of each level, finest first.
        blocks: blocks of each level, each way.
        patch: side of the squares of pixels that are folded into channels before the first layer.
        emb: width of the embedding of sigma_t and cond.
        labels: what the pictures of each label show, cond - described names.
        crop: side of the pictures that it was trained on, and that `generate` draws at once.
        gray: it was trained on gray pictures alone, so it generates gray ones.

    Raises:
        CheckpointError: no network has these values.
    """

    in_ch: int = 8
    described: int = 4
    cond: int = 4
    channels: tuple[int, ...] = (64, 96, 128, 160)
    blocks: tuple[int, ...] = (2, 2, 2, 2)
    patch: int = 2
    emb: int = 384
    labels: tuple[str, ...] = ()
    crop: int = 96
    gray: bool = False

    def __post_init__(self) -> None:
        """Refuse a config that this family of networks does not cover."""
        sizes = (*self.channels, *self.blocks, self.patch, self.emb, self.crop)
        if not all(isinstance(v, int) and 0 < v <= 65536 for v in sizes):
            raise CheckpointError("the config's channels, blocks, patch, emb and crop must be positive integers")
        if self.in_ch != 8 or self.cond < self.described or len(self.channels) != len(self.blocks) or not self.channels:
            raise CheckpointError(
                "the config describes another kind of network (in_ch 8, cond >= described, blocks a level)"
            )
        if self.described not in DESCRIBED:
            raise CheckpointError(f"the config describes {self.described} numbers; this program knows 4, 5 and 6")
        if self.labels and len(self.labels) != self.cond - self.described:
            raise CheckpointError(f"the config names {len(self.labels)} labels for cond = {self.cond}")

    @classmethod
    def from_json(cls, values: object) -> "NetworkConfig":
        """Read the config from a checkpoint's metadata.

        Raises:
            CheckpointError: it is no object, a key is unknown, or a value has the wrong type.
        """
        if not isinstance(values, dict):
            raise CheckpointError("the config is not a JSON object")
        unknown = values.keys() - {f.name for f in fields(cls)}
        if unknown:
            raise CheckpointError(f"the config has unknown keys: {', '.join(sorted(unknown))}")
        try:
            arguments: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
            return cls(**arguments)
        except TypeError as error:
            raise CheckpointError(f"the config has a value of the wrong type: {error}") from None

    def to_json(self) -> dict[str, object]:
        """Return the config as metadata holds it; described, labels, crop and gray only if not the default."""
        plain = {f.name: f.default for f in fields(self) if f.name in ("described", "labels", "crop", "gray")}
        return {k: v for k, v in asdict(self).items() if k not in plain or v != plain[k]}

    @property
    def multiple(self) -> int:
        """The number whose multiples height and width of the input must be."""
        return self.patch << (len(self.channels) - 1)


def mp_sum(a: Tensor, b: Tensor, t: float) -> Tensor:
    """Return the weighted sum of two unit signals, of unit mean square again (EDM2, equation 88)."""
    return ((1 - t) * a + t * b) / math.hypot(1 - t, t)


def mp_cat(a: Tensor, b: Tensor) -> Tensor:
    """Concatenate channels so that both halves contribute equally (EDM2, equation 103)."""
    na, nb = a.shape[1], b.shape[1]
    c = math.sqrt((na + nb) / 2)
    return torch.cat([a * (c / math.sqrt(na)), b * (c / math.sqrt(nb))], 1)


def normalised(weight: Tensor) -> Tensor:
    """Return the weight with unit mean square per output channel (EDM2, equation 47)."""
    rms = weight.square().mean(tuple(range(1, weight.ndim)), keepdim=True).sqrt()
    return weight / (1e-4 + rms)


def redescribed(weights: dict[str, Tensor], config: NetworkConfig, described: int) -> dict[str, Tensor]:
    """Return a checkpoint's weights for a network that is told more or fewer numbers of a degradation.

    With more, the network computes the same as before until it is trained. With fewer, it computes what it did where
    the dropped numbers were 0.

    Args:
        weights: as a checkpoint holds them, of unit mean square per row.
        config: of the network that they are of.
        described: 4, 5 or 6.
    """
    old = weights["emb_cond.weight"]
    new = old.new_zeros(len(old), described + old.shape[1] - config.described)
    kept = min(config.described, described)
    new[:, :kept], new[:, described:] = old[:, :kept], old[:, config.described :]
    return {**weights, "emb_cond.weight": new * math.sqrt(new.shape[1] / old.shape[1])}


class Linear(nn.Module):
    """A matrix or kernel without bias; `gain / sqrt(fan_in)` is folded into the weight by `UNet.fold`."""

    def __init__(self, fan_in: int, out: int, kernel: int = 0, gain: float = 1.0) -> None:
        """Make a layer with uninitialised weights.

        Args:
            fan_in: channels before.
            out: channels after.
            kernel: side of the convolution kernel; 0 = a plain matrix.
            gain: what the layer multiplies by.
        """
        super().__init__()
        self.kernel = kernel
        self.weight = nn.Parameter(torch.empty((out, fan_in, kernel, kernel) if kernel else (out, fan_in)))
        self.scale = gain / math.sqrt(self.weight[0].numel())

    def fold_(self, gain: float = 1.0) -> None:
        """Multiply the gain into the weight, once."""
        self.weight.mul_(self.scale * gain)
        self.scale = 1.0

    def trained(self, gain: Tensor | None = None) -> Tensor:
        """Return what `fold_` makes of the normalised weight, differentiable in weight and gain."""
        scale = self.scale if gain is None else self.scale * gain
        return normalised(self.weight) * scale

    def forward(self, x: Tensor) -> Tensor:
        """Map x (B, fan_in[, H, W]) to (B, out[, H, W])."""
        return F.conv2d(x, self.weight, padding=self.kernel // 2) if self.kernel else F.linear(x, self.weight)


class Fourier(nn.Module):
    """Random Fourier features of a scalar, of unit mean square."""

    freqs: Tensor
    phases: Tensor

    def __init__(self, features: int) -> None:
        """Make so many features, uninitialised."""
        super().__init__()
        self.register_buffer("freqs", torch.empty(features))
        self.register_buffer("phases", torch.empty(features))

    def forward(self, v: Tensor) -> Tensor:
        """Map v (B,) to (B, features)."""
        return math.sqrt(2) * torch.cos(v[:, None] * self.freqs + self.phases)


class Block(nn.Module):
    """Two 3x3 convolutions beside a pass-through. The embedding modulates the first one's output.

    With `wide_input` (going up), conv0 takes the concatenated x as it is, and only the pass-through is brought to the
    new width. Without it (going down), x itself is brought to the new width first.
    """

    def __init__(self, width_in: int, width: int, emb: int, *, wide_input: bool) -> None:
        """Make a block with uninitialised weights.

        Args:
            width_in: channels before.
            width: channels after.
            emb: width of the embedding.
            wide_input: see above.
        """
        super().__init__()
        self.wide_input = wide_input
        self.conv0 = Linear(width_in if wide_input else width, width, 3, RELU_GAIN)
        self.conv1 = Linear(width, width, 3, RELU_GAIN * RESIDUAL_GAIN)
        self.emb = Linear(emb, width)
        self.emb_gain = nn.Parameter(torch.empty([]))
        skip_gain = PASS_GAIN if wide_input else 1.0
        self.skip = Linear(width_in, width, 1, skip_gain) if width_in != width else None

    def forward(self, x: Tensor, e: Tensor) -> Tensor:
        """Map x (B, width_in, H, W) and e (B, emb), in fp32, to (B, width, H, W)."""
        if self.skip is not None and not self.wide_input:
            x = self.skip(x)
        film = (self.emb(e) + 1).to(x.dtype)[:, :, None, None]
        y: Tensor = self.conv1(F.relu_(self.conv0(F.relu(x)).mul_(film)))
        if self.skip is not None and self.wide_input:
            return y.add_(self.skip(x))
        return y.add_(x, alpha=PASS_GAIN)


class UNet(nn.Module):
    """The network.

    For inference: construct it, load the checkpoint's tensors, and `fold()`. Training computes `trained_weights()` at
    every step instead, and calls the same `forward` with them.
    """

    def __init__(self, config: NetworkConfig) -> None:
        """Make a network with the checkpoint's config; its weights are uninitialised until they are loaded."""
        super().__init__()
        self.config = config
        self.layout = torch.channels_last
        c = config.channels
        self.fourier = Fourier(FOURIER_FEATURES)
        self.emb_noise = Linear(FOURIER_FEATURES, config.emb)
        self.emb_cond = Linear(config.cond + 1, config.emb)
        self.stem = Linear(config.in_ch * config.patch**2 + 1, c[0], 3)
        self.enc, self.dec = nn.ModuleList(), nn.ModuleList()
        width = c[0]
        for ch, n in zip(c, config.blocks, strict=True):
            self.enc.append(self._level(width, ch, n, wide_input=False))
            width = ch
        self.mid = self._level(width, width, 1, wide_input=True)
        for ch, n in zip(reversed(c), reversed(config.blocks), strict=True):
            self.dec.append(self._level(width + ch, ch, n, wide_input=True))
            width = ch
        self.out = Linear(width, 3 * config.patch**2, 3)
        self.out_gain = nn.Parameter(torch.empty([]))

    def _level(self, width_in: int, width: int, blocks: int, *, wide_input: bool) -> nn.ModuleList:
        widths = [width_in] + [width] * blocks
        return nn.ModuleList(Block(a, b, self.config.emb, wide_input=wide_input) for a, b in pairwise(widths))

    @torch.no_grad()
    def fold(self) -> "UNet":
        """Multiply every constant and learned gain into the weights, so that inference computes no scaling."""
        for _, layer, gain in self.layers():
            layer.fold_(1.0 if gain is None else float(gain.detach()))
            if gain is not None:
                gain.fill_(1)
        return self.eval().requires_grad_(False)

    def layers(self) -> Iterator[tuple[str, Linear, nn.Parameter | None]]:
        """Return every layer by name, with the learned gain that multiplies it."""
        gains = {"out": self.out_gain}
        gains |= {f"{name}.emb": block.emb_gain for name, block in self.named_modules() if isinstance(block, Block)}
        for name, module in self.named_modules():
            if isinstance(module, Linear):
                yield name, module, gains.get(name)

    def trained_weights(self, dtype: torch.dtype) -> dict[str, Tensor]:
        """Return what `fold()` and `half_(dtype)` would leave of normalised weights, by name, differentiable."""
        folded = {name: (layer, layer.trained(gain)) for name, layer, gain in self.layers()}
        return {f"{name}.weight": w.to(dtype) if layer.kernel else w for name, (layer, w) in folded.items()}

    def laid_out_(self, layout: torch.memory_format) -> "UNet":
        """Lay out every kernel, and all that is computed, in this way."""
        self.layout = layout
        for parameter in self.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=layout)
        return self

    def channels_last_(self) -> "UNet":
        """Lay out every kernel, and all that is computed, with the channels last."""
        return self.laid_out_(torch.channels_last)

    def half_(self, dtype: torch.dtype) -> "UNet":
        """Convert the convolutions to `dtype`; the Fourier features and the embeddings stay fp32."""
        for module in self.modules():
            if isinstance(module, Linear) and module.kernel:
                module.weight.data = module.weight.data.to(dtype)
        return self

    @property
    def dtype(self) -> torch.dtype:
        """The type of the convolutions."""
        return self.stem.weight.dtype

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.stem.weight.device

    def embed(self, noise: Tensor, cond: Tensor) -> Tensor:
        """Embed noise (B,), which is c_noise(sigma_t), and cond (B, described + K) as (B, emb), fp32."""
        with_one = torch.cat([cond, torch.ones_like(cond[:, :1])], 1)
        return RELU_GAIN * F.relu(mp_sum(self.emb_noise(self.fourier(noise)), self.emb_cond(with_one), 0.5))

    def forward(self, x: Tensor, noise: Tensor, cond: Tensor) -> Tensor:
        """Return F.

        Args:
            x: (B, 8, H, W), see `precondition`; H and W are multiples of `config.multiple`.
            noise: (B,), c_noise(sigma_t).
            cond: (B, described + K).

        Returns:
            (B, 3, H, W), in the type of the convolutions.
        """
        e = self.embed(noise, cond)
        x = F.pixel_unshuffle(x.to(self.dtype), self.config.patch)
        x = torch.cat([x, torch.ones_like(x[:, :1])], 1).contiguous(memory_format=self.layout)
        x = self.stem(x)
        skips = []
        for i, level in enumerate(self.enc):
            x = F.avg_pool2d(x, 2) if i else x
            for block in cast(nn.ModuleList, level):
                x = block(x, e)
            skips.append(x)
        x = self.mid[0](x, e)
        for i, level in enumerate(self.dec):
            x = F.interpolate(x, scale_factor=2.0, mode="nearest") if i else x
            x = mp_cat(x, skips.pop())
            for block in cast(nn.ModuleList, level):
                x = block(x, e)
        return F.pixel_shuffle(self.out(x), self.config.patch)
