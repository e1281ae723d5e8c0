"""Reports: what is in them, and how large they are."""

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.cli.batch.inputs import Found
from diffuse_cli.cli.batch.job import Job
from diffuse_cli.cli.batch.pipeline import End
from diffuse_cli.cli.report.report import Report, is_report
from diffuse_cli.errors import PictureError
from diffuse_cli.images.picture import Picture


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
