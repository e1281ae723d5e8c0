"""What is asked for: the posterior mean, samples, what lies between, and how sure they are."""

from dataclasses import dataclass, replace

from ..diffusion.settings import SAMPLE_STEPS, Settings
from ..errors import UsageError

UNCERTAINTY_SAMPLES = 8
"""Samples for a map of the uncertainty, if nothing is said."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplingRequest:
    """What was asked for. None: nothing was said.

    Attributes:
        fidelity: 0 = a posterior sample, 1 = the posterior mean, else mean + (1 - fidelity) (sample - mean), the
            straight line from one to the other (Freirich et al. 2021, NeurIPS).
        steps: of a sample; one step is the mean.
        samples: how many.
        average: give their mean in their place.
        uncertainty: give how much they differ, too.

    Raises:
        UsageError: a value is out of range, or two do not go together.
    """

    fidelity: float | None = None
    steps: int | None = None
    samples: int | None = None
    average: bool = False
    uncertainty: bool = False

    def __post_init__(self) -> None:
        """Check the values, and that they go together."""
        if self.fidelity is not None and not 0 <= self.fidelity <= 1:
            raise UsageError(f"--fidelity must be a number from 0 to 1, not {self.fidelity:g}")
        if self.steps is not None and self.steps < 1:
            raise UsageError(f"--steps must be at least 1, not {self.steps}")
        if self.samples is not None and self.samples < 1:
            raise UsageError(f"--samples must be at least 1, not {self.samples}")
        if self.steps == 1 and (wish := self._wish()):
            raise UsageError(f"{wish} needs samples, and --steps 1 is the posterior mean; leave --steps out")
        if self.uncertainty and self.samples == 1:
            raise UsageError("--uncertainty needs at least two samples; give --samples 2 or more")
        if self.average and self.count == 1:
            raise UsageError("--average needs several samples; give --samples K")
        if self.fidelity == 1 and self.average:
            raise UsageError("--average needs samples, and --fidelity 1 is the posterior mean; leave one of them out")
        if self.fidelity == 1 and (self.samples or 1) > 1 and not self.uncertainty:
            raise UsageError("--fidelity 1 is the posterior mean, which is one picture; leave --samples out")

    def _wish(self) -> str:
        """Return what needs samples, in the words of the command line; "" = nothing does."""
        if self.fidelity is not None and self.fidelity < 1:
            return f"--fidelity {self.fidelity:g}"
        if (self.samples or 1) > 1:
            return f"--samples {self.samples}"
        return "--uncertainty" if self.uncertainty else ""

    @property
    def count(self) -> int:
        """How many samples are drawn, if any are."""
        return self.samples or (UNCERTAINTY_SAMPLES if self.uncertainty else 1)

    @property
    def are_samples(self) -> bool:
        """Whether the pictures asked for are samples or lie towards them; else they are the mean."""
        if self.fidelity is not None:
            return self.fidelity < 1
        return (self.samples or 1) > 1 or (self.steps or 1) > 1 or self.average

    @property
    def pictures(self) -> int:
        """How many pictures each input becomes."""
        return 1 if self.average or not self.are_samples else self.samples or 1

    @property
    def are_drawn(self) -> bool:
        """Whether any sample is drawn."""
        return self.are_samples or self.uncertainty

    def settings(self, base: Settings, *, fills_holes: bool) -> Settings:
        """Return how a picture is computed.

        Args:
            base: everything else. Its `sample` is kept.
            fills_holes: the task fills holes. If nothing was said, wide holes then get texture; their mean is gray.
        """
        if not self.are_samples:
            said = self.steps is not None or self.fidelity is not None
            return replace(base, steps=1, fidelity=0.0, textured=fills_holes and not said)
        return replace(self.drawing(base), fidelity=self.fidelity or 0.0)

    def drawing(self, base: Settings) -> Settings:
        """Return how a sample is drawn, for whatever purpose."""
        steps = SAMPLE_STEPS if self.steps is None or self.steps == 1 else self.steps
        return replace(base, steps=steps, fidelity=0.0)
