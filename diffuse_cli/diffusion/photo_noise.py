"""The core as its own noise estimator: how strong and how coarse a photograph's noise is, and how sure that is.

The core is called three times on a few crops, told little noise, much, and coarse noise. What it takes away is a clean
view of what may be noise. Noise is everywhere and texture is not, so statistics over blocks tell them apart. A small
regressor turns them into numbers. It is trained on crops whose noise is known (training/photo_noise.py).
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..degradation.operators import Degradation
from .denoiser import Denoiser, nothing_known
from .estimator_file import load_weights, save_weights
from .network import UNet

PROBES: Final = ((3 / 127.5, 0.6), (12 / 127.5, 0.6), (20 / 127.5, 1.2))
"""What the core is told: 3, 12 and 20 levels of 8 bits, and their grain. The last takes coarse film away."""
BLOCK: Final = 16
INPUTS: Final = 157
"""How many statistics there are."""
_OF_A_CALL: Final = 47
"""How many of them come from each call of the core; the last is the slope by texture."""
_CORRELATION: Final = 29
"""Which of a call's is the correlation across of luma's residual in blocks of middling texture."""
WIDTH: Final = 192
MEMBERS: Final = 4
OUTPUTS: Final = 5
"""Logarithm of the level, grain, logarithms of luma's and chroma's levels, logarithm of bright over dark."""
_PRIOR: Final = (-3.5, 0.5, -3.8, -4.0, 0.0)
"""Where the outputs begin in training."""
_QUANTILES: Final = (0.05, 0.15, 0.3, 0.5, 0.7, 0.9)
_TINY: Final = 1e-9
_YCC: Final = ((0.299, 0.587, 0.114), (-0.169, -0.331, 0.5), (0.5, -0.419, -0.081))


class PhotoNoise(NamedTuple):
    """The noise of a photograph.

    Attributes:
        level: root mean square over pixels and channels, [-1, 1] units.
        grain: as `Degradation.grain` has it, pixels.
        luma, chroma: the level of luma's noise, and of both chromas' together.
        bright_over_dark: the level in the brighter half of the pixels over that in the darker half.
        doubt: std of the logarithm of the level.
        chance: how likely it is that there is noise at all, 0..1; the rest says what it is if there is.
        by_texture: slope of the logarithm of what the core takes away, told little noise, over that of the texture
            there. Below 0 the core spares texture, as it does where texture is fine.
        correlation: of neighbours across, in what the core takes from the luma of places of middling texture, told much
            noise. Fine texture that it takes for noise has little.
    """

    level: float
    grain: float
    luma: float
    chroma: float
    bright_over_dark: float
    doubt: float
    chance: float
    by_texture: float
    correlation: float


class Regressor(nn.Module):
    """Statistics (B, INPUTS) to means and variances, (B, OUTPUTS) each, and the chance of noise, (B,).

    It is several networks, which also disagree.
    """

    mean: Tensor
    std: Tensor
    prior: Tensor

    def __init__(self) -> None:
        """Make one that is not trained yet."""
        super().__init__()
        self.members = nn.ModuleList(_member() for _ in range(MEMBERS))
        self.register_buffer("mean", torch.zeros(INPUTS))
        self.register_buffer("std", torch.ones(INPUTS))
        self.register_buffer("prior", torch.tensor(_PRIOR), persistent=False)

    def forward(self, statistics: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the means and variances of the mixture of the members' Gaussians, and the chance of noise."""
        x = self.normalised(statistics)
        each = [self.of_member(member, x) for member in self.members]
        means = torch.stack([mean for mean, _, _ in each])
        variances = torch.stack([log_variance.exp() for _, log_variance, _ in each])
        chances = torch.stack([logit.sigmoid() for _, _, logit in each])
        return means.mean(0), variances.mean(0) + means.var(0, correction=0), chances.mean(0)

    def normalised(self, statistics: Tensor) -> Tensor:
        """Return what the members see."""
        return ((statistics - self.mean) / self.std).clamp(-4, 4)

    def of_member(self, member: nn.Module, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return one member's means and logarithms of variances, and the logit of noise."""
        out: Tensor = member(x)
        return out[:, :OUTPUTS] + self.prior, out[:, OUTPUTS : 2 * OUTPUTS].clamp(-6, 4), out[:, 2 * OUTPUTS]


def _member() -> nn.Module:
    return nn.Sequential(
        nn.Linear(INPUTS, WIDTH), nn.SiLU(), nn.Dropout(0.2), nn.Linear(WIDTH, WIDTH), nn.SiLU(), nn.Dropout(0.2),
        nn.Linear(WIDTH, 2 * OUTPUTS + 1),
    )  # fmt: skip


FORMAT: Final = "diffuse-noise-5"


def load_regressor(path: Path) -> Regressor:
    """Read a regressor.

    Raises:
        CheckpointError: the file is missing, damaged, or of another kind.
    """
    regressor = Regressor()
    load_weights(regressor, path, form=FORMAT, what="noise regressor")
    return regressor.eval()


def save_regressor(regressor: Regressor, path: Path, summary: dict[str, str]) -> None:
    """Write a regressor.

    Args:
        regressor: trained.
        path: the file.
        summary: what it was trained on and with, as text.

    Raises:
        PictureError: the disk fails.
    """
    save_weights(regressor.state_dict(), path, form=FORMAT, summary=summary)


def read_noise(crops: Sequence[Tensor], network: UNet, regressor: Regressor, quality: float = 100.0) -> PhotoNoise:
    """Read the noise of a photograph from crops of it.

    Args:
        crops: (1, 3, h, w) each, [-1, 1] units, sides multiples of 16.
        network: folded; it must know grain.
        regressor: trained on this network's statistics.
        quality: of the JPEG that the photograph is; 100 = it is none.
    """
    told = statistics(crops, network, quality)
    with torch.no_grad():
        means, variances, chances = regressor(told[None])
    level, grain, light, colour, slope = means[0].tolist()
    return PhotoNoise(
        level=math.exp(level),
        grain=max(grain, 0.0),
        luma=math.exp(light),
        chroma=math.exp(colour),
        bright_over_dark=math.exp(slope),
        doubt=math.sqrt(float(variances[0, 0])),
        chance=float(chances[0]),
        by_texture=float(told[_OF_A_CALL - 1]),
        correlation=float(told[_OF_A_CALL + _CORRELATION]),
    )


@torch.no_grad()
def statistics(crops: Sequence[Tensor], network: UNet, quality: float = 100.0) -> Tensor:
    """Return what is told of crops (1, 3, h, w) by three calls of the core, and by their file: (INPUTS,)."""
    found = []
    for level, grain in PROBES:
        maps = [_taken_away(x, _denoised(x, Degradation(noise=level, grain=grain), network)) for x in crops]
        found.append(_summary(torch.cat(maps, 1)))
    found += [_of_pixels(crops), torch.tensor([(100 - quality) / 50])]
    return torch.cat(found)


def _denoised(x: Tensor, what: Degradation, network: UNet) -> Tensor:
    """Return the posterior mean of a photograph with this noise."""
    seen = replace(nothing_known(1, network.config, x.device).told(what), mu=x)
    return Denoiser(network, seen)(torch.zeros_like(x), torch.tensor(math.inf))


def _ycc(x: Tensor) -> Tensor:
    return torch.einsum("ij,bjhw->bihw", torch.tensor(_YCC), x)


def _blocks(x: Tensor) -> Tensor:
    """Block means of (1, C, h, w): (C, n)."""
    return F.avg_pool2d(x, BLOCK)[0].flatten(1)


def _taken_away(x: Tensor, denoised: Tensor) -> Tensor:
    """What each block lost, and what is left there: nine numbers a block, (9, n).

    Logarithms of the energy of luma's and chroma's residual, lag-1 correlations of both across and down, the logarithm
    of the texture of the denoised luma, brightness, and the logarithm of the energy of the coarse luma residual.
    """
    residual, left = _ycc(x - denoised), _ycc(denoised)[:, :1]
    energy = _blocks(residual.square()) + _TINY
    across = _blocks(F.pad(residual[..., 1:] * residual[..., :-1], (0, 1))) / energy
    down = _blocks(F.pad(residual[..., 1:, :] * residual[..., :-1, :], (0, 0, 0, 1))) / energy
    texture = (_blocks(left.square()) - _blocks(left).square()).clamp_min(_TINY)
    coarse = _blocks(F.avg_pool2d(residual[:, :1], 5, 1, 2).square()) + _TINY
    light, colour = energy[:1].log() / 2, energy[1:].sum(0, keepdim=True).log() / 2
    return torch.cat([
        light, colour, across[:1], down[:1], across[1:].mean(0, keepdim=True), down[1:].mean(0, keepdim=True),
        texture.log() / 2, _blocks(x.mean(1, keepdim=True)), coarse.log() / 2,
    ])  # fmt: skip


def _summary(blocks: Tensor) -> Tensor:
    """Statistics of (9, n) over the blocks: quantiles, means of flat, middling and busy ones, and slopes: (47,)."""
    light, colour, texture, bright = blocks[0], blocks[1], blocks[6], blocks[7]
    q = torch.tensor(_QUANTILES)
    order, n = texture.argsort(), blocks.shape[1]
    parts = (order[: max(1, n // 5)], order[n // 5 : max(n * 3 // 5, 1)], order[n * 3 // 5 :])
    kinds = [
        torch.cat([blocks[[0, 1, 2, 3, 4, 5, 6, 8]][:, part].mean(1), light[part].std(correction=0)[None]])
        for part in parts
    ]
    slopes = [
        ((light - light.mean()) * (v - v.mean())).mean() / (v.var(correction=0) + 1e-3) for v in (bright, texture)
    ]
    return torch.cat([light.quantile(q), colour.quantile(q), texture.quantile(q), *kinds, torch.stack(slopes)])


def _of_pixels(crops: Sequence[Tensor]) -> Tensor:
    """What is told without the core: high-pass energies, brightness, contrast, equal neighbours: (15,)."""
    highs = []
    for x in crops:
        y = _ycc(x)
        highs.append(_blocks((y - F.avg_pool2d(F.pad(y, (1, 1, 1, 1), mode="reflect"), 3, 1)).square()) + _TINY)
    high = torch.cat(highs, 1).log() / 2
    q = torch.tensor(_QUANTILES[:5])
    pixels = torch.cat([x.flatten(2) for x in crops], 2)[0]
    equal = torch.cat([(x[..., 1:] == x[..., :-1]).all(1).flatten() for x in crops]).float().mean()
    level_share = torch.stack([(pixels.abs() > 0.99).float().mean(), equal])
    return torch.cat([
        high[0].quantile(q), high[1:].logsumexp(0).quantile(q), torch.stack([pixels.mean(), pixels.std()]), level_share,
        _how_many_levels(pixels)[None],
    ])  # fmt: skip


def _how_many_levels(pixels: Tensor) -> Tensor:
    """Logarithm of how many different levels the luma has, of 256: a drawing has few."""
    levels = ((pixels * torch.tensor(_YCC[0])[:, None]).sum(0) * 127.5).round()
    return torch.tensor(float(len(torch.unique(levels)))).log()
