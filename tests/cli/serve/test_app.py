"""The server: results are the command line's byte for byte, limits hold, and no file is opened for a request."""

import io
import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("starlette", reason="needs the extra [serve]")
pytest.importorskip("uvicorn", reason="needs the extra [serve]")

from diffuse_cli.cli.run.connection import form
from tests.helpers.program import Program
from tests.helpers.serving import TOKEN, Served, served


def picture(width: int = 40, height: int = 32, form: str = "PNG", **options: Any) -> bytes:
    pixels = np.random.default_rng(width).integers(80, 170, (height, width, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


PNG = picture()
MASK = np.zeros((32, 40), np.uint8)
MASK[4:9, 5:12] = 255


def png_of(array: np.ndarray[Any, Any]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def server(toy_file: Path) -> Iterator[Served]:
    with served(toy_file) as running:
        yield running


@pytest.fixture
def strict(toy_file: Path, request: pytest.FixtureRequest) -> Iterator[Served]:
    with served(toy_file, **request.param) as running:
        yield running


def holes(**said: Any) -> dict[str, Any]:
    return {"boxes": [[3, 3, 6, 6]], **said}


SAME = [
    ("denoise", ["--noise", "20"], {"noise": 20}, "png"),
    ("denoise", ["--seed", "3", "--samples", "2", "--steps", "2"], {"seed": 3, "samples": 2, "steps": 2}, "png"),
    ("denoise", ["--metadata", "strip", "--depth", "16"], {"metadata": "strip", "depth": "16"}, "png"),
    ("denoise", ["--no-provenance", "--quality", "80"], {"provenance": False, "quality": 80}, "jpg"),
    ("super-resolve", ["--scale", "2.5", "--plain"], {"scale": 2.5, "plain": True}, "tif"),
    ("restore", ["--box", "3,3,6,6", "--grow", "2"], {"holes": holes(grow=2)}, "png"),
    ("restore", ["--only", "jpeg", "--jpeg", "50"], {"only": ["jpeg"], "jpeg": 50}, "webp"),
    ("deblur", ["--blur", "1.5", "--rounds", "1"], {"blur": 1.5, "rounds": 1}, "png"),
    ("dejpeg", [], {}, "jpg"),
    ("repair", ["--saturation", "1"], {"saturation": 1}, "png"),
    ("inpaint", ["--box", "3,3,6,6", "--seed", "5"], {**holes(), "seed": 5}, "png"),
    ("enhance", ["--exposure", "0.5"], {"exposure": 0.5}, "png"),
    ("extend", ["--pad", "4"], {"pad": [4, 4, 4, 4]}, "png"),
]  # fmt: skip


@pytest.mark.parametrize(("operation", "arguments", "options", "suffix"), SAME)
def test_the_result_is_the_command_lines(
    server: Served, run: Program, tmp_path: Path, toy_file: Path, operation: str, arguments: list[str],
    options: dict[str, Any], suffix: str,
) -> None:  # fmt: skip
    content = picture(form="JPEG", quality=60, comment=b"kept")
    (tmp_path / "in.jpg").write_bytes(content)
    local = ["--model", str(toy_file), "--dtype", "fp32", "--threads", "1"]
    output = f"{{op}}.{{k}}.{suffix}" if "--samples" in arguments else f"{operation}.0.{suffix}"
    ended = run(operation, "in.jpg", "-o", output, *arguments, *local)
    assert ended.exit_code == 0, ended.stderr
    status, headers, body = server.post(
        operation, content, {"format": {"jpg": "jpeg", "tif": "tiff"}.get(suffix, suffix), **options}
    )
    assert status == 200, body
    assert body == (tmp_path / f"{operation}.0.{suffix}").read_bytes()
    assert json.loads(headers["Diffuse-Recipe"])["operation"] == operation
    names = {"picture": "in.jpg", "result": f"{operation}.0.{suffix}"}
    notes = [line.partition(": ") for line in json.loads(headers["Diffuse-Notes"])]
    told = [line for line in ended.stderr.splitlines() if " -> " not in line]
    assert [f"{names.get(what, what)}: {said}" for what, _, said in notes] == told


def test_masks_and_maps_come_as_pictures(server: Served, run: Program, tmp_path: Path, toy_file: Path) -> None:
    local = ["--model", str(toy_file), "--dtype", "fp32", "--threads", "1"]
    (tmp_path / "in.png").write_bytes(PNG)
    (tmp_path / "m.png").write_bytes(png_of(MASK))
    for operation, option, part, options in (
        ("inpaint", "--mask", "mask", {}),
        ("restore", "--mask", "mask", {"holes": {"feather": 2}}),
        ("denoise", "--noise-map", "noise_map", {}),
    ):
        more = ["--feather", "2"] if options else []
        ended = run(operation, "in.png", "-o", f"{operation}.png", option, "m.png", *more, *local)
        assert ended.exit_code == 0, ended.stderr
        status, _, body = server.post(operation, PNG, options, **{part: png_of(MASK)})
        assert (status, body) == (200, (tmp_path / f"{operation}.png").read_bytes())


def test_without_a_format_it_is_the_inputs(server: Served) -> None:
    for coding, kind in (("JPEG", "image/jpeg"), ("PNG", "image/png"), ("TIFF", "image/tiff"), ("BMP", "image/bmp")):
        status, headers, _ = server.post("denoise", picture(form=coding), {"noise": 9})
        assert (status, headers["content-type"]) == (200, kind)


def test_animations_and_pages_are_restored_whole(server: Served) -> None:
    frames = [Image.open(io.BytesIO(picture(32 + k, 24))).resize((32, 24)) for k in range(3)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=50)
    status, headers, body = server.post("denoise", file.getvalue(), {"noise": 9})
    assert (status, headers["content-type"]) == (200, "image/gif")
    with Image.open(io.BytesIO(body)) as image:
        assert getattr(image, "n_frames", 1) == 3


def test_refusals_name_the_field_and_the_remedy(server: Served) -> None:
    assert server.refusal("denoise", PNG, {"noise": 999}) == (
        422, {"message": "noise must be a number from 0 to 255, not 999.0", "field": "noise", "exit_code": 2},
    )  # fmt: skip
    status, told = server.refusal("denoise", b"text")
    assert (status, told["field"], told["exit_code"]) == (422, "picture", 1)
    assert "save it as PNG" in told["message"]
    assert server.refusal("denoise", b"")[1]["message"].startswith("picture: is missing")
    assert server.refusal("inpaint", PNG, {})[1]["message"].startswith("nothing to fill")
    assert server.refusal("inpaint", PNG, {"mask": "auto"}, mask=png_of(MASK))[1]["field"] == "mask"
    assert server.refusal("denoise", PNG, mask=png_of(MASK))[1]["field"] == "body"
    assert server.refusal("inpaint", PNG, mask=png_of(MASK[:20]))[0] == 422
    assert server.ask("GET", "/v1/denoise")[0] == 405
    assert server.ask("GET", "/v1/nothing")[0] == 404
    assert server.ask("POST", "/v1/denoise", b"x=1")[0] == 415
    assert server.ask("POST", "/v1/denoise", b"x", Content_Type="multipart/form-data")[0] == 400
    body, kind = form({"picture": ("a.png", PNG)}, {"noise": 25})
    for cut in (4, 40, len(PNG)):  # without its end, options could be lost
        assert server.ask("POST", "/v1/denoise", body[:-cut], Content_Type=kind)[0] == 400


def test_strangers_and_foreign_pages_are_refused(server: Served) -> None:
    for header in ("", f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", f"Basic {TOKEN}", "Bearer \xe9"):
        status, headers, _ = server.ask("GET", "/v1/about", Authorization=header)
        assert (status, headers["www-authenticate"]) == (401, "Bearer")
    assert server.ask("GET", "/openapi.json", Authorization="")[0] == 401
    assert server.ask("GET", "/healthz", Authorization="")[0] == 200
    assert server.ask("GET", "/v1/about", Host="example.org")[0] == 421
    assert server.ask("GET", "/v1/about", Origin="http://example.org")[0] == 403
    assert server.ask("GET", "/v1/about", Origin=server.url)[0] == 200
    assert TOKEN not in "".join(server.log)


def test_limits_of_bytes_and_pixels_hold(server: Served) -> None:
    assert server.refusal("denoise", PNG + bytes(1 << 20))[0] == 413
    status, told = server.refusal("denoise", picture(400, 300))
    assert (status, told["field"]) == (422, "picture")
    assert "400x300 is more than 0.1 million pixels" in told["message"]
    assert server.refusal("super-resolve", picture(120, 100), {"scale": 8, "plain": True})[0] == 413
    assert server.refusal("restore", picture(120, 100), {"scale": 8})[0] == 413
    assert server.refusal("extend", picture(200, 200), {"to_size": [600, 600]})[0] == 413
    with socket.create_connection(("127.0.0.1", server.port)) as peer:
        peer.sendall(
            f"POST /v1/denoise HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {TOKEN}\r\n"
            f"Content-Type: multipart/form-data; boundary=x\r\nContent-Length: {10**12}\r\n\r\n".encode()
        )
        assert peer.recv(99).startswith(b"HTTP/1.1 413")


def test_no_file_is_opened_for_a_request(server: Served) -> None:
    names: list[str] = []
    watching = True

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if watching and event == "open" and isinstance(arguments[0], str | bytes | Path):
            names.append(str(arguments[0]))

    large = picture(300, 300, "BMP")
    for warm in (True, False):
        if not warm:
            sys.addaudithook(hook)
        for sent, mask in ((PNG, MASK), (large, MASK.repeat(10, 0)[:300].repeat(8, 1)[:, :300])):
            assert server.post("inpaint", sent, holes(), mask=png_of(mask))[0] == 200
            assert server.post("denoise", sent, {"noise": 5})[0] == 200
    watching = False
    assert names == []


@pytest.mark.parametrize("strict", [{"waiting": 1, "seconds": 60.0}], indirect=True)
def test_more_than_may_wait_are_told_to_come_back(strict: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    go, begun = threading.Event(), threading.Event()
    restoring = strict.service.restoring

    def slow(*arguments: Any) -> Any:
        begun.set()
        assert go.wait(30)
        return restoring(*arguments)

    monkeypatch.setattr(strict.service, "restoring", slow)
    found: list[int] = []
    waiting = [threading.Thread(target=lambda: found.append(strict.post("denoise", PNG)[0])) for _ in range(2)]
    for thread in waiting:
        thread.start()
    assert begun.wait(30)
    while strict.service.line.inside < 2:
        time.sleep(0.01)
    status, headers, body = strict.post("denoise", PNG)
    assert (status, int(headers["Retry-After"]) >= 1) == (503, True)
    assert "try again in" in json.loads(body)["error"]["message"]
    go.set()
    for thread in waiting:
        thread.join(30)
    assert found == [200, 200]
    assert strict.service.line.inside == 0


@pytest.mark.parametrize("strict", [{"seconds": 0.5}], indirect=True)
def test_what_takes_too_long_is_ended_and_the_next_is_served(strict: Served) -> None:
    assert strict.post("denoise", PNG, {"steps": 1000, "noise": 20, "fidelity": 0})[0] == 504
    while strict.service.line.inside:
        time.sleep(0.01)
    deadline = time.monotonic() + 30
    while (status := strict.post("denoise", PNG, {"noise": 20})[0]) != 200:
        assert status == 504  # as long as the one before has not noticed
        assert time.monotonic() < deadline


def test_work_for_a_client_that_left_is_given_up(server: Served) -> None:
    body, kind = form({"picture": ("a.png", PNG)}, {"steps": 1000, "noise": 20, "samples": 256, "average": True})
    with socket.create_connection(("127.0.0.1", server.port)) as peer:
        head = f"POST /v1/denoise HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nAuthorization: Bearer {TOKEN}\r\n"
        peer.sendall(f"{head}Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        while not server.service.line.inside:
            time.sleep(0.01)
        time.sleep(0.2)
    begin = time.monotonic()
    assert server.post("denoise", PNG, {"noise": 20})[0] == 200
    assert time.monotonic() - begin < 20  # the other one would take minutes
