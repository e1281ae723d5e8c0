"""The distance from the seam, the line where one picture gives way to another."""

import torch
from torch import Tensor

from ...degradation.mask_shapes import steps_inside


def seam_distance(cover: Tensor, most: int) -> Tensor:
    """Return the distance from the line where half is covered, in steps: 0.5 beside it on either side.

    Args:
        cover: (1, 1, H, W), 0..1.
        most: distances are counted up to this. Where there is no seam, they are larger.
    """
    inside = cover >= 0.5
    return torch.maximum(steps_inside(inside, most), steps_inside(~inside, most)) - 0.5
