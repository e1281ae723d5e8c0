"""Write the measured tables of README.md, docs/ and the model card from checkpoints/measured/*.json.

python -m benchmarks.tables

The files there are what `diffuse evaluate --json` and `diffuse bench --json` wrote; no figure is typed by hand. A
table stands between `<!-- figures: NAME -->` and `<!-- end of figures -->`. With --check nothing is written, and the
exit code says whether every table matches its files.
"""

import functools
import itertools
import json
import math
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from diffuse_cli.diffusion.checkpoint import read_info
from diffuse_cli.evaluation.report import HIGHER_IS_BETTER, differences, figure, worse

ROOT = Path(__file__).resolve().parents[1]
MEASURED = ROOT / "checkpoints" / "measured"
CHECKPOINTS = ROOT / "checkpoints"
PAGES = (
    ROOT / "README.md",
    *(
        ROOT / "docs" / f"{name}.md"
        for name in (
            "cluster",
            "dicom",
            "evaluation",
            "fusing",
            "models",
            "performance",
            "provenance",
            "raw",
            "samples",
            "serving",
            "training",
            "video",
        )
    ),
    ROOT / "checkpoints" / "README.md",
)
BLOCK = re.compile(r"(<!-- figures: ([\w-]+) -->\n).*?(<!-- end of figures -->)", re.DOTALL)
RELEASED = ("photo", "photo-fast")
MEASURES = ("psnr", "ssim", "haarpsi", "lpips")

Row = dict[str, Any]


_read: dict[str, dict[str, Any]] = {}
"""Reports that the table at hand is made of."""


def report(name: str) -> dict[str, Any]:
    """What a command measured."""
    if name not in _read:
        _read[name] = json.loads((MEASURED / f"{name}.json").read_text())
    return _read[name]


def rows(name: str, **wanted: object) -> list[Row]:
    return [row for row in report(name)["rows"] if all(row[k] == v for k, v in wanted.items())]


def markdown(head: Iterable[str], body: Iterable[Iterable[str]]) -> str:
    lines = [list(head), *map(list, body)]
    lines.insert(1, ["---"] * len(lines[0]))
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def means(name: str, measure: str = "psnr", method: str = "diffuse", **wanted: object) -> list[str]:
    return [f"{row['mean'][measure]:.2f}" for row in rows(name, method=method, **wanted)]


def _row(name: str, method: str, folder: str, condition: str) -> Row:
    """The one row of a report about a test set, a damage and a method."""
    (row,) = rows(name, method=method, set=folder, condition=condition)
    return row


def _ours(name: str, folder: str, condition: str) -> Row:
    """The row of diffuse. Beside the baselines of denoising: of the newest weights, on the same pictures."""
    found = _row(name, "diffuse", folder, condition)
    if name != "denoise-baselines":
        return found
    newest = {image["name"]: image for image in _row("denoise", "diffuse", folder, condition)["images"]}
    same = [newest[image["name"]] for image in found["images"]]
    return {**found, "images": same, "mean": {"psnr": sum(image["psnr"] for image in same) / len(same)}}


SUMMARY = (
    ("remove noise of std 25", "denoise-baselines", "CBSD68", "noise 25", "BM3D"),
    ("remove noise of std 50", "denoise-baselines", "CBSD68", "noise 50", "BM3D"),
    ("enlarge x2", "super-resolve", "Set14", "x2", "bicubic"),
    ("enlarge x4", "super-resolve", "Set14", "x4", "bicubic"),
    ("undo a blur of 1.6 pixels", "deblur", "Set14", "blur 1.6", "Richardson-Lucy"),
    ("fill text on 13 %", "inpaint", "Set14", "text 13 %", "biharmonic"),
)


def summary() -> str:
    """Six tasks beside the classical method that is best known for each."""
    body = []
    for what, name, folder, condition, method in SUMMARY:
        ours, theirs = _ours(name, folder, condition), _row(name, method, folder, condition)
        classic = f"{theirs['mean']['psnr']:.2f} ({method})"
        body.append([what, f"{folder} ({ours['pictures']})", f"{ours['mean']['psnr']:.2f}", classic])
    return markdown(["mean PSNR in dB", "test set (pictures)", "diffuse", "classical method"], body)


def beside_classics() -> str:
    """Every damage: diffuse, --fast, and the best classical method, or the input where none was measured."""
    body = []
    for name in ("denoise-baselines", "super-resolve", "jpeg-gray", "jpeg", "deblur", "inpaint", "restore"):
        for row in rows(name, method="diffuse"):
            where = {"set": row["set"], "condition": row["condition"]}
            ours = _ours(name, row["set"], row["condition"])
            fast = _row(f"fast-{name.removesuffix('-baselines')}", "diffuse", row["set"], row["condition"])
            others = [row for row in rows(name, **where) if not row["method"].startswith("diffuse")]
            best = max(others, key=lambda row: row["mean"]["psnr"])
            values = [row["mean"]["psnr"] for row in (ours, best)]
            mine, theirs = (f"**{value:.2f}**" if value == max(values) else f"{value:.2f}" for value in values)
            quick = f"{fast['mean']['psnr']:.2f}"
            what = f"{ours['condition']}, gray" if ours["gray"] else ours["condition"]
            body.append([f"{ours['set']} ({ours['pictures']})", what, mine, quick, f"{theirs} ({best['method']})"])
    return markdown(["test set (pictures)", "damage", "diffuse, PSNR in dB", "`--fast`", "best other"], body)


PUBLISHED = (
    ("DRUNet", 31.69, "denoise", "CBSD68", "noise 25"),
    ("FFDNet", 31.22, "denoise", "CBSD68", "noise 25"),
    ("IMDN", 32.20, "super-resolve", "Set5", "x4"),
    ("FBCNN", 30.12, "jpeg-gray", "Classic5_gray", "JPEG 10"),
)
"""PSNR in dB as the networks' papers state it."""


def published() -> str:
    body = []
    for network, psnr, name, folder, condition in PUBLISHED:
        ours = _row(name, "diffuse", folder, condition)
        body.append([f"{folder}, {condition}", network, f"{psnr:.2f}", f"{ours['mean']['psnr']:.2f}"])
    return markdown(["test set, damage", "network", "its paper, PSNR in dB", "diffuse"], body)


