"""The painter's server: what it refuses, and how it ends. See also test_page."""

import http.client
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from urllib.parse import urlsplit

import numpy as np
import pytest

from diffuse_cli.cli.paint import server, session
from diffuse_cli.cli.paint.server import serving
from diffuse_cli.cli.paint.session import Hole, Session, encoded_mask
from diffuse_cli.errors import PictureError


def new_session(size: tuple[int, int] = (60, 40), initial: Hole | None = None) -> Session:
    return Session(
        name="a <b>.png", size=size, image=b"jpeg", initial=initial,
        preview=lambda hole, guess: b"%d" % (hole.sum() + 1000 * guess), suggest=None,
    )  # fmt: skip


class Client:
    """Requests as any program on the machine could send them."""

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        self.host, self.port, self.root = parts.hostname or "", parts.port or 0, parts.path

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=10)
        connection.putrequest(method, path, skip_host="Host" in headers)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if method == "POST":
            given = {"Content-Length": str(len(body)), **given}
        for name, value in given.items():
            connection.putheader(name, value)
        connection.endheaders(body or None)
        answer = connection.getresponse()
        self.headers = answer.headers
        content = answer.read()
        connection.close()
        return answer.status, content


@contextmanager
def client(one: Session) -> Iterator[Client]:
    with serving(one) as address:
        yield Client(address)


def hole_of(size: tuple[int, int], box: tuple[int, int, int, int]) -> Hole:
    hole = np.zeros((size[1], size[0]), bool)
    hole[box[1] : box[3], box[0] : box[2]] = True
    return hole


def test_it_listens_on_the_loopback_alone_with_a_new_token_each_time() -> None:
    with serving(new_session()) as first, serving(new_session()) as second:
        parts = urlsplit(first)
        assert parts.hostname == "127.0.0.1"
        tokens = [urlsplit(address).path.strip("/") for address in (first, second)]
        assert tokens[0] != tokens[1]
        assert min(map(len, tokens)) >= 32
        outside = socket.gethostbyname(socket.gethostname())
        if not outside.startswith("127."):
            with pytest.raises(OSError):  # noqa: PT011 - refused or unreachable, as the system has it
                socket.create_connection((outside, parts.port or 0), timeout=2).close()


def test_the_page_and_its_parts() -> None:
    with client(new_session()) as one:
        for name, kind in (("", "text/html"), ("painter.js", "text/javascript"), ("painter.css", "text/css")):
            status, content = one.ask("GET", one.root + name)
            assert status == 200
            assert content
            assert one.headers["Content-Type"].startswith(kind)
            assert "default-src 'none'" in one.headers["Content-Security-Policy"]
            assert one.headers["Cache-Control"] == "no-store"
        assert json.loads(one.ask("GET", one.root + "facts")[1])["name"] == "a <b>.png"


def test_without_the_token_nothing_is_told() -> None:
    with client(new_session()) as one:
        token = one.root.strip("/")
        for path in (
            "/", "/facts", "//facts", "/wrong/facts", f"/{token}x/facts", f"/{token[:-1]}/facts", "facts",
            f"/%2e%2e/{token}/facts",
        ):  # fmt: skip
            assert one.ask("GET", path)[0] in (400, 403), path
            assert one.ask("POST", path)[0] in (400, 403), path


def test_only_its_own_names_are_served() -> None:
    with client(new_session()) as one:
        for name in (
            "../../etc/passwd", "..%2f..%2fetc%2fpasswd", "painter.js/../session.py", "session.py", "/etc/passwd",
            "facts/", "facts?x", "./facts", "PICTURE", "__init__.py", "painter.js%00",
        ):  # fmt: skip
            assert one.ask("GET", one.root + name)[0] == 404, name
            assert one.ask("POST", one.root + name)[0] == 404, name


def test_other_hosts_are_refused() -> None:
    with client(new_session()) as one:
        evil = "evil.example", f"evil.example:{one.port}", "127.0.0.1", "127.0.0.1:1", f"0.0.0.0:{one.port}", ""
        for host in evil:
            assert one.ask("GET", one.root + "facts", Host=host)[0] == 421, host
            assert one.ask("GET", one.root + "facts", Host=f"localhost:{one.port}")[0] == 200


def test_other_origins_are_refused() -> None:
    done = new_session()
    with client(done) as one:
        for origin in (
            "http://evil.example",
            "null",
            f"http://127.0.0.1:{one.port + 1}",
            f"https://127.0.0.1:{one.port}",
        ):
            assert one.ask("POST", one.root + "cancel", Origin=origin)[0] == 403
        assert not done._over.is_set()
        assert one.ask("POST", one.root + "cancel", Origin=f"http://127.0.0.1:{one.port}")[0] == 200
        assert done._over.wait(10)


