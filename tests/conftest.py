"""Fixtures: the example photographs, the real weights, a toy network, the installed program."""

import os
import shutil
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:  # several run beside each other, as do the programs that they start
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from diffuse_cli.diffusion import checkpoint
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.network import NetworkConfig, UNet
from tests.helpers.program import Program, call

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = ROOT / "examples"
SHARED = ROOT.parent / "shared"
PROGRAM = Path(sysconfig.get_path("scripts")) / "diffuse"

Run = Callable[..., subprocess.CompletedProcess[bytes]]

needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="needs the reference tensors in ../shared")


@pytest.fixture(scope="session")
def model() -> Model:
    """The shipped weights in fp32."""
    return Model.load("photo", device="cpu", dtype="fp32")


TOY = NetworkConfig(channels=(8, 16), blocks=(1, 1), emb=16)


def toy_network() -> UNet:
    """A tiny network of the same family with random weights: quick, and not the identity."""
    torch.manual_seed(0)
    network = UNet(TOY)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn_like(parameter) if parameter.ndim else torch.tensor(0.3))
        network.fourier.freqs.normal_()
        network.fourier.phases.normal_()
    return network


@pytest.fixture(scope="session")
def toy() -> Model:
    """The tiny network."""
    return Model(network=toy_network().fold(), exact=None)


@pytest.fixture(scope="session")
def toy_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny network's checkpoint, for --model."""
    path = tmp_path_factory.mktemp("model") / "toy.safetensors"
    checkpoint.save(path, dict(toy_network().state_dict()), asdict(TOY), {})
    return path


@pytest.fixture(autouse=True)
def _own_state(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees or leaves journals, settings, learned styles and imported models in the user's folders."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever starts the installed program is marked so, and is slow."""
    for item in items:
        if "diffuse" in getattr(item, "fixturenames", ()):
            item.add_marker("program")
        if item.get_closest_marker("program"):
            item.add_marker("slow")


def pixels(path: Path) -> NDArray[np.uint8]:
    """A picture's levels as its file holds them."""
    with Image.open(path) as image:
        return np.array(image)


@pytest.fixture
def diffuse(tmp_path: Path) -> Run:
    """The installed program, run in an empty folder."""

    def run(*arguments: str | Path, timeout: float = 300, **env: str) -> subprocess.CompletedProcess[bytes]:
        command = [str(PROGRAM), *map(str, arguments)]
        environment = {**os.environ, "NO_COLOR": "1", "OMP_NUM_THREADS": "1", **env}
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=timeout, check=False)

    return run


@pytest.fixture
def cat(tmp_path: Path) -> Path:
    """A 96 x 64 crop of a photograph, as in.png."""
    path = tmp_path / "in.png"
    with Image.open(EXAMPLES / "cat_noisy.png") as image:
        image.crop((150, 60, 246, 124)).save(path)
    return path


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
    """The program in this process, run in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return call


@contextmanager
def mounted(folder: Path, options: str) -> Iterator[Path]:
    """A disk in memory, where mounting is permitted."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 32 KiB."""
    with mounted(tmp_path / "small", "size=32k") as disk:
        yield disk


@pytest.fixture
def read_only_disk(tmp_path: Path) -> Iterator[Path]:
    with mounted(tmp_path / "ro", "ro") as disk:
        yield disk


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A test set of mixed sizes: colour, gray, 16 bit."""
    folder = tmp_path / "set"
    folder.mkdir()
    with Image.open(EXAMPLES / "coffee_small.png") as image:
        image.convert("RGB").crop((0, 0, 48, 40)).save(folder / "colour.png")
        image.convert("L").crop((0, 0, 40, 56)).save(folder / "gray.png")
        deep = np.asarray(image.convert("L").crop((9, 9, 49, 41)), np.uint16) * 257
    Image.fromarray(deep).save(folder / "deep.png")
    return folder
