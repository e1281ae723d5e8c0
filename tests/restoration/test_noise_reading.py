"""The noise of pictures: who reads it, what is told, and what is left alone."""

import functools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from diffuse_cli.diffusion import checkpoint
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.photo_noise import INPUTS, PhotoNoise, Regressor, load_regressor, save_regressor, statistics
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.errors import CheckpointError, UsageError
from diffuse_cli.images.image_io import Picture, jpeg_coding
from diffuse_cli.images.picture import Source
from diffuse_cli.images.units import LEVEL
from diffuse_cli.restoration import noise_reading
from diffuse_cli.restoration.noise_reading import FoundNoise, crops_of, find_noise, noise_reader
from diffuse_cli.restoration.problem import GuidePicture, NoisyPicture
from diffuse_cli.tasks.denoise import Denoise
from diffuse_cli.tasks.restore import Restore

FLAT = Picture(pixels=np.zeros((96, 96, 3), np.float32))


def reads(
    level: float, grain: float, doubt: float = 0.2, chance: float = 1.0, by_texture: float = -1.0,
    correlation: float = 0.6,
) -> PhotoNoise:  # fmt: skip
    part = level / LEVEL
    return PhotoNoise(
        level=part, grain=grain, luma=part, chroma=part, bright_over_dark=1.0, doubt=doubt, chance=chance,
        by_texture=by_texture, correlation=correlation,
    )  # fmt: skip


def returned(photo: PhotoNoise, _picture: Picture) -> PhotoNoise:
    return photo


def white(level: float) -> Picture:
    noise = np.random.default_rng(0).standard_normal((256, 256, 3), dtype=np.float32)
    return Picture(pixels=(noise * np.float32(level / LEVEL)).clip(-1, 1))


def test_a_photographs_noise_is_told_with_its_grain_and_doubt() -> None:
    problem = Denoise().problem(FLAT, lambda _: reads(5, 0.6, doubt=0.3))
    assert isinstance(problem.observation, GuidePicture)
    told = problem.observation.degradation
    assert told.noise == pytest.approx(5 * math.exp(-0.2 * 0.3) / LEVEL)
    assert (told.grain, told.doubt, told.quality) == (0.6, 0.15, 100)
    assert problem.findings.facts["noise"] == pytest.approx(5)
    assert "5.0 levels, grain of 0.6" in problem.findings.notes[0]
    unsure = Denoise().problem(FLAT, lambda _: reads(5, 0.6, doubt=3)).degradation
    assert unsure.doubt == 0.75, "half of the most"
    for grain, caution in ((0.25, 1.1), (0.6, 0.2), (0.8, 0)):
        photo = reads(5, grain, doubt=3)
        unsure = Denoise().problem(FLAT, functools.partial(returned, photo)).degradation
        assert unsure.noise == pytest.approx(5 * math.exp(-1.5 * caution) / LEVEL), "less of what may be fine texture"


@pytest.mark.parametrize(
    ("by_texture", "correlation", "noise", "doubt"),
    [(-0.2, 0.6, 5 * math.exp(-0.08), 0.2), (-0.1, 0.5, 6, 0), (0.4, 0.9, 6, 0), (0.4, 0.4, 5 * math.exp(-0.08), 0.2)],
)
def test_more_is_told_without_doubt_where_no_fine_texture_is_spared_or_taken(
    by_texture: float, correlation: float, noise: float, doubt: float
) -> None:
    photo = reads(5, 0.6, doubt=0.4, by_texture=by_texture, correlation=correlation)
    told = Denoise().problem(FLAT, lambda _: photo).degradation
    assert told.noise * LEVEL == pytest.approx(noise)
    assert told.doubt == pytest.approx(doubt)


@pytest.mark.parametrize(("quality", "level"), [(100, 5), (90, 5), (75, 5.75), (60, 5.75)])
def test_noise_of_a_soft_coarse_jpeg_had_more_before_the_coder(quality: int, level: float) -> None:
    stored = Picture(pixels=FLAT.pixels, source=Source(jpeg=jpeg_coding(quality, "4:2:0")))
    assert find_noise(stored, lambda _: reads(5, 0.6, by_texture=0)).level == pytest.approx(level)
    assert find_noise(stored, lambda _: reads(5, 0.6)).level == pytest.approx(5), "where there is texture it is read"


