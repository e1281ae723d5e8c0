"""Qualities of JPEG tables."""

import io

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.degradation.estimation.jpeg_tables import ijg_table, quality_of


def _saved_tables(mode: str = "RGB", **options: object) -> dict[int, list[int]]:
    """The tables of a JPEG file that Pillow wrote and read."""
    file = io.BytesIO()
    Image.new(mode, (16, 16)).save(file, "JPEG", **options)
    with Image.open(file) as image:
        return dict(image.quantization)  # type: ignore[attr-defined]


def test_every_quality_that_pillow_writes_is_read_back() -> None:
    for quality in range(1, 101):
        tables = _saved_tables(quality=quality)
        assert quality_of(tables) == quality
        np.testing.assert_array_equal(ijg_table(quality), np.reshape(tables[0], (8, 8)))


def test_gray_files_have_a_quality() -> None:
    assert quality_of(_saved_tables("L", quality=63)) == 63


def test_rows_are_vertical_frequencies() -> None:
    table = ijg_table(50)
    assert (table[0, 1], table[1, 0]) == (11, 12)


def test_quality_out_of_range_is_the_nearer_end() -> None:
    np.testing.assert_array_equal(ijg_table(0), ijg_table(1))
    np.testing.assert_array_equal(ijg_table(101), ijg_table(100))
    assert np.all(ijg_table(100) == 1)


@pytest.mark.parametrize("quality", [20, 50, 80, 92])
def test_a_foreign_table_gets_the_nearest_quality(quality: int) -> None:
    # Like a phone's: every step a little off, none of the standard's.
    wobble = np.where(np.arange(64) % 2 == 0, 1.15, 0.87)
    foreign = np.maximum(np.round(ijg_table(quality).ravel() * wobble), 1).astype(int).tolist()
    tables = _saved_tables(qtables=[foreign, foreign])
    assert tables[0] == foreign
    assert quality_of(tables) == pytest.approx(quality, abs=2)


def test_a_flat_foreign_table_has_a_quality_in_range() -> None:
    assert 1 <= quality_of({0: [30] * 64}) <= 100


@pytest.mark.parametrize("tables", [{}, {0: [1] * 63}])
def test_no_luma_table_is_an_error(tables: dict[int, list[int]]) -> None:
    with pytest.raises(ValueError, match="quantisation table"):
        quality_of(tables)
