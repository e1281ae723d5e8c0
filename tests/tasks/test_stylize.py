"""Styles: what is kept is kept to the bit, and what was learned is learned once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from platformdirs import user_cache_path
from safetensors.torch import save_file

from diffuse_cli import restore, stylize
from diffuse_cli.diffusion import checkpoint
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.errors import CheckpointError, PictureError, UsageError
from diffuse_cli.images.convert import to_picture
from diffuse_cli.images.image_io import Picture, to_levels, to_unit
from diffuse_cli.images.picture import integers
from diffuse_cli.images.units import luma
from diffuse_cli.restoration.restore import restore as restored_by
from diffuse_cli.tasks.style import studio
from diffuse_cli.tasks.style.colour_transport import Colours, colours_of, transported
from diffuse_cli.tasks.style.delta import Style, read_style, with_style
from diffuse_cli.tasks.style.fine_tuning import StyleTraining, batch_of, fine_tuned
from diffuse_cli.tasks.style.fine_tuning import pyramid as sizes_of
from diffuse_cli.tasks.style.studio import LARGEST, StylePicture, StyleTrainer, sitter
from diffuse_cli.tasks.stylize import Stylize
from tests.conftest import TOY

SHORT = StyleTraining(steps=3, batch=3, crop=32)


DRAWN = Settings(steps=2)


def picture_of(size: tuple[int, int] = (48, 64), seed: int = 0, channels: int = 3, depth: int = 8) -> Picture:
    rng = np.random.default_rng(seed)
    low = rng.integers(0, 2**depth, (size[0] // 8, size[1] // 8, channels))
    levels = integers(np.kron(low, np.ones((8, 8, 1), int)), depth)
    return Picture(pixels=to_unit(levels, depth), depth=depth)


def style_picture(seed: int = 7) -> StylePicture:
    return sitter(picture_of((56, 72), seed), sha256=f"{seed:064x}")


def test_strength_0_is_the_picture(toy: Model) -> None:
    photo = picture_of()
    task = Stylize(style=style_picture(), strength=0).problem(photo)
    assert task.leaves_alone
    assert np.array_equal(restored_by(photo, task, DRAWN, toy).pixels, photo.pixels)
    with pytest.raises(UsageError, match="strength"):
        Stylize(style=style_picture(), strength=1.5)


def test_one_step_is_the_colours_alone(toy: Model) -> None:
    photo, style = picture_of(), style_picture()
    made = restored_by(photo, Stylize(style=style, strength=1).problem(photo), Settings(), toy)
    x = torch.from_numpy(photo.pixels).permute(2, 0, 1)[None]
    wanted = transported(x, colours_of(x), style.colours, 1.0).clamp(-1, 1)[0].permute(1, 2, 0).numpy()
    assert np.allclose(made.pixels, wanted, atol=1e-6)
    drawn = restored_by(photo, Stylize(style=style, strength=1).problem(photo), DRAWN, toy)
    assert np.abs(drawn.pixels - wanted).max() > 0.05


@pytest.mark.parametrize("depth", [8, 16])
def test_outside_the_mask_nothing_changes(toy: Model, depth: int) -> None:
    photo = picture_of(depth=depth)
    mask = np.zeros((48, 64), bool)
    mask[10:30, 20:50] = True
    made = restored_by(photo, Stylize(style=style_picture(), mask=mask).problem(photo), DRAWN, toy)
    before, after = to_levels(photo.pixels, depth), to_levels(made.pixels, depth)
    assert np.array_equal(after[~mask], before[~mask])
    assert (after[mask] != before[mask]).any(1).mean() > 0.9
    with pytest.raises(PictureError, match="the mask is 64x48 but the picture, as displayed, 32x24"):
        Stylize(style=style_picture(), mask=mask).problem(picture_of((24, 32)))
    nothing = Stylize(style=style_picture(), mask=np.zeros((48, 64), bool)).problem(photo)
    assert nothing.leaves_alone
    assert "nothing is changed" in nothing.findings.warnings[0]


def test_what_is_transparent_stays_and_has_no_say(toy: Model) -> None:
    alpha = np.full((48, 64), 255, np.uint8)
    alpha[:, 32:] = 0
    photo = replace(picture_of(), alpha=alpha)
    made = restored_by(photo, Stylize(style=style_picture()).problem(photo), DRAWN, toy)
    assert np.array_equal(made.pixels[:, 32:], photo.pixels[:, 32:])
    assert np.abs(made.pixels[:, :32] - photo.pixels[:, :32]).max() > 0.05
    other = replace(photo, pixels=np.where((alpha > 0)[..., None], photo.pixels, np.float32(1)))
    again = restored_by(other, Stylize(style=style_picture()).problem(other), DRAWN, toy)
    assert np.array_equal(again.pixels[:, :32], made.pixels[:, :32])


def test_keeping_luma_keeps_it(toy: Model) -> None:
    photo = picture_of()
    request = Stylize(style=style_picture(), strength=1, keep_luma=True)
    made = restored_by(photo, request.problem(photo), DRAWN, toy)
    before, after = (torch.from_numpy(p.pixels).permute(2, 0, 1)[None] for p in (photo, made))
    assert torch.allclose(luma(after), luma(before), atol=1e-5)
    assert (after - before).abs().max() > 0.1


def test_a_gray_photo_gets_colours(toy: Model) -> None:
    photo = picture_of(channels=1)
    made = restored_by(photo, Stylize(style=style_picture()).problem(photo), DRAWN, toy)
    assert made.pixels.shape == (48, 64, 3)
    assert not made.is_gray


def test_seeds_draw_other_strokes_and_the_same_ones_again(toy: Model) -> None:
    photo = picture_of()
    task = Stylize(style=style_picture()).problem(photo)
    one, again, other = (restored_by(photo, task, Settings(steps=2, seed=s), toy).pixels for s in (1, 1, 2))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_crops_of_every_size_and_only_fine_levels_learn(toy_file: Path) -> None:
    sizes = sizes_of(style_picture().x, SHORT)
    assert [tuple(s.shape[-2:]) for s in sizes] == [(56, 72), (32, 41), (32, 41)]
    batch = batch_of(sizes, SHORT, 0, TOY)
    assert batch.x0.shape == (3, 3, 32, 32)
    assert torch.equal(batch_of(sizes, SHORT, 0, TOY).net_in, batch.net_in)
    assert not torch.equal(batch_of(sizes, SHORT, 1, TOY).net_in, batch.net_in)
    told: list[tuple[int, int]] = []
    place = torch.device("cpu"), torch.float32
    delta = fine_tuned(toy_file, style_picture().x, SHORT, place, lambda *step: told.append(step))
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert any(name.startswith("enc.0.") for name in delta)
    assert not any(name.startswith(("enc.1.", "mid.", "dec.0.")) for name in delta)
    assert all(float(change.abs().max()) > 0 for change in delta.values())


def learned(toy_file: Path, given: "StylePicture | Style", begun: list[int] | None = None) -> Style:
    begin = (lambda steps: None) if begun is None else begun.append
    place = StyleTrainer(path=toy_file, sha256=checkpoint.file_sha256(toy_file), lesson=SHORT, begin=begin)
    return place.style_of(given, "style.png", Model.load(str(toy_file), device="cpu", dtype="fp32"))


def test_what_was_learned_is_kept_and_found_again(toy_file: Path, tmp_path: Path) -> None:
    begun: list[int] = []
    first = learned(toy_file, style_picture(), begun)
    again = learned(toy_file, style_picture(), begun)
    assert begun == [3]
    assert first.delta.keys() == again.delta.keys()
    assert all(torch.equal(again.delta[name], change) for name, change in first.delta.items())
    learned(toy_file, style_picture(8), begun)  # another picture
    assert begun == [3, 3]
    first.save(tmp_path / "s.safetensors")
    read = read_style(tmp_path / "s.safetensors")
    assert read.colours.mean.tolist() == first.colours.mean.tolist()
    assert (read.checkpoint, read.picture) == (first.checkpoint, first.picture)
    assert dict(read.lesson)["steps"] == 3
    assert learned(toy_file, read, begun) is read
    assert begun == [3, 3]
    for kept in user_cache_path("diffuse").rglob("*.safetensors"):
        kept.write_bytes(b"damaged")
    learned(toy_file, style_picture(), begun)  # what cannot be read is learned again
    assert begun == [3, 3, 3]


def test_a_style_changes_the_weights_by_what_it_learned(toy_file: Path) -> None:
    model, style = Model.load(str(toy_file), device="cpu", dtype="fp32"), learned(toy_file, style_picture())
    before = {name: weight.clone() for name, weight in model.network.named_parameters()}
    styled = with_style(model, style, "style.png")
    for name, weight in styled.network.named_parameters():
        change = style.delta[name].float() if name in style.delta else torch.zeros(())
        assert torch.allclose(weight, before[name] + change)
    assert all(torch.equal(weight, before[name]) for name, weight in model.network.named_parameters())
    half = with_style(Model.load(str(toy_file), device="cpu", dtype="bf16"), style, "style.png")
    assert half.network.dtype == torch.bfloat16
    assert half.exact is not None


def test_damaged_and_foreign_styles_are_refused(toy_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "s.safetensors"
    style = learned(toy_file, style_picture())
    style.save(path)
    whole = path.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], b"\xff" * 100):
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"s\.safetensors: cannot be read as a style"):
            read_style(path)
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match="not a style"):
        read_style(path)
    replace(style, colours=Colours(mean=torch.full((3,), torch.nan), covariance=torch.eye(3))).save(path)
    with pytest.raises(CheckpointError, match="the style is damaged"):
        read_style(path)
    with pytest.raises(CheckpointError, match=r"s\.safetensors: was learned for another checkpoint"):
        StyleTrainer(path=toy_file, sha256="0" * 64).style_of(
            style, "s.safetensors", Model.load(str(toy_file), device="cpu")
        )
    misfit = replace(style, delta={"stem.weight": torch.zeros(1)})
    with pytest.raises(CheckpointError, match="does not fit"):
        with_style(Model.load(str(toy_file), device="cpu"), misfit, "s.safetensors")


def test_a_large_style_is_shrunk_and_what_is_transparent_of_it_does_not_count() -> None:
    large = sitter(picture_of((1000, 1200)), "")
    assert abs(large.x.shape[-1] * large.x.shape[-2] - LARGEST) < 2000
    half = np.full((48, 64), 255, np.uint8)
    half[:, 32:] = 0
    pixels = np.where((half > 0)[..., None], 0.5, -1.0).repeat(3, 2).astype(np.float32)
    seen = sitter(Picture(pixels=pixels, alpha=half), "")
    assert seen.colours.mean.tolist() == pytest.approx([0.5] * 3)
    assert bool((seen.x == 0.5).all())


def test_python_gives_back_what_came_in(toy_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studio, "LESSON", SHORT)
    rng = np.random.default_rng(3)
    array, painting = rng.random((32, 48, 3)), rng.integers(0, 256, (40, 40, 3), np.uint8)
    mask = np.zeros((32, 48), bool)
    mask[:, 24:] = True
    model = Model.load(toy_file, device="cpu")
    made = restore(array, Stylize(style=to_picture(painting), mask=mask), model=model, steps=2)
    assert np.array_equal(made[:, :24], array[:, :24])
    assert np.abs(made[:, 24:] - array[:, 24:]).max() > 0.05
    assert np.array_equal(restore(array, Stylize(style=to_picture(painting), strength=0), model=model), array)
    learned(toy_file, sitter(picture_of((56, 72), 7), "")).save(tmp_path / "s.safetensors")
    image = restore(Image.fromarray(painting), Stylize(style=tmp_path / "s.safetensors"), model=model, steps=2)
    assert image.size == (40, 40)
    with pytest.deprecated_call(match="stylize will go in the next release"):
        assert np.array_equal(stylize(array, painting, mask=mask, model=toy_file, device="cpu", steps=2), made)
    with pytest.deprecated_call(), pytest.raises(UsageError, match="not alpha"):
        stylize(array, painting, mask="alpha", model=toy_file)
    with pytest.raises(UsageError, match=r"Model\.load"):
        restore(array, Stylize(style=to_picture(painting)), model=replace(model, path=None), steps=2)
