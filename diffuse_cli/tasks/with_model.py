"""A task that an imported model carries out: what fits it, and what it is told."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..diffusion.settings import GENERATE_STEPS
from ..errors import UsageError
from ..images.source_type import EDITED
from .deblur import Deblur
from .denoise import Denoise
from .extend import Extend
from .inpaint import Inpaint
from .redraw import Redraw
from .restore import Restore
from .super_resolve import SuperResolve
from .task import Task, altered

if TYPE_CHECKING:
    from ..diffusion.foreign.header import ForeignHeader
    from ..images.picture import Picture
    from ..restoration.noise_reading import NoiseReader
    from ..restoration.problem import Problem

_FAR: float = 1.5
"""The factor between the level that is found and the one that a denoiser was trained for from which it is told."""
_TASKS: Mapping[type[Task], tuple[str, ...]] = {
    Denoise: ("denoise",), Inpaint: ("inpaint",), SuperResolve: ("super-resolve",), Deblur: ("deblur",),
    Restore: ("restore", "deblur", "dejpeg"), Extend: ("extend",), Redraw: ("stylize",),
}  # fmt: skip
"""The commands of each task."""


def check_model(header: "ForeignHeader", name: str, op: str, *, drawn: bool) -> None:
    """Refuse a model that does not fit a command, before anything is read or computed.

    Args:
        header: of the model.
        name: of the model.
        op: the command's name.
        drawn: samples are asked for.

    Raises:
        UsageError: the model does something else, or makes no samples.
    """
    if op not in header.commands:
        raise UsageError(f"--model {name}: is for {header.fits} ({header.words}), not for {op}")
    check_samples(header, name, drawn=drawn)


def check_samples(header: "ForeignHeader", name: str, *, drawn: bool) -> None:
    """Refuse to draw samples with a model that makes none. The arguments are those of `check_model`.

    Raises:
        UsageError: it makes none.
    """
    if drawn and not (header.is_prior or header.generates):
        raise UsageError(
            f"--model {name}: makes one picture of each, and no samples ({header.words}); leave out --fidelity, "
            "--samples, --steps, --average, --uncertainty and --trace"
        )


def as_drawn(
    header: "ForeignHeader | None", steps: int | None, fidelity: float | None
) -> tuple[int | None, float | None]:
    """Return steps and fidelity, for a model that draws samples alone: from pure noise, which takes more steps.

    Args:
        header: of the model. None: a checkpoint of this program.
        steps: what was asked for. None: nothing.
        fidelity: what was asked for. None: nothing.

    Raises:
        UsageError: a mean is asked for, which such a model has not.
    """
    if header is None or not header.generates:
        return steps, fidelity
    if fidelity or steps == 1:
        raise UsageError(
            f"the model draws samples ({header.words}), and has no mean; leave --fidelity and --steps 1 out"
        )
    return steps or GENERATE_STEPS, 0.0


def with_model(task: Task, header: "ForeignHeader") -> "WithModel":
    """Return a task as an imported model carries it out.

    Args:
        task: what is asked for.
        header: of the model.

    Raises:
        UsageError: the task or one of its options is nothing that the model knows.
    """
    if not set(_TASKS.get(type(task), ())) & set(header.commands):
        raise UsageError(f"a model for {header.fits} ({header.words}) does not fit this task")
    if isinstance(task, SuperResolve):
        task = replace(task, plain=not task.consistent)
    if isinstance(task, Denoise) and header.role == "denoise":
        _check_level(task, header)
    if isinstance(task, Deblur) and not header.is_prior:
        raise UsageError(f"{header.architecture} is told no kernel; leave out --motion, --defocus and --kernel")
    made = WithModel(task=task, header=header)
    if made.is_as_trained:
        _check_nothing_told(task, header)
    return made


def _check_level(task: Denoise, header: "ForeignHeader") -> None:
    """Refuse what a denoiser of one level is not told."""
    told = f"{header.noise:g} levels alone" if header.noise is not None else "any level, and is told none"
    if task.noise_map is not None or task.grain != "auto" or task.noise in ("poisson", "auto-map"):
        raise UsageError(f"{header.architecture} removes white noise of {told}; leave out what else is said of it")
    if not isinstance(task.noise, str) and task.noise != header.noise:
        raise UsageError(f"--noise {task.noise:g}: {header.architecture} removes noise of {told}; leave it out")


def _check_nothing_told(task: Task, header: "ForeignHeader") -> None:
    """Refuse what a restorer is not told."""
    assert isinstance(task, Restore)
    given = [name for name in ("noise", "jpeg", "blur") if getattr(task, name) not in ("auto", "if-blurred", None)]
    given += ["scale"] if task.scale > 1 else []
    given += ["mask"] if task.holes is not None else []
    given += ["only"] if task.only not in (None, (header.role.removeprefix("de"),)) else []
    if given:
        raise UsageError(
            f"--{given[0]}: {header.architecture} undoes what it was trained for, and is told nothing; leave it out"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class WithModel:
    """A task that an imported model carries out.

    Attributes:
        task: what is asked for.
        header: of the model.
    """

    task: Task
    header: "ForeignHeader"

    @property
    def fills_holes(self) -> bool:
        """Whether holes are filled by the core's strategies: a network for holes fills wide ones by itself."""
        return self.task.fills_holes and self.header.is_prior

    @property
    def is_as_trained(self) -> bool:
        """Whether the network undoes what it was trained for, and nothing is estimated."""
        if not isinstance(self.task, Restore) or self.header.is_prior:
            return False
        return not (self.header.role == "dejpeg" and self.task.only == ("jpeg",))

    def problem(self, picture: "Picture", read_noise: "NoiseReader | None" = None) -> "Problem":
        """Return what is known about a picture, as the model is told it. Imported models know white noise alone.

        Raises:
            PictureError: as the task's `problem`.
            UsageError: the model cannot solve it.
        """
        from ..restoration.foreign import fitted
        from ..restoration.problem import AsTrained, Problem

        if self.is_as_trained:
            return Problem(observation=AsTrained())
        if isinstance(self.task, Inpaint) and not self.header.is_prior:
            return self.task.known(picture)
        if isinstance(self.task, Extend):
            return replace(self.task.problem(picture), strips=())
        return self._warned(fitted(self.task.problem(picture), self.header))

    def _warned(self, problem: "Problem") -> "Problem":
        """Warn where a denoiser was trained for clearly more or less noise than there is."""
        from ..images.units import LEVEL

        level, trained = problem.degradation.noise * LEVEL, self.header.noise
        if trained is None or level == 0 or 1 / _FAR < level / trained < _FAR:
            return problem
        warning = f"noise of about {level:.0f} levels, and the model was trained for {trained:g}: it may do harm"
        return replace(problem, findings=replace(problem.findings, warnings=(*problem.findings.warnings, warning)))

    @staticmethod
    def source_type(recipe: Mapping[str, Any]) -> str | None:
        """Return IPTC's term for the result. A network that may have been trained to invent does."""
        told = recipe.get("foreign", {})
        if told.get("role") in ("generate", "text"):
            return EDITED
        return altered(recipe) if told.get("regression") and told.get("role") != "inpaint" else EDITED

    def to_recipe(self) -> dict[str, Any]:
        """Return the options as a recipe tells them."""
        return {} if self.is_as_trained else self.task.to_recipe()
