"""What an imported model says of itself, from the header of its file. Does not import torch."""

import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from typing import Any, Final, Literal, get_args

from ...errors import CheckpointError

FORMAT: Final = "diffuse-foreign-1"
Role = Literal["prior", "denoise", "dejpeg", "deblur", "restore", "super-resolve", "inpaint", "generate", "text"]
"""What a model does. A prior is a denoiser that is told the level of white Gaussian noise."""
Conditioned = Literal["", "noise", "quality", "mask", "label", "text"]
"""What a model is told beside the picture."""
Prediction = Literal["", "epsilon", "v_prediction", "sample"]
"""What a network that generates predicts, as diffusers calls it."""
COMMANDS: Final[Mapping[Role, tuple[str, ...]]] = {
    "prior": ("denoise", "deblur", "restore", "inpaint"),
    "denoise": ("denoise", "restore"),
    "dejpeg": ("dejpeg", "restore"),
    "deblur": ("deblur", "restore"),
    "restore": ("restore",),
    "super-resolve": ("super-resolve",),
    "inpaint": ("inpaint",),
    "generate": ("generate", "inpaint", "super-resolve"),
    "text": ("generate", "inpaint", "extend", "stylize"),
}
"""The commands that each role fits."""
MOST_MARGIN: Final = 128
"""The widest margin that is measured, in pixels. A network that looks further is computed in one piece."""
_RANGES: Final = {
    "scale": (1, 8), "multiple": (1, 1024), "minimum": (0, 4096), "margin": (0, 1024), "activation": (1, 1 << 24),
    "side": (0, 4096), "classes": (0, 1 << 20),
}  # fmt: skip

_CHOICES: Final[Mapping[str, Any]] = {"role": Role, "conditioned": Conditioned, "prediction": Prediction}


@dataclass(frozen=True, kw_only=True, slots=True)
class ForeignHeader:
    """What is known of an imported model. docs/models.md describes each field.

    Attributes:
        architecture: as spandrel names it.
        role: what it does.
        scale: of its result.
        channels: of its pictures: 1 or 3.
        multiple: sides of its input are multiples of this.
        minimum: the least side of its input.
        square: its input is square.
        whole: it looks at all of a picture, so tiles are avoided.
        margin: context that a tile needs, in pixels of the input.
        activation: numbers in its largest layer for each pixel of the input, which tell the memory that it takes.
        bf16: it computes in bf16 nearly what it does in fp32.
        conditioned: what it is told beside the picture.
        noise: the only level of noise that it removes, in 8-bit levels. None: it is told, or any.
        side: of the pictures that a network draws, which was trained on that size. 0: any size.
        classes: how many labels a network that generates knows.
        prediction: what a network that generates predicts.
        regression: it was trained for PSNR, so it invents nothing.
        source_sha256: of the file that it was imported from.
        licence: as the file or the user stated it.
    """

    architecture: str
    role: Role
    scale: int
    channels: int
    multiple: int = 1
    minimum: int = 0
    square: bool = False
    whole: bool = False
    margin: int
    activation: int
    bf16: bool = False
    conditioned: Conditioned = ""
    noise: float | None = None
    side: int = 0
    classes: int = 0
    prediction: Prediction = ""
    regression: bool = False
    source_sha256: str
    licence: str = ""

    @property
    def commands(self) -> tuple[str, ...]:
        """The commands that the model fits."""
        return COMMANDS[self.role]

    @property
    def fits(self) -> str:
        """The commands that the model fits, in words."""
        *others, last = self.commands
        return f"{', '.join(others)} and {last}" if others else last

    @property
    def is_prior(self) -> bool:
        """Whether it is a denoiser that is told the level of the noise."""
        return self.role == "prior"

    @property
    def generates(self) -> bool:
        """Whether it draws samples alone."""
        return self.role in ("generate", "text")

    @property
    def reads_text(self) -> bool:
        """Whether it is told by text what to draw."""
        return self.role == "text"

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of its labels."""
        return tuple(map(str, range(self.classes)))

    @property
    def words(self) -> str:
        """What it is, in words."""
        scale = f" x{self.scale}" if self.scale > 1 else ""
        size = f" {self.side}x{self.side}" if self.side else ""
        noise = f", noise of {self.noise:g} levels" if self.noise is not None else ""
        return f"{self.architecture}, {self.role}{scale}{size}{noise}, {'colour' if self.channels == 3 else 'gray'}"

    def to_json(self) -> str:
        """Return the header as JSON."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "ForeignHeader":
        """Return the header that a file states.

        Raises:
            CheckpointError: a field is missing, unknown or out of range.
        """
        known = {field.name: field for field in fields(cls)}
        unknown = sorted(config.keys() - known.keys())
        needed = [name for name, field in known.items() if field.default is MISSING and name not in config]
        if unknown or needed:
            raise CheckpointError(f"its header is wrong (first: {(unknown + needed)[0]}); import the model again")
        for name, value in config.items():
            if not _is_sound(name, value):
                raise CheckpointError(f"its header is wrong ({name}: {value!r:.40}); import the model again")
        return cls(**config)


def _is_sound(name: str, value: object) -> bool:
    """Return whether a field of a header holds what it should."""
    if name in _CHOICES:
        return value in get_args(_CHOICES[name])
    if name in ("square", "whole", "bf16", "regression"):
        return isinstance(value, bool)
    if name == "noise":
        return value is None or (isinstance(value, int | float) and 0 < value <= 255)
    if name == "channels":
        return type(value) is int and value in (1, 3)
    if name in _RANGES:
        low, high = _RANGES[name]
        return type(value) is int and low <= value <= high
    return isinstance(value, str)
