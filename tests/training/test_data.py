"""Training's data: what is read, what a crop is, and that a batch is a pure function of (seed, step, sample)."""

import io
import math
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from diffuse_cli.degradation.camera import describe_noise
from diffuse_cli.degradation.kernels import blur_by, defocus, motion
from diffuse_cli.degradation.operators import Degradation
from diffuse_cli.errors import UsageError
from diffuse_cli.training.bank import Bank, Sources, pack
from diffuse_cli.training.batch import Clean, Steps, collate
from diffuse_cli.training.config import Length, Mix, TrainConfig, read_config
from diffuse_cli.training.holes import hole
from diffuse_cli.training.pictures import open_data, read_all
from diffuse_cli.training.sample_spec import SampleSpec, draw, keyed, layout
from diffuse_cli.training.shots import Shot, shot
from tests.conftest import EXAMPLES

CONFIG = TrainConfig(crop=24, batch=16, holdout=0, mix=Mix(denoise=4, resize=4, mixture=3, inpaint=3, jpeg=2))


def packed(data: Path, folder: Path, config: TrainConfig = CONFIG) -> Sources:
    folder.mkdir(exist_ok=True)
    return pack([data], [], folder, config, folder_labels=True, warn=lambda line: None)


def test_tar_shards_bring_records_and_labels(tmp_path: Path) -> None:
    path = tmp_path / "shard-0000.tar"
    with Image.open(EXAMPLES / "cat_noisy.png") as image, tarfile.open(path, "w") as shard:
        for k in range(3):
            stream = io.BytesIO()
            image.crop((k, 0, k + 40, 40)).save(stream, "PNG")
            for name, data in ((f"0{k}.png", stream.getvalue()), (f"0{k}.cls", b"cat" if k else b"dog\n")):
                member = tarfile.TarInfo(name)
                member.size = len(data)
                shard.addfile(member, io.BytesIO(data))
    found = list(read_all(open_data([tmp_path]), folder_labels=False))
    assert [(f.name, f.label) for f in found] == [
        ("shard-0000.tar/00.png", "dog"), ("shard-0000.tar/01.png", "cat"), ("shard-0000.tar/02.png", "cat"),
    ]  # fmt: skip
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(UsageError, match="not a whole tar file"):
        list(read_all(open_data([tmp_path]), folder_labels=False))


@pytest.fixture
def bank(tmp_path: Path) -> Bank:
    """Two crops of a photograph, and one of a gray one."""
    data = tmp_path / "data"
    data.mkdir()
    with Image.open(EXAMPLES / "cat_noisy.png") as image:
        for k in range(2):
            image.crop((100 * k, 0, 100 * k + 90, 60)).save(data / f"{k}.png")
    sources = packed(data, tmp_path / "run")
    return Bank(tmp_path / "run", sources, CONFIG, held_out=False)


def test_crops_are_the_pictures_pixels(bank: Bank, tmp_path: Path) -> None:
    with Image.open(tmp_path / "data" / "0.png") as image:
        whole = np.array(image.convert("RGB"))
    full = Bank(tmp_path / "run", packed(tmp_path / "data", tmp_path / "run"),
                replace(CONFIG, pyramid=(1.0, 0.0, 0.0, 0.0)), held_out=False)  # fmt: skip
    windows = np.lib.stride_tricks.sliding_window_view(whole, (24, 24, 3))
    found = 0
    for k in range(20):
        crop, picture = full.crop(keyed(0, 0, k), 0.5)
        assert crop.shape == (24, 24, 3)
        if picture == 0:
            found += 1
            assert bool((windows == crop).all((-1, -2, -3)).any())
    assert found > 3


def test_pictures_are_decoded_once(bank: Bank, tmp_path: Path) -> None:
    before = (tmp_path / "run" / "pictures.u8").stat().st_mtime_ns
    packed(tmp_path / "data", tmp_path / "run")
    assert (tmp_path / "run" / "pictures.u8").stat().st_mtime_ns == before
    (tmp_path / "data" / "1.png").unlink()
    assert len(packed(tmp_path / "data", tmp_path / "run").pictures) == 1


def test_batches_are_pure_functions_of_their_keys(bank: Bank) -> None:
    steps = Steps(bank, CONFIG)
    first, again = steps[3], Steps(bank, CONFIG)[3]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first.x0, steps[4].x0)
    assert not torch.equal(first.x0, Steps(bank, replace(CONFIG, seed=1))[3].x0)
    assert all(bool(t.isfinite().all()) for t in first)


def test_processes_share_a_batch_among_them(bank: Bank) -> None:
    whole = Steps(bank, CONFIG)[7]
    for rank in range(2):
        part = Steps(bank, CONFIG, rank=rank, world=2)[7]
        for a, b in zip(whole, part, strict=True):
            torch.testing.assert_close(a[rank::2], b, rtol=1e-6, atol=1e-6)


