"""Measuring a network on pictures."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from diffuse_cli.diffusion.model import Model
from diffuse_cli.evaluation import lpips as lpips_module
from diffuse_cli.evaluation.evaluate import perceptual_measures
from diffuse_cli.evaluation.report import Report, dump, load, table


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


@pytest.mark.slow
def test_the_mean_of_samples_is_nearer_than_a_sample(measure: Callable[..., Report], model: Model) -> None:
    rows = measure("super-resolve", model=model, steps=4, samples=3)["rows"]
    at_x3 = {row["method"]: row["mean"]["psnr"] for row in rows if row["condition"] == "x3"}
    assert at_x3["diffuse"] > at_x3["diffuse, mean of 3 samples"] > at_x3["diffuse, sample in 4 steps"]


def test_blind_rows_say_how_well_the_level_was_read(measure: Callable[..., Report]) -> None:
    for row in measure(blind=True)["rows"]:
        for image in row["images"]:
            assert image["noise_error"] < 0.25 * row["level"] + 2
            assert abs(image["estimated"] - row["level"]) < 0.5 * row["level"]


def test_photographs_are_measured_blind_and_told_beside_the_input(measure: Callable[..., Report]) -> None:
    report = measure("camera", levels=(3200,), jpegs=(90,))
    methods = ["diffuse", "diffuse restore", "diffuse, told", "the input"]
    assert [row["method"] for row in report["rows"]] == methods
    blind, _, told, before = report["rows"]
    assert {row["condition"] for row in report["rows"]} == {"ISO 3200, JPEG 90"}
    assert (before["worse"], before["worst_change"]) == (0, 0)
    for k, image in enumerate(told["images"]):
        assert image["change"] == pytest.approx(image["psnr"] - before["images"][k]["psnr"], abs=1e-4)
    changes = [image["change"] for image in told["images"]]
    assert told["worse"] == sum(change < 0 for change in changes) > 0
    assert told["worst_change"] == pytest.approx(min(changes), abs=1e-5)
    errors = sorted(image["level_error"] for image in blind["images"])
    assert blind["median"]["level_error"] == errors[1]
    for image in blind["images"]:
        found, true = image["found_level"], image["level"]
        expected = abs(math.log(found / true)) if found else math.log(10)
        assert image["level_error"] == pytest.approx(expected, abs=1e-4)
        assert image["grain_error"] == pytest.approx(abs(image["found_grain"] - image["grain"]), abs=2e-5)
    heads, first, *_ = table(report)
    assert heads[-1] == "worse than the input"
    assert first[heads.index("median level error")] == f"{errors[1]:.3f}"
    assert table(report)[3][-1] == f"{told['worse']} ({told['worst_change']:+.2f} dB)"
    assert table(report)[4][-1] == "0"


def test_what_is_not_installed_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "piq", None)
    monkeypatch.setattr(lpips_module, "weights_path", lambda: tmp_path / "none")
    measures, left_out = perceptual_measures()
    assert measures == {}
    assert "[eval]" in left_out[0]
    assert "import-lpips" in left_out[1]
