"""Frames of an animation: the problem of each is that of one of them, so that nothing flickers."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from .enhance import Enhance

if TYPE_CHECKING:
    from ..images.picture import Picture
    from ..restoration.noise_reading import NoiseReader
    from ..restoration.problem import Problem
    from .task import Task


def problems_of_frames(
    task: "Task", judged: "Picture", read_noise: "NoiseReader | None" = None
) -> "Callable[[Picture], Problem]":
    """Return what tells the problem of each frame of an animation.

    What is estimated of one frame holds for all: its noise, its JPEG, its blur, its light. What lies elsewhere in each
    frame is found in each: impulses, offsets of rows, dust, and noise that is asked for by brightness or place.

    Args:
        task: what is asked for.
        judged: the frame that is looked at.
        read_noise: reads the noise of photographs.
    """
    if isinstance(task, Enhance):
        return task.for_frames(judged, read_noise)
    known = task.problem(judged, read_noise)

    def problem(frame: "Picture") -> "Problem":
        if known.picture is None and known.hole is None and not _varies(known):
            return known
        own = task.problem(frame, read_noise)
        return own if _varies(known) or _varies(own) else _alike(own, known)

    return problem


def _varies(problem: "Problem") -> bool:
    """Return whether an observation says something of single pixels, or the picture is drawn again."""
    return getattr(problem.observation, "sigma_y", True) is not None


def _alike(own: "Problem", known: "Problem") -> "Problem":
    """Return a frame's problem with the observation of another one."""
    tone = own.finish.tone and known.finish.tone
    finish = replace(own.finish, uncoded=known.finish.uncoded, blocks=known.finish.blocks, tone=tone)
    facts = {**own.findings.facts, **known.findings.facts}
    return replace(own, observation=known.observation, finish=finish, findings=replace(own.findings, facts=facts))
