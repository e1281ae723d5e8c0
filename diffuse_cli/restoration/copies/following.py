"""What no homography follows: parallax, and things that moved. Optical flow does (DIS, Kroeger et al. 2016)."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from .opencv import opencv
from .registration import Map

WINDOW: Final = 15
"""Side in pixels of the window in which two pictures are compared."""
UNEXPLAINED: Final = 2.0
"""Factor of the noise's square beyond which a difference is followed."""
BETTER: Final = 0.5
"""Share of the square of a difference that flow must leave at most."""
LEAST_LIGHT: Final = 1.0
"""Square of a difference in light that is not followed, 8-bit levels."""
EDGE: Final = 6.0
"""Std in pixels of the Gaussian by which flow fades out."""
LEAST_PART: Final = 0.002
"""Of less than this share of a picture nothing is followed."""


def follow(reference: Map, moved: Map, known: NDArray[np.bool_], noise: float) -> Map | None:
    """Return where the reference's pixels are in a copy that is registered: (H, W, 2), to the right and down.

    Flow is followed where the copy differs by more than its noise, and where the flow takes most of that away. It is 0
    elsewhere. None: it is 0 everywhere.

    Args:
        reference: (H, W), luma in 8-bit levels.
        moved: (H, W), the copy's, in the same light.
        known: (H, W), where the copy shows anything.
        noise: std of the difference that noise makes, in 8-bit levels.
    """
    cv2 = opencv()
    if min(reference.shape) < 2 * WINDOW:
        return None
    smooth = min(0.7 + noise / 20, 2.5)
    one, other = (cv2.GaussianBlur(luma, (0, 0), smooth) for luma in (reference, moved))
    explained = noise**2 / (4 * np.pi * smooth**2) + LEAST_LIGHT
    before = cv2.boxFilter((one - other) ** 2, -1, (WINDOW, WINDOW))
    apart = (before > UNEXPLAINED * explained) & known
    if apart.mean() < LEAST_PART:
        return None
    levels = [np.clip(luma, 0, 255).astype(np.uint8) for luma in (one, other)]
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(*levels, None)
    rows, columns = np.indices(reference.shape, np.float32)
    again = cv2.remap(other, columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_LINEAR)
    after = cv2.boxFilter((one - again) ** 2, -1, (WINDOW, WINDOW))
    better = (apart & (after < BETTER * before)).astype(np.float32)
    if better.mean() < LEAST_PART:
        return None
    share = np.minimum(2 * cv2.GaussianBlur(better, (0, 0), EDGE), 1)
    found: Map = (flow * share[..., None]).astype(np.float32)
    return found
