"""Searches, plans and runs: names, collisions, what is refused before anything runs, and what one failure costs."""

import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from diffuse_cli.cli.batch import inputs, plan
from diffuse_cli.cli.batch import pipeline as batch
from diffuse_cli.cli.batch.inputs import Found
from diffuse_cli.cli.batch.pipeline import BusyError, End, SkippedError
from diffuse_cli.cli.batch.plan import Job, Naming
from diffuse_cli.errors import PictureError, UsageError

SUFFIXES = (".png", ".jpg")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("a.png", "b.jpg", "sub/a.png", "sub/deep/C.PNG", "sub/notes.txt", ".hidden.png", "x[1].png"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def found(*names: str | Path, recursive: bool = False, listed: Sequence[Path] = ()) -> list[Found]:
    return inputs.find([Path(name) for name in names], suffixes=SUFFIXES, recursive=recursive, listed=listed).found


def paths(some: list[Found]) -> list[str]:
    return [str(one.path) for one in some]


def planned(
    some: list[Found],
    output: str | None,
    on_exists: plan.OnExists = "fail",
    is_made: Callable[[Job], bool] | None = None,
) -> list[Job]:
    return plan.plan(some, Naming(output=output, op="denoise"), on_exists=on_exists, is_made=is_made)


def outputs(jobs: list[Job]) -> list[str]:
    return [str(job.output) for job in jobs]


class TestInputs:
    def test_a_folder_has_its_own_pictures_and_the_rest_is_counted(self, folder: Path) -> None:
        (folder / "sub" / ".secret").mkdir()
        (folder / "sub" / "loop").symlink_to(folder / "sub")
        assert paths(found("sub")) == ["sub/a.png"]
        findings = inputs.find([Path("sub")], suffixes=SUFFIXES, recursive=True)
        assert paths(findings.found) == ["sub/a.png", "sub/deep/C.PNG"]
        assert findings.skipped == {"hidden": 1, "links that lead in a circle": 1, "no pictures by their names": 1}

    def test_the_tree_is_kept_below_the_folder_named(self, folder: Path) -> None:
        some = found(folder, recursive=True)
        assert [str(one.below) for one in some] == ["a.png", "b.jpg", "sub/a.png", "sub/deep/C.PNG", "x[1].png"]
        assert outputs(planned(some, "out/"))[2:4] == ["out/sub/a.png", "out/sub/deep/C.PNG"]

    def test_a_path_that_exists_beats_a_glob(self, folder: Path) -> None:
        assert paths(found("x[1].png")) == ["x[1].png"]
        (folder / "x[1].png").unlink()
        (folder / "x1.png").write_bytes(b"")
        assert paths(found("x[1].png")) == ["x1.png"]

    def test_globs(self, folder: Path) -> None:
        assert paths(found("*.png")) == ["a.png", "x[1].png"]
        assert paths(found("**/[aC].*")) == ["a.png", "sub/a.png", "sub/deep/C.PNG"]
        assert [str(one.below) for one in found("sub/**/*", recursive=True)] == ["a.png", "deep/C.PNG"]
        for name in ("*.gif", "sub/*.txt"):
            with pytest.raises(UsageError, match=r"\*"):
                found(name)

    def test_lists_keep_their_folders(self, folder: Path) -> None:
        names = inputs.read_list(b"sub/a.png\0./b.jpg\0two\nlines.png\0", null=True)
        assert names == [Path("sub/a.png"), Path("b.jpg"), Path("two\nlines.png")]
        assert inputs.read_list(b"a.png\r\n\n\xff.png", null=False) == [Path("a.png"), Path(os.fsdecode(b"\xff.png"))]
        some = found(listed=names)
        assert outputs(planned(some, "out/")) == ["out/sub/a.png", "out/b.jpg", "out/two\nlines.png"]
        above = found(listed=[Path("../up.png"), folder / "a.png"])
        kept = [Path(os.path.abspath(name)).relative_to("/") for name in ("../up.png", "a.png")]
        assert [one.below for one in above] == kept

    def test_what_was_named_is_not_found_again(self, folder: Path) -> None:
        assert paths(found("a.png", ".")) == ["a.png", "b.jpg", "x[1].png"]

    def test_stdin_goes_with_nothing_else(self, folder: Path) -> None:
        with pytest.raises(UsageError, match="stdin"):
            found("-", "a.png")


class TestPlan:
    def test_default_names_lie_beside_the_inputs(self, folder: Path) -> None:
        assert outputs(planned(found("a.png", "sub/a.png"), None)) == ["a.denoise.png", "sub/a.denoise.png"]

    def test_nothing_is_created_by_planning(self, folder: Path) -> None:
        jobs = planned(found("a.png", "b.jpg"), "new/deep/")
        assert outputs(jobs) == ["new/deep/a.png", "new/deep/b.jpg"]
        assert not (folder / "new").exists()
        plan.make_folders(jobs)
        assert (folder / "new/deep").is_dir()

    def test_templates(self, folder: Path) -> None:
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

    @pytest.mark.parametrize("template", ["{name}.png", "{stem.png", "{stem!r}.png", "{stem:>9}.png", "{}.png"])
    def test_wrong_templates(self, folder: Path, template: str) -> None:
        with pytest.raises(UsageError, match="-o"):
            planned(found("a.png"), template)

    @pytest.mark.parametrize("on_exists", ["fail", "skip", "overwrite", "rename"])
    def test_an_input_is_never_an_output(self, folder: Path, on_exists: plan.OnExists) -> None:
        (folder / "hard.png").hardlink_to(folder / "a.png")
        (folder / "soft.png").symlink_to(folder / "a.png")
        for output in ("a.png", "hard.png", "soft.png", "A.png"):
            with pytest.raises(UsageError, match="input"):
                planned(found("a.png"), output, on_exists=on_exists)
        with pytest.raises(UsageError, match="input"):
            planned(found("a.png", "b.jpg"), "./", on_exists=on_exists)

    def test_existing_outputs(self, folder: Path) -> None:
        some = found("a.png", "b.jpg")
        (folder / "out").mkdir()
        (folder / "out" / "a.png").write_bytes(b"")
        (folder / "out" / "a.1.png").write_bytes(b"")
        with pytest.raises(UsageError, match=r"out/a\.png: exists; -f"):
            planned(some, "out")
        assert [job.action for job in planned(some, "out", on_exists="skip")] == ["skip", "make"]
        assert [job.action for job in planned(some, "out", on_exists="overwrite")] == ["replace", "make"]
        assert outputs(planned(some, "out", on_exists="rename")) == ["out/a.2.png", "out/b.jpg"]
        assert [job.action for job in planned(some, "out", is_made=lambda _: True)] == ["skip", "make"]
        with pytest.raises(UsageError, match="exists"):
            planned(some, "out", is_made=lambda _: False)

    @pytest.mark.parametrize("on_exists", ["fail", "skip", "overwrite", "rename"])
    def test_two_inputs_of_one_name_collide_even_in_another_case(self, folder: Path, on_exists: plan.OnExists) -> None:
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

    def test_folders_that_are_none(self, folder: Path) -> None:
        for output in ("missing/x.png", "a.png/", "a.png/b/", "a.png/{stem}.png"):
            with pytest.raises(UsageError, match="folder"):
                planned(found("b.jpg"), output)

    def test_a_missing_name_stops_the_batch_unless_a_list_has_it(self, folder: Path) -> None:
        with pytest.raises(UsageError, match="no such file"):
            planned(found("nosuch.png"), None)
        assert outputs(planned(found(listed=[Path("nosuch.png")]), None)) == ["nosuch.denoise.png"]

    def test_shards_are_a_partition_that_new_files_do_not_change(self, folder: Path) -> None:
        many = [
            Found(path=Path(f"/in/{k}.png"), below=Path(f"{k}.png"), root=Path("/in"), listed=True) for k in range(90)
        ]
        jobs = planned(many, "out/")
        parts = [plan.shard(jobs, i, 3) for i in (1, 2, 3)]
        assert sorted(job.source for part in parts for job in part) == sorted(one.path for one in many)
        assert all(15 < len(part) < 45 for part in parts)
        assert plan.shard(jobs[::-1][:40], 2, 3) == [job for job in jobs[::-1][:40] if job in parts[1]]


class Work:
    """Steps on nothing; what happens to a job is told by its file's name."""

    def __init__(self, restore: Callable[[Job], None] = lambda job: None, weight: int = 1) -> None:
        self.on_restore, self.pixels = restore, weight
        self.in_hand: set[str] = set()
        self.most = self.busy = 0
        self.threads: set[str] = set()
        self.guard = threading.Lock()

    def weight(self, job: Job) -> int:
        return self.pixels

    def read(self, job: Job) -> str:
        with self.guard:
            self.in_hand.add(job.source.name)
            self.most = max(self.most, len(self.in_hand))
        self.threads.add(threading.current_thread().name)
        if job.source.name == "busy" and self.busy < 2:
            self.busy += 1
            raise BusyError
        if job.source.name == "made":
            raise SkippedError("made meanwhile")
        if job.source.name == "vanished":
            raise PictureError("no such file")
        return job.source.name

    def restore(self, job: Job, read: str) -> str:
        assert threading.current_thread() is threading.main_thread()
        self.on_restore(job)
        return read

    def write(self, job: Job, restored: str) -> dict[str, Any]:
        if restored == "full":
            raise PictureError("the disk is full")
        return {"wrote": restored}

    def let_go(self, job: Job) -> None:
        with self.guard:
            self.in_hand.discard(job.source.name)


def jobs_of(*names: str) -> list[Job]:
    return [Job(found=Found(path=Path(n), below=Path(n), root=Path()), output=Path(f"{n}.out")) for n in names]


def ends(jobs: list[Job], work: Work, is_stopped: Callable[[], bool] = lambda: False) -> list[End]:
    told: list[End] = []
    batch.run(jobs, work, told.append, is_stopped)
    return told


class TestRun:
    def test_one_failure_stops_nothing_and_is_remembered(self) -> None:
        def restore(job: Job) -> None:
            if job.source.name == "defect":
                raise ZeroDivisionError("a defect")
            if job.source.name == "memory":
                raise MemoryError

        told = ends(jobs_of("a", "vanished", "defect", "memory", "full", "made", "b"), Work(restore))
        assert {str(e.job.source): e.status for e in told} == {
            "a": "done", "vanished": "failed", "defect": "failed", "memory": "failed", "full": "failed",
            "made": "skipped", "b": "done",
        }  # fmt: skip
        errors = {str(e.job.source): str(e.error) for e in told if e.error}
        assert errors["defect"] == "ZeroDivisionError: a defect"
        outcome = batch.Outcome()
        for end in told:
            outcome.add(end)
        assert (outcome.done, outcome.skipped, len(outcome.failed), outcome.exit_code) == (2, 1, 4, 4)

    def test_nothing_stays_in_hand_and_memory_is_bounded(self) -> None:
        names = [str(k) for k in range(200)]
        light, heavy = Work(), Work(weight=batch.MOST_WEIGHT)
        assert len(ends(jobs_of(*names), light)) == 200
        assert len(ends(jobs_of(*names), heavy)) == 200
        assert not light.in_hand | heavy.in_hand
        assert 1 < light.most <= batch.AHEAD + batch.BEHIND + 2
        assert heavy.most == 1

    def test_reading_and_writing_overlap_with_restoring(self) -> None:
        """Each picture's restoring waits for the next one's reading, its writing for the next one's restoring."""
        names = [str(number) for number in range(10)]
        is_read = {name: threading.Event() for name in names}
        is_restored = {name: threading.Event() for name in names}

        def following(job: Job) -> str:
            return str(min(int(job.source.name) + 1, 9))

        class Waiting(Work):
            def read(self, job: Job) -> str:
                is_read[job.source.name].set()
                return super().read(job)

            def write(self, job: Job, restored: str) -> dict[str, Any]:
                assert is_restored[following(job)].wait(30)
                return super().write(job, restored)

        def restoring(job: Job) -> None:
            assert is_read[following(job)].wait(30)
            is_restored[job.source.name].set()

        assert not any(end.error for end in ends(jobs_of(*names), Waiting(restoring)))

    def test_what_another_process_has_in_hand_comes_later(self) -> None:
        told = ends(jobs_of("busy", "a", "b"), Work())
        assert [str(e.job.source) for e in told] == ["a", "b", "busy"]
        assert {e.status for e in told} == {"done"}

    def test_a_stop_finishes_what_is_in_hand_and_begins_nothing(self) -> None:
        seen: list[str] = []
        work = Work(lambda job: seen.append(job.source.name))
        told = ends(jobs_of(*map(str, range(20))), work, is_stopped=lambda: len(seen) >= 3)
        assert [str(e.job.source) for e in told] == seen == ["0", "1", "2"]
        assert not work.in_hand

    def test_abandoning_leaves_nothing_half_done(self) -> None:
        def restore(job: Job) -> None:
            if job.source.name == "3":
                raise KeyboardInterrupt

        told: list[End] = []
        work = Work(restore)
        with pytest.raises(KeyboardInterrupt):
            batch.run(jobs_of(*map(str, range(9))), work, told.append)
        assert [str(e.job.source) for e in told] == ["0", "1", "2"]
        assert not work.in_hand
