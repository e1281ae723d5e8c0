"""D(x, sigma) of a denoiser that someone else trained, told the level of white Gaussian noise as a plane."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from ..denoiser import Begins, Observation, WindowedObservation, fused, pad_to_multiple, symmetric, together
from .header import ForeignHeader

if TYPE_CHECKING:
    from spandrel import ModelDescriptor

SIGMA_MOST: Final = 110 / 255
"""The most noise that these networks are told, 55 levels, in [-1, 1] units: DRUNet was trained to 50, FDnCNN to 75."""


class ForeignDenoiser(Begins):
    """A denoiser that knows the evidence: fusion, then the network.

    The network knows no guides and no fills. They are evidence here: where the fused state is less certain than the
    prior of the observation, the two are fused, too.
    """

    def __init__(
        self,
        network: "ModelDescriptor",
        evidence: WindowedObservation,
        header: ForeignHeader,
        *,
        exact: "ModelDescriptor | None" = None,
        ensemble: bool = False,
    ) -> None:
        """Keep them.

        Args:
            network: the network.
            evidence: what is known of the picture.
            header: what the network is.
            exact: the same network in fp32, for windows where the other's result is not finite.
            ensemble: average the network over the eight symmetries of the square.
        """
        self.network, self.evidence, self.header = network, evidence, header
        self.exact, self.ensemble = exact, ensemble

    def windows(self, windows: Sequence[tuple[slice, slice]]) -> "ForeignDenoiser":
        """Return the denoiser of windows (rows, columns) of equal size, as one batch."""
        evidence = together([self.evidence.crop(rows, columns) for rows, columns in windows])
        return ForeignDenoiser(self.network, evidence, self.header, exact=self.exact, ensemble=self.ensemble)

    def begin(self, x: Tensor, sigma: Tensor) -> Callable[[], Tensor]:
        """Compute a call, and return a function that returns its result, as `Denoiser.begin` does."""
        h, w = x.shape[-2:]
        device = self.network.device
        seen, x_t = self.evidence.crop(slice(0, h), slice(0, w)).to(device), x.to(device)
        sigma_t = sigma.to(x_t).reshape(-1, 1, 1, 1).expand(x.shape[0], 1, 1, 1)
        with torch.no_grad():
            x_t, sigma_x = fused(seen, x_t, sigma_t)
            x_0, sigma_0 = capped(seen, x_t, sigma_x)
            denoised = self._denoised(self.network, x_0, sigma_0, gray=seen.gray)
            if self.exact is not None and not bool(denoised.isfinite().all()):
                denoised = self._denoised(self.exact, x_0, sigma_0, gray=seen.gray)
            denoised = torch.where(sigma_x == 0, x_t, denoised)
        here = denoised.to(x.device)
        return lambda: here

    def _denoised(self, network: "ModelDescriptor", x: Tensor, sigma: Tensor, *, gray: bool) -> Tensor:
        """Return what the network makes of x (B, 3, H, W) with noise of std sigma (B, 1, H, W).

        A gray network denoises each channel by itself. The noise of a gray picture is the same in all channels. A
        colour network takes that for less noise in luma than there is, so it is told sqrt(3) times the level.
        """
        b, _, h, w = x.shape
        channels = self.header.channels
        if channels == 1:
            x = x[:, :1] if gray else x.reshape(3 * b, 1, h, w)
            sigma = sigma if gray else sigma.repeat_interleave(3, 0)
        elif gray:
            sigma = (math.sqrt(3) * sigma).clamp(max=SIGMA_MOST)
        told = torch.cat([(x + 1) / 2, sigma.expand(-1, -1, h, w) / 2], 1)
        padded = pad_to_multiple(told, self.header.multiple).to(network.dtype)
        out = symmetric(network.model, padded) if self.ensemble else network.model(padded)
        made: Tensor = 2 * out[..., :h, :w].float() - 1
        if gray:
            return made.mean(1, keepdim=True).expand(-1, 3, -1, -1)
        return made.reshape(b, 3, h, w)


def capped(seen: Observation, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    """Return a state that is nowhere less certain than what the prior says, or than the network knows.

    With a prior N(mu, tau^2) that makes sigma the cap: 1 / cap^2 = 1 / sigma^2 + 1 / tau^2.

    Args:
        seen: what is observed; its mu is the fill of what is missing.
        x: (B, 3, H, W), not read where sigma is inf.
        sigma: (B, 1, H, W), std of its noise.

    Returns:
        x (B, 3, H, W) and sigma (B, 1, H, W).
    """
    cap = seen.sigma_p.clamp(max=SIGMA_MOST)
    share = torch.where(sigma > cap, (cap / sigma) ** 2, 1.0)  # 0 where sigma is inf
    offset = torch.where(torch.isinf(sigma), 0.0, x - seen.mu)
    return seen.mu + share * offset, torch.minimum(sigma, cap.expand_as(sigma))
