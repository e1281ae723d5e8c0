"""Formats of the extra, and its absence."""

import subprocess
import sys
from pathlib import Path

import pytest

from diffuse_cli.errors import PictureError, UsageError
from diffuse_cli.images import optional_formats
from diffuse_cli.images.image_io import read_picture, write_picture
from tests.images.test_exif import flat

FILES = {
    "a.heic": (b"\0\0\0\x18ftypheic", "HEIC"),
    "a.jxl": (b"\xff\x0a" + bytes(60), "JPEG XL"),
    "a.cr3": (b"\0\0\0\x18ftypcrx ", "camera RAW"),
    "a.nef": (b"II*\0\x08\0\0\0" + bytes(60), "camera RAW"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_missing_extra_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in optional_formats._MODULES.values():
        monkeypatch.setitem(sys.modules, module, None)  # as if it were not installed
    (tmp_path / name).write_bytes(FILES[name][0])
    with pytest.raises(PictureError) as caught:
        read_picture(tmp_path / name)
    assert f"{name}: {FILES[name][1]} needs the extra [formats]: pip install" in str(caught.value)
    assert ("darktable" in str(caught.value)) == (FILES[name][1] == "camera RAW")
    if name in ("a.heic", "a.jxl"):
        with pytest.raises(UsageError, match=r"needs the extra \[formats\]"):
            write_picture(flat(9), tmp_path / f"out{Path(name).suffix}")


def test_optional_libraries_are_not_imported_before_they_are_needed() -> None:
    code = "import sys, diffuse_cli.images.image_io; print([m for m in sys.argv[1:] if m in sys.modules])"
    command = [sys.executable, "-c", code, *optional_formats._MODULES.values(), "torch", "cv2"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "[]\n"
