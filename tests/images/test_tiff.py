"""TIFFs as the specification has them: either byte order, 16 bits, alpha of either kind."""

import io
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from diffuse_cli.images.image_io import (
    read_picture,
)
from diffuse_cli.images.picture import Source, divided_by_alpha
from diffuse_cli.images.tiff import directories
from diffuse_cli.images.tiff_writer import write_tiff
from tests.helpers.image_files import levels_of, noise, tiff_directory


def test_premultiplied_alpha_is_divided_out(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(tiff_directory(np.array([[[51, 102, 0, 102]]], np.uint8), extra=1))
    assert levels_of(read_picture(tmp_path / "a.tif")).tolist() == [[[127, 255, 0, 102]]]


@pytest.mark.parametrize("prefix", [b"II", b"MM"])
@pytest.mark.parametrize(("channels", "extra"), [(1, None), (3, None), (4, 2), (4, 0)])
def test_16_bit_tiff_is_read_in_full(prefix: bytes, channels: int, extra: int | None, tmp_path: Path) -> None:
    levels = noise(6, 7, channels, 16)
    (tmp_path / "a.tif").write_bytes(tiff_directory(levels, prefix=prefix, extra=extra))
    read = read_picture(tmp_path / "a.tif")
    assert read.depth == 16
    np.testing.assert_array_equal(levels_of(read), levels[..., :3] if extra == 0 else levels)


@pytest.mark.parametrize("depth", [8, 16])
def test_tiff_whose_white_is_zero(depth: int, tmp_path: Path) -> None:
    levels = noise(6, 7, 1, depth)
    (tmp_path / "a.tif").write_bytes(tiff_directory(levels, photometric=0))
    np.testing.assert_array_equal(levels_of(read_picture(tmp_path / "a.tif")), 2**depth - 1 - levels.astype(int))


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    channels=st.integers(1, 4),
    kind=st.sampled_from(["u1", "u2", "f2", "f4", "f8"]),
    pages=st.integers(1, 3),
)
def test_what_is_written_is_read(size: tuple[int, int], channels: int, kind: str, pages: int) -> None:
    """Page by page, whatever the samples are, by a reader that is independent of the writer."""
    rng = np.random.default_rng(0)
    full = 1 if kind[0] == "f" else np.iinfo(kind).max
    made = [(rng.random((*size, channels)) * full).astype(kind) for _ in range(pages)]
    stream = io.BytesIO()
    write_tiff(stream, [(samples, Source()) for samples in made])
    assert len(list(directories(stream))) == pages
    stream.seek(0)
    with tifffile.TiffFile(stream) as container:
        for samples, page in zip(made, container.pages, strict=True):
            np.testing.assert_array_equal(page.asarray().reshape(samples.shape), samples)


def test_pages_that_lead_in_a_circle_are_refused() -> None:
    stream = io.BytesIO()
    write_tiff(stream, [(np.zeros((4, 5, 1), np.uint8), Source())])
    data = bytearray(stream.getvalue())
    first = int.from_bytes(data[4:8], "little")
    end = first + 2 + 12 * int.from_bytes(data[first : first + 2], "little")
    data[end : end + 4] = data[4:8]
    with pytest.raises(ValueError, match="circle"):
        list(directories(io.BytesIO(data)))


@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
def test_dividing_by_alpha_undoes_multiplying(kind: str) -> None:
    full = 1 if kind == "f4" else np.iinfo(kind).max
    alpha = np.array([full, full // 2 or 0.5, 0])[:, None]
    straight = np.array([[0.2, 0.9, 0.5]] * 3) * full
    multiplied = np.concatenate([straight * alpha / full, alpha], 1).astype(kind)[None]
    found = divided_by_alpha(multiplied)[0]
    np.testing.assert_allclose(found[:2, :3], straight[:2], rtol=0.02)
    assert (found[2] == 0).all(), "what is not seen has no colour"
