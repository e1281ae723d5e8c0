"""Training runs: golden losses, resuming, kills, several processes, what a run starts from and what comes of it."""

import io
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor

from diffuse_cli.diffusion import checkpoint
from diffuse_cli.diffusion.network import NetworkConfig
from diffuse_cli.errors import CheckpointError, PictureError, UsageError
from diffuse_cli.system import files
from diffuse_cli.system.files import TEMPORARY_SUFFIX, replaced_whole
from diffuse_cli.training import loop, state
from diffuse_cli.training.config import Length, Mix, TrainConfig
from diffuse_cli.training.export import export
from diffuse_cli.training.log import records
from diffuse_cli.training.loop import Callbacks, TrainingRun, train
from diffuse_cli.training.plot import draw
from tests.conftest import EXAMPLES, PROGRAM, ROOT, SHARED, needs_shared
from tests.helpers.program import Program

CONFIG = TrainConfig(
    channels=(8, 16), blocks=(1, 1), emb=16, crop=32, batch=8, warmup=4, holdout=4, lr=0.02,
    mix=Mix(denoise=3, resize=1, mixture=1, inpaint=2, jpeg=1, camera=0), means=0.5, described=4,
)  # fmt: skip
TOML = """
channels = [8, 16]
blocks = [1, 1]
emb = 16
crop = 32
batch = 8
warmup = 4
holdout = 4
lr = 0.02
means = 0.5
described = 4

[mix]
denoise = 3
resize = 1
mixture = 1
inpaint = 2
jpeg = 1
camera = 0
"""
STEPS = 12
LENGTH = Length(images=8 * STEPS)


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight pieces of the example photographs, half of which are held out, by their names."""
    folder = tmp_path_factory.mktemp("photographs")
    for name in ("cat_noisy.png", "camera_scratched.png"):
        with Image.open(EXAMPLES / name) as image:
            for k in range(4):
                left = 60 * k
                image.convert("RGB").crop((left, 40, left + 100, 130)).save(folder / f"{name[:3]}_{k}.png")
    return folder


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def request(data: Path, out: Path) -> TrainingRun:
    return TrainingRun(data=(data,), out=out, dtype="fp32", threads=1, log_every=4, validate_every=6, compiled=False)


def tensors(run: Path) -> dict[str, Tensor]:
    return load_file(run / state.FILE)


def assert_equal(a: Path, b: Path) -> None:
    left, right = tensors(a), tensors(b)
    assert left.keys() == right.keys()
    assert [name for name in left if not torch.equal(left[name], right[name])] == []


@pytest.fixture(scope="session")
def whole(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run."""
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("runs") / "whole"
    assert train(CONFIG, LENGTH, request(photographs, out), Callbacks())
    return out


def stop_after(steps: int) -> Callbacks:
    """Stops when so many steps are done."""
    calls = iter(range(10**6))
    return Callbacks(stopping=lambda: next(calls) >= steps)


GOLDEN = {4: 1.809505, 8: 1.746127, 12: 2.072714}


def test_golden_loss_curve(whole: Path) -> None:
    losses = {r["step"]: r["loss"] for r in records(whole / "log.jsonl") if r["kind"] == "train"}
    assert losses == pytest.approx(GOLDEN, rel=2e-3)


def test_the_log_holds_what_it_promises(whole: Path) -> None:
    log = list(records(whole / "log.jsonl"))
    assert log[0]["kind"] == "start"
    assert log[-1]["kind"] == "end"
    assert log[0]["pictures"] + log[0]["held_out"] == 8
    tasks = ["denoise", "resize", "mixture", "inpaint", "jpeg"]
    assert all(list(r["losses"]) == tasks for r in log if r["kind"] == "train")
    validated = [r for r in log if r["kind"] == "validation"]
    assert [r["step"] for r in validated] == [0, 6, 12]
    assert all(list(r["psnr"]) == tasks for r in validated)


@pytest.mark.parametrize("stop", [1, 5])
def test_a_stopped_run_goes_on_to_the_same_end(photographs: Path, whole: Path, tmp_path: Path, stop: int) -> None:
    out = tmp_path / "run"
    assert not train(CONFIG, LENGTH, request(photographs, out), stop_after(stop))
    assert train(CONFIG, LENGTH, request(photographs, out), Callbacks())
    assert_equal(out, whole)


