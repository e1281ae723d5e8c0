"""Training's arithmetic: loss, optimiser, averages, schedule, against formulas written out again and the reference."""

import importlib.util
import math
from types import ModuleType

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from diffuse_cli.diffusion.denoiser import Observation, precondition
from diffuse_cli.diffusion.network import NetworkConfig, UNet
from diffuse_cli.training import ema
from diffuse_cli.training.batch import Batch
from diffuse_cli.training.config import Mix, TrainConfig
from diffuse_cli.training.model import Trainable, fresh, losses, renormalise
from diffuse_cli.training.muon import Muon, orthogonalised
from tests.conftest import SHARED, needs_shared

INF = math.inf
TINY = NetworkConfig(channels=(8, 16), blocks=(1, 1), emb=16)


def moved(config: NetworkConfig) -> UNet:
    """A network after some training: gains that are not 0."""
    net = fresh(config, 1)
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.ndim == 0:
                parameter.fill_(0.4)
    return net


def a_batch(size: int = 16) -> tuple[Batch, dict[str, Tensor]]:
    """Two samples: noise of one level beside a hole with exact surroundings."""
    random = torch.Generator().manual_seed(0)
    x0 = torch.rand(2, 3, size, size, generator=random) * 2 - 1
    sigma = torch.full((2, 1, size, size), 0.3)
    sigma[1, :, :, : size // 2], sigma[1, :, :, size // 2 :] = 0.0, INF
    x = x0 + torch.where(torch.isinf(sigma), 0.0, sigma) * torch.randn(x0.shape, generator=random)
    mu = 0.1 * torch.randn(x0.shape, generator=random)
    sigma_p = torch.full((2, 1, size, size), 0.2)
    cond, noise = torch.randn(2, 4, generator=random), torch.tensor([math.log(0.3) / 4, 1.25])
    net_in, linear, c_out = precondition(Observation(mu=mu, sigma_p=sigma_p, cond=cond), x, sigma)
    parts = {"x0": x0, "x": x, "sigma": sigma, "mu": mu, "sigma_p": sigma_p}
    return Batch(net_in, noise, cond, x0, linear, c_out, torch.zeros(2)), parts


def test_training_and_restoring_compute_one_network() -> None:
    net = moved(TINY)
    batch, _ = a_batch()
    f = Trainable(net, torch.float32)(batch.net_in, batch.noise, batch.cond)
    folded = UNet(TINY)
    folded.load_state_dict(net.state_dict())
    torch.testing.assert_close(f, folded.fold()(batch.net_in, batch.noise, batch.cond), rtol=2e-3, atol=2e-3)
    f.square().mean().backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in net.parameters())


def test_the_forward_pass_normalises() -> None:
    net = moved(TINY)
    batch, _ = a_batch()
    before = Trainable(net, torch.float32)(batch.net_in, batch.noise, batch.cond)
    with torch.no_grad():
        for _, layer, _ in net.layers():
            layer.weight.mul_(3)
    after = Trainable(net, torch.float32)(batch.net_in, batch.noise, batch.cond)
    torch.testing.assert_close(before, after, rtol=2e-3, atol=2e-3)
    renormalise(net)
    assert all(abs(float(layer.weight[0].detach().square().mean()) - 1) < 1e-3 for _, layer, _ in net.layers())


def test_the_loss_is_the_one_that_is_documented() -> None:
    batch, p = a_batch()
    f = torch.randn(batch.x0.shape, generator=torch.Generator().manual_seed(3))
    for k in range(2):
        total, counted = 0.0, 0
        for i in range(16):
            for j in range(16):
                s, sp = float(p["sigma"][k, 0, i, j]), float(p["sigma_p"][k, 0, i, j])
                c_skip = 0.0 if math.isinf(s) else sp**2 / (s**2 + sp**2)
                c_out = sp if math.isinf(s) else s * sp / math.sqrt(s**2 + sp**2)
                if c_out < 1e-5:
                    continue
                counted += 1
                for c in range(3):
                    mu, x = float(p["mu"][k, c, i, j]), float(p["x"][k, c, i, j])
                    linear = mu if math.isinf(s) else mu + c_skip * (x - mu)
                    target = (float(p["x0"][k, c, i, j]) - linear) / c_out
                    total += (float(f[k, c, i, j]) - target) ** 2
        expected = total / (3 * 256) / math.sqrt(max(counted / 256, 0.02))
        assert float(losses(f, batch)[k]) == pytest.approx(expected, rel=1e-4)