def _told(text: str, key: str) -> str:
    """Metadata of a checkpoint in words; `train export` writes it as JSON."""
    if not text.startswith("{"):
        return text
    values = json.loads(text)
    if key == "data":
        return f"{values['pictures']} pictures, {values['held_out']} held out"
    config = values["config"]
    return f"{values['steps']} steps of {config['batch']} crops of {config['crop']} pixels; rate {config['lr']:g}"


def weights() -> str:
    return _weights("photo", "photo-fast")


def fashion_weights() -> str:
    return _weights("fashion")


def _weights(*names: str) -> str:
    """What the checkpoints' headers say."""
    paths = [CHECKPOINTS / f"{name}.safetensors" for name in names]
    infos = [read_info(path) for path in paths]
    body = [
        ["parameters", *(f"{info.parameters / 1e6:.1f} million" for info in infos)],
        ["file", *(f"{path.stat().st_size / 1e6:.1f} MB" for path in paths)],
        ["channels, blocks a level", *(f"{info.config['channels']}, {info.config['blocks']}" for info in infos)],
        *([key, *(_told(info.metadata[key], key) for info in infos)] for key in ("training", "data")),
        ["sha256 of the tensors", *(f"`{info.metadata['sha256']}`" for info in infos)],
    ]
    return markdown(["", *names], body)


def denoise() -> str:
    files = {
        "CBSD68 colour, 8-bit files": "denoise-files",
        "CBSD68 colour, float": "denoise",
        "CBSD68 gray, 8-bit files": "denoise-files-gray",
        "CBSD68 gray, float": "denoise-gray",
    }
    body = [[what, *means(name)] for what, name in files.items()]
    return markdown(["PSNR in dB, one call; noise", "15", "25", "50"], body)


def enlarge() -> str:
    body = []
    for folder in ("Set5", "Set14"):
        for method in ("diffuse", "bicubic"):
            body.append([f"{folder}, {method}", *means("super-resolve", method=method, set=folder)])
    return markdown(["PSNR on Y in dB, one call", "x2", "x3", "x4"], body)


def blind() -> str:
    body = []
    for kind, name in (("colour", "denoise-blind"), ("gray", "denoise-blind-gray")):
        clean, *noisy = rows(name, method="diffuse")
        kept = [image["psnr"] for image in clean["images"]]
        unchanged = sum(value == 100 for value in kept)
        worst = f" (the others at {min(kept):.1f} dB or more)" if unchanged < len(kept) else ""
        error = [f"{row['mean']['noise_error']:.2f}" for row in noisy]
        body.append([f"CBSD68 {kind}, 8-bit files, {len(kept)} pictures", *error, f"{unchanged} of {len(kept)}{worst}"])
    return markdown(["mean error in levels; noise", "5", "15", "25", "50", "clean pictures left unchanged"], body)


def bf16() -> str:
    body = []
    for exact, half in (("denoise-files", "denoise-files-bf16"), ("super-resolve", "super-resolve-bf16")):
        for found in differences(report(exact), report(half)):
            if found.measure == "psnr" and "diffuse" in found.row:
                body.append([found.row.replace(", diffuse", ""), f"{found.mean:+.3f}", str(found.pictures)])
    return markdown(["bf16 against fp32", "PSNR in dB", "pictures"], body)


def _from_mse(row: Row, other: Row, share: float) -> float:
    """Mean PSNR if every picture's error were that of `row` plus a share of what `other` has more."""
    errors = [[10 ** (-image["psnr"] / 10) for image in one["images"]] for one in (row, other)]
    return sum(-10 * math.log10(a + share * (b - a)) for a, b in zip(*errors, strict=True)) / len(errors[0])


def _sampled(name: str = "samples-spread") -> Iterable[tuple[str, Row, Row, list[Row]]]:
    """Of each condition: its name, the mean's row, the samples' row, and all of its rows."""
    for condition in dict.fromkeys((row["set"], row["condition"]) for row in rows(name)):
        own = rows(name, set=condition[0], condition=condition[1])
        sample = next(row for row in own if "sample in" in row["method"])
        yield ", ".join(condition), own[0], sample, own


def fidelity() -> str:
    """With the PSNR that the law says; the best of the perceptual measures is bold."""
    body = []
    for name, mean, sample, own in _sampled():
        table = [(0.0, sample), *((float(r["method"].split()[-1]), r) for r in own if "fidelity" in r["method"])]
        table.append((1.0, mean))
        for f, row in table:
            law = _from_mse(mean, sample, (1 - f) ** 2)
            cells = [_cell(row | {"interval": {"psnr": None}}, [r for _, r in table], measure) for measure in MEASURES]
            body.append([name, f"{f:g}", cells[0], f"{law:.2f}", *cells[1:]])
    return markdown(["", "fidelity", "PSNR dB", "by the law", "SSIM", "HaarPSI", "LPIPS"], body)


def averages() -> str:
    body = []
    for name, mean, sample, own in _sampled():
        r = 10 ** (_from_mse(mean, sample, 0) / 10 - _from_mse(mean, sample, 1) / 10) - 1
        found = {int(row["method"].split()[3]): row for row in own if "mean of" in row["method"]}
        cells = []
        for count, row in {1: sample, 4: found[4], 16: found[16]}.items():
            exact = _from_mse(mean, mean, 0) - 10 * math.log10(1 + 1 / count)
            cells.append(f"{row['mean']['psnr']:.2f} ({exact:.2f})")
        body.append([name, f"{mean['mean']['psnr']:.2f}", *cells, f"{r:.2f}"])
    heads = ["PSNR dB (if the samples were exact)", "the mean", "1 sample", "mean of 4", "mean of 16", "r"]
    return markdown(heads, body)


def uncertainty() -> str:
    body = []
    for name, _, _, own in _sampled():
        row = next(row["mean"] for row in own if row["method"].endswith("mean of 8 samples"))
        shares = [f"{100 * row[key]:.1f} %" for key in ("within_1", "within_2")]
        rest = [f"{row[key]:.2f}" for key in ("std_correlation", "dispersion", "std_scale")]
        body.append([name, *shares, *rest])
    body.append(["exact samples", "64.9 %", "91.4 %", "", "1", "1"])
    heads = ["std of 8 samples", "errors within 1 std", "within 2", "correlation", "dispersion", "scale"]
    return markdown(heads, body)


