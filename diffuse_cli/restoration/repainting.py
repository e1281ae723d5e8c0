"""A picture drawn again by a network that has learned a style: coarse strokes first, each scale from noise (SDEdit).

At every scale the picture is covered with noise and carried back, as far as the noise lets it be seen (Meng et al.
2022, "SDEdit: guided image synthesis and editing with stochastic differential equations"). What it has become is
enlarged, gets the photo's own finer details, and is drawn again. The guide is the same picture, shrunk as the network
is told: so it pins what is coarser than that, and leaves what is finer to the style (coarse to fine after Kulikov et
al. 2023, "SinDDM").
"""

from collections.abc import Callable

from torch import Tensor

from ..degradation.operators import resize, shrunk_size
from .problem import Repainting

SMALLEST = 32
"""Pixels of the shorter side below which a picture is not halved."""

Draw = Callable[[Tensor, Tensor, int], Tensor]
"""(start (1, 3, h, w), guide (1, 3, h', w'), how often it was halved) -> a sample (1, 3, h, w)."""


def repainted(x: Tensor, how: Repainting, draw: Draw) -> Tensor:
    """Args: x: (1, 3, H, W), the photo in its new colours. Returns: the same size, all of it painted."""
    scales = pyramid(x, how.levels)
    painted = scales[-1]
    for k in range(len(scales) - 1, -1, -1):
        start = painted if k == len(scales) - 1 else refined(painted, scales[k], scales[k + 1])
        size = (start.shape[-2], start.shape[-1])
        painted = draw(start, resize(start, shrunk_size(size, how.scale)), k)
    return painted


def pyramid(x: Tensor, levels: int) -> list[Tensor]:
    """A picture, and halved up to so many times."""
    scales = [x]
    while len(scales) <= levels and min(scales[-1].shape[-2:]) >= 2 * SMALLEST:
        h, w = scales[-1].shape[-2:]
        scales.append(resize(scales[-1], ((h + 1) // 2, (w + 1) // 2)))
    return scales


def refined(painted: Tensor, fine: Tensor, coarse: Tensor) -> Tensor:
    """What was painted half as large, enlarged, with what `fine` shows beyond `coarse` (a Laplacian pyramid's step)."""
    size = (fine.shape[-2], fine.shape[-1])
    return resize(painted - coarse, size) + fine
