"""The machine: versions, hardware, folders."""

import os
import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ...diffusion.devices import chosen_dtype, device_of, gains_by_bf16, placed
from ...evaluation.hardware import cpu_name
from ...version import __version__
from .finding import Finding


def program() -> Iterator[Finding]:
    """Yield the versions."""
    import torch

    yield Finding(topic="program", name="diffuse", says=__version__)
    yield Finding(
        topic="program", name="Python", says=f"{platform.python_version()} on {platform.platform(terse=True)}"
    )
    yield Finding(topic="program", name="torch", says=torch.__version__)


def hardware(*, timed: bool) -> Iterator[Finding]:
    """Yield processor, devices, and what `auto` means.

    Args:
        timed: also time the network on each device.
    """
    import torch

    from ...evaluation.device_speed import found_devices

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    says = f"{cpu_name()}, {cores} cores, {torch.get_num_threads()} threads"
    yield Finding(topic="hardware", name="processor", says=says)
    for device in found_devices(timed=timed):
        yield Finding(topic="hardware", name=device.device, says=device.words)
    quick = "fast here" if gains_by_bf16(torch.device("cpu")) else "not faster on this processor"
    yield Finding(topic="hardware", name="bf16", says=quick)
    place = placed()
    meant = place.device if place.backend == "vulkan" else device_of(place.device).type
    yield Finding(topic="hardware", name="--device auto", says=f"means {meant}")
    dtype = chosen_dtype(place.device, "auto", place.backend)
    yield Finding(topic="hardware", name="--dtype auto", says=f"means {dtype}")


def folders() -> Iterator[Finding]:
    """Yield the folders of files beside results."""
    from platformdirs import user_state_path

    for name, folder, remedy in (
        ("journals", user_state_path("diffuse"), "make it writable, set XDG_STATE_HOME, or give --journal FILE"),
        ("temporary files", Path(tempfile.gettempdir()), "make it writable, or set TMPDIR"),
    ):
        there = folder
        while not os.path.lexists(there):
            there = there.parent
        if there.is_dir() and os.access(there, os.W_OK | os.X_OK):
            yield Finding(topic="folders", name=name, says=str(folder))
        else:
            yield Finding(
                topic="folders", name=name, says=f"{folder} is not writable", verdict="missing", remedy=remedy
            )
