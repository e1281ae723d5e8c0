"""How well `--mask auto` finds damage, by kind, and what it takes for damage in clean pictures.

python -m benchmarks.quality_marks worn --data DIR ... [--limit N]
python -m benchmarks.quality_marks clean --data DIR ... [--limit N]
python -m benchmarks.quality_marks contrast --data DIR ... [--limit N]
python -m benchmarks.quality_marks thresholds --data DIR ... [--limit N]

    worn    precision and recall by pixel of marks that `degrade --worn` and training draw, on clean pictures: a mark is
            right within 2 pixels of a true one, and a true pixel is met within 2 pixels of a found one
    clean   the share of clean pictures that is taken for damage
    contrast    recall of dust and scratches by pixel, by how far the mark stands out of the texture around it
    thresholds  the best F of both together, by the chances from which missing parts begin and down to which they are
            followed; --data must be photographs that the detector was not trained on, and none of the test sets

Prints JSON, as checkpoints/measured/marks-PART.json holds it. Pixels that a mark of `degrade --worn` changes by
fewer levels than `VISIBLE` are not asked for (`SEEN` for a dirty sensor), nor those of other marks that training calls
unsure (training/wear.py)
"""

import argparse
import json
import math
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from diffuse_cli.degradation.damage import Damage
from diffuse_cli.degradation.mask_shapes import grown
from diffuse_cli.degradation.operators import box_mean
from diffuse_cli.degradation.random_masks import MaskKind
from diffuse_cli.evaluation.picture_sets import clean_levels, pictures
from diffuse_cli.images.image_io import Picture, through_jpeg, to_levels, to_unit
from diffuse_cli.images.tensors import to_tensor
from diffuse_cli.restoration.found_marks import detector, find_marks, followed, logit, logits_of
from diffuse_cli.training.sample_spec import keyed
from diffuse_cli.training.wear import KINDS, UNSURE, worn_by

Row = dict[str, Any]
Levels = NDArray[np.uint8]
Mask = NDArray[np.bool_]
PRINTS: dict[MaskKind, float] = {"dust": 0.005, "scratches": 0.01, "tears": 0.02}
VISIBLE = 20.0
REACH = 2
CALM, SEEN = 5.0, 5.0


def found(levels: Levels, strength: float = 0.5) -> Mask:
    return find_marks(Picture(pixels=to_unit(levels, 8)), strength).all


def prints(levels: Levels, name: str) -> Iterator[tuple[str, Levels, Mask, Mask]]:
    """Yield kind, worn picture, where marks are, and where they are seen; as PNG and as JPEG of quality 85."""
    for kind, share in PRINTS.items():
        damage = Damage(mask=kind, mask_share=share, worn=True, noise=3, seed=zlib.crc32(name.encode()))
        picture, truth = damage.apply(Picture(pixels=to_unit(levels, 8)))
        if truth is None:
            raise AssertionError(kind)
        worn = to_levels(picture.pixels, 8).astype(np.uint8)
        seen = truth & (np.abs(worn.mean(2) - levels.mean(2)) > VISIBLE)
        yield f"print {kind}", worn, truth, seen
        yield f"print {kind}, JPEG", through_jpeg(worn, 85, "4:2:0"), truth, seen


def others(levels: Levels, name: str) -> Iterator[tuple[str, Levels, Mask, Mask]]:
    """Yield the same of the kinds that training draws, on the largest square from the top left."""
    levels = levels[: min(levels.shape[:2]), : min(levels.shape[:2])]
    for k, kind in enumerate(KINDS):
        if not kind.startswith("print"):
            worn, shown = worn_by(levels, kind, keyed(zlib.crc32(name.encode()), k, 3))
            yield kind, worn, (shown > 0), (shown > 0) & (shown < UNSURE)


def dusty(levels: Levels, name: str) -> Iterator[tuple[str, Levels, Mask, Mask]]:
    """Yield the same of soft spots of a dirty sensor in calm places, where they are seen; as PNG and as JPEG."""
    rng = keyed(zlib.crc32(name.encode()), 0, 4)
    rows, columns = np.indices(levels.shape[:2])
    light, shade = levels.mean(2), np.zeros(levels.shape[:2])
    for _ in range(100):
        radius, y, x = math.exp(rng.uniform(1, 2.7)), rng.integers(levels.shape[0]), rng.integers(levels.shape[1])
        reach, soft = np.hypot(rows - y, columns - x) / radius, rng.uniform(0.3, 1)
        around = light[reach < 4]
        if around.std() < CALM and around.mean() > 50 and not shade[reach < 6].any():
            rise = np.clip((1 + soft / 2 - reach) / soft, 0, 1)
            shade = np.maximum(shade, rng.uniform(0.05, 0.25) * rise**2 * (3 - 2 * rise))
    spotted = (levels * (1 - shade[..., None])).round().astype(np.uint8)
    seen = levels.mean(2) - spotted.mean(2) > SEEN
    yield "sensor dust", spotted, shade > 0, seen
    yield "sensor dust, JPEG", through_jpeg(spotted, 85, "4:2:0"), shade > 0, seen


