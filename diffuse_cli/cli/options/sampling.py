"""Which samples are the results."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from ...errors import UsageError

if TYPE_CHECKING:
    from ...restoration.sampling_request import SamplingRequest


@dataclass(frozen=True, kw_only=True, slots=True)
class SamplingOptions:
    """Options for which of the pictures that fit the input is the result, and how sure it is."""

    title: ClassVar[str] = "Samples"

    fidelity: Annotated[
        float | None,
        typer.Option(
            metavar="0..1",
            help="1 is the mean of all pictures that fit: best PSNR, but smooth. 0 is one of them, a sample: sharper, "
            "with invented detail.",
            show_default="1, but wide holes get texture; 0 with --samples or --steps above 1",
        ),
    ] = None
    steps: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Steps in which a sample is drawn. 1 is the mean.", show_default="1, or as measured"
        ),
    ] = None
    samples: Annotated[
        int | None,
        typer.Option(
            metavar="K", min=1, help="Write K samples, named {stem}.{op}.{k}{ext} with k = 0, 1, ...", show_default="1"
        ),
    ] = None
    average: Annotated[bool, typer.Option("--average", help="Write the mean of the samples instead.")] = False
    uncertainty: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|DIR/",
            help="Write how sure each pixel is: the std of the samples (8 by default) in 8-bit levels times 256, as "
            "16-bit PNG.",
        ),
    ] = None
    uncertainty_view: Annotated[
        str | None, typer.Option(metavar="FILE|DIR/", help="Write the same in colours with a legend, to look at.")
    ] = None
    trace: Annotated[
        str | None,
        typer.Option(metavar="FILE|DIR/", help="Write a sheet of the estimates at every step of the first sample."),
    ] = None

    def answers(self) -> "SamplingRequest":
        """Return the request, checked.

        Raises:
            UsageError: values are out of range or contradict each other, or a trace is asked for without a sample.
        """
        from ...restoration.sampling_request import SamplingRequest

        asked = SamplingRequest(
            fidelity=self.fidelity, steps=self.steps, samples=self.samples, average=self.average,
            uncertainty=self.uncertainty is not None or self.uncertainty_view is not None,
        )  # fmt: skip
        if self.trace is not None and not asked.are_drawn:
            raise UsageError("--trace needs a sample, and the posterior mean is not one; add --fidelity 0")
        return asked
