"""Training of the noise regressor: crops whose noise is known, their statistics, and the fit."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from ..degradation.camera import describe_noise, drawn_noise
from ..degradation.operators import blur, resize
from ..diffusion import checkpoint
from ..diffusion.model import Model
from ..diffusion.network import UNet
from ..diffusion.photo_noise import OUTPUTS, Regressor, save_regressor, statistics
from ..errors import UsageError
from ..images.image_io import read_picture, through_jpeg
from ..images.tensors import to_tensor
from ..images.units import LEVEL, luma
from ..system.process import one_thread
from .pictures import SUFFIXES
from .sample_spec import Rng

SIDES = (128, 160, 208)
_BORDER = 16
_RATE = 2e-3
LEAST = 0.3
"""What a clean crop counts as, in 8-bit levels."""


class Sample(NamedTuple):
    """A crop as a file has it (1, 3, P, P), and what is true of its noise: OUTPUTS numbers; `noisy`: it has some."""

    crop: Tensor
    truth: tuple[float, ...]
    noisy: bool


def sample(files: Sequence[Path], rng: Rng) -> Sample:
    """Draw a crop: half with a camera's or film's noise, a fifth with white noise, the others clean.

    Of the clean ones a quarter is drawn: lines, boxes, gradients. Half of all become JPEGs.
    """
    side = int(rng.choice(SIDES))
    gray, kind = bool(rng.random() < 0.1), rng.random()
    x0 = _drawing(side + _BORDER, rng) if kind > 0.925 else _photograph(files, side + _BORDER, rng)
    x0 = luma(x0).expand(-1, 3, -1, -1) if gray else x0
    noise = torch.zeros_like(x0)
    if kind < 0.5:
        x0 = blur(x0, rng.uniform(0.3, 1.0)) if rng.random() < 0.5 else x0
        noise = drawn_noise(x0, rng, gray=gray)
        noise = noise * _by_texture(x0, rng) if rng.random() < 0.5 else noise
    elif kind < 0.7:
        drawn = torch.from_numpy(rng.standard_normal((1, 1 if gray else 3, *x0.shape[-2:]), dtype=np.float32))
        noise = (math.exp(rng.uniform(0, math.log(60))) / LEVEL * drawn).expand_as(x0)
    after = _processed(rng) if rng.random() < 0.35 else None
    noisy, clean = (v.clamp(-1, 1) for v in (x0 + noise, x0))
    if after is not None:
        noisy, clean = after(noisy), after(clean)
    truth = _truth(noisy - clean)
    stored = _stored(noisy, rng)
    top, left = (int(v) for v in rng.integers(_BORDER + 1, size=2))
    room = min(stored.shape[-2:]) - max(top, left)
    side = min(side, room // 16 * 16)
    return Sample(stored[..., top : top + side, left : left + side], truth, kind < 0.7)


def _truth(noise: Tensor) -> tuple[float, ...]:
    """The regressor's outputs: see photo_noise.OUTPUTS."""
    level, grain = describe_noise(noise)
    light = luma(noise)
    colour = (noise - light).square().mean().sqrt()
    least = LEAST / LEVEL
    return (
        math.log(max(level, least)), min(grain, 2.0), math.log(max(float(light.std()), least)),
        math.log(max(float(colour), least)),
    )  # fmt: skip


def _photograph(files: Sequence[Path], side: int, rng: Rng) -> Tensor:
    """A crop of a photograph: a third of them shrunk, half of them enlarged, as soft as cameras' own pictures are."""
    x = to_tensor(read_picture(files[int(rng.integers(len(files)))]).pixels)
    draw = rng.random()
    scale = 1 / rng.choice([1.5, 2, 3]) if draw < 0.3 else rng.uniform(1.5, 4) if draw < 0.75 else 1.0
    scale = max(scale, side / min(x.shape[-2:]))
    part = min(math.ceil(side / scale), *x.shape[-2:])
    top, left = (int(rng.integers(n - part + 1)) for n in x.shape[-2:])
    return resize(x[..., top : top + part, left : left + part], (side, side)).clamp(-1, 1)


