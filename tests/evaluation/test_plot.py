"""Plots of the figures that were really measured."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from diffuse_cli.errors import UsageError
from diffuse_cli.evaluation.plot import check, draw_benchmark, draw_evaluation
from diffuse_cli.evaluation.report import COLUMNS, load
from tests.conftest import ROOT

MEASURED = ROOT / "checkpoints" / "measured"


@pytest.mark.parametrize("name", ["denoise-baselines", "super-resolve", "generate"])
def test_an_evaluation_shows_every_measure_with_its_unit(tmp_path: Path, name: str) -> None:
    report = load(MEASURED / f"{name}.json")
    draw_evaluation(report, tmp_path / "e.svg")
    text = (tmp_path / "e.svg").read_text()
    for measure in {measure for row in report["rows"] for measure in row["mean"]}:
        assert f"<!-- {COLUMNS[measure]} -->" in text
    for row in report["rows"]:
        assert row["set"] in text
        assert row["condition"] in text


def test_a_benchmark_shows_its_units(tmp_path: Path) -> None:
    report: dict[str, Any] = json.loads((MEASURED / "bench.json").read_text())
    draw_benchmark(report, tmp_path / "b.svg")
    text = (tmp_path / "b.svg").read_text()
    for words in ("s/Mpx", "peak MiB", "% of the core's time", report["machine"]["cpu"]):
        assert f"{words}" in text.replace("&#x27;", "'")


def test_other_names_and_a_missing_extra_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="a plot is one of"):
        check(tmp_path / "e.txt")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(UsageError, match=r"pip install 'diffuse-cli\[eval\]'"):
        check(tmp_path / "e.png")
