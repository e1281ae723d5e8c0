"""Batches at their real size, by hand: python -m tools.stress_batches WHAT [--pictures N] [--kills N].

    kills   a batch is killed by SIGKILL at random moments, each time in mid-work, and resumed until it is done
    outputs the same of a batch that writes pictures, masks, comparisons, maps, traces, a report and a journal: to
            files, through links, into a pipe and a device
    disk    the same on a disk that is full, and then read-only, in the middle (needs the right to mount)
    flat    memory and files/s of a long batch, against a bare loop over the same calls
    pair    two processes are started at once on the same batch

Each works in a temporary folder with a tiny network of random weights, says what it has measured, and fails loudly.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image

from diffuse_cli.cli.app import main as run_program
from diffuse_cli.diffusion import checkpoint
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.images.image_io import read_picture, write_picture
from diffuse_cli.provenance import recipe
from diffuse_cli.restoration.restore import restore
from diffuse_cli.tasks.denoise import Denoise

PROGRAM = Path(sys.executable).with_name("diffuse")
OPTIONS = ["--noise", "25", "--dtype", "fp32", "--threads", "1"]


def toy(path: Path) -> Path:
    from tests.conftest import TOY, toy_network

    checkpoint.save(path, dict(toy_network().state_dict()), asdict(TOY), {})
    return path


def pictures(folder: Path, count: int, side: int) -> list[Path]:
    """Noise around a slope: quick to make, and each different."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    slope = np.linspace(40, 200, side)[:, None, None]
    paths = []
    for k in range(count):
        suffix = (".png", ".jpg", ".tif")[k % 3]
        level = slope + rng.normal(0, 25, (side, side, 3)) + k % 50
        paths.append(folder / f"{k:05}{suffix}")
        Image.fromarray(level.clip(0, 255).astype(np.uint8)).save(paths[-1])
    return paths


def digests(paths: list[Path]) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def command(model: Path, source: Path, out: Path, *more: str) -> list[str]:
    return [str(PROGRAM), "denoise", str(source), "-o", f"{out}/", "--model", str(model), *OPTIONS, *more]


def made(out: Path) -> dict[str, tuple[int, int]]:
    """The outputs that are there, each by what changes if it is made again."""
    return {p.name: (p.stat().st_ino, p.stat().st_mtime_ns) for p in out.glob("*") if not p.name.startswith(".")}


def kills(work: Path, count: int, rounds: int, side: int) -> None:
    model = toy(work / "toy.safetensors")
    before: dict[str, tuple[int, int]] = {}
    source = pictures(work / "in", count, side)
    originals = digests(source)
    subprocess.run(command(model, work / "in", work / "whole", "-q"), check=True)
    out, rng, done, again = work / "killed", random.Random(0), 0, 0
    out.mkdir()
    while done < rounds:
        process = subprocess.Popen(command(model, work / "in", out, "-q", "--resume"))
        start = len(before)
        while process.poll() is None and len(made(out)) <= start:
            time.sleep(0.002)
        time.sleep(rng.uniform(0, 0.2))
        if process.poll() is not None:
            raise SystemExit(f"the batch was done after {done} kills; give more --pictures or a larger --side")
        process.send_signal(signal.SIGKILL)
        process.wait()
        now = made(out)
        again += sum(now.get(name) != facts for name, facts in before.items())
        torn = [name for name in now if recipe.read(out / name) is None]
        assert not torn, torn
        before, done = now, done + 1
        print(f"kill {done}: {len(now)} of {count} are there", flush=True)
    subprocess.run(command(model, work / "in", out, "-q", "--resume"), check=True)
    now = made(out)
    again += sum(now.get(name) != facts for name, facts in before.items())
    same = digests(sorted(out.iterdir())) == digests(sorted((work / "whole").iterdir()))
    assert digests(source) == originals, "an input has changed"
    assert same, "outputs differ from those of a run that was not killed, or something else lies there"
    assert again == 0, f"{again} outputs were made twice"
    print(f"{done} kills, {len(now)} outputs, each made once; bytes as of an unkilled run; inputs unchanged; no rests")


BESIDE = ("--uncertainty", "--trace", "--save-mask", "--compare")


def to_everything(model: Path, source: Path, out: Path, *more: str) -> list[str]:
    beside = [word for option in BESIDE for word in (option, f"{out}/{option[2:]}/")]
    shown = ["--report", f"{out}/report.html", "--journal", f"{out}/journal.jsonl"]
    options = ["--box", "9,9,20,20", "--steps", "2", *beside, *shown, "--model", str(model), *OPTIONS[2:], "-q", *more]
    return [str(PROGRAM), "inpaint", str(source), "-o", f"{out}/pictures/", *options]


def program(line: list[str]) -> None:
    """Run the program in a process that was forked from this one, which saves the time of importing torch."""
    sys.argv = line
    run_program()


