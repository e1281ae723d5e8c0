"""--compare and --report: what is in them, how large they are, and what becomes of them when things go wrong."""

import base64
import io
import json
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.cli.batch.inputs import Found
from diffuse_cli.cli.batch.pipeline import End
from diffuse_cli.cli.batch.plan import Job
from diffuse_cli.cli.report.previews import Previews, previews
from diffuse_cli.cli.report.report import Report, is_report
from diffuse_cli.errors import PictureError
from diffuse_cli.images.comparison import comparison
from diffuse_cli.images.picture import Picture
from diffuse_cli.images.rendering import interest, rendered, root_mean_square
from diffuse_cli.provenance import recipe
from tests.conftest import EXAMPLES, PROGRAM, Run, pixels


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """What compresses worst."""
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8))


def cat_picture() -> Image.Image:
    """451 x 300."""
    with Image.open(EXAMPLES / "cat_noisy.png") as image:
        return image.convert("RGB")


def index_of(report: Path) -> dict[str, Any]:
    """What a report says, without its pictures."""
    found = re.search(r'<script type="application/json" id="index">(.*?)</script>', report.read_text(), re.DOTALL)
    assert found is not None
    index: dict[str, Any] = json.loads(found.group(1))
    return index


def parts_of(report: Path) -> dict[str, Image.Image]:
    """Every picture in a report, decoded, by its name and number."""
    blocks = re.findall(r'<script type="text/plain" id="(\w+-\d+)">([^<]*)</script>', report.read_text())
    return {name: Image.open(io.BytesIO(base64.b64decode(text))) for name, text in blocks}


def job(name: str) -> Job:
    return Job(found=Found(path=Path(name), below=Path(name), root=Path()), output=Path(f"out/{name}"))


# Rendering -----------------------------------------------------------------------------------------------------------


def test_rendering_keeps_levels_and_shows_squares_through_what_is_transparent() -> None:
    levels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    pixels = (levels[..., None].astype(np.float32) / 127.5 - 1).astype(np.float32)
    assert np.array_equal(np.asarray(rendered(Picture(pixels=pixels))), levels)
    alpha = np.full((16, 16), 255, np.uint8)
    alpha[:, 8:] = 0
    seen = np.asarray(rendered(Picture(pixels=pixels, alpha=alpha)))
    assert np.array_equal(seen[:, :8], levels[:, :8])
    assert set(np.unique(seen[:, 8:])) == {153, 204}


def test_the_detail_is_where_the_change_is() -> None:
    before = Image.new("RGB", (900, 700), (90, 90, 90))
    after = before.copy()
    after.paste((240, 240, 240), (610, 420, 640, 450))
    x, y, width, height = interest(before, after).detail(200)
    assert (width, height) == (200, 200)
    assert x <= 610 < 640 <= x + width
    assert y <= 420 < 450 <= y + height


def test_the_change_is_a_root_mean_square() -> None:
    before, after = Image.new("RGB", (40, 30), (100, 100, 100)), Image.new("RGB", (40, 30), (106, 106, 106))
    assert root_mean_square(before, after) == pytest.approx(6)


# Comparisons ---------------------------------------------------------------------------------------------------------


def test_a_comparison_holds_both_at_one_to_one() -> None:
    before, after = noise(120, 80, 1), noise(120, 80, 2)
    sheet = np.asarray(comparison(before, after, ("before", "after")))
    for image in (before, after):
        wanted = np.asarray(image)
        spots = np.lib.stride_tricks.sliding_window_view(sheet[..., 0], (1, 120))[:, :, 0]
        rows = np.argwhere((spots == wanted[0, :, 0]).all(-1))
        assert len(rows) == 1
        y, x = rows[0]
        assert np.array_equal(sheet[y : y + 80, x : x + 120], wanted)


def test_a_large_comparison_has_a_detail_with_the_pictures_own_pixels() -> None:
    before, after = noise(1000, 900, 1), noise(1000, 900, 2)
    x, y, width, height = interest(before, after).detail(480)
    sheet = comparison(before, after, ("before", "after"))
    right = np.asarray(sheet)[-height - 8 : -8, -8 - 640 :][:, :width]
    assert np.array_equal(right, np.asarray(after)[y : y + height, x : x + width])


# Previews ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("budget", [0, 900, 5_000, 30_000, 120_000, 2_000_000])
@pytest.mark.parametrize("size", [(1, 1), (640, 3), (700, 500)])
def test_previews_stay_within_their_budget(budget: int, size: tuple[int, int]) -> None:
    made = previews(noise(*size), noise(*size, seed=3), budget)
    assert made.bytes <= max(budget, 0)
    assert made.size == size


def test_with_room_previews_are_the_whole_picture_and_else_a_detail_at_its_place() -> None:
    before = after = cat_picture()
    whole = previews(before, after, 1_000_000)
    assert Image.open(io.BytesIO(whole.after.base)).size == after.size
    assert whole.after.detail == b""
    small = previews(before, after, 120_000)
    assert Image.open(io.BytesIO(small.after.base)).size < after.size
    _same_pixels_in_detail(small, after)


