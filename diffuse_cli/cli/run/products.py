"""What a restored picture's files show: the picture itself, or how sure it is."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ...provenance import recipe
from ..batch.job import Job, Product
from ..options.sampling import SamplingOptions
from .display import Display

if TYPE_CHECKING:
    from ...diffusion.settings import Settings
    from ...images.picture import Picture
    from ...restoration.samples import Samples
    from ...restoration.sampling_request import SamplingRequest

Checkpoint = tuple[str, str, bool]
"""Its sha256, the type of numbers that it is computed with, and whether it is compiled."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer(Product, ABC):
    """A product that is computed from samples of the restored picture.

    Attributes:
        op: the command's name.
        request: which samples are asked for.
        base: how to compute, but for what `request` decides.
        fills_holes: the task fills holes.
    """

    op: str
    request: "SamplingRequest"
    base: "Settings"
    fills_holes: bool

    @property
    def drawing(self) -> "Settings":
        """How a sample is drawn."""
        return self.request.drawing(self.base)

    def _computing(self, settings: "Settings", checkpoint: Checkpoint) -> dict[str, Any]:
        return recipe.of_computing(self.op, settings, *checkpoint, fills_holes=self.fills_holes)

    @abstractmethod
    def make(self, samples: "Samples", job: Job, display: Display) -> "Picture":
        """Compute the product.

        Args:
            samples: of the picture.
            job: the job that it is made for.
            display: shows the progress, and warnings.
        """

    @abstractmethod
    def to_recipe(self, job: Job, checkpoint: Checkpoint) -> Mapping[str, Any]:
        """Return the part of the recipe that tells how the product is computed."""


class RestoredPicture(Answer):
    """The restored picture: the posterior mean, a sample, or a mean of samples."""

    def settings(self, job: Job) -> "Settings":
        """Return how the picture is computed."""
        from dataclasses import replace

        settings = self.request.settings(self.base, fills_holes=self.fills_holes)
        return replace(settings, sample=job.sample)

    def make(self, samples: "Samples", job: Job, display: Display) -> "Picture":
        """Restore the picture."""
        if self.request.average:
            return samples.average(self.settings(job), self.request.count, display.progress)
        return samples.restored(self.settings(job), display.progress)

    def to_recipe(self, job: Job, checkpoint: Checkpoint) -> Mapping[str, Any]:
        """Return the settings in a recipe's words."""
        computing = self._computing(self.settings(job), checkpoint)
        return recipe.of_average(computing, self.request.count) if self.request.average else computing


class FillLayer(RestoredPicture):
    """What was filled of the first restored picture, on a transparent layer."""

    name: ClassVar[str] = "show-fill"
    suffix: ClassVar[str | None] = ".png"
    formats: ClassVar[tuple[str, ...]] = ("PNG", "TIFF")

    def make(self, samples: "Samples", job: Job, display: Display) -> "Picture":
        """Restore the picture, and return what was filled."""
        from ...restoration.fill_layer import fill_layer

        return fill_layer(samples.picture, samples.problem, RestoredPicture.make(self, samples, job, display))

    def to_recipe(self, job: Job, checkpoint: Checkpoint) -> Mapping[str, Any]:
        """Return the picture's own recipe, and that this is a part of it."""
        return {**RestoredPicture.to_recipe(self, job, checkpoint), "part": self.name}


class UncertaintyMap(Answer):
    """The standard deviation of the samples at each pixel, in 8-bit levels times 256."""

    name: ClassVar[str] = "uncertainty"
    suffix: ClassVar[str | None] = ".png"
    depth: ClassVar[int | None] = 16
    formats: ClassVar[tuple[str, ...]] = ("PNG", "TIFF")
    shown_over: ClassVar[bool] = True

    def make(self, samples: "Samples", job: Job, display: Display) -> "Picture":
        """Draw the samples and return their spread. Say so if it does not fit into 16 bits."""
        from ...restoration.uncertainty import std_picture

        std = samples.std(self.drawing, self.request.count, display.progress)
        picture, clipped = std_picture(std, samples.picture.source.pages)
        if clipped > 0:
            display.say(f"{job.output_name}: {clipped:.1%} of the pixels exceed 255.99 levels and are clipped")
        return picture

    def to_recipe(self, job: Job, checkpoint: Checkpoint) -> Mapping[str, Any]:
        """Return how the samples are drawn, and how many."""
        computing = self._computing(self.drawing, checkpoint)
        return recipe.of_part(self.name, computing, self.request.count)


class UncertaintyView(UncertaintyMap):
    """The same in colours, with a legend."""

    name: ClassVar[str] = "uncertainty-view"
    depth: ClassVar[int | None] = 8
    formats: ClassVar[tuple[str, ...]] = ()
    shown_over: ClassVar[bool] = False

    def make(self, samples: "Samples", job: Job, display: Display) -> "Picture":
        """Draw the samples and return their spread in colours."""
        from ...restoration.uncertainty import std_view

        std = samples.std(self.drawing, self.request.count, display.progress)
        return std_view(std, samples.picture.source.pages)


class TraceSheet(Answer):
    """A sheet of the estimates at every step of the first sample."""

    name: ClassVar[str] = "trace"
    suffix: ClassVar[str | None] = ".png"
    depth: ClassVar[int | None] = 8

    def make(self, samples: "Samples", job: Job, display: Display) -> "Picture":
        """Draw the first sample and return the sheet."""
        return samples.traced(self.drawing, display.progress).sheet(samples.picture.source.pages)

    def to_recipe(self, job: Job, checkpoint: Checkpoint) -> Mapping[str, Any]:
        """Return how the sample is drawn."""
        return recipe.of_part(self.name, self._computing(self.drawing, checkpoint), None)


class WeightMaps(Answer):
    """The weight of each copy that was fused, one map below the other."""

    name: ClassVar[str] = "weights"
    suffix: ClassVar[str | None] = ".png"
    depth: ClassVar[int | None] = 16
    formats: ClassVar[tuple[str, ...]] = ("PNG", "TIFF")

    def make(self, samples: "Samples", job: Job, display: Display) -> "Picture":
        """Return the maps. Nothing is computed by the network."""
        from ...restoration.copies.weight_maps import weight_maps

        return weight_maps(samples.problem.weights)

    def to_recipe(self, job: Job, checkpoint: Checkpoint) -> Mapping[str, Any]:
        """Return that this is a part of the picture's recipe."""
        return recipe.of_part(self.name, self._computing(self.base, checkpoint), None)


def products_beside(
    picture: RestoredPicture, which: SamplingOptions, show_fill: str | None, show_weights: str | None = None
) -> dict[Product, str]:
    """Return what is written beside the restored picture, and where."""
    named: dict[type[Answer], str | None] = {
        FillLayer: show_fill,
        WeightMaps: show_weights,
        UncertaintyMap: which.uncertainty,
        UncertaintyView: which.uncertainty_view,
        TraceSheet: which.trace,
    }
    return {
        kind(op=picture.op, request=picture.request, base=picture.base, fills_holes=picture.fills_holes): output
        for kind, output in named.items()
        if output is not None
    }


def answer_of(job: Job) -> Answer:
    """Return the product of a job that restores a picture."""
    assert isinstance(job.product, Answer)
    return job.product
