"""Text-conditioned pipelines of diffusers on a device: pictures of a prompt, filled holes, pictures drawn again."""

import inspect
import logging
import os
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import Tensor

from ...degradation.operators import resize
from ...errors import CheckpointError, OutOfMemoryError, PictureError, UsageError
from ..settings import Backend, Settings
from .header import ForeignHeader
from .unet_folder import check_diffusers

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger("diffuse_cli")

_LONG: Final = 10.0
"""Seconds of a picture from which it is said how long it takes."""
Steps = Callable[[int, int], None]
"""(steps done, steps in all)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """What a pipeline is told.

    Attributes:
        text: what to draw.
        negative: what not to draw. "": nothing is said.
        guidance: how far towards the text (classifier-free guidance). None: as the pipeline has it.
        strength: of a picture that is drawn again: how much of it is, 0 .. 1.
    """

    text: str = ""
    negative: str = ""
    guidance: float | None = None
    strength: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TextModel:
    """A text-conditioned pipeline on a device.

    Attributes:
        header: what it is.
        pipeline: diffusers' own.
        path: its folder.
        prompt: what it is told.
        exact: always None.
        backend: always torch.
    """

    header: ForeignHeader
    pipeline: Any
    path: Path
    prompt: Prompt = field(default_factory=Prompt)
    exact: None = None
    backend: Backend = "torch"

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        found: torch.device = self.pipeline.device
        return found

    @property
    def dtype(self) -> torch.dtype:
        """The type that it computes in."""
        found: torch.dtype = self.pipeline.dtype
        return found

    @property
    def gray(self) -> bool:
        """Whether it draws gray pictures: never."""
        return False

    @property
    def natural_size(self) -> tuple[int, int]:
        """(height, width) of what it draws, if nothing is said."""
        return self.header.side, self.header.side

    @property
    def scheduler(self) -> str:
        """The name of its scheduler."""
        return type(self.pipeline.scheduler).__name__

    def told(self, prompt: Prompt) -> "TextModel":
        """Return the model that is told something else."""
        return replace(self, prompt=prompt)

    def drawn(self, size: tuple[int, int], settings: Settings, progress: Steps | None = None) -> Tensor:
        """Draw a picture of the prompt.

        Args:
            size: (height, width), multiples of what the network needs.
            settings: seed, sample number and steps.
            progress: called after each step.

        Returns:
            (1, 3, *size), [-1, 1] units.

        Raises:
            PictureError: the folder's safety checker holds it back, or it is not finite.
        """
        from diffusers import AutoPipelineForText2Image

        return self._called(AutoPipelineForText2Image, size, settings, {}, progress)

    def filled(self, x: Tensor, mask: Tensor, settings: Settings, progress: Steps | None = None) -> Tensor:
        """Draw what is missing. What is known may change a little, too.

        Args:
            x: (1, 3, h, w), [-1, 1] units, of a size that the network takes.
            mask: (1, 1, h, w), 1 where it is missing.
            settings: as for `drawn`.
            progress: as for `drawn`.
        """
        from diffusers import AutoPipelineForInpainting

        given = {"image": (x + 1) / 2, "mask_image": mask, "strength": self.prompt.strength}
        return self._called(AutoPipelineForInpainting, (x.shape[-2], x.shape[-1]), settings, given, progress)

    def repainted(self, x: Tensor, settings: Settings, progress: Steps | None = None) -> Tensor:
        """Draw a picture again, as far as the prompt's strength says. Arguments and result are those of `filled`."""
        from diffusers import AutoPipelineForImage2Image

        given = {"image": (x + 1) / 2, "strength": self.prompt.strength}
        return self._called(AutoPipelineForImage2Image, (x.shape[-2], x.shape[-1]), settings, given, progress)

    def fitting(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the (height, width) that a picture is drawn at: about the area that the network was trained on.

        Smaller pictures are enlarged to it, larger ones are shrunk. Both sides are multiples of what it needs.
        """
        factor, multiple = self.header.side / (size[0] * size[1]) ** 0.5, self.header.multiple
        height, width = (max(round(n * factor / multiple), 1) * multiple for n in size)
        return height, width

    def _called(
        self, kind: Any, size: tuple[int, int], settings: Settings, given: Mapping[str, Any], progress: Steps | None,  # noqa: ANN401
    ) -> Tensor:  # fmt: skip
        """Return what a kind of pipeline makes of the prompt and of what else is given."""
        with _quiet():
            pipeline = _of_kind(kind, self.pipeline, self.path)
        asked: dict[str, Any] = {
            "prompt": self.prompt.text, "height": size[0], "width": size[1], "num_inference_steps": settings.steps,
            "generator": _noise(settings), "output_type": "pt", **given,
        }  # fmt: skip
        optional = {
            "negative_prompt": self.prompt.negative or None, "guidance_scale": self.prompt.guidance,
            "callback_on_step_end": _Clock(settings.steps, progress, on_cpu=self.device.type == "cpu"),
        }  # fmt: skip
        known = inspect.signature(pipeline.__call__).parameters
        for name, value in optional.items():
            if value is not None and name in known:
                asked[name] = value
            elif name == "negative_prompt" and value is not None:
                raise UsageError(f"--negative-prompt: {self.header.architecture} is told none; leave it out")
        asked = {name: value for name, value in asked.items() if name in known}
        try:
            with torch.no_grad(), _quiet():
                made = pipeline(**asked)
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, MemoryError) or "memory" in str(error).lower():
                raise OutOfMemoryError(f"out of memory: {size[1]}x{size[0]} is drawn in one piece; free some") from None
            raise
        if any(getattr(made, "nsfw_content_detected", None) or ()):
            raise PictureError("the folder's safety checker holds the picture back; take another --seed or --prompt")
        x: Tensor = 2 * made.images.float().cpu() - 1
        if not bool(x.isfinite().all()):
            raise PictureError("the result is not finite; take --dtype fp32")
        return x if (x.shape[-2], x.shape[-1]) == size else resize(x, size)


class _Clock:
    """Counts steps, and says once how long a picture takes where no GPU computes it."""

    told: set[int] = set()  # noqa: RUF012 - of all pictures of a process: it is said once for each number of steps

    def __init__(self, steps: int, progress: Steps | None, *, on_cpu: bool) -> None:
        self.steps, self.progress, self.on_cpu = steps, progress, on_cpu
        self.done, self.begin = 0, time.perf_counter()

    def __call__(self, pipeline: Any, step: int, at: Any, values: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401
        """Count a step. The arguments are diffusers' own."""
        self.done += 1
        steps = max(int(getattr(pipeline, "num_timesteps", self.steps) or self.steps), self.done)
        seconds = time.perf_counter() - self.begin
        if self.on_cpu and self.done == 1 and seconds * steps > _LONG and steps not in self.told:
            self.told.add(steps)
            log.warning(
                f"no GPU: a step took {seconds:.0f} s, so a picture of {steps} steps takes {_minutes(seconds * steps)}"
            )
        if self.progress is not None:
            self.progress(self.done, steps)
        return values


def _minutes(seconds: float) -> str:
    return f"about {seconds:.0f} seconds" if seconds < 100 else f"about {seconds / 60:.0f} minutes"


def _noise(settings: Settings) -> torch.Generator:
    """Return the source of a sample's noise, which seed and sample number decide on every device."""
    mixed = (settings.seed * 0x9E3779B97F4A7C15 + settings.sample * 0xBF58476D1CE4E5B9) % (1 << 63)
    return torch.Generator("cpu").manual_seed(mixed if settings.sample else settings.seed % (1 << 63))


def _of_kind(kind: Any, pipeline: Any, path: Path) -> Any:  # noqa: ANN401 - diffusers' own
    """Return the same networks as another kind of pipeline.

    Raises:
        CheckpointError: diffusers knows none of that kind for them.
    """
    try:
        made = kind.from_pipe(pipeline)
    except Exception as error:
        words = {"AutoPipelineForInpainting": "fill holes", "AutoPipelineForImage2Image": "draw a picture again"}
        what = words.get(kind.__name__, "draw from a prompt alone")
        raise CheckpointError(f"{path}: {type(pipeline).__name__} cannot {what} ({_first(error)})") from None
    made.set_progress_bar_config(disable=True)
    return made


def load_text(path: Path, header: ForeignHeader, device: torch.device, dtype: torch.dtype) -> TextModel:
    """Load a pipeline from a folder. Nothing is fetched, no code of the folder runs, no pickle is read.

    Args:
        path: the folder, checked by `check_folder`.
        header: what it says of itself.
        device: where it is to compute.
        dtype: the type that it is to compute in.

    Raises:
        UsageError: diffusers is not installed.
        CheckpointError: the folder is incomplete or damaged.
    """
    check_diffusers()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from diffusers import DiffusionPipeline

    try:
        with _quiet():
            pipeline = DiffusionPipeline.from_pretrained(
                str(path), local_files_only=True, use_safetensors=True, trust_remote_code=False, torch_dtype=dtype
            ).to(device)
    except Exception as error:  # whatever diffusers raises of a damaged folder
        raise CheckpointError(f"{path}: cannot be loaded ({_first(error)})") from None
    pipeline.set_progress_bar_config(disable=True)
    return TextModel(header=header, pipeline=pipeline, path=path)


def _first(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__


@contextmanager
def _quiet() -> "Iterator[None]":
    """Keep the libraries' own lines and warnings from the terminal."""
    from diffusers.utils import logging as of_diffusers
    from transformers.utils import logging as of_transformers

    of_diffusers.set_verbosity(logging.CRITICAL)
    of_transformers.set_verbosity(logging.CRITICAL)
    of_diffusers.disable_progress_bar()
    of_transformers.disable_progress_bar()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