def test_a_given_level_has_the_grain_that_is_read_or_given() -> None:
    read = Denoise(noise=9).problem(FLAT, lambda _: reads(5, 0.6)).degradation
    assert read.noise * LEVEL == pytest.approx(9)
    assert (read.grain, read.doubt) == (0.6, 0)
    given = Denoise(noise=9, grain=1.1).problem(FLAT, lambda _: reads(5, 0.6)).degradation
    assert given.noise * LEVEL == pytest.approx(9)
    assert given.grain == 1.1
    for problem in (
        Denoise(noise=9, grain=0).problem(FLAT, lambda _: reads(5, 0.6)),
        Denoise(noise=9).problem(FLAT, lambda _: reads(5, 0.1)),
        Denoise(noise=9).problem(FLAT),
    ):
        assert isinstance(problem.observation, NoisyPicture), "white"
        assert problem.observation.noise * LEVEL == pytest.approx(9)
    assert Restore(noise=9, jpeg=None, blur=None).problem(FLAT, lambda _: reads(5, 0.6)).degradation.grain == 0.6
    with pytest.raises(UsageError, match="--noise LEVEL"):
        Denoise(grain=0.5)


def test_a_jpegs_quality_is_told_beside_white_noise_and_a_part_of_its_steps_beside_a_photographs() -> None:
    for quality, told in ((50, 90), (90, 100)):
        stored = Picture(pixels=FLAT.pixels, source=Source(jpeg=jpeg_coding(quality, "4:2:0")))
        for task in (Denoise(), Restore()):
            assert task.problem(stored, lambda _: reads(5, 0.6)).degradation.quality == told
        assert Denoise(noise=5).problem(stored).degradation.quality == quality


@pytest.mark.parametrize(("level", "grain", "chance"), [(1.0, 0.6, 1.0), (6.0, 0.1, 1.0), (6.0, 0.6, 0.5)])
def test_too_little_too_unlikely_and_what_looks_white_is_left_to_the_estimators_of_white_noise(
    level: float, grain: float, chance: float
) -> None:
    found = find_noise(FLAT, lambda _: reads(level, grain, chance=chance))
    assert found.level == 0
    assert found.suspected == pytest.approx(level if level > 1.3 else 0)
    assert find_noise(FLAT, lambda _: reads(6, 0.6, doubt=0.6, chance=0.5)).suspected == 0, "texture"
    note = Denoise().problem(FLAT, lambda _: reads(level, grain, chance=chance)).findings.notes[0]
    assert ("perhaps noise of 6.0 levels" if level > 1.3 else "no noise found") in note
    found = find_noise(white(15), lambda _: reads(14, 0.1))
    assert found.level == pytest.approx(15, rel=0.1)
    assert found.grain is None
    assert isinstance(found.observation(white(15)), NoisyPicture)


def test_less_likely_noise_is_removed_from_a_jpeg_without_fine_texture_alone() -> None:
    stored = Picture(pixels=FLAT.pixels, source=Source(jpeg=jpeg_coding(75, "4:2:0")))
    soft = reads(4, 0.6, chance=0.25, by_texture=0.1, correlation=0.6)
    found = find_noise(stored, lambda _: soft)
    assert (found.level > 4, found.chance) == (True, 0.25)
    for picture, photo in (
        (FLAT, soft),
        (stored, soft._replace(chance=0.15)),
        (stored, soft._replace(grain=0.3)),
        (stored, soft._replace(chroma=0.1 * soft.luma)),
        (stored, soft._replace(by_texture=-0.15)),
    ):
        assert find_noise(picture, functools.partial(returned, photo)).level == 0


def test_sand_is_no_noise() -> None:
    """Texture of luma alone, less correlated than its grain says. White noise over it is still found in a PNG."""
    colours = Picture(pixels=FLAT.pixels + np.array([0, 0.1, 0.2], np.float32))
    sand = reads(9, 0.45, correlation=0.3)._replace(chroma=0.004)
    assert find_noise(colours, lambda _: sand) == FoundNoise(level=0.0)
    assert find_noise(white(9), lambda _: sand).level == pytest.approx(9, rel=0.1)
    assert find_noise(FLAT, lambda _: sand).level == 9, "a gray picture has no chroma"
    for other in (sand._replace(chroma=sand.luma), sand._replace(correlation=0.5)):
        assert find_noise(colours, functools.partial(returned, other)).level == pytest.approx(9)


