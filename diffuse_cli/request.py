"""What a user asks for, the same for any picture: options that are checked before a model loads, and become a Task.

The names are the command line's; the Python API uses them too. Nothing here imports torch before `task` is called.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import Field, dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, Protocol

from .errors import PictureError, UsageError
from .hole_width import widest, width
from .noise_map import KnownNoise, check_map, estimated_map, given_map

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from .estimation.estimate import Estimate
    from .estimation.noise_level import NoiseEstimate
    from .image_file.image_io import Picture
    from .task import Task

MAX_SCALE = 8.0
MAX_NOISE = 1000.0
MAX_BLUR = 20.0
KNOWN_BLUR = 3.0
"""The most blur that the weights were trained on; of more, as much is undone."""
LEAST_BLUR = 0.7
"""Below it the estimate says little: photographs as they are read up to 0.6."""
UNDONE: Final = {"noise": 0.0, "jpeg": 100.0, "blur": 0.0}
"""What `Restore` finds out by itself, in the words of --only, and what says that there is none."""
MAX_GROW = 200
"""Pixels by which a mask can be grown, and over which it can fade."""
Box = tuple[int, int, int, int]
Polygon = tuple[tuple[float, float], ...]


def check_range(name: str, value: float, low: float, high: float) -> None:
    """A number of a range; NaN compares false, so it fails too."""
    if not isinstance(value, int | float) or not low <= value <= high:
        raise UsageError(f"--{name} must be a number in {low:g} .. {high:g}, not {value}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Denoise:
    """Remove white noise.

    Attributes:
        noise: its std in 8-bit levels; "auto" = estimate it for each picture; "poisson" = by brightness, too: variance
            = gain * level + offset; "auto-map" = that, times a factor that changes smoothly over the picture.
        noise_map: (H, W) its std at each pixel in 8-bit levels; instead of `noise`.
        strength: 0 = the input, 1 = the estimate.
        chroma_strength: the same for the colour noise alone; None = as strength.
    Raises: UsageError: a value out of range, or both a noise and a map.
    """

    noise: "float | Literal['auto', 'poisson', 'auto-map']" = "auto"
    noise_map: "NDArray[np.float32] | None" = None
    strength: float = 1.0
    chroma_strength: float | None = None

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not isinstance(self.noise, str):
            check_range("noise", self.noise, 0, MAX_NOISE)
        elif self.noise not in ("auto", "poisson", "auto-map"):
            raise UsageError(f"--noise must be a number, auto, poisson or auto-map, not {self.noise}")
        if self.noise_map is not None:
            check_map(self.noise_map)
            if self.noise != "auto":
                raise UsageError("--noise and --noise-map both say what the noise is; give one of them")
        check_range("strength", self.strength, 0, 1)
        if self.chroma_strength is not None:
            check_range("chroma-strength", self.chroma_strength, 0, 1)

    def task(self, picture: "Picture") -> "Task":
        """What is known about this picture.

        Raises: PictureError: the map is of another size.
        """
        import numpy as np

        from .degradation import LEVEL, Description
        from .estimation.picture_noise import coded_quality, is_white
        from .task import Task

        noise = self._noise(picture)
        level = noise.level
        guided = level > 0 and not is_white(picture, level)
        return Task(
            noise=level / LEVEL,
            sigma_y=None if noise.std is None else noise.std / np.float32(LEVEL),
            guide=Description(noise=level / LEVEL, quality=coded_quality(picture)) if guided else None,
            strength=self.strength,
            chroma_strength=self.strength if self.chroma_strength is None else self.chroma_strength,
            notes=noise.notes,
            warnings=noise.warnings,
            facts=noise.facts,
        )

    def _noise(self, picture: "Picture") -> KnownNoise:
        from .estimation.picture_noise import measured_noise

        if self.noise_map is not None:
            return given_map(self.noise_map, picture)
        if not isinstance(self.noise, str):
            return KnownNoise(level=float(self.noise))
        if self.noise != "auto":
            return estimated_map(picture, by_place=self.noise == "auto-map")
        found = measured_noise(picture)
        return KnownNoise(level=found.level, notes=(_noise_note(found),), facts={"noise": found.level})


def _noise_note(found: "NoiseEstimate") -> str:
    if found.level == 0:
        return f"no noise measurable ({found.method}), so nothing is removed; --noise LEVEL insists"
    return f"noise {found.level:.1f} (estimated: {found.method})"


_WIDE = "a hole is "
_WIDE_NOTE = _WIDE + (
    "{across} pixels wide, so it is filled coarse to fine, by a guess: --seed N guesses again, --steps 1 "
    "keeps the smooth mean"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Inpaint:
    """Fill missing pixels, keep the others bit for bit.

    Attributes:
        mask: (H, W), True = fill; "alpha" = the picture's transparent pixels; "auto" = what looks like dust, scratches,
            tears and missing corners; None = the boxes and polygons alone.
        boxes: (x, y, width, height) rectangles to fill as well; polygons: (x, y) of their corners.
        invert_mask: fill what mask, boxes and polygons leave, instead.
        grow: pixels by which what is to be filled is grown, in the end.
        feather: pixels over which the filling fades in, inside of that.
        mask_strength: of "auto": from 0, what is surely damage, to 1, whatever may be.
        mask_limit: of "auto": the most of the picture that may look damaged, in percent.
    Raises: UsageError: nothing to fill, a box without area, a polygon of less than three corners, a value out of range.
    """

    mask: "NDArray[np.bool_] | Literal['alpha', 'auto'] | None" = None
    boxes: "Sequence[Box]" = ()
    polygons: "Sequence[Polygon]" = ()
    invert_mask: bool = False
    grow: int = 0
    feather: int = 0
    mask_strength: float = 0.5
    mask_limit: float = 5.0

    def __post_init__(self) -> None:
        """Check that there is something to fill."""
        if self.mask is None and not self.boxes and not self.polygons:
            raise UsageError(
                "what is to be filled? Give --mask FILE, --mask alpha, --mask auto, --box x,y,w,h or --polygon x,y,..."
            )
        for box in self.boxes:
            if box[2] <= 0 or box[3] <= 0:
                raise UsageError(f"--box {','.join(map(str, box))}: width and height must be positive")
        for points in self.polygons:
            if len(points) < 3:
                raise UsageError(f"--polygon {_shown(points)}: give three corners or more, x,y of each")
        check_range("grow", self.grow, 0, MAX_GROW)
        check_range("feather", self.feather, 0, MAX_GROW)
        check_range("mask-strength", self.mask_strength, 0, 1)
        check_range("mask-limit", self.mask_limit, 0, 100)

    def task(self, picture: "Picture") -> "Task":
        """What is known about this picture.

        Raises: PictureError: a mask of another size, a box beside the picture, no alpha, too much that looks damaged.
        """
        from .task import Task

        hole, notes = self._hole(picture)
        source = self.mask if isinstance(self.mask, str) else ""
        warning = ""
        if not hole.any() and source != "auto":
            warning = "the mask is empty, so nothing is filled (white = fill)"
        elif hole.all():
            warning = "the mask covers the whole picture, so nothing of it is kept (white = fill)"
        warnings = (warning,) if warning else ()
        if widest(hole) is not None:
            notes = (*notes, _WIDE_NOTE.format(across=width(hole)))
        return Task(
            hole=hole, cover=self._cover(hole), opaque=source == "alpha", notes=notes, warnings=warnings
        )  # fmt: skip

    def _cover(self, hole: "NDArray[np.bool_]") -> "NDArray[np.float32] | None":
        if self.feather == 0:
            return None
        from .mask_shapes import fading

        return fading(hole, self.feather)

    def _hole(self, picture: "Picture") -> "tuple[NDArray[np.bool_], tuple[str, ...]]":
        from .mask_shapes import grown

        hole, notes = self._masked(picture)
        h, w = hole.shape
        for x, y, across, down in self.boxes:
            if x >= w or y >= h or x + across <= 0 or y + down <= 0:
                raise PictureError(f"--box {x},{y},{across},{down} lies outside the picture, which is {w}x{h}")
            hole[max(y, 0) : y + down, max(x, 0) : x + across] = True
        for points in self.polygons:
            hole |= _polygon(points, (h, w))
        if self.invert_mask:
            hole = ~hole
        return grown(hole, self.grow) if self.grow else hole, notes

    def _masked(self, picture: "Picture") -> "tuple[NDArray[np.bool_], tuple[str, ...]]":
        """What the mask alone says, and what there is to tell of it."""
        import numpy as np

        h, w = picture.pixels.shape[:2]
        if self.mask is None:
            return np.zeros((h, w), bool), ()
        if isinstance(self.mask, str):
            return (_transparent(picture), ()) if self.mask == "alpha" else self._found(picture)
        if self.mask.shape != (h, w):
            mh, mw = self.mask.shape
            raise PictureError(f"the mask is {mw}x{mh} but the picture, as displayed, {w}x{h}; resize the mask")
        return self.mask.copy(), ()

    def _found(self, picture: "Picture") -> "tuple[NDArray[np.bool_], tuple[str, ...]]":
        """--mask auto."""
        from .degradation import LEVEL
        from .estimation.marks import find_marks

        found = find_marks((picture.pixels + 1) * LEVEL, self.mask_strength)
        share = 100 * float(found.mean())
        if share > self.mask_limit:
            raise PictureError(
                f"{share:.1f} % of the picture looks damaged, more than {self.mask_limit:g} %: probably wrong; "
                f"--mask-limit {math.ceil(share)} insists, a smaller --mask-strength finds less"
            )
        if share == 0:
            return found, ("nothing looks like dust, scratches or tears",)
        return found, (f"{share:.2f} % of the picture looks like dust, scratches or tears, and is filled",)


def _polygon(points: Polygon, size: tuple[int, int]) -> "NDArray[np.bool_]":
    from .mask_shapes import polygon_mask

    inside = polygon_mask(size, points)
    if not inside.any():
        raise PictureError(f"--polygon {_shown(points)} lies outside the picture, which is {size[1]}x{size[0]}")
    return inside


def _shown(points: Polygon) -> str:
    return ",".join(f"{value:g}" for point in points for value in point)


def mask_picture(mask: "NDArray[np.bool_]") -> "Picture":
    """The inverse of `mask_of`: a gray picture, white where the mask (H, W) is True."""
    import numpy as np

    from .image_file.image_io import Picture

    return Picture(pixels=np.where(mask, 1, -1)[..., None].astype(np.float32))


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
        consistent: shrunk again (antialiased bicubic, in float), the result is the picture.
    Raises: UsageError: none or several of them, or a value out of range.
    """

    scale: float | None = None
    to_size: tuple[int, int] | None = None
    long_edge: int | None = None
    consistent: bool = False

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
        warnings = _against_consistency(picture) if self.consistent else ()
        return Task(guide=Description(scale=scale), size=size, consistent=self.consistent, warnings=warnings)

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


