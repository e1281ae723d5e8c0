"""The machine: versions, hardware, folders."""

import os
import platform
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ...diffusion.devices import chosen_dtype, gains_by_bf16
from ...diffusion.engines.vulkan import gpus
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


def hardware() -> Iterator[Finding]:
    """Yield processor, memory, accelerators, and which number types are quick."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    yield Finding(
        topic="hardware", name="processor", says=f"{cpu_name()}, {cores} cores, {torch.get_num_threads()} threads"
    )
    if (memory := _memory()) is not None:
        yield Finding(topic="hardware", name="memory", says=f"{memory / 2**30:.1f} GiB")
    for k in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(k)
        yield Finding(topic="hardware", name=f"cuda:{k}", says=f"{facts.name}, {facts.total_memory / 2**30:.1f} GiB")
    if torch.backends.mps.is_available():
        yield Finding(topic="hardware", name="mps", says="Apple's GPU")
    for gpu in gpus():
        says = f"{gpu.name}, {gpu.what}, {gpu.memory / 1024:.1f} GiB"
        yield Finding(topic="hardware", name=f"vulkan:{gpu.number}", says=says)
    if not (torch.cuda.is_available() or torch.backends.mps.is_available()):
        yield Finding(topic="hardware", name="accelerator", says="none; the processor computes")
    quick = "fast here" if gains_by_bf16(torch.device("cpu")) else "not faster on this processor"
    yield Finding(topic="hardware", name="bf16", says=quick)
    yield Finding(topic="hardware", name="--dtype auto", says=f"means {chosen_dtype('auto', 'auto')}")


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None


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
