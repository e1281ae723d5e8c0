"""`diffuse serve`."""

from importlib import util
from typing import Annotated, Final

import typer

from ...errors import UsageError
from ..options.compute import ComputeInRounds
from ..options.numbers import byte_count
from ..options.server import Token, TokenFile, secret_of
from ..options.shared import shared

_NEEDED: Final = ("starlette", "uvicorn", "pydantic", "python_multipart")
_LEAST_BODY: Final = 1 << 16


@shared
def serve(
    host: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Interface to listen on. All but loopback needs a token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(metavar="N", help="Port to listen on. 0 is a free one.")] = 8765,
    token: Token = None,
    token_file: TokenFile = None,
    queue: Annotated[
        int, typer.Option(metavar="N", min=0, max=1000, help="Requests that may wait. Others are told to come back.")
    ] = 8,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", help="End a request that takes longer, its waiting included.")
    ] = 300.0,
    max_body: Annotated[str, typer.Option(metavar="SIZE", help="Refuse larger requests.")] = "64M",
    max_pixels: Annotated[
        int, typer.Option(metavar="N", min=1, help="Refuse pictures, and results, of more pixels.")
    ] = 50_000_000,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Print one line for each request.")] = False,
    *,
    compute: ComputeInRounds,
) -> None:
    """Keep one model in memory, and restore pictures that HTTP requests send.

    The restoring commands use it with --server URL, which saves their start. Requests name no files of this machine.
    Options about seeds, solver and rounds hold for requests that do not say them.
    """
    if missing := [name for name in _NEEDED if util.find_spec(name) is None]:
        raise UsageError(f"serve needs {', '.join(missing)}: pip install 'diffuse-cli[serve]'")
    from ..serve.app import Limits
    from ..serve.server import Address
    from ..serve.server import serve as run

    address, secret = Address(host=host, port=port), secret_of(token, token_file)
    if secret is None and not address.is_loopback:
        raise UsageError(f"--host {host}: other machines reach it, so it needs a token; give --token-file FILE")
    if not 0 < timeout <= 86400:
        raise UsageError(f"--timeout must be more than 0 and at most 86400, not {timeout:g}")
    body = byte_count("max-body", max_body)
    if body < _LEAST_BODY:
        raise UsageError(f"--max-body {max_body}: no picture fits; give at least {_LEAST_BODY >> 10}K")
    limits = Limits(body=body, seconds=timeout, waiting=queue)
    run(address, compute, limits, max_pixels, secret, tells=verbose)


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(serve)
