"""The painter's server: only for this machine, for one page that knows the token, and for a few fixed names.

It listens on the loopback address, at a port that the system chooses. A request must have the token in its path, must
name this address as its host (so that no foreign name can point here), must not come from another page, and must be
small.
"""

import json
import re
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any, Final

from ...errors import DiffuseError
from .session import Session

LOOPBACK: Final = "127.0.0.1"
_LARGEST_BODY: Final = 64_000_000
"""In bytes. A mask's PNG of the largest canvas is smaller."""
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

_NUMBER: Final = re.compile(r"(preview|done)\?guess=(\d{1,6})|(suggest)\?strength=(\d(?:\.\d{1,4})?)")
"""The requests that say a number."""

Answer = tuple[str, bytes]
"""Media type and body."""
Route = Callable[[Session, bytes, float | None], Answer]
"""From the session, what was sent, and the number that was said, if any."""


@contextmanager
def serving(session: Session) -> Iterator[str]:
    """Serve the page while it is entered.

    Yields:
        The page's address, with the token.
    """
    token = secrets.token_urlsafe(24)
    server = _Server((LOOPBACK, 0), _Handler)
    server.session, server.token = session, token
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="painter", daemon=True)
    thread.start()
    try:
        yield f"http://{LOOPBACK}:{server.server_port}/{token}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    session: Session
    token: str

    @property
    def hosts(self) -> tuple[str, str]:
        return f"{LOOPBACK}:{self.server_port}", f"localhost:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as inherited
        """Ignore a page that went away in mid-answer."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 60
    server_version = "diffuse"
    sys_version = ""

    def do_GET(self) -> None:
        if self._is_welcome():
            self._answer(_GET.get(self._name()))

    def do_POST(self) -> None:
        if self._is_welcome():
            name, number = _with_number(self._name())
            self._answer(_POST.get(name), self._body(), number)

    def _is_welcome(self) -> bool:
        """Return whether the request may be answered. If not, refuse it."""
        origin = self.headers.get("Origin")
        if self.headers.get_all("Host", []) not in ([host] for host in self.server.hosts):
            self._refuse(HTTPStatus.MISDIRECTED_REQUEST, "another host")
        elif origin is not None and origin not in [f"http://{host}" for host in self.server.hosts]:
            self._refuse(HTTPStatus.FORBIDDEN, "another origin")
        elif not secrets.compare_digest(self._token().encode(), self.server.token.encode()):
            self._refuse(HTTPStatus.FORBIDDEN, "no such token")
        else:
            return True
        return False

    def _token(self) -> str:
        return self.path.split("/")[1] if self.path.startswith("/") else ""

    def _name(self) -> str:
        """Return what comes after the token: a name of the tables below, or nothing."""
        return self.path.split("/", 2)[2] if self.path.count("/") >= 2 else "?"

    def _body(self) -> bytes | None:
        """Return the body. None = the request was refused."""
        length = ",".join(self.headers.get_all("Content-Length", []))
        if not length.isascii() or not length.isdigit() or "Transfer-Encoding" in self.headers:
            self._refuse(HTTPStatus.LENGTH_REQUIRED, "say how long it is")
        elif int(length) > _LARGEST_BODY:
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too large")
        else:
            return self.rfile.read(int(length))
        return None

    def _answer(self, route: Route | None, body: bytes | None = b"", number: float | None = None) -> None:
        if body is None:
            return
        if route is None:
            self._refuse(HTTPStatus.NOT_FOUND, "nothing of that name")
            return
        try:
            kind, content = route(self.server.session, body, number)
        except DiffuseError as error:
            self._refuse(HTTPStatus.BAD_REQUEST, str(error))
        except MemoryError:
            self._refuse(HTTPStatus.INTERNAL_SERVER_ERROR, "out of memory")
        else:
            try:
                self._send(HTTPStatus.OK, kind, content)
            finally:
                if route in (_done, _cancel):  # not before: who waits may end the program in mid-answer
                    self.server.session.end()

    def _refuse(self, status: HTTPStatus, why: str) -> None:
        self.close_connection = True
        self._send(status, "text/plain; charset=utf-8", why.encode())

    def _send(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        for name, value in {**_HEADERS, "Content-Type": kind, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing, because the token is in the path."""


def _with_number(asked: str) -> tuple[str, float | None]:
    """Return the name of a request, and the number that it says, if it may say one."""
    found = _NUMBER.fullmatch(asked)
    if found is None:
        return asked, None
    name, number = (part for part in found.groups() if part is not None)
    return name, float(number)


def _page(name: str, kind: str) -> Route:
    def route(session: Session, _: bytes, __: float | None) -> Answer:
        session.hear()
        return f"{kind}; charset=utf-8", files(__package__).joinpath(name).read_bytes()

    return route


def _facts(session: Session, _: bytes, __: float | None) -> Answer:
    told = {
        "name": session.name,
        "size": session.canvas,
        "suggests": session.suggest is not None,
        "strength": session.strength,
        "initial": session.initial is not None,
    }
    return "application/json", json.dumps(told).encode()


def _initial(session: Session, _: bytes, __: float | None) -> Answer:
    import numpy as np

    width, height = session.size
    hole = np.zeros((height, width), bool) if session.initial is None else session.initial
    return "image/png", session.to_page(hole)


def _preview(session: Session, body: bytes, guess: float | None) -> Answer:
    return "image/jpeg", session.previewed(session.from_page(body), int(guess or 0))


def _suggest(session: Session, _: bytes, strength: float | None) -> Answer:
    return "image/png", session.suggestion(session.strength if strength is None else strength)


def _done(session: Session, body: bytes, guess: float | None) -> Answer:
    session.finish(session.from_page(body), int(guess or 0))
    return "text/plain", b"done"


def _cancel(session: Session, _: bytes, __: float | None) -> Answer:
    session.finish(None)
    return "text/plain", b"cancelled"


def _alive(session: Session, _: bytes, __: float | None) -> Answer:
    session.hear()
    return "text/plain", b""


def _leaving(session: Session, _: bytes, __: float | None) -> Answer:
    session.hear(leaving=True)
    return "text/plain", b""


_GET: Final[Mapping[str, Route]] = {
    "": _page("painter.html", "text/html"),
    "painter.css": _page("painter.css", "text/css"),
    "painter.js": _page("painter.js", "text/javascript"),
    "facts": _facts,
    "picture": lambda session, _, __: ("image/jpeg", session.image),
    "initial": _initial,
}
_POST: Final[Mapping[str, Route]] = {
    "preview": _preview,
    "suggest": _suggest,
    "done": _done,
    "cancel": _cancel,
    "alive": _alive,
    "leaving": _leaving,
}
