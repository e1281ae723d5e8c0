"""Camera RAW made here: a scene behind a mosaic, with a known noise law, as DNG."""

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, zoom

Floats = NDArray[np.float64]

GAINS = np.array([2.0, 1.0, 1.7])
MATRIX = np.array([[0.6461, -0.1164, -0.0857], [-0.3825, 1.1597, 0.2534], [-0.0416, 0.154, 0.6039]])
BAYER = np.array([[0, 1], [1, 2]])
X_TRANS = np.array([[1, 0, 2, 1, 2, 0], [2, 1, 1, 0, 1, 1], [0, 1, 1, 2, 1, 1],
                    [1, 2, 0, 1, 0, 2], [0, 1, 1, 2, 1, 1], [2, 1, 1, 0, 1, 1]])  # fmt: skip


def sensor_law(iso: float) -> tuple[float, float]:
    """Gain and offset of a typical sensor (Brooks et al. 2019)."""
    gain = 6.25e-7 * iso
    return gain, float(np.exp(2.18 * np.log(gain) + 1.2))


def scene(height: int, width: int, seed: int = 1) -> Floats:
    """Smooth colours with edges (H, W, 3), as a sensor sees them before the white balance."""
    rng = np.random.default_rng(seed)
    down, across = height / 6, width / 8
    light = zoom(rng.standard_normal((6, 8)), (down, across), order=3)[..., None]
    colour = zoom(rng.standard_normal((6, 8, 3)), (down, across, 1), order=3)
    colour = 0.25 * colour / colour.std()
    edges = (np.indices((height, width)).sum(0) // 48 % 2)[..., None] * 0.8
    made = np.exp(1.1 * light / light.std() - 1.8 + edges + colour)
    return np.asarray(np.clip(gaussian_filter(made, (0.8, 0.8, 0)), 0, 0.98) / GAINS)


def write_raw(
    path: Path, light: Floats, law: tuple[float, float] | None = None, *,
    stated: bool = False, orientation: int = 1, black: int = 1024, white: int = 16383, seed: int = 1,
    make: str = "Maker", pattern: NDArray[np.int_] = BAYER,
) -> Floats:  # fmt: skip
    """Write a DNG with a mosaic, and return its numbers, 0 = black .. 1 = white."""
    height, width = light.shape[:2]
    rows, columns = np.indices((height, width))
    period = len(pattern)
    clean = light[rows, columns, pattern[rows % period, columns % period]]
    noisy = clean
    if law is not None:
        drawn = np.random.default_rng(seed).standard_normal(clean.shape)
        noisy = np.minimum(clean + np.sqrt(law[0] * clean + law[1]) * drawn, 1.0)
    levels = np.clip(np.rint(noisy * (white - black) + black), 0, 65535).astype(np.uint16)
    ratios = [int(part) for value in MATRIX.ravel() for part in (round(value * 10**4), 10**4)]
    neutral = [int(part) for gain in GAINS for part in (round(10**6 / gain), 10**6)]
    tags: list[tuple[int, str | int, int, Any, bool]] = [
        (271, "s", 0, make, True), (272, "s", 0, "Model 1", True), (274, "H", 1, orientation, True),
        (33421, "H", 2, (period, period), True), (33422, "B", period**2, bytes(pattern.ravel().tolist()), True),
        (50706, "B", 4, bytes((1, 4, 0, 0)), True), (50708, "s", 0, f"{make} Model 1", True),
        (50714, "H", 1, black, True), (50717, "H", 1, white, True), (50721, "2i", 9, tuple(ratios), True),
        (50728, "2I", 3, tuple(neutral), True), (50778, "H", 1, 21, True),
    ]  # fmt: skip
    if stated and law is not None:
        tags.append((51041, "d", 6, law * 3, True))
    tifffile.imwrite(path, levels, photometric=32803, extratags=tags)
    return np.asarray((levels.astype(np.float64) - black) / (white - black))
