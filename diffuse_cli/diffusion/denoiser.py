"""D(x, sigma): the posterior mean of the clean picture x0 given all that is known.

The diffusion state x_t = x0 + sigma_t n and a pixelwise observation y = x0 + sigma_y n are fused into one (x, sigma). A
degraded version of the picture, or the fill of its holes, is the centre mu of the prior.

Preconditioning after Karras et al. 2022 (arXiv:2206.00364, Table 1), around a prior N(mu, sigma_p^2).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from ..degradation.operators import Degradation
from .backends.gpu_copies import fetch, send
from .fusion import fuse
from .network import NetworkConfig, UNet

SIGMA_DATA = 0.5
"""Prior std without a guide."""
SIGMA_MIN, SIGMA_MAX = 0.002, 80.0

DenoiserFn = Callable[[Tensor, Tensor], Tensor]
"""(x_t (B, 3, H, W), sigma_t () or (B, 1, 1, 1)) -> E[x0 | x_t, all that is known]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Observation:
    """What is known of a picture beside the diffusion state. A size of 1 stands for a constant.

    Attributes:
        mu: (B, 3, H, W) or (B, 3, 1, 1), the guide or the fill; 0 without one.
        sigma_p: (B, 1, H, W) or (B, 1, 1, 1), std of the clean picture around mu.
        cond: (B, described + K), the degradation of the guide, then the label.
        y: (B, 3, H, W), a pixelwise observation. None: there is none.
        sigma_y: (B, 1, H, W) or (B, 1, 1, 1), std of the observation's noise.
        gray: the picture's channels are equal, so the estimate's must be.
        described: how many numbers of cond say what happened to the guide.
    """

    mu: Tensor
    sigma_p: Tensor
    cond: Tensor
    y: Tensor | None = None
    sigma_y: Tensor | None = None
    gray: bool = False
    described: int = 4

    def told(self, what: Degradation) -> "Observation":
        """Return the same with a guide that this happened to; the network is told as much of it as it knows."""
        what, cond = what.told(self.described), self.cond.clone()
        cond[:, : self.described] = torch.tensor(what.cond()[: self.described])
        return replace(self, sigma_p=torch.full((1, 1, 1, 1), what.sigma_p()), cond=cond)

    def crop(self, rows: slice, columns: slice) -> "Observation":
        """Return the observation of a window."""

        def cut(t: Tensor) -> Tensor:
            return t[..., rows if t.shape[-2] > 1 else slice(None), columns if t.shape[-1] > 1 else slice(None)]

        window = replace(self, mu=cut(self.mu), sigma_p=cut(self.sigma_p))
        if self.y is None or self.sigma_y is None:
            return window
        return replace(window, y=cut(self.y), sigma_y=cut(self.sigma_y))

    def to(self, device: torch.device) -> "Observation":
        """Return the observation on another device."""
        if self.cond.device == device:
            return self
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        moved: dict[str, Any] = {k: v.to(device) if isinstance(v, Tensor) else v for k, v in values.items()}
        return replace(self, **moved)

    def spread(self) -> float:
        """Return an upper bound of the posterior std of any pixel, given y and the prior. Sampling starts from it."""
        if self.sigma_y is None:
            return float(self.sigma_p.max())
        both = fuse(self.sigma_p, self.sigma_p, self.sigma_y, self.sigma_y)[1]
        return float(both.max())


def together(parts: Sequence[Observation]) -> Observation:
    """Join observations of windows of equal size, of one picture each, into one batch."""
    first = parts[0]
    if len(parts) == 1:
        return first

    def join(values: Sequence[Tensor]) -> Tensor:
        shape = [max(sizes) for sizes in zip(*(value.shape for value in values), strict=True)]  # a constant beside maps
        return torch.cat([value.expand(shape) for value in values])

    joined = replace(
        first,
        mu=join([part.mu for part in parts]),
        sigma_p=join([part.sigma_p for part in parts]),
        cond=torch.cat([part.cond for part in parts]),
    )
    pixels = [(part.y, part.sigma_y) for part in parts if part.y is not None and part.sigma_y is not None]
    return replace(joined, y=join([y for y, _ in pixels]), sigma_y=join([s for _, s in pixels])) if pixels else joined


