"""Searches: folders, globs, lists."""

import os
from pathlib import Path

import pytest

from diffuse_cli.cli.batch import inputs
from diffuse_cli.errors import UsageError

from .conftest import SUFFIXES, found, outputs, paths, planned


def test_a_folder_has_its_own_pictures_and_the_rest_is_counted(folder: Path) -> None:
    (folder / "sub" / ".secret").mkdir()
    (folder / "sub" / "loop").symlink_to(folder / "sub")
    assert paths(found("sub")) == ["sub/a.png"]
    findings = inputs.find([Path("sub")], suffixes=SUFFIXES, recursive=True)
    assert paths(findings.found) == ["sub/a.png", "sub/deep/C.PNG"]
    assert {reason: [path.name for path in paths] for reason, paths in findings.skipped.items()} == {
        "hidden": [".secret"], "circular links": ["loop"], "not pictures": ["notes.txt"],
    }  # fmt: skip


def test_the_tree_is_kept_below_the_folder_named(folder: Path) -> None:
    some = found(folder, recursive=True)
    assert [str(one.below) for one in some] == ["a.png", "b.jpg", "sub/a.png", "sub/deep/C.PNG", "x[1].png"]
    assert outputs(planned(some, "out/"))[2:4] == ["out/sub/a.png", "out/sub/deep/C.PNG"]


def test_a_path_that_exists_beats_a_glob(folder: Path) -> None:
    assert paths(found("x[1].png")) == ["x[1].png"]
    (folder / "x[1].png").unlink()
    (folder / "x1.png").write_bytes(b"")
    assert paths(found("x[1].png")) == ["x1.png"]


def test_globs(folder: Path) -> None:
    assert paths(found("*.png")) == ["a.png", "x[1].png"]
    assert paths(found("**/[aC].*")) == ["a.png", "sub/a.png", "sub/deep/C.PNG"]
    assert [str(one.below) for one in found("sub/**/*", recursive=True)] == ["a.png", "deep/C.PNG"]
    for name in ("*.gif", "sub/*.txt"):
        with pytest.raises(UsageError, match=r"\*"):
            found(name)


def test_lists_keep_their_folders(folder: Path) -> None:
    names = inputs.read_list(b"sub/a.png\0./b.jpg\0two\nlines.png\0", null=True)
    assert names == [Path("sub/a.png"), Path("b.jpg"), Path("two\nlines.png")]
    assert inputs.read_list(b"a.png\r\n\n\xff.png", null=False) == [Path("a.png"), Path(os.fsdecode(b"\xff.png"))]
    some = found(listed=names)
    assert outputs(planned(some, "out/")) == ["out/sub/a.png", "out/b.jpg", "out/two\nlines.png"]
    above = found(listed=[Path("../up.png"), folder / "a.png"])
    kept = [Path(os.path.abspath(name)).relative_to("/") for name in ("../up.png", "a.png")]
    assert [one.below for one in above] == kept


def test_a_mark_at_the_beginning_of_a_list_belongs_to_no_name() -> None:
    for mark in ("utf-8", "utf-8-sig", "utf-16", "utf-16-le"):
        data = ("\ufeff" if mark == "utf-16-le" else "") + "ä.png\r\nb.png\r\n"
        assert inputs.read_list(data.encode(mark), null=False) == [Path("ä.png"), Path("b.png")], mark
    with pytest.raises(UsageError, match="add -0"):
        inputs.read_list(b"a.png\0b.png\0", null=False)


def test_what_is_left_out_is_named() -> None:
    many = [Path(f"in/{k}.tga") for k in range(7)] + [Path("in/Makefile")]
    assert inputs.shown_skips({"not pictures": many, "hidden": [Path("in/.a.png")]}) == (
        "1 hidden file (.a.png); "
        "8 files that are not pictures (0.tga, 1.tga, 2.tga, 3.tga, 4.tga, 2 more .tga, 1 more without a suffix)"
    )


def test_what_was_named_is_not_found_again(folder: Path) -> None:
    assert paths(found("a.png", ".")) == ["a.png", "b.jpg", "x[1].png"]


def test_stdin_goes_with_nothing_else(folder: Path) -> None:
    with pytest.raises(UsageError, match="stdin"):
        found("-", "a.png")
