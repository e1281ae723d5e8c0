"""diffuse generate."""

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import pixels
from tests.helpers.program import Program


def test_generate(run: Program, tmp_path: Path) -> None:
    result = run("generate", "-n", "3", "--size", "40x24", "--steps", "3", "--seed", "9", "-o", "out/")
    assert result.exit_code == 0
    names = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert names == ["generate.9.0.png", "generate.9.1.png", "generate.9.2.png"]
    pictures = [pixels(tmp_path / "out" / n) for n in names]
    assert {p.shape for p in pictures} == {(24, 40, 3)}
    assert not np.array_equal(pictures[0], pictures[1])
    assert run("generate", "--size", "40x24", "--steps", "3", "--seed", "9").exit_code == 0
    assert (tmp_path / "generate.9.0.png").read_bytes() == (tmp_path / "out" / names[0]).read_bytes()
    options = ["-n", "3", "--size", "40x24", "--steps", "3", "--seed", "9"]
    assert run("generate", *options, "--grid", "-o", "g.png").exit_code == 0
    assert np.array_equal(pixels(tmp_path / "g.png")[:24, :40], pictures[0])
    assert pixels(tmp_path / "g.png").shape == (50, 82, 3)


@pytest.mark.slow
def test_a_labelled_model_draws_gray_garments_of_its_own_size(run: Program, tmp_path: Path) -> None:
    for label in ("sneaker", "bag"):
        options = ["--model", "fashion", "--label", label, "--grid", "-n", "4", "--steps", "6", "-o", f"{label}.png"]
        assert run("generate", *options).exit_code == 0
    sneakers, bags = pixels(tmp_path / "sneaker.png"), pixels(tmp_path / "bag.png")
    assert sneakers.shape == bags.shape == (58, 58)
    assert bags[:28, :28].mean() > sneakers[:28, :28].mean()  # a bag fills its picture
    result = run("generate", "--model", "fashion", "--label", "hat")
    assert result.exit_code == 2
    assert "sneaker" in result.stderr
