"""Inpainting as a problem: masks, boxes, polygons, and marks that are found."""

from typing import Any

import numpy as np
import pytest

from diffuse_cli.errors import PictureError, UsageError
from diffuse_cli.images.image_io import Picture, to_unit
from diffuse_cli.tasks.inpaint import Inpaint
from tests.conftest import EXAMPLES, pixels
from tests.helpers.pictures import flat


def test_boxes_and_mask_add_up_and_can_be_inverted() -> None:
    mask = np.zeros((64, 64), bool)
    mask[0, 0] = True
    task = Inpaint(mask=mask, boxes=[(10, 20, 3, 4), (-5, -5, 6, 6), (60, 60, 100, 100)]).problem(flat())
    assert task.hole is not None
    assert task.hole.sum() == 12 + 1 + 16
    assert task.hole[20:24, 10:13].all()
    inverted = Inpaint(mask=mask, invert_mask=True).problem(flat())
    assert inverted.hole is not None
    assert inverted.hole.sum() == 64 * 64 - 1


class TestRequest:
    def picture(self) -> Picture:
        return Picture(pixels=to_unit(pixels(EXAMPLES / "camera_scratched.png")[..., None], 8))

    def test_too_much_is_refused_and_can_be_insisted_on(self) -> None:
        with pytest.raises(PictureError, match=r"--mask-limit \d+ to fill it anyway"):
            Inpaint(mask="auto", mask_limit=0.5).problem(self.picture())
        task = Inpaint(mask="auto", mask_limit=50).problem(self.picture())
        assert task.hole is not None
        assert task.hole.any()
        assert "looks like dust" in task.findings.notes[0]

    def test_grown_last_and_the_given_mask_is_not_changed(self) -> None:
        mask = np.zeros((512, 512), bool)
        task = Inpaint(mask=mask, boxes=[(100, 100, 10, 10)], grow=3).problem(self.picture())
        assert task.hole is not None
        assert task.hole[97, 105]
        assert not mask.any()

    @pytest.mark.parametrize(
        "options",
        [
            {"polygons": [((0, 0), (5, 5))]},
            {"mask": "auto", "grow": -1},
            {"mask": "auto", "mask_strength": 2},
            {"grow": 3},
        ],
    )
    def test_refused(self, options: dict[str, Any]) -> None:
        with pytest.raises(UsageError):
            Inpaint(**options)
