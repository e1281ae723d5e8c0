"""Compose: put one picture into another."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal, get_args

from ..errors import PictureError, UsageError
from ..images.source_type import COMPOSED, SYNTHETIC, strongest
from .task import check_range, to_recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from ..images.picture import Picture
    from ..restoration.noise_reading import NoiseReader
    from ..restoration.problem import Problem
    from .composition.blending import Composed, Condition
    from .composition.placing import Layer

Known = Literal["edge", "seam", "gradient", "alpha"]
Blend = Literal["auto", Known]
MOST_INSERT_SCALE = 8.0
MOST_BAND = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class Compose:
    """Put a cut-out into a picture, or join two pictures along a mask.

    Attributes:
        insert: the cut-out, or the other picture.
        mask: (h, w) of the insert's size, 0 = left out .. 1 = taken; None = what the insert's alpha says, or all of it.
        at: (x, y) of the insert's top left corner, may be negative; None = it has the picture's size and is joined to
            it.
        scale: factor of the insert, at most 8.
        rotate: degrees by which it is turned, counter-clockwise.
        band: width in pixels of what is drawn anew along the seam, half of it on each side.
        blend: "edge" = match the insert's light, blur and grain, and keep its edge; "seam" = match it, blend it by
            gradients, and draw the band anew; "gradient" = the same without the band; "alpha" = lay it over as it is;
            "auto" = "edge" for an insert that is transparent somewhere, else "seam".
        match: share of the correction of the insert's light, 0..1; "auto" = 1, or 0.5 for an insert with alpha, which
            need not have the light of the background.
        seed: of the grain that is added.

    Raises:
        UsageError: a value is out of range, or the mask is of another size.
    """

    insert: "Picture"
    mask: "NDArray[np.float32] | None" = field(default=None, repr=False)
    at: tuple[int, int] | None = (0, 0)
    scale: float = 1.0
    rotate: float = 0.0
    band: int = 32
    blend: Blend = "auto"
    match: "float | Literal['auto']" = "auto"
    seed: int = 0

    fills_holes: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Check the ranges, and the mask's size."""
        if not 0 < self.scale <= MOST_INSERT_SCALE:
            raise UsageError(f"--scale must be more than 0 and at most {MOST_INSERT_SCALE:g}, not {self.scale:g}")
        check_range("rotate", self.rotate, -360, 360)
        check_range("band", self.band, 4, MOST_BAND)
        if self.match != "auto":
            check_range("match", self.match, 0, 1)
        if self.blend not in get_args(Blend):
            raise UsageError(f"--blend must be one of {', '.join(get_args(Blend))}, not {self.blend}")
        size = self.insert.pixels.shape[:2]
        if self.mask is not None and self.mask.shape != size:
            (mh, mw), (h, w) = self.mask.shape, size
            raise UsageError(f"the mask is {mw}x{mh}, but its picture is {w}x{h}; resize the mask")

    def problem(self, picture: "Picture", read_noise: "NoiseReader | None" = None) -> "Problem":
        """Return what is known about a picture with the insert in it.

        Raises:
            PictureError: the insert is to be joined, but has another size.
        """
        import torch

        from ..restoration.problem import Findings, Finish, NoisyPicture, Problem
        from .composition.blending import compose

        h, w = picture.pixels.shape[:2]
        if self.at is None and self.insert.pixels.shape[:2] != (h, w):
            ih, iw = self.insert.pixels.shape[:2]
            raise PictureError(f"--join: the other picture is {iw}x{ih}, this one {w}x{h}; crop or resize one of them")
        layer = self._layer(picture)
        if not bool((layer.cover > 0).any()):
            nothing = "nothing of the cut-out lies inside the picture, so nothing is changed"
            return Problem(findings=Findings(warnings=(nothing,)))
        base, gray, blend = _tensor(picture), picture.is_gray, self.how
        found = compose(
            base, layer, blend, self.band, of_base=_condition(picture), of_layer=self._condition(),
            match=self._match(), seed=self.seed, gray=gray,
        )  # fmt: skip
        notes = (*self._profile_note(picture), _note(found, blend))
        findings = Findings(facts=_facts(found, self._match()), notes=notes)
        if not bool(found.sigma_y.any()):
            return Problem(picture=_with(picture, found.x + found.grain, self.insert), findings=findings)
        sigma_y = found.sigma_y[0, 0]
        known = sigma_y[sigma_y.isfinite()]
        noise = float(known.square().mean().sqrt()) if len(known) else 0.0
        return Problem(
            picture=_with(picture, found.x, self.insert),
            observation=NoisyPicture(noise=noise, sigma_y=sigma_y.numpy()),
            hole=torch.isinf(sigma_y).numpy(),
            finish=Finish(grain=_array(found.grain, picture)),
            findings=findings,
        )

    @staticmethod
    def source_type(recipe: "Mapping[str, Any]") -> str | None:
        """Return IPTC's term for the result: a composite, with synthetic parts if the seam is drawn anew."""
        return COMPOSED if recipe.get("blend") != "seam" or recipe.get("band") == 0 else SYNTHETIC

    @property
    def how(self) -> Known:
        """The blend, where "auto" is decided."""
        if self.blend != "auto":
            return self.blend
        return "edge" if self._has_edge else "seam"

    @property
    def _has_edge(self) -> bool:
        """Whether the insert is transparent somewhere, so that its edge is known."""
        alpha = self.insert.alpha
        return alpha is not None and bool((alpha < 2**self.insert.depth - 1).any())

    def to_recipe(self) -> dict[str, Any]:
        """Return the options as a recipe tells them, without the pictures. It tells which blend it was."""
        return {**to_recipe(self, without={"insert", "mask"}), "blend": self.how}

    def _layer(self, picture: "Picture") -> "Layer":
        import torch

        from ..images.units import luma
        from .composition.placing import place

        x = _tensor(self.insert)
        if picture.is_gray:
            x = luma(x).expand(-1, 3, -1, -1)
        size = (picture.pixels.shape[0], picture.pixels.shape[1])
        cover = torch.from_numpy(self._cover())[None, None]
        return place(x, cover, size, at=self.at or (0, 0), scale=self.scale, rotate=self.rotate)

    def _cover(self) -> "NDArray[np.float32]":
        import numpy as np

        cover = np.ones(self.insert.pixels.shape[:2], np.float32)
        if self.insert.alpha is not None:
            cover *= self.insert.alpha / np.float32(2**self.insert.depth - 1)
        return cover if self.mask is None else cover * self.mask

    def _match(self) -> float:
        if self.match != "auto":
            return self.match
        return 0.5 if self._has_edge else 1.0

    def _condition(self) -> "Condition":
        """Return the insert's condition after scaling. Shrinking averages noise and blur away."""
        found = _condition(self.insert)
        noise = found.noise * min(self.scale, 1.0)
        return replace(found, noise=noise, blur=None if found.blur is None else found.blur * self.scale)

    def _profile_note(self, picture: "Picture") -> tuple[str, ...]:
        same = self.insert.source.icc == picture.source.icc
        return () if same else ("the two pictures have different colour profiles; both are read with the first one's",)


