"""Many pictures of one size as one picture."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

GAP = 2
"""Pixels between two pictures, mid-gray."""


def contact_sheet(pictures: Sequence[NDArray[np.float32]], columns: int) -> NDArray[np.float32]:
    """Lay pictures out in rows.

    Args:
        pictures: (H, W, C) each, [-1, 1] units, C = 1 or 3.
        columns: pictures a row.

    Returns:
        (rows * (H + GAP) - GAP, columns * (W + GAP) - GAP, C).
    """
    from torchvision.utils import make_grid  # takes a second

    if len(pictures) == 1:
        return pictures[0]
    channels = pictures[0].shape[2]
    sheet = make_grid(
        torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2), nrow=columns, padding=GAP, pad_value=0.0
    )
    inner: NDArray[np.float32] = sheet[:channels, GAP:-GAP, GAP:-GAP].permute(1, 2, 0).numpy()
    return np.ascontiguousarray(inner)
