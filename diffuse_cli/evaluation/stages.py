"""Where the time of a command goes: reading, finding what happened, the network, what is beside it, writing."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from PIL import Image

from ..diffusion.model import Model
from ..diffusion.network import UNet
from ..diffusion.settings import Settings
from ..images.image_io import read_picture, write_picture
from ..restoration.noise_reading import noise_reader
from ..restoration.restore import restore
from ..tasks.denoise import Denoise
from ..tasks.restore import Restore
from ..tasks.super_resolve import SuperResolve
from ..tasks.task import Task
from .command_speed import picture

_TASKS: Final[dict[str, tuple[Task, float]]] = {
    "denoise": (Denoise(), 1.0), "restore": (Restore(), 1.0), "super-resolve": (SuperResolve(scale=2.0), 0.25),
}  # fmt: skip
"""What is timed, and the share of the result's pixels that the picture has."""
_QUALITY: Final = 92


def time_stages(model: Model, megapixels: float, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Time the stages of commands on a noisy JPEG, one after the other. In a command they overlap.

    Args:
        model: that computes.
        megapixels: of the results.
        say: told what comes next.

    Returns:
        Rows with the seconds of each stage.
    """
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        for command, (task, share) in _TASKS.items():
            say(f"where the time of {command} goes")
            source = Path(name) / f"{command}.jpg"
            picture(source.with_suffix(".png"), megapixels * share)
            with Image.open(source.with_suffix(".png")) as image:
                image.save(source, quality=_QUALITY)
            rows.append({"command": command, "megapixels": megapixels} | _stages(model, task, source))
    return rows


def _stages(model: Model, task: Task, source: Path) -> dict[str, float]:
    """Return the seconds of each stage of a task on a picture."""
    at = [time.perf_counter()]
    before = read_picture(source)
    at.append(time.perf_counter())
    with _network_time(model) as finding:
        problem = task.problem(before, noise_reader(model))
    at.append(time.perf_counter())
    with _network_time(model) as restoring:
        after = restore(before, problem, Settings(), model)
    at.append(time.perf_counter())
    write_picture(after, source.with_name("out.jpg"))
    at.append(time.perf_counter())
    reading, found, restored, writing = (b - a for a, b in pairwise(at))
    network = finding[0] + restoring[0]
    return {
        "reading": reading, "finding": found - finding[0], "network": network, "beside": restored - restoring[0],
        "writing": writing,
    }  # fmt: skip


@contextmanager
def _network_time(model: Model) -> Iterator[list[float]]:
    """Sum the seconds of the network's calls while it is entered, into a list of one number."""
    total = [0.0]

    def begin(*_: object) -> None:
        total[0] -= time.perf_counter()

    def end(*_: object) -> None:
        total[0] += time.perf_counter()

    network: UNet = model.network
    hooks = [network.register_forward_pre_hook(begin), network.register_forward_hook(end)]
    try:
        yield total
    finally:
        for hook in hooks:
            hook.remove()
