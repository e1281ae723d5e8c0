"""Masks drawn, grown and faded in."""

import numpy as np
from scipy import ndimage

from diffuse_cli.degradation.mask_shapes import fading, grown, polygon_mask


def test_growing_is_by_so_many_pixels() -> None:
    point = np.zeros((41, 41), bool)
    point[20, 20] = True
    distance = ndimage.distance_transform_edt(~point)
    for reach in (1, 4, 9):
        larger = grown(point, reach)
        assert larger[distance <= 0.9 * reach].all()
        assert not larger[distance > 1.2 * reach].any()


def test_fading_is_inwards() -> None:
    mask = np.zeros((40, 50), bool)
    mask[5:30, 10:40] = True
    cover = fading(mask, 4)
    assert (cover[~mask] == 0).all()
    assert (cover[mask] > 0).all()
    assert (cover[12:23, 17:33] == 1).all()
    assert (np.diff(cover[17, 10:16]) >= 0).all()
    assert (fading(np.ones((9, 9), bool), 3) == 1).all()


def test_a_polygon() -> None:
    found = polygon_mask((40, 50), [(10, 5), (30, 5), (30, 25), (10, 25)])
    assert found.sum() == 21 * 21
    assert found[5, 10]
    assert not polygon_mask((40, 50), [(60, 60), (70, 60), (65, 70)]).any()
