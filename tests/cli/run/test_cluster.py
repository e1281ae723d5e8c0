"""--engine ray: what its workers do, without a cluster; and, where Ray is installed, a batch on one."""

import importlib.util
import json
import os
import pickle
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from diffuse_cli.cli.batch import status
from diffuse_cli.cli.run import cluster
from diffuse_cli.cli.run.cluster import Row, Spread, Worker
from tests.helpers.program import Program, json_lines

Rows = Callable[[Spread, dict[int, Any], int], Iterator[Row]]


@contextmanager
def nothing(_files: object) -> Iterator[None]:
    """Stands for a cluster that is there."""
    yield


def rows(spread: Spread, left: dict[int, Any], at_once: int) -> Iterator[Row]:
    """What Ray Data would do with the steps, one after the other. All that machines are told is pickled."""
    given = cluster._inputs(spread, left)
    spread = pickle.loads(pickle.dumps(spread))
    inputs = [cluster._fetch(spread.folder, row) for row in given]
    worker = Worker(spread)
    for k in range(0, len(inputs), at_once):
        some = inputs[k : k + at_once]
        made = worker({name: [row[name] for row in some] for name in ("jobs", "data", "trouble")})
        for number in range(len(made["end"])):
            yield cluster._put(spread, {name: column[number] for name, column in made.items()})


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster in this process."""
    monkeypatch.setattr(cluster, "_cluster", nothing)
    monkeypatch.setattr(cluster, "_rows", rows)
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: object())


@pytest.fixture
def photos(cat: Path, tmp_path: Path) -> Path:
    """Pictures of formats with and without metadata, one of them broken."""
    folder = tmp_path / "photos"
    folder.mkdir()
    with Image.open(cat) as image:
        for name in ("a.png", "b.jpg", "c.bmp", "d.tif"):
            image.convert("RGB").save(folder / name)
    (folder / "e.png").write_bytes(b"no picture")
    (folder / "b.jpg").chmod(0o600)
    return folder


@pytest.fixture
def line(toy_file: Path) -> list[str]:
    return ["denoise", "photos", "--noise", "20", "--model", str(toy_file), "--dtype", "fp32", "--journal", "j"]


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_names_bytes_and_failures_are_those_of_the_local_engine(
    run: Program, photos: Path, line: list[str], here: None, tmp_path: Path
) -> None:
    local = run(*line, "-o", "local/", "--journal", "k")
    spread = run(*line, "-o", "ray/", "--engine", "ray", "--json")
    assert local.exit_code == spread.exit_code == 1
    assert content(tmp_path / "local") == content(tmp_path / "ray")
    assert sorted(content(tmp_path / "ray")) == ["a.png", "b.jpg", "c.bmp", "d.tif"]
    assert (tmp_path / "ray" / "b.jpg").stat().st_mode & 0o777 == 0o600
    *told, summary = json_lines(spread.stdout)
    assert {(one["status"], one["input"]) for one in told} == {
        ("done", "photos/a.png"), ("done", "photos/b.jpg"), ("done", "photos/c.bmp"), ("done", "photos/d.tif"),
        ("failed", "photos/e.png"),
    }  # fmt: skip
    assert summary["failures"][0]["error"].startswith("photos/e.png: not a picture")
    assert [line for line in local.stderr.splitlines() if "failed" in line] == [
        line for line in spread.stderr.splitlines() if "failed" in line
    ]
    found = status.read([Path("j")])
    assert (len(found.of("done")), len(found.of("failed")), found.of("missing"), found.doubled) == (4, 1, [], [])


def test_resume_does_what_is_left(run: Program, photos: Path, line: list[str], here: None, tmp_path: Path) -> None:
    (photos / "e.png").unlink()
    ray = [*line, "-o", "ray/", "--engine", "ray", "--json"]
    assert run(*ray).exit_code == 0
    (tmp_path / "ray" / "a.png").unlink()
    told = json_lines(run(*ray, "--resume").stdout)[:-1]
    assert sorted(one["status"] for one in told) == ["done", "skipped", "skipped", "skipped"]
    assert "exists" in run(*ray).stderr


def test_several_results_of_an_input(run: Program, photos: Path, line: list[str], here: None, tmp_path: Path) -> None:
    (photos / "e.png").unlink()
    more = ["--samples", "2", "--uncertainty", "{dir}/../u_{stem}.png", "--seed", "3"]
    for engine in ("local", "ray"):
        ended = run(*line, *more, "-o", f"{engine}/", "--engine", engine, "-f", "--steps", "2")
        assert ended.exit_code == 0, ended.stderr
    assert content(tmp_path / "local") == content(tmp_path / "ray")
    assert len(content(tmp_path / "ray")) == 8


@pytest.mark.parametrize("late", [False, True], ids=["before reading", "before writing"])
def test_what_a_dead_worker_has_written_is_done(
    run: Program, photos: Path, line: list[str], here: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    """The results of a first try appear after the plan was made, as those of a worker that died after it wrote them."""
    (photos / "e.png").unlink()
    assert run(*line, "-o", "first/", "--journal", "k").exit_code == 0

    def appear() -> None:
        if not (tmp_path / "ray").exists():
            shutil.copytree(tmp_path / "first", tmp_path / "ray")

    def again(spread: Spread, left: dict[int, Any], at_once: int) -> Iterator[Row]:
        if not late:
            appear()
        found = rows(spread, left, at_once)
        if late:
            put = cluster._put

            def after(spread: Spread, row: Row) -> Row:
                appear()
                return put(spread, row)

            monkeypatch.setattr(cluster, "_put", after)
        yield from found

    monkeypatch.setattr(cluster, "_rows", again)
    ended = run(*line, "-o", "ray/", "--engine", "ray")
    assert ended.exit_code == 0, ended.stderr
    assert content(tmp_path / "first") == content(tmp_path / "ray")
    assert len(status.read([Path("j")]).of("done")) == 4


def test_another_file_that_appears_is_not_overwritten(
    run: Program, photos: Path, line: list[str], here: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def appear(spread: Spread, left: dict[int, Any], at_once: int) -> Iterator[Row]:
        (tmp_path / "ray").mkdir()
        for name in ("a.png", "c.bmp"):
            (tmp_path / "ray" / name).write_bytes(b"precious")
        yield from rows(spread, left, at_once)

    monkeypatch.setattr(cluster, "_rows", appear)
    ended = run(*line, "-o", "ray/", "--engine", "ray")
    assert ended.exit_code == 1
    assert ended.stderr.count("came into being during the batch") == 2
    assert (tmp_path / "ray" / "a.png").read_bytes() == (tmp_path / "ray" / "c.bmp").read_bytes() == b"precious"


def test_pictures_of_dead_workers_are_tried_alone_and_told(
    run: Program, photos: Path, line: list[str], here: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes = []

    def dying(spread: Spread, left: dict[int, Any], at_once: int) -> Iterator[Row]:
        passes.append((at_once, len(left)))
        for row in rows(spread, left, 1):
            job = "a.png" in row["end"]
            if at_once == 1 and not job:
                yield row

    monkeypatch.setattr(cluster, "_rows", dying)
    ended = run(*line, "-o", "ray/", "--engine", "ray")
    assert passes == [(cluster.INPUTS_AT_ONCE, 5), (1, 5)]
    assert ended.exit_code == 1
    assert "its worker died 3 times" in ended.stderr or "photos/e.png" in ended.stderr


def test_a_signal_stops_the_workers_and_resume_goes_on(
    run: Program, photos: Path, line: list[str], here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    (photos / "e.png").unlink()

    def interrupted(spread: Spread, left: dict[int, Any], at_once: int) -> Iterator[Row]:
        for row in rows(spread, left, 1):
            os.kill(os.getpid(), signal.SIGTERM)
            yield row

    monkeypatch.setattr(cluster, "_rows", interrupted)
    ended = run(*line, "-o", "ray/", "--engine", "ray")
    assert ended.exit_code == 143
    assert "1 done, 0 skipped, 0 failed, 3 left; add --resume" in ended.stderr
    assert len(status.read([Path("j")]).of("missing")) == 3
    monkeypatch.setattr(cluster, "_rows", rows)
    assert run(*line, "-o", "ray/", "--engine", "ray", "--resume").exit_code == 0
    assert len(status.read([Path("j")]).of("done")) == 4


def test_what_ray_prints_stays_out_of_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    ours = cluster._Ours(sys.stdout)
    print("told", file=ours)
    other = threading.Thread(target=print, args=["(raylet) noise"], kwargs={"file": ours})
    other.start()
    other.join()
    assert capsys.readouterr() == ("told\n", "(raylet) noise\n")


def test_trouble_of_a_machine_is_told_with_each_picture(
    run: Program, photos: Path, line: list[str], here: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other_version(spread: Spread, left: dict[int, Any], at_once: int) -> Iterator[Row]:
        from dataclasses import replace

        yield from rows(replace(spread, version="0.0.9"), left, at_once)

    monkeypatch.setattr(cluster, "_rows", other_version)
    ended = run(*line, "-o", "ray/", "--engine", "ray")
    assert ended.exit_code == 2
    assert "not 0.0.9; install the same version" in ended.stderr


def test_a_machine_without_the_folder_says_so(tmp_path: Path) -> None:
    from diffuse_cli.cli.batch.inputs import Found
    from diffuse_cli.cli.batch.job import Job

    job = Job(found=Found(path=Path("a.png"), below=Path("a.png"), root=Path()), output=Path("b.png"))
    read = cluster._fetch(tmp_path / "none", {"jobs": pickle.dumps([(0, 0, job)])})
    assert "all machines must share it" in read["trouble"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--address", "auto"], "--address is for --engine ray"),
        (["--worker-gpus", "0.5"], "--worker-gpus is for --engine ray"),
        (["--engine", "ray", "--report", "r.html"], "leave --report out"),
        (["--engine", "ray"], "pip install 'diffuse-cli[ray]'"),
    ],
)
def test_options_that_do_not_fit(
    run: Program, cat: Path, options: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)
    ended = run("denoise", cat, *options)
    assert ended.exit_code == 2
    assert said in ended.stderr


def test_clips_and_pipes_are_for_the_local_engine(run: Program, line: list[str], here: None, photos: Path) -> None:
    (photos / "e.png").rename(photos / "film.mp4")
    ended = run(line[0], "photos/film.mp4", "photos/a.png", *line[2:], "-o", "ray/", "--engine", "ray")
    assert ended.exit_code == 1
    assert "photos/film.mp4: clips, and pictures from stdin, are restored by --engine local" in ended.stderr


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray warns of its own options
def test_a_batch_on_a_cluster_of_this_machine(run: Program, photos: Path, line: list[str], tmp_path: Path) -> None:
    pytest.importorskip("ray.data", reason="needs the extra [ray]")
    local = run(*line, "-o", "local/", "--journal", "k")
    spread = run(*line, "-o", "ray/", "--engine", "ray", "--workers", "1", "--json")
    assert local.exit_code == spread.exit_code == 1, spread.stderr
    assert content(tmp_path / "local") == content(tmp_path / "ray")
    assert json.loads(spread.stdout.splitlines()[-1])["done"] == 4
