"""A recipe and what it was made from give the same bytes again."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from skimage import data

from diffuse_cli.images.image_io import Picture, read_picture, write_picture
from diffuse_cli.provenance import recipe
from diffuse_cli.provenance.replay import Option, arguments
from tests.conftest import pixels
from tests.helpers.program import Program


@pytest.fixture
def folder(cat: Path, toy_file: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where in.png is, with two masks, and the tiny network as a checkpoint that --model knows by name."""
    data = cat.parent / "data"
    models = data / "diffuse" / "checkpoints"
    monkeypatch.setenv("XDG_DATA_HOME", str(data))
    monkeypatch.chdir(cat.parent)
    models.mkdir(parents=True)
    (models / "toy.safetensors").write_bytes(toy_file.read_bytes())
    for name, box in (("mask.png", (20, 10, 50, 30)), ("other.png", (20, 10, 50, 31))):
        mask = Image.new("L", (96, 64))
        mask.paste(255, box)
        mask.save(cat.with_name(name))
    Image.linear_gradient("L").resize((96, 64)).point(lambda level: 5 + level // 10).save(cat.with_name("map.png"))
    with Image.open(cat) as image:
        image.transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(cat.with_name("cut.png"))
    return cat.parent


MADE = [
    ("out.png", "denoise --noise 20 --strength 0.7 --chroma-strength 1"),
    ("out.jpg", "denoise --steps 2 --seed 5 --quality 80"),
    ("out.tif", "denoise --depth 16 --tile 64 --dtype bf16"),
    pytest.param(
        "out.webp",
        "inpaint --box 3,4,10,11 --box 60,9,8,8 --invert-mask --steps 2 --solver heun",
        marks=pytest.mark.slow,
    ),
    ("out.png", "inpaint --mask mask.png --metadata strip"),
    ("out.png", "super-resolve --to-size 200x120"),
    ("out.avif", "super-resolve --scale 1.3"),
    ("out.png", "restore --scale 1.5 --mask mask.png"),
    ("out.jpg", "restore --noise 9 --only noise,jpeg --steps 2"),
    ("out.png", "denoise --noise poisson"),
    ("out.png", "denoise --noise-map map.png"),
    ("out.png", "deblur --blur 1.2"),
    ("out.png", "denoise --noise 20 --samples 3 --average --steps 2"),
    ("out.png", "denoise --noise 20 --fidelity 0.5 --steps 2 --seed 3"),
    ("out.png", "inpaint --box 5,5,60,50 --steps 1"),
    ("out.png", "inpaint --box 5,5,60,50"),
    ("out.png", "inpaint --polygon 5,5,40,8.5,20,40 --box 60,10,8,8 --grow 3 --feather 2"),
    ("out.png", "restore --mask auto --mask-limit 90 --noise 10"),
    ("out.png", "enhance --exposure 0.5"),
    ("out.png", "extend --pad 4,0,8,3 --steps 2"),
    ("out.png", "compose --insert cut.png --at 9,-3 --scale 0.8 --rotate 10"),
    ("out.png", "compose --join cut.png --mask mask.png --blend gradient"),
    ("out.png", "dejpeg --jpeg 40"),
]


@pytest.mark.parametrize(("name", "options"), MADE)
def test_every_command_makes_the_same_bytes_again(run: Program, folder: Path, name: str, options: str) -> None:
    assert run(*options.split(), "in.png", "-o", name, "--model", "toy", "-q").exit_code == 0
    files = {"--mask": "mask.png", "--noise-map": "map.png", "--insert": "cut.png", "--join": "cut.png"}
    given = [word for flag, file in files.items() if flag in options.split() for word in (flag, file)]
    result = run("replay", name, "--input", "in.png", *given, "-o", f"again{Path(name).suffix}")
    assert (result.exit_code, result.output.splitlines()[-1][-len(name) - 18 :]) == (0, f"the same bytes as {name}")
    assert (folder / name).read_bytes() == (folder / f"again{Path(name).suffix}").read_bytes()
    assert {path.name for path in folder.iterdir()} >= {name, "in.png"}
    assert not list(folder.glob(".diffuse-replay*"))


def test_what_was_drawn_from_nothing(run: Program, folder: Path) -> None:
    size = ["--size", "24x16", "--steps", "2", "--model", "toy", "-q"]
    assert run("generate", "-n", "3", "--seed", "4", *size, "-o", "g/").exit_code == 0
    assert run("generate", "-n", "3", "--grid", *size, "-o", "sheet.png").exit_code == 0
    for path in (folder / "g" / "generate.4.2.png", folder / "sheet.png"):
        assert run("replay", path).exit_code == 0
        assert path.read_bytes() == path.with_name(f"{path.stem}.replay.png").read_bytes()
    assert run("replay", "sheet.png", "--input", "in.png", "-f").exit_code == 2


def test_one_of_several_samples_and_what_lies_beside_them(run: Program, folder: Path) -> None:
    options = (
        "--noise 20 --samples 3 --steps 2 --seed 8 --uncertainty map.tif --uncertainty-view view.png --trace t.png"
    )
    assert run("denoise", "in.png", *options.split(), "--model", "toy", "-q", "-o", "s/").exit_code == 0
    for path in (Path("s/in.2.png"), Path("map.tif"), Path("view.png"), Path("t.png")):
        result = run("replay", path, "--input", "in.png")
        assert result.exit_code == 0, result.output
        assert path.read_bytes() == path.with_name(f"{path.stem}.replay{path.suffix}").read_bytes()


def test_damage(run: Program, folder: Path) -> None:
    damage = "--blur 1.1 --scale 1.5 --noise 9 --poisson 0.5 --mask-random dust --mask-share 0.2 --seed 3"
    assert run("degrade", "in.png", *damage.split(), "--jpeg", "70", "-o", "bad.jpg", "-q").exit_code == 0
    assert run("replay", "bad.jpg", "--input", "in.png").exit_code == 0
    assert (folder / "bad.jpg").read_bytes() == (folder / "bad.replay.jpg").read_bytes()
    assert sorted(path.name for path in folder.glob("bad*")) == [
        "bad.jpg",
        "bad.json",
        "bad.mask.png",
        "bad.replay.jpg",
    ]


def test_what_is_given_again_is_checked_by_its_hash(run: Program, folder: Path) -> None:
    made = ["inpaint", "in.png", "--mask", "mask.png", "-o", "out.png", "--model", "toy", "-q"]
    assert run(*made).exit_code == 0
    for options, words in (
        ([], "give --input"),
        (["--input", "in.png"], "--mask FILE"),
        (["--input", "in.png", "--mask", "other.png"], "other.png"),
        (["--input", "other.png", "--mask", "mask.png"], "other.png"),
        (["--input", "gone.png", "--mask", "mask.png"], "gone.png"),
        (["--input", "in.png", "--mask", "mask.png", "-o", "in.png", "-f"], "-o FILE"),
    ):
        result = run("replay", "out.png", *options)
        assert result.exit_code == 2
        assert words in result.output
        assert len(result.output.splitlines()) == 1
    assert not (folder / "out.replay.png").exists()
    assert run("replay", "in.png", "--input", "in.png").exit_code == 2  # no recipe


def test_other_settings_do_not_matter_and_other_bytes_are_told(
    run: Program, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = ["denoise", "in.png", "--noise", "20", "-o", "out.png", "--model", "toy", "--dtype", "fp32", "-q"]
    assert run(*made).exit_code == 0
    monkeypatch.setenv("DIFFUSE_STRENGTH", "0.5")
    assert run("replay", "out.png", "--input", "in.png").exit_code == 0
    picture = read_picture(folder / "out.png")
    changed = picture.pixels.copy()
    changed[5, 5] += 8 / 127.5
    tampered = Picture(pixels=changed, source=picture.source)
    told = recipe.read(folder / "out.png") or {}
    object.__setattr__(tampered.source, "provenance", recipe.to_rdf(told))
    write_picture(tampered, folder / "changed.png")
    result = run("replay", "changed.png", "--input", "in.png")
    assert result.exit_code == 1
    assert "differ by up to 8 of 255 levels" in result.output
    told["diffuse"] = "0.0.1"
    (folder / "old.json").write_text(json.dumps({"recipe": told}))
    result = run("replay", "out.png", "--recipe", "old.json", "--input", "in.png", "-f")
    assert result.exit_code == 0
    assert "made by diffuse 0.0.1" in result.output
    told["checkpoint"] = "0" * 64
    (folder / "old.json").write_text(json.dumps(told))
    assert run("replay", "out.png", "--recipe", "old.json", "--input", "in.png", "-f").exit_code == 3
    other = ["--recipe", "old.json", "--input", "in.png", "-f", "--model", "toy", "--dtype", "bf16"]
    result = run("replay", "out.png", *other)
    assert "pixels will differ" in result.output
    assert "not in bf16" in result.output


@pytest.mark.parametrize(
    ("options", "phrases"),
    [
        ("denoise --noise poisson", ["noise by brightness"]),
        ("denoise --noise auto-map", ["noise by brightness and place"]),
        ("restore --only blur", ["noise if blurred", "blur"]),
        ("restore --noise 9 --jpeg 100", ["blur"]),
        ("deblur", ["noise if blurred", "blur"]),
    ],
)
def test_a_file_of_0_1_0_is_replayed_and_verified(run: Program, folder: Path, options: str, phrases: list[str]) -> None:
    assert run(*options.split(), "in.png", "-o", "new.png", "--model", "toy", "-q").exit_code == 0
    told = recipe.read(folder / "new.png") or {}
    old = {**told, "estimated": phrases, **({"wide_holes": "texture", "seed": 0} if "restore" in options else {})}
    made = read_picture(folder / "new.png")
    signed = replace(made, source=replace(made.source, xmp=b"", provenance=recipe.to_rdf(old)))
    write_picture(signed, folder / "old.png")
    result = run("replay", "old.png", "--input", "in.png", "-o", "again.png")
    assert (result.exit_code, result.output.strip()) == (
        0, "again.png: the same pixels and recipe as old.png, which has an older form of recipe"
    )  # fmt: skip
    assert (folder / "again.png").read_bytes() == (folder / "new.png").read_bytes()
    verified = [run("verify", name, "--against", "in.png", "--json").stdout for name in ("old.png", "new.png")]
    assert json.loads(verified[0])["figures"] == json.loads(verified[1])["figures"]
    changed = made.pixels.copy()
    changed[5, 5] += 8 / 127.5
    write_picture(replace(signed, pixels=changed), folder / "old.png")
    assert run("replay", "old.png", "--input", "in.png", "-f").exit_code == 1


def test_a_format_that_cannot_tell_is_replayed_from_the_line_that_did(run: Program, folder: Path) -> None:
    made = run("denoise", "in.png", "--noise", "20", "-o", "out.ppm", "--model", "toy", "-q", "--json")
    (folder / "line.json").write_text(made.stdout.splitlines()[0])
    assert run("replay", "out.ppm", "--input", "in.png").exit_code == 2
    assert run("replay", "out.ppm", "--input", "in.png", "--recipe", "line.json").exit_code == 0
    assert (pixels(folder / "out.ppm") == pixels(folder / "out.replay.ppm")).all()


def test_keys_are_options() -> None:
    options = {
        "noise": Option(flag="--noise"), "box": Option(flag="--box", many=True), "scale": Option(flag="--scale"),
        "to_size": Option(flag="--to-size"), "invert_mask": Option(flag="--invert-mask", switch=True),
        "mask": Option(flag="--mask"), "format": Option(flag="--format"),
    }  # fmt: skip
    told = {"noise": 3.14, "estimated": {"noise": "auto"}, "to_size": [3, 4], "scale": 2.0, "who": 1, "format": "PNG"}
    expected = ["--noise", "auto", "--to-size", "3x4", "--format", "png"]
    assert sorted(arguments(told, options, {})) == sorted(expected)
    told = {"boxes": [[1, 2, 3, 4], [5, 6, 7, 8]], "invert_mask": True, "mask": "alpha", "noise": None}
    boxes = ["--box", "1,2,3,4", "--box", "5,6,7,8"]
    assert sorted(arguments(told, options, {})) == sorted([*boxes, "--invert-mask", "--mask", "alpha"])
    assert arguments({"estimated": {"noise": "if-blurred"}, "noise": 2.0}, options, {}) == []
    assert arguments({"estimated": {"noise": "poisson"}, "noise": 2.0}, options, {}) == ["--noise", "poisson"]


def test_what_was_undone_before_the_network_is_made_again_and_explained(run: Program, folder: Path) -> None:
    """Impulses and row noise: told in the recipe, found again by replay and by verify."""
    clean = data.coffee()[60:220, 60:260].astype(float)
    rng = np.random.default_rng(1)
    rows = (clean + rng.normal(0, 6, (160, 1, 1))).round().clip(0, 255)
    for name, levels in (("salt", clean), ("rows", rows)):
        drawn = rng.random(clean.shape[:2])
        if name == "salt":
            levels[drawn < 0.02], levels[drawn > 0.98] = 0, 255
        Image.fromarray(levels.astype(np.uint8)).save(f"{name}.png")
        for command in ("denoise", "denoise --strength 0.6", "restore --jpeg 100 --blur 0"):
            made = run(*command.split(), f"{name}.png", "--model", "toy", "-o", "made.png", "-f", "-q")
            assert made.exit_code == 0, made.output
            told = recipe.read(folder / "made.png")
            assert told is not None
            assert told["noise"] < 2
            assert ("impulses" if name == "salt" else "row_noise") in told
            again = run("replay", "made.png", "--input", f"{name}.png", "-o", "again.png", "--model", "toy", "-f")
            assert again.exit_code == 0, again.output
            assert (folder / "again.png").read_bytes() == (folder / "made.png").read_bytes()
            if told["noise"] == 0:  # else the tiny network has changed what it removes
                checked = run("verify", "made.png", "--against", f"{name}.png")
                assert checked.exit_code == 0, checked.output
        forged = pixels(folder / "made.png")
        forged[96:128, 96:128] ^= 64
        with Image.open(folder / "made.png") as image:
            Image.fromarray(forged).save("forged.png", pnginfo=_texts(image))
        assert run("verify", "forged.png", "--against", f"{name}.png").exit_code == 1


def _texts(image: Image.Image) -> PngInfo:
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", image.info["XML:com.adobe.xmp"])
    return info


def test_enlargements_from_before_pictures_were_looked_at() -> None:
    """Their recipes do not say plain, which they all were."""
    options = {"scale": Option(flag="--scale"), "plain": Option(flag="--plain", switch=True)}
    old = {"operation": "super-resolve", "scale": 2.0, "consistent": False}
    assert arguments(old, options, {}) == ["--scale", "2.0", "--plain"]
    assert arguments({**old, "plain": False}, options, {}) == ["--scale", "2.0"]
