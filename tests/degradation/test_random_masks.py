"""Random masks: of the share that is asked for, and the same again."""

import numpy as np
import pytest

from diffuse_cli.degradation.random_masks import KINDS, MaskKind, random_mask


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [(120, 160), (40, 300)])
def test_masks_hide_the_share_asked_for_and_repeat(kind: MaskKind, size: tuple[int, int]) -> None:
    mask = random_mask(size, kind, share=0.15, seed=3)
    assert mask.shape == size
    assert 0.15 <= mask.mean() < 0.35
    assert np.array_equal(mask, random_mask(size, kind, share=0.15, seed=3))
    assert not np.array_equal(mask, random_mask(size, kind, share=0.15, seed=4))


def test_one_pixel_can_be_masked_too() -> None:
    assert random_mask((1, 1), "dust", share=0.5, seed=0).shape == (1, 1)
