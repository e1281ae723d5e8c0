"""Plans: names, collisions, and what is refused before anything runs."""

from pathlib import Path

import pytest

from diffuse_cli.cli.batch import naming, plan, shards
from diffuse_cli.cli.batch.inputs import Found
from diffuse_cli.cli.batch.naming import Naming
from diffuse_cli.errors import UsageError

from .conftest import found, outputs, planned


def test_default_names_lie_beside_the_inputs(folder: Path) -> None:
    assert outputs(planned(found("a.png", "sub/a.png"), None)) == ["a.denoise.png", "sub/a.denoise.png"]


def test_nothing_is_created_by_planning(folder: Path) -> None:
    assert outputs(planned(found("a.png", "b.jpg"), "new/deep/")) == ["new/deep/a.png", "new/deep/b.jpg"]
    assert not (folder / "new").exists()


def test_templates(folder: Path) -> None:
    some = found("sub/a.png", "b.jpg")
    naming = Naming(output="o/{dir}/{{{stem}}}-{op}-{seed}{ext}", op="denoise", seed=7)
    assert outputs(plan.plan(some, naming)) == ["o/sub/{a}-denoise-7.png", "o/{b}-denoise-7.jpg"]
    several = Naming(output="o/{stem}{ext}", op="generate", samples=2)
    assert outputs(plan.plan(some[:1], several)) == ["o/a.0.png", "o/a.1.png"]
    assert outputs(plan.plan(some[:1], Naming(output="o/{k}{stem}.tif", op="x", samples=2))) == [
        "o/0a.tif", "o/1a.tif",
    ]  # fmt: skip
    assert outputs(plan.plan(some[:1], Naming(output=None, op="x", samples=2))) == [
        "sub/a.x.0.png",
        "sub/a.x.1.png",
    ]
    (folder / "{stem}").mkdir()
    assert outputs(planned(some[:1], "{stem}")) == ["{stem}/a.png"]


def test_a_dot_before_the_suffix_is_not_doubled(folder: Path) -> None:
    some = found("a.png", "b.jpg")
    assert outputs(planned(some, "o/{stem}.x.{ext}")) == outputs(planned(some, "o/{stem}.x{ext}"))
    (folder / "c..png").write_bytes(b"")
    assert outputs(planned(found("c..png"), "o/{stem}{ext}")) == ["o/c..png"]


def test_a_name_without_suffix_for_several_is_a_folder(folder: Path) -> None:
    some = found("a.png", "b.jpg")
    assert naming.folder_for("out", some) == "out/"
    assert naming.folder_for("out", found("sub")) == "out/", "a folder with one picture"
    assert naming.folder_for("out", some[:1], samples=2) == "out/"
    for one in ("out.png", "out/", "-", "/dev/stdout", "{stem}", "sub", "sub/notes.txt", None):
        assert naming.folder_for(one, some) == one
    assert naming.folder_for("out", some[:1]) == "out"


@pytest.mark.parametrize("template", ["{name}.png", "{stem.png", "{stem!r}.png", "{stem:>9}.png", "{}.png"])
def test_wrong_templates(folder: Path, template: str) -> None:
    with pytest.raises(UsageError, match="-o"):
        planned(found("a.png"), template)


@pytest.mark.parametrize("on_exists", ["fail", "skip", "overwrite", "rename"])
def test_an_input_is_never_an_output(folder: Path, on_exists: plan.OnExists) -> None:
    (folder / "hard.png").hardlink_to(folder / "a.png")
    (folder / "soft.png").symlink_to(folder / "a.png")
    for output in ("a.png", "hard.png", "soft.png", "A.png"):
        with pytest.raises(UsageError, match="input"):
            planned(found("a.png"), output, on_exists=on_exists)
    with pytest.raises(UsageError, match="input"):
        planned(found("a.png", "b.jpg"), "./", on_exists=on_exists)