def worn_rows(name: str, levels: Levels) -> Iterator[Row]:
    for draw in (prints, others, dusty):
        for kind, worn, truth, seen in draw(levels, name):
            yield {"kind": kind, **dict(zip(COUNTS, judged(found(worn), truth, seen).tolist(), strict=True))}


def judged(mask: Mask, truth: Mask, seen: Mask) -> NDArray[np.int64]:
    """Count what is right, flagged, met and there."""
    return np.array([
        (mask & grown(truth, REACH)).sum(), mask.sum(), (seen & grown(mask, REACH)).sum(), seen.sum()
    ])  # fmt: skip


COUNTS = ("right", "flagged", "met", "there")
BEGINS, ENDS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9), (0.1, 0.2, 0.3, 0.4, 0.5, 0.6)


STANDS_OUT = (0, 1, 2, 4, 8, 16)


def contrast(name: str, levels: Levels) -> Iterator[Row]:
    """Yield how many pixels of marks are there and are met, by their change over the std of what was there before.

    The std is that of the clean picture's 13x13 pixels around, with the noise of 3 levels.
    """
    light = torch.from_numpy(levels.mean(2, dtype=np.float32))[None, None]
    variance = (box_mean(light**2, 6) - box_mean(light, 6) ** 2).clamp_min(0)[0, 0].numpy()
    for kind, worn, _, seen in prints(levels, name):
        if "tears" not in kind:
            ratio = np.abs(worn.mean(2) - levels.mean(2)) / np.sqrt(variance + 9)
            met = grown(found(worn), REACH)
            for least, most in zip(STANDS_OUT, (*STANDS_OUT[1:], math.inf), strict=True):
                asked = seen & (ratio >= least) & (ratio < most)
                yield {"kind": kind, "least": least, "met": int((asked & met).sum()), "there": int(asked.sum())}


def thresholds(name: str, levels: Levels) -> Iterator[Row]:
    """Yield the counts of missing parts of every pair of thresholds; clean pictures count, too."""
    nothing, k = np.zeros(levels.shape[:2], bool), 1
    draws = [("clean", levels, nothing, nothing), *prints(levels, name), *others(levels, name)]
    for kind, worn, truth, seen in draws:
        if kind not in ("clean", "missing") and not kind.startswith("print tears"):
            continue
        logits = logits_of(to_tensor(to_unit(worn, 8)), detector())
        for begins, ends in ((b, e) for b in BEGINS for e in ENDS if e <= b):
            mask = grown(followed(logits[k], logit(begins), logit(ends)), 1)
            counts = dict(zip(COUNTS, judged(mask, truth, seen).tolist(), strict=True))
            yield {"kind": kind, "class": k, "begins": begins, "ends": ends, **counts}


def scores(rows: list[Row]) -> list[Row]:
    """Return F of every pair of thresholds by class, the best first. All kinds count alike, however many pixels."""
    found: list[Row] = []
    for key in dict.fromkeys((row["class"], row["begins"], row["ends"]) for row in rows):
        mine = [row for row in rows if (row["class"], row["begins"], row["ends"]) == key]
        alarms = sum(row["flagged"] for row in mine if row["kind"] == "clean")
        kinds = dict.fromkeys(row["kind"] for row in mine if row["kind"] != "clean")
        each = [[sum(row[name] for row in mine if row["kind"] == kind) for name in COUNTS] for kind in kinds]
        values = [
            2 * (p := right / max(flagged, 1)) * (r := met / max(there, 1)) / max(p + r, 1e-9)
            for right, flagged, met, there in each
        ]
        found.append({
            "class": key[0], "begins": key[1], "ends": key[2], "f": float(np.mean(values)), "alarms": alarms
        })  # fmt: skip
    return sorted(found, key=lambda row: (row["class"], -row["f"]))


DRAWS = {"worn": worn_rows, "contrast": contrast, "thresholds": thresholds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("clean", *DRAWS))
    parser.add_argument("--data", type=Path, action="append", required=True)
    parser.add_argument("--limit", type=int)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[Row] = []
    for path in (path for folder in options.data for path in pictures(folder, options.limit)):
        colour = clean_levels(path, gray=False)
        for gray in (False, True) if colour.shape[2] == 3 and options.part != "clean" else (colour.shape[2] == 1,):
            levels = clean_levels(path, gray=gray)
            head = {"set": path.parent.name, "picture": path.name, "gray": gray}
            if options.part == "clean":
                rows.append({**head, "found": float(found(levels).mean())})
            else:
                rows += [{**head, **row} for row in DRAWS[options.part](path.name, levels)]
        print(path.name, file=sys.stderr, flush=True)
    print(json.dumps({"rows": scores(rows) if options.part == "thresholds" else rows}, indent=1))


if __name__ == "__main__":
    main()
