"""Unconditional and class-conditional networks of others as priors: D(x, sigma) of the picture alone.

The networks know one level of noise for all of a picture. What is observed is fused with their estimate at every step,
as the proximal step of Zhu et al. 2023 ("Denoising Diffusion Models for Plug-and-Play Image Restoration") does.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from ...errors import OutOfMemoryError, UsageError
from ..denoiser import (
    SIGMA_DATA,
    SIGMA_MAX,
    Begins,
    Observation,
    WindowedObservation,
    nothing_known,
    symmetric,
    together,
)
from ..fusion import fuse
from ..network import NetworkConfig
from ..settings import Backend, Settings
from ..tiling import GRID, Grid
from .header import ForeignHeader

if TYPE_CHECKING:
    from diffusers import UNet2DModel

_LEAST_ALPHA: Final = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class GenerativeModel:
    """A UNet2DModel on a device.

    Attributes:
        header: what it is.
        network: what computes.
        sigmas: (T,), std of the noise at each time step beside a clean picture, growing.
        label: what is drawn. None: the network is told nothing.
        path: its file.
        exact: always None: it computes in fp32.
        backend: always torch.
    """

    header: ForeignHeader
    network: "UNet2DModel"
    sigmas: Tensor
    label: int | None = None
    path: Path | None = None
    exact: None = None
    backend: Backend = "torch"

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        found: torch.device = self.network.device
        return found

    @property
    def dtype(self) -> torch.dtype:
        """The type that it computes in."""
        return torch.float32

    @property
    def grid(self) -> Grid:
        """Its pictures are computed in one piece."""
        return Grid(step=GRID, margin=0)

    @property
    def sigma_max(self) -> float:
        """Std of the noise that samples start with."""
        return min(float(self.sigmas[-1]), SIGMA_MAX)

    @property
    def gray(self) -> bool:
        """Whether it draws gray pictures."""
        return self.header.channels == 1

    @property
    def natural_size(self) -> tuple[int, int]:
        """(height, width) of what it draws."""
        return self.header.side, self.header.side

    def tile_side(self, settings: Settings, size: tuple[int, int]) -> int | None:
        """Return None: in one piece."""
        return None

    def nothing_known(self, batch: int, device: torch.device) -> Observation:
        """Return the observation of a picture of which nothing is known."""
        return replace(nothing_known(batch, NetworkConfig(), device), gray=self.gray)

    def posterior(self, evidence: WindowedObservation, *, ensemble: bool = False) -> "GenerativeDenoiser":
        """Return the denoiser that knows the evidence."""
        return GenerativeDenoiser(self, evidence, ensemble=ensemble)

    def told(self, label: str | None) -> "GenerativeModel":
        """Return the model that draws what a label says.

        Raises:
            UsageError: it is told none and needs one, or knows no such label.
        """
        check_label(self.header, label)
        return self if label is None else replace(self, label=int(label))

    def predicted(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Return D(x, sigma).

        Args:
            x: (B, 3, H, W), a picture with noise, on the network's device.
            sigma: (B, 1, 1, 1), std of the noise.

        Returns:
            (B, 3, H, W), clipped to [-1, 1]: a mean of pictures lies between them, and errors at large sigma would grow
            from step to step (Ho et al. 2020).
        """
        gray = self.gray
        time = _time_of(sigma.flatten(), self.sigmas.to(sigma))
        signal = (1 + sigma**2).rsqrt()  # the root of alpha
        seen = signal * (x[:, :1] if gray else x)
        label = None if self.label is None else torch.full((len(x),), self.label, device=x.device)
        out: Tensor = self.network(seen, time, class_labels=label).sample.float()
        if self.header.prediction == "epsilon":
            out = (seen - sigma * signal * out) / signal
        elif self.header.prediction == "v_prediction":
            out = signal * seen - sigma * signal * out
        out = out.clamp(-1, 1)
        return out.expand(-1, 3, -1, -1) if gray else out


def check_label(header: ForeignHeader, label: str | None) -> None:
    """Check that a model is told what it needs.

    Raises:
        UsageError: it is told none and needs one, or knows no such label.
    """
    if label is None and header.classes:
        raise UsageError(f"this model draws one of {header.classes} classes; give --label 0 .. {header.classes - 1}")
    if label is not None and label not in header.labels:
        names = f"0 .. {header.classes - 1}" if header.classes else "none: it was trained without labels"
        raise UsageError(f"--label {label}: unknown to this model; its labels are {names}")


def sigmas_of(alphas: Tensor) -> Tensor:
    """Return the std of the noise at each time step beside a clean picture, of the schedule's cumulative products."""
    kept = alphas.double().clamp_min(_LEAST_ALPHA)
    return ((1 - kept) / kept).sqrt().clamp_min(1e-4).float()


def _time_of(sigma: Tensor, sigmas: Tensor) -> Tensor:
    """Return the time steps (B,) of sigma (B,), between the schedule's by their logarithms."""
    sigma = sigma.clamp(sigmas[0], sigmas[-1])
    right = torch.searchsorted(sigmas, sigma).clamp(1, len(sigmas) - 1)
    low, high = sigmas[right - 1].log(), sigmas[right].log()
    return right - 1 + ((sigma.log() - low) / (high - low).clamp_min(1e-9)).clamp(0, 1)


class GenerativeDenoiser(Begins):
    """A denoiser that knows the evidence. Its sigma is finite."""

    def __init__(self, model: GenerativeModel, evidence: WindowedObservation, *, ensemble: bool = False) -> None:
        """Keep them.

        Args:
            model: the network.
            evidence: what is known of the picture. Its guides are not looked at.
            ensemble: average the network over the eight symmetries of the square.
        """
        self.model, self.evidence, self.ensemble = model, evidence, ensemble

    def windows(self, windows: Sequence[tuple[slice, slice]]) -> "GenerativeDenoiser":
        """Return the denoiser of windows (rows, columns) of equal size, as one batch."""
        evidence = together([self.evidence.crop(rows, columns) for rows, columns in windows])
        return GenerativeDenoiser(self.model, evidence, ensemble=self.ensemble)

    def begin(self, x: Tensor, sigma: Tensor) -> Callable[[], Tensor]:
        """Compute a call, and return a function that returns its result, as `Denoiser.begin` does."""
        (h, w), side = x.shape[-2:], self.model.header.side
        if (h, w) != (side, side):  # only where memory ran out, and tiles are tried
            raise OutOfMemoryError(f"out of memory: the model draws {side}x{side} in one piece; free some")
        device = self.model.device
        seen, x_t = self.evidence.crop(slice(0, h), slice(0, w)).to(device), x.to(device)
        sigma_t = sigma.to(x_t).reshape(-1, 1, 1, 1).expand(x.shape[0], 1, 1, 1)

        def predict(x: Tensor) -> Tensor:
            return self.model.predicted(x, sigma_t)

        with torch.no_grad():
            denoised = symmetric(predict, x_t) if self.ensemble else predict(x_t)
            if seen.gray:
                denoised = denoised.mean(1, keepdim=True).expand(-1, 3, -1, -1)
            if seen.y is not None and seen.sigma_y is not None:
                spread = sigma_t * SIGMA_DATA / (sigma_t**2 + SIGMA_DATA**2).sqrt()  # of what D may miss x0 by
                denoised, _ = fuse(denoised, spread.expand(-1, 1, h, w), seen.y, seen.sigma_y)
        here = denoised.to(x.device)
        return lambda: here
