"""Distances from a region's border, counted in steps."""

import torch
import torch.nn.functional as F
from torch import Tensor


def steps_inside(region: Tensor, most: int) -> Tensor:
    """How many steps each pixel of a region (1, 1, H, W) bool is from the pixels outside, 1 at its border.

    Steps across and diagonal steps take turns, which makes octagons of circles. What lies beyond the picture's edges
    does not count as outside.

    Returns: (1, 1, H, W) float, at most `most`; 0 outside.
    """
    left = region.float()
    steps = torch.zeros_like(left)
    for k in range(most):
        steps += left
        outside = 1 - left
        if k % 2:
            grown = F.max_pool2d(outside, 3, 1, 1)
        else:
            across = F.max_pool2d(outside, (1, 3), 1, (0, 1))
            grown = torch.maximum(across, F.max_pool2d(outside, (3, 1), 1, (1, 0)))
        left = 1 - grown
    return steps


def seam_distance(cover: Tensor, most: int) -> Tensor:
    """Steps from the line where half is covered, 0.5 beside it on either side; at most `most`, or more where all is."""
    inside = cover >= 0.5
    return torch.maximum(steps_inside(inside, most), steps_inside(~inside, most)) - 0.5
