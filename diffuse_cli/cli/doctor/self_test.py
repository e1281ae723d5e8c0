"""The self-test: whether the shipped weights compute the same here as where they were released.

Three small pictures are restored and compared with packaged results. In fp32 they agree to a level. bf16 rounds more.
"""

import json
import time
from collections.abc import Iterator
from importlib.resources import as_file, files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ...diffusion.checkpoint import DEFAULT_MODEL, file_sha256, find
from ...diffusion.devices import chosen_dtype, device_of, placed
from ...diffusion.model import Model
from ...diffusion.settings import Settings
from ...errors import DiffuseError
from ...images.image_io import read_picture, to_levels, write_picture
from ...images.picture import Picture
from ...restoration.restore import restore
from ...tasks.denoise import Denoise
from ...tasks.inpaint import Inpaint
from ...tasks.super_resolve import SuperResolve
from ...tasks.task import Task
from .finding import Finding

if TYPE_CHECKING:
    from ...diffusion.model import Model
    from ...diffusion.settings import Device, Dtype

GOLDEN: Final = "golden"
"""The folder of the packaged pictures."""
_INPUT: Final = "input.png"
_RELEASE: Final = "release.json"
TASKS: Final[dict[str, Task]] = {
    "denoise": Denoise(noise=25.0),
    "inpaint": Inpaint(boxes=[(20, 14, 24, 10)]),
    "super-resolve": SuperResolve(scale=2.0),
}
TOLERANCE: Final = {"fp32": (1.0, 0.05), "bf16": (12.0, 1.0)}
"""By how many levels one pixel, and the mean pixel, may differ."""


def self_test() -> Iterator[Finding]:
    """Test the processor in fp32, and what "auto" chooses, if that is something else.

    Raises:
        CheckpointError: the shipped checkpoint is missing or corrupt.
    """
    path = find(DEFAULT_MODEL)
    release = json.loads(_golden(_RELEASE).read_text(encoding="utf-8"))
    if file_sha256(path) != release["checkpoint"]:
        yield Finding(
            topic="self-test", name=DEFAULT_MODEL, verdict="missing",
            says=f"{path} is not the shipped checkpoint, so it cannot be tested",
        )  # fmt: skip
        return
    yield from _compare("cpu", "fp32")
    place = placed()
    dtype = chosen_dtype(place.device, "auto", place.backend)
    if dtype != "fp32" or place.backend != "torch" or device_of(place.device).type != "cpu":
        yield from _compare(place.device, dtype)


def _compare(device: "Device", dtype: "Dtype") -> Iterator[Finding]:
    """Restore and compare each picture."""
    model = Model.load(DEFAULT_MODEL, device=device, dtype=dtype)
    for name in TASKS:
        begin = time.monotonic()
        where = f"{name}, {device} {dtype}"
        try:
            found = computed(name, model)
        except DiffuseError as error:
            yield Finding(topic="self-test", name=where, says=str(error), verdict="wrong", remedy=_REMEDY)
            continue
        difference = np.abs(found.astype(np.float32) - expected(name))
        most, mean = float(difference.max()), float(difference.mean())
        says = f"differs by at most {most:g} levels, {mean:.3f} on average ({time.monotonic() - begin:.1f} s)"
        limits = TOLERANCE[dtype]
        if most <= limits[0] and mean <= limits[1]:
            yield Finding(topic="self-test", name=where, says=says)
        else:
            yield Finding(topic="self-test", name=where, says=says, verdict="wrong", remedy=_REMEDY)


_REMEDY: Final = (
    "do not trust results of this machine; try --device cpu --dtype fp32, another torch, diffuse models verify"
)


def computed(name: str, model: "Model") -> NDArray[np.uint8]:
    """Return this machine's result: 8-bit levels (H, W, 3)."""
    with as_file(_golden(_INPUT)) as path:
        picture = read_picture(path)
    restored = restore(picture, TASKS[name].problem(picture), Settings(), model)
    return to_levels(restored.pixels, 8).astype(np.uint8)


def expected(name: str) -> NDArray[np.uint8]:
    """Return the release's result: 8-bit levels (H, W, 3)."""
    with as_file(_golden(f"{name}.png")) as path:
        return to_levels(read_picture(path).pixels, 8).astype(np.uint8)


def _golden(name: str) -> Traversable:
    return files(__package__).joinpath(GOLDEN, name)


def record(folder: Path) -> None:
    """Write this machine's results as the expected ones. For those who change the shipped checkpoint."""
    model = Model.load(DEFAULT_MODEL, device="cpu", dtype="fp32")
    for name in TASKS:
        levels = computed(name, model)
        write_picture(Picture(pixels=(levels / np.float32(127.5) - 1).astype(np.float32)), folder / f"{name}.png")
    release = {"checkpoint": file_sha256(find(DEFAULT_MODEL))}
    (folder / _RELEASE).write_text(json.dumps(release) + "\n", encoding="utf-8")


if __name__ == "__main__":
    record(Path(__file__).parent / GOLDEN)
