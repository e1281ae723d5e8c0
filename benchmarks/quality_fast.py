"""The rows of the model card for `--fast`: python -m benchmarks.quality_fast FOLDER

The folder holds the test sets. Writes checkpoints/measured/fast-*.json. Tables tell PSNR only, so LPIPS is left out.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

MEASURED = Path(__file__).resolve().parents[1] / "checkpoints" / "measured"
RUNS: dict[str, tuple[str, ...]] = {
    "denoise": ("--task", "denoise", "--data", "CBSD68", "--limit", "12"),
    "super-resolve": ("--task", "super-resolve", "--data", "Set5", "--data", "Set14"),
    "jpeg-gray": ("--task", "jpeg", "--gray", "--data", "Classic5_gray"),
    "jpeg": ("--task", "jpeg", "--data", "Set14"),
    "deblur": ("--task", "deblur", "--data", "Set14"),
    "inpaint": ("--task", "inpaint", "--data", "Set14"),
    "restore": ("--task", "restore", "--data", "Set14"),
}
"""What the model card's other reports were measured with, by their names."""


def main() -> None:
    """Measure, and write the files."""
    with tempfile.TemporaryDirectory() as empty:
        for name, options in RUNS.items():
            report = MEASURED / f"fast-{name}.json"
            words = [sys.executable, "-m", "diffuse_cli", "evaluate", "--fast", "--dtype", "fp32", "--device", "cpu"]
            words += [*options, "--json", str(report), "--force", "--quiet"]
            environment = {**os.environ, "XDG_DATA_HOME": empty, "PYTHONPATH": str(MEASURED.parents[1])}
            subprocess.run(words, check=True, cwd=sys.argv[1], env=environment)


if __name__ == "__main__":
    main()
