"""Styles: from a picture that is learned once for each checkpoint and then kept, or from a file of `delta`."""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from platformdirs import user_cache_path
from torch import Tensor

from ...degradation.operators import resize, scaled_size
from ...diffusion.checkpoint import SUFFIX
from ...diffusion.model import Model
from ...errors import CheckpointError, PictureError, UsageError
from ...images.image_io import MAX_PIXELS, Picture, read_picture
from ...system.files import file_sha256
from .colour_transport import Colours, colours_of
from .delta import Style, read_style, with_style
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
        colours: of the whole picture, without what is transparent.
        sha256: of its file.
    """

    x: Tensor = field(repr=False)
    colours: Colours
    sha256: str


def sitter(picture: Picture, sha256: str) -> StylePicture:
    """Make a picture ready to be learned from. Fully transparent pixels do not count for its colours.

    Args:
        picture: whose style is learned.
        sha256: of its file.
    """
    x = torch.from_numpy(picture.pixels).permute(2, 0, 1)[None].expand(-1, 3, -1, -1)
    opaque = None if picture.alpha is None else torch.from_numpy(picture.alpha > 0)
    colours = colours_of(x, None if opaque is None or not bool(opaque.any()) else opaque)
    if opaque is not None:
        x = torch.where(opaque, x, colours.mean[:, None, None].to(x.dtype))
    h, w = x.shape[-2:]
    shrink = min((LARGEST / (h * w)) ** 0.5, 1.0)
    return StylePicture(x=resize(x, scaled_size((h, w), shrink)), colours=colours, sha256=sha256)


def styled_by(given: Path | Picture, max_pixels: int = MAX_PIXELS) -> "StylePicture | Style":
    """Read a style's picture, or a style that was learned before. The suffix `.safetensors` tells which.

    Args:
        given: the file, or the picture.
        max_pixels: the most pixels that a picture's file may have.

    Raises:
        PictureError: the picture cannot be read.
        CheckpointError: the learned style cannot be read.
    """
    if isinstance(given, Picture):
        return sitter(given, hashlib.sha256(given.pixels.tobytes() + str(given.pixels.shape).encode()).hexdigest())
    if given.suffix == SUFFIX:
        return read_style(given)
    return sitter(read_picture(given, max_pixels=max_pixels), file_sha256(given, PictureError))


@dataclass(frozen=True, kw_only=True, slots=True)
class StyleTrainer:
    """Learns styles on one checkpoint.

    Attributes:
        path: the checkpoint's file.
        sha256: of that file.
        lesson: how long to train, and on what.
        begin: called with the number of steps before training.
        progress: called after each step.
    """

    path: Path
    sha256: str
    lesson: StyleTraining = field(default_factory=lambda: LESSON)
    begin: Callable[[int], None] = lambda steps: None
    progress: Callable[[int, int], None] = lambda done, total: None

    def style_of(self, given: "StylePicture | Style", name: str, model: Model) -> Style:
        """Return a style for a model of this checkpoint: as given, as kept in the cache, or learned now and kept.

        A style that cannot be kept is learned again next time.

        Args:
            given: the style, or its picture.
            name: of the file, for messages.
            model: of this checkpoint.

        Raises:
            CheckpointError: the style was learned on another checkpoint.
            PictureError: as `fine_tuned`.
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


def with_look(model: Model, given: StylePicture | Style) -> Model:
    """Return a model that has learned a style, now or before.

    Raises:
        UsageError: the model was loaded from no file, on which the style could be learned.
        CheckpointError: the style was learned on another checkpoint.
        PictureError: as `fine_tuned`.
    """
    if model.path is None:
        raise UsageError("a style is learned on a checkpoint: load the model with Model.load")
    trainer = StyleTrainer(path=model.path, sha256=file_sha256(model.path, CheckpointError))
    return with_style(model, trainer.style_of(given, "the style", model), "the style")


def cached(picture: str, checkpoint: str, lesson: StyleTraining, dtype: torch.dtype) -> Path:
    """Return where a style is kept. The name depends on all that the style depends on.

    Args:
        picture: sha256 of the style's file.
        checkpoint: sha256 of the checkpoint's file.
        lesson: how it was learned.
        dtype: that convolutions computed in.
    """
    told = json.dumps([picture, checkpoint, asdict(lesson), str(dtype)], sort_keys=True)
    return user_cache_path("diffuse") / "styles" / f"{hashlib.sha256(told.encode()).hexdigest()}{SUFFIX}"
