"""What a damaged JPEG still holds is read, and what it does not hold is known by rows."""

import io
import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.errors import PictureError
from diffuse_cli.images.image_io import read_picture, write_picture
from diffuse_cli.images.jpeg_damage import JpegDamage, damage, mended
from diffuse_cli.images.jpeg_data import SOS, decoded, segments
from diffuse_cli.images.picture import upright
from tests.conftest import EXAMPLES

WAYS: tuple[Mapping[str, Any], ...] = (
    {"quality": 85, "subsampling": 2},
    {"quality": 95, "subsampling": 0},
    {"quality": 60, "subsampling": 1, "optimize": True},
    {"quality": 80, "restart_marker_blocks": 5},
    {"quality": 80, "restart_marker_rows": 1},
)


def photo(mode: str = "RGB", **options: Any) -> bytes:  # noqa: ANN401 - Pillow's
    stream = io.BytesIO()
    with Image.open(EXAMPLES / "rocket_noisy.jpg") as image:
        image.convert(mode).crop((40, 20, 341, 253)).save(stream, "JPEG", **options)
    return stream.getvalue()


def scan_of(data: bytes) -> tuple[int, int]:
    """Where the coded data begin and end."""
    one = next(part for part in segments(data) if part.marker == SOS)
    return one.start + 14, one.end


def found(data: bytes) -> JpegDamage | None:
    return damage(data, decoded(mended(data)))


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("options", [*WAYS, {"quality": 80, "progressive": True}])
def test_whole_files_have_no_damage(options: Mapping[str, Any], mode: str) -> None:
    data = photo(mode, **options)
    assert found(data) is None
    assert mended(data) == data


@pytest.mark.parametrize("options", WAYS)
def test_a_missing_end_marker_is_no_loss(options: Mapping[str, Any]) -> None:
    data = photo(**options)
    assert found(data[:-2]) is None
    np.testing.assert_array_equal(decoded(mended(data[:-2])), decoded(data))


@pytest.mark.parametrize("options", WAYS)
@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_rows_behind_the_end_of_a_file_are_missing(options: Mapping[str, Any], share: float) -> None:
    data = photo(**options)
    begin, end = scan_of(data)
    cut = data[: begin + round(share * (end - begin))]
    wrong = found(cut)
    assert wrong is not None
    assert not wrong.doubtful.any()
    changed = (decoded(mended(cut)) != decoded(data)).any(2)
    known = ~wrong.missing
    assert not changed[known].any() or np.flatnonzero((changed & known).any(1))[0] >= np.flatnonzero(changed.any(1))[0]
    first, missing = np.flatnonzero(changed.any(1))[0], np.flatnonzero(wrong.missing.any(1))
    assert abs(first - missing[0]) <= 16
    assert missing[-1] == changed.shape[0] - 1
    assert str(wrong) == f"{missing.size} of 233 rows are missing ({missing[0] + 1} to 233)"


@pytest.mark.parametrize("options", WAYS)
def test_destroyed_bytes_are_found_and_placed(options: Mapping[str, Any]) -> None:
    data, rng = photo(**options), random.Random(1)
    whole = decoded(data)
    begin, end = scan_of(data)
    seen = placed = covered = hurt = 0
    for _ in range(30):
        at = rng.randrange(begin + 40, end - 80)
        broken = data[:at] + rng.randbytes(40) + data[at + 40 :]
        changed = (decoded(mended(broken)) != whole).any(2)
        wrong = found(broken)
        hurt += bool(changed.any())
        if wrong is not None:
            seen += 1
            told = np.flatnonzero((wrong.doubtful | wrong.missing).any(1))
            late = told[0] - np.flatnonzero(changed.any(1))[0]
            placed, covered = placed + (abs(late) <= 32), covered + (late <= 8)
    assert hurt >= 25
    assert seen >= 0.75 * hurt  # where a decoder ends up with the right number of blocks by chance, nothing shows
    assert covered >= 0.9 * seen
    assert placed >= 0.4 * seen  # in a dark and noisy sky no border stands out, so all rows are doubtful