def _same_pixels_in_detail(made: Previews, picture: Image.Image) -> None:
    x, y, width, height = map(int, made.after.place)
    detail = Image.open(io.BytesIO(made.after.detail))
    assert detail.size == (width, height)

    def error(dx: int) -> float:
        wanted = np.asarray(picture.crop((x + dx, y, x + dx + width, y + height)), float)
        return float(np.abs(np.asarray(detail, float) - wanted).mean())

    assert error(0) < 0.6 * min(error(-1), error(1))  # JPEG of noise


def test_both_details_of_an_enlarged_picture_show_the_same_place() -> None:
    after = cat_picture()
    before = after.resize((150, 100))
    made = previews(before, after, 100_000)
    (bx, by, bw, bh), (ax, ay, aw, ah) = made.before.place, made.after.place
    assert bx <= ax + 1e-6
    assert by <= ay + 1e-6
    assert bx + bw >= ax + aw - 1e-6
    assert by + bh >= ay + ah - 1e-6
    factor = after.width / before.width
    assert Image.open(io.BytesIO(made.before.detail)).width == pytest.approx(bw / factor)


# Reports -------------------------------------------------------------------------------------------------------------


def test_a_report_of_everything(tmp_path: Path) -> None:
    names = ["a<b>&\"'.png", "umlaut-\u00e4\n.png", "broken.png", "late.png", "was.png"]
    jobs = [job(name) for name in names]
    report = Report(target=tmp_path / "r.html", op="denoise", count=5, megabytes=2)
    pixels = np.random.default_rng(0).uniform(-1, 1, (40, 50, 3)).astype(np.float32)
    for one in jobs[:2]:
        report.show(one, Picture(pixels=pixels), Picture(pixels=-pixels), notes=["noise 7"])
        facts = {"recipe": {"operation": "denoise", "noise": len(str(one.output)), "</script>": "<!--"}}
        report.end(End(job=one, status="done", seconds=1.5, facts=facts))
    report.end(End(job=jobs[2], status="failed", error=PictureError("no picture")))
    report.end(End(job=jobs[4], status="skipped", why="exists"))
    report.write(jobs, seconds=3, stopped_by="Ctrl-C")
    assert is_report(tmp_path / "r.html")
    index = index_of(tmp_path / "r.html")
    assert [one["status"] for one in index["pictures"]] == ["failed", "left", "done", "done", "skipped"]
    assert [one["name"] for one in index["pictures"]] == [names[2], names[3], names[0], names[1], names[4]]
    assert index["pictures"][0]["why"] == "no picture"
    assert index["stopped"] == "Ctrl-C"
    assert index["common"] == {"operation": "denoise", "</script>": "<!--"}
    assert set(index["pictures"][2]["recipe"]) == {"noise"}
    parts = parts_of(tmp_path / "r.html")
    assert parts.keys() == {f"{kind}-{number}" for kind in ("thumbnail", "before", "after") for number in (2, 3)}
    assert parts["after-2"].size == (50, 40)
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]


@pytest.mark.parametrize("count", [1, 12])
def test_a_report_keeps_its_size(tmp_path: Path, count: int) -> None:
    report = Report(target=tmp_path / "r.html", op="denoise", count=count, megabytes=1)
    pixels = np.random.default_rng(0).uniform(-1, 1, (300, 500, 3)).astype(np.float32)
    jobs = [job(f"{k}.png") for k in range(count)]
    for one in jobs:
        report.show(one, Picture(pixels=pixels), Picture(pixels=-pixels))
        report.end(End(job=one, status="done"))
    report.write(jobs, seconds=1)
    size = (tmp_path / "r.html").stat().st_size
    assert 500_000 < size <= 1_000_000
    assert len([name for name in parts_of(tmp_path / "r.html") if name.startswith("after-")]) == count


# The command line ----------------------------------------------------------------------------------------------------


def test_denoise_compares_and_reports(diffuse: Run, cat: Path, toy_file: Path, tmp_path: Path) -> None:
    options = ["--model", toy_file, "--noise", "20", "--report", "r.html"]
    result = diffuse("denoise", cat, "-o", "out.png", *options, "--compare", "c.png")
    assert result.returncode == 0, result.stderr.decode()
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
    again = diffuse("denoise", cat, "-o", "out.png", *options, "--resume")
    assert again.returncode == 0, again.stderr.decode()
    (one,) = index_of(tmp_path / "r.html")["pictures"]
    assert one["status"] == "skipped"


