"""A run's averaged weights as a checkpoint, with a summary of data, training and metrics."""

import json
from pathlib import Path
from typing import Any

import torch

from ..diffusion import checkpoint
from ..errors import UsageError
from ..version import __version__
from . import log as journal
from . import run_folder
from .bank import Sources, read_sources
from .config import TrainConfig
from .state import State, resume_for_export

NAMED_PICTURES = 2000
"""Up to this number, pictures are listed by name and hash. Beyond it there is one hash of all."""


def export(run: Path, target: Path, *, length: float | None = None, licence: str = "") -> None:
    """Write a checkpoint of a run as it stands.

    Args:
        run: the run's folder.
        target: the checkpoint's file.
        length: which of the run's averages; None = the first.
        licence: notes on the licence of weights and data.

    Raises:
        UsageError: the folder holds no run, or the run has no such average.
        CheckpointError: the run's state cannot be read.
        PictureError: the disk fails.
    """
    about = run_folder.read(run)
    sources = read_sources(run)
    if not about or sources is None:
        raise UsageError(f"{run}: holds no run ({run_folder.FILE})")
    if target.suffix != checkpoint.SUFFIX:
        raise UsageError(f"{target}: a checkpoint's name ends in {checkpoint.SUFFIX}")
    config = TrainConfig.from_values(about["config"])
    state = resume_for_export(run, config, torch.device("cpu"))
    chosen = config.ema[0] if length is None else length
    if chosen not in state.averages:
        raise UsageError(f"--ema {chosen:g}: the run keeps {', '.join(f'{e:g}' for e in config.ema)}")
    summary = {
        "steps": str(state.step),
        "training": json.dumps(_training(state, config, chosen) | _teacher(about)),
        "data": json.dumps(data_summary(sources)),
        "metrics": json.dumps(_metrics(run, state.step)),
        "licence": licence or "not stated; the pictures' licences are for who trained on them to check",
    }
    checkpoint.save(target, state.averages[chosen], state.net.config.to_json(), summary)


def _training(state: State, config: TrainConfig, length: float) -> dict[str, Any]:
    steps = state.step - state.first
    return {
        "version": __version__, "steps": steps, "images": steps * config.batch, "seconds": round(state.seconds),
        "ema": length, "config": config.to_json(),
    }  # fmt: skip


def _teacher(about: dict[str, Any]) -> dict[str, str]:
    """Return the hash of the teacher, if there was one."""
    return {"teacher": about["teacher"]} if about.get("teacher") else {}


def data_summary(sources: Sources) -> dict[str, Any]:
    """Return the number of pictures, their names without paths, and their hashes."""
    trained = [source for source in sources.pictures if not source.held_out]
    summary: dict[str, Any] = {
        "pictures": len(trained), "held_out": len(sources.pictures) - len(trained), "skipped": len(sources.skipped),
        "sha256": sources.sha256,
    }  # fmt: skip
    if len(sources.pictures) <= NAMED_PICTURES:
        summary["sha256_of"] = {source.name: source.sha256 for source in trained}
    return summary


def _metrics(run: Path, step: int) -> dict[str, Any]:
    """Return the last validation up to this step."""
    log = [r for r in journal.records(run / journal.FILE) if r["kind"] == "validation" and r["step"] <= step]
    if not log:
        return {}
    return {"what": "PSNR in dB on held-out crops", "step": log[-1]["step"], **log[-1]["psnr"]}
