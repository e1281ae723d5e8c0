"""--compare and --report: what is in them, and what is refused before the work."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.provenance import recipe
from tests.cli.report.test_report import index_of, parts_of
from tests.conftest import pixels
from tests.helpers.program import Program


def test_denoise_compares_and_reports(run: Program, cat: Path, toy_file: Path, tmp_path: Path) -> None:
    options = ["--model", toy_file, "--noise", "20", "--report", "r.html"]
    result = run("denoise", cat, "-o", "out.png", *options, "--compare", "c.png")
    assert result.exit_code == 0, result.stderr
    made = recipe.read(tmp_path / "out.png")
    assert made is not None
    assert recipe.read(tmp_path / "c.png") == made
    with Image.open(tmp_path / "c.png") as sheet, Image.open(cat) as before:
        assert sheet.width > 2 * before.width
    (one,) = index_of(tmp_path / "r.html")["pictures"]
    assert one["recipe"] == made
    assert one["status"] == "done"
    assert (one["from"], one["to"]) == ("in.png", "out.png")
    assert {name.split("-")[0] for name in parts_of(tmp_path / "r.html")} == {"thumbnail", "before", "after"}
    again = run("denoise", cat, "-o", "out.png", *options, "--resume")
    assert again.exit_code == 0, again.stderr
    (one,) = index_of(tmp_path / "r.html")["pictures"]
    assert one["status"] == "skipped"


def test_generate_and_degrade_report(run: Program, cat: Path, toy_file: Path, tmp_path: Path) -> None:
    drawn = run("generate", "-n", "2", "--size", "16x16", "--steps", "2", "--model", toy_file, "--report", "g.html")
    assert drawn.exit_code == 0, drawn.stderr
    pictures = index_of(tmp_path / "g.html")["pictures"]
    assert [one["name"] for one in pictures] == ["generate.0.0.png", "generate.0.1.png"]
    assert "before-0" not in parts_of(tmp_path / "g.html")
    damaged = run("degrade", cat, "-o", "d.png", "--noise", "9", "--report", "d.html", "--compare", "c.png")
    assert damaged.exit_code == 0, damaged.stderr
    (one,) = index_of(tmp_path / "d.html")["pictures"]
    assert 5 < one["change"] < 10
    assert (tmp_path / "c.png").exists()


def test_samples_are_compared_and_their_uncertainty_is_laid_over_them(
    run: Program, cat: Path, toy_file: Path, tmp_path: Path
) -> None:
    options = ["--steps", "2", "--samples", "2", "--uncertainty", "u.png", "--model", toy_file, "--noise", "20"]
    result = run("denoise", cat, *options, "-o", "out/", "--report", "r.html", "--compare", "c/")
    assert result.exit_code == 0, result.stderr
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["in.0.png", "in.1.png"]
    pictures = index_of(tmp_path / "r.html")["pictures"]
    assert [Path(one["output"]).name for one in pictures] == ["in.0.png", "in.1.png"]
    parts = parts_of(tmp_path / "r.html")
    assert parts["overlay-0"].size == parts["after-0"].size == (96, 64)
    std = pixels(tmp_path / "u.png").astype(float) / 256
    brightness = np.asarray(parts["overlay-0"].convert("L"), float)
    assert np.corrcoef(std.ravel(), brightness.ravel())[0, 1] > 0.8
    assert "levels" in pictures[0]["overlay"]


def test_a_report_shows_what_was_filled(run: Program, cat: Path, toy_file: Path, tmp_path: Path) -> None:
    result = run("inpaint", cat, "--box", "8,4,10,6", "-o", "f.png", "--model", toy_file, "--report", "r.html")
    assert result.exit_code == 0, result.stderr
    (one,) = index_of(tmp_path / "r.html")["pictures"]
    assert one["filled"] == round(60 / (96 * 64), 5)
    marks = np.asarray(parts_of(tmp_path / "r.html")["filled-0"].convert("RGBA"))[..., 3] > 0
    assert np.array_equal(np.argwhere(marks)[[0, -1]], [[4, 8], [9, 17]])


def test_pages_are_shown_by_their_first(run: Program, toy_file: Path, tmp_path: Path) -> None:
    pages = [Image.new("RGB", (24, 16), colour) for colour in ((200, 0, 0), (0, 200, 0))]
    pages[0].save(tmp_path / "p.tiff", save_all=True, append_images=pages[1:])
    result = run("denoise", "p.tiff", "-o", "q.tiff", "--noise", "5", "--model", toy_file, "--report", "r.html")
    assert result.exit_code == 0, result.stderr
    shown = np.asarray(parts_of(tmp_path / "r.html")["before-0"], float).mean((0, 1))
    assert shown[0] > 150 > 50 > shown[1]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--report", "r.txt"], "name it r.txt.html"),
        (["--report", "in.png/r.html"], "is a file, not a folder"),
        (["--compare", "c.jpg"], "name it c.jpg.png"),
        (["--compare", "in.png"], "is an input"),
        (["--compare", "out.png"], "is an input"),
        (["--compare", "-"], "needs a file"),
        (["--report", "mine.html"], "is not a report; use -f to overwrite it"),
        (["--report", "mine.html", "--on-exists", "skip"], "is not a report; use -f to overwrite it"),
        (["--report", "r.html", "--report-size", "0"], "--report-size"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_work(
    run: Program, cat: Path, tmp_path: Path, options: list[str], says: str
) -> None:
    (tmp_path / "mine.html").write_text("my diary")
    result = run("denoise", cat, "-o", "out.png", *options)
    assert result.exit_code == 2
    assert says in result.stderr
    assert not (tmp_path / "out.png").exists()
    assert (tmp_path / "mine.html").read_text() == "my diary"


def test_one_comparison_for_many_is_refused_and_a_folder_takes_them(
    run: Program, cat: Path, toy_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "b.png").write_bytes(cat.read_bytes())
    common = ["denoise", cat, "b.png", "-o", "out/", "--noise", "9", "--model", toy_file]
    refused = run(*common, "--compare", "c.png")
    assert refused.exit_code == 2
    assert "give a folder (c.png/)" in refused.stderr
    assert run(*common, "--compare", "c/").exit_code == 0
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["b.png", "in.png"]