def steps() -> str:
    body = []
    for row in rows("sample-steps"):
        if "sample in" in row["method"]:
            values = [figure(measure, row["mean"][measure]) for measure in MEASURES]
            body.append([f"{row['set']}, {row['condition']}", row["method"].split()[3], *values])
    return markdown(["a sample", "steps", "PSNR dB", "SSIM", "HaarPSI", "LPIPS"], body)


def full() -> str:
    """Every row of every report; the best of each measure is bold, also where it is not ours."""
    names = [
        "denoise-baselines", "denoise", "denoise-gray", "denoise-files", "denoise-files-gray", "super-resolve",
        "jpeg-gray", "jpeg", "deblur", "inpaint", "restore", "samples", "samples-denoise",
    ]  # fmt: skip
    body: list[list[str]] = []
    for name in names:
        table = rows(name)
        for row in table:
            rivals = [r for r in table if (r["set"], r["condition"]) == (row["set"], row["condition"])]
            what = filter(None, [row["condition"], "gray" if row["gray"] else "", row["protocol"]])
            cells = [_cell(row, rivals, measure) for measure in MEASURES]
            body.append([f"{row['set']} ({row['pictures']})", ", ".join(what), row["method"], *cells])
    return markdown(["set (pictures)", "damage", "method", "PSNR dB (95 %)", "SSIM", "HaarPSI", "LPIPS"], body)


def _cell(row: Row, rivals: list[Row], measure: str) -> str:
    if measure not in row["mean"]:
        return ""
    value = row["mean"][measure]
    best = (max if HIGHER_IS_BETTER[measure] else min)(r["mean"][measure] for r in rivals)
    shown = figure(measure, value)
    text = f"**{shown}**" if value == best and len(rivals) > 1 else shown
    if measure == "psnr" and row["interval"]["psnr"]:
        low, high = row["interval"]["psnr"]
        text += f" ({low:.1f}..{high:.1f})"
    return text


def generated() -> str:
    body = [[row["set"], row["method"], str(row["pictures"]), f"{row['mean']['swd']:.0f}"] for row in rows("generate")]
    return markdown(["set", "compared with its crops", "pictures", "sliced Wasserstein distance"], body)


def video() -> str:
    """What earlier frames of a clip bring."""
    names = {"pan": "pan", "zoom": "zoom", "still": "still camera"}
    names |= {clip: f"`{clip}.mp4`" for clip in ("bigbuckbunny", "bikes", "carphone_distorted", "carphone_pristine")}
    names |= {f"{kind} x2": f"{name}, enlarged" for kind, name in names.items()}
    body = []
    for kind, name in names.items():
        row = report("video")["kinds"][kind]
        flicker = [f"{row[key]:.2f}" if key in row else "" for key in ("flicker_alone", "flicker_joined")]
        body.append([name, f"{row['alone']:.2f}", f"{row['joined']:.2f}", *flicker])
    head = ("PSNR in dB, flicker in levels", "each alone", "with earlier", "flicker alone", "flicker with earlier")
    return markdown(head, body)


def noise_maps() -> str:
    methods = ["one level, estimated", "one level, true", "poisson", "auto-map", "true map"]
    found = {(row["noise"], row["method"]): f"{row['psnr']:.2f}" for row in rows("noise-maps")}
    noises = dict.fromkeys(noise for noise, _ in found)
    body = [[noise, *(found[noise, method] for method in methods)] for noise in noises]
    return markdown([f"PSNR in dB, {report('noise-maps')['pictures']} pictures", *methods], body)


def consistency() -> str:
    body = []
    for row in rows("consistency"):
        quality = [f"{row['psnr']:.2f}", *(figure(name, row[name]) for name in ("haarpsi", "lpips"))]
        agreement = [f"{row['apart']:.2f}", f"{100 * row['wrong']:.2f} %"]
        body.append([f"x{row['factor']:g}", row["method"], *quality, *agreement, f"{row['seconds']:.1f}"])
    head = ["", "method", "PSNR on Y in dB", "HaarPSI", "LPIPS", "levels apart, at most", "not the input's", "s"]
    return markdown(head, body)


def commands() -> str:
    found = report("bench")
    body = []
    for row in found["commands"]:
        size = f"{row['megapixels']:g} megapixels" if row["megapixels"] else "64x64 pixels"
        net = f"{row['seconds_per_megapixel']:.2f}" if row["megapixels"] else ""
        body.append([row["command"], size, f"{row['seconds']:.1f}", net, f"{row['peak_mib']:.0f}"])
    return markdown([f"command, {found['dtype']}", "picture", "s", "s/Mpx, net", "peak MiB"], body)


def networks() -> str:
    body = []
    for row in report("bench")["networks"]:
        numbers = [f"{row['seconds_per_megapixel']:.2f}", f"{row['macs_per_pixel'] / 1e6:.2f}"]
        share = f"{100 * row['fraction_of_peak']:.0f} %"
        body.append([row["network"], row["dtype"], row["layout"], str(row["tile"]), *numbers, share])
    return markdown(["network", "type", "layout", "tile", "s/Mpx", "MMAC a pixel", "of the convolution peak"], body)


def where_the_time_goes() -> str:
    shares = report("bench")["profile"]
    kinds = next(iter(shares.values()))
    body = [[kind, *(f"{100 * share[kind]:.1f} %" for share in shares.values())] for kind in kinds]
    return markdown(["of one call of the core", *shares], body)


def backends() -> str:
    body = []
    for row in rows("speed-backends"):
        numbers = [f"{row['seconds_per_megapixel']:.2f}", f"{row['cpu_seconds']:.0f}", f"{row['peak_mib']:.0f}"]
        body.append([row["backend"], row["dtype"], *numbers, f"{row['psnr']:.3f}"])
    head = ["backend", "type", "network, s/Mpx", "denoise --tile 1024, 12 megapixels, s", "peak MiB"]
    return markdown([*head, "CBSD68, noise 25, PSNR in dB"], body)


def side_by_side() -> str:
    """Engines and networks of other shapes, by the processor's time."""
    found = rows("speed-ways")
    first = next(row["seconds_per_megapixel"] for row in found if (row["what"], row["dtype"]) == ("torch", "fp32"))
    body = []
    for row in found:
        seconds = row["seconds_per_megapixel"]
        photo = [f"{row['cpu_seconds']:.0f}", f"{row['peak_mib']:.0f}"] if "cpu_seconds" in row else ["", ""]
        body.append([row["what"], row["dtype"], f"{seconds:.2f}", f"{seconds / first:.2f}", *photo])
    return markdown(["", "type", "network, s/Mpx", "of torch fp32", "denoise, 12 megapixels, s", "peak MiB"], body)


