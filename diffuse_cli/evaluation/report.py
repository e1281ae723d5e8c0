"""Evaluation reports: JSON files, tables, and whether two reports differ by more than chance."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import UsageError

FORMAT = "diffuse-evaluation/1"
COLUMNS = {
    "psnr": "PSNR dB", "ssim": "SSIM", "haarpsi": "HaarPSI", "lpips": "LPIPS", "swd": "SWD",
    "noise_error": "noise error", "level_error": "median level error", "grain_error": "median grain error",
}  # fmt: skip
"""Measures, and the heads of their columns."""
HIGHER_IS_BETTER = {name: name in ("psnr", "ssim", "haarpsi") for name in COLUMNS}
"""Whether more is better, by measure."""
MEDIANS = ("level_error", "grain_error")
"""Measures whose medians are shown: one picture in which nothing is found would decide their means."""
SPREAD = {
    "dispersion": "dispersion", "std_correlation": "std with error", "within_1": "in 1 std", "within_2": "in 2 stds",
    "std_scale": "std scale",
}  # fmt: skip
"""Measures of the samples' spread. They are not better or worse by themselves."""
_DIGITS = {"psnr": 2, "ssim": 4, "haarpsi": 4, "lpips": 4, "swd": 1, "noise_error": 2, "level_error": 3}
_DIGITS |= {"dispersion": 2, "std_correlation": 2, "within_1": 3, "within_2": 3, "std_scale": 2, "grain_error": 2}
KEY = ("set", "task", "condition", "protocol", "gray", "method")
"""Two rows with equal values of these can be compared."""
Report = dict[str, Any]


def load(path: Path) -> Report:
    """Read a report.

    Raises:
        UsageError: it cannot be read, or is no report.
    """
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except ValueError:
        raise UsageError(f"{path}: not JSON; give a file that diffuse evaluate --json wrote") from None
    if not isinstance(report, dict) or report.get("format") != FORMAT:
        raise UsageError(f"{path}: not an evaluation report ({FORMAT}); give a file that diffuse evaluate --json wrote")
    return report


def dump(report: Report) -> bytes:
    """Return a report as the bytes of a file, with one line a picture."""
    rows = report["rows"]
    head = json.dumps({k: v for k, v in report.items() if k != "rows"}, indent=1)
    body = ",\n".join(_row_text(row) for row in rows)
    return f'{head[:-2]},\n "rows": [\n{body}\n ]\n}}\n'.encode()


def _row_text(row: dict[str, Any]) -> str:
    images = ",\n".join("   " + json.dumps(image) for image in row["images"])
    head = json.dumps({k: v for k, v in row.items() if k != "images"})
    return f'  {head[:-1]}, "images": [\n{images}]}}'


def table(report: Report) -> list[list[str]]:
    """Return a report as rows of cells; the first row has the heads."""
    columns = COLUMNS | SPREAD
    measures = [m for m in columns if any(m in row["mean"] for row in report["rows"])]
    has_input = any("worse" in row for row in report["rows"])
    heads = ["set", "condition", "method", *(columns[m] for m in measures), "95 %", "s/Mpx", "n"]
    heads += ["worse than the input"] if has_input else []
    return [heads, *(_cells(row, measures) + ([worse(row)] if has_input else []) for row in report["rows"])]


def shown(row: dict[str, Any], measure: str) -> float:
    """Return a row's mean or, of some measures, its median."""
    value: float = row["median"][measure] if measure in MEDIANS else row["mean"][measure]
    return value


def worse(row: dict[str, Any]) -> str:
    """Return how many pictures of a row are worse than the input, and the worst change of PSNR, as text."""
    if not row.get("worse"):
        return "0" if "worse" in row else ""
    return f"{row['worse']} ({row['worst_change']:+.2f} dB)"


def _cells(row: dict[str, Any], measures: list[str]) -> list[str]:
    condition = ", ".join(filter(None, [row["condition"], "gray" if row["gray"] else "", row["protocol"]]))
    means = [figure(m, shown(row, m)) if m in row["mean"] else "" for m in measures]
    interval = row["interval"].get(measures[0]) if measures else None
    spread = "" if interval is None else f"{figure(measures[0], interval[0])}..{figure(measures[0], interval[1])}"
    seconds = f"{row['seconds_per_megapixel']:.3g}"
    return [row["set"], condition, row["method"], *means, spread, seconds, str(row["pictures"])]


