"""`diffuse degrade`."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...errors import UsageError
from ...system.files import in_the_way
from ...system.streams import is_stream
from ...version import __version__
from ..batch import pipeline, refusals
from ..batch.inputs import PIPE
from ..batch.job import Job
from ..options.files import Files
from ..options.shared import shared
from ..run.cluster import check_engine
from ..run.damaged import check, told
from ..run.display import Display
from ..run.planning import Wanted, plan_files, sha256_of, show_plan
from ..run.results import Results
from ..run.steps import Made, PictureSteps, Shown
from ..run.working import PictureWork, begin, working

if TYPE_CHECKING:
    from ...degradation.damage import Damage
    from ...images.picture import Picture


@shared
def degrade(
    files: Files,
    motion: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH,ANGLE",
            help="Blur by a straight motion: its length in pixels, and its angle in degrees from rightwards towards "
            "upwards.",
        ),
    ] = None,
    defocus: Annotated[
        float | None,
        typer.Option(metavar="RADIUS", help="Blur as a lens out of focus does: the radius of its disk in pixels."),
    ] = None,
    blur: Annotated[float, typer.Option(metavar="PX", help="Blur by a Gaussian of this std in pixels.")] = 0.0,
    scale: Annotated[float, typer.Option(metavar="S", help="Shrink by this factor (bicubic, antialiased).")] = 1.0,
    poisson: Annotated[
        float, typer.Option(metavar="G", help="Add shot noise of G levels a photon. Its variance is G times the level.")
    ] = 0.0,
    noise: Annotated[float, typer.Option(metavar="LEVEL", help="Add white noise of this std in 8-bit levels.")] = 0.0,
    camera: Annotated[
        float | None,
        typer.Option(metavar="ISO", help="Add the noise of a camera at this ISO: sensor, demosaicing, colours."),
    ] = None,
    film: Annotated[
        float | None, typer.Option(metavar="LEVEL", help="Add film grain of this level in the middle tones.")
    ] = None,
    grain: Annotated[
        float | None, typer.Option(metavar="PX", help="Size of the film's grain in pixels.", show_default="0.8")
    ] = None,
    mask_random: Annotated[
        str | None,
        typer.Option(metavar="text|strokes|boxes|dust|scratches|tears", help="Paint over pixels, and write the mask."),
    ] = None,
    mask_share: Annotated[float, typer.Option(metavar="0..1", help="Share of the picture to paint over.")] = 0.1,
    worn: Annotated[
        bool,
        typer.Option("--worn", help="Paint like the wear of old prints, in tones and with soft rims, not white."),
    ] = False,
    jpeg: Annotated[
        int | None, typer.Option(metavar="Q", help="Write a JPEG of this quality instead of a PNG.")
    ] = None,
    subsampling: Annotated[
        str, typer.Option(metavar="4:2:0|4:2:2|4:4:4", help="Chroma subsampling of the JPEG.")
    ] = "4:2:0",
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of noise and marks.")] = 0,
) -> None:
    """Damage pictures in a known way, to make test inputs.

    The damage is done in the order of these options. Each result gets a .json that says what was done and, with
    --mask-random, a .mask.png (white = painted over).
    """
    from ...degradation.damage import Damage
    from ...degradation.kernels import known_kernel
    from ...degradation.random_masks import kind_of
    from ...images.encoding import Encoding

    if motion is not None and defocus is not None:
        raise UsageError("--motion and --defocus are two blurs; degrade the result of one again for both")
    damage = Damage(
        kernel=known_kernel(motion, defocus), blur=blur, scale=scale,
        poisson=poisson, noise=noise, camera=camera, film=film, grain=grain,
        mask=kind_of(mask_random), mask_share=mask_share, worn=worn, jpeg=jpeg, subsampling=subsampling, seed=seed,
    )  # fmt: skip
    check_engine(files, "degrade")
    if files.damaged == "inpaint":
        raise UsageError("--damaged inpaint: degrade fills nothing; give keep or refuse")
    encoding = Encoding()

    def wanted(job: Job) -> dict[str, Any]:
        told = {key: value for key, value in damage.to_json().items() if value is not None}
        return {"diffuse": __version__, "operation": "degrade", **told, "input": ""}

    what = plan_files("degrade", files, encoding, wanted, suffix=".png" if jpeg is None else ".jpg", seed=seed)
    _check_outputs(what.jobs, files, is_jpeg=jpeg is not None)
    if files.dry_run:
        show_plan(what, files)
        return
    with Display(quiet=files.quiet, total=len(what.jobs)) as display:
        begin(what, files, display)
        results = Results(batch=what, files=files, encoding=encoding, display=display)
        degrader = _Degrader(damage=damage, wanted=wanted, files=files, results=results)
        with working(PictureWork(what, files, display)) as work:
            pipeline.run(what.jobs, degrader, work.end, work.is_stopped)


def _check_outputs(jobs: list[Job], files: Files, *, is_jpeg: bool) -> None:
    for job in jobs:
        if job.output == PIPE or is_stream(job.output):
            raise UsageError(
                f"{job.output_name}: degrade writes several files for each picture; name the output with -o FILE"
            )
        if (job.output.suffix.lower() in (".jpg", ".jpeg")) != is_jpeg:
            raise UsageError(
                f"{job.output}: {'with --jpeg, end the name in .jpg' if is_jpeg else 'a JPEG needs --jpeg QUALITY'}"
            )
    due = [job for job in jobs if job.action != "skip"]
    beside = [path for job in due for path in (_sidecar(job.output), _mask_file(job.output))]
    refusals.check_free(beside, [job.source for job in jobs])
    if files.exists != "overwrite":
        refusals.refuse_existing([path for path in beside if in_the_way(path)])


def _sidecar(output: Path) -> Path:
    return output.with_suffix(".json")


def _mask_file(output: Path) -> Path:
    return output.with_suffix(".mask.png")


@dataclass(frozen=True, kw_only=True)
class _Degrader(PictureSteps["tuple[Picture, dict[str, Any]]"]):
    """How each picture is read and damaged."""

    damage: "Damage"
    wanted: Wanted
    files: Files

    def read(self, job: Job) -> "tuple[Picture, dict[str, Any]]":
        """Claim, hash and decode the picture."""
        from ...images.image_io import read_picture

        self.results.claim(job)
        made = {**self.wanted(job), "input": sha256_of(job.source)}
        self.results.check_still_due(job, made)
        picture = read_picture(job.source, max_pixels=self.files.max_pixels)
        check(job.source, picture, self.files.damaged)
        if line := told(picture):
            self.results.display.say(f"{job.source_name}: {line}")
        return picture, made

    def restore(self, job: Job, read: "tuple[Picture, dict[str, Any]]") -> Made:
        """Do the damage."""
        from ...images.encoding import PLAIN
        from ...images.image_io import check_fits

        self.results.display.show(job.source.name)
        before, recipe = read
        picture, hole = self.damage.apply(before)
        check_fits(picture, job.output)
        picture = self.results.signed(picture, recipe)
        shown = Shown(before=before, after=picture) if self.results.shows(job) else None
        return Made(pages=[picture], recipe=recipe, encoding=PLAIN, hole=hole, shown=shown)

    def write_beside(self, job: Job, made: Made) -> None:
        """Write what was done, and where pixels are hidden."""
        from ...images.image_io import write_picture
        from ...images.mask_picture import mask_picture
        from ...system.files import write_bytes

        record = {"version": __version__, "input_sha256": made.recipe["input"], **self.damage.to_json()}
        if made.hole is not None:
            write_picture(self.results.signed(mask_picture(made.hole), made.recipe), _mask_file(job.output))
        write_bytes((json.dumps(record, indent=1) + "\n").encode(), _sidecar(job.output))


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(degrade)