def other_backends() -> str:
    """Those that did not become one."""
    head = ["backend", "network, s/Mpx", "noise 25, PSNR in dB"]
    found = rows("speed-other-backends")
    return markdown(head, ([r["backend"], f"{r['seconds_per_megapixel']:.2f}", f"{r['psnr']:.3f}"] for r in found))


def batches() -> str:
    body = []
    for row in rows("speed-batches"):
        if "apart" in row:
            way = row["seconds_per_megapixel"]
            cells = [f"{seconds:.2f} s/Mpx" for seconds in way.values()]
            body.append([row["what"], *cells, f"{row['apart']:.1g}"])
        else:
            body.append([row["what"], *(f"{seconds:.2f} s" for seconds in row["seconds"].values()), ""])
    return markdown(["one thread", "one by one", "in batches", "outputs apart, at most"], body)


def compiled() -> str:
    """Whole commands, and the network alone."""
    found = rows("speed-compile")
    ways = list(dict.fromkeys(row["way"] for row in found if "megapixels" in row))
    body = []
    for megapixels in (1, 12):
        of = {row["way"]: row for row in found if row.get("megapixels") == megapixels}
        body.append([f"denoise, {megapixels} megapixels, s", *(f"{of[way]['cpu_seconds']:.0f}" for way in ways)])
    for what in dict.fromkeys(row["what"] for row in found if "megapixels" not in row):
        of = {row["way"]: row["seconds_per_megapixel"] for row in found if row["what"] == what}
        body.append([f"{what}, s/Mpx", f"{of['plain']:.2f}", "", f"{of['compiled']:.2f}"])
    return markdown(["one thread", *ways], body)


def large() -> str:
    """Pictures of up to hundreds of megapixels."""
    body = []
    for row in rows("speed-large"):
        per = f"{row['cpu_seconds_per_megapixel']:.2f}" if "cpu_seconds_per_megapixel" in row else ""
        size = f"{row['megapixels']:g}" if row["megapixels"] >= 1 else "64x64 pixels"
        body.append([row["command"], size, f"{row['cpu_seconds']:.0f}", per, f"{row['peak_mib']:.0f}"])
    return markdown(["command", "megapixels", "s", "s/Mpx more than 64x64", "peak MiB"], body)


def data_rounds() -> str:
    """What a round of a data step and a denoiser call takes."""
    body = []
    for row in rows("speed-rounds"):
        without, three = (row[f"rounds {n}"] for n in (0, 3))
        cells = (f"{without['cpu_seconds']:.0f}", f"{three['cpu_seconds']:.0f}")
        per = f"{row['cpu_seconds_per_megapixel_and_round']:.2f}"
        body.append([row["command"], f"{row['megapixels']:g}", *cells, per, f"{three['peak_mib']:.0f}"])
    return markdown(["command", "megapixels", "--rounds 0, s", "three rounds, s", "s/Mpx and round", "peak MiB"], body)


def machines() -> str:
    """What a batch on two nodes, or from a store, outlived."""
    return markdown(
        ["what", "pictures", "outcome"], ([r["what"], r["pictures"], r["outcome"]] for r in rows("cluster"))
    )


ARCHIVE = 10_000_000
"""Pictures of the archive whose cost is told."""


def archive() -> str:
    """What ten million pictures of 12 megapixels cost, by the time that one core takes for one of them."""
    found = next(row for row in rows("speed-large") if row["megapixels"] == 12)
    each = 12 * found["cpu_seconds_per_megapixel"]
    hours = ARCHIVE * each / 3600
    told = [
        ["seconds of one core a picture", "measured", f"{each:.0f}"],
        ["peak MiB of a process", "measured", f"{found['peak_mib']:.0f}"],
        ["pictures a core and hour", "computed", f"{3600 / each:.0f}"],
        [f"core hours for {ARCHIVE:,} pictures", "extrapolated", f"{hours:,.0f}"],
        ["days on 64 cores", "extrapolated", f"{hours / 24 / 64:.0f}"],
        ["days on 1,000 cores", "extrapolated", f"{hours / 24 / 1000:.1f}"],
    ]
    return markdown([f"{found['command']}, 12 megapixels, files included", "", ""], told)


def memory() -> str:
    """What --memory promises, and what is taken."""
    body = [
        [row["memory"], row["dtype"], f"{row['peak_mib']:.0f}", f"{row['cpu_seconds']:.0f}"]
        for row in rows("speed-memory")
    ]
    return markdown(["--memory", "type", "peak MiB", "s"], body)


def scans() -> str:
    """Noise of a CT and an MR slice, removed by default, as white noise, and by other tools."""
    found = rows("dicom")
    methods = list(dict.fromkeys(row["method"] for row in found))
    body = []
    for scan, noise in dict.fromkeys((row["scan"], row["noise"]) for row in found):
        of = {row["method"]: row for row in rows("dicom", scan=scan, noise=noise)}
        cells = [f"{of[m]['psnr']:.1f} / {of[m]['ssim']:.3f} / {of[m]['cnr']:.2f}" for m in methods]
        body.append([f"{scan}, {noise:.0f}{' HU' if scan == 'CT' else ''}", *cells])
    return markdown(["PSNR / SSIM / CNR", *methods], body)


def raw() -> str:
    """Camera RAW that became a denoised DNG: its noise, and how programs develop it."""
    body = []
    for row in rows("raw"):
        told = (
            [f"{row['psnr_before']:.1f} -> {row['psnr']:.1f}", f"{row['law_most']:.1f} %"] if "law" in row else ["", ""]
        )
        programs = [f"{row[name][1]:.1f} %" if name in row else "" for name in ("libraw", "rawtherapee", "darktable")]
        body.append([row["file"], *told, f"{row['light'][1]:.2f} %", *programs])
    head = ["sensor", "PSNR", "noise law off by at most", "light off by", "LibRaw", "RawTherapee", "darktable"]
    return markdown(head, body)