def test_bodies_are_small_and_of_known_length() -> None:
    with client(new_session()) as one:
        assert one.ask("POST", one.root + "done", Content_Length="99999999999")[0] == 413
        assert one.ask("POST", one.root + "done", Content_Length="-5")[0] == 411
        assert one.ask("POST", one.root + "done", Transfer_Encoding="chunked")[0] == 411
        for method in ("PUT", "DELETE", "OPTIONS", "HEAD"):
            assert one.ask(method, one.root + "done")[0] == 501
        assert one.ask("GET", one.root + "done")[0] == 404
        assert one.ask("POST", one.root + "facts")[0] == 404


def test_what_is_no_mask_of_this_picture_is_refused() -> None:
    bomb = encoded_mask(np.zeros((4000, 4000), bool))
    good = encoded_mask(hole_of((60, 40), (1, 2, 3, 4)))
    with client(new_session()) as one:
        for body in (b"", b"\x89PNG", bomb, good[:-30], good[:40] + bytes(40), b"GIF89a" + good):
            assert one.ask("POST", one.root + "done", body)[0] == 400
        assert one.ask("POST", one.root + "preview", good) == (200, b"4")


def test_done_ends_it_with_the_mask_and_cancel_without() -> None:
    hole = hole_of((60, 40), (10, 5, 30, 25))
    one = new_session()
    with client(one) as page:
        assert page.ask("POST", page.root + "done", encoded_mask(hole))[0] == 200
        painted = one.wait()
    assert painted is not None
    assert np.array_equal(painted, hole)
    other = new_session()
    with client(other) as page:
        assert page.ask("POST", page.root + "cancel")[0] == 200
        assert other.wait() is None


def test_the_page_is_told_before_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[bool] = []
    send = server._Handler._send

    def watched(self: server._Handler, status: HTTPStatus, kind: str, content: bytes) -> None:
        ended.append(self.server.session._over.is_set())
        send(self, status, kind, content)

    monkeypatch.setattr(server._Handler, "_send", watched)
    with client(one := new_session()) as page:
        page.ask("POST", page.root + "cancel")
        assert one.wait() is None
    assert ended == [False]


def test_it_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "_GOODBYE", 0.0)
    one = new_session()
    with client(one) as page:
        page.ask("GET", page.root)
        page.ask("POST", page.root + "leaving")
        assert one.wait() is None
    unopened = new_session()
    unopened._patience = 0.0
    assert unopened.wait() is None


def test_a_large_picture_is_painted_smaller_and_no_mark_is_lost() -> None:
    size = (9000, 10)
    hole = np.zeros((10, 9000), bool)
    hole[3, 4567] = True
    one = new_session(size, hole)
    assert max(one.canvas) == session.LARGEST_SIDE
    back = one.from_page(one.to_page(hole))
    assert back.shape == hole.shape
    assert back[3, 4567]
    with pytest.raises(PictureError, match="pixels"):
        one.from_page(encoded_mask(hole))


def test_a_guess_is_shown_and_the_kept_one_is_known() -> None:
    hole = hole_of((60, 40), (1, 2, 3, 4))
    one = new_session()
    with client(one) as page:
        assert page.ask("POST", page.root + "preview?guess=0", encoded_mask(hole)) == (200, b"4")
        assert page.ask("POST", page.root + "preview?guess=7", encoded_mask(hole)) == (200, b"7004")
        for bad in ("preview?guess=-1", "preview?guess=x", "preview?guess=", "preview?seed=1", "done?strength=1",
                    "preview?guess=1&guess=2", "cancel?guess=1", "preview?guess=9999999"):  # fmt: skip
            assert page.ask("POST", page.root + bad, encoded_mask(hole))[0] == 404, bad
        assert page.ask("POST", page.root + "done?guess=2", encoded_mask(hole))[0] == 200
        assert one.wait() is not None
    assert one.guess == 2


def test_suggestions_have_a_strength() -> None:
    asked: list[float] = []

    def suggest(strength: float) -> Hole:
        asked.append(strength)
        return hole_of((60, 40), (1, 2, 3, 4))

    one = new_session()
    one.suggest, one.strength = suggest, 0.3
    with client(one) as page:
        assert json.loads(page.ask("GET", page.root + "facts")[1])["strength"] == 0.3
        for name in ("suggest", "suggest?strength=0.75", "suggest?strength=1"):
            assert page.ask("POST", page.root + name)[0] == 200
        assert page.ask("POST", page.root + "suggest?strength=1.5")[0] == 400
    assert asked == [0.3, 0.75, 1]


def test_every_route_has_its_own_name() -> None:
    assert not server._GET.keys() & server._POST.keys()