def _drawing(side: int, rng: Rng) -> Tensor:
    """A chart, a drawing or a page: flat colours with sharp or soft edges, perhaps on a gradient."""
    from PIL import Image, ImageDraw

    big = 2 * side if rng.random() < 0.5 else side
    image = Image.new("RGB", (big, big), tuple(int(v) for v in rng.integers(256, size=3)))
    pen = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(3, 60))):
        colour = tuple(int(v) for v in rng.integers(256, size=3))
        x, y, w, h = (int(v) for v in rng.integers(big, size=4))
        kind = rng.integers(4)
        if kind == 0:
            pen.rectangle((x, y, x + w // 4, y + h // 4), fill=colour)
        elif kind == 1:
            pen.line((x, y, w, h), fill=colour, width=int(rng.integers(1, 6)))
        elif kind == 2:
            pen.ellipse((x, y, x + w // 5, y + h // 5), fill=colour)
        else:
            pen.text((x, y), "The quick brown fox 0123456789", fill=colour)
    x0 = torch.from_numpy(np.array(image.resize((side, side)), np.float32)).permute(2, 0, 1)[None] / LEVEL - 1
    if rng.random() < 0.3:
        ramp = torch.linspace(-1, 1, side)[:, None] * rng.uniform(0, 0.5)
        x0 = (x0 + ramp).clamp(-1, 1)
    return x0


def _by_texture(x0: Tensor, rng: Rng) -> Tensor:
    """Where the noise is stronger: cameras smooth flat places more than edges."""
    g = luma(x0)
    edges = F.avg_pool2d((g - F.avg_pool2d(F.pad(g, (4, 4, 4, 4), mode="reflect"), 9, 1)).abs(), 9, 1, 4)
    relative = (edges / edges.mean().clamp_min(1e-4)).clamp(0, 3) - 1
    return (1 + rng.uniform(0, 1.2) * relative).clamp_min(0.2)


def _processed(rng: Rng) -> Callable[[Tensor], Tensor]:
    """What a phone or a person does to a whole picture: resize it, sharpen it, smooth it."""
    kind, amount = rng.integers(3), rng.random()
    if kind == 0:
        scale = math.exp(rng.uniform(math.log(0.6), math.log(1.6)))
        return lambda x: resize(x, (round(x.shape[-2] * scale), round(x.shape[-1] * scale))).clamp(-1, 1)
    if kind == 1:
        return lambda x: (x + 1.5 * amount * (x - blur(x, 1.0))).clamp(-1, 1)
    return lambda x: torch.lerp(x, blur(x, 0.5 + amount), 0.3 + 0.6 * amount)


def _stored(x: Tensor, rng: Rng) -> Tensor:
    """(1, 3, h, w) as an 8-bit file keeps it; half of the time a JPEG."""
    levels = ((x.clamp(-1, 1) + 1) * LEVEL).round()
    if rng.random() < 0.5:
        array: NDArray[np.uint8] = levels[0].permute(1, 2, 0).to(torch.uint8).contiguous().numpy()
        subsampling = "4:2:0" if rng.random() < 0.7 else "4:4:4"
        coded = through_jpeg(array, int(rng.integers(60, 99)), subsampling)
        levels = torch.from_numpy(coded.copy()).permute(2, 0, 1)[None].float()
    return levels / LEVEL - 1


def train_regressor(
    folders: Sequence[Path], target: Path, model: str, crops: int, seed: int, tick: Callable[[int], None]
) -> str:
    """Make crops, fit a regressor to seven eighths of them, and write it.

    Args:
        folders: of clean photographs.
        target: the regressor's file.
        model: the weights that it reads noise with, by name or file.
        crops: how many crops.
        seed: of the crops.
        tick: called with the number of crops that are done.

    Returns:
        One line: the errors on the crops that were held out.

    Raises:
        UsageError: there are no pictures, or the weights do not know grain.
        CheckpointError: the weights cannot be read.
        PictureError: a picture cannot be read, or the disk fails.
    """
    files = [path for folder in folders for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES]
    if not files:
        raise UsageError(f"--data {', '.join(map(str, folders))}: no pictures there")
    path = checkpoint.find(model)
    network = Model.load(path, device="cpu").network
    if network.config.described < 5:
        raise UsageError(f"--model {model}: these weights do not know grain")
    with one_thread():
        inputs, truth = make(files, crops, seed, network, tick)
        held_out = torch.arange(crops) % 8 == 0
        regressor = fit(inputs[~held_out], truth[~held_out], seed=seed)
        line = _errors(regressor, inputs[held_out], truth[held_out])
    summary = {"crops": str(int((~held_out).sum())), "held_out": line, "core": checkpoint.verify(path)[0]}
    save_regressor(regressor, target, summary)
    return line


@torch.no_grad()
def _errors(regressor: Regressor, inputs: Tensor, truth: Tensor) -> str:
    means, _ = regressor(inputs)
    noisy = truth[:, OUTPUTS] > 0
    off = (means - truth[:, :OUTPUTS]).abs()[noisy].median(0).values
    clean = float(means[~noisy, 0].exp().median()) * LEVEL
    return f"median error of ln level {off[0]:.3f}, of grain {off[1]:.3f}; clean crops read {clean:.2f} levels"


def make(
    files: Sequence[Path], count: int, seed: int, network: UNet, tick: Callable[[int], None]
) -> tuple[Tensor, Tensor]:
    """Return statistics (count, INPUTS) and truth (count, OUTPUTS + 1); its last column is 1 where there is noise."""
    rows, truths = [], []
    for k in range(count):
        drawn = sample(files, np.random.default_rng([seed, k]))
        rows.append(statistics([drawn.crop], network))
        truths.append([*drawn.truth, float(drawn.noisy)])
        tick(k + 1)
    return torch.stack(rows), torch.tensor(truths)


def fit(inputs: Tensor, truth: Tensor, *, seed: int = 0, epochs: int = 120) -> Regressor:
    """Fit a regressor by the Gaussian likelihood of its outputs; a clean crop counts for the levels alone.

    Args:
        inputs: (n, INPUTS), statistics.
        truth: (n, OUTPUTS + 1), as `make` returns them.
        seed: of the first weights and of the order.
        epochs: times that every crop is seen.
    """
    torch.manual_seed(seed)
    regressor = Regressor()
    regressor.mean.copy_(inputs.mean(0))
    regressor.std.copy_(inputs.std(0).clamp_min(1e-4))
    target, weight = truth[:, :OUTPUTS], torch.ones(len(truth), OUTPUTS)
    weight[:, 1] = truth[:, OUTPUTS]
    x = regressor.normalised(inputs)
    regressor.train()
    for member in regressor.members:
        optimiser = torch.optim.AdamW(member.parameters(), _RATE, weight_decay=0.02)
        for epoch in range(epochs):
            optimiser.param_groups[0]["lr"] = _RATE * (1 - epoch / epochs)
            for part in torch.split(torch.randperm(len(x)), 64):
                means, variances = regressor.of_member(member, x[part] + 0.1 * torch.randn_like(x[part]))
                likelihood = 0.5 * (means - target[part]).square() * (-variances).exp() + 0.5 * variances
                optimiser.zero_grad()
                (likelihood * weight[part]).mean().backward()  # type: ignore[no-untyped-call]
                optimiser.step()
    return regressor.eval()
