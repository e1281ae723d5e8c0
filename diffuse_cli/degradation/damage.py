"""Damage done on purpose: test inputs of known history, made by the operators that restoring describes."""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import PictureError, UsageError
from ..images.image_io import SUBSAMPLINGS, Picture, Source, jpeg_coding
from ..images.units import LEVEL
from .camera import Film, film_grain, sensor_noise, sensor_of_iso
from .kernels import Kernel, blur_by
from .noise_field import noise_field
from .operators import Degradation, blur, degrade, dilated, shrunk_size
from .random_masks import MaskKind, random_marks

MAX_SCALE = 8.0
HIDDEN = 1.0
"""What is painted over hidden pixels: white, like dust and scratches on a print."""
_SOFTNESS = 0.7
"""Std of a worn mark's rim, in pixels; _RIM: how far it reaches, _SEEN: the least cover that counts as hidden."""
_RIM, _SEEN = 3, 0.1


@dataclass(frozen=True, kw_only=True, slots=True)
class Damage:
    """What is to happen to a picture, in this order.

    Attributes:
        kernel: a blur that is no Gaussian, before the Gaussian's; None = none.
        blur: std of a Gaussian blur in pixels.
        scale: factor of shrinking, antialiased bicubic.
        poisson: shot noise, in 8-bit levels per photon.
        noise: std of white noise in 8-bit levels.
        camera: ISO of a camera, whose sensor's noise is developed; None = no such noise.
        film: level of film grain in the middle tones, root mean square in 8-bit levels; None = no grain.
        grain: size of the film's grain, the std of a Gaussian in pixels; None = 0.8.
        mask: kind of marks that hide pixels.
        mask_share: share of the picture that the marks hide.
        worn: the marks look like those of old prints, each with a tone of its own (light, one in four dark) and a soft
            rim; otherwise they are white.
        jpeg: quality of a JPEG file; None = no JPEG.
        subsampling: of the JPEG's chroma.
        seed: of noise and marks.

    Raises:
        UsageError: nothing is to happen, or a value is out of range.
    """

    kernel: Kernel | None = None
    blur: float = 0.0
    scale: float = 1.0
    poisson: float = 0.0
    noise: float = 0.0
    camera: float | None = None
    film: float | None = None
    grain: float | None = None
    mask: MaskKind | None = None
    mask_share: float = 0.1
    worn: bool = False
    jpeg: int | None = None
    subsampling: str = "4:2:0"
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the ranges."""
        ranges = {
            "blur": (0, 50), "scale": (1, MAX_SCALE), "poisson": (0, 255), "noise": (0, 1000), "camera": (25, 1e6),
            "film": (0.1, 255), "grain": (0, 10),
        }  # fmt: skip
        for name, (low, high) in ranges.items():
            if (value := getattr(self, name)) is not None and not low <= value <= high:
                raise UsageError(f"--{name} must lie in {low} .. {high:g}, not {value:g}")
        if self.grain is not None and self.film is None:
            raise UsageError("--grain is the size of film grain; give --film LEVEL, too")
        if not 0 < self.mask_share < 0.95:
            raise UsageError(f"--mask-share must lie between 0 and 0.95, not {self.mask_share:g}")
        if self.jpeg is not None and not 1 <= self.jpeg <= 100:
            raise UsageError(f"--jpeg must lie in 1 .. 100, not {self.jpeg}")
        if self.subsampling not in SUBSAMPLINGS:
            raise UsageError(f"--subsampling must be one of {', '.join(SUBSAMPLINGS)}, not {self.subsampling}")
        if not 0 <= self.seed < 2**64:
            raise UsageError(f"--seed must lie in 0 .. 2^64 - 1, not {self.seed}")
        noises = self.poisson or self.noise or self.camera or self.film
        if not (self.kernel or self.blur or self.scale > 1 or noises or self.mask or self.jpeg):
            raise UsageError(
                "nothing to do; give --motion, --defocus, --blur, --scale, --poisson, --noise, --camera, --film, "
                "--mask-random or --jpeg"
            )

    def to_json(self) -> dict[str, Any]:
        """Return the options, as JSON holds them."""
        plain = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "kernel"}
        return plain if self.kernel is None else {**self.kernel.told, **plain}

    def apply(self, picture: Picture) -> tuple[Picture, NDArray[np.bool_] | None]:
        """Return the damaged picture, and which of its pixels are hidden.

        The same seed gives every picture of one size the same noise and marks. The JPEG coding is noted in the result's
        `source`: writing the result as JPEG applies it.

        Args:
            picture: clean.

        Raises:
            PictureError: the picture has transparency.
        """
        if picture.alpha is not None:
            raise PictureError("it has transparency, which cannot be degraded; flatten it first")
        x = torch.from_numpy(picture.pixels.transpose(2, 0, 1).copy())[None].expand(1, 3, *picture.pixels.shape[:2])
        size = shrunk_size(picture.pixels.shape[:2], self.scale)
        noise = torch.from_numpy(noise_field(size, seed=self.seed, gray=picture.is_gray))[None]
        x = x if self.kernel is None else blur_by(x, self.kernel)
        what = Degradation(blur=self.blur, scale=self.scale, noise=self.noise / LEVEL)
        y = degrade(x, what, noise=noise, shots=self.poisson, seed=self.seed)
        y = self._photographed(y, gray=picture.is_gray)
        hole = None
        if self.mask is not None:
            marks = torch.from_numpy(random_marks(size, self.mask, share=self.mask_share, seed=self.seed))
            if self.worn:
                y, marked = painted_worn(y, marks, light_only=self.mask == "tears", seed=self.seed)
            else:
                marked = marks > 0
                y = torch.where(marked, HIDDEN, y)
            hole = marked.numpy()
        pixels = y[0, : picture.pixels.shape[2]].permute(1, 2, 0).contiguous().clamp(-1, 1).numpy()
        said, depth = picture.source, picture.depth
        source = Source(icc=said.icc, source_type=said.source_type, white=0 if picture.floating else said.white)
        source = replace(source, dicom=said.dicom, bits=said.bits)
        if self.jpeg is not None:
            source, depth = replace(source, jpeg=jpeg_coding(self.jpeg, self.subsampling)), 8
        return Picture(pixels=pixels, depth=depth, source=source), hole

    def _photographed(self, x: Tensor, *, gray: bool) -> Tensor:
        """Return a picture with the noise of a camera and of film."""
        if self.camera is not None:
            sensor = sensor_of_iso(self.camera, self.seed)
            x = x + sensor_noise(x.clamp(-1, 1), sensor, np.random.default_rng([self.seed, 6]), gray=gray)
        if self.film is not None:
            film = Film(level=self.film / LEVEL, grain=0.8 if self.grain is None else self.grain)
            x = x + film_grain(x, film, np.random.default_rng([self.seed, 7]), gray=gray)
        return x


def painted_worn(y: Tensor, marks: Tensor, *, light_only: bool, seed: int) -> tuple[Tensor, Tensor]:
    """Paint marks as dust, scratches and tears look on a print.

    Args:
        y: (1, 3, H, W).
        marks: (H, W), 0 = none, else the number of a mark.
        light_only: no dark marks.
        seed: of the tones.

    Returns:
        The picture, and where it shows a mark, (H, W).
    """
    rng = np.random.default_rng([seed, 3])
    count = int(marks.max()) + 1
    light, dark = rng.uniform(0.4, 1.0, count), rng.uniform(-1.0, -0.6, count)
    tones = torch.from_numpy(np.where(light_only | (rng.random(count) < 0.75), light, dark).astype(np.float32))
    number = marks[None, None].float()
    beside = dilated(number, _RIM)  # rims have the tone of what they surround
    tone = tones[torch.where(number > 0, number, beside).long()]
    cover = blur((number > 0).float(), _SOFTNESS)
    return y + cover * (tone - y), cover[0, 0] > _SEEN
