"""Checkpoints: what they carry, what is refused, and that nothing unpickles."""

import json
import pickle
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from diffuse_cli.diffusion import checkpoint
from diffuse_cli.diffusion.network import NetworkConfig, UNet
from diffuse_cli.errors import CheckpointError
from tests.conftest import ROOT, SHARED, needs_shared

PHOTO = ROOT / "checkpoints" / "photo.safetensors"


def tiny_state() -> tuple[dict[str, torch.Tensor], NetworkConfig]:
    config = NetworkConfig(channels=(8, 16, 16), blocks=(1, 2, 1), emb=8, cond=6, labels=("cat", "dog"))
    torch.manual_seed(0)
    return {k: torch.randn(v.shape) for k, v in UNet(config).state_dict().items()}, config


def test_build_save_load_round_trip(tmp_path: Path) -> None:
    state, config = tiny_state()
    path = tmp_path / "tiny.safetensors"
    checkpoint.save(path, state, config.to_json(), {"steps": "3"})
    info = checkpoint.read_info(path)
    assert info.labels == ("cat", "dog")
    assert info.metadata["steps"] == "3"
    assert info.dtypes["stem.weight"] == "F16"
    assert info.dtypes["fourier.freqs"] == "F32"
    network = checkpoint.load(path)
    assert network.config == config
    expected = UNet(config)
    expected.load_state_dict({k: v.half().float() if v.ndim > 1 else v for k, v in state.items()})
    inputs = torch.randn(1, 8, 16, 16), torch.zeros(1), torch.zeros(1, 6)
    torch.testing.assert_close(network(*inputs), expected.fold()(*inputs))
    assert checkpoint.verify(path) == (info.metadata["sha256"], True)


def test_shipped_checkpoint_states_what_it_is() -> None:
    info = checkpoint.read_info(checkpoint.find("photo"))
    assert {"config", "format", "steps", "training", "data", "licence", "sha256"} <= info.metadata.keys()
    assert checkpoint.verify(info.path)[1] is True
    assert "photo" in checkpoint.named()


@needs_shared
def test_a_file_with_a_config_alone_loads() -> None:
    checkpoint.load(SHARED / "reference" / "photo.safetensors")
    assert checkpoint.verify(SHARED / "reference" / "photo.safetensors")[1] is None


def test_changed_tensors_are_noticed(tmp_path: Path) -> None:
    tensors, info = load_file(PHOTO), checkpoint.read_info(PHOTO)
    tensors["out_gain"] += 1
    save_file(tensors, tmp_path / "x.safetensors", info.metadata)
    assert checkpoint.verify(tmp_path / "x.safetensors")[1] is False


def with_header(header: object, data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


TENSOR = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}


CONFIG = json.dumps({"channels": [8]})


BAD_FILES = {
    "empty": b"",
    "short": b"\x08\0\0",
    "text": b"not a checkpoint at all\n" * 20,
    "pickle": pickle.dumps({"a": 1}),
    "zip": b"PK\x03\x04" + bytes(500),
    "huge header": struct.pack("<Q", 2**62) + bytes(100),
    "header is a list": with_header([1, 2]),
    "header is deep": struct.pack("<Q", 40000) + b"[" * 40000,
    "no config": with_header({"x": TENSOR}, bytes(4)),
    "config is no JSON": with_header({"__metadata__": {"config": "{"}, "x": TENSOR}, bytes(4)),
    "config is a list": with_header({"__metadata__": {"config": "[1]"}, "x": TENSOR}, bytes(4)),
    "foreign config": with_header({"__metadata__": {"config": '{"hidden": 3}'}, "x": TENSOR}, bytes(4)),
    "absurd config": with_header({"__metadata__": {"config": '{"channels": [-1]}'}, "x": TENSOR}, bytes(4)),
    "config of wrong type": with_header({"__metadata__": {"config": '{"channels": 3}'}, "x": TENSOR}, bytes(4)),
    "other tensors": with_header({"__metadata__": {"config": CONFIG}, "x": TENSOR}, bytes(4)),
    "offsets beyond the end": with_header({"__metadata__": {"config": CONFIG}, "x": TENSOR}),
    "entry without offsets": with_header({"__metadata__": {"config": CONFIG}, "x": {"dtype": "F32"}}),
    "entry is no object": with_header({"__metadata__": {"config": CONFIG}, "x": 3}),
    "entry of wrong types": with_header({"__metadata__": {"config": CONFIG}, "x": {**TENSOR, "shape": "12"}}),
    "metadata is a list": with_header({"__metadata__": [CONFIG], "x": TENSOR}, bytes(4)),
    "future format": with_header({"__metadata__": {"config": CONFIG, "format": "diffuse-9"}, "x": TENSOR}, bytes(4)),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files_are_refused_in_one_line(tmp_path: Path, name: str) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(BAD_FILES[name])
    with pytest.raises(CheckpointError) as error:
        checkpoint.load(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_name_is_as_good_as_a_path_and_a_mistake_is_not_told_as_a_bad_file() -> None:
    assert checkpoint.read_info(str(PHOTO)) == checkpoint.read_info(PHOTO)
    with pytest.raises(TypeError):
        checkpoint.read_info(3)  # type: ignore[arg-type]


@pytest.mark.parametrize("keep", [9, 1000, 5_000_000, -1])
def test_truncated_files_are_refused(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "cut.safetensors"
    path.write_bytes(PHOTO.read_bytes()[:keep])
    with pytest.raises(CheckpointError):
        checkpoint.load(path)


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    tensors, info = load_file(PHOTO), checkpoint.read_info(PHOTO)
    tensors["stem.weight"][0, 0, 0, 0] = torch.nan
    save_file(tensors, tmp_path / "nan.safetensors", info.metadata)
    with pytest.raises(CheckpointError, match="finite"):
        checkpoint.load(tmp_path / "nan.safetensors")


def test_unknown_names_list_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="photo"):
        checkpoint.find("nosuch")
    with pytest.raises(CheckpointError, match="folder"):
        checkpoint.find(tmp_path)


def test_a_task_that_the_weights_never_saw(tmp_path: Path) -> None:
    source = checkpoint.find()
    info = checkpoint.read_info(source)
    info.check_task("jpeg")
    narrow = tmp_path / "narrow.safetensors"
    tensors = checkpoint.read_tensors(source)
    checkpoint.save(narrow, tensors, info.config, {"tasks": "generate, denoise"})
    checkpoint.read_info(narrow).check_task("denoise")
    with pytest.raises(CheckpointError, match="not trained for jpeg, only for generate, denoise"):
        checkpoint.read_info(narrow).check_task("jpeg")