def fills() -> str:
    """What wide holes are filled with."""
    found = rows("fill")
    ways = [way for way in dict.fromkeys(row["way"] for row in found) if way != "the picture"]
    body = []
    for missing in dict.fromkeys(row["missing"] for row in found):
        of = {row["way"]: row for row in found if row["missing"] == missing}
        cells = [f"{of[way]['lpips']:.3f} / {of[way]['psnr']:.2f} / {of[way]['step']:.0f}" for way in ways]
        body.append([missing, *cells, f"{of['the picture']['step']:.0f}"])
    return markdown(["LPIPS / PSNR of what was missing / step", *ways, "the picture's own step"], body)


PHOTOGRAPHED = {
    "the input": "the input", "diffuse": "denoise", "diffuse restore": "restore", "diffuse, told": "told the truth",
    "BM3D": "BM3D", "non-local means": "non-local means",
}  # fmt: skip
"""Methods on noisy photographs, and the heads of their columns."""


def photographs(name: str) -> str:
    """A report on noisy photographs: what is found by default, the truth told, and others told the true level."""
    found, body = rows(name), []
    methods = [method for method in PHOTOGRAPHED if any(row["method"] == method for row in found)]
    for place, condition in dict.fromkeys((row["set"], row["condition"]) for row in found):
        of = {row["method"]: row for row in rows(name, set=place, condition=condition)}
        best = max(of[method]["mean"]["psnr"] for method in methods)
        values = [of[method]["mean"]["psnr"] for method in methods]
        cells = [f"**{value:.2f}**" if value == best else f"{value:.2f}" for value in values]
        default = of["diffuse"]
        error = f"{100 * math.expm1(default['median']['level_error']):.0f} %"
        what = f"{place} ({default['pictures']}), {condition}"
        body.append([what, *cells, error, worse(default), worse(of["diffuse restore"])])
    heads = ["mean PSNR in dB", *(PHOTOGRAPHED[method] for method in methods), "median error of the level found"]
    return markdown([*heads, "denoise: worse than the input", "restore: worse"], body)


def clean() -> str:
    """What the defaults change of clean pictures, by kind."""
    found, body = rows("clean"), []
    for kind in dict.fromkeys(row["kind"] for row in found):
        cells = []
        for command in ("denoise", "restore"):
            for jpeg in (False, True):
                some = [r for r in found if (r["kind"], r["command"]) == (kind, command)]
                cells.append(_changed([r for r in some if r["file"].startswith("JPEG") == jpeg]))
        body.append([kind, *cells])
    heads = [f"{command}, {file}" for command in ("denoise", "restore") for file in ("PNG", "JPEG")]
    return markdown(["clean pictures; changed, the most changed", *heads], body)


def kernels() -> str:
    """Motion and defocus undone, told and found, beside classics that are told."""
    found, body = rows("kernels"), []
    methods = ("the input", "told", "found", "Wiener", "Richardson-Lucy")
    for kernel in dict.fromkeys(row["kernel"] for row in found):
        some = [row for row in found if row["kernel"] == kernel]
        values = [sum(row[method] for row in some) / len(some) for method in methods]
        cells = [f"**{value:.2f}**" if value == max(values) else f"{value:.2f}" for value in values]
        sure = [row for row in some if row["sure"]]
        worst = min((row["found"] - row["the input"] for row in some), default=0.0)
        body.append([kernel, *cells, f"{len(sure)} of {len(some)}", f"{worst:+.2f}"])
    heads = ["blur; mean PSNR in dB", "input", "told", "found", "Wiener", "Richardson-Lucy"]
    return markdown([*heads, "found and sure", "worst change of what was found"], body)


def blurs() -> str:
    """Gaussian blurs undone: told right, told wrong and found, by the mean alone and with data steps."""
    found, body = rows("blurs"), []
    ways = list(dict.fromkeys(key.rsplit(", ", 1)[0] for key in found[0] if key.endswith(", mean")))
    for case in dict.fromkeys(row["case"] for row in found):
        some = [row for row in found if row["case"] == case]
        cells = []
        for way in ways:
            mean, steps = (sum(row[f"{way}, {how}"] for row in some) / len(some) for how in ("mean", "data steps"))
            cells.append(f"{mean:.2f} -> {steps:.2f}")
        worst = [min(row["found, data steps"] - row[to] for row in some) for to in ("input", "found, mean")]
        body.append([f"{case} ({len(some)})", *cells, *(f"{value:+.2f}" for value in worst)])
    heads = [f"told {way}" if way.endswith("%") else way for way in ways]
    worst_of = ["found: the worst picture, to its input", "to its one call"]
    return markdown(["damage (pictures); mean PSNR in dB", *heads, *worst_of], body)


def ensembles() -> str:
    """Enlarging with and without eight symmetries."""
    body = []
    for one, eight in zip(rows("single"), rows("ensemble"), strict=True):
        a, b = one["mean"], eight["mean"]
        slower = eight["seconds_per_megapixel"] / one["seconds_per_megapixel"]
        body.append([
            f"{one['set']} ({one['pictures']}), {one['condition']}", f"{a['psnr']:.2f}", f"{b['psnr']:.2f}",
            f"{a['lpips']:.4f}", f"{b['lpips']:.4f}", f"{slower:.1f}",
        ])  # fmt: skip
    heads = ["enlarged", "PSNR in dB", "with --ensemble", "LPIPS", "with --ensemble", "time, as a factor"]
    return markdown(heads, body)


def _changed(some: list[Row]) -> str:
    """How many of these are changed, PSNR of the most changed one to its input and, of a JPEG, the worst loss."""
    changed = [row for row in some if row["psnr"] < 100]
    if not changed:
        return f"0 of {len(some)}"
    text = f"{len(changed)} of {len(some)}, {min(row['psnr'] for row in changed):.1f} dB"
    gains = [row["gain"] for row in changed if row["gain"] is not None]
    return text + (f", loses {-min(gains):.1f} dB" if gains and min(gains) < -0.05 else "")


def finding() -> str:
    """What finding the noise costs."""
    body = []
    for row in rows("speed-estimating"):
        seconds = [f"{row[name]:.1f}" for name in ("noise", "everything", "denoising")]
        body.append([f"{row['file']}, {row['megapixels']:g} megapixels", *seconds, f"{100 * row['share']:.0f} %"])
    heads = ["one thread, s", "finding the noise", "all that restore finds", "denoising"]
    return markdown([*heads, "share of finding the noise in denoise"], body)