def test_gray_sand_is_no_noise() -> None:
    gray = Picture(pixels=white(9).pixels[..., :1])
    sand = reads(9, 0.45, doubt=0.5, correlation=0.3)
    assert find_noise(gray, lambda _: sand._replace(level=20 / LEVEL)) == FoundNoise(level=0.0)
    assert find_noise(gray, lambda _: sand).level == pytest.approx(9, rel=0.1), "white noise shows as such"
    for film in (sand._replace(grain=0.7), sand._replace(correlation=0.45), sand._replace(doubt=0.3)):
        assert find_noise(gray, functools.partial(returned, film)).level == pytest.approx(9)


def test_of_noise_with_little_chroma_that_hardly_correlates_less_is_told() -> None:
    """Stone under a camera's noise: what its chroma does not explain is texture."""
    stone = reads(12, 0.4, correlation=0.25)
    stone = stone._replace(chroma=0.5 * stone.luma)
    colours = Picture(pixels=FLAT.pixels + np.array([0, 0.1, 0.2], np.float32))
    found, as_read = (find_noise(colours, functools.partial(returned, p)) for p in (stone, stone._replace(grain=0.27)))
    assert found.level == pytest.approx(12 * 0.5**0.3)
    assert found.degradation().noise < 0.55 * as_read.degradation().noise
    assert 50 < found.degradation(quality=50).quality < as_read.degradation(quality=50).quality
    even = (stone._replace(correlation=0.5), stone._replace(chroma=stone.luma), stone._replace(grain=0.27))
    for picture, photo in ((FLAT, stone._replace(grain=0.7)), *((colours, other) for other in even)):
        assert find_noise(picture, functools.partial(returned, photo)).level == pytest.approx(12)


def test_of_doubtful_noise_of_luma_alone_less_is_told_whatever_its_grain() -> None:
    colours = Picture(pixels=FLAT.pixels + np.array([0, 0.1, 0.2], np.float32))
    film = reads(10, 0.8, doubt=0.6)._replace(chroma=0.004)
    told, sure, coloured, gray = (
        find_noise(picture, functools.partial(returned, photo)).degradation().noise * LEVEL
        for picture, photo in (
            (colours, film),
            (colours, film._replace(doubt=0.45)),
            (colours, film._replace(chroma=film.luma)),
            (FLAT, film),
        )
    )
    assert told == pytest.approx(10 * math.exp(-0.6))
    assert (sure, coloured, gray) == pytest.approx((10, 10, 10))


def test_what_only_the_estimators_of_white_noise_see_is_not_removed() -> None:
    """Fur and the edges of text look like white noise to them, and not to the core."""
    assert find_noise(white(15), lambda _: reads(0.5, 0.5)) == FoundNoise(level=0.0)
    assert find_noise(white(15), lambda _: reads(15, 0.1, chance=0.1)) == FoundNoise(level=0.0)
    assert find_noise(white(15), None).level == pytest.approx(15, rel=0.1)
    assert find_noise(white(15), None, 7.0).level == 7, "what is known is not measured again"


def test_restore_undoes_it_too_also_enlarged() -> None:
    told = Restore().problem(FLAT, lambda _: reads(5, 0.6, doubt=0)).degradation
    assert told.noise * LEVEL == pytest.approx(5)
    assert told.grain == 0.6
    larger = Restore(scale=2).problem(FLAT, lambda _: reads(5, 0.6, doubt=0))
    assert (larger.size, larger.degradation.grain) == ((192, 192), 0.6)
    assert Restore(noise=None).problem(FLAT, lambda _: reads(5, 0.6)).degradation.grain == 0


@pytest.mark.parametrize(("size", "count"), [((63, 200), 0), ((64, 64), 1), ((170, 500), 3), ((3000, 4000), 9)])
def test_crops_are_few_whatever_the_size(size: tuple[int, int], count: int) -> None:
    crops = crops_of(torch.zeros(1, 3, *size))
    assert len(crops) == count
    assert all(n % 16 == 0 and n <= 160 for crop in crops for n in crop.shape[-2:])


def test_weights_that_do_not_know_grain_read_nothing(toy: Model) -> None:
    assert toy.network.config.described == 4
    assert noise_reader(toy) is None