def figure(measure: str, value: float) -> str:
    """Return a measured value with its usual number of digits."""
    return f"{value:.{_DIGITS[measure]}f}"


def aligned(cells: Sequence[Sequence[str]]) -> list[str]:
    """Return rows of cells as lines of text with aligned columns."""
    widths = [max(len(row[k]) for row in cells) for k in range(len(cells[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One measure of one row in two reports.

    Attributes:
        row: the row, in words.
        measure: the measure.
        pictures: the number of pictures that both reports have.
        mean: of b - a over these pictures.
        interval: 95 %; None for fewer than two pictures.
    """

    row: str
    measure: str
    pictures: int
    mean: float
    interval: tuple[float, float] | None

    @property
    def verdict(self) -> str:
        """Whether b is better or worse, or the difference is within noise."""
        if self.interval is None:
            return "one picture says nothing"
        low, high = self.interval
        if low <= 0 <= high:
            return "within noise"
        return "better" if (low > 0) == HIGHER_IS_BETTER[self.measure] else "worse"

    def cells(self) -> list[str]:
        """Return it as a row of a table."""
        change, *interval = (f"{v:+.{_DIGITS[self.measure] + 1}f}" for v in (self.mean, *(self.interval or ())))
        return [self.row, COLUMNS[self.measure], change, "..".join(interval), str(self.pictures), self.verdict]


def differences(a: Report, b: Report) -> list[Difference]:
    """Compare b with a, paired by picture, in every row that both reports have.

    Raises:
        UsageError: there is no such row.
    """
    ours = {_key(row): row for row in a["rows"]}
    found = []
    for row in b["rows"]:
        if _key(row) in ours:
            found += _paired(ours[_key(row)], row)
    if not found:
        raise UsageError("the two reports share no row: other sets, conditions or methods")
    return found


def between_models(report: Report) -> list[Difference]:
    """Compare each further model of a report with the first, paired by picture, in every condition."""
    first, *others = [model["name"] for model in report.get("models", [{"name": ""}])]
    found = []
    for name in others:
        for row in (row for row in report["rows"] if row["method"] == name):
            same = _key({**row, "method": first})
            found += [one for other in report["rows"] if _key(other) == same for one in _paired(other, row)]
    return found


def _key(row: dict[str, Any]) -> tuple[object, ...]:
    return tuple(row[k] for k in KEY)


def _paired(a: dict[str, Any], b: dict[str, Any]) -> list[Difference]:
    before = {image["name"]: image for image in a["images"]}
    pairs = [(before[image["name"]], image) for image in b["images"] if image["name"] in before]
    found = []
    for measure in HIGHER_IS_BETTER:
        if pairs and all(measure in image for pair in pairs for image in pair):
            change = np.array([after[measure] - earlier[measure] for earlier, after in pairs])
            interval = bootstrap_interval(change)
            name = ", ".join(str(b[k]) for k in ("set", "condition", "protocol", "method") if b[k])
            found.append(
                Difference(
                    row=name + (", gray" if b["gray"] else ""), measure=measure, pictures=len(pairs),
                    mean=float(change.mean()), interval=None if interval is None else (interval[0], interval[1]),
                )
            )  # fmt: skip
    return found


def bootstrap_interval(
    values: NDArray[np.float64], resamples: int = 2000, *, median: bool = False
) -> list[float] | None:
    """Return the 95 % interval of the mean or median (seeded percentile bootstrap, Efron 1979).

    Args:
        values: of pictures.
        resamples: how often they are drawn.
        median: of the median, not of the mean.

    Returns:
        Both ends; None for less than two values.
    """
    if len(values) < 2:
        return None
    chosen = np.random.default_rng(0).integers(len(values), size=(resamples, len(values)))
    drawn = np.median(values[chosen], 1) if median else values[chosen].mean(1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return [round(float(low), 5), round(float(high), 5)]
