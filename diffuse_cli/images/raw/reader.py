"""Camera RAW read as light: the numbers of the sensor, its colours interpolated and balanced, no tone curve."""

import io
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ...errors import PictureError
from ..picture import Picture, Source, check_size, upright
from . import dng_tags
from .noise_law import NoiseLaw, measured_law
from .sensor import SensorData, Tag

Light = NDArray[np.float32]

_PEDESTAL: Final = 3000
"""Level of black while colours are interpolated, so that noise below black is not cut off. It would lift shadows."""
_WHITE: Final = 65535
_ORIENTATION: Final = {0: 1, 3: 3, 5: 8, 6: 6}
"""EXIF's number for LibRaw's."""


def read_light(rawpy: Any, data: bytes, max_pixels: int, exif: bytes, camera: str) -> Picture:  # noqa: ANN401
    """Read the light of a sensor: floats, 0 = black .. 1 = white of green, with the white balance as shot.

    Args:
        rawpy: the library.
        data: the file.
        max_pixels: refuse larger pictures before decoding.
        exif: of the file, as `Source` has it.
        camera: its name.

    Raises:
        PictureError: it has no sensor of red, green and blue, holds no light, or has more than `max_pixels`.
        Exception: whatever LibRaw raises.
    """
    found = dng_tags.dng_tags(data)
    with rawpy.imread(io.BytesIO(data)) as raw:
        check_size(raw.sizes.width, raw.sizes.height, max_pixels)
        _check_colours(raw)
        gains, orientation = _gains(raw), _ORIENTATION.get(raw.sizes.flip, 1)
        tags = dng_tags.carried(found) or _camera(raw, camera, gains)
        is_mosaic = raw.raw_type == rawpy.RawType.Flat
        if is_mosaic:
            mosaic, colours = _mosaic(raw)
            planes, brightest = _planes(raw, mosaic), float(mosaic.max())
            light = _interpolated(rawpy, raw, mosaic, colours, gains)
        else:
            light = _stack(raw)
            planes, brightest = [[light[..., k]] for k in range(3)], float(light.max())
            light = light * gains.astype(np.float32)
        if not float(light.max()) > float(light.min()):
            raise PictureError("its sensor holds one level alone, so it is damaged or cut short; copy it again")
    stated = dng_tags.stated_laws(found, b"RGB")
    sensor = SensorData(
        gains=(float(gains[0]), float(gains[1]), float(gains[2])),
        laws=_three(stated or [measured_law(of_colour) for of_colour in planes]),
        seen=laws_of(light, gains),
        full=min(brightest, 1.0),
        is_stated=bool(stated),
        is_mosaic=is_mosaic,
        orientation=orientation,
        tags=tags,
    )
    left = ("corrections of the mosaic (OpcodeList2)",) if dng_tags.has_gain_map(found) else ()
    pixels = np.ascontiguousarray(upright(light, orientation)) * np.float32(2) - np.float32(1)
    source = Source(format="RAW", exif=exif, sensor=sensor, left_behind=left)
    return Picture(pixels=pixels, depth=16, floating=True, source=source)


def _check_colours(raw: Any) -> None:  # noqa: ANN401
    """Refuse sensors of other colours than red, green and blue.

    Raises:
        PictureError: it is one.
    """
    if raw.num_colors == 1:
        raise PictureError("a monochrome sensor, of which no DNG is made; write -o out.tif instead")
    if raw.num_colors != 3 or raw.color_desc[:3] != b"RGB":
        colours = raw.color_desc.decode("ascii", "replace").strip("\0")
        raise PictureError(f"a sensor of the colours {colours}, of which no DNG is made; write -o out.tif instead")


def laws_of(light: Light, gains: NDArray[np.float64]) -> tuple[NoiseLaw, NoiseLaw, NoiseLaw]:
    """Measure the noise of each colour of a picture, in the sensor's own numbers.

    Args:
        light: (H, W, 3), balanced.
        gains: (3,), the white balance.
    """
    return _three([measured_law([light[..., k] / np.float32(gain)]) for k, gain in enumerate(gains)])


def _three(laws: list[NoiseLaw]) -> tuple[NoiseLaw, NoiseLaw, NoiseLaw]:
    red, green, blue = laws
    return red, green, blue


def _gains(raw: Any) -> NDArray[np.float64]:  # noqa: ANN401
    """Return the white balance as shot, else that of daylight, at least 1."""
    for found in (raw.camera_whitebalance, raw.daylight_whitebalance):
        gains = np.array(found[:3], np.float64)
        if np.isfinite(gains).all() and gains.min() > 0:
            return np.asarray(gains / gains.min())
    return np.ones(3)


def _scale(raw: Any) -> tuple[NDArray[np.float32], np.float32]:  # noqa: ANN401
    """Return the level of black of each colour, and how far above it white is."""
    black = np.array(raw.black_level_per_channel, np.float32)
    return black, np.float32(max(raw.white_level - float(black.min()), 1.0))


