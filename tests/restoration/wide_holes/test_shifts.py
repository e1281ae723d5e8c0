"""Seams lie where they cost least."""

import itertools

import numpy as np

from diffuse_cli.restoration.wide_holes.shifts import _least_cut, _Seams, best_seams

from .conftest import box


def test_a_cut_costs_least() -> None:
    """Of all 2^6 choices, on a ring of six with random costs."""
    rng = np.random.default_rng(2)
    first, second = np.arange(6), (np.arange(6) + 1) % 6
    for _ in range(20):
        take, apart = rng.normal(0, 1, 6), rng.uniform(0, 1, 6)

        def cost(chosen: np.ndarray, take: np.ndarray = take, apart: np.ndarray = apart) -> float:
            return float(take[chosen].sum() + apart[~chosen[first] & chosen[second]].sum())

        least = min(cost(np.array(chosen)) for chosen in itertools.product([False, True], repeat=6))
        assert abs(cost(_least_cut(take, first, second, apart)) - least) < 0.02


def test_the_shift_that_continues_a_pattern_is_taken() -> None:
    tile = np.random.default_rng(3).normal(0, 0.4, (10, 10, 3)).astype(np.float32)
    x, hole = np.tile(tile, (6, 8, 1)), box((60, 80), slice(22, 40), slice(32, 50))
    rows, columns = np.mgrid[:60, :80]

    def shifted(down: int, across: int) -> tuple[np.ndarray, np.ndarray]:
        return np.where(hole, rows + down, rows), np.where(hole, columns + across, columns)

    mean = np.where(hole[..., None], np.float32(0), x)
    sources = best_seams(mean, ~hole, hole, [shifted(3, -24), shifted(0, -20)])
    assert np.array_equal(x[sources], x)


def test_no_move_costs_more() -> None:
    x = np.random.default_rng(0).normal(0, 0.3, (50, 60, 3)).astype(np.float32)
    hole = box((50, 60), slice(20, 32), slice(20, 34))
    seams = _Seams(x, ~hole, hole)
    shift = np.broadcast_to(np.array([[0], [-17]]), (2, len(seams.at[0])))
    for one in ((0, 16), (14, 0), (-13, 2)):
        moved = seams.expanded(shift, one)
        assert seams.cost(moved) <= seams.cost(shift)
        shift = moved
