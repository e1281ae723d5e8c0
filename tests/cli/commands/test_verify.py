"""diffuse verify and info."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from diffuse_cli.images.image_io import Picture, Source, read_picture, write_picture
from diffuse_cli.provenance import recipe
from tests.helpers.program import Program, json_lines
from tests.provenance.test_verification import photo


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with in.png and an honest inpainting of it in out.png, with its recipe and a mask."""
    monkeypatch.chdir(tmp_path)
    before = photo()
    write_picture(before, tmp_path / "in.png")
    mask = np.zeros((96, 128), bool)
    mask[20:45, 10:40] = True
    Image.fromarray(mask).save("mask.png")
    save(before.pixels, mask, "out.png", tmp_path)
    return tmp_path


def save(pixels: NDArray[np.float32], mask: NDArray[np.bool_], name: str, folder: Path) -> None:
    from diffuse_cli.errors import PictureError
    from diffuse_cli.system.files import file_sha256

    sha256 = {name: file_sha256(folder / name, PictureError) for name in ("mask.png", "in.png")}
    told = {
        "operation": "inpaint", "mask": sha256["mask.png"], "boxes": [], "invert_mask": False,
        "input": sha256["in.png"], "steps": 1, "diffuse": "0.1.0",
    }  # fmt: skip
    result = np.where(mask[..., None], np.float32(0), pixels)
    write_picture(Picture(pixels=result, source=Source(provenance=recipe.to_rdf(told))), folder / name)


def test_tells_figures_and_exits_with_0_or_1(run: Program, made: Path) -> None:
    honest = run("verify", "out.png", "--against", "in.png", "--mask", "mask.png")
    assert honest.exit_code == 0
    assert honest.output.splitlines()[-1] == "out.png: explained by inpaint of in.png"
    picture = read_picture(made / "in.png")
    pixels = picture.pixels.copy()
    pixels[90, 3, 1] += 2 / 255 if pixels[90, 3, 1] < 0.9 else -2 / 255
    mask = np.asarray(Image.open("mask.png"))
    save(pixels, mask, "changed.png", made)
    changed = run("verify", "changed.png", "--against", "in.png", "--mask", "mask.png", "--json")
    assert changed.exit_code == 1
    (told,) = json_lines(changed.stdout)
    assert (told["type"], told["explained"], told["operation"]) == ("verify", False, "inpaint")
    assert told["figures"][0] == {
        "name": "untouched pixels that changed", "value": 1.0, "unit": "pixels", "at_least": None, "at_most": 0.0,
        "fine": False,
    }  # fmt: skip


def test_without_a_recipe_options_say_what_was_done(run: Program, made: Path) -> None:
    bare = Picture(pixels=read_picture(made / "out.png").pixels)
    write_picture(bare, made / "bare.png")
    options = ["verify", "bare.png", "--against", "in.png"]
    assert run(*options).exit_code == 2
    assert run(*options, "--op", "inpaint", "--mask", "mask.png").exit_code == 0
    assert run(*options, "--op", "inpaint", "--box", "10,20,30,25").exit_code == 0
    assert run(*options, "--op", "inpaint", "--box", "10,20,30,24").exit_code == 1
    assert run(*options, "--op", "denoise", "--noise", "20").exit_code == 1
    assert run(*options, "--op", "super-resolve", "--scale", "2").exit_code == 1
    assert run(*options, "--noise", "20").exit_code == 2
    assert run(*options, "--op", "generate").exit_code == 2


def test_what_is_missing_is_exit_2(run: Program, made: Path) -> None:
    Image.new("1", (128, 96)).save("other.png")
    for options in (
        ["out.png", "--against", "in.png"],
        ["out.png", "--against", "in.png", "--mask", "other.png"],
        ["out.png", "--against", "gone.png", "--mask", "mask.png"],
        ["gone.png", "--against", "in.png", "--mask", "mask.png"],
    ):
        result = run("verify", *options)
        assert result.exit_code == 2, result.output
        assert len(result.output.splitlines()) == 1


def test_another_file_with_the_same_pixels_is_noted(run: Program, made: Path) -> None:
    write_picture(read_picture(made / "in.png"), made / "same.tif")
    result = run("verify", "out.png", "--against", "same.tif", "--mask", "mask.png")
    assert result.exit_code == 0
    assert "names another file" in result.output


def test_info_tells_what_a_file_says(run: Program, made: Path) -> None:
    exif = Image.Exif()
    exif[271], exif[272], exif[315], exif[305] = "Abc", "X1", "Somebody", "Editor 1.0"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("RGBA", (30, 20)).save("a.png", exif=exif, dpi=(300, 300), icc_profile=profile)
    (line,) = json_lines(run("info", "a.png", "--json").stdout)
    assert line["made_by"] == {"camera": "Abc X1", "software": "Editor 1.0", "artist": "Somebody"}
    assert (line["width"], line["height"], line["alpha"], line["depth"], line["lossy"]) == (30, 20, True, "8", False)
    assert (line["dpi"], line["recipe"], line["digital_source_type"]) == ([300, 300], None, None)
    assert "sRGB" in line["profile"]
    (line,) = json_lines(run("info", "--json", "out.png").stdout)
    assert line["recipe"]["operation"] == "inpaint"
    assert line["digital_source_type"] == "compositeWithTrainedAlgorithmicMedia"
    result = run("info", "out.png", "gone.png", "a.png")
    assert result.exit_code == 1
    assert "edited using generative AI" in result.output
    assert "Abc X1" in result.output
    assert "gone.png" in result.output.splitlines()[-1]
