"""Noise that differs from place to place: a map of its std, given as a gray picture or estimated."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...errors import PictureError, UsageError

if TYPE_CHECKING:
    from ...images.image_io import Picture

_TRAINED = 128.0
"""The most noise, in 8-bit levels, that the weights have seen as an observation."""
_EVEN_ENOUGH = 6.0
"""How much larger the largest std of a given map may be than the least for `KnownNoise.by_levels`."""


def map_of(picture: "Picture") -> NDArray[np.float32]:
    """Return a gray picture as a map (H, W) of the noise's std in 8-bit levels.

    Args:
        picture: levels of 8 bits count as they are, of 16 bits as 256 times finer. White of floats, 1, is 255.

    Raises:
        PictureError: it has colours, or is DICOM, whose values are no levels.
    """
    if picture.source.dicom is not None:
        raise PictureError("the noise map is DICOM; give a gray PNG or TIFF, whose levels are the std of the noise")
    if not picture.is_gray:
        raise PictureError("the noise map has colours; give a gray picture, whose levels are the std of the noise")
    white = picture.white / 256 if picture.depth == 16 and not picture.floating else 255.0
    std: NDArray[np.float32] = (picture.pixels[..., 0] + 1) * np.float32(white / 2)
    return np.maximum(std, 0)


def check_map(std: NDArray[np.float32]) -> None:
    """Check a map of stds.

    Args:
        std: the map.

    Raises:
        UsageError: not (H, W), or some of it negative or not finite.
    """
    if std.ndim != 2 or 0 in std.shape:
        raise UsageError(f"a noise map must be (H, W), not {std.shape}")
    if not (np.isfinite(std).all() and std.min() >= 0):
        raise UsageError("a noise map must hold finite numbers >= 0")


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class KnownNoise:
    """The noise of one picture, in 8-bit levels.

    Attributes:
        level: its std; of a map, the root mean square.
        std: (H, W); None = the same everywhere.
        by_levels: the result lies between those for a few levels, which is better by 0.2 to 0.4 dB. A given map that
            varies much more may have small parts far from all of them, or pixels without noise: each pixel is told its
            own then.
        notes: lines for the user.
        warnings: warnings for the user, one line each.
        facts: what the recipe tells.
    """

    level: float
    std: NDArray[np.float32] | None = None
    by_levels: bool = True
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    facts: Mapping[str, float] = field(default_factory=dict)


def given_map(std: NDArray[np.float32], picture: "Picture") -> KnownNoise:
    """Return the noise of a given map.

    Args:
        std: (H, W), in 8-bit levels.
        picture: as displayed.

    Raises:
        PictureError: the map is of another size than the picture.
    """
    h, w = picture.pixels.shape[:2]
    if std.shape != (h, w):
        size = f"{std.shape[1]}x{std.shape[0]}"
        raise PictureError(f"the noise map is {size} but the picture, as displayed, {w}x{h}; resize the map")
    level = _rms(std)
    most = float(std.max())
    beyond = (f"noise of up to {most:.0f} levels is more than the weights were trained on ({_TRAINED:.0f})",)
    even = most <= _EVEN_ENOUGH * float(std.min())
    return KnownNoise(level=level, std=std, by_levels=even, warnings=beyond if most > _TRAINED else ())


def estimated_map(picture: "Picture", *, by_place: bool, least: float | None = None) -> KnownNoise:
    """Estimate the noise of a picture by brightness; one level where it does not vary.

    Args:
        picture: as it was read.
        by_place: by the place, too.
        least: its level in 8-bit levels, as it is known already. The map has this root mean square or more, and faint
            noise is estimated by brightness, too. None: the level is estimated here.
    """
    from ...images.units import LEVEL
    from .noise_model import FAINTEST
    from .picture_noise import is_white, measured_noise
    from .varying_noise import estimate_varying_noise

    level = measured_noise(picture).level if least is None else least
    one = KnownNoise(level=level, facts={"noise": level})
    how = f"noise: about {level:.1f} levels (estimated)"
    if level == 0:
        return _told(one, "no noise found, so nothing is removed; --noise LEVEL removes it anyway")
    if not is_white(picture, level):
        return _told(one, f"{how}, taken as the same everywhere, because a JPEG hides where it varies")
    levels = picture.in_levels()
    clips = bool(levels.min() >= 0 and levels.max() <= 2 * LEVEL)
    faintest = FAINTEST if least is None else 0.0
    varying = estimate_varying_noise(levels, level, by_place=by_place, clips=clips, faintest=faintest)
    if varying is None:
        return _told(one, f"{how}, the same everywhere")
    facts = {
        "noise": _rms(varying.std),
        "noise_gain": varying.gain,
        "noise_offset": varying.offset,
        "noise_shading": varying.shading,
    }
    found = KnownNoise(level=facts["noise"], std=varying.std, facts=facts, notes=(_by_brightness(facts),))
    return found if least is None or found.level >= least else of_photograph(found, least, None)


def _by_brightness(facts: Mapping[str, float], grain: float | None = None) -> str:
    """Return what was found of noise that varies, in words."""
    shading = facts["noise_shading"]
    place = f", with a std {shading:.1f} times as large at one place as at another" if shading > 1 else ""
    coarse = "" if grain is None else f", grain of {grain:.1f} pixels"
    line = f"variance {facts['noise_gain']:.2g} x level + {facts['noise_offset']:.2g}{place}"
    return f"noise: about {facts['noise']:.1f} levels on average{coarse} (estimated), {line}"


def of_photograph(noise: KnownNoise, level: float, grain: float | None) -> KnownNoise:
    """Return noise that was estimated as if it were white, with the level and the grain of correlated noise.

    Estimators of white noise look at neighbours, between which correlated noise differs less. How it depends on
    brightness and place, they tell.

    Args:
        noise: as `estimated_map` returns it.
        level: in 8-bit levels.
        grain: in pixels; None = the noise is white.
    """
    grained = {} if grain is None else {"grain": grain}
    if "noise_gain" not in noise.facts or noise.std is None:
        coarse = "" if grain is None else f", grain of {grain:.1f} pixels"
        note = f"noise: about {level:.1f} levels{coarse} (estimated), the same everywhere"
        return KnownNoise(level=level, facts={"noise": level, **grained}, notes=(note,))
    factor, said = level / noise.level, noise.facts
    facts = {
        **said, "noise": level, **grained, "noise_gain": said["noise_gain"] * factor**2,
        "noise_offset": said["noise_offset"] * factor**2,
    }  # fmt: skip
    return KnownNoise(
        level=level, std=noise.std * np.float32(factor), facts=facts, notes=(_by_brightness(facts, grain),)
    )


def of_span(noise: KnownNoise, scale: float, black: float) -> KnownNoise:
    """Return noise that was estimated in a span of the range in levels of the whole range.

    Args:
        noise: as `estimated_map` returns it.
        scale: of the span's range to the whole one.
        black: the level of the whole range at which the span begins.
    """
    std, facts = None if noise.std is None else noise.std * np.float32(scale), dict(noise.facts)
    facts["noise"] = noise.level * scale
    if "noise_gain" not in facts:
        notes = tuple(note.replace(f"{noise.level:.1f} levels", f"{facts['noise']:.1f} levels") for note in noise.notes)
        return replace(noise, level=facts["noise"], std=std, facts=facts, notes=notes)
    gain = facts["noise_gain"]
    facts |= {"noise_gain": gain * scale, "noise_offset": facts["noise_offset"] * scale**2 - gain * scale * black}
    return replace(
        noise, level=facts["noise"], std=std, facts=facts, notes=(_by_brightness(facts, facts.get("grain")),)
    )


def _rms(std: NDArray[np.float32]) -> float:
    return float(np.sqrt(np.mean(np.square(std, dtype=np.float64))))


def _told(noise: KnownNoise, note: str) -> KnownNoise:
    return KnownNoise(level=noise.level, facts=noise.facts, notes=(note,))
