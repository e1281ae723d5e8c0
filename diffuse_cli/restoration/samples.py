"""Several answers about one picture, each computed once: mean, samples, what lies between, and how they differ."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..diffusion.foreign.model import AnyModel
from ..diffusion.inference import Progress, Run, calls, part_of
from ..diffusion.settings import Settings
from ..errors import UsageError
from ..images.image_io import Levels, Picture
from ..images.tensors import to_tensor
from ..images.units import LEVEL
from ..system.arrays import empty_array, row_blocks
from .alpha import enlarged_alpha
from .fill_grain import with_grain
from .finishing import interpolate, to_picture
from .problem import Problem
from .solve import solve
from .trace import Trace


class Samples:
    """Answers about one picture. Sample k depends on the seed and on k, never on how many there are or their order."""

    def __init__(
        self, picture: Picture, problem: Problem, model: AnyModel, *, moments: bool = False, traces: bool = False
    ) -> None:
        """Keep what is known.

        Args:
            picture: the file's.
            problem: what is known about it.
            model: the network on its device.
            moments: count samples as they are drawn, so that `average` and `std` need not draw them again.
            traces: the same with the steps of sample 0, for `traced`.
        """
        self.picture, self.problem, self.model = problem.picture or picture, problem, model
        self._means: dict[bool, Tensor] = {}  # the last mean, by whether wide holes have texture
        self._alpha: Levels | None = None
        self._moments = _Moments() if moments else None
        self._trace = Trace() if traces else None

    def restored(self, settings: Settings, progress: Progress | None = None) -> Picture:
        """Return what `restore` makes of the picture under these settings.

        Args:
            settings: how to compute.
            progress: called after each tile.

        Raises:
            PictureError: the result is not finite.
            OutOfMemoryError: not even the smallest tile fits.
        """
        if self.problem.leaves_alone:
            return self.picture
        run, mean = Run(model=self.model, settings=settings, progress=progress), self._means.get(settings.textured)
        first = 0.0 if mean is not None else 1.0 if settings.steps == 1 else 1 / (1 + calls(settings))
        if mean is None:
            mean = solve(self.problem, self.picture, run.part(0, first).of_mean())
            self._means = {settings.textured: mean}
        if settings.steps == 1:
            return self._finished(mean, run)
        trace = self._trace if settings.sample == 0 else None
        if trace is not None:
            trace.begin(mean)
        sample = solve(self.problem, self.picture, replace(run.part(first, 1), mean=mean, on_step=trace))
        if self._moments is not None and settings.sample not in self._moments.counted:
            whole = self._finished(sample, run)
            self._moments.count(settings.sample, whole.pixels)
            if settings.fidelity == 0:
                return whole
        return self._finished(interpolate(sample, mean, settings.fidelity), run)

    def _finished(self, estimate: Tensor, run: Run) -> Picture:
        """Return the picture of an estimate. Its alpha is enlarged once for all of them."""
        size = self.problem.size
        if self._alpha is None and size is not None:
            self._alpha = enlarged_alpha(self.picture, size, replace(run, progress=None))
        estimate = with_grain(estimate, self.picture, self.problem, run)
        return to_picture(self.picture, self.problem, estimate, self._alpha)

    def average(self, settings: Settings, count: int, progress: Progress | None = None) -> Picture:
        """Return the mean of several samples, moved towards the posterior mean by the fidelity.

        Args:
            settings: how to compute; the samples count from its own.
            count: how many samples.
            progress: called after each tile.

        Raises:
            PictureError: the result is not finite.
            OutOfMemoryError: not even the smallest tile fits.
        """
        if self.problem.leaves_alone:
            return self.picture
        mean = self.restored(replace(settings, steps=1))
        samples = self._drawn(settings, count, progress).mean
        pixels: NDArray[np.float32] = empty_array(samples.shape, np.float32)
        for rows in row_blocks(pixels):
            pixels[rows] = samples[rows] + np.float32(settings.fidelity) * (mean.pixels[rows] - samples[rows])
        return replace(mean, pixels=pixels)

    def std(self, settings: Settings, count: int, progress: Progress | None = None) -> NDArray[np.float32]:
        """Return how much samples differ.

        That is the root of the unbiased variance of samples at fidelity 0, averaged over the channels. A gray picture's
        channels are one variable.

        Args:
            settings: how to compute; the samples count from its own.
            count: how many samples.
            progress: called after each tile.

        Returns:
            (H, W), in 8-bit levels; 0 where every pixel is known.

        Raises:
            UsageError: fewer than two samples.
            PictureError: the result is not finite.
            OutOfMemoryError: not even the smallest tile fits.
        """
        if count < 2:
            raise UsageError(f"how much samples differ takes two of them, not {count}")
        if self.problem.leaves_alone:
            return np.zeros(self.picture.pixels.shape[:2], np.float32)
        std = self._drawn(settings, count, progress).std()
        std *= np.float32(LEVEL)
        return std

    def traced(self, settings: Settings, progress: Progress | None = None) -> Trace:
        """Return the steps of sample 0.

        Args:
            settings: how to compute.
            progress: called after each tile.

        Raises:
            PictureError: the result is not finite.
            OutOfMemoryError: not even the smallest tile fits.
        """
        if self._trace is None or not self._trace.steps:
            self._trace = self._trace or Trace()
            if self.problem.leaves_alone:
                self._trace.begin(to_tensor(self.picture.pixels))
            self.restored(replace(settings, sample=0), progress)
        return self._trace

    def _drawn(self, settings: Settings, count: int, progress: Progress | None) -> "_Moments":
        """Return the moments of just these samples; those that are missing are drawn."""
        wanted = range(settings.sample, settings.sample + count)
        if self._moments is None or not self._moments.counted <= set(wanted):
            self._moments = _Moments()
        missing = [k for k in wanted if k not in self._moments.counted]
        for turn, k in enumerate(missing):
            share = part_of(progress, turn / len(missing), (turn + 1) / len(missing))
            self.restored(replace(settings, sample=k, fidelity=0.0), share)
        return self._moments


class _Moments:
    """Mean and variance of pictures that come one after the other (Welford 1962)."""

    def __init__(self) -> None:
        self.counted: set[int] = set()
        self.mean: NDArray[np.float32] = np.zeros((0, 0, 0), np.float32)
        self.squares: NDArray[np.float32] = self.mean

    def count(self, k: int, pixels: NDArray[np.float32]) -> None:
        """Count the pixels (H, W, C) of sample k."""
        if not self.counted:
            self.mean, self.squares = (empty_array(pixels.shape, np.float32) for _ in range(2))
            self.mean[:] = self.squares[:] = 0
        self.counted.add(k)
        for rows in row_blocks(pixels):
            off = pixels[rows] - self.mean[rows]
            self.mean[rows] += off / np.float32(len(self.counted))
            self.squares[rows] += off * (pixels[rows] - self.mean[rows])

    def std(self) -> NDArray[np.float32]:
        """Return the root of the unbiased variance, averaged over the channels: (H, W)."""
        std: NDArray[np.float32] = empty_array(self.squares.shape[:2], np.float32)
        for rows in row_blocks(self.squares):
            variance = self.squares[rows] / np.float32(len(self.counted) - 1)
            std[rows] = np.sqrt(variance.mean(2))
        return std
