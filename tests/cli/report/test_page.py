"""The report in a real browser: by mouse, by keyboard, by touch, narrow and wide."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.cli.batch.pipeline import End
from diffuse_cli.cli.report.report import Report
from diffuse_cli.errors import PictureError
from diffuse_cli.images.picture import Picture
from tests.cli.report.test_report import job
from tests.helpers.browser import WIDTHS, Open, browse, chromium, overflows, touches, until

__all__ = ["browse", "chromium"]
pytestmark = pytest.mark.slow
RED, BLUE = (200, 30, 30), (30, 30, 200)


def flat(colour: tuple[int, int, int], width: int, height: int) -> Picture:
    pixels = np.full((height, width, 3), colour, np.float32) / np.float32(127.5) - 1
    return Picture(pixels=pixels.astype(np.float32))


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a report of 70 pictures: red before, blue after; one failed, one skipped, two not begun."""
    folder = tmp_path_factory.mktemp("report")
    jobs = [job(f"{k:02}.png") for k in range(70)]
    made = Report(target=folder / "r.html", op="denoise", count=70, megabytes=4, overlaid=True)
    map_of_it = Image.new("L", (300, 200), 255)
    for k, one in enumerate(jobs[:66]):
        size = (900, 600) if k else (1200, 800)
        hole = np.zeros(size[::-1], bool)
        hole[:, size[0] // 2 :] = k == 0
        made.show(one, flat(RED, *size), flat(BLUE, *size), notes=["noise 3"], hole=hole if k < 2 else None)
        if k == 0:
            made.lay_over(one, map_of_it, "white = very")
        made.end(End(job=one, status="done", seconds=k / 10, facts={"recipe": {"noise": float(k)}}))
    made.end(End(job=jobs[66], status="failed", error=PictureError("<b>is no picture</b>")))
    made.end(End(job=jobs[67], status="skipped", why="exists"))
    made.write(jobs, seconds=9)
    return (folder / "r.html").as_uri()


def colour_at(page: Any, x: float, y: float) -> tuple[int, int, int]:
    """What the stage shows at a place, as shares of its width and height."""
    with Image.open(io.BytesIO(page.locator("#stage").screenshot())) as shot:
        found = shot.convert("RGB").getpixel((int(x * shot.width), int(y * shot.height)))
    assert isinstance(found, tuple)
    return found[0], found[1], found[2]


def is_red(colour: tuple[int, int, int]) -> bool:
    return colour[0] > 150 > 90 > colour[2]


def is_blue(colour: tuple[int, int, int]) -> bool:
    return colour[2] > 150 > 90 > colour[0]


def view_of(page: Any) -> dict[str, float]:
    found: dict[str, float] = page.evaluate("({zoom: view.zoom, x: view.x, y: view.y, split: view.split})")
    return found


def opened(page: Any, name: str = "00.png") -> None:
    """Open a picture and wait until it is seen."""
    page.locator(".card", has_text=name).click()
    until(page, "document.querySelectorAll('#viewer .canvas img').length >= 2")


@WIDTHS
def test_the_list_shows_failures_first_and_thumbnails_late(browse: Open, report: str, width: int, height: int) -> None:
    page = browse(report, width=width, height=height)
    assert page.locator(".card").first.text_content() == "66.pngfailed: <b>is no picture</b>"
    assert page.locator("#summary").text_content().startswith("1 failed, 2 not begun, 66 done, 1 skipped")
    until(page, "[...document.querySelectorAll('.thumb')].some((image) => image.naturalWidth > 0)")
    decoded = page.evaluate("[...document.querySelectorAll('.thumb')].filter((image) => image.src).length")
    assert 0 < decoded < page.locator(".thumb").count()
    assert not overflows(page)
    page.mouse.wheel(0, 100_000)
    until(page, "document.querySelectorAll('.card').length === 70")


def test_filter_and_sort(browse: Open, report: str) -> None:
    page = browse(report)
    page.fill("#search", "1.png")
    until(page, "document.querySelectorAll('.card').length === 7")
    page.select_option("#order", "noise")
    assert page.locator(".card .label").all_text_contents() == [f"{k}1.png" for k in (6, 5, 4, 3, 2, 1, 0)]
    page.fill("#search", "")
    page.select_option("#status", "skipped")
    until(page, "document.querySelectorAll('.card').length === 1")
    assert page.locator("#count").text_content() == "1 picture shown"


@WIDTHS
def test_the_slider_by_mouse(browse: Open, report: str, width: int, height: int) -> None:
    page = browse(report, width=width, height=height)
    opened(page)
    assert is_red(colour_at(page, 0.4, 0.5))
    assert is_blue(colour_at(page, 0.6, 0.5))
    box = page.locator("#stage").bounding_box()
    middle = box["y"] + 0.4 * box["height"]
    page.mouse.move(box["x"] + 0.5 * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.75 * box["width"], middle, steps=4)
    page.mouse.up()
    assert is_red(colour_at(page, 0.68, 0.5))
    assert view_of(page)["split"] == pytest.approx(75, abs=1)
    assert float(page.input_value("#slider")) == pytest.approx(75, abs=1)
    assert not overflows(page)


def test_the_slider_and_the_zoom_by_keyboard(browse: Open, report: str) -> None:
    page = browse(report)
    page.locator(".card", has_text="00.png").focus()
    page.keyboard.press("Enter")
    until(page, "document.querySelectorAll('#viewer .canvas img').length >= 2")
    assert page.evaluate("document.activeElement.id") == "slider"
    for _ in range(20):
        page.keyboard.press("ArrowLeft")
    assert view_of(page)["split"] == 30
    assert "30 percent before" in page.locator("#slider").get_attribute("aria-valuetext")
    assert is_blue(colour_at(page, 0.4, 0.5))
    page.keyboard.press("1")
    assert view_of(page)["zoom"] == 1
    page.keyboard.press("+")
    page.keyboard.press("+")
    page.locator("#stage").focus()
    before = view_of(page)
    page.keyboard.press("ArrowRight")
    after = view_of(page)
    assert after["x"] == pytest.approx(before["x"] - 60)
    transforms = page.evaluate("[...document.querySelectorAll('.canvas')].map((canvas) => canvas.style.transform)")
    assert len(set(transforms)) == 1
    page.keyboard.press("PageDown")
    assert page.locator("#name").text_content() == "01.png"
    page.keyboard.press("Escape")
    assert not page.locator("#viewer").is_visible()
    assert page.evaluate("document.activeElement.className") == "card done"


def test_the_zoom_by_wheel_keeps_the_point(browse: Open, report: str) -> None:
    page = browse(report)
    opened(page)
    box = page.locator("#stage").bounding_box()
    x, y = 0.55 * box["width"], 0.4 * box["height"]
    before = view_of(page)
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.mouse.wheel(0, -800)
    until(page, f"view.zoom > {before['zoom']} * 2")
    after = view_of(page)
    for at, axis in ((x, "x"), (y, "y")):
        assert (at - after[axis]) / after["zoom"] == pytest.approx(
            (at - before[axis]) / before["zoom"], abs=1.5
        )  # the mouse is at whole pixels


def test_the_slider_and_the_zoom_by_touch(browse: Open, report: str) -> None:
    page = browse(report, width=360, height=740, has_touch=True, is_mobile=True)
    page.locator(".card", has_text="00.png").tap()
    until(page, "document.querySelectorAll('#viewer .canvas img').length >= 2")
    box = page.locator("#stage").bounding_box()
    y = box["y"] + box["height"] / 2
    touches(page, [(180, y), (140, y), (90, y)])
    assert view_of(page)["split"] == pytest.approx(25, abs=1)
    before = view_of(page)["zoom"]
    touches(page, [(160, y), (130, y), (80, y)], [(200, y), (230, y), (280, y)])
    assert view_of(page)["zoom"] == pytest.approx(5 * before, rel=0.1)
    assert view_of(page)["split"] == pytest.approx(25, abs=1)


def test_the_overlay_is_shown_on_demand(browse: Open, report: str) -> None:
    page = browse(report)
    opened(page)
    assert is_blue(colour_at(page, 0.6, 0.4))
    page.check("#overlay")
    assert min(colour_at(page, 0.6, 0.4)) > 140
    page.keyboard.press("u")
    assert is_blue(colour_at(page, 0.6, 0.4))
    page.keyboard.press("PageDown")
    assert not page.locator("#over-overlay").is_visible()


@WIDTHS
def test_what_was_filled_is_laid_over_both_sides(browse: Open, report: str, width: int, height: int) -> None:
    page = browse(report, width=width, height=height)
    opened(page)
    page.keyboard.press("m")
    assert page.locator("#filled").is_checked()
    red, _, blue = colour_at(page, 0.6, 0.4)
    assert red > 150 > 140 > blue
    page.keyboard.press("b")
    assert is_red(colour_at(page, 0.4, 0.4))
    page.keyboard.press("b")
    assert is_blue(colour_at(page, 0.4, 0.4))
    assert not overflows(page)
    page.keyboard.press("f")
    assert page.locator("#name").text_content() == "66.png"


def test_one_to_one_shows_the_pictures_own_pixels(browse: Open, tmp_path: Path) -> None:
    """Of a picture too large for the report, within the frame."""
    rng = np.random.default_rng(0)
    levels = np.kron(rng.integers(0, 2, (200, 300)), np.ones((8, 8)))[..., None].repeat(3, 2)
    picture = Picture(pixels=(levels * 1.6 - 0.8).astype(np.float32))
    made = Report(target=tmp_path / "r.html", op="denoise", count=4, megabytes=1)
    made.show(job("big.png"), picture, picture)
    made.end(End(job=job("big.png"), status="done"))
    made.write([job("big.png")], seconds=1)
    page = browse((tmp_path / "r.html").as_uri())
    page.locator(".card").click()
    page.wait_for_selector(".canvas .detail", state="attached")
    page.click("#one")
    page.fill("#slider", "0")
    place = page.evaluate("pictures[0].places.after")
    with Image.open(io.BytesIO(page.locator("#stage").screenshot())) as shot:
        seen = np.asarray(shot.convert("L"), float)
    view = view_of(page)
    x, y, width, height = (int(value) for value in place)
    left, top = round(view["x"] + x), round(view["y"] + y)
    first = left + 4
    last = left + width - 4
    assert last - first > 20
    shown = seen[top + 4 : top + height - 4, first:last]
    wanted = levels[y + 4 : y + height - 4, first - left + x : last - left + x, 0] * 204 + 25.5
    assert np.abs(shown - wanted).mean() < 20


def test_a_card_says_what_was_done(browse: Open, tmp_path: Path) -> None:
    told = [
        {"noise": 0.0, "jpeg": 10.0, "jpeg_quality": 10.0, "blur": 1.45, "scale": 1.0},
        {"noise": 12.34567, "jpeg": 100.0, "scale": 2.0, "mask": "auto", "input": "a" * 64},
        {"noise": 0.0},
    ]
    jobs = [job(f"{k}.png") for k in range(3)]
    made = Report(target=tmp_path / "r.html", op="restore", count=3, megabytes=4)
    hole = np.zeros((60, 90), bool)
    hole[:6] = True
    for k, one in enumerate(jobs):
        made.show(one, flat(RED, 90, 60), flat(BLUE if k < 2 else RED, 90, 60), hole=hole if k == 1 else None)
        made.end(End(job=one, status="done", seconds=1.0, facts={"recipe": told[k]}))
    made.write(jobs, seconds=3)
    page = browse((tmp_path / "r.html").as_uri(), width=1280)
    said = page.locator(".says").all_text_contents()
    assert said == [
        "done, 1 s, JPEG 10, blur of 1.4 pixels", "done, 1 s, noise of 12.3 levels, x2, 10.0 % filled",
        "done, 1 s, unchanged",
    ]  # fmt: skip
    page.locator(".card").first.click()
    assert page.locator("#facts dt").all_text_contents().count("jpeg quality") == 0
    page.locator("#next").click()
    assert not page.locator("#facts details dl").is_visible()
    page.click("#facts summary")
    assert page.locator("#facts details dt").all_text_contents()[-1] == "input"
    assert "12.346" in page.locator("#facts").text_content()
