"""Calibration of posterior samples: their distance from the mean, and how well their std predicts the true error."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..images.units import LEVEL


def calibration(
    mean: NDArray[np.float32], samples: Sequence[NDArray[np.float32]], clean: NDArray[np.uint8]
) -> dict[str, float]:
    """Measure the spread of samples, over the pixels in which they differ. Each channel is a variable.

    Args:
        mean: the posterior mean (H, W, C), [-1, 1] units.
        samples: as `mean`; fewer than two give nothing.
        clean: the original (H, W, C) in 8-bit levels.

    Returns:
        `dispersion`: E|sample - mean|^2 / E|truth - mean|^2; 1 for exact samples.
        `std_correlation`: Pearson correlation of the samples' std with the mean's absolute error.
        `within_1`, `within_2`: the share of errors within 1 and 2 stds; 0.649 and 0.914 for eight exact samples, by
        Student's t with 7 degrees of freedom.
        `std_scale`: the factor that gives the stds the root mean square of the errors.
    """
    if len(samples) < 2:
        return {}
    std = np.std(samples, axis=0, ddof=1) * LEVEL
    drawn = np.ptp(samples, axis=0) > 0  # the std of equal numbers may round to more than 0
    if not drawn.any():
        return {}
    centre = (mean + 1) * LEVEL
    error = np.abs(clean.astype(np.float32) - centre)[drawn]
    away = float(np.mean([((sample + 1) * LEVEL - centre)[drawn] ** 2 for sample in samples]))
    std = std[drawn]
    varies = std.std() > 0 and error.std() > 0
    return {
        "dispersion": away / max(float((error**2).mean()), 1e-9),
        "std_correlation": float(np.corrcoef(std, error)[0, 1]) if varies else 0.0,
        "within_1": float((error <= std).mean()),
        "within_2": float((error <= 2 * std).mean()),
        "std_scale": float(np.sqrt((error.astype(np.float64) ** 2).mean() / (std.astype(np.float64) ** 2).mean())),
    }
