"""Animations that are written are read again as they were: pixels, times, repetitions, transparency, metadata."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.errors import PictureError
from diffuse_cli.images.animation_writer import clock
from diffuse_cli.images.image_io import Encoding, Picture, read_pages, to_unit, write_pages
from diffuse_cli.images.picture import Frame, Source, levels_of
from tests.helpers import animations
from tests.images.test_animation_reader import rgba

SUFFIXES = (".gif", ".png", ".webp")


def copied(path: Path, target: Path, **encoding: object) -> list[str]:
    said: list[str] = []
    write_pages(read_pages(path), target, tell=said.append, encoding=Encoding(**encoding))  # type: ignore[arg-type]
    return said


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("written", [".png", ".webp"])
def test_apng_and_webp_are_lossless(written: str, suffix: str, mode: str, tmp_path: Path) -> None:
    path = animations.save(tmp_path / f"a{suffix}", mode)
    said = copied(path, tmp_path / f"b{written}")
    for before, after in zip(read_pages(path), read_pages(tmp_path / f"b{written}"), strict=True):
        np.testing.assert_array_equal(rgba(before), rgba(after))
        assert before.source.frame == after.source.frame
    assert animations.durations(tmp_path / f"b{written}") == list(animations.DURATIONS)
    assert said == (["written as an animated PNG (APNG)"] if written == ".png" != suffix else [])


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_gifs_keep_times_repetitions_and_transparency(suffix: str, mode: str, tmp_path: Path) -> None:
    path = animations.save(tmp_path / f"a{suffix}", mode)
    said = copied(path, tmp_path / "b.gif")
    assert animations.durations(tmp_path / "b.gif") == list(animations.DURATIONS)
    assert animations.loop(tmp_path / "b.gif") == (2 if suffix == ".gif" else 1)
    for before, after in zip(read_pages(path), animations.shown(tmp_path / "b.gif"), strict=True):
        there, wanted = np.asarray(after).astype(int), rgba(before).astype(int)
        np.testing.assert_array_equal(there[..., 3], wanted[..., 3])
        seen = wanted[..., 3] > 0
        assert np.abs(there - wanted)[seen].mean() < (0.01 if suffix == ".gif" else 2.5)
    if suffix != ".gif":
        assert said == (["a GIF has 256 colours a frame; --format png or webp keeps all"] if mode == "RGB" else [])


def test_a_gif_without_repetitions_stays_one(tmp_path: Path) -> None:
    made = animations.frames()
    made[0].save(tmp_path / "a.gif", save_all=True, append_images=made[1:], duration=40)
    copied(tmp_path / "a.gif", tmp_path / "b.gif")
    copied(tmp_path / "a.gif", tmp_path / "b.png")
    assert animations.loop(tmp_path / "a.gif") is animations.loop(tmp_path / "b.gif") is None
    assert animations.loop(tmp_path / "b.png") == 1


def test_still_parts_of_a_gif_do_not_flicker(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    still = rng.integers(0, 256, (40, 40, 3))

    def pages() -> Iterator[Picture]:
        for k in range(5):
            levels = (still + rng.integers(-1, 2, still.shape)).clip(0, 255).astype(np.uint8)
            levels[10:20, 5 * k : 5 * k + 10] = rng.integers(0, 256, (10, 10, 3))
            yield Picture(pixels=to_unit(levels, 8), source=Source(frame=Frame(duration=40), pages=5))

    write_pages(pages(), tmp_path / "a.gif")
    shown = np.stack([np.asarray(image) for image in animations.shown(tmp_path / "a.gif")])
    assert len({frame[20:].tobytes() for frame in shown}) == 1


def test_few_colours_stay_exact_in_a_gif(tmp_path: Path) -> None:
    levels = np.stack([np.add.outer(np.arange(16) * 16, np.arange(16))] * 3, axis=2).astype(np.uint8)  # 256 grays
    pages = [
        Picture(pixels=to_unit(np.roll(levels, k, axis=1), 8), source=Source(frame=Frame(duration=40), pages=3))
        for k in range(3)
    ]
    said: list[str] = []
    write_pages(pages, tmp_path / "a.gif", tell=said.append)
    assert said == []
    for before, after in zip(pages, animations.shown(tmp_path / "a.gif"), strict=True):
        np.testing.assert_array_equal(levels_of(before), np.asarray(after)[..., :3])


def test_soft_edges_are_told(tmp_path: Path) -> None:
    alpha = np.full((8, 8), 200, np.uint8)
    alpha[:4] = 90
    page = Picture(pixels=np.zeros((8, 8, 3), np.float32), alpha=alpha, source=Source(frame=Frame(duration=40)))
    said: list[str] = []
    write_pages([page], tmp_path / "a.gif", tell=said.append)
    assert said == ["a GIF has transparent or opaque pixels only; --format png or webp keeps all"]
    np.testing.assert_array_equal(np.asarray(animations.shown(tmp_path / "a.gif")[0])[..., 3], (alpha > 127) * 255)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_equal_frames_are_kept(suffix: str, tmp_path: Path) -> None:
    page = Picture(pixels=np.zeros((9, 7, 3), np.float32), source=Source(frame=Frame(duration=40, plays=0), pages=3))
    write_pages([page] * 3, tmp_path / f"a{suffix}")
    assert animations.durations(tmp_path / f"a{suffix}") == [40.0] * 3
    assert animations.loop(tmp_path / f"a{suffix}") == 0


def test_a_default_image_stays_one_and_goes_where_it_cannot(tmp_path: Path) -> None:
    path = animations.save(tmp_path / "a.png", default_image=True, duration=[100] * 5)
    for suffix, count in ((".png", 6), (".webp", 5), (".gif", 5)):
        copied(path, tmp_path / f"b{suffix}")
        assert len(list(read_pages(tmp_path / f"b{suffix}"))) == count
    told = [page.source.frame for page in read_pages(tmp_path / "b.png")]
    assert [one.is_still for one in told if one] == [True] + [False] * 5


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_metadata_are_kept(suffix: str, tmp_path: Path) -> None:
    xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'/></x:xmpmeta>"
    source = Source(frame=Frame(duration=40), pages=2, xmp=xmp, texts=(("Comment", "a comment"),))
    page = Picture(pixels=np.zeros((9, 7, 3), np.float32), source=source)
    write_pages([page] * 2, tmp_path / f"a{suffix}")
    found = next(read_pages(tmp_path / f"a{suffix}")).source
    assert b"xmpmeta" in found.xmp
    if suffix != ".webp":
        assert found.texts == (("Comment", "a comment"),)


def test_webp_quality_is_taken(tmp_path: Path) -> None:
    path = animations.save(tmp_path / "a.png")
    copied(path, tmp_path / "b.webp", quality=50)
    copied(path, tmp_path / "c.webp")
    assert (tmp_path / "b.webp").stat().st_size < 0.5 * (tmp_path / "c.webp").stat().st_size
    assert [next(read_pages(tmp_path / name)).source.lossy for name in ("b.webp", "c.webp")] == [True, False]


def test_frames_that_do_not_fit_each_other_are_refused(tmp_path: Path) -> None:
    small, large = (
        Picture(pixels=np.zeros((side, side, 3), np.float32), source=Source(frame=Frame(duration=40), pages=2))
        for side in (8, 9)
    )
    for suffix in SUFFIXES:
        with pytest.raises(PictureError, match="different sizes"):
            write_pages([small, large], tmp_path / f"a{suffix}")
        assert not (tmp_path / f"a{suffix}").exists()


def test_durations_keep_their_sum() -> None:
    for unit in (1, 10):
        ticks = clock(unit)
        frame = Frame(duration=1000 / 30)
        assert sum(ticks(frame) for _ in range(300)) == 10_000 // unit


def test_durations_of_an_apng_are_fractions(tmp_path: Path) -> None:
    for duration in (1000 / 30, 1001 / 24, 0.0, 1.0, 100_500.0, 70_000_001.0, 0.02):
        page = Picture(pixels=np.zeros((9, 7, 3), np.float32), source=Source(frame=Frame(duration=duration), pages=2))
        write_pages([page] * 2, tmp_path / "a.png")
        with Image.open(tmp_path / "a.png") as image:
            found = float(image.info["duration"])
        assert found == pytest.approx(min(duration, 65_535_000.0), rel=1e-4), Fraction(duration)


def test_the_last_page_counts_where_the_file_says_more(tmp_path: Path) -> None:
    """The frames that come are counted, not those that were announced."""
    page = Picture(pixels=np.zeros((9, 7, 3), np.float32), source=Source(frame=Frame(duration=40), pages=9))
    pages = [page, replace(page, pixels=page.pixels + np.float32(1))]
    write_pages(pages, tmp_path / "a.png")
    assert len(list(read_pages(tmp_path / "a.png"))) == 2
