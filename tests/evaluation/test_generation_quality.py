"""Generated pictures are measured."""

from contextlib import nullcontext
from pathlib import Path

from diffuse_cli.diffusion import checkpoint
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.evaluation.generation_quality import evaluate_generation


def test_generated_pictures_are_measured(toy: Model, data: Path) -> None:
    info = checkpoint.read_info(checkpoint.find())
    outcome = evaluate_generation(
        {"set": sorted(data.iterdir())}, Settings(steps=2), toy, info, lambda name: nullcontext()
    )
    made, floor = outcome.report["rows"]
    assert made["condition"] == floor["condition"] == "32x32"
    assert made["mean"]["swd"] > floor["mean"]["swd"] > 0
