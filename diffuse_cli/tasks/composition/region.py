"""Distances from the line where one picture gives way to another."""

import torch
from torch import Tensor

from ...degradation.mask_shapes import steps_inside


def seam_distance(cover: Tensor, most: int) -> Tensor:
    """Steps from the line where half is covered, 0.5 beside it on either side; at most `most`, or more where all is."""
    inside = cover >= 0.5
    return torch.maximum(steps_inside(inside, most), steps_inside(~inside, most)) - 0.5
