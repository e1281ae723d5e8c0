"""What can be measured, and how strong the damage is. Costs nothing to import."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from ..errors import UsageError

if TYPE_CHECKING:
    from ..degradation.random_masks import MaskKind

TaskName = Literal["denoise", "inpaint", "super-resolve", "jpeg", "deblur", "restore", "camera", "film"]
"""Tasks that mend a damaged picture."""
TASKS: tuple[TaskName, ...] = get_args(TaskName)
MeasuredTask = Literal[TaskName, "generate"]
"""All that `diffuse evaluate --task` measures."""
NOISY: tuple[TaskName, ...] = ("denoise", "camera", "film")
"""Tasks whose damage is noise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """What is done to a clean picture.

    Attributes:
        task: whose protocol is followed; "pairs" = nothing is done, there is a noisy picture for each clean one.
        level: noise std in 8-bit levels, hidden share in percent, factor, JPEG quality, blur std in pixels, the number
            of a mixture, ISO of a camera, or level of film grain.
        kind: what the mask looks like; for inpaint only.
        jpeg: quality of a JPEG file that the noisy picture is stored in; None = none.
        as_files: the noise is clipped and rounded to 8 bits, as in a file.
        blind: the damage is estimated, not told. Noise is estimated as `denoise` does, other damage as `restore` does.

    Raises:
        UsageError: a level that the task cannot have.
    """

    task: Literal[TaskName, "pairs"]
    level: float
    kind: "MaskKind | None" = None
    jpeg: int | None = None
    as_files: bool = False
    blind: bool = False

    def __post_init__(self) -> None:
        """Check the level."""
        low, high = _RANGES[self.task]
        if not low <= self.level <= high:
            raise UsageError(f"--level of {self.task} must lie in {low:g} .. {high:g}, not {self.level:g}")
        if self.task in ("jpeg", "restore") and self.level != int(self.level):
            raise UsageError(f"--level of {self.task} must be a whole number, not {self.level:g}")
        if self.jpeg is not None and not 1 <= self.jpeg <= 100:
            raise UsageError(f"--jpeg must lie in 1 .. 100, not {self.jpeg}")

    @property
    def is_photograph(self) -> bool:
        """Whether the noise is a photograph's. What is found in it and the truth are both measured."""
        return self.task in ("camera", "film", "pairs") or self.jpeg is not None

    def __str__(self) -> str:
        """Return the name in tables, such as "noise 25", "x4", "text 13 %" and "ISO 1600, JPEG 90"."""
        if self.task == "inpaint":
            return f"{self.kind} {self.level:g} %"
        if self.task == "pairs":
            return "as photographed"
        return f"{_NAMES[self.task]}{self.level:g}{'' if self.jpeg is None else f', JPEG {self.jpeg}'}"


_NAMES: dict[TaskName, str] = {
    "denoise": "noise ", "super-resolve": "x", "jpeg": "JPEG ", "deblur": "blur ", "restore": "mixture ",
    "camera": "ISO ", "film": "film ",
}  # fmt: skip
_RANGES: dict[Literal[TaskName, "pairs"], tuple[float, float]] = {
    "denoise": (0, 1000),
    "inpaint": (0.1, 90),
    "super-resolve": (1.05, 8),
    "jpeg": (1, 100),
    "deblur": (0.1, 10),
    "restore": (1, 3),
    "camera": (25, 1e6),
    "film": (0.1, 255),
    "pairs": (0, 0),
}
_USUAL: dict[TaskName, tuple[float, ...]] = {
    "denoise": (15, 25, 50),
    "super-resolve": (2, 3, 4),
    "jpeg": (10, 20, 40),
    "deblur": (0.8, 1.6, 2.4),
    "restore": (1, 2, 3),
    "camera": (800, 1600, 6400),
    "film": (4, 8, 16),
}
_USUAL_MASKS: dict["MaskKind", float] = {"text": 13, "strokes": 21, "boxes": 10, "dust": 5}


def conditions(
    task: TaskName, levels: tuple[float, ...], *, as_files: bool, blind: bool, jpegs: tuple[int, ...] = ()
) -> list[Condition]:
    """Return the conditions to measure a task under.

    Args:
        task: the task.
        levels: how strong the damage is; empty = the levels of the literature.
        as_files: clip and round the noise to 8 bits.
        blind: do not tell the damage.
        jpegs: qualities of the JPEG files that noisy pictures are stored in; empty = none.

    Raises:
        UsageError: a level that the task cannot have, or an option that means nothing for the task.
    """
    if jpegs and task not in NOISY:
        raise UsageError(f"--jpeg is for {', '.join(NOISY)}, not {task}")
    if blind and (jpegs or task in ("camera", "film")):
        raise UsageError("--blind: noise of photographs and in JPEGs is measured both blind and told; leave it out")
    if as_files and task != "denoise":
        raise UsageError(f"--as-files is for --task denoise, not {task}")
    if blind and task in ("inpaint", "super-resolve"):
        raise UsageError(f"--blind is for damage that can be estimated, not for {task}")
    if task == "inpaint":
        pairs = [(kind, level) for kind, usual in _USUAL_MASKS.items() for level in levels or (usual,)]
        return [Condition(task=task, level=level, kind=kind) for kind, level in pairs]
    in_files = task == "denoise" and (as_files or blind or bool(jpegs))
    return [
        Condition(task=task, level=level, as_files=in_files, blind=blind, jpeg=jpeg)
        for level in levels or _USUAL[task]
        for jpeg in jpegs or (None,)
    ]
