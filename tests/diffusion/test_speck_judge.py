"""The judge of specks: its file."""

from pathlib import Path

import pytest
import torch

from diffuse_cli.degradation.estimation.marks import FEATURES
from diffuse_cli.diffusion.speck_judge import SpeckJudge, load_judge, save_judge
from diffuse_cli.errors import CheckpointError


def test_a_file_comes_back_and_others_are_refused(tmp_path: Path) -> None:
    path, made = tmp_path / "specks.safetensors", SpeckJudge()
    made.alone.mean.fill_(2)
    save_judge(made, path, {"crops": "3"})
    measures = torch.randn(5, len(FEATURES))
    assert torch.equal(load_judge(path)(measures, 100), made(measures, 100))
    path.write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_judge(path)