@pytest.mark.parametrize(
    ("options", "fills"), [({}, False), ({"restart_marker_rows": 1}, True), ({"restart_marker_rows": 9}, False)]
)
def test_doubtful_parts_are_filled_where_restart_markers_end_them(options: Mapping[str, Any], fills: bool) -> None:
    data, rng = photo(quality=85, **options), random.Random(2)
    begin, end = scan_of(data)
    told = 0
    for _ in range(12):
        at = rng.randrange(begin + 40, end - 80)
        wrong = found(data[:at] + rng.randbytes(40) + data[at + 40 :])
        if wrong is None or not wrong.doubtful.any():
            continue
        told += 1
        assert wrong.is_bounded is fills
        assert bool((wrong.fillable & wrong.doubtful).any()) is fills
        assert (wrong.fillable >= wrong.missing).all()
        if fills:
            assert wrong.fillable.mean() < 0.2
            assert str(replace(wrong, is_filled=True)).endswith("and filled")
    assert told >= 6


def test_markers_amidst_the_data_do_not_end_the_picture() -> None:
    data = photo(quality=85)
    begin, end = scan_of(data)
    at = begin + (end - begin) // 2
    for marker in (b"\xff\xd3", b"\xff\xc4", b"\xff\xe1", b"\xff\xda"):
        broken = data[:at] + marker + data[at + 2 :]
        wrong = found(broken)
        assert wrong is not None
        assert wrong.missing.mean() < 0.1
        np.testing.assert_array_equal(decoded(mended(broken))[:80], decoded(data)[:80])


def test_a_lost_interval_is_missing_and_the_rest_is_right() -> None:
    data = photo(quality=80, restart_marker_rows=1)
    marks = [at for at in range(len(data) - 1) if data[at] == 0xFF and 0xD0 <= data[at + 1] <= 0xD7]
    broken = data[: marks[3]] + data[marks[4] :]
    wrong = found(broken)
    assert wrong is not None
    assert np.flatnonzero(wrong.missing.any(1)).tolist() == list(range(64, 80))
    assert not wrong.doubtful.any()
    changed = (decoded(mended(broken)) != decoded(data)).any((1, 2))
    assert np.flatnonzero(changed).min() >= 62
    assert np.flatnonzero(changed).max() <= 81


def test_a_progressive_file_that_ends_early_lacks_detail() -> None:
    data = photo(quality=80, progressive=True)
    wrong = found(data[: len(data) * 2 // 3])
    assert wrong is not None
    assert str(wrong) == "its detail is missing"
    begin, end = scan_of(data)
    early = found(data[: (begin + end) // 2])
    assert early is not None
    assert early.missing.any()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_damage_lies_where_it_is_displayed(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    data = photo(quality=85, exif=exif.tobytes())
    begin, end = scan_of(data)
    (tmp_path / "a.jpg").write_bytes(data[: (begin + end) // 2])
    picture = read_picture(tmp_path / "a.jpg")
    wrong, coded = picture.source.damage, found(data[: (begin + end) // 2])
    assert wrong is not None
    assert coded is not None
    np.testing.assert_array_equal(wrong.missing, upright(coded.missing[..., None], orientation)[..., 0])
    assert wrong.missing.shape == picture.pixels.shape[:2]
    assert ("columns" in str(wrong)) is (orientation > 4)


def test_what_has_no_data_at_all_is_refused(tmp_path: Path) -> None:
    data = photo(quality=85)
    begin, _ = scan_of(data)
    for cut in (data[: begin + 3], data[: begin - 20], data[:30]):
        (tmp_path / "a.jpg").write_bytes(cut)
        with pytest.raises(PictureError, match="damaged or cut short"):
            read_picture(tmp_path / "a.jpg")


def test_a_tiny_file_of_a_huge_picture_is_refused(tmp_path: Path) -> None:
    data = bytearray(photo(quality=85))
    frame = next(one.start for one in segments(bytes(data)) if one.marker == 0xC0)
    data[frame + 5 : frame + 9] = b"\x4e\x20\x4e\x20"  # 20,000 x 20,000
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(PictureError, match="too small a file"):
        read_picture(tmp_path / "a.jpg")


def test_a_kept_picture_is_written_whole(tmp_path: Path) -> None:
    data = photo(quality=85)
    (tmp_path / "a.jpg").write_bytes(data[:-2])
    write_picture(read_picture(tmp_path / "a.jpg"), tmp_path / "b.jpg")
    np.testing.assert_array_equal(decoded((tmp_path / "b.jpg").read_bytes()), decoded(data))
