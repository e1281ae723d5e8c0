"""`diffuse degrade`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .. import batch
from ..errors import UsageError
from .options import Files, shared
from .restorer import work_through

if TYPE_CHECKING:
    from ..damage import Damage


@shared
def degrade(
    files: Files,
    blur: Annotated[float, typer.Option(metavar="PX", help="Gaussian blur of this std, in pixels.")] = 0.0,
    scale: Annotated[float, typer.Option(metavar="S", help="Shrink by this factor, antialiased bicubic.")] = 1.0,
    poisson: Annotated[
        float, typer.Option(metavar="G", help="Shot noise of G levels a photon: its variance is G times the level.")
    ] = 0.0,
    noise: Annotated[float, typer.Option(metavar="LEVEL", help="White noise of this std, in 8-bit levels.")] = 0.0,
    mask_random: Annotated[
        str | None, typer.Option(metavar="text|strokes|boxes|dust", help="Paint over pixels; writes the mask too.")
    ] = None,
    mask_share: Annotated[float, typer.Option(metavar="0..1", help="The share of the picture painted over.")] = 0.1,
    jpeg: Annotated[int | None, typer.Option(metavar="Q", help="Write a JPEG of this quality, not a PNG.")] = None,
    subsampling: Annotated[str, typer.Option(metavar="4:2:0|4:2:2|4:4:4", help="Of the JPEG's chroma.")] = "4:2:0",
    seed: Annotated[int, typer.Option(metavar="N", help="Of noise and marks.")] = 0,
) -> None:
    """Make test inputs: damage pictures in a known way, in the order of these options.

    Beside each result lie a .json that says what was done and, with --mask-random, a .mask.png (white = painted over).
    """
    from ..damage import Damage
    from ..masks import kind_of

    damage = Damage(
        blur=blur, scale=scale, poisson=poisson, noise=noise, mask=kind_of(mask_random), mask_share=mask_share,
        jpeg=jpeg, subsampling=subsampling, seed=seed,
    )  # fmt: skip
    suffix = ".png" if jpeg is None else ".jpg"
    jobs = batch.plan(files.inputs, files.output, "degrade", force=files.force, suffix=suffix)
    for job in jobs:
        if (job.output.suffix.lower() in (".jpg", ".jpeg")) != (jpeg is not None):
            raise UsageError(f"{job.output}: {'--jpeg writes a .jpg' if jpeg else 'a JPEG needs --jpeg QUALITY'}")
    beside = [path for job in jobs for path in (_sidecar(job.output), _mask_file(job.output))]
    batch.check_outputs(beside, force=files.force, inputs=files.inputs)
    work_through(jobs, files, lambda job, display: _degrade_one(job, damage, files.max_pixels))


def _sidecar(output: Path) -> Path:
    return output.with_suffix(".json")


def _mask_file(output: Path) -> Path:
    return output.with_suffix(".mask.png")


def _degrade_one(job: batch.Job, damage: "Damage", max_pixels: int) -> None:
    import hashlib

    import numpy as np

    from .. import __version__
    from ..image_io import Picture, check_fits, read_picture, write_bytes, write_picture

    picture = read_picture(job.source, max_pixels=max_pixels)
    damaged, hole = damage.inflict(picture)
    check_fits(damaged, job.output)
    record = {"version": __version__, "input_sha256": hashlib.sha256(job.source.read_bytes()).hexdigest()}
    record |= asdict(damage)
    if hole is not None:
        write_picture(Picture(pixels=np.where(hole, 1, -1)[..., None].astype(np.float32)), _mask_file(job.output))
    write_bytes((json.dumps(record, indent=1) + "\n").encode(), _sidecar(job.output))
    write_picture(damaged, job.output)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(degrade)
