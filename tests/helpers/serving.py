"""`diffuse serve` in a thread of this process, on a free port of loopback."""

import http.client
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TOKEN = "a-token-of-the-tests"


@dataclass(frozen=True, kw_only=True)
class Served:
    """A server that runs."""

    port: int
    service: Any
    log: list[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(
        self, method: str, path: str, body: bytes | None = None, **headers: str
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, {"Authorization": f"Bearer {TOKEN}", **named})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def post(
        self, operation: str, picture: bytes, options: Mapping[str, Any] | None = None, **parts: bytes
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        from diffuse_cli.cli.run.connection import form

        files = {name: (f"{name}.png", content) for name, content in {"picture": picture, **parts}.items()}
        body, kind = form(files, options or {})
        return self.ask("POST", f"/v1/{operation}", body, Content_Type=kind)

    def refusal(self, operation: str, picture: bytes, options: Mapping[str, Any] | None = None, **parts: bytes) -> Any:
        """The status and what is told of it."""
        status, _, body = self.post(operation, picture, options, **parts)
        return status, json.loads(body)["error"]


@contextmanager
def served(model: Path, *, token: str | None = TOKEN, **limits: Any) -> Iterator[Served]:
    """Serve this checkpoint while it is entered."""
    import uvicorn

    from diffuse_cli.cli.options.compute import ComputeInRounds
    from diffuse_cli.cli.serve.app import Limits, Service, application
    from diffuse_cli.cli.serve.line import Line
    from diffuse_cli.cli.serve.restoring import Restoring
    from diffuse_cli.cli.serve.server import Address, listen_at

    compute = ComputeInRounds(model=str(model), dtype="fp32", threads=1)
    pixels = limits.pop("pixels", 100_000)
    limit = Limits(**{"body": 1 << 20, "seconds": 60.0, "waiting": 2, **limits})
    log: list[str] = []
    address, line = Address(host="127.0.0.1", port=0), Line(limit.waiting)
    place = listen_at(address)
    restoring = line.submit(lambda: Restoring(compute, pixels)).result()
    service = Service(restoring, limit, line, log.append)
    port = place.getsockname()[1]
    config = uvicorn.Config(application(service, token, address.names(port)), log_config=None, ws="none", http="h11")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([place],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield Served(port=port, service=service, log=log)
    finally:
        server.should_exit = True
        thread.join()
        place.close()
