"""`diffuse evaluate` as a user has it: reports, comparisons, what cannot be measured."""

import json
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.diffusion import checkpoint
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.errors import CheckpointError, UsageError
from diffuse_cli.evaluation import lpips as lpips_module
from diffuse_cli.evaluation.conditions import conditions
from diffuse_cli.evaluation.evaluate import Evaluation, evaluate, perceptual_measures
from diffuse_cli.evaluation.generation_quality import evaluate_generation
from diffuse_cli.evaluation.report import Report, bootstrap_interval, differences, dump, load, table
from tests.conftest import EXAMPLES, Run


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A test set of mixed sizes: colour, gray, 16 bit."""
    folder = tmp_path / "set"
    folder.mkdir()
    with Image.open(EXAMPLES / "coffee_small.png") as image:
        image.convert("RGB").crop((0, 0, 48, 40)).save(folder / "colour.png")
        image.convert("L").crop((0, 0, 40, 56)).save(folder / "gray.png")
        deep = np.asarray(image.convert("L").crop((9, 9, 49, 41)), np.uint16) * 257
    Image.fromarray(deep).save(folder / "deep.png")
    return folder


@pytest.fixture
def measure(toy: Model, data: Path) -> Callable[..., Report]:
    """Measure the toy network on the data."""

    def run(task: str = "denoise", model: Model = toy, **options: Any) -> Report:  # noqa: ANN401
        chosen = conditions(task, (), as_files=False, blind=options.pop("blind", False))  # type: ignore[arg-type]
        settings = Settings(steps=options.pop("steps", 1))
        what = Evaluation(sets={"set": sorted(data.iterdir())}, conditions=chosen, settings=settings, **options)
        info = checkpoint.read_info(checkpoint.find())
        said: list[str] = []
        return evaluate(what, model, info, lambda name: nullcontext(), said.append).report

    return run


def test_rows_are_the_means_of_their_images(measure: Callable[..., Report], tmp_path: Path) -> None:
    report = measure("jpeg", steps=3, samples=2, baseline=True)
    methods = ["diffuse", "diffuse, sample in 3 steps", "diffuse, mean of 2 samples", "the input"]
    assert [row["method"] for row in report["rows"]][:4] == methods
    for row in report["rows"]:
        assert row["pictures"] == 3
        assert [image["name"] for image in row["images"]] == ["colour.png", "deep.png", "gray.png"]
        for name in ("psnr", "ssim", "haarpsi"):
            values = [image[name] for image in row["images"]]
            assert row["mean"][name] == pytest.approx(np.mean(values), abs=2e-5)
            low, high = row["interval"][name]
            assert min(values) - 1e-4 <= low <= row["mean"][name] + 1e-4
            assert row["mean"][name] - 1e-4 <= high <= max(values) + 1e-4
    (tmp_path / "r.json").write_bytes(dump(report))
    assert load(tmp_path / "r.json") == json.loads(json.dumps(report))
    assert len(table(report)) == 1 + len(report["rows"])


def test_the_mean_of_samples_is_nearer_than_a_sample(measure: Callable[..., Report], model: Model) -> None:
    rows = measure("super-resolve", model=model, steps=4, samples=3)["rows"]
    at_x3 = {row["method"]: row["mean"]["psnr"] for row in rows if row["condition"] == "x3"}
    assert at_x3["diffuse"] > at_x3["diffuse, mean of 3 samples"] > at_x3["diffuse, sample in 4 steps"]


def test_blind_rows_say_how_well_the_level_was_read(measure: Callable[..., Report]) -> None:
    for row in measure(blind=True)["rows"]:
        for image in row["images"]:
            assert image["noise_error"] < 0.25 * row["level"] + 2
            assert abs(image["estimated"] - row["level"]) < 0.5 * row["level"]


def test_what_is_not_installed_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "piq", None)
    monkeypatch.setattr(lpips_module, "weights_path", lambda: tmp_path / "none")
    measures, left_out = perceptual_measures()
    assert measures == {}
    assert "[eval]" in left_out[0]
    assert "import-lpips" in left_out[1]


def test_the_interval_covers_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(200):
        low, high = bootstrap_interval(rng.normal(3, 1, 40), 400) or (0, 0)
        hits += low <= 3 <= high
    assert 0.88 <= hits / 200 <= 0.99
    assert bootstrap_interval(np.array([1.0])) is None


def changed(report: Report, by: Sequence[float]) -> Report:
    """The same report with every PSNR moved, picture by picture."""
    copy: Report = json.loads(json.dumps(report))
    for row in copy["rows"]:
        for k, image in enumerate(row["images"]):
            image["psnr"] += by[k]
    return copy


def test_comparing_tells_better_from_chance(measure: Callable[..., Report]) -> None:
    report = measure()
    for by, verdict in [((0.1,) * 3, "better"), ((-0.1,) * 3, "worse"), ((-0.1, 0.0, 0.1), "within noise")]:
        found = [d for d in differences(report, changed(report, by)) if d.measure == "psnr"]
        assert {d.verdict for d in found} == {verdict}
        assert all(d.pictures == 3 and d.cells()[-1] == verdict for d in found)
    other = json.loads(json.dumps(report))
    other["rows"] = [row | {"set": "another"} for row in other["rows"]]
    with pytest.raises(UsageError, match="share no row"):
        differences(report, other)


def test_less_lpips_is_better(measure: Callable[..., Report]) -> None:
    report = measure()
    for row in report["rows"]:
        row["images"] = [image | {"lpips": 0.5} for image in row["images"]]
    after = json.loads(json.dumps(report))
    for row in after["rows"]:
        row["images"] = [image | {"lpips": 0.4} for image in row["images"]]
    assert {d.verdict for d in differences(report, after) if d.measure == "lpips"} == {"better"}


def test_generated_pictures_are_measured(toy: Model, data: Path) -> None:
    info = checkpoint.read_info(checkpoint.find())
    outcome = evaluate_generation(
        {"set": sorted(data.iterdir())}, Settings(steps=2), toy, info, lambda name: nullcontext()
    )
    made, floor = outcome.report["rows"]
    assert made["condition"] == floor["condition"] == "32x32"
    assert made["mean"]["swd"] > floor["mean"]["swd"] > 0


def test_a_task_that_the_weights_never_saw(tmp_path: Path) -> None:
    source = checkpoint.find()
    info = checkpoint.read_info(source)
    info.check_task("jpeg")
    narrow = tmp_path / "narrow.safetensors"
    tensors = checkpoint._tensors(source)
    checkpoint.save(narrow, tensors, info.config, {"tasks": "generate, denoise"})
    checkpoint.read_info(narrow).check_task("denoise")
    with pytest.raises(CheckpointError, match="not trained for jpeg, only for generate, denoise"):
        checkpoint.read_info(narrow).check_task("jpeg")


class TestCommand:
    def test_a_report_and_what_failed(self, diffuse: Run, data: Path) -> None:
        (data / "broken.png").write_bytes(b"no picture")
        Image.new("RGBA", (40, 40)).save(data / "alpha.png")
        Image.new("L", (9, 9)).save(data / "tiny.png")
        out = data.parent / "r.json"
        arguments = ["evaluate", "--task", "super-resolve", "--level", "2", "--data", data, "--json", out]
        result = diffuse(*arguments, "--dtype", "fp32")
        assert result.returncode == 1
        said = result.stderr.decode().splitlines()
        assert "diffuse: 3 of 6 pictures failed:" in said
        assert [any(name in line for line in said[-3:]) for name in ("alpha", "broken", "tiny")] == [True] * 3
        lines = result.stdout.decode().splitlines()
        assert lines[0].split()[:3] == ["set", "condition", "method"]
        assert lines[1].split()[:3] == ["set", "x2", "diffuse"]
        report = json.loads(out.read_text())
        assert {f["file"] for f in report["failed"]} == {"alpha.png", "broken.png", "tiny.png"}
        assert report["rows"][0]["pictures"] == 3
        assert report["checkpoint"]["sha256"] == checkpoint.verify(checkpoint.find())[0]
        assert diffuse(*arguments).returncode == 2, "an existing file stays"
        compared = diffuse("evaluate", "--compare", out, out)
        assert compared.returncode == 0
        assert compared.stdout.decode().count("within noise") >= 2

    @pytest.mark.parametrize(
        ("arguments", "code", "message"),
        [
            ([], 2, "--task and --data"),
            (["--task", "denoise", "--data", "empty"], 2, "no pictures"),
            (["--task", "denoise", "--data", "missing"], 2, "no such folder"),
            (["--task", "denoise", "--data", "set", "--level", "nan"], 2, "--level"),
            (["--task", "denoise", "--data", "set", "--samples", "2", "--steps", "1"], 2, "--steps"),
            (["--task", "generate", "--data", "set", "--gray"], 2, "--gray"),
            (["--task", "jpeg", "--data", "set", "--as-files"], 2, "--as-files"),
            (["--task", "denoise", "--data", "set", "--model", "nothing"], 3, "nothing"),
            (["--task", "denoise", "--data", "set", "--json", "missing/r.json"], 2, "missing"),
            (["--compare", "set/gray.png", "set/gray.png"], 2, "not JSON"),
            (["--compare", "a.json", "a.json"], 2, "a.json"),
        ],
        ids=lambda v: " ".join(v) if isinstance(v, list) else "",
    )
    def test_usage(self, diffuse: Run, data: Path, arguments: list[str], code: int, message: str) -> None:
        (data.parent / "empty").mkdir()
        result = diffuse("evaluate", *arguments)
        assert result.returncode == code
        (line,) = result.stderr.decode().splitlines()
        assert message in line
        assert result.stdout == b""