def test_noise_is_read_by_the_network_that_the_regressor_knows(
    toy: Model, toy_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo, asked = replace(toy), list[tuple[str, ...]]()

    def loaded(*how: str) -> Model:
        asked.append(how)
        return photo

    monkeypatch.setattr(noise_reading, "_loaded", loaded)
    for own in (toy, replace(toy, path=checkpoint.find("photo"))):
        assert noise_reading._reading_network(own) is own.network
    assert not asked
    assert noise_reading._reading_network(replace(toy, path=toy_file)) is photo.network
    assert asked == [("photo", "cpu", "fp32")]


def test_statistics_are_finite_on_anything(toy: Model) -> None:
    for x in (torch.zeros(1, 3, 64, 64), torch.ones(1, 3, 32, 96), torch.rand(1, 3, 48, 48) * 2 - 1):
        found = statistics([x, x], toy.network, quality=75)
        assert found.shape == (INPUTS,)
        assert bool(found.isfinite().all())


def test_a_regressor_is_written_and_read_again(tmp_path: Path) -> None:
    torch.manual_seed(0)
    regressor, path = Regressor().eval(), tmp_path / "noise.safetensors"
    save_regressor(regressor, path, {"crops": "0"})
    x = torch.randn(4, INPUTS)
    assert all(out.shape == shape for out, shape in zip(regressor(x), ((4, 5), (4, 5), (4,)), strict=True))
    for a, b in zip(load_regressor(path)(x), regressor(x), strict=True):
        assert torch.equal(a, b)
    assert sum(p.numel() for p in regressor.parameters()) < 500_000
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(CheckpointError, match=r"noise\.safetensors"):
        load_regressor(path)
    with pytest.raises(CheckpointError, match=r"noise\.safetensors"):
        load_regressor(tmp_path / "none" / "noise.safetensors")


@pytest.mark.slow
class TestReal:
    """The released weights and their regressor."""

    def test_white_noise_is_white_and_a_clean_gradient_clean(self, model: Model) -> None:
        read = noise_reader(model)
        assert read is not None
        noise = read(white(15))
        assert noise is not None
        assert noise.level * LEVEL == pytest.approx(15, rel=0.3)
        assert noise.grain < 0.28
        ramp = np.linspace(-0.8, 0.8, 256, dtype=np.float32)[None, :, None].repeat(256, 0).repeat(3, 2)
        assert find_noise(Picture(pixels=ramp), read) == FoundNoise(level=0.0)

    def test_correlated_noise_is_seen(self, model: Model) -> None:
        from diffuse_cli.degradation.camera import Film, describe_noise, film_grain

        x = torch.linspace(-0.5, 0.5, 256)[None, None, None].expand(1, 3, 256, 256).contiguous()
        noise = film_grain(x, Film(level=8 / LEVEL, grain=0.7), np.random.default_rng(0))
        picture = Picture(pixels=(x + noise)[0].permute(1, 2, 0).numpy().copy())
        found = find_noise(picture, noise_reader(model))
        level, grain = describe_noise(noise)
        assert found.level == pytest.approx(level * LEVEL, rel=0.4)
        assert found.grain == pytest.approx(grain, abs=0.3)

    def test_a_camera_s_noise_on_stone_does_not_take_the_stone_away(self, model: Model) -> None:
        """A made texture of luma alone over all of the picture, as Gaussian and as even as noise is."""
        from diffuse_cli.degradation.camera import sensor_noise, sensor_of_iso
        from diffuse_cli.degradation.operators import blur
        from diffuse_cli.restoration.restore import restore

        drawn = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 1, 128, 128), dtype=np.float32))
        grains, light = (blur(x[None], std) for x, std in zip(drawn, (0.5, 12.0), strict=True))
        stone = (
            14 / LEVEL * grains / grains.std()
            + 0.15 * light / light.std()
            + torch.tensor([0, -0.1, -0.2]).view(3, 1, 1)
        )
        noisy = stone + sensor_noise(stone, sensor_of_iso(1600, 0), np.random.default_rng(1))
        clean, before = (x[0].permute(1, 2, 0).numpy().copy() for x in (stone, noisy))
        picture = Picture(pixels=before)
        after = restore(picture, Denoise().problem(picture, noise_reader(model)), Settings(), model).pixels
        assert np.square(after - clean).mean() < np.square(before - clean).mean()