class WindowedObservation(Protocol):
    """What is known of a whole picture, window by window. An `Observation` is the plainest one."""

    @property
    def gray(self) -> bool:
        """Whether the picture's channels are equal."""

    def crop(self, rows: slice, columns: slice) -> Observation:
        """Return what is known of a window."""

    def spread(self) -> float:
        """Return an upper bound of the posterior std of any pixel."""


def nothing_known(batch: int, config: NetworkConfig, device: torch.device) -> Observation:
    """Return the observation of `generate`, and of a denoiser whose noisy picture is the state itself.

    Args:
        batch: number of pictures.
        config: of the network.
        device: where its tensors are.
    """
    return Observation(
        mu=torch.zeros(batch, 3, 1, 1, device=device),
        sigma_p=torch.full((batch, 1, 1, 1), SIGMA_DATA, device=device),
        cond=torch.zeros(batch, config.cond, device=device),
        described=config.described,
    )


def c_noise(sigma: Tensor) -> Tensor:
    """Return what the network is told of a sigma; inf maps to 1.25."""
    return torch.where(torch.isinf(sigma), 1.25, sigma.clamp(SIGMA_MIN, SIGMA_MAX).log() / 4)


def coefficients(sigma: Tensor, sigma_p: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return c_skip, c_out, c_in of x0 around mu (Karras et al. 2022, Table 1), also for sigma = 0 and inf."""
    c_in = (sigma**2 + sigma_p**2).rsqrt()
    c_skip = 1 / (1 + (sigma / sigma_p) ** 2)
    c_out = sigma_p / torch.sqrt(1 + (sigma_p / sigma) ** 2)
    return c_skip, c_out, c_in


def fused(seen: Observation, x_t: Tensor, sigma_t: Tensor) -> tuple[Tensor, Tensor]:
    """Fuse the diffusion state with the pixelwise observation, if there is one.

    Args:
        seen: what is observed.
        x_t: (B, 3, H, W), the state.
        sigma_t: (B, 1, 1, 1), std of its noise; inf = no state.

    Returns:
        x (B, 3, H, W) and its std sigma (B, 1, H, W).
    """
    sigma_x = sigma_t.expand(-1, 1, *x_t.shape[-2:])
    if seen.y is None or seen.sigma_y is None:
        return x_t, sigma_x
    return fuse(x_t, sigma_x, seen.y, seen.sigma_y)


def precondition(seen: Observation, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the network's input (B, 8, H, W), and D's linear part and c_out: D = linear + c_out * F(input).

    Args:
        seen: what is observed.
        x: (B, 3, H, W), the fused state; not read where sigma is inf.
        sigma: (B, 1, H, W), std of its noise.
    """
    c_skip, c_out, c_in = coefficients(sigma, seen.sigma_p)
    offset = torch.where(torch.isinf(sigma), 0.0, x - seen.mu)
    planes = [c_in * offset, 2 * seen.mu, c_noise(sigma), c_noise(seen.sigma_p)]
    net_in = torch.cat([p.expand(-1, -1, *x.shape[-2:]) for p in planes], 1)
    return net_in, seen.mu + c_skip * offset, c_out


class Begins(ABC):
    """A denoiser whose calls begin before they are waited for. It is just `(x, sigma) -> denoised`."""

    @abstractmethod
    def begin(self, x: Tensor, sigma: Tensor) -> Callable[[], Tensor]:
        """Begin a call, and return a function of nothing that waits for its result; the arguments are the call's."""

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return D(x, sigma).

        Args:
            x: (B, 3, H, W), the diffusion state; not read where sigma is inf.
            sigma: () or (B, 1, 1, 1), std of its noise.

        Returns:
            (B, 3, H, W), fp32, [-1, 1] units.
        """
        return self.begin(x, sigma)()


class Denoiser(Begins):
    """A denoiser that knows the evidence: fusion, preconditioning, network.

    The evidence stays in host memory. What a call needs travels to the network and back.
    """

    def __init__(
        self, network: UNet, evidence: WindowedObservation, *, exact: UNet | None = None, ensemble: bool = False
    ) -> None:
        """Keep them.

        Args:
            network: the network, folded.
            evidence: what is known of the picture.
            exact: the same network in fp32, for windows where the other's result is not finite.
            ensemble: average the network over the eight symmetries of the square.
        """
        self.network = network
        self.evidence = evidence
        self.exact = exact
        self.ensemble = ensemble

    def windows(self, windows: Sequence[tuple[slice, slice]]) -> "Denoiser":
        """Return the denoiser of windows (rows, columns) of equal size, as one batch."""
        evidence = together([self.evidence.crop(rows, columns) for rows, columns in windows])
        return Denoiser(self.network, evidence, exact=self.exact, ensemble=self.ensemble)

    def begin(self, x: Tensor, sigma: Tensor) -> Callable[[], Tensor]:
        """Begin a call, and return a function that waits for its result.

        On a GPU the copies run beside the computation of the call before, from and to pinned memory.

        Args:
            x: (B, 3, H, W), the diffusion state; not read where sigma is inf.
            sigma: () or (B, 1, 1, 1), std of its noise.

        Returns:
            a function of nothing, which returns D (B, 3, H, W) where x is.
        """
        h, w = x.shape[-2:]
        seen, device = self.evidence.crop(slice(0, h), slice(0, w)), self.network.device
        is_copied = device.type == "cuda" and x.device.type != "cuda"
        with torch.no_grad():
            there, x_t = _sent(seen, x, device) if is_copied else (seen.to(device), x.to(device))
            sigma_t = sigma.to(x_t).reshape(-1, 1, 1, 1).expand(x.shape[0], 1, 1, 1)
            x_t, sigma_x = fused(there, x_t, sigma_t)
            net_in, linear, c_out = precondition(there, x_t, sigma_x)
            padded = pad_to_multiple(net_in, self.network.config.multiple)
            told = c_noise(sigma_t).flatten(), there.cond
            f: Tensor = (
                symmetric(lambda planes: self.network(planes, *told), padded)
                if self.ensemble
                else self.network(padded, *told)
            )
            denoised = linear + c_out * f[..., :h, :w].float()
            if there.gray:
                denoised = denoised.mean(1, keepdim=True).expand(-1, 3, -1, -1)
            denoised = torch.where(sigma_x == 0, x_t, denoised)
        if is_copied:
            arrived = fetch(denoised)
            return lambda: self._rescued(arrived(), seen, x, sigma)
        here = denoised.to(x.device)
        return lambda: self._rescued(here, seen, x, sigma)

    def _rescued(self, denoised: Tensor, seen: Observation, x: Tensor, sigma: Tensor) -> Tensor:
        """Return the result; if the fast network's is not finite, compute it again in fp32."""
        if self.exact is None or bool(denoised.isfinite().all()):
            return denoised
        return Denoiser(self.exact, seen, ensemble=self.ensemble)(x, sigma)


def _sent(seen: Observation, x: Tensor, device: torch.device) -> tuple[Observation, Tensor]:
    """Begin to copy the evidence and the state to a GPU, and return both as they are there."""
    values = {f.name: getattr(seen, f.name) for f in fields(seen)}
    names = [name for name, value in values.items() if isinstance(value, Tensor)]
    *tensors, state = send([*(values[name] for name in names), x], device)
    moved: dict[str, Any] = dict(zip(names, tensors, strict=True))
    return replace(seen, **moved), state


def symmetric(compute: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Return the mean of a network over the eight symmetries of the square (Timofte et al. 2016).

    Args:
        compute: the network: (B, C, H, W) -> (B, C', s H, s W).
        x: (B, C, H, W), padded: a JPEG's blocks begin at the other corners, too.
    """
    total = torch.zeros((), device=x.device)
    for turns in range(4):
        for mirrored in (False, True):
            turned = torch.rot90(x.flip(-1) if mirrored else x, turns, (-2, -1))
            found = torch.rot90(compute(turned).float(), -turns, (-2, -1))
            total = total + (found.flip(-1) if mirrored else found)
    return total / 8


def pad_to_multiple(x: Tensor, multiple: int) -> Tensor:
    """Replicate the last row and column of x (B, C, H, W) up to a multiple."""
    h, w = x.shape[-2:]
    return F.pad(x, (0, -w % multiple, 0, -h % multiple), mode="replicate")


def sigma_start(evidence: WindowedObservation) -> float:
    """Return the sigma at which sampling starts around the mean: 8 posterior stds.

    From s_0 and with posterior variance V, exact integration ends with variance V s_0^2 / (V + s_0^2): 98 % of V here.
    """
    return min(8 * evidence.spread(), SIGMA_MAX)
