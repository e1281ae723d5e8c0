"""The routes of the server: who may ask, what is read of a request, and what it gets."""

import asyncio
import json
import secrets
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import parse_options_header
from starlette.applications import Starlette
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ...errors import DiffuseError, OutOfMemoryError, UsageError
from ...system.files import reason
from ...tasks.as_options import OPERATIONS
from ...version import __version__
from .line import AbandonedError, FullError, Line, Ticket
from .openapi import openapi
from .request import Models, as_option_error, models, wish_of
from .restoring import Restored, Restoring, Sent, TooLargeError

MOST_OPTIONS: Final = 32 << 10
"""Bytes of a request's options."""
BODY_SECONDS: Final = 60.0
"""Within which a request's body must have come."""
_END: Final = 512
"""Bytes at the end of a body, where its last boundary must be."""
_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What a request may take.

    Attributes:
        body: bytes of its body.
        seconds: from its place in the line to its result.
        waiting: requests that may wait.
    """

    body: int
    seconds: float
    waiting: int


class _Refused(Exception):  # noqa: N818 - it is an answer
    """A request that gets an error.

    Attributes:
        status: of HTTP.
        field: the option or part that is wrong.
        code: the exit code of the command line.
        headers: further ones.
    """

    def __init__(self, status: int, message: str, *, field: str | None = None, code: int = 2, **headers: str) -> None:
        super().__init__(message)
        self.status, self.field, self.code, self.headers = status, field, code, headers

    def response(self) -> JSONResponse:
        told = {"message": str(self), "field": self.field, "exit_code": self.code}
        headers = {name.replace("_", "-"): value for name, value in self.headers.items()}
        return JSONResponse({"error": told}, self.status, {**_HEADERS, **headers})


class _Guard:
    """Refuses strangers, and pages of other sites that use a visitor's browser, before anything of a body is read."""

    def __init__(self, app: ASGIApp, token: str | None, hosts: frozenset[str]) -> None:
        """Keep the secret.

        Args:
            app: what is guarded.
            token: what a request must know; None = nothing.
            hosts: the names of this server; none = any.
        """
        self.app, self.token, self.hosts = app, token, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on who may ask."""
        if scope["type"] == "http" and (refusal := self._refusal(scope)) is not None:
            await refusal.response()(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _refusal(self, scope: Scope) -> _Refused | None:
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if self.hosts and host.lower() not in self.hosts:
            return _Refused(421, "this is another host's name; use the address that the server printed")
        if origin is not None and origin.lower() != f"{scope['scheme']}://{host.lower()}":
            return _Refused(403, "pages of other origins may not use this server")
        if scope["path"] == "/healthz" or self.token is None:
            return None
        scheme, _, given = headers.get("authorization", "").partition(" ")
        known = secrets.compare_digest(given.strip().encode(), self.token.encode())
        if scheme.lower() == "bearer" and known:
            return None
        message = "the token is missing or wrong; send the header Authorization: Bearer TOKEN"
        return _Refused(401, message, WWW_Authenticate="Bearer")


class _Parser(MultiPartParser):
    """Keeps all in memory. A large part would else be written to a temporary file."""

    spool_max_size = 1 << 40

    def close(self) -> None:
        """Let go of all that was kept."""
        for file in self._files_to_close_on_error:
            file.close()


Log = Callable[[str], object]
"""Takes one line."""


class Service:
    """What the routes share.

    Attributes:
        restoring: the model.
        limits: what a request may take.
        line: who waits for the model.
    """

    def __init__(self, restoring: Restoring, limits: Limits, line: Line, log: Log) -> None:
        """Keep it.

        Args:
            restoring: the model.
            limits: what a request may take.
            line: whose worker has loaded the model.
            log: takes a line for each request, without names and tokens.
        """
        self.restoring, self.limits, self.line, self.log = restoring, limits, line, log
        self.models: Models = models(restoring.compute)

    def about(self) -> dict[str, Any]:
        """Return what a client needs to know."""
        sha256, dtype, compiled = self.restoring.checkpoint
        base = self.restoring.compute.settings(1)
        return {
            "diffuse": __version__,
            "model": Path(self.restoring.compute.model).name.removesuffix(".safetensors"),
            "checkpoint": {"sha256": sha256, "dtype": dtype, "compile": compiled},
            "backend": base.backend,
            "tile": base.tile,
            "memory": base.memory,
            "operations": list(OPERATIONS),
            "limits": {
                "body": self.limits.body, "pixels": self.restoring.max_pixels, "seconds": self.limits.seconds,
                "waiting": self.limits.waiting,
            },
        }  # fmt: skip

    async def tell_about(self, _: Request) -> Response:
        """GET /v1/about."""
        return JSONResponse(self.about(), headers=_HEADERS)

    async def tell_health(self, _: Request) -> Response:
        """GET /healthz."""
        return JSONResponse({"status": "ok"}, headers=_HEADERS)

    async def tell_openapi(self, _: Request) -> Response:
        """GET /openapi.json."""
        return JSONResponse(openapi(self.models, self.limits.body), headers=_HEADERS)

    async def restore(self, operation: str, request: Request) -> Response:
        """POST /v1/OPERATION."""
        try:
            with self.line.place() as ticket:
                restored = await self._restored(operation, request, ticket)
        except _Refused as refused:
            self.log(f"{operation}: {refused.status}")
            return refused.response()
        except FullError as full:
            self.log(f"{operation}: 503")
            message = f"{self.line.inside} requests are waiting; try again in {full.seconds} s"
            return _Refused(503, message, code=1, Retry_After=str(full.seconds)).response()
        self.log(f"{operation}: 200")
        told = {"Diffuse-Recipe": json.dumps(restored.recipe), "Diffuse-Notes": json.dumps(restored.notes)}
        return Response(restored.content, 200, {**_HEADERS, **told}, restored.media_type)

    async def _restored(self, operation: str, request: Request, ticket: Ticket) -> Restored:
        """Read the request, wait for its turn and for its result.

        Raises:
            _Refused: it gets an error.
        """
        model = self.models[operation]
        try:
            options, sent = await self._read(operation, request)
            wish = wish_of(operation, options, self.models)
            return await self._in_turn(partial(self.restoring, wish, sent, ticket), request, ticket)
        except UsageError as error:
            told = as_option_error(error, model)
            raise _Refused(422, str(told), field=told.field) from None
        except TooLargeError as error:
            raise _Refused(413, _words(error), field="picture", code=error.exit_code) from None
        except OutOfMemoryError as error:
            raise _Refused(413, f"{_words(error)}; send a smaller picture", code=error.exit_code) from None
        except DiffuseError as error:
            raise _Refused(422, _words(error), field="picture", code=error.exit_code) from None
        except AbandonedError:
            raise _Refused(503, "the server is stopping; try again later", code=1, Retry_After="5") from None
        except MemoryError:
            raise _Refused(413, "out of memory; send a smaller picture", code=4) from None

    async def _in_turn(self, work: Callable[[], Restored], request: Request, ticket: Ticket) -> Restored:
        """Wait for the result, as long as the client does.

        Raises:
            _Refused: it took too long, or the client is gone.
        """
        future = self.line.submit(work)
        waiting: asyncio.Future[Any] = asyncio.ensure_future(asyncio.wrap_future(future))
        gone: asyncio.Future[Any] = asyncio.ensure_future(_gone(request))
        try:
            done, _ = await asyncio.wait(
                {waiting, gone}, timeout=self.limits.seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if waiting in done:
                restored: Restored = waiting.result()
                return restored
        finally:
            ticket.leave()
            future.cancel()
            for task in (waiting, gone):
                task.cancel()
            with suppress(BaseException):
                await asyncio.gather(waiting, gone, return_exceptions=True)
        if gone in done:
            raise _Refused(499, "the client is gone")
        raise _Refused(504, f"took more than {self.limits.seconds:g} s; send a smaller picture", code=1)

    async def _read(self, operation: str, request: Request) -> tuple[bytes, Sent]:
        """Return the options, and the pictures.

        Raises:
            _Refused: the body is too large, too slow, or not as the description says.
        """
        kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
        if kind != "multipart/form-data":
            raise _Refused(415, "send multipart/form-data, with the parts picture and options")
        end = bytearray()
        parser = _Parser(
            request.headers, self._limited(request, end), max_files=4, max_fields=1, max_part_size=MOST_OPTIONS
        )
        try:
            async with asyncio.timeout(BODY_SECONDS):
                form = await parser.parse()
            if not _is_whole(request, end):  # or options could be missing, and nobody would notice
                raise MultiPartException("it ends early")
            return await _parts(operation, form.multi_items())
        except (MultiPartException, MultipartParseError, UnicodeDecodeError, KeyError, ValueError) as error:
            message = f"the body is no multipart/form-data that can be read: {reason(error)}"
            raise _Refused(400, message, field="body") from None
        except TimeoutError:
            raise _Refused(408, f"the body did not come within {BODY_SECONDS:g} s; send it again", code=1) from None
        except ClientDisconnect:
            raise _Refused(499, "the client is gone") from None
        finally:
            parser.close()

    async def _limited(self, request: Request, end: bytearray) -> AsyncGenerator[bytes, None]:
        """Yield the body, and keep its end.

        Raises:
            _Refused: it is too large.
        """
        told, most, count = request.headers.get("content-length", "0"), self.limits.body, 0
        message = f"the body has more than {most:,} bytes; send a smaller picture"
        if told.isdigit() and int(told[:19]) > most:
            raise _Refused(413, message, field="body")
        async for chunk in request.stream():
            count += len(chunk)
            if count > most:
                raise _Refused(413, message, field="body")
            end += chunk[-_END:]
            del end[:-_END]
            yield chunk


def _is_whole(request: Request, end: bytes | bytearray) -> bool:
    """Return whether a body ends as its media type says."""
    _, told = parse_options_header(request.headers["content-type"])
    return b"--" + told[b"boundary"] + b"--" in end


async def _parts(operation: str, items: list[tuple[str, UploadFile | str]]) -> tuple[bytes, Sent]:
    """Return the options, and the pictures.

    Raises:
        _Refused: a part is missing, unknown or there twice.
    """
    allowed = ("picture", "options", *OPERATIONS[operation].parts)
    found: dict[str, bytes] = {}
    suffix = ""
    for name, value in items:
        if name not in allowed:
            raise _Refused(422, f"{name[:60]!a}: {operation} takes the parts {', '.join(allowed)}", field="body")
        if name in found:
            raise _Refused(422, f"{name}: is there twice; send it once", field=name)
        if isinstance(value, str):
            found[name] = value.encode()
        else:
            found[name] = await value.read()
            if name == "picture":
                suffix = _suffix(value.filename or "")
    if not found.get("picture"):
        raise _Refused(422, "picture: is missing; send the content of an image file", field="picture")
    options = found.pop("options", b"") or b"{}"
    if len(options) > MOST_OPTIONS:
        raise _Refused(422, f"options: has more than {MOST_OPTIONS:,} bytes; give less", field="options")
    picture = found.pop("picture")
    return options, Sent(picture=picture, suffix=suffix, parts=found)


def _suffix(name: str) -> str:
    """Return what follows the last dot of a name, in lower case. Nothing else of the name is used."""
    return f".{name.rpartition('.')[2].lower()}" if "." in name else ""


def _words(error: Exception) -> str:
    """Return an error without the names of files that do not exist."""
    text = str(error)
    first, colon, rest = text.partition(": ")
    return rest if colon and first.partition(".")[0] in ("picture", "result", "mask", "noise_map", "-") else text


async def _gone(request: Request) -> None:
    """Return when the client is gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def application(service: Service, token: str | None, hosts: frozenset[str]) -> ASGIApp:
    """Return what the server runs.

    Args:
        service: what the routes share.
        token: what each request must know; None = nothing.
        hosts: the names of this server; none = any.
    """

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await asyncio.to_thread(service.line.close)

    routes = [
        Route("/healthz", service.tell_health),
        Route("/openapi.json", service.tell_openapi),
        Route("/v1/about", service.tell_about),
        *(
            Route(f"/v1/{name}", _endpoint(partial(service.restore, name)), methods=["POST"], name=name)
            for name in OPERATIONS
        ),
    ]
    handlers: Mapping[Any, Any] = {404: _not_found, 405: _not_allowed, Exception: partial(_defect, service.log)}
    return _Guard(Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan), token, hosts)


def _endpoint(restore: Callable[[Request], Any]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        response: Response = await restore(request)
        return response

    return endpoint


async def _not_found(_: Request, __: Exception) -> Response:
    names = ", ".join(f"/v1/{name}" for name in OPERATIONS)
    return _Refused(404, f"there is nothing of that name; POST to one of {names}, or GET /openapi.json").response()


async def _not_allowed(_: Request, error: Exception) -> Response:
    allowed = (getattr(error, "headers", None) or {}).get("Allow", "")
    return _Refused(405, f"use {allowed}", Allow=allowed).response()


async def _defect(log: Log, _: Request, error: Exception) -> Response:
    log(f"unexpected {type(error).__name__}: {reason(error)}; please report this bug")
    message = f"unexpected {type(error).__name__} in the server; its log says more"
    return _Refused(500, message, code=1).response()
