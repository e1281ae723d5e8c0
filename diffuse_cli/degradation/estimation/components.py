"""Connected parts of a mask, by union of runs: what an image library would be needed for otherwise."""

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]


def components(mask: NDArray[np.bool_]) -> tuple[Labels, int]:
    """Number the parts of a mask whose pixels touch, also at corners.

    Runs of a row that touch runs of the row before get the least of their numbers, again and again, with shortcuts
    (pointer jumping), until nothing changes: a few rounds whatever the shape.

    Args: mask: (H, W).
    Returns: (H, W), 0 outside the mask, 1 .. count inside; and the count.
    """
    h, w = mask.shape
    edges = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1]  # exclusive, in the same order
    labels = _joined(*_touching(rows, starts, ends, w + 2), len(rows))
    _, numbers = np.unique(labels, return_inverse=True)
    lengths = ends - starts
    found = np.zeros((h, w), np.int64)
    found[mask] = np.repeat(numbers + 1, lengths)
    return found, int(numbers.max(initial=-1)) + 1


def _touching(rows: Labels, starts: Labels, ends: Labels, width: int) -> tuple[Labels, Labels]:
    """Pairs of runs of neighbouring rows that touch."""
    # Runs come in reading order, so those of the row above that reach into a run are consecutive.
    key_start, key_end = rows * width + starts, rows * width + ends
    first = np.searchsorted(key_end, (rows - 1) * width + starts, side="left")
    last = np.searchsorted(key_start, (rows - 1) * width + ends, side="right")
    counts = np.maximum(last - first, 0)
    below = np.repeat(np.arange(len(rows)), counts)
    offset = np.arange(len(below)) - np.repeat(np.cumsum(counts) - counts, counts)
    above = np.repeat(first, counts) + offset
    near = rows[above] == rows[below] - 1
    return below[near], above[near]


def _joined(a: Labels, b: Labels, count: int) -> Labels:
    """For each of `count` things the least thing that pairs lead to."""
    labels = np.arange(count)
    while True:
        least = np.minimum(labels[a], labels[b])
        before = labels.copy()
        np.minimum.at(labels, labels[a], least)
        np.minimum.at(labels, labels[b], least)
        np.minimum.at(labels, a, least)
        np.minimum.at(labels, b, least)
        while not np.array_equal(labels, jumped := labels[labels]):
            labels = jumped
        if np.array_equal(labels, before):
            return labels
