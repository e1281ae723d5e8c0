"""Paths that are URLs, with fsspec's store in memory."""

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from diffuse_cli.errors import UsageError
from diffuse_cli.provenance import recipe
from diffuse_cli.system import urls
from diffuse_cli.system.files import all_in_the_way, disk_trouble, in_the_way, replaced_whole
from diffuse_cli.system.streams import is_stream, opened, skimmed
from diffuse_cli.system.urls import StoreError, Url, absolute, path_of

Store = Any
"""fsspec has no types."""


@pytest.fixture
def store() -> Iterator[Store]:
    memory = fsspec.filesystem("memory")
    yield memory
    memory.store.clear()
    memory.pseudo_dirs[:] = [""]


def test_names_of_urls_are_kept() -> None:
    url = path_of("s3://bucket/a/b.png")
    assert isinstance(url, Url)
    assert [str(url), str(url.parent), str(url.with_suffix(".tif")), url.stem] == [
        "s3://bucket/a/b.png", "s3://bucket/a", "s3://bucket/a/b.tif", "b"
    ]  # fmt: skip
    assert str(path_of("s3://bucket") / Path("x/y.png")) == "s3://bucket/x/y.png"
    assert str(path_of(Path("s3://bucket/a.png"))) == "s3://bucket/a.png", "typer makes a Path of it first"
    assert absolute(url) == url
    assert url.is_absolute()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("a/b.png", "a/b.png"),
        ("file:///a/b.png", "/a/b.png"),
        ("file:/a/b.png", "/a/b.png"),
        ("nonsense://a/b.png", "nonsense:/a/b.png"),
        ("c:/a.png", "c:/a.png"),
        ("-", "-"),
    ],
)
def test_what_is_a_path_stays_one(name: str, meant: str) -> None:
    assert str(path_of(name)) == meant
    assert not isinstance(path_of(name), Url)


def test_a_folder_that_looks_like_a_url_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s3:").mkdir()
    (tmp_path / "s3:" / "a.png").touch()
    assert not isinstance(path_of("s3:/a.png"), Url)


def test_a_store_is_asked_like_a_disk(store: Store) -> None:
    store.pipe({"/d/a.png": b"abc", "/d/sub/b.png": b"b" * 200_000})
    url = path_of("memory://d/a.png")
    assert (url.exists(), url.is_file(), url.is_dir(), url.stat().st_size) == (True, True, False, 3)
    assert (url.parent.is_dir(), path_of("memory://d/none").exists(), is_stream(url)) == (True, False, False)
    assert opened(url).read() == b"abc"
    assert all_in_the_way([url, path_of("memory://d/none")]) == {url}
    folder = Url("memory://d")
    assert [str(one) for one in urls.below(folder, recursive=True)] == ["memory://d/a.png", "memory://d/sub/b.png"]
    assert urls.below(folder, recursive=False) == urls.matching(Url("memory://d/*.png")) == [url]
    with skimmed(folder / "sub/b.png") as file:
        assert file.seek(-2, 2) == 199_998
        assert file.read() == b"bb"
    with pytest.raises(FileNotFoundError) as missing:
        opened(path_of("memory://d/none"))
    assert "no such file" in disk_trouble(missing.value)


@pytest.mark.parametrize("whole", [True, False])
def test_a_file_appears_whole_or_not_at_all(store: Store, whole: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not whole:
        monkeypatch.setattr(urls, "_WHOLE", frozenset())
    url = path_of("memory://out/deep/a.bin")
    with replaced_whole(url) as stream:
        stream.write(b"all of it")
        assert not in_the_way(url)
    assert opened(url).read() == b"all of it"

    def half() -> None:
        with replaced_whole(url) as stream:
            stream.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        half()
    assert opened(url).read() == b"all of it"
    assert list(store.store) == ["/out/deep/a.bin"]


def test_recipes_are_found_in_files_of_any_kind(store: Store) -> None:
    text = b"<x diffuse:recipe='{&quot;steps&quot;: 1}'/>"
    store.pipe("/a.tif", b"II*\0" + b"\0" * 100_000 + text)
    assert recipe.read(path_of("memory://a.tif")) == {"steps": 1}
    assert recipe.read(path_of("memory://none.tif")) is None


def test_what_a_store_says_becomes_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("slow\ndown")

    monkeypatch.setattr("fsspec.core.url_to_fs", broken)
    with pytest.raises(StoreError) as error:
        path_of("memory://a").stat()
    assert error.value.errno == errno.EIO
    assert "the store says: slow down;" in disk_trouble(error.value)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise ImportError

    monkeypatch.setattr("fsspec.core.url_to_fs", missing)
    with pytest.raises(UsageError, match=r"pip install 'diffuse-cli\[s3\]'"):
        path_of("s3://bucket/a.png").exists()
    with pytest.raises(UsageError, match="sftp"):
        path_of("sftp://host/a.png").exists()
