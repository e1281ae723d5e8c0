"""Real pairs: which pictures belong together, and what is measured on them."""

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.diffusion import checkpoint
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.errors import PictureError, UsageError
from diffuse_cli.evaluation.evaluate import evaluate
from diffuse_cli.evaluation.metrics import psnr
from diffuse_cli.evaluation.pairs import pair, pairs
from diffuse_cli.evaluation.plan import plan_pairs
from diffuse_cli.images.image_io import read_picture
from tests.conftest import EXAMPLES


def save(path: Path, noise: float = 0.0, size: tuple[int, int] = (48, 40), mode: str = "RGB") -> Path:
    """A crop of a photograph with white noise."""
    path.parent.mkdir(exist_ok=True)
    with Image.open(EXAMPLES / "coffee_small.png") as image:
        levels = np.asarray(image.convert(mode).crop((0, 0, *size)), np.float64)
    levels = levels + np.random.default_rng(0).normal(0, noise, levels.shape)
    Image.fromarray(levels.round().clip(0, 255).astype(np.uint8)).save(path, quality=92)
    return path


@pytest.fixture
def one_folder(tmp_path: Path) -> Path:
    for name in ("b", "a", "c"):
        save(tmp_path / "set" / f"{name}_real.JPG", 9)
        save(tmp_path / "set" / f"{name}_mean.png")
    (tmp_path / "set" / "LICENSE").write_text("no picture")
    return tmp_path / "set"


def test_names_say_what_belongs_together(one_folder: Path, tmp_path: Path) -> None:
    (found,) = pairs([one_folder], [])
    assert {(a.name, b.name) for a, b in found.items()} == {(f"{n}_real.JPG", f"{n}_mean.png") for n in "abc"}
    for name in "ab":
        save(tmp_path / "noisy" / f"{name}.jpg")
        save(tmp_path / "clean" / f"{name}.png")
    (found,) = pairs([tmp_path / "noisy"], [tmp_path / "clean"])
    assert {(a.parent.name, a.stem, b.parent.name, b.stem) for a, b in found.items()} == {
        ("noisy", name, "clean", name) for name in "ab"
    }


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ("d_real.png", r"d_real.png: has no partner; a pair has NAME_real and NAME_mean"),
        ("d_mean.png", r"d_mean.png: has no partner"),
        ("d.png", r"d.png: neither NAME_real nor NAME_mean"),
        ("a_real.png", r"a_real.png and a_real.JPG have one name|a_real.JPG and a_real.png have one name"),
    ],
)
def test_a_picture_without_a_partner_is_named(one_folder: Path, extra: str, message: str) -> None:
    save(one_folder / extra)
    with pytest.raises(UsageError, match=message):
        pairs([one_folder], [])


def test_two_folders_must_match(one_folder: Path, tmp_path: Path) -> None:
    save(tmp_path / "clean" / "a_real.png")
    with pytest.raises(UsageError, match=r"has no partner \(and 4 more\); a pair has the same name in"):
        pairs([one_folder], [tmp_path / "clean"])
    with pytest.raises(UsageError, match="2 folders of noisy pictures, but 1 of clean ones"):
        pairs([one_folder, one_folder], [tmp_path / "clean"])


@pytest.mark.parametrize(
    ("size", "mode", "words"), [((40, 48), "RGB", "48x40x3 and 40x48x3"), ((48, 40), "L", "48x40x1")]
)
def test_pictures_of_a_pair_must_fit(tmp_path: Path, size: tuple[int, int], mode: str, words: str) -> None:
    noisy, clean = save(tmp_path / "a.png"), save(tmp_path / "b.png", size=size, mode=mode)
    with pytest.raises(PictureError, match=words):
        pair(noisy, clean, None)


def test_a_jpeg_is_read_with_its_tables(one_folder: Path) -> None:
    made = pair(one_folder / "a_real.JPG", one_folder / "a_mean.png", None)
    assert made.damaged.source.jpeg == read_picture(one_folder / "a_real.JPG").source.jpeg is not None
    assert made.noise.level == pytest.approx(9, rel=0.25)
    assert made.besides["diffuse, told"].degradation.noise * 127.5 == pytest.approx(made.noise.level)


def test_pairs_are_measured_against_their_clean_pictures(one_folder: Path, toy: Model) -> None:
    what = plan_pairs([one_folder], [], lambda steps: Settings(steps=steps), limit=2)
    assert [path.name for path in what.sets["set"]] == ["a_real.JPG", "b_real.JPG"]
    save(one_folder / "b_mean.png", size=(40, 40))
    info = checkpoint.read_info(checkpoint.find())
    outcome = evaluate(what, [(info, toy)], lambda name: nullcontext(), lambda line: None)
    ((path, error),) = outcome.failed
    assert path.name == "b_real.JPG"
    assert error.exit_code == 1
    row = next(row for row in outcome.report["rows"] if row["method"] == "the input")
    assert (row["set"], row["task"], row["condition"]) == ("set", "pairs", "as photographed")
    noisy, clean = (np.asarray(Image.open(one_folder / f"a_{name}")) for name in ("real.JPG", "mean.png"))
    assert row["images"][0]["psnr"] == pytest.approx(psnr(noisy, clean), abs=1e-4)
