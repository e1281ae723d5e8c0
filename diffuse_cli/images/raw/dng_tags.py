"""Tags of DNG (Adobe DNG Specification 1.7): those of an input that stay true, and those made for another camera."""

import io
from contextlib import suppress
from typing import Any, Final

import numpy as np
import tifffile
from numpy.typing import NDArray

from .noise_law import NoiseLaw
from .sensor import Tag

BYTE, ASCII, SHORT, LONG, RATIONAL, SRATIONAL, DOUBLE = 1, 2, 3, 4, 5, 10, 12
DNG_VERSION, BACKWARD_VERSION, CAMERA_MODEL = 50706, 50707, 50708
BLACK_LEVEL, WHITE_LEVEL, CROP_ORIGIN, CROP_SIZE = 50714, 50717, 50719, 50720
COLOR_MATRIX, AS_SHOT_NEUTRAL, ILLUMINANT, ACTIVE_AREA, NOISE_PROFILE = 50721, 50728, 50778, 50829, 51041
_GAIN_MAP, _DEFAULT_SCALE, _OPCODES_LAST = 51009, 50718, 51022
_OF_THE_PICTURE: Final = frozenset({_DEFAULT_SCALE, CROP_ORIGIN, CROP_SIZE, 50738, 50780, _OPCODES_LAST, 51125})
"""Scale, crop, anti-aliasing, best quality, corrections of the lens, and the crop that the user chose."""
_OF_THE_CAMERA: Final = frozenset(
    {CAMERA_MODEL, 50709, *range(50721, 50735), 50736, 50739, 50778, 50779, *range(50931, 50944), *range(50964, 50967)}
    | {50971, 50974, 50981, 50982, *range(51107, 51113), 52525, *range(52529, 52538)}
) - {50733}
"""Names, matrices, calibrations, white balance, exposure, profiles, second illuminants."""
D65: Final = 21
_XYZ_OF_SRGB: Final = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175],
                                [0.0193339, 0.119192, 0.9503041]])  # fmt: skip


def dng_tags(data: bytes) -> dict[int, tuple[int, Any]]:
    """Return the tags of a DNG that tell of its picture and its camera, type and value; {} = it is no DNG.

    Args:
        data: the file.
    """
    with suppress(Exception), tifffile.TiffFile(io.BytesIO(data)) as file:
        main = file.pages[0]
        if DNG_VERSION in main.tags:
            pages = [main, *(main.pages or [])]
            sensor = next((page for page in pages if int(page.photometric) in (32803, 34892)), main)
            found = {tag.code: tag for tag in main.tags if tag.code in _OF_THE_CAMERA}
            kept = _OF_THE_PICTURE | {NOISE_PROFILE, _GAIN_MAP}
            found |= {tag.code: tag for page in (main, sensor) for tag in page.tags if tag.code in kept}
            return {code: (int(tag.dtype), tag.value) for code, tag in found.items()}
    return {}


def carried(found: dict[int, tuple[int, Any]]) -> tuple[Tag, ...]:
    """Return the tags of a DNG that are true of a result of the same size, too.

    Args:
        found: as `dng_tags` returns them.
    """
    return tuple(
        (code, *found[code])
        for code in sorted(found)
        if code not in (NOISE_PROFILE, _GAIN_MAP) and not _is_undefined(*found[code])
    )


def _is_undefined(kind: int, value: Any) -> bool:  # noqa: ANN401
    return kind in (RATIONAL, SRATIONAL) and 0 in np.asarray(value).ravel()[1::2]


def has_gain_map(found: dict[int, tuple[int, Any]]) -> bool:
    """Return whether corrections are to be applied to the mosaic, which LibRaw does not do.

    Args:
        found: as `dng_tags` returns them.
    """
    return _GAIN_MAP in found


def stated_laws(found: dict[int, tuple[int, Any]], colours: bytes) -> list[NoiseLaw]:
    """Return the noise that a DNG states of red, green and blue; [] = it states none.

    Args:
        found: as `dng_tags` returns them.
        colours: of its planes, in their order, as letters.
    """
    numbers = np.atleast_1d(np.asarray(found.get(NOISE_PROFILE, (DOUBLE, ()))[1], np.float64))
    if len(numbers) not in (2, 6) or not np.isfinite(numbers).all() or (numbers < 0).any() or not numbers.any():
        return []
    pairs = numbers.reshape(-1, 2)
    order = [0, 0, 0] if len(pairs) == 1 else [colours.index(letter) for letter in b"RGB"]
    return [NoiseLaw(gain=float(pairs[k, 0]), offset=float(pairs[k, 1])) for k in order]


def camera_tags(
    name: str, matrix: NDArray[np.float64], gains: NDArray[np.float64], crop: tuple[int, int, int, int] | None
) -> tuple[Tag, ...]:
    """Return the tags of a camera whose file is no DNG.

    Args:
        name: of the camera.
        matrix: (3, 3), XYZ of D65 to the camera's colours.
        gains: (3,), the white balance.
        crop: left, top, width, height of what the camera shows; None = all.
    """
    neutral = gains.min() / gains
    tags: list[Tag] = [
        (CAMERA_MODEL, ASCII, name),
        (COLOR_MATRIX, SRATIONAL, _ratios(matrix.ravel())),
        (AS_SHOT_NEUTRAL, RATIONAL, _ratios(neutral)),
        (ILLUMINANT, SHORT, D65),
    ]
    if crop is not None:
        tags += [(CROP_ORIGIN, LONG, crop[:2]), (CROP_SIZE, LONG, crop[2:])]
    return tuple(tags)


def matrix_of(to_srgb: NDArray[np.float64], daylight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the matrix from XYZ to the camera's colours that LibRaw develops with.

    Args:
        to_srgb: (3, 3), balanced colours of the camera to linear sRGB.
        daylight: (3,), the white balance of daylight.
    """
    balanced = np.linalg.inv(to_srgb) @ np.linalg.inv(_XYZ_OF_SRGB)
    return np.asarray(balanced / daylight[:, None] * daylight[1])


def _ratios(values: NDArray[np.float64]) -> tuple[int, ...]:
    return tuple(int(part) for value in values for part in (round(float(value) * 10**6), 10**6))
