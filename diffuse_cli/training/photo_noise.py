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

from ..degradation.camera import describe_noise, drawn_film, drawn_noise, film_grain
from ..degradation.estimation.picture_noise import MAX_JPEG_QUALITY
from ..degradation.operators import blur, resize
from ..diffusion import checkpoint
from ..diffusion.model import Model
from ..diffusion.network import UNet
from ..diffusion.photo_noise import OUTPUTS, Regressor, load_regressor, save_regressor, statistics
from ..errors import UsageError
from ..images.image_io import read_picture, through_jpeg
from ..images.tensors import to_tensor
from ..images.units import LEVEL, luma
from ..system.process import one_thread
from .drawings import drawing
from .pictures import picture_files
from .sample_spec import Rng

SIDES = (128, 160, 224)
_BORDER = 16
_EACH = 4
"""Crops of each photograph that is read."""
_HELD_OUT = 8
"""One photograph in this many is held out."""
_LEAST_CONTRAST = 0.1
_RATE, _EPOCHS = 2e-3, 60
_LATER_RATE, _LATER_EPOCHS = 6e-4, 12
"""Of a regressor that learns on."""
_LEAST = 0.3
"""Less noise is told as this much, in 8-bit levels."""
_FAINT = 0.8
"""Noise of fewer levels counts neither as noise nor as none."""
_CHANCE_WEIGHT = 0.4
"""Weight of the chance of noise in the loss."""


class Sample(NamedTuple):
    """A crop as a file has it (1, 3, P, P), the quality that its file tells, and what is true of its noise.

    That is OUTPUTS numbers, NaN where there is none.
    """

    crop: Tensor
    quality: float
    truth: tuple[float, ...]


