"""Lossy files that are not JPEGs are not coded again where nothing was changed."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.images.containers import content, riff_chunks
from diffuse_cli.images.image_io import Encoding, Picture, read_picture, write_pages
from tests.conftest import EXAMPLES

COPIED = "nothing was changed, so the coded picture was copied"
WHOLE = "nothing was changed, so the file was copied as it is; its recipe is in the journal, not in the file"


def photo(path: Path, *, alpha: bool = False, orientation: int = 1, **options: Any) -> Picture:  # noqa: ANN401 - Pillow's
    exif = Image.Exif()
    exif[271], exif[274] = "Maker", orientation
    with Image.open(EXAMPLES / "rocket_noisy.jpg") as image:
        made = image.crop((100, 60, 201, 133))
    if alpha:
        made.putalpha(Image.linear_gradient("L").resize(made.size))
    made.save(path, exif=exif, **options)
    return read_picture(path)


def written(picture: Picture, path: Path, **encoding: Any) -> list[str]:  # noqa: ANN401 - Encoding's
    notes: list[str] = []
    write_pages([picture], path, encoding=Encoding(**encoding), tell=notes.append)
    return notes


def pixel_chunks(path: Path) -> list[bytes]:
    file = io.BytesIO(path.read_bytes())
    return [content(file, part) for part in riff_chunks(file) if part.name in (b"ALPH", b"VP8 ", b"VP8L")]


@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("alpha", [False, True])
@pytest.mark.parametrize("policy", ["keep", "safe", "strip"])
def test_the_coded_picture_of_a_webp_is_copied(policy: str, alpha: bool, orientation: int, tmp_path: Path) -> None:
    before = photo(tmp_path / "a.webp", alpha=alpha, orientation=orientation, quality=70)
    space = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
    rdf = f'<rdf:Description xmlns:rdf="{space}" rdf:about="" xmlns:d="d" d:a="told"/>'.encode()
    signed = replace(before, source=replace(before.source, provenance=rdf))
    assert written(signed, tmp_path / "b.webp", metadata=policy) == [COPIED]
    assert pixel_chunks(tmp_path / "b.webp") == pixel_chunks(tmp_path / "a.webp")
    after = read_picture(tmp_path / "b.webp")
    np.testing.assert_array_equal(after.pixels, before.pixels)
    assert (after.alpha is None) == (before.alpha is None) == (not alpha)
    if before.alpha is not None and after.alpha is not None:
        np.testing.assert_array_equal(before.alpha, after.alpha)
    assert b"told" in after.source.xmp
    assert (b"Maker" in after.source.exif) is (policy != "strip")
    with Image.open(tmp_path / "b.webp") as image:
        image.load()


def test_an_avif_is_copied_as_it_is(tmp_path: Path) -> None:
    before = photo(tmp_path / "a.avif", quality=70)
    assert written(before, tmp_path / "b.avif") == [WHOLE]
    assert (tmp_path / "a.avif").read_bytes() == (tmp_path / "b.avif").read_bytes()


def test_a_heic_is_copied_as_it_is(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    before = photo(tmp_path / "a.heic", quality=70)
    assert written(before, tmp_path / "b.heic") == [WHOLE]
    assert (tmp_path / "a.heic").read_bytes() == (tmp_path / "b.heic").read_bytes()


@pytest.mark.parametrize("suffix", [".webp", ".avif"])
def test_what_changed_or_is_to_be_coded_otherwise_is_coded(suffix: str, tmp_path: Path) -> None:
    before = photo(tmp_path / f"a{suffix}", quality=70)
    pixels = before.pixels.copy()
    pixels[0, 0] = 1 - np.abs(pixels[0, 0])
    path = tmp_path / f"b{suffix}"
    assert written(replace(before, pixels=pixels), path) == []
    assert written(before, path, quality=60) == []
    assert written(before, tmp_path / "b.png") == []
    told = replace(before, source=replace(before.source, exif=b""))
    assert written(told, path) == ([COPIED] if suffix == ".webp" else [])
    if suffix == ".avif":
        assert written(before, path, metadata="safe") == []


def test_a_lossless_webp_is_coded(tmp_path: Path) -> None:
    before = photo(tmp_path / "a.webp", lossless=True)
    assert before.source.coded == b""
    assert written(before, tmp_path / "b.webp") == []
