"""A small network that tells marks from things of the picture, by what is measured of each candidate.

It judges twice. The first judgement takes each candidate alone. The second one knows how many likely marks the picture
has: the same speck is more likely dust in a picture full of dust.
"""

from pathlib import Path

import torch
from torch import Tensor, nn

from ..degradation.estimation.marks import CONTEXT, FEATURES, context
from .estimator_file import load_weights, save_weights

FORMAT = "diffuse-specks-3"
_WIDTH = 32


class Judgement(nn.Module):
    """Three layers between normalised measures and one logit."""

    mean: Tensor
    std: Tensor

    def __init__(self, inputs: int) -> None:
        """Make one with random weights that normalises nothing yet.

        Args:
            inputs: how many measures.
        """
        super().__init__()
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("std", torch.ones(inputs))
        self.layers = nn.Sequential(
            nn.Linear(inputs, _WIDTH), nn.GELU(), nn.Linear(_WIDTH, _WIDTH), nn.GELU(), nn.Linear(_WIDTH, 1)
        )  # fmt: skip

    def forward(self, measures: Tensor) -> Tensor:
        """Return logits, (N,).

        Args:
            measures: (N, inputs).
        """
        logits: Tensor = self.layers((measures - self.mean) / self.std)
        return logits[:, 0]


class SpeckJudge(nn.Module):
    """A judgement of each candidate alone, and one beside the others."""

    def __init__(self) -> None:
        """Make one with random weights."""
        super().__init__()
        self.alone = Judgement(len(FEATURES))
        self.beside = Judgement(len(FEATURES) + 1 + len(CONTEXT))

    def forward(self, measures: Tensor, pixels: int) -> Tensor:
        """Return the logits that candidates are marks, (N,).

        Args:
            measures: (N, len(FEATURES)), of all candidates of a picture: see degradation/estimation/marks.py.
            pixels: of the picture.
        """
        logits: Tensor = self.beside(self.placed(measures, pixels))
        return logits

    def placed(self, measures: Tensor, pixels: int) -> Tensor:
        """Return what the second judgement goes by: the measures, the first judgement, and what is counted around.

        Args:
            measures: (N, len(FEATURES)).
            pixels: of the picture.
        """
        said = self.alone(measures)
        return torch.cat([measures, said[:, None], context(measures, torch.sigmoid(said), pixels)], 1)


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
