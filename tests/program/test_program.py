"""The installed program: results, exit codes, one line an error, nothing half-written."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import EXAMPLES, PROGRAM, ROOT, Run, pixels


def error_line(result: subprocess.CompletedProcess[bytes], code: int) -> str:
    """The one line that a failed run leaves on stderr."""
    lines = result.stderr.decode().splitlines()
    assert result.returncode == code, result.stderr.decode()
    assert result.stdout == b""
    assert len(lines) == 1, lines
    assert lines[0].startswith("diffuse: ")
    return lines[0]


def psnr(a: Path, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((pixels(a).astype(float) - b) ** 2)))


class TestResults:
    def test_denoise_finds_the_noise_and_removes_it(self, diffuse: Run, cat: Path) -> None:
        result = diffuse("denoise", cat)
        assert result.returncode == 0
        assert b"in.png: noise 2" in result.stderr
        out = pixels(cat.with_name("in.denoise.png"))
        assert out.shape == (64, 96, 3)
        assert np.diff(out.astype(float), axis=1).std() < 0.5 * np.diff(pixels(cat).astype(float), axis=1).std()

    def test_many_pictures_into_a_folder_have_the_bytes_of_single_runs(self, diffuse: Run, cat: Path) -> None:
        other = cat.with_name("zweites Bild ü.png")
        with Image.open(cat) as image:
            image.transpose(Image.Transpose.ROTATE_90).save(other)
        assert diffuse("denoise", "-q", "--noise", "25", cat, other, "-o", "both/").stderr == b""
        assert diffuse("denoise", "-q", "--noise", "25", other, "-o", "alone.png").returncode == 0
        assert sorted(p.name for p in (cat.parent / "both").iterdir()) == [cat.name, other.name]
        assert (cat.parent / "both" / other.name).read_bytes() == (cat.parent / "alone.png").read_bytes()

    def test_inpaint_changes_nothing_outside_mask_and_boxes(self, diffuse: Run, cat: Path) -> None:
        mask = np.zeros((64, 96), np.uint8)
        mask[10:20, 30:60] = 255
        mask[40:42] = 128
        mask[50] = 127
        Image.fromarray(mask).save(cat.with_name("m.png"))
        assert diffuse("inpaint", cat, "--mask", "m.png", "--box", "0,0,5,5", "--box", "90,60,20,20").returncode == 0
        hole = mask >= 128
        hole[:5, :5] = hole[60:, 90:] = True
        before, after = pixels(cat), pixels(cat.with_name("in.inpaint.png"))
        assert np.array_equal(before[~hole], after[~hole])
        assert (before[hole] != after[hole]).any(axis=1).mean() > 0.9

    def test_sampled_inpainting_is_exact_too_and_follows_the_seed(self, diffuse: Run, cat: Path) -> None:
        options = ["inpaint", cat, "--box", "20,20,30,20", "--steps", "3", "-q"]
        for seed, name in ((1, "a.png"), (1, "b.png"), (2, "c.png")):
            assert diffuse(*options, "--seed", str(seed), "-o", name).returncode == 0
        a, b, c = (cat.with_name(n) for n in ("a.png", "b.png", "c.png"))
        assert a.read_bytes() == b.read_bytes()
        before, after, other = pixels(cat), pixels(a), pixels(c)
        assert not np.array_equal(after, other)
        after[20:40, 20:50] = before[20:40, 20:50]
        assert np.array_equal(before, after)

    def test_mask_alpha_fills_and_makes_opaque(self, diffuse: Run, cat: Path) -> None:
        rgba = np.dstack([pixels(cat), np.full((64, 96), 255, np.uint8)])
        rgba[20:30, 20:40, 3] = 0
        rgba[50:, 50:, 3] = 200
        Image.fromarray(rgba).save(cat)
        assert diffuse("inpaint", cat, "--mask", "alpha", "-o", "out.png").returncode == 0
        out = pixels(cat.with_name("out.png"))
        assert (out[20:30, 20:40, 3] == 255).all()
        hole = rgba[..., 3] < 128
        assert np.array_equal(out[~hole], rgba[~hole])

    def test_a_jpeg_keeps_its_tables_and_one_line_says_what_exactness_needs(self, diffuse: Run, cat: Path) -> None:
        jpeg = cat.with_suffix(".jpg")
        with Image.open(cat) as image:
            image.save(jpeg, quality=77, subsampling="4:2:0")
        result = diffuse("inpaint", jpeg, "--box", "20,20,8,8", "-q")
        assert result.returncode == 0
        assert len(result.stderr.splitlines()) == 1, result.stderr
        assert b"-o" in result.stderr
        with Image.open(jpeg) as before, Image.open(cat.with_name("in.inpaint.jpg")) as after:
            assert before.quantization == after.quantization  # type: ignore[attr-defined]
            assert before.layer == after.layer  # type: ignore[attr-defined]
        assert diffuse("inpaint", jpeg, "--box", "20,20,8,8", "-o", "exact.png").returncode == 0
        a, b = pixels(jpeg).copy(), pixels(cat.with_name("exact.png")).copy()
        a[20:28, 20:28] = b[20:28, 20:28] = 0
        assert np.array_equal(a, b)

    def test_orientation_is_applied_to_picture_mask_and_box(self, diffuse: Run, cat: Path) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6
        turned = cat.with_name("turned.png")
        with Image.open(cat) as image:
            image.save(turned, exif=exif.tobytes())
        assert diffuse("inpaint", turned, "--box", "0,0,64,3", "-o", "out.png").returncode == 0
        out, upright = pixels(cat.with_name("out.png")), np.rot90(pixels(cat), -1)
        assert out.shape == (96, 64, 3)
        assert np.array_equal(out[3:], upright[3:])

    @pytest.mark.parametrize(
        ("options", "size"),
        [
            (["--scale", "1.37"], (132, 88)),
            (["--to-size", "300x100"], (150, 100)),
            (["--long-edge", "120"], (120, 80)),
        ],
    )
    def test_super_resolve_sizes(self, diffuse: Run, cat: Path, options: list[str], size: tuple[int, int]) -> None:
        assert diffuse("super-resolve", cat, *options, "-o", "out.png").returncode == 0
        with Image.open(cat.with_name("out.png")) as image:
            assert image.size == size

    def test_gray_stays_gray(self, diffuse: Run, cat: Path) -> None:
        gray, rgb = cat.with_name("gray.png"), cat.with_name("rgb.png")
        with Image.open(cat) as image:
            image.convert("L").save(gray)
            image.convert("L").convert("RGB").save(rgb)
        assert diffuse("super-resolve", "--scale", "2", "--steps", "2", gray, rgb, "-o", "out/").returncode == 0
        one, three = pixels(cat.parent / "out" / "gray.png"), pixels(cat.parent / "out" / "rgb.png")
        assert one.ndim == 2
        assert np.array_equal(three, np.repeat(one[..., None], 3, 2))

    @pytest.mark.parametrize("size", [(1, 1), (3, 5000), (17, 1)])
    def test_odd_sizes(self, diffuse: Run, tmp_path: Path, size: tuple[int, int]) -> None:
        rng = np.random.default_rng(0)
        Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), np.uint8)).save(tmp_path / "odd.png")
        assert diffuse("denoise", "odd.png", "--noise", "20").returncode == 0
        assert pixels(tmp_path / "odd.denoise.png").shape == (size[1], size[0], 3)

    def test_generate(self, diffuse: Run, tmp_path: Path) -> None:
        result = diffuse("generate", "-n", "3", "--size", "40x24", "--steps", "3", "--seed", "9", "-o", "out/")
        assert result.returncode == 0
        names = sorted(p.name for p in (tmp_path / "out").iterdir())
        assert names == ["generate.9.0.png", "generate.9.1.png", "generate.9.2.png"]
        pictures = [pixels(tmp_path / "out" / n) for n in names]
        assert {p.shape for p in pictures} == {(24, 40, 3)}
        assert not np.array_equal(pictures[0], pictures[1])
        assert diffuse("generate", "--size", "40x24", "--steps", "3", "--seed", "9").returncode == 0
        assert (tmp_path / "generate.9.0.png").read_bytes() == (tmp_path / "out" / names[0]).read_bytes()
        options = ["-n", "3", "--size", "40x24", "--steps", "3", "--seed", "9"]
        assert diffuse("generate", *options, "--grid", "-o", "g.png").returncode == 0
        assert np.array_equal(pixels(tmp_path / "g.png")[:24, :40], pictures[0])
        assert pixels(tmp_path / "g.png").shape == (50, 82, 3)

    def test_an_empty_mask_warns_and_is_no_failure(self, diffuse: Run, cat: Path) -> None:
        Image.new("L", (96, 64)).save(cat.with_name("m.png"))
        result = diffuse("inpaint", cat, "--mask", "m.png", "-o", "out.png")
        assert result.returncode == 0
        assert b"mask is empty" in result.stderr
        assert np.array_equal(pixels(cat), pixels(cat.with_name("out.png")))

    def test_a_full_mask_warns(self, diffuse: Run, cat: Path) -> None:
        result = diffuse("inpaint", cat, "--box", "0,0,96,64", "-o", "out.png")
        assert result.returncode == 0
        assert b"covers the whole picture" in result.stderr

    def test_strength_blends_and_chroma_strength_leaves_luma(self, diffuse: Run, cat: Path) -> None:
        options = ["denoise", cat, "--noise", "25", "-q"]
        assert diffuse(*options, "-o", "full.png").returncode == 0
        assert diffuse(*options, "--strength", "0.5", "-o", "half.png").returncode == 0
        assert diffuse(*options, "--strength", "0", "--chroma-strength", "1", "-o", "chroma.png").returncode == 0
        before = pixels(cat).astype(float)
        full, half, chroma = (pixels(cat.with_name(f"{n}.png")).astype(float) for n in ("full", "half", "chroma"))
        assert np.abs(half - (before + full) / 2).max() <= 1
        weights = np.array([0.299, 0.587, 0.114])
        inside = (chroma > 0) & (chroma < 255)
        assert np.abs((chroma - before) @ weights)[inside.all(2)].max() <= 1
        assert np.abs(chroma - before).mean() > 3


class TestErrors:
    """Every error is one line on stderr and a documented code; the input is untouched and nothing is written."""

    @pytest.fixture(autouse=True)
    def _nothing_changes(self, cat: Path, request: pytest.FixtureRequest) -> object:
        before = cat.read_bytes()
        yield
        assert cat.read_bytes() == before
        assert not list(cat.parent.rglob("*.diffuse-tmp"))
        assert not list(cat.parent.glob("in.*.png"))

    @pytest.mark.parametrize(
        "arguments",
        [
            ["denoise", "nosuch.png"],
            ["denoise", "nosuch*.png"],
            ["denoise", "in.png", "empty/"],
            ["denoise"],
            ["denoise", "-0", "in.png"],
            ["denoise", "--files-from", "nosuch.txt"],
            ["denoise", "in.png", "-"],
            ["denoise", "in.png", "--json", "-o", "-"],
            ["denoise", "in.png", "exists.png", "-o", "-"],
            ["denoise", "in.png", "-f", "--on-exists", "skip"],
            ["denoise", "in.png", "-o", "{nosuch}.png"],
            ["denoise", "in.png", "-o", "{stem.png"],
            ["denoise", "in.png", "-o", "exists.png/x/{stem}{ext}"],
            ["denoise", "in.png", "--shard", "3/2"],
            ["denoise", "in.png", "--shard", "0/2"],
            ["denoise", "in.png", "--journal", "exists.png/j"],
            ["denoise", "in.png", "--noise", "nan"],
            ["denoise", "in.png", "--noise", "-3"],
            ["denoise", "in.png", "--noise", "loud"],
            ["denoise", "in.png", "--strength", "nan"],
            ["denoise", "in.png", "--strength", "1.5"],
            ["denoise", "in.png", "--chroma-strength", "-1"],
            ["denoise", "in.png", "--steps", "0"],
            ["denoise", "in.png", "--seed", "-1"],
            ["denoise", "in.png", "--tile", "5"],
            ["denoise", "in.png", "--tile", "many"],
            ["denoise", "in.png", "--threads", "0"],
            ["denoise", "in.png", "--dtype", "fp7"],
            ["denoise", "in.png", "--nosuch"],
            ["denoise", "in.png", "-o", "in.png"],
            ["denoise", "in.png", "-f", "-o", "in.png"],
            ["denoise", "in.png", "-o", "exists.png"],
            ["denoise", "in.png", "-o", "missing/out.png"],
            ["denoise", "in.png", "-o", "out.xyz"],
            ["denoise", "in.png", "-o", "exists.png/"],
            ["denoise", "in.png", "exists.png", "-o", "one.png"],
            ["denoise", "in.png", "in.png", "-o", "out/"],
            ["inpaint", "in.png"],
            ["inpaint", "in.png", "--mask", "nosuch.png"],
            ["inpaint", "in.png", "--mask", "{nosuch}.png"],
            ["inpaint", "in.png", "--mask", "nosuch/"],
            ["inpaint", "in.png", "--box", "1,2,3"],
            ["inpaint", "in.png", "--box", "1,2,0,4"],
            ["super-resolve", "in.png"],
            ["super-resolve", "in.png", "--scale", "0"],
            ["super-resolve", "in.png", "--scale", "1"],
            ["super-resolve", "in.png", "--scale", "nan"],
            ["super-resolve", "in.png", "--scale", "100"],
            ["super-resolve", "in.png", "--scale", "2", "--long-edge", "500"],
            ["super-resolve", "in.png", "--to-size", "big"],
            ["generate", "--size", "0x5"],
            ["generate", "--size", "64"],
            ["generate", "-n", "0"],
            ["generate", "--steps", "1"],
            ["generate", "--label", "cat"],
            ["generate", "-n", "2", "-o", "one.png"],
            ["nosuch"],
            ["--nosuch"],
        ],
        ids=" ".join,
    )
    def test_usage(self, diffuse: Run, cat: Path, arguments: list[str]) -> None:
        existing = cat.with_name("exists.png")
        existing.write_bytes(cat.read_bytes())
        (cat.parent / "empty").mkdir()
        error_line(diffuse(*arguments), 2)
        assert existing.read_bytes() == cat.read_bytes()
        assert sorted(p.name for p in cat.parent.iterdir() if p.is_file()) == ["exists.png", "in.png"]

    @pytest.mark.parametrize("name", [b"two\nlines.png", b"not utf-8 \xff.png", "prix élevé 写真.png".encode()])
    def test_any_name_fits_one_line(self, diffuse: Run, cat: Path, name: bytes) -> None:
        error_line(diffuse("denoise", os.fsdecode(name)), 2)
        (cat.parent / os.fsdecode(name)).write_text("no picture")
        error_line(diffuse("denoise", os.fsdecode(name), "--noise", "9"), 1)

    @pytest.mark.parametrize("kind", ["text", "empty", "truncated"])
    def test_one_bad_picture_is_named_and_the_others_are_done(self, diffuse: Run, cat: Path, kind: str) -> None:
        data = {"text": b"hello\n", "empty": b"", "truncated": cat.read_bytes()[:3000]}[kind]
        cat.with_name("bad.png").write_bytes(data)
        result = diffuse("denoise", "-q", "--noise", "20", "bad.png", "in.png", "-o", "out/")
        lines = result.stderr.decode().splitlines()
        assert result.returncode == 1
        assert lines[0] == "diffuse: 1 of 2 pictures failed:"
        assert lines[1].startswith("diffuse: bad.png: ")
        assert [p.name for p in (cat.parent / "out").iterdir()] == ["in.png"]

    @pytest.mark.parametrize(
        "arguments",
        [
            ["inpaint", "in.png", "--mask", "small.png"],
            ["inpaint", "in.png", "--mask", "alpha"],
            ["inpaint", "in.png", "--mask", "text.png"],
            ["inpaint", "in.png", "--box", "96,0,5,5"],
            ["super-resolve", "in.png", "--to-size", "50x50"],
            ["super-resolve", "in.png", "--long-edge", "96"],
            ["super-resolve", "in.png", "--long-edge", "5000"],
        ],
        ids=" ".join,
    )
    def test_one_picture(self, diffuse: Run, cat: Path, arguments: list[str]) -> None:
        Image.new("L", (9, 9)).save(cat.with_name("small.png"))
        cat.with_name("text.png").write_text("hello")
        error_line(diffuse(*arguments), 1)

    @pytest.mark.parametrize("content", [b"", b"hello" * 100, None])
    def test_models(self, diffuse: Run, cat: Path, content: bytes | None) -> None:
        if content is not None:
            cat.with_name("m.safetensors").write_bytes(content)
        assert "m.safetensors" in error_line(diffuse("denoise", "in.png", "--model", "m.safetensors"), 3)
        assert "m.safetensors" in error_line(diffuse("models", "verify", "m.safetensors"), 3)
        assert "m.safetensors" in error_line(diffuse("models", "info", "m.safetensors"), 3)

    def test_an_unknown_device_is_a_usage_error(self, diffuse: Run, cat: Path) -> None:
        import torch

        if not torch.cuda.is_available():
            error_line(diffuse("denoise", "in.png", "--device", "cuda"), 2)

    @pytest.mark.skipif(os.name != "posix", reason="limits a file's size as POSIX shells do")
    def test_a_full_disk_leaves_nothing(self, cat: Path) -> None:
        """A file size limit stands in for a disk that fills up in mid-write."""
        command = f"ulimit -f 4; exec '{PROGRAM}' denoise in.png --noise 20"
        result = subprocess.run(["bash", "-c", command], cwd=cat.parent, capture_output=True, check=False)
        error_line(result, 1)


def test_models_list_info_verify(diffuse: Run) -> None:
    listed = [line.split(b"\t")[0] for line in diffuse("models", "list").stdout.splitlines()]
    assert listed == [b"fashion", b"photo"]
    assert b"sha256: " in diffuse("models", "info").stdout
    assert diffuse("models", "verify", "photo").returncode == 0


def test_version_and_module_entry(diffuse: Run) -> None:
    version = diffuse("--version").stdout
    assert version.startswith(b"diffuse ")
    module = subprocess.run([sys.executable, "-m", "diffuse_cli", "--version"], capture_output=True, check=True)
    assert module.stdout == version
    assert PROGRAM.with_name("diffuse-cli").exists()


def test_without_arguments_the_help_is_shown(diffuse: Run) -> None:
    for arguments in ([], ["models"]):
        result = diffuse(*arguments)
        assert result.returncode == 2
        assert len((result.stdout + result.stderr).splitlines()) > 8


def test_help_imports_nothing_that_computes() -> None:
    """What help costs is what it imports; beside typer that is only this package's own modules."""
    for command in ([], ["denoise"], ["train"], ["evaluate"]):
        listing = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "diffuse_cli", *command, "--help"],
            check=True, capture_output=True, text=True,
        ).stderr  # fmt: skip
        loaded = {line.rsplit("|", 1)[1].strip().split(".")[0] for line in listing.splitlines() if "|" in line}
        assert "typer" in loaded
        assert not loaded & {"torch", "numpy", "PIL", "safetensors", "rich", "pydantic", "skimage", "scipy"}


def test_every_option_is_explained(diffuse: Run) -> None:
    for command in ("denoise", "inpaint", "super-resolve", "generate"):
        text = diffuse(command, "--help", COLUMNS="200").stdout.decode()
        lines = [line.strip() for line in text.split("Options:")[1].splitlines()]
        options = [k for k, line in enumerate(lines) if line.startswith("-")]
        assert len(options) > 10
        assert all("  " in lines[k] or (lines[k + 1] and lines[k + 1][0] != "-") for k in options)


def test_examples_are_restored(diffuse: Run) -> None:
    """The README's first command, on a real photograph, against the undamaged one's statistics."""
    assert diffuse("denoise", EXAMPLES / "rocket_noisy.jpg", "-o", "rocket.jpg", "-q").returncode == 0
    assert os.environ.get("PYTHONPATH") is None or ROOT.is_dir()
