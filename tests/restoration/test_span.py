"""A scan of a wide range is narrowed to the span in which its noise is some levels, and widened again."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.images.dicom_values import from_numbers, stored_values
from diffuse_cli.images.image_io import Picture, read_picture
from diffuse_cli.images.units import LEVEL
from diffuse_cli.restoration.problem import GuidePicture, NoisyPicture, Problem
from diffuse_cli.restoration.reach import in_reach
from diffuse_cli.restoration.restore import restore
from diffuse_cli.restoration.span import Span, span_of
from diffuse_cli.tasks.denoise import Denoise
from tests.helpers.dicom_files import dataset, save

pytest.importorskip("pydicom")


def scan(folder: Path, std: float, metal: int = 3000, **tags: Any) -> Picture:  # noqa: ANN401
    """Soft tissue with noise of so many HU, between air and metal."""
    y, x = np.mgrid[:128, :128]
    values = 40 + 60 * (np.hypot(y - 64, x - 64) < 25) + np.random.default_rng(0).normal(0, std, (128, 128))
    values[:, :20], values[:6, 60:70] = -1000, metal
    made = dataset([np.rint(values).astype(np.int32)], stored=16, signed=True, **tags)
    return read_picture(save(made, folder / "a.dcm"))


def test_faint_noise_becomes_three_levels(tmp_path: Path) -> None:
    picture = scan(tmp_path, 10)
    span = span_of(picture)
    assert span is not None
    assert 2.5 < 10 / 4000 * 2 * LEVEL / span.scale < 3.5
    view = span.seen(picture).pixels
    assert (view.min(), view.max()) == (-1, 1)
    assert np.abs(view[40:, 30:]).max() < 1, "soft tissue lies in the middle"
    assert span_of(scan(tmp_path, 60)) is None, "strong noise needs no narrowing"
    assert span_of(replace(picture, source=replace(picture.source, dicom=None))) is None


def test_the_window_is_inside_and_in_the_middle(tmp_path: Path) -> None:
    picture = scan(tmp_path, 4, WindowCenter="500", WindowWidth="800")
    span, dicom = span_of(picture), picture.source.dicom
    assert span is not None
    assert dicom is not None
    wanted = from_numbers(np.array([100.0, 900.0]), dicom)
    assert wanted is not None
    low, high = ((2 * (value - dicom.low) / picture.white - 1) for value in wanted)
    assert (span.low, span.high) == pytest.approx((low, high), abs=1e-5)


def test_what_lies_beyond_comes_back_and_holes_do_not(tmp_path: Path) -> None:
    picture = scan(tmp_path, 10)
    span = span_of(picture)
    hole = np.zeros((128, 128), bool)
    hole[:6, 60:70] = True
    seen = NoisyPicture(noise=0.005)
    for missing in (None, hole):
        found = in_reach(Problem(observation=seen, span=span, hole=missing), picture)
        assert found is not None
        assert span is not None
        assert found.problem.degradation.noise == pytest.approx(0.005 / span.scale)
        again = found.undone(torch.from_numpy(found.picture.pixels).permute(2, 0, 1)[None])[0, 0].numpy()
        inside = np.ones_like(hole) if missing is None else ~hole
        np.testing.assert_allclose(again[inside], picture.pixels[inside, 0], atol=1e-5)
    assert span is not None
    assert again[hole].max() <= span.high + 1e-5


def test_denoise_leaves_metal_and_air_and_smooths_tissue(tmp_path: Path, model: Model) -> None:
    picture = scan(tmp_path, 10)
    for how in (Denoise(), Denoise(noise="poisson"), Denoise(noise=0.64)):
        problem = how.problem(picture)
        assert problem.span is not None
        assert "others keep their noise" in problem.findings.notes[-1]
        after = restore(picture, problem, Settings(), model)
        assert picture.source.dicom is not None
        before, made = (stored_values(one, picture.source.dicom) for one in (picture, after))
        assert (made[:, :15] == before[:, :15]).all()
        assert (made[:5, 61:69] == before[:5, 61:69]).all()
        assert made[90:, 30:].std() < 0.5 * before[90:, 30:].std()


def test_correlated_noise_by_brightness_has_the_level_that_the_core_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from diffuse_cli.restoration import noise_reading
    from diffuse_cli.restoration.noise_reading import FoundNoise

    picture = scan(tmp_path, 60)
    monkeypatch.setattr(noise_reading, "find_noise", lambda *_: FoundNoise(level=9.0, grain=0.5))
    problem = Denoise(noise="poisson").problem(picture)
    seen = problem.observation
    assert isinstance(seen, GuidePicture)
    assert seen.degradation.noise * LEVEL == pytest.approx(9)
    assert seen.degradation.grain == 0.5
    assert problem.findings.facts["grain"] == 0.5


def test_faint_noise_of_photons_is_found_by_default(tmp_path: Path) -> None:
    clean = np.repeat(np.linspace(200, 970, 160)[None], 160, 0)
    noisy = np.random.default_rng(0).poisson(clean)
    tags = dataset([noisy.astype(np.int32)], stored=16)
    tags.Modality = "CR"
    picture = read_picture(save(tags, tmp_path / "x.dcm"))
    dicom = picture.source.dicom
    assert dicom is not None
    (note,) = (problem := Denoise().problem(picture)).findings.notes
    assert "x level +" in note
    level = 255 / (dicom.high - dicom.low)
    assert problem.findings.facts["noise_gain"] == pytest.approx(level, rel=0.3)
    found = problem.observation
    assert isinstance(found, NoisyPicture)
    assert found.sigma_y is not None
    std = found.sigma_y * LEVEL / level
    assert std[:, 150].mean() == pytest.approx(np.sqrt(clean[0, 150]), rel=0.2)
    assert std[:, 10].mean() < 0.7 * std[:, 150].mean()


def test_a_span_counts_in_levels_of_the_whole_range() -> None:
    from diffuse_cli.degradation.estimation.noise_map import KnownNoise, of_photograph, of_span

    facts = {"noise": 4.0, "noise_gain": 0.1, "noise_offset": 2.0, "noise_shading": 1.0}
    std = np.full((4, 4), 4, np.float32)
    found = of_span(KnownNoise(level=4.0, std=std, facts=facts), Span(low=-0.5, high=0.5).scale, 63.75)
    assert (found.level, found.facts["noise"]) == (2, 2)
    level, inside = 100.0, (100.0 - 63.75) / 0.5
    variance = found.facts["noise_gain"] * level + found.facts["noise_offset"]
    assert variance == pytest.approx(0.25 * (0.1 * inside + 2))
    coarse = of_photograph(KnownNoise(level=4.0, std=std, facts=facts), 8.0, 0.4)
    assert (coarse.level, coarse.facts["grain"]) == (8, 0.4)
    assert coarse.facts["noise_gain"] == pytest.approx(0.4)
    assert coarse.std is not None
    assert (coarse.std == 8).all()