def test_existing_outputs(folder: Path) -> None:
    some = found("a.png", "b.jpg")
    (folder / "out").mkdir()
    (folder / "out" / "a.png").write_bytes(b"")
    (folder / "out" / "a.1.png").write_bytes(b"")
    with pytest.raises(UsageError, match=r"out/a\.png: exists; use -f"):
        planned(some, "out")
    assert [job.action for job in planned(some, "out", on_exists="skip")] == ["skip", "make"]
    assert [job.action for job in planned(some, "out", on_exists="overwrite")] == ["replace", "make"]
    assert outputs(planned(some, "out", on_exists="rename")) == ["out/a.2.png", "out/b.jpg"]
    assert [job.action for job in planned(some, "out", is_made=lambda _: True)] == ["skip", "make"]
    with pytest.raises(UsageError, match="exists"):
        planned(some, "out", is_made=lambda _: False)


@pytest.mark.parametrize("on_exists", ["fail", "skip", "overwrite", "rename"])
def test_two_inputs_of_one_name_collide_even_in_another_case(folder: Path, on_exists: plan.OnExists) -> None:
    """IOPaint keys outputs by stem; rembg flattens folders: both lose a picture."""
    (folder / "sub/A.PNG").write_bytes(b"")
    (folder / "a.jpg").write_bytes(b"")
    (folder / "sub/a\N{LATIN SMALL LETTER E WITH ACUTE}.png").write_bytes(b"")
    (folder / "ae\N{COMBINING ACUTE ACCENT}.png").write_bytes(b"")
    for names, output in [
        (("a.png", "sub/a.png"), "out/"),
        (("a.png", "sub/A.PNG"), "out/"),
        (("a.png", "a.jpg"), "out/{stem}.tif"),
        (("ae\N{COMBINING ACUTE ACCENT}.png", "sub/a\N{LATIN SMALL LETTER E WITH ACUTE}.png"), "out/"),
    ]:
        with pytest.raises(UsageError, match="both"):
            planned(found(*names), output, on_exists=on_exists)


def test_folders_that_are_none(folder: Path) -> None:
    for output in ("a.png/", "a.png/b/", "a.png/b/c.png", "a.png/{stem}.png"):
        with pytest.raises(UsageError, match="folder"):
            planned(found("b.jpg"), output)


def test_a_missing_name_stops_the_batch_unless_a_list_has_it(folder: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        planned(found("nosuch.png"), None)
    assert outputs(planned(found(listed=[Path("nosuch.png")]), None)) == ["nosuch.denoise.png"]


def test_shards_are_a_partition_that_new_files_do_not_change(folder: Path) -> None:
    many = [Found(path=Path(f"/in/{k}.png"), below=Path(f"{k}.png"), root=Path("/in"), listed=True) for k in range(90)]
    jobs = planned(many, "out/")
    parts = [shards.shard(jobs, i, 3) for i in (1, 2, 3)]
    assert sorted(job.source for part in parts for job in part) == sorted(one.path for one in many)
    assert all(15 < len(part) < 45 for part in parts)
    assert shards.shard(jobs[::-1][:40], 2, 3) == [job for job in jobs[::-1][:40] if job in parts[1]]


def test_what_another_part_has_written_stops_nothing(folder: Path) -> None:
    """Parts run at the same time, and one may end before another begins."""
    for name in "abcdef":
        (folder / f"{name}.png").write_bytes(b"")
    some = found(*(f"{name}.png" for name in "abcdef"))
    naming = Naming(output="o/", op="denoise")
    parts = [plan.plan(some, naming, part=(i, 2)) for i in (1, 2)]
    assert sorted(outputs(parts[0] + parts[1])) == sorted(outputs(plan.plan(some, naming)))
    (folder / "o").mkdir()
    for job in parts[0]:
        (folder / job.output).write_bytes(b"")
    assert outputs(plan.plan(some, naming, part=(2, 2))) == outputs(parts[1])
    with pytest.raises(UsageError, match="exists"):
        plan.plan(some, naming, part=(1, 2))
