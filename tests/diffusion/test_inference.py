"""However it is computed - in one piece, in tiles, in batches, with less memory - a picture is the same, in fp32."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from diffuse_cli.degradation.operators import Degradation, blur
from diffuse_cli.diffusion import inference
from diffuse_cli.diffusion.conditioning import Conditioning
from diffuse_cli.diffusion.denoiser import Denoiser, nothing_known
from diffuse_cli.diffusion.inference import Run, infer
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.network import NetworkConfig
from diffuse_cli.diffusion.settings import Settings
from diffuse_cli.diffusion.tiling import MARGIN, batched, plan_tiles
from diffuse_cli.restoration.linear_part import LinearPart
from diffuse_cli.restoration.observe import observe
from diffuse_cli.restoration.problem import GuidePicture, NoisyPicture, Problem

LEVEL = 2 / 255
NOISY = Problem(observation=NoisyPicture(noise=0.2))
NOTHING = nothing_known(1, NetworkConfig(), torch.device("cpu"))


def dusty(*, noise: float, steps: int, gray: bool = False) -> Conditioning:
    """Nine specks of one size among noise, or a picture of noise alone where there is none."""
    rng = np.random.default_rng(0)
    y = torch.from_numpy(rng.uniform(-1, 1, (1, 1 if gray else 3, 720, 900)).astype(np.float32)).expand(1, 3, -1, -1)
    hole = np.zeros((720, 900), bool)
    for top in (100, 340, 580):
        for left in (100, 420, 740):
            hole[top : top + 5, left : left + 7] = True
    task = Problem(hole=hole) if noise == 0 else Problem(observation=NoisyPicture(noise=noise))
    return observe(y, task, NOTHING, gray=gray, sampling=steps > 1)


def noisy(size: tuple[int, int]) -> Conditioning:
    """A picture of noise alone."""
    return observe(torch.rand(1, 3, *size), NOISY, NOTHING, gray=False, sampling=False)


@pytest.mark.parametrize("steps", [1, pytest.param(3, marks=pytest.mark.slow)])
@pytest.mark.parametrize("noise", [0.0, 0.2])
def test_batches_are_what_single_tiles_are(
    toy: Model, monkeypatch: pytest.MonkeyPatch, noise: float, steps: int
) -> None:
    known, settings = dusty(noise=noise, steps=steps), Settings(tile=160, steps=steps)
    sizes: list[int] = []
    real = Denoiser.begin

    def counted(self: Denoiser, x: Tensor, sigma: Tensor) -> object:
        sizes.append(len(x))
        return real(self, x, sigma)

    monkeypatch.setattr(Denoiser, "begin", counted)
    together = infer(known, Run(model=toy, settings=settings))
    assert max(sizes) > 1
    monkeypatch.setattr(inference, "BATCH_PIXELS", 0)
    sizes.clear()
    alone = infer(known, Run(model=toy, settings=settings))
    assert set(sizes) == {1}
    assert (together - alone).abs().max() < 1e-4
    whole = infer(known, Run(model=toy, settings=Settings(tile="off", steps=steps)))
    assert (together - whole).abs().max() < LEVEL


@pytest.mark.parametrize("steps", [1, 3])
def test_only_the_neighbourhood_of_a_hole_is_computed_and_the_rest_is_the_input(toy: Model, steps: int) -> None:
    y = torch.rand(1, 3, 500, 700) * 2 - 1
    hole = np.zeros((500, 700), bool)
    hole[210:230, 300:340] = True
    known = observe(y, Problem(hole=hole), NOTHING, gray=False, sampling=steps > 1)
    everything = replace(known, given=None, needed=None)
    ticks: list[int] = []
    run = Run(model=toy, settings=Settings(steps=steps), progress=lambda done, total: ticks.append(total))
    some = infer(known, run)
    whole = infer(everything, Run(model=toy, settings=Settings(steps=steps, tile="off")))
    assert ticks == [1 if steps == 1 else 4] * len(ticks)
    assert torch.equal(some[..., ~torch.from_numpy(hole)], y[..., ~torch.from_numpy(hole)])
    assert (some - whole).abs().max() < 2 / 255


def test_out_of_memory_halves_the_tile_is_told_and_leaves_nothing_of_the_tile_before(
    toy: Model, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The third tile fails in mid-picture; the result is that of small tiles from the beginning."""
    known = noisy((200, 300))
    expected = infer(known, Run(model=toy, settings=Settings(tile=64)))
    real, windows = Denoiser.begin, []

    def greedy(self: Denoiser, x: Tensor, sigma: Tensor) -> Callable[[], Tensor]:
        windows.append(x.shape[-1])
        if len(windows) == 3:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return real(self, x, sigma)

    monkeypatch.setattr(Denoiser, "begin", greedy)
    result = infer(known, Run(model=toy, settings=Settings(tile=128)))
    assert caplog.messages == ["out of memory; begun again with tiles of 64 pixels"]
    assert len(windows) == 3 + len(batched(plan_tiles((200, 300), 64), (200, 300), (64 + 2 * MARGIN) ** 2))
    assert torch.equal(result, expected)