def test_recipes_keep_the_documented_shares() -> None:
    places = layout(Mix(), 32)
    drawn = [
        draw(task, place, 96, keyed(0, step, k), means=0.7)
        for step in range(60)
        for k, (task, place) in enumerate(places)
    ]
    guided = [r for r in drawn if r.guide is not None]
    assert len(guided) / len(drawn) == pytest.approx(18 / 32)
    assert sum(r.guide_hole for r in guided) / len(guided) == pytest.approx(0.15, abs=0.04)
    assert sum(r.observed is not None for r in guided) / len(guided) == pytest.approx(0.2, abs=0.04)
    assert sum(np.isinf(r.sigma_t) for r in guided) / len(guided) == pytest.approx(0.7, abs=0.05)
    scales = {round(r.guide.scale, 2) for r in drawn if r.task == "resize" and r.guide is not None}
    assert {2.0, 3.0, 4.0} < scales
    assert all(1.2 < scale <= 96 / 8 for scale in scales)


def test_motion_and_defocus_are_told_as_gaussians_of_their_spread(bank: Bank) -> None:
    mix = Mix(denoise=0, resize=0, mixture=0, inpaint=0, jpeg=0, camera=0, kernel=1)
    specs = [draw(task, place, 24, keyed(0, 1, k)) for k, (task, place) in enumerate(layout(mix, 16))]
    assert [next(iter(spec.kernel.told)) for spec in specs if spec.kernel] == ["motion"] * 8 + ["defocus"] * 8
    assert all(spec.guide and spec.kernel and spec.guide.blur == spec.kernel.spread for spec in specs)
    assert (
        {s.guide.noise > 0 for s in specs if s.guide}
        == {s.guide.quality < 100 for s in specs if s.guide}
        == {True, False}
    )
    batch = Steps(bank, replace(CONFIG, mix=mix))[1]
    assert batch.cond[:, 3].min() > 0.2


def test_a_kernel_blurs_in_the_place_of_the_gaussian() -> None:
    kernel = motion(7, 0)
    what = Degradation(blur=kernel.spread)
    x0 = torch.rand(1, 3, 24, 24, generator=torch.Generator().manual_seed(0)) * 2 - 1
    spec = SampleSpec(task="kernel", guide=what, kernel=kernel)
    batch = collate([Clean(x0[0], -1, 0, False)], [spec], [keyed(0, 0, 0)], 6, 0)
    mu = batch.net_in[0, 3:6] / 2
    torch.testing.assert_close(mu, blur_by(x0, kernel)[0], atol=1 / 255, rtol=0)
    assert kernel.spread == pytest.approx(7 / math.sqrt(24), rel=0.05)
    assert defocus(4).spread == pytest.approx(2, rel=0.05)


@pytest.mark.parametrize("size", [8, 12, 24, 33, 96])
def test_holes_leave_something_and_take_something(size: int) -> None:
    shares = [hole(size, keyed(0, 0, k)).mean() for k in range(60)]
    assert all(0.003 < share < 0.97 for share in shares)
    assert len(set(shares)) > 20


def test_configs_are_checked(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text("batch = 8\nema = [0.1]\n[mix]\ngenerate = 1\n")
    config = read_config(path, lr=0.001, seed=None)
    assert (config.batch, config.ema, config.lr, config.mix.generate) == (8, (0.1,), 0.001, 1.0)
    assert TrainConfig.from_values(config.to_json()) == config
    bad = {
        "rate = 1": "unknown keys: rate", "batch = 'x'": "type int", "decay = 2": "0 .. 1", "= 3": "not TOML",
        "[mix]\nnoise = 1": "unknown keys: noise", "ema = [0.5]": "ema",
    }  # fmt: skip
    for text, message in bad.items():
        path.write_text(text)
        with pytest.raises(UsageError, match=message):
            read_config(path)
    with pytest.raises(UsageError, match="how long"):
        Length()


class TestShots:
    """What the `camera` objective makes of a clean crop."""

    @staticmethod
    def shots(described: int, count: int = 300) -> list[Shot]:
        x0 = torch.rand(1, 3, 48, 48, generator=torch.Generator().manual_seed(0)) - 0.5
        return [
            shot(x0, Degradation(quality=90), keyed(0, 0, k), gray=False, described=described) for k in range(count)
        ]

    def test_what_is_told_is_true_within_an_estimates_error(self) -> None:
        errors = []
        for one in self.shots(5):
            level, grain = describe_noise(one.noise)
            errors.append([math.log(one.told.noise / max(level, 0.002)), one.told.grain - grain])
            assert one.told.doubt == 0
            assert one.told.quality == 90
        spread = np.std(errors, 0)
        assert spread == pytest.approx([0.12, 0.06], rel=0.2)

    @pytest.mark.slow
    def test_doubt_is_how_far_off_it_may_be(self) -> None:
        shots = self.shots(6, 900)
        certain = [one for one in shots if one.told.doubt == 0]
        clean = [one for one in shots if not one.noise.any()]
        assert len(certain) / len(shots) == pytest.approx(0.33, abs=0.05)
        assert 0.08 < len(clean) / len(shots) < 0.2
        assert all(one.told.doubt > 0.5 and one.told.noise > 0 for one in clean)
        unsure = [one for one in shots if one.told.doubt > 1 and one.noise.any()]
        off = [math.log(one.told.noise / max(describe_noise(one.noise)[0], 0.002)) for one in unsure]
        assert np.std(off) == pytest.approx(1.25, rel=0.25)
