"""--paint: what it does not go with, and what comes back from the page."""

import io
import threading
import urllib.request
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.cli.paint.painting import Painting
from diffuse_cli.provenance import recipe
from tests.conftest import EXAMPLES, pixels
from tests.helpers.program import Program


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--save-mask", "m.png"], "needs --mask"),
        (["--paint", "--resume"], "leave it out"),
        (["--paint", "--invert-mask"], "leave it out"),
        (["--paint", "--save-mask", "in.png"], "is an input"),
        (["--paint", "in2.png"], "takes one picture"),
        (["--paint", "-o", "{stem}.{seed}.png"], "chosen on the page"),
    ],
)
@pytest.mark.parametrize("command", ["inpaint", "restore"])
def test_what_makes_no_sense_is_refused(
    run: Program, cat: Path, tmp_path: Path, command: str, options: list[str], says: str
) -> None:
    (tmp_path / "in2.png").write_bytes(cat.read_bytes())
    result = run(command, cat, *options)
    assert result.exit_code == 2
    assert says in result.stderr


def test_repair_begins_with_the_marks_that_it_found(
    run: Program, toy_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Image.open(EXAMPLES / "camera_scratched.png") as image:
        image.crop((150, 60, 350, 220)).save(tmp_path / "old.png")
    shown: list[np.ndarray] = []

    def visit(address: str) -> None:
        """Keep the right half of what is marked."""
        with urllib.request.urlopen(f"{address}initial") as answer, Image.open(io.BytesIO(answer.read())) as image:
            shown.append(np.asarray(image.convert("L")) > 127)
        kept = shown[0].copy()
        kept[:, :100] = False
        stream = io.BytesIO()
        Image.fromarray(kept).save(stream, "PNG")
        urllib.request.urlopen(f"{address}done?guess=0", data=stream.getvalue()).close()

    def invite(_: Painting, address: str) -> None:
        threading.Thread(target=visit, args=(address,), daemon=True).start()

    monkeypatch.setattr(Painting, "_invite", invite)
    options = ["--only", "marks", "--steps", "1", "--save-mask", "m.png", "--model", toy_file]
    result = run("repair", "old.png", "--paint", "-o", "new.png", *options)
    assert result.exit_code == 0, result.stderr
    marked = pixels(tmp_path / "m.png") > 127
    assert shown[0][:, :100].any()
    assert marked.any()
    assert np.array_equal(marked[:, 100:], shown[0][:, 100:])
    changed = pixels(tmp_path / "new.png") != pixels(tmp_path / "old.png")
    assert changed.any()
    assert not changed[~marked].any()
    made = recipe.read(tmp_path / "new.png")
    assert made is not None
    assert made["operation"] == "repair"


def test_repair_paints_marks_only(run: Program, cat: Path) -> None:
    result = run("repair", cat, "--paint", "--only", "noise")
    assert result.exit_code == 2
    assert "add marks there" in result.stderr