def test_out_of_memory_later_than_the_call_is_noticed_too(toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU computes what was begun later, so its errors come when the result is waited for."""
    known = noisy((200, 300))
    expected = infer(known, Run(model=toy, settings=Settings(tile=64)))
    real, calls = Denoiser.begin, []

    def lazy(self: Denoiser, x: Tensor, sigma: Tensor) -> Callable[[], Tensor]:
        calls.append(x.shape)
        if len(calls) == 2:

            def fail() -> Tensor:
                raise torch.OutOfMemoryError("CUDA out of memory.")

            return fail
        return real(self, x, sigma)

    monkeypatch.setattr(Denoiser, "begin", lazy)
    assert torch.equal(infer(known, Run(model=toy, settings=Settings(tile=128))), expected)


def test_out_of_memory_for_good_is_its_own_error(toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    from diffuse_cli.errors import OutOfMemoryError

    def hungry(*_: object, **__: object) -> object:
        raise MemoryError

    monkeypatch.setattr(Denoiser, "begin", hungry)
    known = noisy((64, 64))
    with pytest.raises(OutOfMemoryError):
        infer(known, Run(model=toy))


def soft(noise: float = 0.0) -> tuple[Tensor, Conditioning]:
    """A picture, and what is known of it once it is blurred."""
    torch.manual_seed(5)
    clean = torch.nn.functional.interpolate(torch.rand(1, 3, 30, 40) * 2 - 1, size=(120, 160), mode="bilinear")
    y = blur(clean, 1.2)
    guide = GuidePicture(degradation=Degradation(blur=1.2), linear=LinearPart(blur=1.2, noise=noise))
    return y, observe(
        y,
        Problem(observation=guide),
        NOTHING,
        gray=False,
        sampling=False,
    )


def test_rounds_come_after_the_mean_and_progress_counts_them(toy: Model) -> None:
    _, known = soft()
    told: list[tuple[int, int]] = []
    run = Run(model=toy, progress=lambda *at: told.append(at))
    rounds = {n: infer(known, replace(run, settings=Settings(rounds=n))) for n in (0, 2)}
    assert told == [(1, 1), (1, 3), (2, 3), (3, 3)]
    alone = infer(replace(known, damage=None), Run(model=toy, settings=Settings(rounds=2)))
    assert torch.equal(rounds[0], alone)
    assert not torch.equal(rounds[0], rounds[2])


def test_a_sample_explains_the_blurred_picture(toy: Model) -> None:
    """The toy network knows nothing of pictures; the data step makes it agree all the same."""
    y, known = soft(noise=1e-3)
    missed = []
    for one in (known, replace(known, damage=None)):
        x = infer(one, Run(model=toy, settings=Settings(steps=4)))
        missed.append(float((blur(x, 1.2) - y).square().mean().sqrt()))
    assert missed[0] < 0.3 * missed[1]