def _against_consistency(picture: "Picture") -> tuple[str, ...]:
    """What a result that explains every level of the picture would explain with it."""
    from .estimation.picture_noise import measured_noise

    found = []
    if picture.source.lossy:
        found.append(f"its {picture.source.format} compression")
    level = measured_noise(picture).level
    if level > 0:
        found.append(f"its noise ({level:.1f} levels)")
    if not found:
        return ()
    return (f"--consistent enlarges {' and '.join(found)} too; leave it out, or restore the picture first",)


@dataclass(frozen=True, kw_only=True, slots=True)
class Restore:
    """Undo whatever happened to a picture, all at once.

    Attributes:
        noise: std of noise in 8-bit levels; jpeg: IJG quality; blur: std of a Gaussian in pixels. "auto" = find out for
            each picture, None = there is none. Noise "if-blurred" = find out, but only where a blur is to be undone,
            which would make the noise stronger.
        scale: enlarge by this factor, too; 1 <= scale <= 8.
        holes: what is missing, None = nothing.
    Raises: UsageError: a value out of range, or nothing to do.
    """

    noise: "float | Literal['auto', 'if-blurred'] | None" = "auto"
    jpeg: "float | Literal['auto'] | None" = "auto"
    blur: "float | Literal['auto'] | None" = "auto"
    scale: float = 1.0
    holes: Inpaint | None = None

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, low, high in (("noise", 0, MAX_NOISE), ("jpeg", 1, 100), ("blur", 0, MAX_BLUR)):
            value = getattr(self, name)
            if value not in ("auto", None) and (name, value) != ("noise", "if-blurred"):
                check_range(name, value, low, high)
        check_range("scale", self.scale, 1, MAX_SCALE)
        if (self.noise, self.jpeg, self.blur, self.holes) == (None,) * 4 and self.scale == 1:
            raise UsageError("what is to be restored? Give --noise, --jpeg, --blur, --scale or --mask")

    @property
    def estimated(self) -> tuple[str, ...]:
        """What is to be found out, of `UNDONE`."""
        return tuple(name for name in UNDONE if getattr(self, name) in ("auto", "if-blurred"))

    def task(self, picture: "Picture") -> "Task":
        """What is known about this picture: what was said, and what was found out.

        Raises: PictureError: as `Inpaint.task`.
        """
        from .estimation.estimate import estimate
        from .estimation.patching import patched
        from .task import Task

        holes = Task() if self.holes is None else self.holes.task(picture)
        if not self.estimated:
            return self._task(picture, None, holes)
        seen = picture if holes.hole is None else replace(picture, pixels=patched(picture.pixels, holes.hole))
        return self._task(picture, estimate(seen), holes)

    def task_for(self, picture: "Picture", found: "Estimate") -> "Task":
        """The same, where nothing is missing and what can be found out is known."""
        from .task import Task

        return self._task(picture, found, Task())

    def _task(self, picture: "Picture", found: "Estimate | None", holes: "Task") -> "Task":
        from .degradation import LEVEL, Description
        from .estimation.picture_noise import MAX_JPEG_QUALITY

        noise, jpeg, blur = _resolved(self, found)
        notes = () if found is None else (_restore_note(self, noise, jpeg, blur),)
        is_exact = noise == 0 and jpeg == 100 and blur == 0 and self.scale == 1  # or wide holes are filled at once
        of_holes = [note for note in holes.notes if is_exact or not note.startswith(_WIDE)]
        plain = replace(holes, notes=(*notes, *of_holes))
        as_stored = jpeg == 100 or picture.source.jpeg is not None
        if blur == 0 and self.scale == 1 and noise > 0 and self.holes is None and as_stored:
            alone = Denoise(noise=noise).task(picture)  # through y, or as a guide where a coder was at the noise
            return replace(plain, noise=alone.noise, guide=alone.guide, uncoded=alone.guide is not None and jpeg < 100)
        quality = jpeg if jpeg <= MAX_JPEG_QUALITY else 100.0
        if blur == 0 and self.scale == 1 and quality == 100:
            return replace(plain, noise=noise / LEVEL)
        h, w = picture.pixels.shape[:2]
        size = (max(round(h * self.scale), 1), max(round(w * self.scale), 1))
        told = Description(scale=self.scale, noise=noise / LEVEL, quality=quality, blur=min(blur, KNOWN_BLUR))
        return replace(plain, guide=told, size=size if self.scale > 1 else None, uncoded=quality < 100)


