"""Picture, problem -> restored picture: the entrance to this room."""

from dataclasses import replace

from ..diffusion.foreign.model import AnyModel
from ..diffusion.inference import Progress, Run, calls
from ..diffusion.settings import Settings
from ..images.picture import Picture
from .alpha import enlarged_alpha
from .fill_grain import with_grain
from .finishing import interpolate, to_picture
from .problem import Problem
from .solve import solve


def restore(
    picture: Picture, problem: Problem, settings: Settings, model: AnyModel, progress: Progress | None = None
) -> Picture:
    """Restore a picture: its posterior mean, a posterior sample, or what lies between.

    Args:
        picture: the file's.
        problem: what is known about it.
        settings: how to compute; one step is the mean.
        model: the network on its device.
        progress: called after each tile.

    Raises:
        PictureError: the result is not finite.
        OutOfMemoryError: not even the smallest tile fits.
    """
    if problem.leaves_alone:
        return problem.picture or picture
    run = Run(model=model, settings=settings, progress=progress)
    alpha = None if problem.size is None else enlarged_alpha(picture, problem.size, replace(run, progress=None))
    if settings.steps == 1:
        return to_picture(picture, problem, with_grain(solve(problem, picture, run), picture, problem, run), alpha)
    first = 1 / (1 + calls(settings))
    mean = solve(problem, picture, run.part(0, first).of_mean())
    sample = solve(problem, picture, replace(run.part(first, 1), mean=mean))
    estimate = with_grain(interpolate(sample, mean, settings.fidelity), picture, problem, run)
    return to_picture(picture, problem, estimate, alpha)
