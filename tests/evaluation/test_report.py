"""Reports: intervals, and better told from chance."""

import json
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from diffuse_cli.errors import UsageError
from diffuse_cli.evaluation.report import Report, bootstrap_interval, differences


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
