"""What is not seen of a picture changes nothing that is."""

from collections.abc import Callable
from dataclasses import asdict, replace

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.degradation.estimation.estimate import estimate_degradation
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.images.image_io import Picture
from diffuse_cli.images.jpeg_damage import JpegDamage
from diffuse_cli.images.picture import Source, to_unit
from diffuse_cli.restoration.noise_reading import find_noise, noise_reader
from diffuse_cli.restoration.preparation import prepare
from diffuse_cli.restoration.restore import restore
from diffuse_cli.restoration.visible import visible
from diffuse_cli.tasks.denoise import Denoise
from diffuse_cli.tasks.enhance import Enhance
from diffuse_cli.tasks.inpaint import Inpaint
from diffuse_cli.tasks.restore import Restore
from diffuse_cli.tasks.super_resolve import SuperResolve
from diffuse_cli.tasks.task import Task
from tests.conftest import EXAMPLES

Hide = Callable[[np.ndarray], np.ndarray]
HIDDEN: dict[str, Hide] = {
    "black": np.zeros_like,
    "green": lambda levels: np.broadcast_to(np.array([0, 255, 0], np.uint8), levels.shape),
    "noise": lambda levels: np.random.default_rng(0).integers(0, 256, levels.shape, np.uint8),
    "salt": lambda levels: (np.random.default_rng(1).random(levels.shape) < 0.1).astype(np.uint8) * np.uint8(255),
    "rows": lambda levels: np.zeros_like(levels) + (np.arange(len(levels)) % 2 * 99).astype(np.uint8)[:, None, None],
}


def cut_out(hidden: str, *, gray: bool = False) -> Picture:
    """A photograph of which an oval is seen."""
    with Image.open(EXAMPLES / "cat_noisy.png") as image:
        levels = np.asarray(image.convert("L" if gray else "RGB").convert("RGB").crop((120, 40, 312, 216)))
    y, x = np.mgrid[-1 : 1 : levels.shape[0] * 1j, -1 : 1 : levels.shape[1] * 1j]
    alpha = np.where(x**2 + y**2 < 0.8, np.uint8(255), np.uint8(0))
    shown = np.where(alpha[..., None] > 0, levels, HIDDEN[hidden](levels))
    return Picture(pixels=to_unit(shown, 8), alpha=alpha)


@pytest.mark.parametrize("other", ["green", "noise", "salt", "rows"])
def test_what_is_found_depends_on_what_is_seen(other: str, model: Model) -> None:
    found = []
    for hidden in ("black", other):
        prepared = prepare(cut_out(hidden))
        found.append(
            (
                asdict(estimate_degradation(prepared.seen, prepared.screens)),
                find_noise(prepared.seen, noise_reader(model)),
                prepared.facts,
            )
        )
    assert str(found[0]) == str(found[1])


TASKS: list[Task] = [
    Denoise(), Denoise(noise=15), Denoise(noise="poisson"), Restore(), Restore(scale=2), SuperResolve(),
    SuperResolve(consistent=True), Enhance(), Inpaint(mask="auto", mask_limit=100),
]  # fmt: skip


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("task", TASKS, ids=lambda task: f"{type(task).__name__}")
def test_what_is_seen_of_a_result_is_the_same(task: Task, gray: bool, model: Model) -> None:
    results = []
    for hidden in ("black", "green", "noise"):
        before = cut_out(hidden, gray=gray)
        results.append(restore(before, task.problem(before, noise_reader(model)), Settings(steps=1), model))
    for other in results[1:]:
        assert other.alpha is not None
        assert results[0].alpha is not None
        np.testing.assert_array_equal(results[0].alpha, other.alpha)
        seen = other.alpha > 0
        np.testing.assert_array_equal(results[0].pixels[seen], other.pixels[seen])


def test_hidden_colour_stays_as_it_was(model: Model) -> None:
    before = cut_out("noise")
    after = restore(before, Denoise(noise=15).problem(before), Settings(steps=1), model)
    assert before.alpha is not None
    np.testing.assert_array_equal(after.pixels[before.alpha == 0], before.pixels[before.alpha == 0])


def test_missing_rows_are_not_looked_at() -> None:
    whole = cut_out("black")
    missing = np.zeros(whole.pixels.shape[:2], bool)
    missing[100:] = True
    damage = JpegDamage(missing=missing, doubtful=np.zeros_like(missing))
    seen = []
    for gray in (0.0, 0.5):
        pixels = np.where(missing[..., None], np.float32(gray), whole.pixels)
        seen.append(visible(Picture(pixels=pixels, source=Source(damage=damage))))
    np.testing.assert_array_equal(seen[0].pixels, seen[1].pixels)
    assert seen[0].pixels[missing].std() > 0.1
    filled = Picture(pixels=whole.pixels, source=Source(damage=replace(damage, is_filled=True)))
    assert visible(filled) is filled


def test_a_picture_of_which_nothing_is_seen_is_one_colour() -> None:
    before = cut_out("noise")
    assert before.alpha is not None
    assert visible(replace(before, alpha=np.zeros_like(before.alpha))).pixels.std() == 0