def unusual(out: Path, names: list[str]) -> None:
    """Links where a third of the files will be, and a pipe and a device in the place of two pictures."""
    for folder in ("pictures", "far", *(option[2:] for option in BESIDE)):
        (out / folder).mkdir(parents=True)
    for folder in ("pictures", *(option[2:] for option in BESIDE)):
        for name in names[2::3]:
            shown = name if folder == "pictures" else Path(name).with_suffix(".png").name
            (out / folder / shown).symlink_to(f"../far/{folder}-{shown}")
    for name in ("report.html", "journal.jsonl"):
        (out / name).symlink_to(f"far/{name}")
    os.mkfifo(out / "pictures" / names[0])
    if os.geteuid() == 0:
        os.mknod(out / "pictures" / names[1], 0o666 | stat.S_IFCHR, os.makedev(1, 3))


def torn(out: Path) -> list[str]:
    """What is neither whole nor hidden."""
    found = []
    for path in out.rglob("*"):
        if path.name.startswith(".") or not path.is_file():
            continue
        if path.suffix == ".html":
            whole = path.read_text().rstrip().endswith("</html>")
        elif path.suffix == ".jsonl":
            whole = all(json.loads(line) for line in path.read_text().splitlines()[:-1] if line)
        else:
            with Image.open(path) as image:
                image.load()
            whole = "mask" in str(path) or recipe.read(path) is not None
        found += [] if whole else [str(path)]
    return found


def outputs(work: Path, count: int, rounds: int, side: int) -> None:
    model = toy(work / "toy.safetensors")
    source = pictures(work / "in", count, side)
    for path in source[-2:]:
        Image.open(path).convert("P").save(path.with_suffix(".gif"))
        path.unlink()
    source = sorted((work / "in").iterdir())
    names, originals = [path.name for path in source], digests(source)
    subprocess.run(to_everything(model, work / "in", work / "whole"), check=True)
    out, rng, fed = work / "killed", random.Random(0), Counter[str]()
    unusual(out, names)
    links = {path for path in out.rglob("*") if path.is_symlink()}
    last = b""

    def drink() -> None:
        nonlocal last
        while True:
            last = (out / "pictures" / names[0]).read_bytes()
            fed["whole" if last == whole_picture else "cut"] += 1

    whole_picture = (work / "whole" / "pictures" / names[0]).read_bytes()
    threading.Thread(target=drink, daemon=True).start()
    line, looked, before = to_everything(model, work / "in", out, "--resume"), 0, 0
    for done in range(1, rounds + 1):
        process = multiprocessing.get_context("fork").Process(target=program, args=(line,))
        process.start()
        while process.is_alive() and len(list(out.rglob("*"))) <= before:
            time.sleep(0.02)
        time.sleep(rng.uniform(0, 2))
        if not process.is_alive():
            raise SystemExit(f"the batch was done after {done - 1} kills; give more --pictures or a larger --side")
        process.kill()
        process.join()
        assert not (bad := torn(out)), bad
        assert all(path.is_symlink() for path in links), "a link was replaced"
        assert (out / "pictures" / names[0]).is_fifo(), "the pipe was replaced"
        assert os.geteuid() or (out / "pictures" / names[1]).is_char_device(), "the device was replaced"
        there = [path for path in out.rglob("*") if path.is_file() and not path.is_symlink()]
        looked, before = looked + len(there), len(list(out.rglob("*")))
        print(f"kill {done}: {len(there)} files are there", flush=True)
    subprocess.run(line, check=True)
    rests = list(out.rglob(".*"))
    assert digests(source) == originals, "an input has changed"
    assert not rests, rests
    wrong = []
    for path in (work / "whole").rglob("*"):
        one = out / path.relative_to(work / "whole")
        if path.suffix in (".html", ".jsonl") or path.is_dir() or one.is_fifo() or one.is_char_device():
            continue
        if not (one.is_file() and one.read_bytes() == path.read_bytes()) and path.parent.name != "compare":
            wrong.append(str(one))
    assert not wrong, wrong
    assert last == whole_picture
    print(f"{rounds} kills, {looked} files looked at after them, all whole; {len(links)} links, the pipe and the "
          f"device are what they were; the pipe gave {fed['whole']} whole pictures and {fed['cut']} cut by a kill; "
          f"then bytes as of an unkilled run; inputs unchanged; no rests")  # fmt: skip


