"""Where a style comes from: a picture that is learned once for each checkpoint and then kept, or a file of `delta`."""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from platformdirs import user_cache_path
from torch import Tensor

from ...degradation.operators import resize
from ...diffusion.checkpoint import SUFFIX
from ...diffusion.model import Model
from ...errors import CheckpointError, PictureError
from ...images.image_io import MAX_PIXELS, Picture, read_picture
from ...system.files import file_sha256
from .colour_transport import Colours, colours_of
from .delta import Style, read_style
from .fine_tuning import StyleTraining, fine_tuned

LESSON = StyleTraining()
"""As measured (docs/evaluation.md, Styles)."""
LARGEST = 500_000
"""Pixels of a style's picture: a larger one is shrunk, or its strokes would be wider than what the core can draw."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StylePicture:
    """A style's picture.

    Attributes:
        x: (1, 3, H, W) in [-1, 1], at most half a megapixel.
        colours: of the whole picture, but for what is transparent.
        sha256: of its file.
    """

    x: Tensor = field(repr=False)
    colours: Colours
    sha256: str


def sitter(picture: Picture, sha256: str) -> StylePicture:
    """A picture as what is learned from. What is fully transparent of it has no say in the colours."""
    x = torch.from_numpy(picture.pixels).permute(2, 0, 1)[None].expand(-1, 3, -1, -1)
    opaque = None if picture.alpha is None else torch.from_numpy(picture.alpha > 0)
    colours = colours_of(x, None if opaque is None or not bool(opaque.any()) else opaque)
    if opaque is not None:
        x = torch.where(opaque, x, colours.mean[:, None, None].to(x.dtype))
    h, w = x.shape[-2:]
    shrink = min((LARGEST / (h * w)) ** 0.5, 1.0)
    return StylePicture(
        x=resize(x, (max(round(h * shrink), 1), max(round(w * shrink), 1))), colours=colours, sha256=sha256
    )


def styled_by(given: Path | Picture, max_pixels: int = MAX_PIXELS) -> "StylePicture | Style":
    """A style's picture, or a style that was learned before, which the suffix `.safetensors` tells.

    Args: max_pixels: the most that a picture's file may have.
    Raises: PictureError, CheckpointError: it cannot be read.
    """
    if isinstance(given, Picture):
        return sitter(given, hashlib.sha256(given.pixels.tobytes() + str(given.pixels.shape).encode()).hexdigest())
    if given.suffix == SUFFIX:
        return read_style(given)
    return sitter(read_picture(given, max_pixels=max_pixels), file_sha256(given, PictureError))


@dataclass(frozen=True, kw_only=True, slots=True)
class StyleTrainer:
    """What is learned on.

    Attributes:
        path, sha256: of the checkpoint.
        lesson: how long, and on what.
        begin: told of the steps when something is to be learned.
        progress: told of every step.
    """

    path: Path
    sha256: str
    lesson: StyleTraining = field(default_factory=lambda: LESSON)
    begin: Callable[[int], None] = lambda steps: None
    progress: Callable[[int, int], None] = lambda done, total: None

    def style_of(self, given: "StylePicture | Style", name: str, model: Model) -> Style:
        """A style for a model of this checkpoint: as it is, as it was kept, or learned now and kept.

        What cannot be kept is no error: it is learned again next time.
        Args: name: of the file, for messages.
        Raises: CheckpointError: the file was made for another checkpoint. PictureError: as `fine_tuned`.
        """
        if isinstance(given, Style):
            if given.checkpoint != self.sha256:
                raise CheckpointError(f"{name}: was learned for another checkpoint; give --model, or its picture again")
            return given
        dtype = model.network.dtype
        kept = cached(given.sha256, self.sha256, self.lesson, dtype)
        with suppress(CheckpointError):
            if kept.is_file():
                return read_style(kept)
        self.begin(self.lesson.steps)
        place = model.network.device, dtype
        delta = fine_tuned(self.path, given.x, self.lesson, place, self.progress)
        style = Style(
            colours=given.colours, delta={name: change.half().contiguous() for name, change in delta.items()},
            checkpoint=self.sha256, picture=given.sha256, lesson=asdict(self.lesson),
        )  # fmt: skip
        with suppress(PictureError, OSError):
            kept.parent.mkdir(parents=True, exist_ok=True)
            style.save(kept)
        return style


def cached(picture: str, checkpoint: str, lesson: StyleTraining, dtype: torch.dtype) -> Path:
    """Where a style is kept: named by all that it depends on.

    Args: picture, checkpoint: sha256 of their files.
    """
    told = json.dumps([picture, checkpoint, asdict(lesson), str(dtype)], sort_keys=True)
    return user_cache_path("diffuse") / "styles" / f"{hashlib.sha256(told.encode()).hexdigest()}{SUFFIX}"