def restored_blindly() -> str:
    """Restore with everything on auto against the network told the truth, and left alone."""
    found = report("repair-oracle")["rows"]
    body = []
    for condition in dict.fromkeys(row["condition"] for row in found):
        some = [row for row in found if row["condition"] == condition]
        told, auto = (sum(row[key] for row in some) / len(some) for key in ("told", "auto"))
        worst = max(row["told"] - row["auto"] for row in some)
        body.append([condition, f"{told:.2f}", f"{auto:.2f}", f"{told - auto:.2f}", f"{worst:.2f}"])
    return markdown(["damage", "told the truth, dB", "auto, dB", "loss", "worst of 12 pictures"], body)


def left_alone() -> str:
    body = []
    found = report("repair-undegraded")["rows"]
    for folder in dict.fromkeys(row["set"] for row in found):
        values = sorted(row["psnr"] for row in found if row["set"] == folder)
        middle = (values[(len(values) - 1) // 2] + values[len(values) // 2]) / 2
        same = sum(value == 100 for value in values)
        shown = "unchanged" if middle == 100 else f"{middle:.1f}"
        body.append([folder, str(len(values)), shown, f"{values[0]:.1f}", str(same)])
    return markdown(["undamaged pictures", "of them", "median PSNR to the input, dB", "worst", "unchanged"], body)


def marks_found() -> str:
    """Precision and recall by kind, of the detector and of the one before it."""
    names = ("marks-worn", "marks-worn-before")
    body = []
    for kind in dict.fromkeys(row["kind"] for row in report(names[0])["rows"]):
        cells = [_found(rows(name, kind=kind, gray=gray)) for gray in (False, True) for name in names]
        body.append([kind, *cells])
    return markdown(["marks", "colour", "before", "gray", "before"], body)


def _found(counts: list[Row]) -> str:
    right, flagged, met, there = (sum(row[name] for row in counts) for name in ("right", "flagged", "met", "there"))
    return f"{right / max(flagged, 1):.2f}, {met / max(there, 1):.2f}"


def marks_contrast() -> str:
    """Recall by how far a mark stands out of the texture around it, and the share of pixels that do so."""
    found = rows("marks-contrast")
    least = sorted({row["least"] for row in found})
    body = []
    for kind in dict.fromkeys(row["kind"] for row in found):
        for gray in (False, True):
            mine = rows("marks-contrast", kind=kind, gray=gray)
            every = sum(row["there"] for row in mine)
            cells = [_met([row for row in mine if row["least"] == one], every) for one in least]
            body.append([kind + ", gray" * gray, *cells])
    heads = [f"{a} to {b}" for a, b in itertools.pairwise(least)]
    return markdown(["marks", *heads, f"{least[-1]} and more"], body)


def _met(counts: list[Row], every: int) -> str:
    met, there = (sum(row[name] for row in counts) for name in ("met", "there"))
    return f"{met / max(there, 1):.2f} ({100 * there / max(every, 1):.0f} %)"


def marks_alarms() -> str:
    """The share of clean pictures that is taken for damage, in percent."""
    body = []
    for folder in dict.fromkeys(row["set"] for row in report("marks-clean")["rows"]):
        cells = []
        for name in ("marks-clean", "marks-clean-before"):
            shares = np.array([100 * row["found"] for row in rows(name, set=folder)])
            cells += [f"{np.median(shares):.2f} ({shares.mean():.2f}, {shares.max():.1f})" if len(shares) else ""]
        body.append([folder, str(len(rows("marks-clean", set=folder))), *cells])
    return markdown(["clean pictures", "of them", "% flagged: median (mean, most)", "before"], body)


def estimated() -> str:
    """Errors where something happened; how often something is found where nothing did."""
    found, body = report("repair-estimators"), []
    for row in found["rows"]:
        truth, images = row["truth"], row["images"]
        noise, blur = truth.get("noise", 0), truth.get("blur", 0)
        noises = [image["noise"] or 0 for image in images]
        blurs = [image["blur"] or 0 for image in images]
        right = sum(image["jpeg"] == truth.get("jpeg") for image in images)
        level = f"{sum(abs(value - noise) for value in noises) / len(noises):.2f}" if "poisson" not in truth else ""
        std = f"{sum(abs(value - blur) for value in blurs) / len(blurs):.2f}" if "scale" not in truth else ""
        gain = sum(image["gain"] for image in images) / len(images)
        body.append([row["damage"], level, std, f"{right} of {len(images)}", f"{gain:.2f}"])
    head = ["damage", "noise: mean error, levels", "blur: mean error, pixels", "JPEG quality right", "mean gain"]
    return markdown(head, body)


def server() -> str:
    """How much quicker a small picture is with a server."""
    found = report("server")["ways"]
    first = next(iter(found.values()))
    body = [
        [name, *(f"{first[key] / way[key]:.1f}" for key in ("seconds", "cpu_seconds"))] for name, way in found.items()
    ]
    return markdown(["denoise a picture of 256 x 256", "times as fast", "times less CPU time"], body)


def qualities() -> str:
    counted = report("repair-estimators")["jpeg_quality"]
    return markdown(
        ["JPEGs saved again as PNG", "quality read right"], [[str(counted["cases"]), str(counted["right"])]]
    )


WIDENED = (0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5)


def verify() -> str:
    """What passes if every limit is taken that many times as wide."""
    found = rows("verify")
    body = []
    for kind, name in sorted({(row["kind"], row["name"]) for row in found}):
        strains = [row["strain"] for row in found if (row["kind"], row["name"]) == (kind, name)]
        passing = [str(sum(strain <= factor for strain in strains)) for factor in WIDENED]
        body.append([f"{kind}: {name}", str(len(strains)), *passing])
    return markdown(["pass, limits times", "of", *(f"{factor:g}" for factor in WIDENED)], body)


def enhanced() -> str:
    table = report("enhance")["rows"]
    methods = list(dict.fromkeys(row["method"] for row in table))
    body = []
    for method in methods:
        of = {row["stops"]: row["mean"] for row in table if row["method"] == method}
        body.append([method, *(f"{of[stops]['psnr']:.2f} / {of[stops]['ssim']:.4f}" for stops in sorted(of))])
    return markdown(["PSNR in dB / SSIM", "2 stops darker", "4 stops darker"], body)


def untouched() -> str:
    found = report("enhance")["untouched"]
    psnr = sorted(one["psnr"] for one in found)
    grown = max(max(one["black"], one["white"]) for one in found)
    left = sum(value == 100 for value in psnr)
    middle = (psnr[(len(psnr) - 1) // 2] + psnr[len(psnr) // 2]) / 2
    median = "unchanged" if middle == 100 else f"{middle:.1f} dB"
    cells = [str(len(psnr)), str(left), median, f"{psnr[0]:.1f} dB", f"{100 * max(grown, 0):.3f} %"]
    return markdown(["pictures", "unchanged", "median PSNR to the input", "the most changed", "most clipped"], [cells])


def composed() -> str:
    body = []
    for row in report("compose")["rows"]:
        mean = row["mean"]
        steps = [f"{mean[name]:.2f}" for name in ("noise_jump", "band_jump")]
        body.append([row["method"], f"{mean['gradient']:.0f}", *steps, f"{mean['changed_beyond']:.0f}"])
    head = ["", "mean squared step across the seam", "noise, inside - outside", "noise, seam - outside"]
    return markdown([*head, "pixels changed beyond the band"], body)


FUSED = (("best", "best copy"), ("naive", "mean"), ("fused", "fused"), ("result", "result"), ("alone", "best alone"))


def fused() -> str:
    """Copies of photographs."""
    body = [[row["case"], *(f"{row[key]:.2f}" for key, _ in FUSED)] for row in report("fuse")["rows"]]
    return markdown(["PSNR in dB", *(title for _, title in FUSED)], body)


def fused_larger() -> str:
    """Shots of photographs that are enlarged by two."""
    keys = (("one", "one shot"), ("fused", "fused, then enlarged"), ("result", "fuse --scale 2"))
    body = [
        [f"{row['shots']} of noise {row['noise']:g}", *(f"{row[key]:.2f}" for key, _ in keys)]
        for row in report("fuse")["enlarged"]
    ]
    return markdown(["PSNR in dB", *(title for _, title in keys)], body)


def fused_frames() -> str:
    """Neighbouring frames of clips."""
    body = [[row["clip"], *(f"{row[key]:.2f}" for key, _ in FUSED)] for row in report("fuse")["bursts"]]
    return markdown(["PSNR in dB", *(title for _, title in FUSED)], body)


def _styled(style: str | None, method: str, strength: float, measure: str) -> float:
    """The mean over photographs, and over styles where none is named."""
    own = rows("stylize", method=method, strength=strength)
    values: list[float] = [row[measure] for row in own if style in (None, row["style"])]
    return sum(values) / len(values)


STYLE_MEASURES = ("lpips", "gram", "sw", "nearest_tenth", "nearest_median")


def styled() -> str:
    """Over all styles and photographs."""
    body = []
    for method, strengths in (("diffuse", (0.0, 0.25, 0.5, 0.75, 1.0)), ("colours alone", (0.5,))):
        for strength in strengths:
            name = "colours alone" if method != "diffuse" else f"strength {strength:g}"
            values = [_styled(None, method, strength, measure) for measure in STYLE_MEASURES]
            body.append([name, *(f"{value:.3f}" for value in values[:3]), *(f"{value:.1f}" for value in values[3:])])
    heads = ["", "LPIPS to the photo", "Gram to the style", "sliced Wasserstein to it"]
    return markdown([*heads, "nearest patch: a tenth are nearer than", "median"], body)


def styled_against_colours() -> str:
    """How much lower than the style's colours alone, at strength .5, and what halves of the style differ by."""
    body = []
    for style, floor in report("stylize")["floors"].items():
        ours, alone = ([_styled(style, m, 0.5, k) for k in ("gram", "sw")] for m in ("diffuse", "colours alone"))
        cells = [f"{100 * (a / b - 1):+.0f} %" for a, b in zip(ours, alone, strict=True)]
        body.append([style, *cells, f"{floor['gram']:.3f}", f"{floor['sw']:.3f}"])
    heads = ["strength 0.5 against colours alone", "Gram", "sliced Wasserstein"]
    return markdown([*heads, "Gram of the style's two halves", "sliced Wasserstein of them"], body)


def style_cost() -> str:
    found = report("stylize")
    learning = max(found["learning_cpu_s"].values())
    body = [
        ["learning a style", f"{learning:.0f}"],
        ["a megapixel in a learned style", f"{found['megapixel_cpu_s']:.0f}"],
    ]
    return markdown(["", "seconds of one core"], body)


CHANGED_TASKS = ("denoise", "super-resolve", "jpeg", "inpaint")


def fine_tuned() -> str:
    """What a short run on textures changed, on textures that it did not see."""
    body = []
    for task in CHANGED_TASKS:
        before, after = (means(f"textures-{when}-{task}") for when in ("before", "after"))
        changes = _changes("textures", task)
        body += [[what, a, b, change] for a, b, (what, change, _) in zip(before, after, changes, strict=True)]
    return markdown(["PSNR in dB", "photo", "fine-tuned", "change (95 %)"], body)


def bettered() -> str:
    """What the last training changed, on photographs that it did not see."""
    body = [row for task in CHANGED_TASKS for row in _changes("heldout", task)]
    return markdown(["held-out photographs", "PSNR in dB (95 %)", "pictures"], body)


MODELS_PUBLISHED = {
    ("set12", "noise 25", "dncnn_25"): "30.43", ("CBSD68", "noise 25", "dncnn_25"): "29.23",
    ("CBSD68", "noise 25", "fdncnn_gray"): "29.22", ("Classic5_gray", "JPEG 10", "dncnn3"): "29.40",
    ("Classic5_gray", "JPEG 40", "dncnn3"): "33.77",
}  # fmt: skip
"""PSNR as Zhang et al. 2017 and their repository publish it, by test set, condition and model."""


def models_published() -> str:
    """Published weights of other people beside the core."""
    body = []
    for name in (
        "models-x2",
        "models-x3",
        "models-x4",
        "models-noise",
        "models-fdncnn",
        "models-noise12",
        "models-jpeg",
    ):
        for row in rows(name):
            if row["method"] not in ("the input", "bicubic"):
                low, high = row["interval"]["psnr"]
                body.append(
                    [
                        row["set"],
                        row["condition"] + (", gray" if row["gray"] else ""),
                        row["method"],
                        figure("psnr", row["mean"]["psnr"]),
                        f"{low:.2f} .. {high:.2f}",
                        MODELS_PUBLISHED.get((row["set"], row["condition"], row["method"]), ""),
                    ]
                )
    return markdown(["set", "condition", "model", "PSNR", "95 %", "published"], body)


MODELS_REAL = (
    ("DnCNN", "denoise"), ("DnCNN", "prior"), ("DnCNN", "dejpeg"), ("DCTLSA", "super-resolve x4"),
    ("Compact", "super-resolve x4"), ("CRAFT", "super-resolve x4"), ("DITN", "super-resolve x4"),
)  # fmt: skip
"""Architectures and roles that published weights were tried of."""
_OF_FOLDERS = [
    ["UNet2DModel", "folder", "generate", "1 or 3", "", "whole", "", "✓", "random"],
    ["pipelines", "folder", "text", "3", "", "whole", "yes", "✓", "random"],
]
"""Rows of folders of diffusers, whose options tests/diffusion/foreign try."""


def models() -> str:
    """Architectures of imported models, and what they were tried with."""
    body = []
    for row in report("models")["models"]:
        if "failed" in row:
            said = row["failed"].split(": ", 1)[1]
            body.append([row["architecture"], row["class"], "fails", "", "", "", "", said, ""])
            continue
        scale = f" x{row['scale']}" if row["scale"] > 1 else ""
        tiles = f"{row['tiled']:.2g}" if "tiled" in row and not row["whole"] else "whole"
        works = all(row.get(key, True) for key in ("gray", "depth_and_alpha", "ensemble", "other_scale", "kept"))
        body.append(
            [row["architecture"], row["class"], f"{row['role']}{scale}", str(row["channels"]),
             "" if row["whole"] else str(row["margin"]), tiles, "yes" if row["bf16"] else "", "✓" if works else "no",
             "published" if (row["architecture"], f"{row['role']}{scale}") in MODELS_REAL else "random"]
        )  # fmt: skip
    head = ["architecture", "class", "role", "channels", "margin", "tiles", "bf16", "options", "weights"]
    return markdown(head, body + _OF_FOLDERS)


def _changes(of: str, task: str) -> list[list[str]]:
    """Each condition, the change of PSNR on the pictures that both reports hold, and how many."""
    before, after = report(f"{of}-before-{task}"), report(f"{of}-after-{task}")
    body = []
    for row, change in zip(before["rows"], (c for c in differences(before, after) if c.measure == "psnr"), strict=True):
        interval = "..".join(f"{end:+.2f}" for end in change.interval or ())
        body.append([row["condition"], f"{change.mean:+.2f} ({interval})", str(change.pictures)])
    return body


TABLES: dict[str, Callable[[], str]] = {
    "summary": summary,
    "beside-classics": beside_classics,
    "published": published,
    "weights": weights,
    "fashion-weights": fashion_weights,
    "denoise": denoise,
    "enlarge": enlarge,
    "blind": blind,
    "bf16": bf16,
    "consistency": consistency,
    "noise-maps": noise_maps,
    "video": video,
    "clean": clean,
    "finding": finding,
    "kernels": kernels,
    "blurs": blurs,
    "ensembles": ensembles,
    "camera": functools.partial(photographs, "camera"),
    "film": functools.partial(photographs, "film"),
    "noisy-jpeg": functools.partial(photographs, "noisy-jpeg"),
    "real-noise": functools.partial(photographs, "real-noise"),
    "fidelity": fidelity,
    "averages": averages,
    "uncertainty": uncertainty,
    "sample-steps": steps,
    "full": full,
    "generated": generated,
    "commands": commands,
    "networks": networks,
    "where-the-time-goes": where_the_time_goes,
    "backends": backends,
    "side-by-side": side_by_side,
    "other-backends": other_backends,
    "batches": batches,
    "compiled": compiled,
    "large": large,
    "rounds": data_rounds,
    "memory": memory,
    "archive": archive,
    "machines": machines,
    "fills": fills,
    "scans": scans,
    "raw": raw,
    "verify": verify,
    "enhance": enhanced,
    "untouched": untouched,
    "compose": composed,
    "fused": fused,
    "fused-larger": fused_larger,
    "fused-frames": fused_frames,
    "styles": styled,
    "fine-tuned": fine_tuned,
    "bettered": bettered,
    "styles-against-colours": styled_against_colours,
    "style-cost": style_cost,
    "restored-blindly": restored_blindly,
    "left-alone": left_alone,
    "marks-alarms": marks_alarms,
    "marks-contrast": marks_contrast,
    "marks-found": marks_found,
    "estimated": estimated,
    "server": server,
    "qualities": qualities,
    "models": models,
    "models-published": models_published,
}


BASELINES_ALONE = {"summary": "denoise-baselines", "beside-classics": "denoise-baselines"}
"""Tables, and a report of which they take the baselines alone, so that its weights do not count."""


def filled(text: str) -> str:
    """A page with every table made anew."""
    return BLOCK.sub(lambda m: f"{m[1]}{_table(m[2])}{m[3]}", text)


def _table(name: str) -> str:
    """A table, and what of it was measured with other weights than the released ones."""
    _read.clear()
    table = TABLES[name]()
    passed = BASELINES_ALONE.get(name)
    told = {k: v.get("checkpoint") for k, v in _read.items() if not k.startswith("heldout-before") and k != passed}
    released = {name: read_info(CHECKPOINTS / f"{name}.safetensors").metadata["steps"] for name in RELEASED}
    older: dict[str, list[str]] = {}
    for k, weights in told.items():
        if isinstance(weights, dict) and released.get(weights["name"], weights["steps"]) != weights["steps"]:
            older.setdefault(weights["steps"], []).append(k)
    for steps, names in older.items():
        which = "" if len(names) == len(told) else f" ({', '.join(f'`{k}`' for k in names)})"
        table += f"\nMeasured with earlier weights, of {steps} steps{which}.\n"
    return table


def main() -> None:
    """Write the pages, or check them."""
    stale = [page for page in PAGES if filled(page.read_text()) != page.read_text()]
    if "--check" in sys.argv[1:]:
        for page in stale:
            print(f"{page}: a table does not match its files; run python -m benchmarks.tables", file=sys.stderr)
        sys.exit(bool(stale))
    for page in stale:
        page.write_text(filled(page.read_text()))


if __name__ == "__main__":
    main()