def restore_only(only: Collection[str], given: Mapping[str, Any]) -> dict[str, Any]:
    """The part of `Restore`'s options that names what happened: "auto" of what is to be undone, None of the rest.

    Args: only: of `UNDONE`; given: what was said of each of these, None = nothing.
    Raises: UsageError: an unknown name, or something is said of what is not to be undone.
    """
    for name in only:
        if name not in UNDONE:
            raise UsageError(f"--only takes {', '.join(UNDONE)}, not {name or 'nothing'}")
    for name, value in given.items():
        if value not in (None, UNDONE[name]) and name not in only:
            raise UsageError(f"--{name} {value}: --only leaves it out; name {name} there too, or give no --{name}")
    options = {name: "auto" if name in only and given.get(name) is None else given.get(name) for name in UNDONE}
    if "blur" in only and "noise" not in only:
        options["noise"] = "if-blurred"
    return options


def _resolved(request: Restore, found: "Estimate | None") -> tuple[float, float, float]:
    """Noise, JPEG quality (100 = none) and blur, with what was found out in the place of "auto"."""
    values: dict[str, float] = {}
    for name, none in UNDONE.items():
        value = getattr(request, name)
        if name in request.estimated:
            value = None if found is None else getattr(found, name).value
            if name == "blur" and found is not None and not _is_surely_blurred(found):
                value = None
        values[name] = none if value is None else float(value)
    if request.noise == "if-blurred" and values["blur"] == 0:
        values["noise"] = 0.0
    # A blur was before the enlargement if both are to be undone, so in pixels of the result it is larger.
    return values["noise"], values["jpeg"], values["blur"] * request.scale


def _is_surely_blurred(found: "Estimate") -> bool:
    """Whether more blur is read than in sharp photographs, where noise makes readings wide."""
    std, spread = found.blur.value or 0.0, found.blur.spread or 0.0
    return std >= LEAST_BLUR and std - 1.5 * spread >= LEAST_BLUR - 0.2


def _restore_note(request: Restore, noise: float, jpeg: float, blur: float) -> str:
    words = []
    if request.noise == "auto" or (request.noise == "if-blurred" and blur):
        words.append(f"noise {noise:.1f}" if noise else "no noise")
    if request.jpeg == "auto":
        words.append(f"JPEG quality {jpeg:.0f}" if jpeg < 100 else "no trace of JPEG")
    if request.blur == "auto":
        words.append(f"blur {blur / request.scale:.2f}" if blur else "no blur to undo")
    return "estimated: " + ", ".join(words)


class Request(Protocol):
    """What is asked for; a dataclass whose fields are its options."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def task(self, picture: "Picture") -> "Task":
        """What is known about this picture."""
