"""Broken headers: `python -m benchmarks.mutated_files [--count 10000] [--seed 0] [--json FILE]`.

Half of the files are DICOM, from pydicom's test data, and half are small clips of six containers. Each has bytes of its
header changed, removed or doubled, or is cut off. Each is read to its end, and DICOM that can be read is written again.
Workers do it, and a watcher counts: what was read, what was refused in one line, and what must not happen: another
exception, a crash, more than 20 seconds, more than 2 GiB.
"""

import argparse
import collections
import contextlib
import importlib
import io
import json
import multiprocessing
import resource
import tempfile
import time
import warnings
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from diffuse_cli.errors import PictureError
from diffuse_cli.images.encoding import Encoding
from diffuse_cli.images.image_io import clip_facts, encode_pages, read_pages
from diffuse_cli.images.video.clip import ClipPart
from tests.helpers import clips

EXTREMES = (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\0\0\x80")
MOST_BYTES = 200_000
HEADER = 2_000
SECONDS = 20.0
MOST_MEMORY = 2 * 2**20
"""KiB."""


def originals(folder: Path) -> list[tuple[str, bytes]]:
    """The files that are broken, by suffix."""
    data = Path(importlib.import_module("pydicom.data").__file__ or "").parent
    found = []
    for path in sorted(data.rglob("*")):
        if path.is_file() and path.stat().st_size < MOST_BYTES and path.suffix in (".dcm", ""):
            with contextlib.suppress(PictureError):
                list(read_pages(path))
                found.append((".dcm", path.read_bytes()))
    kinds: list[tuple[str, dict[str, object]]] = [
        (".mp4", {}), (".mov", {}), (".mkv", {"subtitles": True}), (".mkv", {"codec": "ffv1"}), (".avi", {}),
        (".mp4", {"codec": "libx265", "size": (64, 64)}),
    ]  # fmt: skip
    for k, (suffix, how) in enumerate(kinds):
        path = clips.save(folder / f"{k}{suffix}", count=4, sound=True, **how)  # type: ignore[arg-type]
        found.append((suffix, path.read_bytes()))
    y4m = encode_pages(read_pages(folder / "0.mp4", part=ClipPart()), Path("-"), encoding=Encoding(format="y4m"))
    return [*found, (".y4m", y4m)]


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """Return a file with a broken header."""
    made = bytearray(data)
    ends = len(made) if rng.random() < 0.3 else min(HEADER, len(made))
    for _ in range(int(rng.integers(1, 6))):
        at, how = int(rng.integers(0, max(ends, 1))), int(rng.integers(0, 5))
        if how == 0:
            made[at : at + 1] = rng.integers(0, 256, 1, np.uint8).tobytes()
        elif how == 1:
            made[at : at + 4] = [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\0\0\x80"][
                rng.integers(0, 4)
            ]
        elif how == 2:
            del made[at : at + int(rng.integers(1, 30))]
        elif how == 3:
            made[at:at] = made[at : at + int(rng.integers(1, 30))]
        else:
            made[at] ^= 1 << int(rng.integers(0, 8)) if at < len(made) else 0
        ends = min(ends, len(made))
    return bytes(made[: int(rng.integers(1, len(made)))] if rng.random() < 0.1 else made)


def read(path: Path) -> str:
    """Read a file to its end, and tell how that ended."""
    try:
        clip_facts(path)
        pages = read_pages(path, part=ClipPart())
        first = next(pages)
        if first.source.dicom is not None:
            encode_pages([first, *pages], path, encoding=Encoding())
        for _ in pages:
            pass
    except PictureError as error:
        return "refused" if "\n" not in str(error) else f"several lines: {error}"
    except Exception as error:  # what is looked for
        return f"{type(error).__name__}: {error}"
    return "read"


def work(pipe: Connection, folder: Path, seed: int, numbers: list[int], files: list[tuple[str, bytes]]) -> None:
    """Read a share of the files, and say before each which one it is."""
    warnings.simplefilter("ignore")
    dicom, video = ([one for one in files if (one[0] == ".dcm") == wanted] for wanted in (True, False))
    for number in numbers:
        rng = np.random.default_rng([seed, number])
        of = dicom if number % 2 else video
        suffix, data = of[int(rng.integers(0, len(of)))]
        path = folder / f"{number}{suffix}"
        path.write_bytes(mutated(data, rng))
        pipe.send((number, ""))
        with contextlib.redirect_stderr(io.StringIO()):
            said = read(path)
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if said in ("read", "refused") and most < MOST_MEMORY:
            path.unlink()
        pipe.send((number, said if most < MOST_MEMORY else f"{most >> 10} MiB ({said})"))
        if most >= MOST_MEMORY:
            return


def outcomes(folder: Path, seed: int, numbers: list[int], files: list[tuple[str, bytes]]) -> Iterator[tuple[int, str]]:
    """Yield what became of each file. A worker that hangs or crashes is replaced."""
    context, left = multiprocessing.get_context("fork"), list(numbers)
    while left:
        own, other = context.Pipe()
        worker = context.Process(target=work, args=(other, folder, seed, left, files))
        worker.start()
        other.close()
        number = left[0]
        try:
            while left and own.poll(SECONDS):
                number, said = own.recv()
                if said:
                    left.remove(number)
                    yield number, said
            if left and worker.is_alive():
                worker.kill()
                left.remove(number)
                yield number, f"more than {SECONDS:g} s"
        except EOFError:
            worker.join()
            if worker.exitcode:
                left.remove(number)
                yield number, f"crashed ({worker.exitcode})"
        worker.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for files that must not be read so")
    arguments = parser.parse_args()
    counts: dict[str, collections.Counter[str]] = {"DICOM": collections.Counter(), "clips": collections.Counter()}
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = arguments.keep or Path(name)
        folder.mkdir(exist_ok=True)
        files = originals(Path(name))
        print(f"{len(files)} originals", flush=True)
        for number, said in outcomes(folder, arguments.seed, list(range(arguments.count)), files):
            kind = "DICOM" if number % 2 else "clips"
            counts[kind][said if said in ("read", "refused") else "wrong"] += 1
            if said not in ("read", "refused"):
                print(f"{kind} {number}: {said}", flush=True)
    print(json.dumps({**counts, "seconds": round(time.monotonic() - begin)}))


if __name__ == "__main__":
    main()
