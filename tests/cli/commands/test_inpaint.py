"""diffuse inpaint: what is not filled stays to the bit."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from diffuse_cli import Inpaint
from diffuse_cli import restore as restore_any
from diffuse_cli.degradation.mask_shapes import fading, grown, polygon_mask
from diffuse_cli.images.image_io import read_picture
from diffuse_cli.provenance import recipe
from diffuse_cli.provenance.recipe import read
from tests.conftest import EXAMPLES, pixels
from tests.helpers.program import Program, json_lines
from tests.helpers.source_types import GENERATED, signed, stating


def test_inpaint_changes_nothing_outside_mask_and_boxes(run: Program, cat: Path) -> None:
    mask = np.zeros((64, 96), np.uint8)
    mask[10:20, 30:60] = 255
    mask[40:42] = 128
    mask[50] = 127
    Image.fromarray(mask).save(cat.with_name("m.png"))
    assert run("inpaint", cat, "--mask", "m.png", "--box", "0,0,5,5", "--box", "90,60,20,20").exit_code == 0
    hole = mask > 0
    hole[:5, :5] = hole[60:, 90:] = True
    before, after = pixels(cat), pixels(cat.with_name("in.inpaint.png"))
    assert np.array_equal(before[~hole], after[~hole])
    assert (before[hole] != after[hole]).any(axis=1).mean() > 0.9


def test_sampled_inpainting_is_exact_too_and_follows_the_seed(run: Program, cat: Path) -> None:
    options = ["inpaint", cat, "--box", "20,20,30,20", "--steps", "3", "-q"]
    for seed, name in ((1, "a.png"), (1, "b.png"), (2, "c.png")):
        assert run(*options, "--seed", str(seed), "-o", name).exit_code == 0
    a, b, c = (cat.with_name(n) for n in ("a.png", "b.png", "c.png"))
    assert a.read_bytes() == b.read_bytes()
    before, after, other = pixels(cat), pixels(a), pixels(c)
    assert not np.array_equal(after, other)
    after[20:40, 20:50] = before[20:40, 20:50]
    assert np.array_equal(before, after)


def test_mask_alpha_fills_and_makes_opaque(run: Program, cat: Path) -> None:
    rgba = np.dstack([pixels(cat), np.full((64, 96), 255, np.uint8)])
    rgba[20:30, 20:40, 3] = 0
    rgba[50:, 50:, 3] = 200
    Image.fromarray(rgba).save(cat)
    assert run("inpaint", cat, "--mask", "alpha", "-o", "out.png").exit_code == 0
    out = pixels(cat.with_name("out.png"))
    assert (out[20:30, 20:40, 3] == 255).all()
    hole = rgba[..., 3] < 128
    assert np.array_equal(out[~hole], rgba[~hole])


def test_a_jpeg_keeps_its_tables_and_one_line_says_what_exactness_needs(run: Program, cat: Path) -> None:
    jpeg = cat.with_suffix(".jpg")
    with Image.open(cat) as image:
        image.save(jpeg, quality=77, subsampling="4:2:0")
    result = run("inpaint", jpeg, "--box", "20,20,8,8", "-q")
    assert result.exit_code == 0
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert "-o" in result.stderr
    with Image.open(jpeg) as before, Image.open(cat.with_name("in.inpaint.jpg")) as after:
        assert before.quantization == after.quantization  # type: ignore[attr-defined]
        assert before.layer == after.layer  # type: ignore[attr-defined]
    assert run("inpaint", jpeg, "--box", "20,20,8,8", "-o", "exact.png").exit_code == 0
    a, b = pixels(jpeg).copy(), pixels(cat.with_name("exact.png")).copy()
    a[20:28, 20:28] = b[20:28, 20:28] = 0
    assert np.array_equal(a, b)


def test_orientation_is_applied_to_picture_mask_and_box(run: Program, cat: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = cat.with_name("turned.png")
    with Image.open(cat) as image:
        image.save(turned, exif=exif.tobytes())
    assert run("inpaint", turned, "--box", "0,0,64,3", "-o", "out.png").exit_code == 0
    out, upright = pixels(cat.with_name("out.png")), np.rot90(pixels(cat), -1)
    assert out.shape == (96, 64, 3)
    assert np.array_equal(out[3:], upright[3:])


def test_an_empty_mask_is_an_error(run: Program, cat: Path) -> None:
    Image.new("L", (96, 64)).save(cat.with_name("m.png"))
    for options in (("--mask", "m.png"), ("--box", "0,0,96,64", "--invert-mask")):
        result = run("inpaint", cat, *options, "-o", "out.png")
        assert result.exit_code == 1
        assert "mask is empty" in result.stderr
        assert not cat.with_name("out.png").exists()


def test_a_full_mask_is_an_error(run: Program, cat: Path) -> None:
    result = run("inpaint", cat, "--box", "0,0,96,64", "-o", "out.png")
    assert result.exit_code == 1
    assert "covers the whole picture" in result.stderr
    assert not cat.with_name("out.png").exists()


def test_outside_of_the_grown_polygon_all_is_exact(run: Program, cat: Path, toy_file: Path) -> None:
    line = ["inpaint", cat, "--model", toy_file, "--polygon", "20,20,50,20,35,45", "--grow", "2", "--smooth-fill"]
    assert run(*line, "-o", "hard.png", "--save-mask", "m.png").exit_code == 0
    assert run(*line, "-o", "soft.png", "--feather", "6").exit_code == 0
    before, hard, soft = (pixels(cat.with_name(name)).astype(int) for name in ("in.png", "hard.png", "soft.png"))
    hole = pixels(cat.with_name("m.png")) > 0
    assert np.array_equal(hole, grown(polygon_mask((64, 96), [(20, 20), (50, 20), (35, 45)]), 2))
    assert np.array_equal(before[~hole], hard[~hole])
    assert np.array_equal(before[~hole], soft[~hole])
    rim = hole & ~ndimage.binary_erosion(hole)
    assert np.abs(soft - before)[rim].mean() < 0.5 * np.abs(hard - before)[rim].mean()
    assert np.array_equal(soft[fading(hole, 6) == 1], hard[fading(hole, 6) == 1])


def test_a_mask_that_was_found_can_be_given_again(run: Program, cat: Path, toy_file: Path) -> None:
    scratched = cat.with_name("old.png")
    with Image.open(EXAMPLES / "camera_scratched.png") as image:
        image.crop((150, 100, 390, 340)).save(scratched)
    line = ["inpaint", scratched, "--model", toy_file, "--mask-limit", "40"]
    found = run(*line, "--mask", "auto", "--save-mask", "masks/", "-o", "a.png")
    assert found.exit_code == 0, found.stderr
    assert "% of the picture looks like dust" in found.stderr
    again = run("inpaint", scratched, "--model", toy_file, "--mask", "masks/old.png", "-o", "b.png")
    assert again.exit_code == 0, again.stderr
    assert np.array_equal(pixels(cat.with_name("a.png")), pixels(cat.with_name("b.png")))
    told = recipe.read(cat.with_name("a.png"))
    assert told is not None
    assert (told["mask"], told["mask_strength"], told["mask_limit"]) == ("auto", 0.5, 40)


@pytest.mark.parametrize(
    "options",
    [
        "--polygon 1,2,3", "--polygon 1,2,3,4", "--polygon 1,2,3,x,5,6", "--grow 3", "--feather 2",
        "--save-mask m.png",
        "--mask auto --mask-strength 3", "--box 1,1,2,2 --mask-strength 0.9", "--box 1,1,2,2 --save-mask m.jpg",
        "--box 1,1,2,2 --save-mask in.png", "--box 1,1,2,2 --save-mask exists.png", "--box 1,1,2,2 --grow -1",
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["inpaint", "restore"])
def test_usage(run: Program, cat: Path, command: str, options: str) -> None:
    cat.with_name("exists.png").write_bytes(cat.read_bytes())
    before = cat.read_bytes()
    result = run(command, "in.png", *options.split(), "-o", "out.png")
    assert result.exit_code == 2, result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert sorted(path.name for path in cat.parent.iterdir()) == ["exists.png", "in.png"]
    assert cat.read_bytes() == before


def test_a_polygon_beside_the_picture(run: Program, cat: Path, toy_file: Path) -> None:
    result = run("inpaint", cat, "--model", toy_file, "--polygon", "200,200,210,200,205,210")
    assert result.exit_code == 1
    assert "outside the picture" in result.stderr


@pytest.mark.slow
def test_the_program_and_python(run: Program, toy_file: Path, tmp_path: Path) -> None:
    """Sampled unless steps are given; the recipe says so, and a given 1 is another recipe."""
    rough = np.random.default_rng(0).integers(
        0, 256, (112, 128, 3), np.uint8
    )  # a smooth one's fillings have no texture
    Image.fromarray(rough).save(tmp_path / "in.png")
    line = ["inpaint", "in.png", "--box", "20,20,80,80", "-o", "out.png", "--model", toy_file, "--resume"]
    result = run(*line)
    assert result.exit_code == 0, result.stderr
    assert "80 pixels wide" in result.stderr
    told = read(tmp_path / "out.png")
    assert told is not None
    assert (told["steps"], told["wide_holes"], told["seed"]) == (1, "texture", 0)
    sampled = pixels(tmp_path / "out.png")
    assert run(*line, "--steps", "1", "-f").exit_code == 0
    mean = pixels(tmp_path / "out.png")
    assert (sampled != mean).any()
    given = str(tmp_path / "in.png")
    made = restore_any(given, Inpaint(boxes=[(20, 20, 80, 80)]), model=toy_file)
    np.testing.assert_array_equal(np.asarray(made), sampled)
    made = restore_any(given, Inpaint(boxes=[(20, 20, 80, 80)]), model=toy_file, steps=1)
    np.testing.assert_array_equal(np.asarray(made), mean)


def test_the_program_warns_and_tells(run: Program, tmp_path: Path, toy_file: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(signed(".jpg", GENERATED))
    with Image.new("RGB", (32, 24), (90, 20, 200)) as image:
        image.save(tmp_path / "b.jpg", xmp=stating("digitalCapture"))
    options = ["inpaint", "--box", "2,2,9,9", "--model", toy_file, "-q"]
    result = run(*options, "a.jpg", "b.jpg", "-o", "out/", "--format", "png")
    assert result.exit_code == 0
    assert ["a.png" in line and "signature no longer applies" in line for line in result.stderr.splitlines()] == [True]
    types = {p.stem: read_picture(p).source.source_type for p in (tmp_path / "out").iterdir()}
    assert types == {"a": "trainedAlgorithmicMedia", "b": "compositeWithTrainedAlgorithmicMedia"}
    assert run(*options, "b.jpg", "-o", "bare.png", "--no-provenance").exit_code == 0
    bare = read_picture(tmp_path / "bare.png").source
    assert bare.source_type == ""  # no claim that it is a capture, which it was
    assert recipe.read(tmp_path / "bare.png") is None


def laid_over(layer: Path, picture: Path) -> NDArray[np.uint8]:
    with Image.open(layer) as over, Image.open(picture) as beneath:
        assert over.mode == "RGBA"
        return np.asarray(Image.alpha_composite(beneath.convert("RGBA"), over))[..., :3]


def test_the_layer_of_what_was_filled_gives_the_result_over_the_input(
    run: Program, cat: Path, toy_file: Path, tmp_path: Path
) -> None:
    soft = np.zeros((64, 96), np.uint8)
    soft[10:30, 20:80] = np.linspace(0, 255, 60)
    Image.fromarray(soft).save(tmp_path / "m.png")
    line = ["inpaint", cat, "--mask", "m.png", "--box", "5,40,20,20", "--model", toy_file, "--show-fill", "fill.png"]
    result = run(*line, "-o", "out.png", "--json")
    assert result.exit_code == 0, result.stderr
    parts = [one for one in json_lines(result.stdout) if one.get("part") == "show-fill"]
    assert [Path(one["output"]).name for one in parts] == ["fill.png"]
    assert np.array_equal(laid_over(tmp_path / "fill.png", cat), pixels(tmp_path / "out.png"))
    layer = pixels(tmp_path / "fill.png")
    filled = soft > 0
    filled[40:60, 5:25] = True
    assert np.array_equal(layer[..., 3] > 0, filled)
    assert not layer[~filled].any()
    told = read(tmp_path / "fill.png")
    assert told is not None
    assert (told["part"], told["operation"]) == ("show-fill", "inpaint")
    assert run("replay", "fill.png", "--input", cat, "--mask", "m.png", "--model", toy_file).exit_code == 0
    samples = ("--fidelity", "0", "--steps", "2", "-o", "s.png", "--show-fill", "f.tif", "-f")
    assert run(*line[:-2], *samples).exit_code == 0
    assert np.array_equal(laid_over(tmp_path / "f.tif", cat), pixels(tmp_path / "s.png"))


def test_layers_of_a_batch_have_names_of_their_own(run: Program, cat: Path, toy_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "scans"
    folder.mkdir()
    gray = Image.open(cat).convert("L")
    gray.save(folder / "a.png")
    Image.open(cat).save(folder / "b.png")
    line = ["inpaint", folder, "--box", "5,4,20,20", "--model", toy_file, "-o", "out/"]
    assert run(*line, "--show-fill", "fill.png").exit_code == 2
    assert run(*line, "--show-fill", "fills/{stem}.fill.png").exit_code == 0
    for name in "ab":
        with Image.open(tmp_path / "out" / f"{name}.png") as after:
            expected = np.asarray(after.convert("RGB"))
        assert np.array_equal(laid_over(tmp_path / "fills" / f"{name}.fill.png", folder / f"{name}.png"), expected)
    assert run(*line, "--show-fill", "fills/{stem}.fill.png", "-f").exit_code == 0
    for bad in ("fill.jpg", "b.webp"):
        result = run("inpaint", cat, "--box", "5,4,20,20", "--model", toy_file, "--show-fill", bad)
        assert result.exit_code == 2
        assert "end the name in .png or .tif" in result.stderr
    assert run("inpaint", cat, "--show-fill", "fill.png").exit_code == 2


@pytest.mark.parametrize(
    ("name", "says"), [("01", "above 0"), ("red", "red on black"), ("paint", "paint on transparency"), ("white", "")]
)
def test_masks_as_people_make_them(
    run: Program, cat: Path, toy_file: Path, tmp_path: Path, name: str, says: str
) -> None:
    marked = np.zeros((64, 96), np.uint8)
    marked[10:20, 30:60] = 1
    masks = {
        "01": marked, "white": marked * 255, "red": np.dstack([marked * 255, 0 * marked, 0 * marked]),
        "paint": np.dstack([0 * marked, 0 * marked, 0 * marked, marked * 255]),
    }  # fmt: skip
    Image.fromarray(masks[name]).save(tmp_path / "m.png")
    result = run("inpaint", cat, "--mask", "m.png", "--save-mask", "saved.png", "--model", toy_file, "-o", "out.png")
    assert result.exit_code == 0, result.stderr
    assert (f"{cat}: mask: " in result.stderr) == bool(says)
    assert says in result.stderr
    assert np.array_equal(pixels(tmp_path / "saved.png") > 0, marked > 0)
    verified = run("verify", "out.png", "--against", cat, "--mask", "m.png")
    assert verified.exit_code == 0, verified.stdout


def test_a_photograph_is_no_mask(run: Program, cat: Path, toy_file: Path, tmp_path: Path) -> None:
    result = run("inpaint", cat, "--mask", cat, "--model", toy_file, "-o", "out.png")
    assert result.exit_code == 1
    assert "looks like a photograph" in result.stderr
    assert not (tmp_path / "out.png").exists()


def test_a_soft_mask_fills_all_that_it_marks_and_blends_its_rim(run: Program, cat: Path, tmp_path: Path) -> None:
    scratched = pixels(cat)
    scratched[30:32, 10:80] = 255
    Image.fromarray(scratched).save(tmp_path / "scratched.png")
    marked = np.zeros((64, 96))
    marked[30:32, 10:80] = 255
    soft = ndimage.gaussian_filter(marked, 1.5)
    Image.fromarray(np.rint(soft).astype(np.uint8)).save(tmp_path / "soft.png")
    assert run("inpaint", "scratched.png", "--mask", "soft.png", "-o", "out.png").exit_code == 0
    before, after, true = (
        pixels(path).astype(float) for path in (tmp_path / "scratched.png", tmp_path / "out.png", cat)
    )
    wound = marked > 0
    assert np.abs(after - true)[wound].mean() < 0.25 * np.abs(before - true)[wound].mean()
    assert np.array_equal(after[np.rint(soft) == 0], before[np.rint(soft) == 0])


def test_unblend_takes_a_watermark_off_and_keeps_all_pixels_beside_it(run: Program, tmp_path: Path) -> None:
    marked, mask = EXAMPLES / "cat_watermark.png", EXAMPLES / "cat_watermark_mask.png"
    done = run("inpaint", marked, "--mask", mask, "--unblend", "-o", "out.png")
    assert done.exit_code == 0
    assert "the cover hides 4" in done.stderr
    before, after, hole = pixels(marked), pixels(tmp_path / "out.png"), pixels(mask) > 0
    assert np.array_equal(before[~hole], after[~hole])
    assert before[hole].mean() - after[hole].mean() > 40
    assert (read(tmp_path / "out.png") or {})["unblend"] is True
    assert run("verify", "out.png", "--against", marked, "--mask", mask).exit_code == 0
    again = run("replay", "out.png", "--input", marked, "--mask", mask)
    assert again.exit_code == 0


@pytest.mark.parametrize(
    "extra", [["--mask", "auto"], ["--box", "0,0,5,5", "--feather", "2"], ["--box", "0,0,5,5", "--show-fill", "f.png"]]
)
def test_unblend_refuses_what_it_cannot_do(run: Program, cat: Path, extra: list[str]) -> None:
    done = run("inpaint", cat, *extra, "--unblend", "-o", "out.png")
    assert done.exit_code == 2
    assert "--unblend" in done.stderr
