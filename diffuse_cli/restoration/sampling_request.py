"""Which answers are asked for: a picture's posterior mean, samples of it, what lies between, and how sure they are."""

from dataclasses import dataclass, replace

from ..diffusion.settings import SAMPLE_STEPS, Settings
from ..errors import UsageError

_FILLING = ("inpaint", "restore", "extend")
UNCERTAINTY_SAMPLES = 8
"""Samples behind a map of the uncertainty, if nothing is said."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplingRequest:
    """What was asked for; None = nothing was said.

    Attributes:
        fidelity: 0 = a posterior sample, 1 = the posterior mean, between them mean + (1 - fidelity) (sample - mean)
            (Freirich et al. 2021, NeurIPS: the straight line from one to the other).
        steps: of a sample; one step is the mean.
        samples: how many.
        average: their mean, in their place.
        uncertainty: how much they differ is asked for too.
    Raises: UsageError: a value out of range, or values that mean nothing together.
    """

    fidelity: float | None = None
    steps: int | None = None
    samples: int | None = None
    average: bool = False
    uncertainty: bool = False

    def __post_init__(self) -> None:
        """Check the values, and that they agree."""
        if self.fidelity is not None and not 0 <= self.fidelity <= 1:
            raise UsageError(f"--fidelity must lie in 0 .. 1, not {self.fidelity:g}")
        if self.steps is not None and self.steps < 1:
            raise UsageError(f"--steps must be at least 1, not {self.steps}")
        if self.samples is not None and self.samples < 1:
            raise UsageError(f"--samples must be at least 1, not {self.samples}")
        if self.steps == 1 and (wish := self._wish()):
            raise UsageError(f"{wish} takes samples, and --steps 1 is the posterior mean; leave --steps out")
        if self.uncertainty and self.samples == 1:
            raise UsageError("--uncertainty is how much samples differ: give --samples 2 or more")
        if self.average and self.count == 1:
            raise UsageError("--average is the mean of several samples: give --samples K")
        if self.fidelity == 1 and self.average:
            raise UsageError(
                "--average is about samples, and --fidelity 1 is the posterior mean; leave one of them out"
            )
        if self.fidelity == 1 and (self.samples or 1) > 1 and not self.uncertainty:
            raise UsageError("--fidelity 1 is the posterior mean, which is one picture; leave --samples out")

    def _wish(self) -> str:
        """What needs samples, in the words of the command line; "" = nothing does."""
        if self.fidelity is not None and self.fidelity < 1:
            return f"--fidelity {self.fidelity:g}"
        if (self.samples or 1) > 1:
            return f"--samples {self.samples}"
        return "--uncertainty" if self.uncertainty else ""

    @property
    def count(self) -> int:
        """Samples that are drawn, if any are."""
        return self.samples or (UNCERTAINTY_SAMPLES if self.uncertainty else 1)

    @property
    def are_samples(self) -> bool:
        """Whether the pictures asked for are samples, or lie towards them: else it is the mean alone."""
        if self.fidelity is not None:
            return self.fidelity < 1
        return (self.samples or 1) > 1 or (self.steps or 1) > 1 or self.average

    @property
    def pictures(self) -> int:
        """Pictures that each input becomes."""
        return 1 if self.average or not self.are_samples else self.samples or 1

    @property
    def are_drawn(self) -> bool:
        """Whether any sample is drawn."""
        return self.are_samples or self.uncertainty

    def settings(self, op: str, base: Settings) -> Settings:
        """How a picture is computed: if nothing is said, the mean, but with texture in wide holes, which would be gray.

        `sample` counts the pictures on from that of `base`.

        Args: op: the command's name, which says how many steps a sample takes where nobody did.
        """
        if not self.are_samples:
            said = self.steps is not None or self.fidelity is not None
            return replace(base, steps=1, fidelity=0.0, textured=op in _FILLING and not said)
        return replace(self.drawing(base), fidelity=self.fidelity or 0.0)

    def drawing(self, base: Settings) -> Settings:
        """How a sample is drawn, for whatever purpose."""
        steps = SAMPLE_STEPS if self.steps is None or self.steps == 1 else self.steps
        return replace(base, steps=steps, fidelity=0.0)
