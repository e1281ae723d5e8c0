"""The smoothest surface through the means of flat blocks, each of which is known to half a step.

Steps in a sky are no edges: where blocks have no detail, the coder kept their means alone, rounded to steps.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, uniform_filter

from .canvas import Floats

Flags = NDArray[np.bool_]

_ROUNDS: Final = 200
_STRETCH: Final = 0.03
"""Weight of slopes beside bends: a surface that only avoids bends shoots over where few means hold it."""
_PULL: Final = 0.03
"""Weight of the distance from the estimate, which tells what a mean cannot."""
_JOINED: Final = 1.5
"""Steps by which the means of neighbours on one surface differ at most."""
_BEND: Final = 0.1
"""Bends of this many steps are as likely texture as a smooth surface."""
_NEAR: Final = 5
"""Side of the squares of blocks in which bends are counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Links:
    """Which neighbouring blocks lie on one surface.

    Attributes:
        down: (rows - 1, columns), each block and the one below.
        across: (rows, columns - 1), each block and the one to the right.
    """

    down: Flags
    across: Flags

    @classmethod
    def of(cls, means: Floats, flat: Flags, most: float) -> "Links":
        """Join flat blocks whose means differ by no more than `most`."""
        return cls(
            down=flat[1:] & flat[:-1] & (np.abs(np.diff(means, axis=0)) <= most),
            across=flat[:, 1:] & flat[:, :-1] & (np.abs(np.diff(means, axis=1)) <= most),
        )


def smoothest(stored: Floats, estimate: Floats, flat: Flags, step: float) -> tuple[Floats, Floats]:
    """Return the smoothest means within half a step of the stored ones, and how far they are to be believed.

    Bends are the second differences of a thin plate. The interval is kept by projected gradients with Nesterov's
    momentum (Beck and Teboulle 2009, FISTA). Where even the smoothest surface bends, there is texture, and no belief.

    Args:
        stored: (rows, columns), the means that the file has, in levels.
        estimate: the means of the network's estimate.
        flat: blocks of which nothing but the mean was stored.
        step: of the means, in levels.

    Returns:
        The means, and the belief 0..1, 0 where a block is not flat.
    """
    links = Links.of(stored, flat, _JOINED * step)
    low, high = stored - np.float32(step / 2), stored + np.float32(step / 2)
    start: Floats = np.clip(estimate, low, high)
    means, ahead, momentum = start, start, 1.0
    plate = _Plate(links)
    for _ in range(_ROUNDS):
        gradient = plate.gradient(ahead) + np.float32(_PULL) * (ahead - start)
        moved: Floats = np.clip(ahead - gradient / np.float32(64 + 8 * _STRETCH + _PULL), low, high)
        following = (1 + (1 + 4 * momentum**2) ** 0.5) / 2
        ahead = moved + np.float32((momentum - 1) / following) * (moved - means)
        means, momentum = moved, following
    return means, np.where(flat, plate.belief(means, step), np.float32(0))


class _Plate:
    """A thin plate over linked blocks, stretched a little."""

    def __init__(self, links: Links) -> None:
        self.slope_down, self.slope_across = (mask.astype(np.float32) for mask in (links.down, links.across))
        self.bend_down = self.slope_down[1:] * self.slope_down[:-1]
        self.bend_across = self.slope_across[:, 1:] * self.slope_across[:, :-1]
        across, down = self.slope_across, self.slope_down
        self.twist = across[1:] * across[:-1] * down[:, 1:] * down[:, :-1]

    def gradient(self, u: Floats) -> Floats:
        """Return half the gradient of the energy: bends and twists squared, and a little of slopes squared."""
        g = np.zeros_like(u)
        bend = self.bend_down * (u[:-2] - 2 * u[1:-1] + u[2:])
        g[:-2] += bend
        g[1:-1] -= 2 * bend
        g[2:] += bend
        bend = self.bend_across * (u[:, :-2] - 2 * u[:, 1:-1] + u[:, 2:])
        g[:, :-2] += bend
        g[:, 1:-1] -= 2 * bend
        g[:, 2:] += bend
        twist = 2 * self.twist * (u[:-1, :-1] - u[1:, :-1] - u[:-1, 1:] + u[1:, 1:])
        g[:-1, :-1] += twist
        g[1:, :-1] -= twist
        g[:-1, 1:] -= twist
        g[1:, 1:] += twist
        slope = np.float32(_STRETCH) * self.slope_down * (u[1:] - u[:-1])
        g[1:] += slope
        g[:-1] -= slope
        slope = np.float32(_STRETCH) * self.slope_across * (u[:, 1:] - u[:, :-1])
        g[:, 1:] += slope
        g[:, :-1] -= slope
        return g

    def belief(self, u: Floats, step: float) -> Floats:
        """Return 1 where the plate is plane nearby, less where it bends or has few blocks, (rows, columns)."""
        squares, count = np.zeros_like(u), np.zeros_like(u)
        squares[1:-1] += self.bend_down * (u[:-2] - 2 * u[1:-1] + u[2:]) ** 2
        count[1:-1] += self.bend_down
        squares[:, 1:-1] += self.bend_across * (u[:, :-2] - 2 * u[:, 1:-1] + u[:, 2:]) ** 2
        count[:, 1:-1] += self.bend_across
        squares, count = (uniform_filter(array, _NEAR, mode="constant") * _NEAR**2 for array in (squares, count))
        bends = squares / np.maximum(count, 0.5) / (2 * (_BEND * step) ** 2)
        believed = np.exp(-bends) * np.minimum(count / _NEAR**2, 1)
        return np.where(count > 0.5, believed, 0).astype(np.float32)


def continued(means: Floats, belief: Floats) -> Floats:
    """Return means that continue those believed in to their neighbours, the nearest the most."""
    near, far = (
        (gaussian_filter(means * belief, std, mode="constant"), gaussian_filter(belief, std, mode="constant"))
        for std in (1.0, 3.0)
    )
    weights = near[1] + 1e-3 * far[1] + 1e-9
    around = (near[0] + 1e-3 * far[0] + 1e-9 * means) / weights
    return np.asarray(means * belief + around * (1 - belief), np.float32)
