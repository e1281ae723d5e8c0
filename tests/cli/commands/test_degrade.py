"""diffuse degrade and its sidecar."""

import hashlib
import json
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import pixels
from tests.helpers.program import Program


def test_noise_and_mask_with_their_record(run: Program, cat: Path) -> None:
    options = ["--noise", "20", "--mask-random", "strokes", "--mask-share", "0.2", "--seed", "5"]
    assert run("degrade", cat, "-q", "-o", "made/", *options).stderr == ""
    made = cat.parent / "made"
    assert sorted(p.name for p in made.iterdir()) == ["in.json", "in.mask.png", "in.png"]
    mask, before, after = pixels(made / "in.mask.png") > 0, pixels(cat).astype(float), pixels(made / "in.png")
    assert 0.2 <= mask.mean() < 0.4
    assert (after[mask] == 255).all()
    middle = ~mask[..., None] & (before > 70) & (before < 185)
    assert (after - before)[middle].std() == pytest.approx(20, rel=0.05)
    record = json.loads((made / "in.json").read_text())
    assert record["input_sha256"] == hashlib.sha256(cat.read_bytes()).hexdigest()
    assert (record["noise"], record["mask"], record["mask_share"], record["seed"]) == (20, "strokes", 0.2, 5)


def test_the_record_makes_the_same_bytes_again(run: Program, cat: Path) -> None:
    options = ["--blur", "1", "--scale", "1.5", "--poisson", "2", "--noise", "5", "--jpeg", "60", "-o"]
    assert run("degrade", cat, *options, "a.jpg").exit_code == 0
    assert run("degrade", cat, *options, "b.jpg").exit_code == 0
    a, b = cat.with_name("a.jpg"), cat.with_name("b.jpg")
    assert a.read_bytes() == b.read_bytes()
    with Image.open(a) as image:
        assert image.size == (64, 43)
        reference = Image.new("RGB", (8, 8))
        reference.save(cat.with_name("r.jpg"), quality=60)
        with Image.open(cat.with_name("r.jpg")) as expected:
            assert image.quantization == expected.quantization  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--noise", "nan"],
        ["--mask-random", "graffiti"],
        ["--jpeg", "60", "-o", "out.png"],
        ["--noise", "5", "-o", "out.jpg"],
        ["--noise", "5", "-o", "taken.png"],
    ],
    ids=" ".join,
)
def test_usage_errors_write_nothing(run: Program, cat: Path, options: list[str]) -> None:
    cat.with_name("taken.json").write_text("mine")
    result = run("degrade", cat, *options)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert sorted(p.name for p in cat.parent.iterdir()) == ["in.png", "taken.json"]