def reference(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"reference_{name}", SHARED / "reference" / "trainer" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@needs_shared
def test_loss_and_gradients_are_the_reference_trainers() -> None:
    core = reference("core")
    weights = {k: v.float() for k, v in load_file(SHARED / "reference" / "plateau" / "net.safetensors").items()}
    batch, p = a_batch(32)
    theirs = core.UNet()
    theirs.load_state_dict(weights)
    denoiser = core.Denoiser(theirs.train())
    net_in, linear, c_out = denoiser.coefs(p["x"], p["sigma"], p["mu"], p["sigma_p"])
    torch.testing.assert_close(batch.net_in, net_in, rtol=1e-5, atol=1e-6)
    w = (c_out > 1e-5).float()
    target = (p["x0"] - linear) / c_out.clamp_min(1e-5) * w
    f = theirs(net_in, batch.noise, batch.cond)
    per = ((f - target) ** 2 * w).mean((1, 2, 3)) / w.mean((1, 2, 3)).clamp_min(0.02) ** 0.5
    per.mean().backward()

    net = UNet(NetworkConfig())
    net.load_state_dict(weights)
    trainable = Trainable(net.channels_last_(), torch.float32)
    own = losses(trainable(batch.net_in, batch.noise, batch.cond), batch)
    own.mean().backward()  # type: ignore[no-untyped-call]
    torch.testing.assert_close(own, per, rtol=1e-4, atol=1e-5)
    grads = dict(theirs.named_parameters())
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None
        wanted = grads[name].grad
        # processors with AMX differ by up to 2 %
        assert float((parameter.grad - wanted).norm()) <= 0.03 * float(wanted.norm()) + 1e-6, name


@pytest.mark.parametrize("shape", [(8, 40), (40, 8), (16, 16), (1, 9)])
def test_orthogonalising_is_newton_schulz(shape: tuple[int, int]) -> None:
    random = torch.Generator().manual_seed(0)
    g = torch.randn(3, *shape, generator=random)
    for matrix, got in zip(g.double(), orthogonalised(g), strict=True):
        x = matrix.mT if shape[0] > shape[1] else matrix
        x = x / x.norm()
        for _ in range(5):
            a = x @ x.mT
            x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
        x = x.mT if shape[0] > shape[1] else x
        assert float((got - x).norm() / x.norm()) < 0.1  # bf16 in the last product


def test_muon_moves_as_torchs_own() -> None:
    """torch.optim.Muon with Moonshot's scale, 0.2 * sqrt(max(rows, columns)), at five times the rate."""
    random = torch.Generator().manual_seed(0)
    shapes = [(16, 4, 3, 3), (16, 4, 3, 3), (24, 16), (16, 16, 1, 1)]
    own = [nn.Parameter(torch.randn(s, generator=random)) for s in shapes]
    own[0].data = own[0].data.contiguous(memory_format=torch.channels_last)
    theirs = [nn.Parameter(p.detach().clone().contiguous().flatten(1)) for p in own]
    muon = Muon(own, lr=0.01)
    torchs = torch.optim.Muon(theirs, lr=0.05, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")
    start = [p.detach().clone().contiguous().flatten(1) for p in own]
    for _ in range(3):
        for p, q in zip(own, theirs, strict=True):
            p.grad = torch.randn(p.shape, generator=random).contiguous(memory_format=torch.preserve_format)
            q.grad = p.grad.contiguous().flatten(1).clone()
        muon.step()
        torchs.step()  # type: ignore[no-untyped-call]
    for p, q, s in zip(own, theirs, start, strict=True):
        moved_by = float((q.detach() - s).norm())
        assert float((p.detach().contiguous().flatten(1) - q.detach()).norm()) < 0.05 * moved_by


@needs_shared
def test_muon_moves_as_the_references() -> None:
    muon = reference("muon")
    random = torch.Generator().manual_seed(0)
    g = torch.randn(32, 16, 3, 3, generator=random)
    ours = orthogonalised(g.flatten(1)[None])[0] * math.sqrt(144)
    theirs = muon.orthogonalise(g).flatten(1)
    assert float((ours - theirs).norm() / theirs.norm()) < 0.05
    assert 0.7 < float(ours.square().mean().sqrt()) < 1.2


def test_averages_reach_back_as_far_as_they_say() -> None:
    assert ema.exponent(0.05) == pytest.approx(16.97, abs=0.01)  # EDM2, table of section 3.1
    assert ema.exponent(0.10) == pytest.approx(6.94, abs=0.01)
    assert ema.keep(1, 0.05, 1000) == 0  # the first weights begin the average
    assert ema.keep(10**6, 0.05, 1000) == 0.999
    keeps = [ema.keep(step, 0.1, 10**9) for step in range(1, 2001)]
    weights = torch.ones(2000, dtype=torch.float64)
    for k, beta in enumerate(keeps):
        weights[:k] *= beta
        weights[k] = 1 - beta
    steps = torch.arange(1, 2001, dtype=torch.float64)
    mean = (weights * steps).sum()
    std = ((weights * (steps - mean) ** 2).sum()).sqrt()
    assert float(std / 2000) == pytest.approx(0.10, rel=0.02)


def test_the_rate_rises_stays_and_falls() -> None:
    config = TrainConfig(lr=0.01, warmup=100, decay=0.25)
    assert config.rate(0, 0.0) == pytest.approx(1e-5)
    assert config.rate(50, 0.1) == pytest.approx(0.00501)
    assert config.rate(500, 0.75) == 0.01
    assert config.rate(900, 0.875) == pytest.approx(0.005)
    assert config.rate(1000, 1.0) == 0
    assert TrainConfig(decay=0.0).rate(10**6, 1.0) == 0.015


def test_shares_are_the_ones_that_are_documented() -> None:
    counts = Mix().counts(32)
    assert counts == {
        "denoise": 10, "resize": 6, "mixture": 5, "inpaint": 4, "jpeg": 3, "camera": 4, "kernel": 0, "generate": 0,
    }  # fmt: skip
