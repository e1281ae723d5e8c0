"""What a user asks for, the same for any picture: options that are checked before a model loads, and become a Task.

The names are the command line's; the Python API uses them too. Nothing here imports torch before `task` is called.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from .errors import PictureError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from .image_io import Picture
    from .noise_level import NoiseEstimate
    from .task import Task

MAX_SCALE = 8.0
MAX_NOISE = 1000.0
MAX_JPEG_QUALITY = 95.0
"""The training's best; above, a file counts as never compressed."""
Box = tuple[int, int, int, int]


def _check(name: str, value: float, low: float, high: float) -> None:
    """A number of a range; NaN compares false, so it fails too."""
    if not isinstance(value, int | float) or not low <= value <= high:
        raise UsageError(f"--{name} must be a number in {low:g} .. {high:g}, not {value}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Denoise:
    """Remove white noise.

    Attributes:
        noise: its std in 8-bit levels; "auto" = estimate it for each picture.
        strength: 0 = the input, 1 = the estimate.
        chroma_strength: the same for the colour noise alone; None = as strength.
    Raises: UsageError: a value out of range.
    """

    noise: "float | Literal['auto']" = "auto"
    strength: float = 1.0
    chroma_strength: float | None = None

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.noise != "auto":
            _check("noise", self.noise, 0, MAX_NOISE)
        _check("strength", self.strength, 0, 1)
        if self.chroma_strength is not None:
            _check("chroma-strength", self.chroma_strength, 0, 1)

    def task(self, picture: "Picture") -> "Task":
        """What is known about this picture."""
        from .degradation import LEVEL, Description
        from .task import Task

        found = measured_noise(picture) if self.noise == "auto" else None
        level = found.level if found is not None else float(self.noise)
        guided = level > 0 and not _is_white(picture, level)
        return Task(
            noise=level / LEVEL,
            guide=Description(noise=level / LEVEL, quality=_jpeg_quality(picture)) if guided else None,
            strength=self.strength,
            chroma_strength=self.strength if self.chroma_strength is None else self.chroma_strength,
            notes=() if found is None else (_noise_note(found),),
        )


def _is_white(picture: "Picture", level: float) -> bool:
    """Whether noise of this level is still white in the file: no JPEG coder averaged its chroma or rounded it away.

    Where it is not, the core does better with the file as a guide (noise and quality described) than as a noisy version
    of the picture, by 0.2 to 3 dB for noise 5, 15, 25 at qualities 60 to 90 with 4:2:0. At 4:4:4 what counts is the
    noise against the coarsest step: the guide wins by 1 dB for noise 5 at quality 90, and loses 0.7 dB for noise 15.
    A gray file, whose only table is finer, stays white for longer: the guide loses 0.7 dB for noise 8 at quality 90.
    """
    coding = picture.source.jpeg
    if coding is None:
        return True
    gray = picture.pixels.shape[2] == 1
    return (gray or coding.subsampling == 0) and level >= max(coding.tables[-1]) / (5 if gray else 2)


def _jpeg_quality(picture: "Picture") -> float:
    """As the core is told it: the best qualities count as none, which measured 0.06 to 0.11 dB better at 96 and 98."""
    from .jpeg_tables import quality_of

    coding = picture.source.jpeg
    quality = 100.0 if coding is None else quality_of(dict(enumerate(coding.tables)))
    return quality if quality <= MAX_JPEG_QUALITY else 100.0


def measured_noise(picture: "Picture") -> "NoiseEstimate":
    """The noise in 8-bit levels, read as fits the file: white, or in a JPEG's own blocks."""
    import numpy as np

    from .degradation import LEVEL
    from .image_io import as_coded
    from .noise_level import estimate_noise, estimate_noise_jpeg

    levels, coding = (picture.pixels + 1) * np.float32(LEVEL), picture.source.jpeg
    white = estimate_noise(levels, clips=bool(levels.min() >= 0 and levels.max() <= 2 * LEVEL))
    if coding is None or _is_white(picture, white.level):
        return white
    gray = levels.shape[2] == 1
    luma = as_coded(levels, coding) @ np.array([1.0] if gray else [0.299, 0.587, 0.114], np.float32)
    return estimate_noise_jpeg(luma, np.reshape(coding.tables[0], (8, 8)), gray=gray)


def _noise_note(found: "NoiseEstimate") -> str:
    if found.level == 0:
        return f"no noise measurable ({found.method}), so nothing is removed; --noise LEVEL insists"
    return f"noise {found.level:.1f} (estimated: {found.method})"


@dataclass(frozen=True, kw_only=True, slots=True)
class Inpaint:
    """Fill missing pixels, keep the others bit for bit.

    Attributes:
        mask: (H, W), True = fill; "alpha" = the picture's transparent pixels; None = the boxes alone.
        boxes: (x, y, width, height) rectangles to fill as well.
        invert_mask: fill what mask and boxes leave, instead.
    Raises: UsageError: neither mask nor box, or a box without area.
    """

    mask: "NDArray[np.bool_] | Literal['alpha'] | None" = None
    boxes: "Sequence[Box]" = ()
    invert_mask: bool = False

    def __post_init__(self) -> None:
        """Check that there is something to fill."""
        if self.mask is None and not self.boxes:
            raise UsageError("what is to be filled? Give --mask FILE, --mask alpha or --box x,y,w,h")
        for box in self.boxes:
            if box[2] <= 0 or box[3] <= 0:
                raise UsageError(f"--box {','.join(map(str, box))}: width and height must be positive")

    def task(self, picture: "Picture") -> "Task":
        """What is known about this picture.

        Raises: PictureError: a mask of another size, a box beside the picture, no alpha.
        """
        from .task import Task

        hole = self._hole(picture)
        warning = ""
        if not hole.any():
            warning = "the mask is empty, so nothing is filled (white = fill)"
        elif hole.all():
            warning = "the mask covers the whole picture, so nothing of it is kept (white = fill)"
        return Task(hole=hole, opaque=isinstance(self.mask, str), warnings=(warning,) if warning else ())

    def _hole(self, picture: "Picture") -> "NDArray[np.bool_]":
        import numpy as np

        h, w = picture.pixels.shape[:2]
        hole = np.zeros((h, w), bool)
        if isinstance(self.mask, str):
            hole |= _transparent(picture)
        elif self.mask is not None:
            if self.mask.shape != (h, w):
                mh, mw = self.mask.shape
                raise PictureError(f"the mask is {mw}x{mh} but the picture, as displayed, {w}x{h}; resize the mask")
            hole |= self.mask
        for x, y, width, height in self.boxes:
            if x >= w or y >= h or x + width <= 0 or y + height <= 0:
                raise PictureError(f"--box {x},{y},{width},{height} lies outside the picture, which is {w}x{h}")
            hole[max(y, 0) : y + height, max(x, 0) : x + width] = True
        return ~hole if self.invert_mask else hole


def mask_of(picture: "Picture") -> "NDArray[np.bool_]":
    """A picture as a mask (H, W): True where it is at least half white."""
    mask: NDArray[np.bool_] = picture.pixels.mean(2) >= 0
    return mask


def _transparent(picture: "Picture") -> "NDArray[np.bool_]":
    if picture.alpha is None:
        raise PictureError("--mask alpha: the picture has no alpha channel; give --mask FILE")
    transparent: NDArray[np.bool_] = picture.alpha < 2 ** (picture.depth - 1)
    return transparent


@dataclass(frozen=True, kw_only=True, slots=True)
class SuperResolve:
    """Enlarge. Exactly one of the three is given.

    Attributes:
        scale: factor, 1 < scale <= 8.
        to_size: (width, height) that the result fits inside, aspect kept.
        long_edge: the longer side of the result in pixels.
    Raises: UsageError: none or several of them, or a value out of range.
    """

    scale: float | None = None
    to_size: tuple[int, int] | None = None
    long_edge: int | None = None

    def __post_init__(self) -> None:
        """Check that the size is given once."""
        if sum(v is not None for v in (self.scale, self.to_size, self.long_edge)) != 1:
            raise UsageError("give exactly one of --scale, --to-size and --long-edge")
        if self.scale is not None and not 1 < self.scale <= MAX_SCALE:
            raise UsageError(f"--scale must be more than 1 and at most {MAX_SCALE:g}, not {self.scale:g}")
        if min(*(self.to_size or (1, 1)), self.long_edge or 1) < 1:
            raise UsageError("--to-size and --long-edge take positive numbers of pixels")

    def task(self, picture: "Picture") -> "Task":
        """What is known about this picture.

        Raises: PictureError: the size asked for is not larger than the picture, or more than 8 times as large.
        """
        from .degradation import Description
        from .task import Task

        h, w = picture.pixels.shape[:2]
        scale = self._scale(w, h)
        size = (max(round(h * scale), 1), max(round(w * scale), 1))
        return Task(guide=Description(scale=scale), size=size)

    def _scale(self, w: int, h: int) -> float:
        if self.scale is not None:
            return self.scale
        if self.to_size is not None:
            scale = min(self.to_size[0] / w, self.to_size[1] / h)
        else:
            scale = (self.long_edge or 0) / max(w, h)
        if scale <= 1:
            raise PictureError(f"the picture is {w}x{h} already, not smaller than the size asked for")
        if scale > MAX_SCALE:
            raise PictureError(f"the size asked for is {scale:.3g} times the picture's {w}x{h}; at most {MAX_SCALE:g}")
        return scale


Request = Denoise | Inpaint | SuperResolve
"""Each has `task(picture)`."""
