"""How long until a report can be used in Chromium, and how large it is: python -m benchmarks.speed_report [PICTURES]

Reports of 5 and of 500 photographs (parts of scikit-image's, 1200 x 800, noisy and not) in one run, by turns. "Usable"
means that a thumbnail is seen, and a click on it has opened the picture with both sides decoded.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from diffuse_cli.cli.batch.inputs import Found
from diffuse_cli.cli.batch.job import Job
from diffuse_cli.cli.batch.pipeline import End
from diffuse_cli.cli.report.report import Report
from diffuse_cli.images.picture import Picture, to_unit
from tests.helpers.browser import CHROMIUM, until

SIZE = (1200, 800)
MEGABYTES = 60
TURNS = 5


def photographs() -> list[Image.Image]:
    from skimage import data

    return [Image.fromarray(picture).convert("RGB") for picture in (data.astronaut(), data.coffee(), data.rocket())]


def pair(photos: list[Image.Image], k: int) -> tuple[Picture, Picture]:
    """A part of a photograph with noise, and without."""
    rng = np.random.default_rng(k)
    photo = photos[k % len(photos)]
    x, y = int(rng.integers(photo.width // 3)), int(rng.integers(photo.height // 3))
    part = photo.crop((x, y, x + photo.width // 2, y + photo.height // 2)).resize(SIZE)
    clean = to_unit(np.asarray(part), 8)
    noisy = clean + rng.normal(0, 0.12, clean.shape).astype(np.float32)
    return Picture(pixels=noisy.astype(np.float32)), Picture(pixels=clean)


def write(target: Path, count: int) -> float:
    """Write a report; seconds a picture."""
    photos = photographs()
    begin = time.monotonic()
    jobs = [
        Job(found=Found(path=Path(f"{k}.png"), below=Path(), root=Path()), output=Path(f"o/{k}")) for k in range(count)
    ]
    report = Report(target=target, op="denoise", count=count, megabytes=MEGABYTES)
    for k, job in enumerate(jobs):
        report.show(job, *pair(photos, k))
        report.end(End(job=job, status="done", seconds=1, facts={"recipe": {"noise": float(k)}}))
    report.write(jobs, seconds=count)
    return (time.monotonic() - begin) / count


def usable(browser: Any, address: str) -> tuple[float, float]:
    """Seconds until the list is seen with a thumbnail, and until a picture is."""
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    begin = time.monotonic()
    page.goto(address, wait_until="commit")
    until(page, "[...document.querySelectorAll('.thumb')].some((image) => image.naturalWidth > 0)")
    seen = time.monotonic() - begin
    page.locator(".card").first.click()
    until(page, "[...document.querySelectorAll('#viewer .canvas img')].filter((i) => i.naturalWidth > 0).length >= 2")
    opened = time.monotonic() - begin
    page.close()
    return seen, opened


def main(many: int) -> None:
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        reports = {count: Path(folder) / f"{count}.html" for count in (5, many)}
        for count, path in reports.items():
            print(
                f"{count} pictures: {write(path, count):.2f} s a picture to write, {path.stat().st_size / 1e6:.1f} MB"
            )
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        times: dict[int, list[tuple[float, float]]] = {count: [] for count in reports}
        for _ in range(TURNS):
            for count, path in reports.items():
                times[count].append(usable(browser, path.as_uri()))
        browser.close()
    medians = {
        count: [statistics.median(values) for values in zip(*runs, strict=True)] for count, runs in times.items()
    }
    for count, (seen, opened) in medians.items():
        print(f"{count} pictures: thumbnails after {seen:.2f} s, one opened after {opened:.2f} s (median of {TURNS})")
    print(f"ratio: {medians[many][0] / medians[5][0]:.2f} and {medians[many][1] / medians[5][1]:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