def _mosaic(raw: Any) -> tuple[Light, NDArray[np.uint8]]:  # noqa: ANN401
    """Return the numbers of the sensor, 0 = black .. 1 = white, and the colour of each (the second green is 3)."""
    black, white = _scale(raw)
    colours = raw.raw_colors_visible
    return (raw.raw_image_visible.astype(np.float32) - black[colours]) / white, colours


def _planes(raw: Any, mosaic: Light) -> list[list[Light]]:  # noqa: ANN401
    """Return, for red, green and blue, the numbers at each place of the pattern that repeats.

    Of patterns larger than 2 x 2 (X-Trans), neighbours of one colour are wanted, or detail would pass for noise. There
    are such of green alone, whose noise then counts for all.
    """
    colours = np.where(raw.raw_colors_visible[:12, :12] == 3, 1, raw.raw_colors_visible[:12, :12])
    if raw.raw_pattern is None or raw.raw_pattern.shape[0] > 2:
        return [green_cells(mosaic, colours == 1)] * 3
    places = [np.argwhere(colours[:2, :2] == k) for k in range(3)]
    return [[mosaic[row::2, column::2] for row, column in of_colour] for of_colour in places]


def green_cells(mosaic: Light, green: NDArray[np.bool_]) -> list[Light]:
    """Return the squares of four green numbers, which X-Trans has every three rows and columns, side by side.

    Args:
        mosaic: (H, W).
        green: (12, 12), which numbers are green.
    """
    planes = []
    for row, column in np.ndindex(3, 3):
        at = [green[row + down :: 3, column + right :: 3] for down, right in np.ndindex(2, 2)]
        if all(one.all() for one in at):
            height, width = ((size - start) // 3 * 3 for size, start in zip(mosaic.shape, (row, column), strict=True))
            inner = mosaic[row : row + height, column : column + width].reshape(height // 3, 3, width // 3, 3)
            planes.append(inner[:, :2, :, :2].reshape(height // 3 * 2, width // 3 * 2))
    return planes


def _interpolated(
    rawpy: Any,  # noqa: ANN401
    raw: Any,  # noqa: ANN401
    mosaic: Light,
    colours: NDArray[np.uint8],
    gains: NDArray[np.float64],
) -> Light:
    """Return balanced light (H, W, 3). LibRaw interpolates, on a pedestal that is the same in all colours."""
    four = np.array([*gains, gains[1]], np.float32)
    span = np.float32(_WHITE - _PEDESTAL)
    levels = mosaic * span + (np.float32(_PEDESTAL) / four)[colours]
    raw.raw_image_visible[:] = np.clip(np.rint(levels), 0, _WHITE).astype(np.uint16)
    levels = raw.postprocess(
        demosaic_algorithm=rawpy.DemosaicAlgorithm.DHT, output_color=rawpy.ColorSpace.raw, output_bps=16,
        gamma=(1, 1), no_auto_bright=True, user_wb=[float(gain) for gain in four], user_black=0,
        user_cblack=[0, 0, 0, 0], user_sat=_WHITE, adjust_maximum_thr=0.0,
        highlight_mode=rawpy.HighlightMode.Ignore, user_flip=0,
    )  # fmt: skip
    light: Light = levels.astype(np.float32)
    light *= np.float32(gains.max())
    light -= np.float32(_PEDESTAL)
    light /= span
    return light


def _stack(raw: Any) -> Light:  # noqa: ANN401
    """Return the numbers of a file whose pixels have all colours (H, W, 3), 0 = black .. 1 = white."""
    black, white = _scale(raw)
    light: Light = (raw.raw_image_visible[..., :3].astype(np.float32) - black[:3]) / white
    return light


def _camera(raw: Any, camera: str, gains: NDArray[np.float64]) -> tuple[Tag, ...]:  # noqa: ANN401
    """Return the tags that tell how LibRaw develops the camera's colours."""
    to_srgb, daylight = np.array(raw.color_matrix, np.float64)[:, :3], np.array(raw.daylight_whitebalance[:3])
    if abs(np.linalg.det(to_srgb)) < 1e-6:
        to_srgb = np.eye(3)
    matrix = dng_tags.matrix_of(to_srgb, np.where(daylight > 0, daylight, 1.0))
    sizes = raw.sizes
    left, top = sizes.crop_left_margin - sizes.left_margin, sizes.crop_top_margin - sizes.top_margin
    fits = min(left, top) >= 0 and sizes.crop_width > 0 and sizes.crop_height > 0
    fits = fits and left + sizes.crop_width <= sizes.width and top + sizes.crop_height <= sizes.height
    crop = (left, top, sizes.crop_width, sizes.crop_height) if fits else None
    return dng_tags.camera_tags(camera, matrix, gains, crop)
