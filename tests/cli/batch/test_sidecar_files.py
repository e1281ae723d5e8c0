"""Which mask belongs to which picture."""

from pathlib import Path

import pytest

from diffuse_cli.cli.batch.sidecar_files import SidecarFiles
from diffuse_cli.errors import PictureError, UsageError
from diffuse_cli.system.files import file_sha256


class Reader:
    """Reads a file's text, and remembers which files it read."""

    def __init__(self) -> None:
        self.read: list[Path] = []

    def __call__(self, path: Path) -> str:
        self.read.append(path)
        return path.read_text()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("m/a.png", "m/b.jpg", "m/c.png", "m/c.tif", "all.png", "of_a/a_mask.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def masks(name: str, read: Reader) -> SidecarFiles[str]:
    return SidecarFiles(name, option="--mask", what="mask", read=read)


def test_one_file_is_every_pictures_and_read_once(folder: Path) -> None:
    read = Reader()
    found = masks("all.png", read)
    assert found.files == (Path("all.png"),)
    assert {found.of(Path(name)).value for name in ("a.png", "b.png", "x/c.png")} == {"all.png"}
    assert read.read == [Path("all.png")]
    assert found.of(Path("a.png")).sha256 == file_sha256(folder / "all.png", PictureError)


def test_a_folder_has_each_pictures_own_by_name_or_by_stem(folder: Path) -> None:
    found = masks("m/", Reader())
    assert found.files == ()
    assert found.of(Path("in/a.png")).value == "m/a.png"
    assert found.of(Path("in/b.png")).value == "m/b.jpg"
    assert found.of(Path("in/c.tif")).value == "m/c.tif", "its own suffix comes first"
    with pytest.raises(PictureError, match=r"in/c\.webp: m/c\.\w+ and m/c\.\w+ could both be its mask"):
        found.of(Path("in/c.webp"))
    with pytest.raises(PictureError, match=r"m/d\.png: no such mask"):
        found.of(Path("in/d.png"))


def test_a_template_names_it(folder: Path) -> None:
    found = masks("of_{stem}/{stem}_mask.png", Reader())
    assert found.of(Path("in/a.jpg")).value == "of_a/a_mask.png"
    with pytest.raises(PictureError, match=r"of_b/b_mask\.png: no such mask"):
        found.of(Path("in/b.jpg"))


@pytest.mark.parametrize(("name", "says"), [("no.png", "no such mask file"), ("no/", "folder"), ("{no}.png", "--mask")])
def test_what_is_not_there_is_known_before_any_picture(folder: Path, name: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        masks(name, Reader())