def test_workers_make_the_same_batches(photographs: Path, whole: Path, tmp_path: Path) -> None:
    assert train(CONFIG, LENGTH, replace(request(photographs, tmp_path / "run"), workers=2), Callbacks())
    assert_equal(tmp_path / "run", whole)


def test_a_longer_run_goes_on_from_a_finished_one(photographs: Path, tmp_path: Path) -> None:
    flat = replace(CONFIG, decay=0.0)
    for steps in (3, 6):
        assert train(flat, Length(images=8 * steps), request(photographs, tmp_path / "a"), Callbacks())
    assert train(flat, Length(images=8 * 6), request(photographs, tmp_path / "b"), Callbacks())
    assert_equal(tmp_path / "a", tmp_path / "b")


def test_minutes_are_counted_over_restarts(photographs: Path, tmp_path: Path) -> None:
    length = Length(minutes=0.01)
    assert train(CONFIG, length, request(photographs, tmp_path / "run"), Callbacks())
    steps = int(json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[-1])["step"])
    assert steps > 1
    assert train(CONFIG, length, request(photographs, tmp_path / "run"), Callbacks())
    assert json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[-1])["step"] == steps


# Kills ---------------------------------------------------------------------------------------------------------------


def command(data: Path, out: Path, *more: str) -> list[str]:
    config = out.with_suffix(".toml")
    config.write_text(TOML)
    return [
        "train", "--data", str(data), "--out", str(out), "--config", str(config), "--images", str(8 * STEPS),
        "--dtype", "fp32", "--threads", "1", "--log-every", "4", "--validate-every", "6", "--no-compile", *more,
    ]  # fmt: skip


ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "NO_COLOR": "1", "PYTHONPATH": str(ROOT)}


