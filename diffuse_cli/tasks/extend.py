"""Extend: put a picture on a larger canvas, and paint what lies beyond it."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from ..errors import PictureError, UsageError
from ..images.source_type import EDITED
from .task import to_recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from ..images.picture import Picture
    from ..restoration.noise_reading import NoiseReader
    from ..restoration.problem import Problem

Anchor = Literal[
    "center", "top", "bottom", "left", "right", "top-left", "top-right", "bottom-left", "bottom-right"
]  # fmt: skip
ANCHORS: tuple[Anchor, ...] = get_args(Anchor)
_AT_ONCE = 8
"""Pixels that are filled at once. Only one side is known beyond the frame, so the mean of more is a blur."""
MOST_GROWTH = 4.0
"""Most growth, in widths or heights of the picture. It says nothing of what is farther away."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Extend:
    """Paint beyond the frame. The picture itself stays as it is, pixel for pixel.

    Attributes:
        to_size: (width, height) of the canvas; or
        pad: (left, top, right, bottom), pixels that are added; or
        aspect: (width, height) of the canvas as a ratio. It is just large enough for the picture.
        anchor: where on the canvas of `to_size` or `aspect` the picture stays.

    Raises:
        UsageError: not exactly one of size, pad and aspect is given, or a value is out of range.
    """

    to_size: tuple[int, int] | None = None
    pad: tuple[int, int, int, int] | None = None
    aspect: tuple[int, int] | None = None
    anchor: Anchor = "center"

    fills_holes: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check that the canvas is given once."""
        if [self.to_size, self.pad, self.aspect].count(None) != 2:
            raise UsageError("give exactly one of --pad PX, --to-size WxH and --aspect W:H")
        if self.aspect is not None and min(self.aspect) <= 0:
            raise UsageError("--aspect must be two numbers above 0, like 16:9")
        if self.anchor not in ANCHORS:
            raise UsageError(f"--anchor must be one of {', '.join(ANCHORS)}, not {self.anchor}")
        if self.pad is not None and (min(self.pad) < 0 or max(self.pad) == 0):
            raise UsageError("--pad must be four numbers of pixels, none below 0 and at least one above")
        if self.pad is not None and self.anchor != "center":
            raise UsageError("--anchor needs --to-size or --aspect; --pad already sets where the picture lies")

    def problem(self, picture: "Picture", read_noise: "NoiseReader | None" = None) -> "Problem":
        """Return what is known about the larger picture.

        Raises:
            PictureError: the canvas is no larger than the picture, or much larger.
        """
        from ..restoration.problem import Findings, Finish, Problem
        from ..restoration.strips import strips

        h, w = picture.pixels.shape[:2]
        left, top, right, bottom = self.margins(w, h)
        if left + right > (MOST_GROWTH - 1) * w or top + bottom > (MOST_GROWTH - 1) * h:
            raise PictureError(
                f"the canvas is more than {MOST_GROWTH:g} times as wide or high as the picture, {w}x{h}; extend less"
            )
        larger = on_canvas(picture, left, top, right, bottom)
        return Problem(
            picture=larger,
            hole=margins_of((h, w), left, top, right, bottom),
            at_once=_AT_ONCE,
            strips=strips(larger.pixels, (left, top, right, bottom)),
            finish=Finish(opaque=True, corner=(top, left)),
            findings=Findings(facts={"margins": [left, top, right, bottom]}),
        )

    @staticmethod
    def source_type(recipe: "Mapping[str, Any]") -> str | None:
        """Return IPTC's term for the result. The term names in- and outpainting."""
        return EDITED

    def to_recipe(self) -> dict[str, Any]:
        """Return the options as a recipe tells them. An aspect is told as it is given, such as 16:9."""
        told = to_recipe(self, without={"aspect"})
        return told if self.aspect is None else {**told, "aspect": "{}:{}".format(*self.aspect)}

    def margins(self, w: int, h: int) -> tuple[int, int, int, int]:
        """Return (left, top, right, bottom), the pixels that are added to a picture.

        Args:
            w: its width.
            h: its height.

        Raises:
            PictureError: the canvas is no larger than the picture.
        """
        if self.pad is not None:
            return self.pad
        width, height = self.to_size or self._just_fitting(w, h)
        if self.aspect is not None and (width, height) == (w, h):
            raise PictureError(f"the picture is {w}x{h}, which is {self.aspect[0]}:{self.aspect[1]} already")
        if width < w or height < h or (width, height) == (w, h):
            raise PictureError(
                f"a canvas of {width}x{height} is not larger than the picture, {w}x{h}; give a larger --to-size"
            )
        across, down = width - w, height - h
        left = 0 if "left" in self.anchor else across if "right" in self.anchor else across // 2
        top = 0 if "top" in self.anchor else down if "bottom" in self.anchor else down // 2
        return left, top, across - left, down - top

    def _just_fitting(self, w: int, h: int) -> tuple[int, int]:
        """Return (width, height) of the smallest canvas of the aspect."""
        across, down = self.aspect or (w, h)
        return max(w, round(h * across / down)), max(h, round(w * down / across))


def margins_of(size: tuple[int, int], left: int, top: int, right: int, bottom: int) -> "NDArray[np.bool_]":
    """Return a mask (H, W) of the canvas, True where the picture is not.

    Args:
        size: (height, width) of the picture.
        left: pixels beside it.
        top: pixels above it.
        right: pixels beside it.
        bottom: pixels below it.
    """
    import numpy as np

    hole = np.ones((size[0] + top + bottom, size[1] + left + right), bool)
    hole[top : top + size[0], left : left + size[1]] = False
    return hole


def on_canvas(picture: "Picture", left: int, top: int, right: int, bottom: int) -> "Picture":
    """Return the picture with black margins, transparent where it has an alpha, and its file's own numbers with it.

    Args:
        picture: what is extended.
        left: pixels that are added.
        top: pixels that are added.
        right: pixels that are added.
        bottom: pixels that are added.
    """
    import numpy as np

    from ..images.picture import NO_PADDING, integers

    around = ((top, bottom), (left, right))
    alpha = None if picture.alpha is None else integers(np.pad(picture.alpha, around), picture.depth)
    source = picture.source
    if source.samples is not None:
        source = replace(source, samples=np.pad(source.samples, (*around, (0, 0))))
    if source.extra is not None:
        levels = np.pad(source.extra.levels, (*around, (0, 0)), mode="edge")
        source = replace(source, extra=replace(source.extra, levels=levels))
    if source.dicom is not None:
        padding = source.dicom.padding
        if padding is not None:
            padding = np.pad(padding, around, constant_values=NO_PADDING)
        source = replace(source, dicom=replace(source.dicom, padding=padding, shape=None))
    pixels = np.pad(picture.pixels, (*around, (0, 0)), constant_values=-1)
    return replace(picture, pixels=pixels, alpha=alpha, source=source)
