"""The server as a process: its address, its model, its signals."""

import ipaddress
import logging
import socket
from dataclasses import dataclass
from io import BytesIO
from typing import Final

import typer
import uvicorn

from ...errors import UsageError
from ..options.compute import ComputeInRounds
from ..run.stopping import Terminated
from .app import Limits, Service, application
from .line import Line, Ticket
from .request import wish_of
from .restoring import Restoring, Sent

GRACE: Final = 30
"""Seconds for the requests in hand once the server is to stop."""
_CONNECTIONS: Final = 64
"""Connections beside those in the line. More are refused."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Address:
    """Where the server listens.

    Attributes:
        host: the name or number of an interface.
        port: 0 = one that is free.

    Raises:
        UsageError: the port is out of range.
    """

    host: str
    port: int

    def __post_init__(self) -> None:
        """Check the port."""
        if not 0 <= self.port < 1 << 16:
            raise UsageError(f"--port must lie in 0 .. 65535, not {self.port}")

    @property
    def is_loopback(self) -> bool:
        """Whether only programs of this machine reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def names(self, port: int) -> frozenset[str]:
        """Return what a request may call this host; none = anything, because it has further names.

        Args:
            port: the one that was found.
        """
        if not self.is_loopback:
            return frozenset()
        return frozenset(f"{name}:{port}" for name in ("127.0.0.1", "localhost", "[::1]", self.host.lower()))


def serve(
    address: Address, compute: ComputeInRounds, limits: Limits, max_pixels: int, token: str | None, *, tells: bool
) -> None:
    """Serve until a signal comes. The requests in hand are finished first.

    Args:
        address: where.
        compute: the model, and how to compute where a request does not say it.
        limits: what a request may take.
        max_pixels: the most that a picture, and what is made of it, may have.
        token: what each request must know; None = nothing.
        tells: print a line for each request.

    Raises:
        UsageError: the address cannot be used, or the options of the model cannot.
        CheckpointError: the model cannot be used.
    """
    logging.getLogger("uvicorn").addHandler(logging.NullHandler())
    listening = listen_at(address)
    port = listening.getsockname()[1]
    line = Line(limits.waiting)
    restoring = line.submit(lambda: _loaded(compute, max_pixels)).result()  # torch counts threads for each thread
    service = Service(restoring, limits, line, _say if tells else _say_nothing)
    app = application(service, token, address.names(port))
    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, http="h11", ws="none", lifespan="on",
        limit_concurrency=limits.waiting + 1 + _CONNECTIONS, timeout_graceful_shutdown=GRACE,
        h11_max_incomplete_event_size=64 << 10, proxy_headers=False,
    )  # fmt: skip
    host = f"[{address.host}]" if ":" in address.host else address.host
    _say(f"serving {compute.model} at http://{host}:{port}{', with a token' if token else ''}; Ctrl-C stops it")
    try:
        uvicorn.Server(config).run(sockets=[listening])
    except (KeyboardInterrupt, Terminated):  # raised again when all is finished
        pass
    finally:
        listening.close()
    _say("stopped")


def listen_at(address: Address) -> socket.socket:
    """Return a socket that listens. It is there before the model is loaded, which takes seconds.

    Args:
        address: where.

    Raises:
        UsageError: the address cannot be used.
    """
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, place = found[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(place)
        listening.listen(128)
    except OSError as error:
        where = f"--host {address.host} --port {address.port}"
        raise UsageError(f"{where}: {error.strerror or error}; give another, or --port 0 for a free one") from None
    return listening


def _loaded(compute: ComputeInRounds, max_pixels: int) -> Restoring:
    """Load the model, and restore a small picture, so that the first request need not wait for imports."""
    import numpy as np
    from PIL import Image

    from .request import models

    restoring = Restoring(compute, max_pixels)
    file = BytesIO()
    Image.fromarray(np.arange(64 * 64, dtype=np.uint8).reshape(64, 64)).save(file, "png")
    restoring(wish_of("denoise", b'{"noise": 10}', models(compute)), Sent(picture=file.getvalue()), Ticket())
    return restoring


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _say_nothing(_: str) -> None:
    pass