def wait_for_step(out: Path, step: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(3000):
        if process.poll() is not None:
            raise AssertionError("the run ended too early")
        log = out / "log.jsonl"
        if log.exists() and any(r["step"] >= step for r in records(log)):
            return
        time.sleep(0.02)
    raise AssertionError("the run never came so far")


@pytest.mark.program
def test_a_killed_program_goes_on_to_the_same_end(photographs: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    line = [str(PROGRAM), *command(photographs, out, "--save-every", "1")]
    process = subprocess.Popen(line, env=ENVIRONMENT, stderr=subprocess.DEVNULL)
    wait_for_step(out, 4, process)
    process.kill()
    process.wait()
    assert (out / state.FILE).exists()
    result = subprocess.run(line, env=ENVIRONMENT, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr.decode()
    assert_equal(out, whole)


@pytest.mark.program
def test_sigterm_saves_and_says_how_to_go_on(photographs: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    line = [str(PROGRAM), *command(photographs, out), "--images", str(10**6)]
    process = subprocess.Popen(line, env=ENVIRONMENT, stderr=subprocess.PIPE)
    wait_for_step(out, 4, process)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 143
    assert b"the same command goes on" in said
    assert (out / state.FILE).exists()


NETWORK = NetworkConfig(channels=(8, 16), blocks=(1, 1), emb=16, crop=32)


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def half_written(path: Path) -> Iterator[BinaryIO]:
    """As the real one, but for a kill in the middle of the write."""

    class Half(io.BytesIO):
        def write(self, data: Any) -> int:  # noqa: ANN401
            stream.write(data[: len(data) // 2])
            stream.flush()
            die()
            return 0

    with replaced_whole(path) as stream:
        yield Half()


def save_and_die(run: Path, when: str) -> None:
    found = state.resume(run, CONFIG, NETWORK, torch.device("cpu"))
    assert found is not None
    found.step += 1
    if when == "half way":
        files.replaced_whole = half_written  # type: ignore[assignment]
    else:
        os.fsync = die  # type: ignore[assignment]
    found.save(run)


@pytest.mark.slow
@pytest.mark.parametrize("when", ["half way", "before it gets its name"])
def test_a_kill_while_the_state_is_written_loses_nothing(
    photographs: Path, whole: Path, tmp_path: Path, when: str
) -> None:
    out = tmp_path / "run"
    assert not train(CONFIG, LENGTH, request(photographs, out), stop_after(3))
    before = (out / state.FILE).read_bytes()
    process = multiprocessing.get_context("spawn").Process(target=save_and_die, args=(out, when))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    left = [path for path in out.iterdir() if path.name.endswith(TEMPORARY_SUFFIX)]
    assert len(left) == 1
    assert left[0].stat().st_size > len(before) / 3
    assert (out / state.FILE).read_bytes() == before
    assert train(CONFIG, LENGTH, request(photographs, out), Callbacks())
    assert_equal(out, whole)
    assert not left[0].exists()


@pytest.mark.program
def test_a_full_disk_keeps_the_last_state(photographs: Path, tmp_path: Path) -> None:
    """A limit on the size of files fails as a full disk does, in the middle of writing."""
    out = tmp_path / "run"
    assert not train(CONFIG, LENGTH, request(photographs, out), stop_after(2))
    before = (out / state.FILE).read_bytes()
    limit = f'ulimit -f {len(before) // 1024 - 8}; trap \'\' XFSZ; exec "$0" "$@"'
    line = ["bash", "-c", limit, str(PROGRAM), *command(photographs, out, "--save-every", "1")]
    result = subprocess.run(line, env=ENVIRONMENT, capture_output=True, check=False)
    assert result.returncode == 1
    said = result.stderr.decode().strip().splitlines()[-1]
    assert said.startswith(f"diffuse: {out / state.FILE}: cannot be written")
    assert (out / state.FILE).read_bytes() == before
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


# Several processes ---------------------------------------------------------------------------------------------------


def torchrun(*options: str) -> list[str]:
    return [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *options,
            "-m", "diffuse_cli", "train"]  # fmt: skip


def assert_close(a: Path, b: Path) -> None:
    """Sums over samples come in another order, and Muon gives directions that hold rounding alone their full length.

    So single weights differ by about 1 % (of unit mean square), losses by 1e-5, PSNRs by 0.003 dB; some more passes.
    """
    left, right = tensors(a), tensors(b)
    assert left.keys() == right.keys()
    for name in left:
        if name.startswith("net/"):
            assert float((left[name] - right[name]).square().mean().sqrt()) < 0.03, name
    curves = [{r["step"]: r["loss"] for r in records(p / "log.jsonl") if r["kind"] == "train"} for p in (a, b)]
    assert curves[0] == pytest.approx(curves[1], rel=2e-4)
    ends = [[r for r in records(p / "log.jsonl") if r["kind"] == "validation"][-1]["psnr"] for p in (a, b)]
    assert ends[0] == pytest.approx(ends[1], abs=0.02)


@pytest.mark.program
def test_two_processes_train_as_one(photographs: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    line = [*torchrun(), *command(photographs, out)[1:]]
    result = subprocess.run(line, env=ENVIRONMENT, capture_output=True, check=False)
    assert result.returncode == 0, result.stderr.decode()
    assert_close(out, whole)


@pytest.mark.program
def test_a_killed_rank_starts_again_from_the_last_state(photographs: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    line = [*torchrun("--max-restarts", "1"), *command(photographs, out, "--save-every", "2", "--images", "400")[1:]]
    said = tmp_path / "said"
    with said.open("wb") as stream:
        process = subprocess.Popen(line, env=ENVIRONMENT, stderr=stream)
        wait_for_step(out, 8, process)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        os.kill(int(children[-1]), signal.SIGKILL)
        assert process.wait(timeout=200) == 0, said.read_text()
    log = list(records(out / "log.jsonl"))
    assert (log[-1]["kind"], log[-1]["step"]) == ("end", 50)
    assert [r["step"] > 0 for r in log if r["kind"] == "start"] == [False, True]


# Where a run starts, and what comes of it ----------------------------------------------------------------------------


def test_a_run_starts_where_another_stands(photographs: Path, whole: Path, tmp_path: Path) -> None:
    more = replace(request(photographs, tmp_path / "more"), init=str(whole))
    assert not train(CONFIG, LENGTH, more, stop_after(0))
    old, new = tensors(whole), tensors(tmp_path / "more")
    assert old.keys() == new.keys()
    assert all(torch.equal(old[name], new[name]) for name in old)
    run = state.resume(tmp_path / "more", CONFIG, NETWORK, torch.device("cpu"))
    assert run is not None
    assert (run.step, run.first) == (STEPS, STEPS)


@needs_shared
def test_a_run_starts_from_weights_average_and_step(tmp_path: Path) -> None:
    parts = SHARED / "reference" / "plateau"
    begun = state.start(str(parts), TrainConfig(), NetworkConfig(), torch.device("cpu"))
    assert begun.step == int((parts / "step").read_text())
    average, weights = load_file(parts / "ema.safetensors"), load_file(parts / "net.safetensors")
    torch.testing.assert_close(begun.averages[0.05]["stem.weight"], average["stem.weight"].float())
    torch.testing.assert_close(begun.net.stem.weight.detach(), weights["stem.weight"].float(), rtol=1e-2, atol=1e-2)


def test_an_export_is_a_checkpoint_that_says_what_it_is(photographs: Path, whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    export(whole, path, licence="CC0 pictures")
    assert checkpoint.verify(path)[1] is True
    info = checkpoint.read_info(path)
    data, metrics = json.loads(info.metadata["data"]), json.loads(info.metadata["metrics"])
    assert (data["pictures"], data["held_out"], len(data["sha256_of"])) == (4, 4, 4)
    assert str(photographs) not in json.dumps(info.metadata)
    assert metrics["step"] == STEPS
    assert info.metadata["licence"] == "CC0 pictures"
    assert info.metadata["steps"] == str(STEPS)
    average = tensors(whole)["ema/0.05/stem.weight"]
    assert torch.equal(load_file(path)["stem.weight"], average.half())
    with pytest.raises(UsageError, match=r"0\.05, 0\.1"):
        export(whole, path, length=0.2)
    started = replace(request(photographs, tmp_path / "tuned"), init=str(path))
    assert not train(CONFIG, LENGTH, started, stop_after(1))


def test_the_curves_are_drawn(whole: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    draw(whole, tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as image:
        assert image.size == (1200, 800)
        assert len(image.convert("RGB").getcolors(10**6) or []) > 50
    with pytest.raises(UsageError, match="cannot be read"):
        draw(tmp_path, tmp_path / "none.png")


# Bad input -----------------------------------------------------------------------------------------------------------


def test_unusable_pictures_are_named_skipped_and_counted(photographs: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(photographs, data)
    (data / "broken.png").write_bytes((data / "cat_0.png").read_bytes()[:500])
    Image.new("RGB", (100, 20)).save(data / "flat.png")
    Image.new("RGBA", (40, 40), (9, 9, 9, 100)).save(data / "glass.png")
    (data / "notes.txt").write_text("no picture")
    said: list[str] = []
    assert not train(
        CONFIG, LENGTH, request(data, tmp_path / "run"), Callbacks(warn=said.append, stopping=lambda: True)
    )
    assert [name for name in ("broken.png", "flat.png", "glass.png") if name in " ".join(said)] == [
        "broken.png", "flat.png", "glass.png",
    ]  # fmt: skip
    assert len(said) == 3
    assert next(records(tmp_path / "run" / "log.jsonl"))["skipped"] == 3


def test_no_pictures(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no pictures"):
        train(CONFIG, LENGTH, request(tmp_path, tmp_path / "run"), Callbacks())
    with pytest.raises(UsageError, match="no such file"):
        train(CONFIG, LENGTH, request(tmp_path / "nowhere", tmp_path / "run"), Callbacks())
    Image.new("RGB", (20, 20)).save(tmp_path / "small.png")
    with pytest.raises(UsageError, match="smaller than the crop"):
        train(CONFIG, LENGTH, request(tmp_path, tmp_path / "run"), Callbacks())


def test_a_folder_of_another_run_is_refused(photographs: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(whole, out)
    with pytest.raises(UsageError, match=r"lr \(0\.02 -> 0\.5\)"):
        train(replace(CONFIG, lr=0.5), LENGTH, request(photographs, out), Callbacks())
    data = tmp_path / "data"
    shutil.copytree(photographs, data)
    (data / "cat_1.png").unlink()
    with pytest.raises(UsageError, match="the pictures differ"):
        train(CONFIG, LENGTH, request(data, out), Callbacks())


def test_two_runs_do_not_share_a_folder(photographs: Path, tmp_path: Path) -> None:
    def again() -> bool:
        with pytest.raises(UsageError, match="another run is at work"):
            train(CONFIG, LENGTH, request(photographs, tmp_path / "run"), Callbacks())
        return True

    assert not train(CONFIG, LENGTH, request(photographs, tmp_path / "run"), Callbacks(stopping=again))


def labelled(photographs: Path, folder: Path, *names: str) -> Path:
    for name in names:
        shutil.copytree(photographs, folder / name)
    return folder


def test_labels_come_from_folders_and_must_fit(photographs: Path, tmp_path: Path) -> None:
    data = labelled(photographs, tmp_path / "data", "day", "night")
    run = replace(request(data, tmp_path / "run"), labels=True)
    assert train(CONFIG, Length(images=16), run, Callbacks())
    export(tmp_path / "run", tmp_path / "m.safetensors")
    assert checkpoint.read_info(tmp_path / "m.safetensors").labels == ("day", "night")
    other = labelled(photographs, tmp_path / "other", "day", "dusk")
    start = replace(request(other, tmp_path / "tuned"), labels=True, init=str(tmp_path / "m.safetensors"))
    with pytest.raises(CheckpointError, match="its labels are day, night, this run's day, dusk"):
        train(CONFIG, LENGTH, start, Callbacks())
    with pytest.raises(UsageError, match="dusk"):
        train(
            replace(CONFIG, labels=("day", "night")), LENGTH, replace(start, out=tmp_path / "x", init=None), Callbacks()
        )
    with pytest.raises(UsageError, match="no picture has a label"):
        train(CONFIG, LENGTH, replace(request(photographs, tmp_path / "y"), labels=True), Callbacks())


def test_a_state_that_cannot_be_read_is_refused(photographs: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    shutil.copytree(whole, out)
    (out / state.FILE).write_bytes((out / state.FILE).read_bytes()[:2000])
    with pytest.raises(CheckpointError, match="cannot be read"):
        train(CONFIG, LENGTH, request(photographs, out), Callbacks())


def test_a_network_that_equals_its_teacher_has_nothing_to_learn(photographs: Path, whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "teacher.safetensors"
    export(whole, path)
    taught = replace(request(photographs, tmp_path / "run"), teacher=str(path), init=str(path))
    assert train(CONFIG, Length(images=8), taught, Callbacks())
    first = next(r for r in records(tmp_path / "run" / "log.jsonl") if r["kind"] == "train")
    assert first["loss"] < 1e-4 * GOLDEN[4]
    export(tmp_path / "run", tmp_path / "m.safetensors")
    training = json.loads(checkpoint.read_info(tmp_path / "m.safetensors").metadata["training"])
    assert training["teacher"] == checkpoint.verify(path)[0]


def test_a_pupil_comes_nearer_to_its_teacher(photographs: Path, whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "teacher.safetensors"
    export(whole, path)
    taught = replace(request(photographs, tmp_path / "run"), teacher=str(path))
    narrow = replace(CONFIG, channels=(8, 8), lr=0.05)
    assert train(narrow, Length(images=8 * 24), taught, Callbacks())
    found = [r["loss"] for r in records(tmp_path / "run" / "log.jsonl") if r["kind"] == "train"]
    assert found[-1] < 0.8 * found[0]
    with pytest.raises(UsageError, match="--teacher differ"):
        train(narrow, Length(images=8 * 24), replace(taught, teacher=None), Callbacks())


def test_a_teacher_of_other_inputs_is_refused(photographs: Path, whole: Path, tmp_path: Path) -> None:
    path = tmp_path / "teacher.safetensors"
    export(whole, path)
    taught = replace(request(photographs, tmp_path / "run"), teacher=str(path))
    with pytest.raises(CheckpointError, match="another described"):
        train(replace(CONFIG, described=6), LENGTH, taught, Callbacks())
    assert not (tmp_path / "run" / state.FILE).exists()


def test_a_loss_that_is_not_finite_stops_before_the_step(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(f: Tensor, batch: object, target: object) -> Tensor:
        each = f.square().mean((1, 2, 3))
        return each * torch.tensor([1.0, float("nan"), *[1.0] * (len(each) - 2)])

    assert not train(CONFIG, LENGTH, request(photographs, tmp_path / "run"), stop_after(2))
    before = tensors(tmp_path / "run")
    monkeypatch.setattr(loop, "losses", broken)
    message = r"not finite at step 2: seed 0, samples 1 \(denoise\), pictures \w+_\d\.png"
    with pytest.raises(PictureError, match=message):
        train(CONFIG, LENGTH, request(photographs, tmp_path / "run"), Callbacks())
    after = tensors(tmp_path / "run")
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_the_program_refuses_in_one_line(run: Program, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("rate = 1\n")
    line = ["--data", ".", "--out", "run"]
    for arguments in (line[:2], line, [*line, "--minutes", "1"], [*line, "--config", "bad.toml", "--images", "8"]):
        result = run("train", *arguments)
        assert result.exit_code == 2, result.stderr
        assert len(result.stderr.strip().splitlines()) == 1
