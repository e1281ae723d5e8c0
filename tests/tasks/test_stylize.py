"""Styles: colours by the closed form, what is kept is kept to the bit, and what was learned is learned once."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from platformdirs import user_cache_path
from safetensors.torch import load_file, save_file

from diffuse_cli import restore, stylize
from diffuse_cli.diffusion import checkpoint
from diffuse_cli.diffusion.model import Model, prepare
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.errors import CheckpointError, PictureError, UsageError
from diffuse_cli.evaluation.style_distance import copied_patches, gram_distance, sliced_wasserstein
from diffuse_cli.images.convert import to_picture
from diffuse_cli.images.image_io import Picture, to_levels, to_unit
from diffuse_cli.images.picture import integers
from diffuse_cli.images.units import luma
from diffuse_cli.provenance.recipe import read as read_recipe
from diffuse_cli.restoration.problem import Repainting
from diffuse_cli.restoration.repainting import pyramid, repainted
from diffuse_cli.restoration.restore import restore as restored_by
from diffuse_cli.tasks.style import studio
from diffuse_cli.tasks.style.colour_transport import Colours, colours_of, transport, transported
from diffuse_cli.tasks.style.delta import Style, read_style, with_style
from diffuse_cli.tasks.style.fine_tuning import StyleTraining, batch_of, fine_tuned
from diffuse_cli.tasks.style.fine_tuning import pyramid as sizes_of
from diffuse_cli.tasks.style.studio import LARGEST, StylePicture, StyleTrainer, sitter
from diffuse_cli.tasks.stylize import Stylize
from tests.conftest import Run, pixels
from tests.running import Program

SHORT = StyleTraining(steps=3, batch=3, crop=32)
DRAWN = Settings(steps=2)


def picture_of(size: tuple[int, int] = (48, 64), seed: int = 0, channels: int = 3, depth: int = 8) -> Picture:
    rng = np.random.default_rng(seed)
    low = rng.integers(0, 2**depth, (size[0] // 8, size[1] // 8, channels))
    levels = integers(np.kron(low, np.ones((8, 8, 1), int)), depth)
    return Picture(pixels=to_unit(levels, depth), depth=depth)


def style_picture(seed: int = 7) -> StylePicture:
    return sitter(picture_of((56, 72), seed), sha256=f"{seed:064x}")


def random_colours(seed: int) -> Colours:
    random = torch.Generator().manual_seed(seed)
    factor = torch.randn((3, 3), generator=random, dtype=torch.float64) * 0.3
    return Colours(mean=0.3 * torch.randn(3, generator=random, dtype=torch.float64), covariance=factor @ factor.T)


@pytest.mark.parametrize("seed", range(4))
def test_transport_gives_mean_and_covariance_and_moves_least(seed: int) -> None:
    source, target = random_colours(seed), random_colours(seed + 100)
    matrix = transport(source, target)
    floor = 1e-4 * torch.eye(3, dtype=torch.float64)
    assert torch.allclose(matrix @ (source.covariance + floor) @ matrix.T, target.covariance + floor, atol=1e-9)
    # Of all maps that do so, Monge's is the symmetric one without negative eigenvalues (Brenier 1991).
    assert torch.allclose(matrix, matrix.T, atol=1e-9)
    assert float(torch.linalg.eigvalsh(matrix).min()) > 0


def test_transport_between_diagonal_gaussians_is_the_ratio_of_their_stds() -> None:
    source = Colours(mean=torch.zeros(3).double(), covariance=torch.diag(torch.tensor([0.04, 0.09, 0.01])).double())
    target = Colours(mean=torch.ones(3).double(), covariance=torch.diag(torch.tensor([0.16, 0.01, 0.01])).double())
    wanted = torch.diag(torch.tensor([2.0, 1 / 3, 1.0])).double()
    assert torch.allclose(transport(source, target), wanted, atol=0.02)


def test_colours_arrive_and_a_share_of_the_way_is_between() -> None:
    x, target = torch.randn(1, 3, 40, 50) * 0.2, random_colours(3)
    own = colours_of(x)
    there = colours_of(transported(x, own, target, 1.0))
    assert torch.allclose(there.mean, target.mean, atol=1e-5)
    assert torch.allclose(there.covariance, target.covariance, rtol=0.005, atol=1e-4)  # but for the floor
    assert torch.allclose(transported(x, own, target, 0.0), x, atol=1e-5)
    half = transported(x, own, target, 0.5)
    assert torch.allclose(half, (x + transported(x, own, target, 1.0)) / 2, atol=1e-5)


@pytest.mark.parametrize("x", [torch.rand(1, 1, 20, 20).expand(1, 3, -1, -1), torch.full((1, 3, 20, 20), 0.2)])
def test_gray_and_constant_pictures_get_colours_too(x: torch.Tensor) -> None:
    target = random_colours(5)
    moved = transported(x, colours_of(x), target, 1.0)
    assert bool(moved.isfinite().all())
    assert torch.allclose(colours_of(moved).mean, target.mean, atol=1e-4)


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
    assert "nothing is changed" in nothing.warnings[0]


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


def test_scales_are_painted_coarse_to_fine_each_over_the_one_before() -> None:
    x = torch.rand(1, 3, 130, 140)
    assert [tuple(s.shape[-2:]) for s in pyramid(x, 2)] == [(130, 140), (65, 70), (33, 35)]
    assert len(pyramid(x, 9)) == 3  # what is small is not halved
    seen: list[tuple[int, tuple[int, ...], tuple[int, ...]]] = []

    def draw(start: torch.Tensor, guide: torch.Tensor, halvings: int) -> torch.Tensor:
        seen.append((halvings, tuple(start.shape[-2:]), tuple(guide.shape[-2:])))
        return start + (halvings == 2)

    made = repainted(x, Repainting(sigma=0.4, scale=4, levels=2), draw)
    assert seen == [(2, (33, 35), (8, 9)), (1, (65, 70), (16, 18)), (0, (130, 140), (32, 35))]
    assert torch.allclose(made, x + 1, atol=1e-4)  # what a coarse scale changed is in the fine ones


def test_crops_of_every_size_and_only_fine_levels_learn(toy_file: Path) -> None:
    sizes = sizes_of(style_picture().x, SHORT)
    assert [tuple(s.shape[-2:]) for s in sizes] == [(56, 72), (32, 41), (32, 41)]
    batch = batch_of(sizes, SHORT, 0, 0)
    assert batch.x0.shape == (3, 3, 32, 32)
    assert torch.equal(batch_of(sizes, SHORT, 0, 0).net_in, batch.net_in)
    assert not torch.equal(batch_of(sizes, SHORT, 1, 0).net_in, batch.net_in)
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
    return place.style_of(given, "style.png", prepare(str(toy_file), device="cpu", dtype="fp32"))


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
    model, style = prepare(str(toy_file), device="cpu", dtype="fp32"), learned(toy_file, style_picture())
    before = {name: weight.clone() for name, weight in model.network.named_parameters()}
    styled = with_style(model, style, "style.png")
    for name, weight in styled.network.named_parameters():
        change = style.delta[name].float() if name in style.delta else torch.zeros(())
        assert torch.allclose(weight, before[name] + change)
    assert all(torch.equal(weight, before[name]) for name, weight in model.network.named_parameters())
    half = with_style(prepare(str(toy_file), device="cpu", dtype="bf16"), style, "style.png")
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
    with pytest.raises(CheckpointError, match="is no style"):
        read_style(path)
    replace(style, colours=Colours(mean=torch.full((3,), torch.nan), covariance=torch.eye(3))).save(path)
    with pytest.raises(CheckpointError, match="a damaged style"):
        read_style(path)
    with pytest.raises(CheckpointError, match=r"s\.safetensors: was learned for another checkpoint"):
        StyleTrainer(path=toy_file, sha256="0" * 64).style_of(
            style, "s.safetensors", prepare(str(toy_file), device="cpu")
        )
    misfit = replace(style, delta={"stem.weight": torch.zeros(1)})
    with pytest.raises(CheckpointError, match="does not fit"):
        with_style(prepare(str(toy_file), device="cpu"), misfit, "s.safetensors")


def test_a_large_style_is_shrunk_and_what_is_transparent_of_it_does_not_count() -> None:
    large = sitter(picture_of((1000, 1200)), "")
    assert abs(large.x.shape[-1] * large.x.shape[-2] - LARGEST) < 2000
    half = np.full((48, 64), 255, np.uint8)
    half[:, 32:] = 0
    pixels = np.where((half > 0)[..., None], 0.5, -1.0).repeat(3, 2).astype(np.float32)
    seen = sitter(Picture(pixels=pixels, alpha=half), "")
    assert seen.colours.mean.tolist() == pytest.approx([0.5] * 3)
    assert bool((seen.x == 0.5).all())


def _alexnet(seed: int = 0) -> Mapping[str, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    widths, sides = (3, 64, 192, 384, 256, 256), (11, 5, 3, 3, 3)
    shapes: dict[str, Any] = {}
    for k, side in enumerate(sides):
        kernel = torch.randn((widths[k + 1], widths[k], side, side), generator=random)
        shapes[f"conv{k}.weight"] = kernel / (widths[k] * side * side) ** 0.5
        shapes[f"conv{k}.bias"] = torch.zeros(widths[k + 1])
    return shapes


def test_style_distances_are_0_for_the_style_and_know_no_place() -> None:
    weights, style = dict(_alexnet()), torch.rand(1, 3, 128, 128) * 2 - 1
    noise = torch.rand(1, 3, 128, 128) * 2 - 1  # the same texture, elsewhere
    flat = torch.full((1, 3, 128, 128), 0.1)
    for distance in (gram_distance, sliced_wasserstein):
        assert distance(weights, style, style) < 1e-6
        assert distance(weights, noise, style) < 0.2 * distance(weights, flat, style)
    assert float(copied_patches(style[..., 8:40, 16:60], style).max()) < 0.1
    assert float(copied_patches(noise, style).min()) > 20


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


def test_command(run: Program, cat: Path, toy_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studio, "LESSON", SHORT)
    Image.fromarray(to_levels(picture_of((56, 72), 7).pixels, 8)).save(tmp_path / "painting.png")
    model = ("--model", toy_file, "--device", "cpu", "--steps", "2")
    line = ("stylize", cat, "--style", "painting.png", *model, "-o", "out.png", "--save-style", "s.safetensors")
    first = run(*line)
    assert first.code == 0
    assert "painting.png: learning its texture in 3 steps" in first.err
    told = read_recipe(tmp_path / "out.png")
    assert told is not None
    assert told["style"] == checkpoint.file_sha256(tmp_path / "painting.png")
    assert (told["strength"], told["seed"], told["steps"]) == (0.5, 0, 2)
    made = (tmp_path / "out.png").read_bytes()
    kept = run("stylize", cat, "--style", "painting.png", *model, "-o", "again.png")
    assert "learning" not in kept.err
    assert (tmp_path / "again.png").read_bytes() == made
    saved = run("stylize", cat, "--style", "s.safetensors", *model, "-o", "saved.png")
    assert saved.code == 0
    assert np.array_equal(pixels(tmp_path / "saved.png"), pixels(tmp_path / "out.png"))
    assert load_file(tmp_path / "s.safetensors")
    resumed = run(*line[:-2], "--resume", "--json")
    assert json.loads(resumed.out.splitlines()[0])["status"] == "skipped"
    replayed = run("replay", "out.png", "--input", cat, "--style", "painting.png", "--model", toy_file)
    assert (replayed.code, "the same bytes" in replayed.out) == (0, True)
    assert run("replay", "out.png", "--input", cat, "--style", "s.safetensors", "--model", toy_file).code == 2


def test_wrong_commands(run: Program, cat: Path, toy_file: Path, tmp_path: Path) -> None:
    shutil.copy(cat, tmp_path / "painting.png")
    (tmp_path / "bad.safetensors").write_bytes(b"no")
    style = ("--style", "painting.png", "--model", toy_file)
    assert run("stylize", cat).code == 2
    assert run("stylize", cat, "--style", "nothing.png").code == 2
    assert run("stylize", cat, "--style", "bad.safetensors").code == 3
    assert run("stylize", cat, *style, "--strength", "2").code == 2
    assert run("stylize", cat, *style, "--save-style", "s.png").code == 2
    assert run("stylize", cat, *style, "--save-style", "bad.safetensors").code == 2
    assert run("stylize", cat, *style, "-o", "painting.png", "-f").code == 2
    assert run("stylize", cat, *style, "--mask", "nothing.png").code == 2


def test_installed_program(diffuse: Run, cat: Path, toy_file: Path, tmp_path: Path) -> None:
    shutil.copy(cat, tmp_path / "painting.png")
    learned(toy_file, sitter(picture_of((56, 72), 7), "")).save(tmp_path / "s.safetensors")
    mask = np.zeros((64, 96), np.uint8)
    mask[20:40, 30:60] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    line = ("stylize", cat, "--style", "s.safetensors", "--mask", "mask.png", "--model", toy_file, "-o", "out.png")
    done = diffuse(*line)
    assert done.returncode == 0, done.stderr
    changed = (pixels(tmp_path / "out.png") != pixels(cat)).any(2)
    assert not changed[mask == 0].any()
    assert changed[mask > 0].mean() > 0.9
    alone = diffuse("stylize", cat, "--style", "painting.png", "--steps", "1", "--model", toy_file, "-o", "colours.png")
    assert alone.returncode == 0
    assert b"learning" not in alone.stderr
