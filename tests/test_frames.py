"""How many of the product's own calls lie between an entrance and the network: few, or nobody can follow them."""

import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import diffuse_cli
from diffuse_cli import Denoise, restore
from diffuse_cli.cli.app import main
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.network import UNet
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.images.image_io import Picture
from diffuse_cli.restoration.problem import NoisyPicture, Problem
from diffuse_cli.restoration.restore import restore as restore_picture

PACKAGE = str(Path(diffuse_cli.__file__).parent)
FROM_MAIN, FROM_API, FROM_RESTORE = 15, 8, 7
"""Frames of the package from an entrance to `UNet.forward`, both counted, for the posterior mean."""
OF_SOLVER = 1
"""Frames that a sample has in addition."""

Deepest = Callable[[], int]


@pytest.fixture
def deepest(monkeypatch: pytest.MonkeyPatch) -> Deepest:
    """Frames of the package above the network, and its own, at its deepest call so far."""
    depths: list[int] = []
    forward = UNet.forward

    def watched(self: UNet, x: torch.Tensor, noise: torch.Tensor, cond: torch.Tensor) -> torch.Tensor:
        files = [frame.f_code.co_filename for frame, _ in traceback.walk_stack(sys._getframe(1))]
        depths.append(1 + sum(name.startswith(PACKAGE) for name in files))
        return forward(self, x, noise, cond)

    monkeypatch.setattr(UNet, "forward", watched)
    return lambda: max(depths)


@pytest.mark.parametrize("steps", [1, 2])
def test_from_restore_to_the_network(toy: Model, deepest: Deepest, steps: int) -> None:
    picture = Picture(pixels=np.zeros((32, 40, 3), np.float32))
    problem = Problem(observation=NoisyPicture(noise=0.2))
    restore_picture(picture, problem, Settings(steps=steps), toy)
    assert deepest() == FROM_RESTORE + (steps > 1) * OF_SOLVER


@pytest.mark.parametrize("steps", [1, 2])
def test_from_the_api_to_the_network(toy_file: Path, deepest: Deepest, steps: int) -> None:
    restore(np.zeros((32, 40, 3), np.uint8), Denoise(noise=20), steps=steps, model=toy_file, dtype="fp32")
    assert deepest() <= FROM_API + (steps > 1) * OF_SOLVER


@pytest.mark.parametrize("steps", [1, 2])
def test_from_main_to_the_network(
    toy_file: Path, tmp_path: Path, deepest: Deepest, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (40, 32)).save("in.png")
    line = ["denoise", "in.png", "--noise", "20", "--steps", str(steps), "--model", str(toy_file), "--dtype", "fp32"]
    monkeypatch.setattr(sys, "argv", ["diffuse", *line, "--quiet"])
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        main()
    signal.signal(signal.SIGTERM, before)
    assert not ended.value.code
    assert deepest() <= FROM_MAIN + (steps > 1) * OF_SOLVER
