"""Dust and scratches in the infrared channel of a film scan.

Dyes of colour film let infrared through; dust and scratches do not. What is dark there, and narrow, is a mark
(Bergman et al. 2008). Silver and some dyes show the picture in infrared, too: such a channel is no evidence.
"""

from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from ...images.picture import ExtraChannels
from ..operators import box_mean, closed

_RADIUS: Final = 8
"""Of the closing, in pixels, at up to a megapixel: wider than marks are."""
_LEAST: Final = 0.06
"""Share of the infrared that a mark takes away, at least."""
_IN_NOISE: Final = 5.0
"""The same, in robust stds of the shares elsewhere."""
_BRIGHT: Final = 0.25
"""Share of the full range that the median of an infrared channel has, at least."""
_MOST: Final = 0.08
"""Share of the picture that marks take; more is the picture itself."""
_ALIKE: Final = 0.5
"""Correlation of the details of infrared and luma from which infrared shows the picture."""
_SPAN: Final = 2.0
"""Factor by which a strength of 0 raises the least share and a strength of 1 lowers it."""


def infrared_of(extra: ExtraChannels | None) -> NDArray[np.float32] | None:
    """Return the channel of a TIFF that may be infrared, (H, W), 0..1. None: there is none.

    It is the only further channel that is no alpha.

    Args:
        extra: the file's further channels.
    """
    if extra is None or [kind for kind in extra.kinds if kind == 0] != [0]:
        return None
    levels: NDArray[Any] = extra.levels[..., extra.kinds.index(0)]
    full = np.iinfo(levels.dtype).max if levels.dtype.kind == "u" else 1.0
    return np.asarray(levels, np.float32) / np.float32(full)


def infrared_marks(
    infrared: NDArray[np.float32], luma: NDArray[np.float32], strength: float = 0.5
) -> NDArray[np.bool_] | None:
    """Return where an infrared channel is dark and narrow. None: it shows the picture, or nothing.

    Args:
        infrared: (H, W), 0..1.
        luma: (H, W), of the picture, in any units.
        strength: 0 = only what is surely damage .. 1 = whatever may be.

    Returns:
        (H, W).
    """
    if np.median(infrared) < _BRIGHT or abs(_correlation(_detail(infrared), _detail(luma))) > _ALIKE:
        return None
    x = torch.from_numpy(infrared)[None, None]
    radius = round(_RADIUS * max(x.numel() / 2**20, 1.0) ** 0.5)
    base = box_mean(closed(box_mean(x, 1), radius), 1).clamp_min(1e-3)
    taken = (1 - x / base)[0, 0].numpy()
    usual = float(np.median(taken))
    noise = 1.4826 * float(np.median(np.abs(taken - usual)))
    least = max(_LEAST, _IN_NOISE * noise) * _SPAN ** (2 * (0.5 - strength))
    found = taken - usual > least
    return None if found.mean() > _MOST else np.asarray(found)


def _detail(plane: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return what is finer than a few pixels; marks, which are outliers, are cut to what is usual."""
    x = torch.from_numpy(np.ascontiguousarray(plane, np.float32))[None, None]
    fine = (box_mean(x, 1) - box_mean(x, 4))[0, 0].numpy()
    most = 3 * float(np.median(np.abs(fine)))
    return np.asarray(fine.clip(-most, most))


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    energy = float(np.sqrt((a * a).mean() * (b * b).mean()))
    return float((a * b).mean()) / energy if energy > 0 else 0.0
