"""The painter in a real browser: by mouse, by keyboard, by touch, narrow and wide."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.cli.paint.server import serving
from diffuse_cli.cli.paint.session import Hole, Session
from diffuse_cli.cli.report.previews import jpeg
from tests.helpers.browser import WIDTHS, Open, browse, chromium, overflows, touches, until

__all__ = ["browse", "chromium"]
pytestmark = pytest.mark.slow


@contextmanager
def painter(size: tuple[int, int] = (300, 200), suggestion: Hole | None = None) -> Iterator[tuple[str, Session]]:
    picture = Image.new("RGB", size, (90, 120, 90))

    def preview(hole: Hole, guess: int) -> bytes:
        shade = np.uint8(250 - 60 * min(guess, 2))  # from the third on all are the same
        return jpeg(Image.fromarray(np.where(hole[..., None], shade, np.uint8(60)).repeat(3, 2)), 95)

    def suggest(strength: float) -> Hole:
        assert suggestion is not None
        found: Hole = suggestion & (np.indices(suggestion.shape)[1] < 300 * strength)
        return found

    session = Session(
        name="scan.png", size=size, image=jpeg(picture, 95), initial=None, preview=preview,
        suggest=None if suggestion is None else suggest,
    )  # fmt: skip
    with serving(session) as address:
        yield address, session


def ready(page: Any) -> dict[str, float]:
    page.wait_for_selector("body[data-ready=yes]")
    found: dict[str, float] = page.locator("#stage").bounding_box()
    return found


def painted(page: Any, session: Session) -> Hole:
    """Press Fill, and keep what is shown; the mask that comes of it."""
    page.click("#fill")
    page.wait_for_selector("#result", state="visible")
    page.click("#keep")
    until(page, "state.over")
    mask = session.wait()
    assert mask is not None
    return mask


def on_screen(page: Any, x: float, y: float) -> tuple[float, float]:
    """Where a picture's pixel is seen."""
    box = page.locator("#stage").bounding_box()
    view = page.evaluate("({zoom: view.zoom, x: view.x, y: view.y})")
    return box["x"] + view["x"] + x * view["zoom"], box["y"] + view["y"] + y * view["zoom"]


def drag(page: Any, *points: tuple[float, float]) -> None:
    """The mouse, in picture coordinates."""
    first, *rest = [on_screen(page, *point) for point in points]
    page.mouse.move(*first)
    page.mouse.down()
    for point in rest:
        page.mouse.move(*point, steps=5)
    page.mouse.up()


