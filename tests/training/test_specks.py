"""Training of the judge of specks."""

from pathlib import Path

import torch

from diffuse_cli.degradation.estimation.marks import FEATURES
from diffuse_cli.diffusion.speck_judge import load_judge
from diffuse_cli.training.specks import Made, fit, train_judge
from tests.conftest import EXAMPLES


def test_it_learns_what_marks_are() -> None:
    torch.manual_seed(0)
    measures = 3 * torch.randn(2000, len(FEATURES)) + 5
    truth = ((measures[:, 0] - 5).abs() > 2).float()  # no line can tell
    made = Made(measures, truth, torch.ones(2000), torch.zeros(2000))
    judge = fit(Made(*(each[:1500] for each in made)), steps=200)
    assert float(((judge(measures[1500:]) > 0) == (truth[1500:] > 0)).float().mean()) > 0.8


def test_train_specks_writes_a_judge(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("auvers.jpg", "coffee_table.jpg", "mural.jpg"):
        (photos / name).write_bytes((EXAMPLES / name).read_bytes())
    done: list[int] = []
    train_judge([photos], tmp_path / "specks.safetensors", 16, 0, done.append, steps=2)
    assert done == list(range(1, 17))
    load_judge(tmp_path / "specks.safetensors")
