"""Charts of evaluations and benchmarks, drawn with matplotlib (the extra `eval`)."""

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from ..errors import UsageError
from ..system.files import write_bytes
from .report import COLUMNS, HIGHER_IS_BETTER, Report, shown

_FORMATS: Final = {".png": "png", ".svg": "svg", ".pdf": "pdf"}
_WIDTH: Final = 7.0
"""Width of one chart, in inches."""


def check(target: Path) -> None:
    """Check before the measuring that a plot can be drawn.

    Raises:
        UsageError: matplotlib is missing, or the suffix is not one of a plot.
    """
    if target.suffix.lower() not in _FORMATS:
        raise UsageError(f"--plot {target}: a plot is one of {', '.join(_FORMATS)}")
    _figure(1, 1)


def draw_evaluation(report: Report, target: Path) -> None:
    """Draw every measure over the conditions, with a line for each set and method, and 95 % intervals.

    Raises:
        UsageError: as `check`.
        PictureError: the disk fails.
    """
    rows = report["rows"]
    measures = [measure for measure in COLUMNS if any(measure in row["mean"] for row in rows)]
    figure, charts = _figure(len(measures), max(1, len({row["condition"] for row in rows}) // 4))
    for axes, measure in zip(charts, measures, strict=True):
        _measure(axes, [row for row in rows if measure in row["mean"]], measure)
    figure.suptitle(f"diffuse evaluate, {', '.join(dict.fromkeys(row['task'] for row in rows))}")
    _write(figure, target)


def _measure(axes: Any, rows: Sequence[dict[str, Any]], measure: str) -> None:  # noqa: ANN401 - matplotlib is optional
    """Draw one chart."""
    conditions = list(dict.fromkeys(row["condition"] for row in rows))
    for name in dict.fromkeys(_name(row) for row in rows):
        line = sorted((row for row in rows if _name(row) == name), key=lambda row: conditions.index(row["condition"]))
        x = [conditions.index(row["condition"]) for row in line]
        y = [shown(row, measure) for row in line]
        axes.errorbar(x, y, _spread(line, measure), label=name, marker="o", capsize=3, linewidth=1)
    axes.set_xticks(range(len(conditions)), conditions)
    axes.set_xmargin(0.1)
    axes.set_ylabel(COLUMNS[measure])
    axes.set_title("higher is better" if HIGHER_IS_BETTER[measure] else "lower is better", fontsize="small")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")


def _name(row: dict[str, Any]) -> str:
    return ", ".join(filter(None, [row["set"], row["method"], row["protocol"], "gray" if row["gray"] else ""]))


def _spread(rows: Sequence[dict[str, Any]], measure: str) -> list[list[float]]:
    """Return how far the intervals reach below and above the means; 0 without an interval."""
    below, above = [], []
    for row in rows:
        middle = shown(row, measure)
        low, high = row["interval"].get(measure) or (middle, middle)
        below.append(max(0.0, middle - low))
        above.append(max(0.0, high - middle))
    return [below, above]


def draw_benchmark(report: dict[str, Any], target: Path) -> None:
    """Draw seconds per megapixel of networks and commands, peak memory, and shares of the network's time.

    Raises:
        UsageError: as `check`.
        PictureError: the disk fails.
    """
    figure, (networks, commands, memory, shares) = _figure(4, 1)
    rows = report["networks"]
    names = [f"{row['network']}, {row['dtype']}, tile {row['tile']}" for row in rows]
    _bars(networks, names, [row["seconds_per_megapixel"] for row in rows], "s/Mpx", "networks")
    timed = [row for row in report["commands"] if "seconds_per_megapixel" in row]
    names = [_sized(row) for row in timed]
    _bars(commands, names, [row["seconds_per_megapixel"] for row in timed], "s/Mpx, without start-up", "commands")
    every = report["commands"]
    names = [_sized(row) for row in every]
    _bars(memory, names, [row["peak_mib"] for row in every], "peak MiB", "memory")
    _shares(shares, report["profile"])
    figure.suptitle(f"diffuse bench, {report['machine']['cpu']}, {report['machine']['threads']} threads")
    _write(figure, target)


def _sized(row: dict[str, Any]) -> str:
    size = f"{row['megapixels']:g} Mpx" if row["megapixels"] else "64x64"
    return f"{row['command']}, {size}"


def _bars(axes: Any, names: list[str], values: list[float], unit: str, title: str) -> None:  # noqa: ANN401 - as above
    """Draw horizontal bars with their values, the first at the top."""
    bars = axes.barh(range(len(names)), values)
    axes.bar_label(
        bars, [f"{value:.0f}" if value >= 100 else f"{value:.3g}" for value in values], padding=2, fontsize="x-small"
    )
    axes.set_yticks(range(len(names)), names, fontsize="x-small")
    axes.invert_yaxis()
    axes.set_xmargin(0.15)
    axes.set_xlabel(unit)
    axes.set_title(title)


def _shares(axes: Any, profile: dict[str, dict[str, float]]) -> None:  # noqa: ANN401 - as above
    """Draw stacked bars, one for each dtype."""
    left = [0.0] * len(profile)
    for kind in next(iter(profile.values())):
        values = [100 * shares[kind] for shares in profile.values()]
        axes.barh(list(profile), values, left=left, label=kind)
        left = [a + b for a, b in zip(left, values, strict=True)]
    axes.set_xlabel("% of the core's time")
    axes.set_title("where the time goes")
    axes.legend(fontsize="x-small", loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=3)


def _figure(charts: int, wide: float) -> tuple[Any, list[Any]]:
    """Return a figure and its charts, two in a row.

    Args:
        charts: how many.
        wide: width of a chart, as a multiple of the usual one.

    Raises:
        UsageError: matplotlib is missing.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError("--plot needs the extra: pip install 'diffuse-cli[eval]'") from None
    columns = min(charts, 2)
    rows = -(-charts // columns)
    figure = Figure(figsize=(columns * _WIDTH * min(wide, 2), 4.5 * rows), layout="constrained")
    axes = list(figure.subplots(rows, columns, squeeze=False).flat)
    for empty in axes[charts:]:
        empty.set_axis_off()
    return figure, axes[:charts]


def _write(figure: Any, target: Path) -> None:  # noqa: ANN401 - as above
    stream = BytesIO()
    figure.savefig(stream, format=_FORMATS[target.suffix.lower()], dpi=120)
    write_bytes(stream.getvalue(), target)
