"""A fixed few of the damaged files that `python -m tools.fuzz_reader 6000` makes without end."""

import random
import time
from pathlib import Path

import pytest

from tools.fuzz_reader import LIMIT_SECONDS, damaged, read, seeds


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_damage_is_refused_or_read_but_nothing_else(seed: int, tmp_path: Path) -> None:
    rng, outcomes = random.Random(seed), set()
    (tmp_path / "seeds").mkdir()
    for path in seeds(tmp_path / "seeds"):
        for _ in range(3):
            begin = time.monotonic()
            outcomes.add(read(damaged(path.read_bytes(), rng), path.suffix, tmp_path))
            assert time.monotonic() - begin < LIMIT_SECONDS
    assert outcomes == {"read", "refused"}
