"""Measure samples: which number of steps, what fidelity costs and gains, how honest the uncertainty is.

python -m benchmarks.quality_samples DENOISE_DIR ENLARGE_DIR OUT_DIR [PICTURES] writes sample-steps.json and
samples-spread.json: noise 50 and 25 on the first folder, x4 and strokes over 20 % on the second, of central crops of
128 pixels, PICTURES of each folder (8), in bf16 where that is fast.
"""

import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

from PIL import Image

from diffuse_cli.diffusion.checkpoint import find, read_info
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import SAMPLE_STEPS, Settings
from diffuse_cli.evaluation.conditions import Condition
from diffuse_cli.evaluation.evaluate import Evaluation, evaluate
from diffuse_cli.evaluation.report import Report, aligned, dump, table
from diffuse_cli.images.encoding import PICTURE_SUFFIXES

SIDE = 128
STEPS = (4, 6, 8, 12)
FIDELITIES = (0.25, 0.5, 0.75)
SAMPLES = 16


def crops(folder: Path, to: Path, count: int) -> list[Path]:
    """Central crops, evenly spread over the folder, of what is large enough."""
    to.mkdir()
    made = []
    for path in sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES):
        with Image.open(path) as image:
            if min(image.size) < SIDE:
                continue
            left, top = ((length - SIDE) // 8 * 4 for length in image.size)
            image.convert("RGB").crop((left, top, left + SIDE, top + SIDE)).save(to / f"{path.stem}.png")
        made.append(to / f"{path.stem}.png")
    return [made[k * len(made) // min(count, len(made))] for k in range(min(count, len(made)))]


def merged(reports: list[Report]) -> Report:
    return reports[0] | {"rows": [row for report in reports for row in report["rows"]]}


def main() -> None:
    noisy, clean, out = map(Path, sys.argv[1:4])
    count = int(sys.argv[4]) if len(sys.argv) > 4 else 8
    model, info = Model.load("photo"), read_info(find("photo"))
    denoise = [Condition(task="denoise", level=level) for level in (50, 25)]
    enlarge, fill = Condition(task="super-resolve", level=4), Condition(task="inpaint", level=20, kind="strokes")

    def measure(condition: Condition, paths: list[Path], name: str, steps: int, samples: int = 1) -> Report:
        between = FIDELITIES if samples > 1 else ()
        what = Evaluation(
            sets={name: paths}, conditions=[condition], settings=Settings(steps=steps), samples=samples,
            fidelities=between,
        )  # fmt: skip
        report = evaluate(what, [(info, model)], lambda _: nullcontext(), print).report
        print(*aligned(table(report)), sep="\n", flush=True)
        return report

    with tempfile.TemporaryDirectory() as folder:
        first = crops(noisy, Path(folder) / "first", count)
        second = crops(clean, Path(folder) / "second", count)
        cases = [(one, first, noisy.name) for one in denoise] + [(one, second, clean.name) for one in (enlarge, fill)]
        full = [measure(*case, SAMPLE_STEPS, SAMPLES) for case in cases]
        (out / "samples-spread.json").write_bytes(dump(merged(full)))
        swept = [measure(*case, steps) for case in (cases[0], *cases[2:]) for steps in STEPS]
        (out / "sample-steps.json").write_bytes(dump(merged(swept)))


if __name__ == "__main__":
    main()