def test_generate_and_degrade_report(diffuse: Run, cat: Path, toy_file: Path, tmp_path: Path) -> None:
    drawn = diffuse("generate", "-n", "2", "--size", "16x16", "--steps", "2", "--model", toy_file, "--report", "g.html")
    assert drawn.returncode == 0, drawn.stderr.decode()
    pictures = index_of(tmp_path / "g.html")["pictures"]
    assert [one["name"] for one in pictures] == ["generate.0.0.png", "generate.0.1.png"]
    assert "before-0" not in parts_of(tmp_path / "g.html")
    damaged = diffuse("degrade", cat, "-o", "d.png", "--noise", "9", "--report", "d.html", "--compare", "c.png")
    assert damaged.returncode == 0, damaged.stderr.decode()
    (one,) = index_of(tmp_path / "d.html")["pictures"]
    assert 5 < one["change"] < 10
    assert (tmp_path / "c.png").exists()


def test_samples_are_compared_and_their_uncertainty_is_laid_over_them(
    diffuse: Run, cat: Path, toy_file: Path, tmp_path: Path
) -> None:
    options = ["--steps", "2", "--samples", "2", "--uncertainty", "u.png", "--model", toy_file, "--noise", "20"]
    result = diffuse("denoise", cat, *options, "-o", "out/", "--report", "r.html", "--compare", "c/")
    assert result.returncode == 0, result.stderr.decode()
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["in.0.png", "in.1.png"]
    pictures = index_of(tmp_path / "r.html")["pictures"]
    assert [Path(one["output"]).name for one in pictures] == ["in.0.png", "in.1.png"]
    parts = parts_of(tmp_path / "r.html")
    assert parts["overlay-0"].size == parts["after-0"].size == (96, 64)
    std = pixels(tmp_path / "u.png").astype(float) / 256
    brightness = np.asarray(parts["overlay-0"].convert("L"), float)
    assert np.corrcoef(std.ravel(), brightness.ravel())[0, 1] > 0.8
    assert "levels" in pictures[0]["overlay"]


def test_pages_are_shown_by_their_first(diffuse: Run, toy_file: Path, tmp_path: Path) -> None:
    pages = [Image.new("RGB", (24, 16), colour) for colour in ((200, 0, 0), (0, 200, 0))]
    pages[0].save(tmp_path / "p.tiff", save_all=True, append_images=pages[1:])
    result = diffuse("denoise", "p.tiff", "-o", "q.tiff", "--noise", "5", "--model", toy_file, "--report", "r.html")
    assert result.returncode == 0, result.stderr.decode()
    shown = np.asarray(parts_of(tmp_path / "r.html")["before-0"], float).mean((0, 1))
    assert shown[0] > 150 > 50 > shown[1]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--report", "r.txt"], "call it r.txt.html"),
        (["--report", "nowhere/r.html"], "no such folder"),
        (["--compare", "c.jpg"], "call it c.jpg.png"),
        (["--compare", "in.png"], "is an input"),
        (["--compare", "out.png"], "is an input"),
        (["--compare", "-"], "written to a file"),
        (["--report", "mine.html"], "is no report; -f replaces it"),
        (["--report", "mine.html", "--on-exists", "skip"], "is no report; -f replaces it"),
        (["--report", "r.html", "--report-size", "0"], "--report-size"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_work(
    diffuse: Run, cat: Path, tmp_path: Path, options: list[str], says: str
) -> None:
    (tmp_path / "mine.html").write_text("my diary")
    result = diffuse("denoise", cat, "-o", "out.png", *options)
    assert result.returncode == 2
    assert says in result.stderr.decode()
    assert not (tmp_path / "out.png").exists()
    assert (tmp_path / "mine.html").read_text() == "my diary"


def test_one_comparison_for_many_is_refused_and_a_folder_takes_them(
    diffuse: Run, cat: Path, toy_file: Path, tmp_path: Path
) -> None:
    (tmp_path / "b.png").write_bytes(cat.read_bytes())
    common = ["denoise", cat, "b.png", "-o", "out/", "--noise", "9", "--model", toy_file]
    refused = diffuse(*common, "--compare", "c.png")
    assert refused.returncode == 2
    assert "give a folder (c.png/)" in refused.stderr.decode()
    assert diffuse(*common, "--compare", "c/").returncode == 0
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["b.png", "in.png"]


def test_an_interrupted_batch_still_reports(toy_file: Path, tmp_path: Path) -> None:
    for k in range(200):  # far more than are made before the signal comes
        noise(80, 60, k).save(tmp_path / f"{k:03}.png")
    command: list[str | Path] = [
        PROGRAM,
        "denoise",
        tmp_path,
        "-o",
        "out/",
        "--noise",
        "20",
        "--model",
        toy_file,
        "--report",
        "r.html",
    ]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE) as process:
        while not list((tmp_path / "out").glob("*.png")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 143
    index = index_of(tmp_path / "r.html")
    done = [one for one in index["pictures"] if one["status"] == "done"]
    assert index["stopped"] == "SIGTERM"
    assert len(done) == len(list((tmp_path / "out").glob("*.png")))
    assert {one["status"] for one in index["pictures"]} == {"done", "left"}