def disk(work: Path, count: int, side: int) -> None:
    model = toy(work / "toy.safetensors")
    source = pictures(work / "in", count, side)
    originals = digests(source)
    subprocess.run(command(model, work / "in", work / "whole", "-q"), check=True)
    size = sum(p.stat().st_size for p in (work / "whole").iterdir())
    out = work / "small"
    out.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size // 2}", "tmpfs", out], check=True)
    try:
        first = subprocess.run(command(model, work / "in", out, "-q"), capture_output=True, text=True)
        full = len(made(out))
        assert first.returncode == 1, first.stderr
        assert "the disk is full" in first.stderr, first.stderr
        assert len(first.stderr.splitlines()) == 1 + count - full, "not every failure is listed"
        subprocess.run(["mount", "-o", f"remount,ro,size={4 * size}", out], check=True)
        second = subprocess.run(command(model, work / "in", out, "-q", "--resume"), capture_output=True, text=True)
        assert second.returncode in (1, 2), second.stderr
        subprocess.run(["mount", "-o", f"remount,rw,size={4 * size}", out], check=True)
        third = subprocess.Popen(command(model, work / "in", out, "-q", "--resume"), stderr=subprocess.PIPE, text=True)
        while third.poll() is None and len(made(out)) <= full:
            time.sleep(0.002)
        while third.poll() is None and subprocess.run(["mount", "-o", "remount,ro", out], stderr=-3).returncode:
            pass  # not while a file is being written
        said = third.communicate()[1]
        assert third.returncode == 1, said
        assert "the disk is read-only" in said, said
        subprocess.run(["mount", "-o", "remount,rw", out], check=True)
        middle = len(made(out))
        before = made(out)
        subprocess.run(command(model, work / "in", out, "-q", "--resume"), check=True)
        now = made(out)
        assert all(now[name] == facts for name, facts in before.items()), "something was made twice"
        here, whole = digests(sorted(out.iterdir())), digests(sorted((work / "whole").iterdir()))
        assert here == whole, {name for name in here | whole if here.get(name) != whole.get(name)}
        assert digests(source) == originals
    finally:
        subprocess.run(["umount", out], check=True)
    print(f"full after {full} of {count}: exit 1, the rest listed; read-only from the start: exit {second.returncode}; "
          f"read-only after {middle}: exit 1; resumed: {len(now)}, bytes as of an undisturbed run")  # fmt: skip


def bare(source: Path, out: Path, model: Path) -> float:
    """The seconds that a loop over the same calls takes."""
    prepared, task, settings = Model.load(model, device="cpu", dtype="fp32", threads=1), Denoise(noise=25), Settings()
    paths = sorted(source.iterdir())
    out.mkdir()
    begin = time.monotonic()
    for path in paths:
        picture = read_picture(path)
        write_picture(restore(picture, task.problem(picture), settings, prepared), out / path.name)
    return time.monotonic() - begin


def resident(process: int) -> int:
    text = Path(f"/proc/{process}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("VmRSS")).split()[1])


def flat(work: Path, count: int, side: int) -> None:
    model = toy(work / "toy.safetensors")
    pictures(work / "in", count, side)
    process = subprocess.Popen(command(model, work / "in", work / "out", "--json", "-q"), stdout=subprocess.PIPE)
    assert process.stdout is not None
    memory, summary = [], {}
    for number, line in enumerate(process.stdout):
        record = json.loads(line)
        if record["type"] == "summary":
            summary = record
        elif number >= 90:
            memory.append(resident(process.pid))
    assert process.wait() == 0
    early, late = float(np.mean(memory[:20])), float(np.mean(memory[-20:]))
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        seconds = pool.submit(bare, work / "in", work / "bare", model).result()
    print(f"{count} files of {side}x{side}: resident {early / 1024:.1f} MiB around the 100th, {late / 1024:.1f} at the "
          f"end ({late / early - 1:+.1%}); {count / summary['seconds']:.2f} files/s, a bare loop {count / seconds:.2f} "
          f"({seconds / summary['seconds'] - 1:+.1%})")  # fmt: skip
    assert late <= 1.05 * early
    assert summary["seconds"] <= 1.1 * seconds


def pair(work: Path, count: int, side: int) -> None:
    model = toy(work / "toy.safetensors")
    source = pictures(work / "in", count, side)
    subprocess.run(command(model, work / "in", work / "whole", "-q"), check=True)
    line = command(model, work / "in", work / "out", "--json", "-q")
    both = [subprocess.Popen(line, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    records = [[json.loads(text) for text in process.communicate()[0].splitlines()] for process in both]
    codes = [process.returncode for process in both]
    done = Counter(r["output"] for lines in records for r in lines if r.get("status") == "done")
    twice = [name for name, times in done.items() if times > 1]
    assert codes == [0, 0], codes
    assert digests(sorted((work / "out").iterdir())) == digests(sorted((work / "whole").iterdir()))
    print(f"two processes, {len(source)} pictures: {[lines[-1]['done'] for lines in records]} done, "
          f"{len(twice)} twice, bytes as of one process, nothing else in the folder")  # fmt: skip
    assert len(twice) <= 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["kills", "outputs", "disk", "flat", "pair"])
    parser.add_argument("--pictures", type=int)
    parser.add_argument("--kills", type=int, default=25)
    parser.add_argument("--side", type=int, default=256)
    given = parser.parse_args()
    count = given.pictures or {"kills": 200, "outputs": 200, "disk": 40, "flat": 2000, "pair": 60}[given.what]
    work = Path(tempfile.mkdtemp(prefix="diffuse-batches-"))
    os.environ |= {"XDG_STATE_HOME": str(work / "state"), "OMP_NUM_THREADS": "1"}
    try:
        if given.what in ("kills", "outputs"):
            (kills if given.what == "kills" else outputs)(work, count, given.kills, given.side)
        else:
            {"disk": disk, "flat": flat, "pair": pair}[given.what](work, count, given.side)
    finally:
        shutil.rmtree(work)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    main()