def _tensor(picture: "Picture") -> "Tensor":
    import torch

    return torch.from_numpy(picture.pixels).permute(2, 0, 1)[None].expand(-1, 3, -1, -1).contiguous()


def _array(x: "Tensor", picture: "Picture") -> "NDArray[np.float32]":
    array: NDArray[np.float32] = x[0, : picture.pixels.shape[2]].permute(1, 2, 0).contiguous().numpy()
    return array


def _with(picture: "Picture", x: "Tensor", insert: "Picture") -> "Picture":
    """Return the composition. Of the claims that both pictures make of their origin, the stronger one holds."""
    origin = strongest([name for name in (picture.source.source_type, insert.source.source_type) if name])
    return replace(picture, pixels=_array(x, picture), source=replace(picture.source, source_type=origin))


def _condition(picture: "Picture") -> "Condition":
    from ..degradation.estimation.picture_noise import measured_noise
    from ..degradation.estimation.spectrum import estimate_blur
    from ..images.units import LEVEL
    from ..restoration.visible import visible
    from .composition.blending import Condition

    picture = visible(picture)
    level = measured_noise(picture).level
    blur = estimate_blur(picture.in_levels(), level)
    return Condition(noise=level / LEVEL, blur=blur.std if blur.spread < 0.4 else None)


def _facts(found: "Composed", match: float) -> dict[str, Any]:
    return {"light": [round(g, 4) for g in found.gains], "blurred": round(found.blurred, 3), "matched": match}


def _note(found: "Composed", blend: str) -> str:
    if blend == "alpha":
        return "laid over as it is"
    mean = sum(found.gains) / 3
    words = [f"light times {mean:.2f}"]
    if found.blurred:
        words.append(f"blurred by {found.blurred:.1f} pixels")
    if bool((found.grain != 0).any()):
        words.append("grain added")
    return ", ".join(words)