def disk(size: tuple[int, int], x: float, y: float, radius: float) -> Hole:
    rows, columns = np.ogrid[: size[1], : size[0]]
    inside: Hole = (columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2 <= radius**2
    return inside


def set_width(page: Any, width: int) -> None:
    page.fill("#width", str(width))


@WIDTHS
def test_brush_eraser_box_and_polygon_paint_these_pixels(browse: Open, width: int, height: int) -> None:
    with painter() as (address, session):
        page = browse(address, width=width, height=height)
        box = ready(page)
        assert box["height"] > 200
        assert not overflows(page)
        set_width(page, 20)
        drag(page, (60, 60))
        page.click("[data-tool=box]")
        drag(page, (100, 20), (140, 50))
        page.click("[data-tool=polygon]")
        for corner in ((200, 100), (280, 100), (280, 180)):
            page.mouse.click(*on_screen(page, *corner))
        page.keyboard.press("Enter")
        page.click("[data-tool=eraser]")
        set_width(page, 10)
        drag(page, (120, 10), (120, 60))
        mask = painted(page, session)
    size = (300, 200)
    assert np.all(mask[disk(size, 60, 60, 9)])
    assert not np.any(mask[:100, :90] & ~disk(size, 60, 60, 11.5)[:100, :90])
    assert np.all(mask[22:48, 102:114])
    assert not np.any(mask[:, 116:124])
    assert np.all(mask[22:48, 127:138])
    assert not np.any(mask[52:95, 95:145])
    rows, columns = np.mgrid[:200, :300]
    triangle = (columns > 203) & (columns < 278) & (rows > 102) & (rows - 100 < columns - 204)
    assert np.all(mask[triangle])
    assert not np.any(mask[105:, 190:] & (rows - 100 > columns - 196)[105:, 190:])


def test_a_ring_shows_the_brush(browse: Open) -> None:
    with painter() as (address, _):
        page = browse(address)
        box = ready(page)
        set_width(page, 20)
        ring = page.locator("#ring")
        assert not ring.is_visible()
        x, y = on_screen(page, 150, 100)
        page.mouse.move(x, y)
        zoom = page.evaluate("view.zoom")
        seen = ring.bounding_box()
        assert seen["width"] == seen["height"] == pytest.approx(20 * zoom, abs=1)
        assert seen["x"] + seen["width"] / 2 == pytest.approx(x, abs=1)
        page.keyboard.press("]")
        assert ring.bounding_box()["width"] > 1.2 * seen["width"]
        page.keyboard.press("r")
        assert not ring.is_visible()
        page.keyboard.press("e")
        assert ring.is_visible()
        page.mouse.move(x, box["y"] - 5)
        assert not ring.is_visible()


def test_the_bars_leave_a_phone_room(browse: Open) -> None:
    hole = np.ones((200, 300), bool)
    with painter(suggestion=hole) as (address, session):
        page = browse(address, width=390, height=800, has_touch=True, is_mobile=True)
        box = ready(page)
        assert box["y"] < 140
        assert not overflows(page)
        for name in ("fill", "undo", "suggest", "fit"):
            seen = page.locator(f"#{name}").bounding_box()
            assert seen["x"] + seen["width"] <= 390
        page.click("#suggest")
        until(page, "state.done.length === 1")
        page.click("#fill")
        page.wait_for_selector("#result", state="visible")
        until(page, "!document.getElementById('another').disabled")
        page.click("#another")
        until(page, "state.guess === 1 && !document.getElementById('another').disabled")
        seen = page.locator("#keep").bounding_box()
        assert seen["x"] + seen["width"] <= 390
        session.end()


def test_undo_redo_clear_and_the_way_back(browse: Open) -> None:
    with painter() as (address, session):
        page = browse(address)
        ready(page)
        page.click("[data-tool=box]")
        drag(page, (10, 10), (60, 60))
        drag(page, (100, 100), (150, 150))
        page.keyboard.press("Control+z")
        page.keyboard.press("Control+z")
        page.keyboard.press("Control+Shift+z")
        page.click("#fill")
        page.wait_for_selector("#result", state="visible")
        assert min(colour_on(page, 35, 35)) > 230
        assert max(colour_on(page, 125, 125)) < 90
        page.click("#back")
        assert not page.locator("#result").is_visible()
        assert page.locator("#fill").is_visible()
        page.click("#clear")
        page.keyboard.press("Control+z")
        mask = painted(page, session)
    assert np.argwhere(mask).min() == 10
    assert mask.sum() == 2500


def colour_on(page: Any, x: float, y: float) -> tuple[int, int, int]:
    left, top = on_screen(page, x, y)
    with Image.open(io.BytesIO(page.screenshot())) as shot:
        found = shot.convert("RGB").getpixel((int(left), int(top)))
    assert isinstance(found, tuple)
    return found[0], found[1], found[2]


def test_by_keyboard_alone(browse: Open) -> None:
    with painter() as (address, session):
        page = browse(address)
        ready(page)
        page.locator("#stage").focus()
        page.keyboard.press("r")
        page.keyboard.press(" ")
        set_width(page, 20)
        page.locator("#stage").focus()
        for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
            page.keyboard.press(key)
        page.keyboard.press(" ")
        page.locator("#fill").focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("#result", state="visible")
        until(page, "document.activeElement.id === 'keep'")
        page.keyboard.press("Enter")
        until(page, "state.over")
        mask = session.wait()
    assert mask is not None
    assert np.array_equal(np.argwhere(mask).min(0), [100, 150])
    assert np.array_equal(np.argwhere(mask).max(0), [109, 169])


def test_one_finger_paints_and_two_zoom(browse: Open) -> None:
    with painter() as (address, session):
        page = browse(address, width=360, height=740, has_touch=True, is_mobile=True)
        ready(page)
        set_width(page, 12)
        x, y = on_screen(page, 150, 100)
        before = page.evaluate("view.zoom")
        touches(page, [(x - 20, y), (x - 40, y), (x - 80, y)], [(x + 20, y), (x + 40, y), (x + 80, y)])
        assert page.evaluate("view.zoom") == pytest.approx(4 * before, rel=0.1)
        assert page.evaluate("state.done.length") == 0
        page.click("#fit")
        touches(page, [on_screen(page, 40, 100), on_screen(page, 60, 100), on_screen(page, 80, 100)])
        mask = painted(page, session)
    assert np.all(mask[96:104, 38:82])
    assert not np.any(mask[:90])
    assert not np.any(mask[:, 95:])


def test_a_suggestion_is_added_and_can_be_undone(browse: Open) -> None:
    hole = np.zeros((200, 300), bool)
    hole[50:53, 20:280] = True
    with painter(suggestion=hole) as (address, session):
        page = browse(address)
        ready(page)
        page.fill("#strength", "1")
        page.click("#suggest")
        until(page, "state.done.length === 1")
        page.click("[data-tool=box]")
        drag(page, (100, 100), (110, 110))
        mask = painted(page, session)
    hole[100:110, 100:110] = True
    assert np.array_equal(mask, hole)


def test_other_guesses_are_shown_and_one_is_kept(browse: Open) -> None:
    with painter() as (address, session):
        page = browse(address)
        ready(page)
        page.click("#fill")
        until(page, "!document.getElementById('fill').disabled")
        assert "Nothing is painted" in page.inner_text("#message")
        page.click("[data-tool=box]")
        drag(page, (10, 10), (60, 60))
        page.click("#fill")
        page.wait_for_selector("#result", state="visible")
        assert not page.locator("#earlier").is_visible()
        for guess in (1, 2, 3):
            page.click("#another")
            until(page, f"state.guess === {guess} && !document.getElementById('another').disabled")
        assert "The same again" in page.inner_text("#message")
        for guess in (2, 1):
            page.click("#earlier")
            until(page, f"state.guess === {guess} && !document.getElementById('earlier').disabled")
        assert 170 < min(colour_on(page, 35, 35)) < 210
        page.click("#keep")
        until(page, "state.over")
        assert session.wait() is not None
        assert page.locator("#result").is_visible()
    assert session.guess == 1


@WIDTHS
def test_the_strength_of_a_suggestion_replaces_it(browse: Open, width: int, height: int) -> None:
    hole = np.zeros((200, 300), bool)
    hole[50:53, 20:280] = True
    with painter(suggestion=hole) as (address, session):
        page = browse(address, width=width, height=height)
        ready(page)
        assert not overflows(page)
        assert page.inner_text("#strength-told") == "0.50"
        page.click("#suggest")
        until(page, "state.done.length === 1")
        page.fill("#strength", "0.2")
        page.dispatch_event("#strength", "change")
        until(page, "!document.getElementById('suggest').disabled")
        assert page.evaluate("state.done.length") == 1
        mask = painted(page, session)
    hole[:, 60:] = False
    assert np.array_equal(mask, hole)


def test_save_mask_gives_the_same_pixels(browse: Open, tmp_path: Path) -> None:
    with painter() as (address, session):
        page = browse(address)
        ready(page)
        page.click("[data-tool=box]")
        drag(page, (10, 20), (30, 50))
        with page.expect_download() as download:
            page.click("#download")
        download.value.save_as(tmp_path / "mask.png")
        mask = painted(page, session)
    with Image.open(tmp_path / "mask.png") as image:
        assert np.array_equal(np.asarray(image.convert("L")) == 255, mask)


def test_closing_the_page_ends_it(browse: Open) -> None:
    with painter() as (address, session):
        page = browse(address)
        ready(page)
        ended = threading.Event()

        def wait() -> None:
            session.wait()
            ended.set()

        threading.Thread(target=wait, daemon=True).start()
        page.close()
        assert ended.wait(30)
    assert session.mask is None
