"""Training of the judge of specks."""

from pathlib import Path

import pytest
import torch

from diffuse_cli.degradation.estimation.marks import FEATURES
from diffuse_cli.diffusion.speck_judge import load_judge
from diffuse_cli.training.specks import Crop, Made, fit, train_judge
from tests.conftest import EXAMPLES


def crop(worn: bool) -> Crop:
    """Return candidates that none can tell apart alone but for a few, in a worn picture or in a clean one."""
    measures = 3 * torch.randn(40, len(FEATURES)) + 5
    measures[:, FEATURES.index("light")], measures[:, FEATURES.index("by network")] = 1, 0
    measures[:, 0] = 5 + (8 + torch.rand(40)) * (worn and torch.arange(40) < 10)
    truth = (measures[:, 0] > 10) | (worn & (measures[:, 1] > 5))
    return Crop(0, 1000, Made(measures, truth.float(), torch.ones(40)))


@pytest.mark.slow
def test_it_learns_what_marks_are_and_that_worn_pictures_have_more_of_them() -> None:
    torch.manual_seed(0)
    crops = [crop(worn=bool(k % 2)) for k in range(50)]
    judge = fit(crops[:30], steps=60)
    right = torch.cat([(judge(c.made.measures, c.pixels) > 0) == (c.made.truth > 0) for c in crops[30:]])
    alone = torch.cat([(judge.alone(c.made.measures) > 0) == (c.made.truth > 0) for c in crops[30:]])
    assert float(right.float().mean()) > max(0.85, 0.05 + float(alone.float().mean()))


@pytest.mark.slow
def test_train_specks_writes_a_judge(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("auvers.jpg", "coffee_table.jpg", "mural.jpg"):
        (photos / name).write_bytes((EXAMPLES / name).read_bytes())
    done: list[int] = []
    train_judge([photos], tmp_path / "specks.safetensors", 4, 0, done.append, steps=2)
    assert done == list(range(1, 5))
    load_judge(tmp_path / "specks.safetensors")
