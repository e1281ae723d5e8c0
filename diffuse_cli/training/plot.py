"""The curves of a run, drawn with matplotlib (the extra `train`)."""

from io import BytesIO
from pathlib import Path
from typing import Any

from ..errors import UsageError
from ..system.files import write_bytes
from .log import FILE, records

Record = dict[str, Any]


def draw(run: Path, target: Path) -> None:
    """Draw loss and held-out PSNR per task, learning rate and speed, over the steps.

    Args:
        run: the run's folder.
        target: the picture's file.

    Raises:
        UsageError: there is no log, the log is empty, or matplotlib is missing.
        PictureError: the disk fails.
    """
    log = list(records(run / FILE))
    trained = [record for record in log if record["kind"] == "train"]
    validated = [record for record in log if record["kind"] == "validation"]
    if not trained and not validated:
        raise UsageError(f"{run / FILE}: holds no step yet; nothing to draw")
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError("train plot needs the extra: pip install 'diffuse-cli[train]'") from None
    figure = Figure(figsize=(12, 8), layout="constrained")
    (loss, psnr), (lr, speed) = figure.subplots(2, 2)
    _lines(loss, trained, "losses", "loss per task (log)")
    loss.set_yscale("log")
    _lines(psnr, validated, "psnr", "held-out PSNR per task, dB")
    for axes, name, title in ((lr, "lr", "learning rate"), (speed, "images_per_s", "images per second")):
        axes.plot([record["step"] for record in trained], [record[name] for record in trained])
        axes.set_title(title)
    for axes in (loss, psnr, lr, speed):
        axes.set_xlabel("step")
        axes.grid(alpha=0.3)
    stream = BytesIO()
    figure.savefig(stream, format="png", dpi=100)
    write_bytes(stream.getvalue(), target)


def _lines(axes: Any, log: list[Record], group: str, title: str) -> None:  # noqa: ANN401 - matplotlib is optional
    """Draw one line a task."""
    for task in dict.fromkeys(task for record in log for task in record[group]):
        seen = [(record["step"], record[group][task]) for record in log if task in record[group]]
        steps, values = [step for step, _ in seen], [value for _, value in seen]
        axes.plot(steps, values, label=task, marker="." if len(seen) < 20 else "")
    axes.set_title(title)
    if log:
        axes.legend()
