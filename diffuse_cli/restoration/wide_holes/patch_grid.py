"""The patches that cover what is missing of a picture, on a grid of lines."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from .widths import dilated

RADIUS = 3
SIDE = 2 * RADIUS + 1


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PatchGrid:
    """Patches of 7 x 7 pixels within the picture that touch what is missing, one at each crossing of two lines.

    Attributes:
        lines: the rows (n,) and the columns (m,) on which patches are centred, increasing.
        number: (n, m) int32, the patch at a crossing; -1 = none.
        rows: (N,), rows of the patches' centres.
        columns: (N,), columns of the patches' centres.
        at: (N,), (N,), the crossings at which they lie.
    """

    lines: tuple[Tensor, Tensor]
    number: Tensor
    rows: Tensor
    columns: Tensor
    at: tuple[Tensor, Tensor]

    def neighbours(self, down: int, across: int) -> Tensor:
        """Return the patch that lies so many lines away from each, (N,); -1 = none."""
        row, column = self.at[0] + down, self.at[1] + across
        inside = (row >= 0) & (row < len(self.lines[0])) & (column >= 0) & (column < len(self.lines[1]))
        return torch.where(inside, self.number[row * inside, column * inside], -1)

    def covering(self, rows: Tensor, columns: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Return in turn the patches that cover each of these pixels (M,), and where it lies from their centres.

        A patch's number is -1 for pixels that are covered by fewer.
        """
        first = [torch.searchsorted(lines, at - RADIUS) for lines, at in zip(self.lines, (rows, columns), strict=True)]
        last = [len(lines) - 1 for lines in self.lines]
        for down in range(self._most(0)):
            for across in range(self._most(1)):
                i, j = first[0] + down, first[1] + across
                on_grid = (i <= last[0]) & (j <= last[1])
                i, j = i.clamp(max=last[0]), j.clamp(max=last[1])
                away = rows - self.lines[0][i], columns - self.lines[1][j]
                inside = on_grid & (away[0].abs() <= RADIUS) & (away[1].abs() <= RADIUS)
                yield torch.where(inside, self.number[i, j], -1), *away

    def _most(self, axis: int) -> int:
        """Return how many lines cross a patch at most, or one more."""
        lines = self.lines[axis]
        return int((torch.searchsorted(lines, lines + SIDE) - torch.arange(len(lines))).max())


def patch_grid(near: Tensor, step: int) -> PatchGrid:
    """Return patches over what is not known.

    Args:
        near: (H, W), see `near_missing`; sides of 7 or more.
        step: pixels between the lines, at most 7.
    """
    lines = tuple(torch.tensor(_lines(length, step)) for length in near.shape)
    touching = near[lines[0]][:, lines[1]]
    row, column = torch.nonzero(touching, as_tuple=True)
    number = torch.full(touching.shape, -1, dtype=torch.int32)
    number[row, column] = torch.arange(len(row), dtype=torch.int32)
    rows, columns = lines[0][row], lines[1][column]
    return PatchGrid(lines=(lines[0], lines[1]), number=number, rows=rows, columns=columns, at=(row, column))


def whole_patches(near: Tensor) -> Tensor:
    """Return the centres of patches that are known as a whole, (H, W) bool, given `near_missing`."""
    centres = ~near
    for rim in (centres[:RADIUS], centres[-RADIUS:], centres[:, :RADIUS], centres[:, -RADIUS:]):
        rim[...] = False
    return centres


def _lines(length: int, step: int) -> list[int]:
    lines = list(range(RADIUS, length - RADIUS, step))
    return lines if lines[-1] == length - RADIUS - 1 else [*lines, length - RADIUS - 1]


def near_missing(known: Tensor) -> Tensor:
    """Return whether any pixel of the patch around each pixel is missing, (H, W) bool."""
    return torch.from_numpy(dilated((~known).numpy(), RADIUS))
