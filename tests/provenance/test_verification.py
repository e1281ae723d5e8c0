"""What was changed is explained by what is said to have been done, or it is not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diffuse_cli.degradation.damage import Damage
from diffuse_cli.degradation.operators import Degradation
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.images.image_io import Encoding, Picture, read_picture, to_unit, write_picture
from diffuse_cli.provenance.declared import Declared, from_recipe
from diffuse_cli.provenance.verification import Figure, verify
from diffuse_cli.restoration.restore import restore
from diffuse_cli.tasks.denoise import Denoise
from diffuse_cli.tasks.restore import Restore
from diffuse_cli.tasks.super_resolve import SuperResolve
from tests.conftest import EXAMPLES


def photo(size: tuple[int, int] = (96, 128)) -> Picture:
    """A photograph without noise: the example that was shrunk, its half that is in focus, at twice its size."""
    with Image.open(EXAMPLES / "coffee_small.png") as image:
        levels = np.asarray(image.convert("RGB").resize((160, 120), Image.Resampling.BICUBIC))
    return Picture(pixels=to_unit(levels[5 : 5 + size[0], 8 : 8 + size[1]], 8))


def noisy(picture: Picture, level: float, seed: int = 0) -> Picture:
    noise = np.random.default_rng(seed).standard_normal(picture.pixels.shape).astype(np.float32)
    return rounded(replace(picture, pixels=picture.pixels + np.float32(level / 127.5) * noise))


def rounded(picture: Picture) -> Picture:
    levels = np.clip(np.rint((picture.pixels + 1) * 127.5), 0, 255).astype(np.uint8)
    return replace(picture, pixels=to_unit(levels, 8))


def fine(figures: list[Figure]) -> bool:
    return all(figure.is_fine for figure in figures)


def declared(before: Picture, **told: object) -> Declared:
    return from_recipe({"operation": "denoise", **told}, before)


@pytest.fixture(scope="module")
def denoised(model: Model) -> tuple[Picture, Picture]:
    """A picture with noise 20, and what the shipped weights make of it."""
    before = noisy(photo(), 20)
    return before, rounded(restore(before, Denoise(noise=20).problem(before), Settings(), model))


class TestNoise:
    def test_of_the_declared_size_is_explained(self, denoised: tuple[Picture, Picture]) -> None:
        before, after = denoised
        assert fine(verify(after, before, declared(before, noise=20.0)))

    @pytest.mark.parametrize("factor", [1.5, 1 / 1.5])
    def test_of_another_size_is_not(self, denoised: tuple[Picture, Picture], factor: float) -> None:
        before, after = denoised
        assert not fine(verify(after, before, declared(before, noise=20 * factor)))

    def test_that_is_not_white_is_not(self, denoised: tuple[Picture, Picture]) -> None:
        """Of the right size everywhere, but smooth."""
        before, _ = denoised
        rough = np.random.default_rng(1).standard_normal((96, 128, 3)).astype(np.float32)
        smooth = (rough + np.roll(rough, 1, 0) + np.roll(rough, 1, 1) + np.roll(rough, (1, 1), (0, 1))) / 2
        pixels = (before.pixels - 20 / 127.5 * smooth).astype(np.float32)
        after = rounded(replace(before, pixels=pixels))
        figures = verify(after, before, declared(before, noise=20.0))
        assert [figure.name for figure in figures if not figure.is_fine] == ["its correlation between neighbours"]

    def test_a_patch_from_elsewhere_is_found(self, denoised: tuple[Picture, Picture]) -> None:
        before, after = denoised
        pixels = after.pixels.copy()
        pixels[:20, :20] = pixels[60:80, 60:80]
        assert not fine(verify(replace(after, pixels=pixels), before, declared(before, noise=20.0)))

    def test_strengths_are_taken_into_account(self, denoised: tuple[Picture, Picture], model: Model) -> None:
        before, after = denoised
        request = Denoise(noise=20, strength=0.5, chroma_strength=1)
        half = rounded(restore(before, request.problem(before), Settings(), model))
        assert fine(verify(half, before, declared(before, noise=20.0, strength=0.5, chroma_strength=1.0)))
        both = rounded(restore(before, replace(request, chroma_strength=0.5).problem(before), Settings(), model))
        assert fine(verify(both, before, declared(before, noise=20.0, strength=0.5)))
        assert not fine(verify(both, before, declared(before, noise=20.0)))
        colour = replace(request, strength=0)
        only = rounded(restore(before, colour.problem(before), Settings(), model))
        assert fine(verify(only, before, declared(before, noise=20.0, strength=0.0, chroma_strength=1.0)))
        assert not fine(verify(after, before, declared(before, noise=20.0, strength=0.0, chroma_strength=1.0)))

    def test_that_varies(self, model: Model) -> None:
        std = np.tile(np.linspace(5, 30, 128, dtype=np.float32), (96, 1))
        noise = np.random.default_rng(0).standard_normal((96, 128, 3)) * std[..., None] / 127.5
        before = rounded(replace(photo(), pixels=(photo().pixels + noise).astype(np.float32)))
        after = rounded(restore(before, Denoise(noise_map=std).problem(before), Settings(), model))
        told = {"operation": "denoise", "noise_map": "given"}
        assert fine(verify(after, before, from_recipe(told, before, None, std)))
        assert not fine(verify(after, before, from_recipe(told, before, None, std[:, ::-1])))
        assert not fine(verify(after, before, from_recipe(told, before, None, std / 1.5)))

    def test_gray(self, model: Model) -> None:
        before = noisy(replace(photo(), pixels=photo().pixels[..., 1:2]), 15)
        after = rounded(restore(before, Denoise(noise=15).problem(before), Settings(), model))
        assert fine(verify(after, before, declared(before, noise=15.0)))
        assert not fine(verify(after, before, declared(before, noise=22.5)))


class TestUntouched:
    @pytest.mark.parametrize("depth", [8, 16])
    def test_one_pixel_by_one_level_is_found(self, depth: int) -> None:
        before = replace(photo(), depth=depth)
        box = {"operation": "inpaint", "boxes": [[10, 20, 30, 25]]}
        pixels = before.pixels.copy()
        pixels[20:45, 10:40] = 0
        assert fine(verify(replace(before, pixels=pixels), before, from_recipe(box, before)))
        pixels[45, 10, 2] -= 2 / (2**depth - 1)
        figures = verify(replace(before, pixels=pixels), before, from_recipe(box, before))
        assert [figure.value for figure in figures] == [1, pytest.approx(255 / (2**depth - 1), rel=1e-3)]
        assert not fine(figures)
        inverted = from_recipe({**box, "invert_mask": True}, before)
        assert not fine(verify(replace(before, pixels=pixels), before, inverted))

    def test_whatever_says_what_is_filled_is_taken_into_account(self) -> None:
        before = photo()
        told = {"operation": "inpaint", "boxes": [[10, 20, 30, 25]], "polygons": [[[60, 60], [90, 60], [70, 80]]]}
        pixels = before.pixels.copy()
        pixels[17:48, 7:43] = pixels[60:63, 62:88] = 0
        after = replace(before, pixels=pixels)
        assert not fine(verify(after, before, from_recipe(told, before)))
        assert fine(verify(after, before, from_recipe({**told, "grow": 5, "feather": 2}, before)))

    def test_other_depth_is_no_change(self) -> None:
        before = photo()
        nothing = from_recipe({"operation": "denoise", "noise": 0.0}, before)
        assert fine(verify(replace(before, depth=16), before, nothing))

    @pytest.mark.parametrize("suffix", [".jpg", ".webp", ".avif"])
    def test_a_lossy_file_is_allowed_its_coder(self, suffix: str, tmp_path: Path) -> None:
        before, told = photo(), {"operation": "inpaint", "boxes": [[10, 20, 30, 25]]}
        pixels = before.pixels.copy()
        pixels[20:45, 10:40] = 0.3
        encoding = Encoding(quality=80)
        write_picture(replace(before, pixels=pixels), tmp_path / f"a{suffix}", encoding=encoding)
        after = read_picture(tmp_path / f"a{suffix}")
        assert np.abs(after.pixels - pixels).max() > 4 / 127.5
        assert fine(verify(after, before, from_recipe(told, before), encoding))
        pixels[60:76, 90:106] = pixels[:16, :16]
        write_picture(replace(before, pixels=pixels), tmp_path / f"b{suffix}", encoding=encoding)
        assert not fine(verify(read_picture(tmp_path / f"b{suffix}"), before, from_recipe(told, before), encoding))

    @pytest.mark.parametrize("suffix", [".png", ".jpg"])
    def test_a_canvas_keeps_the_picture_within(self, suffix: str, tmp_path: Path) -> None:
        before, told = photo(), {"operation": "extend", "margins": [5, 3, 20, 0]}
        pixels = np.zeros((99, 153, 3), np.float32)
        pixels[3:, 5:133] = before.pixels
        for place, kept in (((0, 0), True), ((50, 60), False)):
            pixels[place] = 0.5
            pixels[place[0] : place[0] + 3, place[1] : place[1] + 5] = -0.5
            write_picture(replace(before, pixels=pixels), tmp_path / f"a{suffix}")
            after = read_picture(tmp_path / f"a{suffix}")
            assert fine(verify(after, before, from_recipe(told, before))) == kept
        assert not fine(verify(before, before, from_recipe(told, before)))

    def test_alpha_is_kept_or_filled(self) -> None:
        alpha = np.full((96, 128), 255, np.uint8)
        alpha[30:40, 50:70] = 0
        before = replace(photo(), alpha=alpha)
        filled = from_recipe({"operation": "inpaint", "mask": "alpha"}, before)
        opaque = replace(before, alpha=np.full((96, 128), 255, np.uint8))
        assert fine(verify(opaque, before, filled))
        assert not fine(verify(before, before, filled))
        kept = from_recipe({"operation": "denoise", "noise": 0.0}, before)
        assert fine(verify(before, before, kept))
        assert not fine(verify(opaque, before, kept))
        assert not fine(verify(replace(before, alpha=None), before, kept))


class TestDegradedAgain:
    def test_an_enlargement_must_give_its_input(self, model: Model) -> None:
        before, other = photo((64, 80)), photo((64, 80))
        other = replace(other, pixels=np.ascontiguousarray(other.pixels[::-1]))
        task = SuperResolve(scale=1.5).problem(before)
        after = rounded(restore(before, task, Settings(), model))
        told = {"operation": "super-resolve", "scale": 1.5, "size": [120, 96]}
        assert fine(verify(after, before, from_recipe(told, before)))
        assert not fine(verify(after, other, from_recipe(told, other)))
        (size,) = verify(after, before, from_recipe({**told, "size": [120, 95]}, before))
        assert (size.name, size.value, size.is_fine) == ("height", 96, False)
        shifted = replace(after, pixels=np.roll(after.pixels, 2, 1))
        assert not fine(verify(shifted, before, from_recipe(told, before)))

    def test_a_jpeg_repaired_must_be_that_jpeg(self, tmp_path: Path, model: Model) -> None:
        write_picture(photo(), tmp_path / "a.jpg", encoding=Encoding(quality=30))
        before = read_picture(tmp_path / "a.jpg")
        request = Restore(noise=None, blur=None, jpeg=30)
        after = rounded(restore(before, request.problem(before), Settings(), model))
        told = {"operation": "dejpeg", "jpeg": 30.0, "noise": 0.0, "blur": 0.0, "scale": 1.0}
        assert fine(verify(after, before, from_recipe(told, before)))
        turned = replace(after, pixels=np.ascontiguousarray(after.pixels[::-1]))
        assert not fine(verify(turned, before, from_recipe(told, before)))

    def test_a_blur_undone_must_give_it_again(self, model: Model) -> None:
        before, _ = Damage(blur=1.5).apply(photo())
        before = rounded(before)
        request = Restore(noise=None, jpeg=None, blur=1.5)
        after = rounded(restore(before, request.problem(before), Settings(), model))
        told = {"operation": "deblur", "jpeg": 100.0, "noise": 0.0, "blur": 1.5, "scale": 1.0}
        assert fine(verify(after, before, from_recipe(told, before)))
        assert not fine(verify(after, before, from_recipe({**told, "blur": 2.5}, before)))

    def test_recipes_are_read_as_they_are_written(self) -> None:
        before = photo((40, 60))
        told = {"operation": "restore", "noise": 12.75, "blur": 1.0, "scale": 2.0, "jpeg": 70.0, "size": [120, 80]}
        found = from_recipe(told, before)
        assert found.what == Degradation(scale=2, noise=0.1, blur=2, quality=70)
        assert found.size == (80, 120)
        assert not found.keeps_known_pixels
