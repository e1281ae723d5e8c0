"""What can be measured, and how strong the damage is. Costs nothing to import."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from ..errors import UsageError

if TYPE_CHECKING:
    from ..degradation.random_masks import MaskKind

TaskName = Literal["denoise", "inpaint", "super-resolve", "jpeg", "deblur", "restore"]
"""Tasks that mend a damaged picture."""
TASKS: tuple[TaskName, ...] = get_args(TaskName)
MeasuredTask = Literal[TaskName, "generate"]
"""All that `diffuse evaluate` measures."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """What is done to a clean picture.

    Attributes:
        task: whose protocol is followed.
        level: noise std in 8-bit levels, hidden share in percent, factor, JPEG quality, blur std in pixels, or the
            number of a mixture.
        kind: what the mask looks like; for inpaint only.
        as_files: the noise is clipped and rounded to 8 bits, as in a file.
        blind: the damage is estimated, not told. Noise is estimated as `denoise` does, other damage as `restore` does.

    Raises:
        UsageError: a level that the task cannot have.
    """

    task: TaskName
    level: float
    kind: "MaskKind | None" = None
    as_files: bool = False
    blind: bool = False

    def __post_init__(self) -> None:
        """Check the level."""
        low, high = _RANGES[self.task]
        if not low <= self.level <= high:
            raise UsageError(f"--level of {self.task} must lie in {low:g} .. {high:g}, not {self.level:g}")
        if self.task in ("jpeg", "restore") and self.level != int(self.level):
            raise UsageError(f"--level of {self.task} must be a whole number, not {self.level:g}")

    def __str__(self) -> str:
        """Return the name in tables, such as "noise 25", "x4" and "text 13 %"."""
        if self.task == "inpaint":
            return f"{self.kind} {self.level:g} %"
        name = {"denoise": "noise ", "super-resolve": "x", "jpeg": "JPEG ", "deblur": "blur ", "restore": "mixture "}
        return f"{name[self.task]}{self.level:g}"


_RANGES: dict[TaskName, tuple[float, float]] = {
    "denoise": (0, 1000),
    "inpaint": (0.1, 90),
    "super-resolve": (1.05, 8),
    "jpeg": (1, 100),
    "deblur": (0.1, 10),
    "restore": (1, 3),
}
_USUAL: dict[TaskName, tuple[float, ...]] = {
    "denoise": (15, 25, 50),
    "super-resolve": (2, 3, 4),
    "jpeg": (10, 20, 40),
    "deblur": (0.8, 1.6, 2.4),
    "restore": (1, 2, 3),
}
_USUAL_MASKS: dict["MaskKind", float] = {"text": 13, "strokes": 21, "boxes": 10, "dust": 5}


def conditions(task: TaskName, levels: tuple[float, ...], *, as_files: bool, blind: bool) -> list[Condition]:
    """Return the conditions to measure a task under.

    Args:
        task: the task.
        levels: how strong the damage is; empty = the levels of the literature.
        as_files: clip and round the noise to 8 bits.
        blind: do not tell the damage.

    Raises:
        UsageError: a level that the task cannot have, or an option that means nothing for the task.
    """
    if as_files and task != "denoise":
        raise UsageError(f"--as-files is for --task denoise, not {task}")
    if blind and task in ("inpaint", "super-resolve"):
        raise UsageError(f"--blind is for damage that can be estimated, not for {task}")
    if task == "inpaint":
        pairs = [(kind, level) for kind, usual in _USUAL_MASKS.items() for level in levels or (usual,)]
        return [Condition(task=task, level=level, kind=kind) for kind, level in pairs]
    return [
        Condition(task=task, level=level, as_files=task == "denoise" and (as_files or blind), blind=blind)
        for level in levels or _USUAL[task]
    ]