def sample(picture: Tensor, rng: Rng) -> Sample:
    """Draw a crop: 45 % with a camera's or film's noise, 10 % white noise, the others clean.

    Of the clean ones a quarter is drawn: pages, charts, pixel art. Half of all become JPEGs.

    Args:
        picture: (1, 3, H, W), a clean photograph.
        rng: draws the crop, its noise and its coding.
    """
    side = int(rng.choice(SIDES))
    gray, kind = bool(rng.random() < 0.1), rng.random()
    x0 = _part(picture, side + _BORDER, rng)
    x0 = drawing(x0, rng) if kind > 0.88 else x0
    x0 = luma(x0).expand(-1, 3, -1, -1) if gray else x0
    x0 = blur(x0, rng.uniform(0.3, 1.0)) if kind <= 0.88 and rng.random() < 0.35 else x0
    noise = torch.zeros_like(x0)
    if kind < 0.45:
        film = kind < 0.08
        noise = film_grain(x0, drawn_film(rng), rng, gray=gray) if film else drawn_noise(x0, rng, gray=gray)
        noise = noise * _by_texture(x0, rng) if not film and rng.random() < 0.5 else noise
    elif kind < 0.55:
        drawn = torch.from_numpy(rng.standard_normal((1, 1 if gray else 3, *x0.shape[-2:]), dtype=np.float32))
        noise = (math.exp(rng.uniform(0, math.log(60))) / LEVEL * drawn).expand_as(x0)
    after = _processed(rng) if rng.random() < 0.35 else None
    noisy, clean = (v.clamp(-1, 1) for v in (x0 + noise, x0))
    if after is not None:
        noisy, clean = after(noisy), after(clean)
    truth = _truth(noisy - clean, clean)
    stored, quality = _stored(noisy, rng)
    top, left = (int(v) for v in rng.integers(_BORDER + 1, size=2))
    room = min(stored.shape[-2:]) - max(top, left)
    side = min(side, room // 16 * 16)
    return Sample(stored[..., top : top + side, left : left + side], quality, truth)


def _truth(noise: Tensor, clean: Tensor) -> tuple[float, ...]:
    """The regressor's outputs: see photo_noise.OUTPUTS. NaN: there is no noise."""
    light = luma(noise)
    levels = [float(v.square().mean().sqrt()) for v in (noise, light, noise - light)]
    if levels[0] == 0:
        return (math.nan,) * OUTPUTS
    logs = [math.log(max(level, _LEAST / LEVEL)) for level in levels]
    return logs[0], min(describe_noise(noise)[1], 2.0), logs[1], logs[2], _by_brightness(noise, luma(clean))


def _by_brightness(noise: Tensor, brightness: Tensor) -> float:
    """Logarithm of the noise in the brighter half over that in the darker half. NaN: the halves are equally bright."""
    bright = brightness > brightness.median()
    tones = [brightness[half] for half in (bright, ~bright)]
    if min(tone.numel() for tone in tones) == 0 or tones[0].mean() - tones[1].mean() < _LEAST_CONTRAST:
        return math.nan
    energies = [float(noise.square().mean(1, keepdim=True)[half].mean()) for half in (bright, ~bright)]
    return min(max(math.log((energies[0] + 1e-9) / (energies[1] + 1e-9)) / 2, -2.0), 2.0)


def _part(x: Tensor, side: int, rng: Rng) -> Tensor:
    """A part of a photograph, shrunk until its own noise is gone; half of them enlarged again, soft as cameras' are.

    Half of those that are not enlarged are shrunk by Lanczos' filter, which is crisper.
    """
    grow = rng.uniform(1.2, 2.5) if rng.random() < 0.5 else 1.0
    small = max(round(side / grow), 32)
    shrink = min(math.exp(rng.uniform(math.log(1.8), math.log(4.5))), min(x.shape[-2:]) / small)
    part = min(round(small * shrink), *x.shape[-2:])
    places = rng.integers(np.array(x.shape[-2:]) - part + 1, size=(3 if rng.random() < 0.3 else 1, 2)).tolist()
    crop = max((x[..., top : top + part, left : left + part] for top, left in places), key=_detail)
    crop = _lanczos(crop, small) if grow == 1 and rng.random() < 0.5 else resize(crop, (small, small))
    return resize(crop, (side, side)).clamp(-1, 1)


def _detail(x: Tensor) -> float:
    """How much fine texture there is: fur, sand and leaves are harder to tell from noise than walls."""
    return float((x - F.avg_pool2d(x, 3, 1, 1)).abs().mean())


def _lanczos(x: Tensor, side: int) -> Tensor:
    from PIL import Image

    planes = [Image.fromarray(plane.numpy()).resize((side, side), Image.Resampling.LANCZOS) for plane in x[0]]
    return torch.from_numpy(np.stack([np.asarray(plane) for plane in planes]))[None]


def _by_texture(x0: Tensor, rng: Rng) -> Tensor:
    """Where the noise is stronger: a camera's denoiser smooths flat places, down to a tenth, and spares edges."""
    g = luma(x0)
    edges = F.avg_pool2d((g - F.avg_pool2d(F.pad(g, (4, 4, 4, 4), mode="reflect"), 9, 1)).abs(), 9, 1, 4)
    busy = (edges / edges.mean().clamp_min(1e-4)).clamp(0, 1.5) / 1.5
    flat = math.exp(rng.uniform(math.log(0.1), 0))
    return flat + (1 - flat) * busy


def _processed(rng: Rng) -> Callable[[Tensor], Tensor]:
    """What a phone or a person does to a whole picture: resize it, sharpen it, smooth it."""
    kind, amount = rng.integers(3), rng.random()
    if kind == 0:
        scale = math.exp(rng.uniform(math.log(0.6), math.log(1.6)))
        return lambda x: resize(x, (round(x.shape[-2] * scale), round(x.shape[-1] * scale))).clamp(-1, 1)
    if kind == 1:
        return lambda x: (x + 1.5 * amount * (x - blur(x, 1.0))).clamp(-1, 1)
    return lambda x: torch.lerp(x, blur(x, 0.5 + amount), 0.3 + 0.6 * amount)


def _stored(x: Tensor, rng: Rng) -> tuple[Tensor, float]:
    """(1, 3, h, w) as an 8-bit file keeps it, half of the time a JPEG; and the quality that the file tells.

    One JPEG in six is coarse, and one in six was stored as a PNG after it, which tells no quality.
    """
    levels = ((x.clamp(-1, 1) + 1) * LEVEL).round()
    told = 100.0
    if rng.random() < 0.5:
        array: NDArray[np.uint8] = levels[0].permute(1, 2, 0).to(torch.uint8).contiguous().numpy()
        subsampling = "4:2:0" if rng.random() < 0.7 else "4:4:4"
        quality = int(rng.integers(25, 60) if rng.random() < 1 / 6 else rng.integers(60, 99))
        levels = torch.from_numpy(through_jpeg(array, quality, subsampling).copy()).permute(2, 0, 1)[None].float()
        told = 100.0 if quality > MAX_JPEG_QUALITY or rng.random() < 1 / 6 else float(quality)
    return levels / LEVEL - 1, told


def train_regressor(
    folders: Sequence[Path],
    target: Path,
    model: str,
    crops: int,
    seed: int,
    tick: Callable[[int], None],
    init: Path | None = None,
) -> str:
    """Make crops, fit a regressor to those of seven eighths of the photographs, and write it.

    Args:
        folders: of clean photographs.
        target: the regressor's file.
        model: the weights that it reads noise with, by name or file.
        crops: how many crops.
        seed: of the crops.
        tick: called with the number of crops that are done.
        init: a regressor that learns on. None: it begins at random.

    Returns:
        One line: the errors on the crops that were held out.

    Raises:
        UsageError: there are no pictures, or the weights do not know grain.
        CheckpointError: the weights cannot be read.
        PictureError: a picture cannot be read, or the disk fails.
    """
    files = picture_files(folders)
    path = checkpoint.find(model)
    network = Model.load(path, device="cpu").network
    if network.config.described < 5:
        raise UsageError(f"--model {model}: these weights do not know grain")
    first = None if init is None else load_regressor(init)
    with one_thread():
        inputs, truth, source = make(files, crops, seed, network, tick)
        held_out = source % _HELD_OUT == 0
        regressor = fit(inputs[~held_out], truth[~held_out], seed=seed, first=first)
        line = _errors(regressor, inputs[held_out], truth[held_out])
    summary = {"crops": str(int((~held_out).sum())), "held_out": line, "core": checkpoint.verify(path)[0]}
    save_regressor(regressor, target, summary)
    return line


@torch.no_grad()
def _errors(regressor: Regressor, inputs: Tensor, truth: Tensor) -> str:
    means, _, chances = regressor(inputs)
    noisy = ~truth[:, 0].isnan()
    off = (means - truth).abs()[noisy].nanmedian(0).values
    seen, taken = (float((chances[which] > 0.5).float().mean()) for which in (noisy & ~_faint(truth), ~noisy))
    return (
        f"median error of ln level {off[0]:.3f}, of grain {off[1]:.3f}; "
        f"{100 * seen:.0f} % of the noisy crops and {100 * taken:.0f} % of the clean ones are taken for noisy"
    )


def _faint(truth: Tensor) -> Tensor:
    return truth[:, 0] < math.log(_FAINT / LEVEL)


def make(
    files: Sequence[Path], count: int, seed: int, network: UNet, tick: Callable[[int], None]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return statistics (count, INPUTS), truth (count, OUTPUTS), NaN where nothing is true, and the number of the file.

    Args:
        files: clean photographs.
        count: how many crops.
        seed: of the crops.
        network: reads them.
        tick: called with the number of crops that are done.
    """
    rows, truths, source = [], [], []
    for k in range(count):
        if k % _EACH == 0:
            which = int(np.random.default_rng([seed, k, 1]).integers(len(files)))
            picture = to_tensor(read_picture(files[which]).pixels)
        drawn = sample(picture, np.random.default_rng([seed, k]))
        rows.append(statistics([drawn.crop], network, drawn.quality))
        truths.append(drawn.truth)
        source.append(which)
        tick(k + 1)
    return torch.stack(rows), torch.tensor(truths), torch.tensor(source)


def fit(
    inputs: Tensor, truth: Tensor, *, seed: int = 0, epochs: int | None = None, first: Regressor | None = None
) -> Regressor:
    """Fit a regressor: its outputs by their Gaussian likelihood where there is noise, and the chance of noise.

    Args:
        inputs: (n, INPUTS), statistics.
        truth: (n, OUTPUTS), as `make` returns them.
        seed: of the first weights and of the order.
        epochs: times that every crop is seen. None: 60, or 12 if a regressor learns on.
        first: the regressor that learns on, at a third of the rate. None: one begins at random.
    """
    torch.manual_seed(seed)
    regressor, rate = Regressor(), _RATE if first is None else _LATER_RATE
    epochs = epochs or (_EPOCHS if first is None else _LATER_EPOCHS)
    if first is None:
        regressor.mean.copy_(inputs.mean(0))
        regressor.std.copy_(inputs.std(0).clamp_min(1e-4))
    else:
        regressor.load_state_dict(first.state_dict())
    target, weight = truth.nan_to_num(), (~truth.isnan()).float()
    noisy, plain = weight[:, 0], (~_faint(truth)).float()
    x = regressor.normalised(inputs)
    regressor.train()
    for member in regressor.members:
        optimiser = torch.optim.AdamW(member.parameters(), rate, weight_decay=0.02)
        for epoch in range(epochs):
            optimiser.param_groups[0]["lr"] = rate * (1 - epoch / epochs)
            for part in torch.split(torch.randperm(len(x)), 64):
                means, variances, logits = regressor.of_member(member, x[part] + 0.1 * torch.randn_like(x[part]))
                likelihood = 0.5 * (means - target[part]).square() * (-variances).exp() + 0.5 * variances
                chance = F.binary_cross_entropy_with_logits(logits, noisy[part], plain[part])
                optimiser.zero_grad()
                loss = (likelihood * weight[part]).mean() + _CHANCE_WEIGHT * chance
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
    return regressor.eval()
