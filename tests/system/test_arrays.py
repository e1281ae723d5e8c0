"""Large arrays lie in files that have no name."""

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from diffuse_cli.system import arrays as host_arrays


def test_large_arrays_are_mapped_and_hold_what_is_put_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(host_arrays, "MAPPED_FROM", 1000)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    large = host_arrays.empty_array((20, 30, 3), np.float32)
    assert not isinstance(large.base, type(None))
    assert not large.flags.owndata
    large[:] = np.arange(1800).reshape(20, 30, 3)
    np.testing.assert_array_equal(host_arrays.copied(large), large)
    assert list(tmp_path.iterdir()) == [], "the file has no name, so nothing can be left behind"
    assert host_arrays.empty_array((20, 12), np.float32).flags.owndata


def test_without_room_for_a_file_it_is_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_arrays, "MAPPED_FROM", 1000)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    assert host_arrays.empty_array((100, 100), np.float32).flags.owndata


def test_blocks_of_rows_cover_an_array(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_arrays, "_BLOCK_NUMBERS", 100)
    array = np.zeros((37, 11, 3))
    blocks = list(host_arrays.row_blocks(array))
    assert np.concatenate([np.arange(37)[rows] for rows in blocks]).tolist() == list(range(37))
    assert len(blocks) == 13
