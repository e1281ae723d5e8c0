"""Time and memory of the real commands; each runs as a process of its own."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from ..diffusion.foreign.header import ForeignHeader, Role
from ..errors import DiffuseError

SMALL = 64
"""Side of the picture whose run counts as start-up."""


class CommandFailedError(DiffuseError):
    """A command that was timed failed; the message ends with the command's own."""


_SPAWNER = """
import os, re, subprocess, sys, threading, time
most = 0
def watch(path):
    global most
    while True:
        try:
            text = open(path).read()
        except OSError:
            return
        most = max(most, sum(map(int, re.findall(r"Rss(?:Anon|Shmem):\\s+(\\d+)", text))))
        time.sleep(0.02)
begin = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
threading.Thread(target=watch, args=(f"/proc/{process.pid}/status",), daemon=True).start()
_, status, usage = os.wait4(process.pid, 0)
seconds = time.perf_counter() - begin
print(seconds, most or usage.ru_maxrss, usage.ru_utime + usage.ru_stime, os.waitstatus_to_exitcode(status))
"""
"""Runs and measures a command.

It is a small process: Linux counts the memory that a process held before it became the command. Pages of mapped files
are not counted on Linux, which drops them if it needs memory.
"""


class Spent(NamedTuple):
    """Seconds that a command took, its peak of resident memory without mapped files in MiB, and CPU seconds."""

    seconds: float
    peak_mib: float
    cpu_seconds: float


def run(command: Sequence[str]) -> Spent:
    """Run a command.

    Raises:
        CommandFailedError: it did not exit with 0.
    """
    with tempfile.TemporaryDirectory() as state:  # the user's journals are none of a benchmark's
        environment = {**os.environ, "XDG_STATE_HOME": state}
        spawned = subprocess.run(
            [sys.executable, "-c", _SPAWNER, *command], env=environment, capture_output=True, check=True
        )
    seconds, resident, cpu_seconds, code = spawned.stdout.split()
    if int(code) != 0:
        said = spawned.stderr.decode(errors="replace").strip()[-300:]
        raise CommandFailedError(f"{' '.join(command)}: exit code {int(code)}: {said}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Spent(float(seconds), int(resident) * unit / 2**20, float(cpu_seconds))


def picture(path: Path, megapixels: float) -> None:
    """Write a synthetic picture of 4:3 with smooth shapes and grain; equal sizes give equal pictures."""
    width = round((megapixels * 1e6 * 4 / 3) ** 0.5)
    height = round(width * 3 / 4)
    rng = np.random.default_rng(0)
    coarse = Image.fromarray(rng.integers(0, 256, (12, 16, 3), np.uint8))
    levels = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(np.int16)
    for row in range(0, height, 256):  # grain by rows of blocks, so that the largest sizes need no second picture
        block = levels[row : row + 256]
        block += rng.normal(0, 15, block.shape).astype(np.int16)
    Image.fromarray(levels.clip(0, 255).astype(np.uint8)).save(path, compress_level=1)


def diffuse(*arguments: str) -> list[str]:
    """Return the program's command line for this interpreter."""
    return [sys.executable, "-m", "diffuse_cli", *arguments]


def startup(runs: int = 3) -> dict[str, float]:
    """Return the seconds of the shortest run: the help, a small picture and, for comparison, importing torch."""
    with tempfile.TemporaryDirectory() as name:
        small = Path(name) / "small.png"
        Image.new("RGB", (SMALL, SMALL), (90, 120, 150)).save(small)
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "python -c 'import torch'": [sys.executable, "-c", "import torch"],
            "diffuse --help": diffuse("--help"),
            f"diffuse denoise, {SMALL}x{SMALL}": diffuse("denoise", str(small), "--noise", "15", "-f"),
        }
        return {what: min(run(command).seconds for _ in range(runs)) for what, command in commands.items()}


COMMANDS: dict[str, tuple[str, ...]] = {
    "denoise --noise 15": ("denoise", "--noise", "15"),
    "inpaint --box (a hundredth)": ("inpaint", "--box", "BOX"),
    "super-resolve --scale 2": ("super-resolve", "--scale", "2"),
}


def commands_of(header: ForeignHeader) -> dict[str, tuple[str, ...]]:
    """Return the commands that time an imported model: those in which it computes, whatever the picture."""
    enlarging = f"super-resolve --scale {header.scale}"
    by_role: dict[Role, tuple[str, ...]] = {
        "prior": tuple(COMMANDS)[:2], "inpaint": (tuple(COMMANDS)[1],), "super-resolve": (enlarging,),
    }  # fmt: skip
    chosen = by_role.get(header.role, ("restore",))
    return {title: COMMANDS.get(title, tuple(title.split())) for title in chosen}


def time_commands(
    sizes: Sequence[float],
    options: Sequence[str],
    say: Callable[[str], None],
    largest_enlarged: float = 1.0,
    commands: Mapping[str, tuple[str, ...]] = MappingProxyType(COMMANDS),
) -> list[dict[str, Any]]:
    """Run every command on a synthetic picture of each size.

    Args:
        sizes: in megapixels.
        options: added to each command, such as --dtype.
        say: told what comes next.
        largest_enlarged: larger pictures are not super-resolved.
        commands: their arguments, by the words of the report.

    Returns:
        Rows with `seconds`, `peak_mib` and, without the time of a 64x64 picture, `seconds_per_megapixel` of the result.
    """
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for megapixels in [0.0, *sizes]:
            source = folder / f"{megapixels:g}.png"
            picture(source, megapixels or SMALL**2 / 1e6)
            for title, arguments in commands.items():
                enlarged = float(arguments[-1]) ** 2 if arguments[0] == "super-resolve" else 1.0
                if enlarged > 1 and megapixels > largest_enlarged:
                    continue
                say(f"{title}, {megapixels:g} Mpx" if megapixels else f"{title}, {SMALL}x{SMALL}")
                with Image.open(source) as image:
                    box = f"10,10,{max(image.width // 10, 8)},{max(image.height // 10, 8)}"
                full = [a.replace("BOX", box) for a in arguments]
                spent = run(diffuse(*full, str(source), "-q", "-o", str(folder / "out.png"), "-f", *options))
                rows.append(
                    {"command": title, "megapixels": megapixels, "result_megapixels": enlarged * megapixels}
                    | spent._asdict()
                )
            source.unlink()
    small = {row["command"]: row["seconds"] for row in rows if row["megapixels"] == 0}
    for row in rows:
        if row["megapixels"]:
            row["seconds_per_megapixel"] = (row["seconds"] - small[row["command"]]) / row["result_megapixels"]
    return rows
