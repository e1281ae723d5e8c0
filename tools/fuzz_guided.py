"""The reader under atheris, which mutates towards new lines of our code: `python -m tools.fuzz_guided SECONDS`."""

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["diffuse_cli", "PIL"]):
    from tools.fuzz_reader import read, seeds


def main(seconds: int) -> None:
    """Stop at the first file that is refused by anything but PictureError, takes a minute, or 2 GiB.

    A minute, because a machine may have other work.
    """
    folder = Path(tempfile.mkdtemp())
    corpus = folder / "corpus"
    corpus.mkdir()
    seeds(corpus)

    def one(data: bytes) -> None:
        if data:
            read(data, ".bin", folder)

    limits = [f"-max_total_time={seconds}", "-timeout=60", "-rss_limit_mb=2048"]
    atheris.Setup([sys.argv[0], str(corpus), *limits], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(int(sys.argv[1]))
