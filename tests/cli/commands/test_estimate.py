"""diffuse estimate."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from diffuse_cli.images.picture import Picture
from tests.degradation.estimation.test_impulses import salted
from tests.helpers.program import Program, json_lines


def test_estimate_tells_in_words_and_in_json(run: Program, cat: Path) -> None:
    (cat.parent / "broken.png").write_text("no picture")
    words = run("estimate", cat)
    assert words.exit_code == 0
    block = words.stdout.splitlines()
    assert block[0] == f"{cat}: 96x64"
    assert [line.split()[0] for line in block[1:]] == ["noise", "JPEG", "blur", "detail", "restore"]
    assert "would remove noise of 2" in block[-1]
    assert block[-1].endswith(f": diffuse restore {cat}")
    result = run("estimate", "--json", cat.parent)
    assert result.exit_code == 1
    lines = json_lines(result.stdout)
    assert [line["status"] for line in lines[:-1]] == ["failed", "done"]
    assert lines[1]["estimate"]["noise"]["value"] == pytest.approx(25, abs=3)
    assert lines[1]["restore"]["changes"]
    assert (lines[-1]["done"], lines[-1]["failed"], lines[-1]["exit_code"]) == (1, 1, 1)


def test_impulses_and_row_noise_are_told(run: Program, tmp_path: Path) -> None:
    clean = data.coffee()[60:220, 60:260]
    rows = clean + np.random.default_rng(2).normal(0, 6, (160, 1, 1))
    Image.fromarray(rows.round().clip(0, 255).astype(np.uint8)).save(tmp_path / "rows.png")
    Image.fromarray(salted(clean, np.random.default_rng(1), 0.05)).save(tmp_path / "salt.png")
    words = run("estimate", "salt.png", "rows.png").stdout
    assert re.search(r"  impulses [45]\.\d % of the pixels \(high confidence\)", words)
    assert re.search(r"  row noise \d\.\d levels \(high confidence\)", words)
    assert "would remove the impulses" in words
    rowed, peppered, _ = json_lines(run("estimate", "--json", tmp_path).stdout)
    assert peppered["estimate"]["impulses"]["share"] == pytest.approx(0.05, abs=0.012)
    assert peppered["restore"] == {**peppered["restore"], "changes": True, "command": "diffuse restore"}
    assert [one["kind"] for one in rowed["estimate"]["row_noise"]] == ["row_noise"]
    assert rowed["restore"]["changes"]


def test_a_defect_fails_one_picture_and_names_it(run: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, size in (("a.png", (40, 40)), ("b.png", (41, 41)), ("c.png", (40, 40))):
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (*size, 3)).astype(np.uint8)).save(tmp_path / name)
    from diffuse_cli.restoration import preparation

    def failing(picture: Picture) -> preparation.Prepared:
        if picture.pixels.shape[0] == 41:
            raise IndexError("index 0 is out of bounds\nfor axis 0")
        return prepare(picture)

    prepare = preparation.prepare
    monkeypatch.setattr(preparation, "prepare", failing)
    result = run("estimate", tmp_path)
    assert result.exit_code == 1
    assert [line for line in result.stdout.splitlines() if not line.startswith(" ")] == [
        f"{tmp_path}/a.png: 40x40", f"{tmp_path}/c.png: 40x40",
    ]  # fmt: skip
    assert result.stderr.splitlines()[-1] == (
        f"diffuse: {tmp_path}/b.png: unexpected IndexError: index 0 is out of bounds for axis 0; please report this bug"
    )
