"""Holes to fill."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Mask = NDArray[np.bool_]


def box(size: tuple[int, int], rows: slice, columns: slice) -> Mask:
    hole = np.zeros(size, bool)
    hole[rows, columns] = True
    return hole


def holed(size: tuple[int, int], rows: slice, columns: slice) -> Tensor:
    known = torch.ones(size, dtype=torch.bool)
    known[rows, columns] = False
    return known
