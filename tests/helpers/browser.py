"""A headless Chromium for the tests of pages, where there is one."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

Open = Callable[..., Any]
"""Opens an address; returns Playwright's page."""
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")

WIDTHS = pytest.mark.parametrize(("width", "height"), [(360, 740), (1440, 900)])


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with playwright.sync_playwright() as driver:
        browser = None
        with suppress(playwright.Error):  # neither a system's nor Playwright's own
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        if browser is None:
            pytest.skip("needs Chromium")
        yield browser
        browser.close()


@pytest.fixture
def browse(chromium: Any) -> Iterator[Open]:
    """A page at an address; it must have said nothing on its console when the test ends."""
    contexts, said = [], []

    def go(address: str, *, width: int = 1440, height: int = 900, **options: Any) -> Any:
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(20_000)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: said.append(request.url) if _is_foreign(request.url) else None)
        page.goto(address)
        return page

    yield go
    for context in contexts:
        context.close()
    assert said == []


def until(page: Any, expression: str) -> None:
    """Wait until it is true on a page. Playwright's own way needs eval, which the pages' policies forbid."""
    end = time.monotonic() + 20
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"never: {expression}"
        page.wait_for_timeout(20)


def _is_foreign(url: str) -> bool:
    return not url.startswith(("file:", "data:", "blob:", "http://127.0.0.1:"))


def overflows(page: Any) -> bool:
    found: bool = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    return found


def touches(page: Any, *strokes: list[tuple[float, float]]) -> None:
    """Fingers that go down together, move step by step, and are lifted."""
    session = page.context.new_cdp_session(page)
    for k, points in enumerate(zip(*strokes, strict=True)):
        touching = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        session.send("Input.dispatchTouchEvent", {"type": "touchMove" if k else "touchStart", "touchPoints": touching})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
