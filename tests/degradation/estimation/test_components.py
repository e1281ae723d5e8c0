"""Connected components, as a library has them."""

import numpy as np
import pytest
from scipy import ndimage

from diffuse_cli.degradation.estimation.components import components


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.42, 0.6, 1.0])
def test_as_a_library_has_them(share: float) -> None:
    mask = np.random.default_rng(0).random((70, 91)) < share
    labels, count = components(mask)
    theirs, their_count = ndimage.label(mask, np.ones((3, 3)))
    assert count == their_count
    assert np.array_equal(labels > 0, mask)
    assert len({*zip(labels[mask], theirs[mask], strict=True)}) == count


def test_a_spiral_is_one() -> None:
    mask = np.zeros((41, 41), bool)
    for k in range(0, 20, 4):
        mask[k : 41 - k, [k, 40 - k]] = mask[[k, 40 - k], k : 41 - k] = True
        mask[k + 1 : k + 3, k] = False
        mask[k + 2, max(k - 4, 0) : k + 1] = True
    assert components(mask)[1] == ndimage.label(mask, np.ones((3, 3)))[1]
