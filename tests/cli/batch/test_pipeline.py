"""Runs: what one failure costs, what overlaps, and what a stop leaves."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from diffuse_cli.cli.batch import pipeline as batch
from diffuse_cli.cli.batch.inputs import Found
from diffuse_cli.cli.batch.job import Job
from diffuse_cli.cli.batch.pipeline import BusyError, End, SkippedError
from diffuse_cli.errors import PictureError


class Work:
    """Steps on nothing; what happens to a job is told by its file's name."""

    def __init__(self, restore: Callable[[Job], None] = lambda job: None, weight: int = 1) -> None:
        self.on_restore, self.pixels = restore, weight
        self.in_hand: set[str] = set()
        self.most = self.busy = 0
        self.threads: set[str] = set()
        self.waited: list[str] = []
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

    def wait(self, job: Job) -> None:
        self.waited.append(job.source.name)

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


def test_one_failure_stops_nothing_and_is_remembered() -> None:
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
    assert errors["defect"] == "unexpected ZeroDivisionError: a defect; please report this bug"
    outcome = batch.Outcome()
    for end in told:
        outcome.add(end)
    assert (outcome.done, outcome.skipped, len(outcome.failed), outcome.exit_code) == (2, 1, 4, 4)


def test_nothing_stays_in_hand_and_memory_is_bounded() -> None:
    names = [str(k) for k in range(200)]
    light, heavy = Work(), Work(weight=batch.MOST_WEIGHT)
    assert len(ends(jobs_of(*names), light)) == 200
    assert len(ends(jobs_of(*names), heavy)) == 200
    assert not light.in_hand | heavy.in_hand
    assert 1 < light.most <= batch.AHEAD + batch.BEHIND + 2
    assert heavy.most == 1


def test_reading_and_writing_overlap_with_restoring() -> None:
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


def test_a_written_picture_is_told_while_the_next_one_is_restored() -> None:
    is_told = threading.Event()

    def restore(job: Job) -> None:
        assert job.source.name == "quick" or is_told.wait(30)

    told: list[End] = []

    def tell(end: End) -> None:
        told.append(end)
        is_told.set()

    batch.run(jobs_of("quick", "slow"), Work(restore), tell)
    assert [(str(end.job.source), end.status) for end in told] == [("quick", "done"), ("slow", "done")]


def test_what_fails_in_telling_ends_the_run() -> None:
    def tell(end: End) -> None:
        raise BrokenPipeError

    work = Work()
    with pytest.raises(BrokenPipeError):
        batch.run(jobs_of(*map(str, range(20))), work, tell)
    assert not work.in_hand


def test_what_another_process_has_in_hand_comes_later() -> None:
    told = ends(jobs_of("busy", "a", "b"), Work())
    assert {str(e.job.source) for e in told[:2]} == {"a", "b"}
    assert str(told[2].job.source) == "busy"
    assert {e.status for e in told} == {"done"}


def test_a_stop_finishes_what_is_in_hand_and_begins_nothing() -> None:
    seen: list[str] = []
    work = Work(lambda job: seen.append(job.source.name))
    told = ends(jobs_of(*map(str, range(20))), work, is_stopped=lambda: len(seen) >= 3)
    assert sorted(str(e.job.source) for e in told) == seen == ["0", "1", "2"]
    assert not work.in_hand


def test_abandoning_leaves_nothing_half_done() -> None:
    def restore(job: Job) -> None:
        if job.source.name == "3":
            raise KeyboardInterrupt

    told: list[End] = []
    work = Work(restore)
    with pytest.raises(KeyboardInterrupt):
        batch.run(jobs_of(*map(str, range(9))), work, told.append)
    assert [str(e.job.source) for e in told] == ["0", "1", "2"]
    assert not work.in_hand
