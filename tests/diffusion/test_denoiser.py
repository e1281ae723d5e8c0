"""D against the golden tensors, against closed forms, and what it promises about known pixels."""

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from diffuse_cli.degradation.operators import MOST_MARGIN, Degradation, resize
from diffuse_cli.diffusion import denoiser
from diffuse_cli.diffusion.denoiser import Denoiser, Observation, coefficients, nothing_known, together
from diffuse_cli.diffusion.fill import pull_push
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.network import NetworkConfig, UNet, redescribed
from tests.conftest import SHARED, needs_shared, toy_network

TOLERANCE = 2e-4


INF = torch.tensor(math.inf)


CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def golden() -> dict[str, Tensor]:
    return load_file(SHARED / "reference" / "golden.safetensors")


@pytest.fixture(scope="module")
def reference() -> Model:
    """The weights that the golden tensors belong to; ours may have moved on."""

    return Model.load(SHARED / "reference" / "photo.safetensors", device="cpu", dtype="fp32")


def close(actual: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(actual, expected, rtol=0, atol=TOLERANCE)


def described(golden: dict[str, Tensor], name: str) -> Degradation:
    scale, noise, quality, blur = golden[f"{name}.description"].tolist()
    return Degradation(scale=scale, noise=noise, quality=quality, blur=blur)


@needs_shared
class TestGolden:
    def test_network(self, golden: dict[str, Tensor], reference: Model) -> None:
        f = reference.network(golden["f.input"], golden["f.noise"], golden["f.cond"])
        close(f, golden["f.output"])

    @pytest.mark.parametrize("name", ["fill", "fill.long"])
    def test_fill(self, golden: dict[str, Tensor], name: str) -> None:
        mu, sigma_p = pull_push(golden[f"{name}.y"], golden[f"{name}.sigma_y"])
        close(mu, golden[f"{name}.mu"])
        close(sigma_p, golden[f"{name}.sigma_p"])

    def test_upsizing(self, golden: dict[str, Tensor]) -> None:
        close(resize(golden["upsize.input"], (50, 61)), golden["upsize.output"])

    @pytest.mark.parametrize("name", ["denoise", "padded", "batch", "generate"])
    def test_state_alone(self, golden: dict[str, Tensor], reference: Model, name: str) -> None:
        x_t = golden[f"{name}.x_t"]
        posterior = Denoiser(reference.network, nothing_known(len(x_t), NetworkConfig(), CPU))
        close(posterior(x_t, golden[f"{name}.sigma_t"]), golden[f"{name}.output"])

    def test_varying_noise(self, golden: dict[str, Tensor], reference: Model) -> None:
        y = golden["varying.y"]
        seen = replace(nothing_known(1, NetworkConfig(), CPU), y=y, sigma_y=golden["varying.sigma_y"])
        close(Denoiser(reference.network, seen)(torch.full_like(y, math.nan), INF), golden["varying.output"])

    @pytest.mark.parametrize("sigma_t", ["inf", "0.7"])
    def test_inpaint(self, golden: dict[str, Tensor], reference: Model, sigma_t: str) -> None:
        y, sigma_y = golden["inpaint.y"], golden["inpaint.sigma_y"]
        mu, sigma_p = pull_push(y, sigma_y)
        seen = replace(nothing_known(1, NetworkConfig(), CPU), mu=mu, sigma_p=sigma_p, y=y, sigma_y=sigma_y)
        out = Denoiser(reference.network, seen)(golden[f"inpaint.{sigma_t}.x_t"], torch.tensor(float(sigma_t)))
        close(out, golden[f"inpaint.{sigma_t}.output"])
        known = (sigma_y == 0).expand_as(out)
        assert torch.equal(out[known], y[known])

    @pytest.mark.parametrize("sigma_t", ["inf", "0.3"])
    def test_guided(self, golden: dict[str, Tensor], reference: Model, sigma_t: str) -> None:
        seen = self.guide(golden["guided.mu"], described(golden, "guided"))
        close(seen.cond, golden["guided.cond"])
        close(seen.sigma_p.flatten(), golden["guided.sigma_p"])
        out = Denoiser(reference.network, seen)(golden[f"guided.{sigma_t}.x_t"], torch.tensor(float(sigma_t)))
        close(out, golden[f"guided.{sigma_t}.output"])

    def test_blurred_only(self, golden: dict[str, Tensor], reference: Model) -> None:
        mu = golden["clean.mu"]
        seen = self.guide(mu, described(golden, "clean"))
        close(seen.cond, golden["clean.cond"])
        close(seen.sigma_p.flatten(), golden["clean.sigma_p"])
        close(Denoiser(reference.network, seen)(mu, INF), golden["clean.output"])

    def test_guide_with_holes_and_observation(self, golden: dict[str, Tensor], reference: Model) -> None:
        what = described(golden, "guided")
        mu, fill = pull_push(golden["both.guide"], torch.where(golden["both.miss"] > 0, math.inf, 0.0))
        close(mu, golden["both.mu"])
        sigma_p = (what.sigma_p() ** 2 + fill**2 - 0.01**2).sqrt()
        close(sigma_p, golden["both.sigma_p"])
        seen = replace(self.guide(mu, what), sigma_p=sigma_p, y=golden["both.y"], sigma_y=golden["both.sigma_y"])
        close(Denoiser(reference.network, seen)(golden["both.x_t"], golden["both.sigma_t"]), golden["both.output"])

    @staticmethod
    def guide(mu: Tensor, what: Degradation) -> Observation:
        return replace(nothing_known(1, NetworkConfig(), CPU).told(what), mu=mu)


def test_coefficients_give_the_gaussian_posterior() -> None:
    """Without the network, D is the exact posterior mean of a Gaussian prior, and c_out its std."""
    sigma = torch.tensor([0.0, 1e-30, 0.1, 0.5, 80.0, 1e30, math.inf])
    for sigma_p in (0.01, 0.5):
        c_skip, c_out, c_in = coefficients(sigma, torch.tensor(sigma_p))
        s = sigma.double()
        keeps = torch.where(s.isinf(), 0.0, sigma_p**2 / (s**2 + sigma_p**2)).float()
        torch.testing.assert_close(c_skip, keeps)
        torch.testing.assert_close(c_out, ((1 - keeps.double()) ** 0.5 * sigma_p).float(), rtol=1e-4, atol=1e-7)
        assert c_in.isfinite().all()


def silent(model: Model) -> Model:
    """The same network with an output of 0: D is then linear and known in closed form."""
    import copy

    network = copy.deepcopy(model.network)
    network.out.weight.data.zero_()
    return replace(model, network=network)


def test_state_observation_and_prior_combine_as_gaussians(toy: Model) -> None:
    g = torch.Generator().manual_seed(1)
    mu, y, x = (torch.randn(1, 3, 16, 16, generator=g) for _ in range(3))
    sigma_y = torch.rand(1, 1, 16, 16, generator=g) + 0.05
    seen = replace(
        nothing_known(1, NetworkConfig(), CPU), mu=mu, sigma_p=torch.full((1, 1, 1, 1), 0.3), y=y, sigma_y=sigma_y
    )
    out = Denoiser(silent(toy).network, seen)(x, torch.tensor(0.4))
    tau = 0.3**-2 + 0.4**-2 + sigma_y**-2
    torch.testing.assert_close(out, (mu * 0.3**-2 + x * 0.4**-2 + y * sigma_y**-2) / tau, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_known_pixels_are_bit_exact_and_missing_ones_never_read(toy: Model, dtype: torch.dtype) -> None:
    import copy

    network = copy.deepcopy(toy.network).half_(dtype)
    y = torch.rand(1, 3, 21, 30) * 2 - 1
    hole = torch.rand(1, 1, 21, 30) < 0.4
    y = torch.where(hole, math.nan, y)
    sigma_y = torch.where(hole, math.inf, 0.0)
    mu, sigma_p = pull_push(y, sigma_y)
    seen = replace(nothing_known(1, NetworkConfig(), CPU), mu=mu, sigma_p=sigma_p, y=y, sigma_y=sigma_y)
    for sigma in (math.inf, 3.0, 0.01):
        out = Denoiser(network, seen)(torch.full_like(y, 0.1), torch.tensor(sigma))
        known = ~hole.expand_as(out)
        assert torch.equal(out[known], y[known])
        assert out.isfinite().all()
        assert not torch.equal(out[~known], mu[~known])


def test_gray_stays_gray(toy: Model) -> None:
    x = torch.rand(1, 1, 16, 24).expand(-1, 3, -1, -1)
    out = Denoiser(toy.network, replace(nothing_known(1, NetworkConfig(), CPU), gray=True))(x, torch.tensor(0.2))
    assert torch.equal(out[:, 0], out[:, 1])
    assert torch.equal(out[:, 0], out[:, 2])


def test_an_ensemble_knows_no_direction(toy: Model) -> None:
    """Turned and mirrored pictures have turned and mirrored results. The sides are multiples of the pooling."""
    x = torch.rand(1, 3, 32, 48, generator=torch.Generator().manual_seed(1))
    seen = nothing_known(1, NetworkConfig(), CPU)
    apart = {}
    for ensemble in (False, True):
        denoise = Denoiser(toy.network, seen, ensemble=ensemble)
        out, turned = denoise(x, torch.tensor(0.2)), denoise(x.flip(-1).mT.contiguous(), torch.tensor(0.2))
        apart[ensemble] = float((turned.mT.flip(-1) - out).abs().max())
    assert apart[True] < 1e-5
    assert apart[False] > 1e-3


def test_falls_back_to_the_exact_network_where_the_fast_one_overflows(toy: Model) -> None:
    import copy

    broken = copy.deepcopy(toy.network)
    broken.out.weight.data.fill_(math.nan)
    x = torch.rand(1, 3, 16, 16)
    seen = nothing_known(1, NetworkConfig(), CPU)
    rescued = Denoiser(broken, seen, exact=toy.network)(x, torch.tensor(0.2))
    assert torch.equal(rescued, Denoiser(toy.network, seen)(x, torch.tensor(0.2)))


def test_what_a_gpu_computes_is_waited_for(toy: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a GPU: the copies are stood in for, and arrive when they are waited for."""
    x, seen = torch.rand(1, 3, 21, 30), nothing_known(1, toy.network.config, CPU)
    expected = Denoiser(toy.network, seen)(x, torch.tensor(0.2))
    sent: list[int] = []

    def send(tensors: list[Tensor], device: torch.device) -> list[Tensor]:
        sent.append(len(tensors))
        return [tensor.clone() for tensor in tensors]

    def fetch(tensor: Tensor) -> Callable[[], Tensor]:
        here = torch.full_like(tensor, math.nan)

        def wait() -> Tensor:
            return here.copy_(tensor)

        return wait

    monkeypatch.setattr(denoiser, "send", send)
    monkeypatch.setattr(denoiser, "fetch", fetch)
    monkeypatch.setattr(UNet, "device", torch.device("cuda"))
    assert torch.equal(Denoiser(toy.network, seen)(x, torch.tensor(0.2)), expected)
    assert sent == [4], "mu, sigma_p, cond and the state"


def test_no_activation_falls_out_of_channels_last(toy: Model) -> None:
    wrong: list[str] = []

    def check(name: str) -> object:
        def hook(module: torch.nn.Module, inputs: tuple[Tensor, ...]) -> None:
            if inputs[0].ndim == 4 and not inputs[0].is_contiguous(memory_format=torch.channels_last):
                wrong.append(name)

        return hook

    handles = [m.register_forward_pre_hook(check(n)) for n, m in toy.network.named_modules() if hasattr(m, "kernel")]
    toy.network(torch.rand(1, 8, 32, 32), torch.zeros(1), torch.zeros(1, 4))
    for handle in handles:
        handle.remove()
    assert handles
    assert wrong == []


def test_a_batch_has_every_windows_own_evidence() -> None:
    def part(k: float) -> Observation:
        flat, plane = torch.full((1, 1, 1, 1), k), torch.full((1, 3, 4, 5), k)
        wide = flat if k == 1 else flat.expand(1, 1, 4, 5)  # a constant beside a map
        return Observation(mu=plane, sigma_p=wide, cond=torch.full((1, 4), k), y=plane, sigma_y=flat, gray=True)

    one, both = part(1.0), together([part(1.0), part(2.0)])
    assert together([one]) is one
    assert both.gray
    assert both.sigma_p.shape == (2, 1, 4, 5)
    for value in (both.mu, both.sigma_p, both.cond, both.y, both.sigma_y):
        assert value is not None
        assert [float(half.mean()) for half in value] == [1, 2]
    without = together([replace(part(k), y=None, sigma_y=None) for k in (1.0, 2.0)])
    assert without.y is None


def test_a_network_that_is_told_more_numbers_computes_the_same_until_they_are_used() -> None:
    network = toy_network()
    config = replace(network.config, described=6, cond=6)
    grown = UNet(config)
    grown.load_state_dict(redescribed(dict(network.state_dict()), network.config, 6))
    old, new = network.fold(), grown.fold()
    net_in, noise, told = torch.randn(1, 8, 16, 16), torch.zeros(1), torch.tensor([[1.0, 0.2, 0.5, 0.1, 0.0, 0.0]])
    close(new(net_in, noise, told), old(net_in, noise, told[:, :4]))
    used = told + torch.tensor([0, 0, 0, 0, 0.6, 0.8])
    assert torch.equal(new(net_in, noise, used), new(net_in, noise, told))


def test_a_network_is_told_as_much_as_it_knows() -> None:
    what = Degradation(noise=0.1, grain=0.6, doubt=1.0)
    four, five, six = (nothing_known(1, NetworkConfig(described=n, cond=n), CPU).told(what) for n in (4, 5, 6))
    assert [one.cond.shape[1] for one in (four, five, six)] == [4, 5, 6]
    assert five.cond[0, 4] == pytest.approx(0.6)
    assert six.cond[0, 5] == 1.0
    assert float(five.cond[0, 1]) == pytest.approx(0.4 * math.exp(MOST_MARGIN)), "more noise in place of doubt"
    assert float(six.cond[0, 1]) == pytest.approx(0.4)
    assert float(four.sigma_p) == float(five.sigma_p) < float(six.sigma_p)
