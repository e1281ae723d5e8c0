"""HTTP to a server that has the model: what it is, and one picture after the other."""

import http.client
import json
import secrets
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

from ...errors import DiffuseError, OutOfMemoryError, PictureError, ServerError, UsageError
from ...system.files import reason

_CONNECT_SECONDS: Final = 10.0
_MORE_SECONDS: Final = 30.0
"""For the way there and back, beside what the server takes."""
_MOST_WAITS: Final = 100
_MOST_WAIT: Final = 30.0
"""Times and seconds that a busy server is asked again."""
_PATIENCE: Final = 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What a server made of a picture.

    Attributes:
        content: the result's file.
        recipe: how it was made.
        notes: what is said beside, one line each.
    """

    content: bytes
    recipe: dict[str, Any]
    notes: tuple[str, ...]


class Connection:
    """A connection to a server, opened again where it was lost.

    Attributes:
        url: the server's.
        about: what it says of itself.
    """

    def __init__(self, url: str, token: str | None) -> None:
        """Ask the server what it is.

        Args:
            url: http://HOST:PORT, or https of something in front of it.
            token: its secret, or None.

        Raises:
            UsageError: the URL is none.
            ServerError: there is no server, or it wants another token.
        """
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or port == -1 or parts.query or parts.username:
            raise UsageError(f"--server {url}: not a server's address; give it like http://127.0.0.1:8765")
        self.url, self._path = url, parts.path.rstrip("/")
        self._headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._seconds = _CONNECT_SECONDS
        self._host, self._port, self._is_safe = parts.hostname, port, parts.scheme == "https"
        self._open: http.client.HTTPConnection | None = None
        try:
            self.about = self._about()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Keep it open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def _about(self) -> dict[str, Any]:
        status, _, body = self._exchange("GET", "/v1/about", None, {})
        if status != 200:
            raise self._error(status, body)
        try:
            about = json.loads(body)
            self._seconds = float(about["limits"]["seconds"]) + _MORE_SECONDS
            checkpoint = about["checkpoint"]
            _ = about["diffuse"], about["model"], about["backend"], about["tile"], about["limits"]["body"]
            _ = checkpoint["sha256"], checkpoint["dtype"], checkpoint["compile"]
        except (ValueError, KeyError, TypeError):
            raise self._other() from None
        return dict(about)

    def restore(
        self,
        operation: str,
        parts: Mapping[str, tuple[str, bytes]],
        options: Mapping[str, Any],
        is_stopped: Callable[[], bool],
    ) -> Reply:
        """Have a picture restored. A busy server is asked again.

        Args:
            operation: the command's name.
            parts: names and contents of files, by part.
            options: as JSON can hold them.
            is_stopped: returns whether to ask no more.

        Raises:
            PictureError: as the command says it of the picture.
            ServerError: the server is gone, or stays busy.
        """
        body, kind = form(parts, options)
        for _ in range(_MOST_WAITS):
            status, headers, content = self._exchange("POST", f"/v1/{operation}", body, {"Content-Type": kind})
            if status == 200:
                return _reply(headers, content)
            if status != 503 or is_stopped():
                break
            _wait(headers.get("Retry-After"), is_stopped)
        raise self._error(status, content)

    def _exchange(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        """Ask, and once more on a new connection if the old one was closed meanwhile."""
        is_old = self._open is not None
        try:
            return self._ask(method, path, body, headers)
        except (http.client.HTTPException, OSError) as error:
            self.close()
            is_closed = isinstance(error, http.client.RemoteDisconnected | ConnectionError)
            if not (is_old and is_closed):
                raise self._lost(error) from None
        try:
            return self._ask(method, path, body, headers)
        except (http.client.HTTPException, OSError) as error:
            self.close()
            raise self._lost(error) from None

    def _ask(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        if self._open is None:
            self._open = self._connection()
        if self._open.sock is not None:
            self._open.sock.settimeout(self._seconds)
        self._open.request(method, self._path + path, body, {**self._headers, **headers})
        response = self._open.getresponse()
        content = response.read()
        if response.will_close:
            self.close()
        return response.status, response.headers, content

    def _connection(self) -> http.client.HTTPConnection:
        opened: http.client.HTTPConnection
        if self._is_safe:
            opened = http.client.HTTPSConnection(
                self._host, self._port, timeout=_CONNECT_SECONDS, context=ssl.create_default_context()
            )
        else:
            opened = http.client.HTTPConnection(self._host, self._port, timeout=_CONNECT_SECONDS)
        opened.connect()
        return opened

    def close(self) -> None:
        """Close the connection."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _lost(self, error: Exception) -> ServerError:
        if isinstance(error, TimeoutError):
            return ServerError(f"--server {self.url}: it does not answer; see whether diffuse serve still runs there")
        if isinstance(error, ConnectionRefusedError):
            return ServerError(f"--server {self.url}: no server; start diffuse serve, or leave --server out")
        return ServerError(f"--server {self.url}: the connection failed ({reason(error)}); check the address")

    def _other(self) -> ServerError:
        return ServerError(f"--server {self.url}: something else than diffuse serve answers; check the address")

    def _error(self, status: int, content: bytes) -> DiffuseError:
        """Return the error that an answer tells."""
        try:
            told = json.loads(content)["error"]
            message, code = str(told["message"]), int(told["exit_code"])
        except (ValueError, KeyError, TypeError):
            return self._other()
        if status in (413, 422):
            return (OutOfMemoryError if code == 4 else PictureError)(message)
        return ServerError(f"--server {self.url}: {message}")


def _reply(headers: http.client.HTTPMessage, content: bytes) -> Reply:
    try:
        recipe, notes = json.loads(headers["Diffuse-Recipe"]), json.loads(headers["Diffuse-Notes"])
    except (ValueError, KeyError, TypeError):
        raise ServerError("the server's answer says nothing of how it was made; is it of this version?") from None
    return Reply(content=content, recipe=recipe, notes=tuple(map(str, notes)))


def _wait(told: str | None, is_stopped: Callable[[], bool]) -> None:
    seconds = float(told) if told is not None and told.isdigit() else 1.0
    end = time.monotonic() + min(seconds, _MOST_WAIT)
    while time.monotonic() < end and not is_stopped():
        time.sleep(_PATIENCE)


def form(parts: Mapping[str, tuple[str, bytes]], options: Mapping[str, Any]) -> tuple[bytes, str]:
    """Return a body of multipart/form-data (RFC 7578), and its media type.

    Args:
        parts: names and contents of files, by part.
        options: as JSON can hold them.
    """
    boundary = secrets.token_hex(24)
    pieces: list[bytes] = []
    for name, (file, content) in parts.items():
        head = f'Content-Disposition: form-data; name="{name}"; filename="{file}"'
        pieces += [f"--{boundary}\r\n{head}\r\n\r\n".encode(), content, b"\r\n"]
    head = 'Content-Disposition: form-data; name="options"\r\nContent-Type: application/json'
    pieces += [f"--{boundary}\r\n{head}\r\n\r\n".encode(), json.dumps(options).encode()]
    return b"".join([*pieces, f"\r\n--{boundary}--\r\n".encode()]), f"multipart/form-data; boundary={boundary}"
