"""A small network that tells specks and scratches from things of the picture, by what is measured of each."""

from pathlib import Path

import torch
from torch import Tensor, nn

from ..degradation.estimation.marks import FEATURES
from .estimator_file import load_weights, save_weights

FORMAT = "diffuse-specks-1"
_WIDTH = 32


class SpeckJudge(nn.Module):
    """Two layers between the measures and one logit."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        """Make one with random weights that normalises nothing yet."""
        super().__init__()
        self.register_buffer("mean", torch.zeros(len(FEATURES)))
        self.register_buffer("std", torch.ones(len(FEATURES)))
        self.layers = nn.Sequential(
            nn.Linear(len(FEATURES), _WIDTH), nn.GELU(), nn.Linear(_WIDTH, _WIDTH), nn.GELU(), nn.Linear(_WIDTH, 1)
        )  # fmt: skip

    def forward(self, measures: Tensor) -> Tensor:
        """Return the logits that parts are marks, (N,).

        Args:
            measures: (N, len(FEATURES)), see degradation/estimation/marks.py.
        """
        logits: Tensor = self.layers((measures - self.mean) / self.std)
        return logits[:, 0]


def load_judge(path: Path) -> SpeckJudge:
    """Read a judge.

    Raises:
        CheckpointError: the file is missing, damaged, or of another kind.
    """
    judge = SpeckJudge()
    load_weights(judge, path, form=FORMAT, what="judge of specks")
    return judge.eval().requires_grad_(False)


def save_judge(judge: SpeckJudge, path: Path, summary: dict[str, str]) -> None:
    """Write a judge.

    Args:
        judge: trained.
        path: the file.
        summary: what it was trained on and with, as text.

    Raises:
        PictureError: the disk fails.
    """
    save_weights(judge.state_dict(), path, form=FORMAT, summary=summary)
