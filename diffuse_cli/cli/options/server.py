"""Options for a server that has the model in memory, and its token."""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Final

import typer

from ...errors import UsageError
from ...system.files import disk_trouble

LEAST_TOKEN: Final = 16
"""Characters."""

Token = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="Secret of the server. A command line is seen by other users; DIFFUSE_TOKEN and --token-file are not.",
    ),
]
"""The secret itself."""
TokenFile = Annotated[Path | None, typer.Option(metavar="FILE", help="File whose only line is the server's secret.")]
"""Where the secret is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerOptions:
    """Options for commands that a server can carry out."""

    title: ClassVar[str] = "Machine"

    server: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Let this server compute (see diffuse serve). It has the model in memory."),
    ] = None
    token: Token = None
    token_file: TokenFile = None

    def secret(self) -> str | None:
        """Return the secret, or None.

        Raises:
            UsageError: it is given twice or without a server, or the file cannot be read.
        """
        if self.server is None and self.token_file is not None:
            raise UsageError("--token-file needs --server URL")
        return secret_of(self.token, self.token_file)


def secret_of(token: str | None, file: Path | None) -> str | None:
    """Return a secret that is given in one of two ways.

    Args:
        token: the secret itself.
        file: where it is.

    Raises:
        UsageError: it is given twice, the file cannot be read, or the secret is short or cannot be sent.
    """
    if token is not None and file is not None:
        raise UsageError("--token and --token-file both give the token; give one of them")
    where = "--token"
    if file is not None:
        where = str(file)
        try:
            token = file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise UsageError(f"{file}: the token cannot be read: {disk_trouble(error)}") from None
        except ValueError:
            raise UsageError(f"{file}: the token is no text; write one line of letters and digits") from None
    if token is None:
        return None
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise UsageError(f"{where}: a token is one word of ASCII letters, digits and signs")
    if len(token) < LEAST_TOKEN:
        raise UsageError(f"{where}: a token has at least {LEAST_TOKEN} characters; {secrets.token_urlsafe(24)} is one")
    return token
