"""The server does what its description says, whatever schemathesis sends."""

import subprocess
import sys
from importlib import util
from pathlib import Path

import pytest

pytest.importorskip("starlette", reason="needs the extra [serve]")
pytest.importorskip("uvicorn", reason="needs the extra [serve]")

from tests.helpers.serving import TOKEN, served

NOT_SAID = "positive_data_acceptance"
"""The description does not say the range of every number, nor what makes a picture, so it allows what is refused."""


@pytest.mark.slow
@pytest.mark.skipif(util.find_spec("schemathesis") is None, reason="needs schemathesis")
def test_the_server_does_as_it_is_described(toy_file: Path, tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("schemathesis")
    with served(toy_file, seconds=20.0, pixels=10_000) as server:
        ended = subprocess.run(
            [program, "run", f"{server.url}/openapi.json", "-H", f"Authorization: Bearer {TOKEN}",
             "--phases", "fuzzing", "--max-examples", "4", "--exclude-checks", NOT_SAID, "--seed", "1", "--no-color",
             "--suppress-health-check", "all"],
            cwd=tmp_path, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr
    assert not [line for line in server.log if "unexpected" in line]
    assert sum(line.endswith(": 200") for line in server.log) + sum(line.endswith(": 422") for line in server.log) > 9
