"""What did not change is not coded again, and what did is coded finely enough."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.images.image_io import Encoding, Picture, read_picture, write_pages, write_picture
from diffuse_cli.images.jpeg_data import coded_picture
from diffuse_cli.images.picture import to_levels
from tests.conftest import EXAMPLES


def coded(path: Path) -> bytes:
    return coded_picture(path.read_bytes())


def photo(path: Path, **options: Any) -> Picture:  # noqa: ANN401 - Pillow's
    exif = Image.Exif()
    exif[271], exif[274] = "Maker", options.pop("orientation", 1)
    with Image.open(EXAMPLES / "rocket_noisy.jpg") as image:
        image.crop((100, 60, 301, 193)).save(path, exif=exif, **options)
    return read_picture(path)


@pytest.mark.parametrize(
    "options",
    [
        {"quality": 75, "subsampling": 2},
        {"quality": 95, "subsampling": 0},
        {"quality": 50, "progressive": True},
        {"quality": 85, "orientation": 6},
        {"quality": 85, "orientation": 3},
        {"quality": 80, "restart_marker_blocks": 3},
    ],
)
@pytest.mark.parametrize("policy", ["keep", "safe", "strip"])
def test_an_unchanged_picture_is_not_coded_again(options: dict[str, object], policy: str, tmp_path: Path) -> None:
    before = photo(tmp_path / "a.jpg", **options)
    notes: list[str] = []
    encoding = Encoding(metadata=policy)  # type: ignore[arg-type]
    write_pages([before], tmp_path / "b.jpg", encoding=encoding, tell=notes.append)
    assert coded(tmp_path / "b.jpg") == coded(tmp_path / "a.jpg")
    after = read_picture(tmp_path / "b.jpg")
    np.testing.assert_array_equal(after.pixels, before.pixels)
    assert (b"Maker" in after.source.exif) is (policy != "strip")
    assert notes == ["nothing was changed, so the coded picture was copied"]


def test_metadata_of_an_unchanged_picture_are_the_results(tmp_path: Path) -> None:
    before = photo(tmp_path / "a.jpg")
    told = replace(before, source=replace(before.source, texts=(("Comment", "new"),), dpi=(300.0, 300.0)))
    write_picture(told, tmp_path / "b.jpg")
    after = read_picture(tmp_path / "b.jpg").source
    assert (after.texts, after.dpi) == ((("Comment", "new"),), (300.0, 300.0))


def test_a_quality_that_is_asked_for_is_coded_again(tmp_path: Path) -> None:
    before = photo(tmp_path / "a.jpg", quality=95)
    write_picture(before, tmp_path / "b.jpg", encoding=Encoding(quality=50))
    assert (tmp_path / "b.jpg").stat().st_size < (tmp_path / "a.jpg").stat().st_size / 2


@pytest.mark.parametrize("std", [0.004, 0.01, 0.03, 0.2])
@pytest.mark.parametrize("options", [{"quality": 60, "subsampling": 2}, {"quality": 92, "subsampling": 0}])
def test_the_coder_undoes_less_than_half_of_a_change(options: dict[str, object], std: float, tmp_path: Path) -> None:
    before = photo(tmp_path / "a.jpg", **options)
    rng = np.random.default_rng(0)
    rough = rng.normal(0, std, (before.pixels.shape[0] // 4 + 1, before.pixels.shape[1] // 4 + 1, 1))
    change = rough.repeat(4, 0).repeat(4, 1)[: before.pixels.shape[0], : before.pixels.shape[1]]
    wanted = replace(before, pixels=(before.pixels + change).astype(np.float32))
    write_picture(wanted, tmp_path / "b.jpg")
    after, aim, start = (
        to_levels(one.pixels, 8).astype(float) for one in (read_picture(tmp_path / "b.jpg"), wanted, before)
    )
    lost, gained = np.square(after - aim).mean(), np.square(aim - start).mean()
    assert lost <= gained / 2


def test_a_large_change_keeps_the_inputs_coding(tmp_path: Path) -> None:
    before = photo(tmp_path / "a.jpg", quality=90, subsampling=2)
    notes: list[str] = []
    write_pages([replace(before, pixels=before.pixels * np.float32(0.5))], tmp_path / "b.jpg", tell=notes.append)
    assert read_picture(tmp_path / "b.jpg").source.jpeg == before.source.jpeg
    assert notes == []


def test_a_finer_coding_is_told(tmp_path: Path) -> None:
    before = photo(tmp_path / "a.jpg", quality=50, subsampling=2)
    notes: list[str] = []
    changed = replace(before, pixels=before.pixels + np.float32(0.02))
    write_pages([changed], tmp_path / "b.jpg", tell=notes.append)
    (note,) = notes
    assert note.startswith("coded with ")
    assert "full chroma" in note


@pytest.mark.parametrize("side", [1, 8, 60])
def test_a_change_of_a_few_pixels_keeps_the_inputs_coding(side: int, tmp_path: Path) -> None:
    before = photo(tmp_path / "a.jpg", quality=75, subsampling=2)
    pixels = before.pixels.copy()
    pixels[40 : 40 + side, 50 : 50 + side] = np.clip(0.6 - pixels[40 : 40 + side, 50 : 50 + side], -1, 1)
    write_picture(replace(before, pixels=pixels), tmp_path / "b.jpg")
    after = read_picture(tmp_path / "b.jpg")
    assert after.source.jpeg == before.source.jpeg
    far = np.abs(after.pixels - before.pixels)
    far[24:120, 34:130] = 0
    assert float(np.sqrt(np.square(far * 127.5).mean())) < 2


def test_a_few_pixels_do_not_spoil_the_others(tmp_path: Path) -> None:
    """Which coding again with subsampled chroma would, if the picture is full of colour noise."""
    with Image.open(EXAMPLES / "cat_noisy.png") as image:
        image.convert("RGB").save(tmp_path / "a.jpg", quality=88, subsampling=2)
    before = read_picture(tmp_path / "a.jpg")
    pixels = before.pixels.copy()
    pixels[40:60, 50:70] = 0
    write_picture(replace(before, pixels=pixels), tmp_path / "b.jpg")
    far = (read_picture(tmp_path / "b.jpg").pixels - before.pixels) * 127.5
    far[24:80, 34:90] = 0
    assert float(np.sqrt(np.square(far).mean())) < 2.1


def test_large_pictures_are_tried_on_some_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from diffuse_cli.images import jpeg_writer

    before = photo(tmp_path / "a.jpg", quality=75, subsampling=2)
    monkeypatch.setattr(jpeg_writer, "_TRIED_NUMBERS", 201 * 3 * 48)
    changed = replace(before, pixels=before.pixels + np.float32(0.02))
    stream = tmp_path / "b.jpg"
    write_picture(changed, stream)
    sampled = jpeg_writer._sample(to_levels(before.pixels, 8))
    assert sampled.shape == (48, 201, 3)
    off = read_picture(stream).pixels - changed.pixels
    assert float(np.square(off).mean()) < 0.02**2 / 2


def test_a_result_of_another_size_or_colour_is_coded(tmp_path: Path) -> None:
    before = photo(tmp_path / "a.jpg", quality=90)
    for pixels in (before.pixels[:64, :96], before.pixels[..., :1].copy()):
        write_picture(replace(before, pixels=pixels), tmp_path / "b.jpg")
        with Image.open(io.BytesIO((tmp_path / "b.jpg").read_bytes())) as image:
            assert image.size == pixels.shape[1::-1]
