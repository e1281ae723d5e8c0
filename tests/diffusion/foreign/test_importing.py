import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from diffuse_cli.diffusion import checkpoint
from diffuse_cli.diffusion.foreign.header import ForeignHeader
from diffuse_cli.diffusion.foreign.importing import import_model, remove
from diffuse_cli.diffusion.foreign.model import ForeignModel, load_any
from diffuse_cli.diffusion.foreign.probing import _margin
from diffuse_cli.errors import CheckpointError, DiffuseError, UsageError
from tests.helpers.foreign import denoiser, enlarger, filler, imported, prior
from tools.fuzz_models import forged, outcome

pytest.importorskip("spandrel")


def test_import_keeps_every_number_and_says_what_the_model_is(tmp_path: Path) -> None:
    weights = enlarger()
    torch.save({"params_ema": weights, "iteration": 7}, tmp_path / "2x.pth")
    path, header = import_model(tmp_path / "2x.pth", licence="CC0\n1.0")
    assert (path.stem, header.architecture, header.role, header.scale) == ("2x", "Compact", "super-resolve", 2)
    assert (header.margin, header.whole, header.licence) == (16, False, "CC0 1.0")
    assert header.source_sha256 == checkpoint.file_sha256(tmp_path / "2x.pth")
    assert checkpoint.read_info(path).foreign == header
    kept = checkpoint.read_tensors(path)
    assert all(torch.equal(kept[name], value) for name, value in weights.items())
    assert checkpoint.verify(path)[1] is True
    assert checkpoint.named()["2x"] == path


def test_safetensors_and_pickles_become_the_same_model(tmp_path: Path) -> None:
    save_file(enlarger(), tmp_path / "a.safetensors", {"license": "MIT"})
    torch.save(enlarger(), tmp_path / "b.pth")
    torch.save(enlarger(), tmp_path / "c.pt", _use_new_zipfile_serialization=False)
    a, b, c = (import_model(tmp_path / name) for name in ("a.safetensors", "b.pth", "c.pt"))
    assert a[1].licence == "MIT"
    assert checkpoint.verify(a[0]) == checkpoint.verify(b[0]) == checkpoint.verify(c[0])


def test_roles_are_read_off_the_weights(tmp_path: Path) -> None:
    assert imported(prior(), tmp_path).header.role == "prior"
    assert imported(denoiser(), tmp_path).header.role == "denoise"
    assert imported(denoiser(), tmp_path, noise=25.0).header.noise == 25
    assert imported(denoiser(), tmp_path, role="deblur").header.commands == ("deblur", "restore")
    assert imported(enlarger(1), tmp_path).header.role == "restore"


@pytest.mark.slow
def test_a_network_for_holes_is_measured_in_one_piece(tmp_path: Path) -> None:
    header = imported(filler(), tmp_path).header
    assert (header.role, header.whole, header.multiple, header.channels) == ("inpaint", True, 8, 3)


@pytest.mark.parametrize(
    ("weights", "how"),
    [(prior(), {"noise": 25.0}), (enlarger(), {"noise": 25.0}), (enlarger(), {"role": "denoise"}),
     (denoiser(), {"noise": -1.0}), (prior(), {"role": "restore"})],
)  # fmt: skip
def test_options_that_do_not_fit_are_refused(tmp_path: Path, weights: dict[str, torch.Tensor], how: object) -> None:
    with pytest.raises(UsageError, match=r"--noise|--role"):
        imported(weights, tmp_path, **how)  # type: ignore[arg-type]
    assert "other" not in checkpoint.named()


def test_names_are_checked_and_not_taken_twice(tmp_path: Path) -> None:
    torch.save(enlarger(), tmp_path / "other.pth")
    for name in ("../x", "a b", "", "x" * 101, ".hidden"):
        with pytest.raises(UsageError, match="name"):
            import_model(tmp_path / "other.pth", name=name or "/")
    with pytest.raises(UsageError, match="already"):
        import_model(tmp_path / "other.pth", name="photo", force=True)
    import_model(tmp_path / "other.pth")
    with pytest.raises(UsageError, match="-f"):
        import_model(tmp_path / "other.pth")
    import_model(tmp_path / "other.pth", force=True)


def test_only_imported_models_are_removed(tmp_path: Path) -> None:
    path = imported(enlarger(), tmp_path).path
    assert path is not None
    assert remove("other") == path
    assert not path.exists()
    for name in ("photo", "other", "../other"):
        with pytest.raises(UsageError, match="no model that was imported"):
            remove(name)


def test_torchscript_is_refused_whatever_it_is_called(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:
        archive.writestr("model/code/__torch__.py", "")
        archive.writestr("model/constants.pkl", "")
    for name in ("model.pt", "model.pth", "model.ckpt"):
        (tmp_path / name).write_bytes((tmp_path / "model.pt").read_bytes())
        with pytest.raises(CheckpointError, match=f"{name}: is TorchScript"):
            import_model(tmp_path / name)


def test_pickles_that_call_anything_are_refused(tmp_path: Path) -> None:
    class Call:
        def __reduce__(self) -> tuple[object, ...]:
            return Path.touch, (tmp_path / "ran",)

    torch.save({**enlarger(), "extra": Call()}, tmp_path / "a.pth")
    (tmp_path / "b.pth").write_bytes(pickle.dumps(Call()))
    for name in ("a.pth", "b.pth"):
        with pytest.raises(CheckpointError, match=f"{name}: "):
            import_model(tmp_path / name)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "wrapped",
    [
        {"g": enlarger(4), "g_ema": enlarger(), "iter": 5}, {"ema": enlarger(), "model": enlarger(4)},
        {"state_dict": {f"net_g.{name}": value for name, value in enlarger().items()}},
        {f"_orig_mod.module.{name}": value for name, value in enlarger().items()},
        {"params": enlarger(), "best_psnr": np.float64(31.2)},
    ],
)  # fmt: skip
def test_wrappings_of_trainers_are_taken_off(tmp_path: Path, wrapped: dict[str, object]) -> None:
    torch.save(wrapped, tmp_path / "a.pth")
    path, header = import_model(tmp_path / "a.pth")
    assert (header.architecture, header.scale) == ("Compact", 2)
    assert ForeignModel.load(path, device="cpu").header == header


@pytest.mark.parametrize(
    ("name", "data", "word"),
    [
        ("a.onnx", b"\x08\x07\x12\x04", "ONNX"), ("a.param", b"7767517\n", "ncnn"), ("a.bin", bytes(40), "a.param"),
        ("a.h5", b"\x89HDF\r\n", "Keras"), ("a.tflite", b"\x1c\0\0\0TFL3", "Lite"), ("a.pth", b"<!DOCTYPE", "web page"),
        ("a.safetensors", b"version https://git-lfs.github.com/", "lfs pull"), ("a.pt", "archive", "unpack it"),
        ("b.pth", "cut", "ends early"),
    ],
)  # fmt: skip
def test_other_formats_are_named(tmp_path: Path, name: str, data: bytes | str, word: str) -> None:
    (tmp_path / "a.param").write_bytes(b"7767517\n2 2\n")
    torch.save(enlarger(), tmp_path / "whole.pth")
    with zipfile.ZipFile(tmp_path / "archive", "w") as archive:
        archive.write(tmp_path / "whole.pth", "whole.pth")
    (tmp_path / "cut").write_bytes((tmp_path / "whole.pth").read_bytes()[:-900])
    (tmp_path / name).write_bytes(data if isinstance(data, bytes) else (tmp_path / data).read_bytes())
    with pytest.raises(CheckpointError, match=f"{name}: .*{word}"):
        import_model(tmp_path / name)


def test_tensors_larger_than_their_file_are_refused(tmp_path: Path) -> None:
    torch.save({**enlarger(), "body.0.weight": torch.zeros(1).expand(1 << 20, 1 << 20)}, tmp_path / "a.pth")
    with pytest.raises(CheckpointError, match="claims more than the file holds"):
        import_model(tmp_path / "a.pth")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(40))
def test_forged_files_end_in_one_line_and_run_nothing(tmp_path: Path, seed: int) -> None:
    outcome(forged(seed, tmp_path, tmp_path / "mark"), tmp_path / "mark")


def test_a_checkpoint_of_ours_is_not_imported(tmp_path: Path, toy_file: Path) -> None:
    with pytest.raises(CheckpointError, match="already"):
        import_model(toy_file)


def test_a_header_that_was_changed_is_refused(tmp_path: Path) -> None:
    path = imported(enlarger(), tmp_path).path
    assert path is not None
    config = checkpoint.read_info(path).config
    for name, value in (("role", "magic"), ("scale", 99), ("margin", -1), ("channels", 2), ("bf16", 1), ("x", 1)):
        with pytest.raises(CheckpointError, match="import the model again"):
            ForeignHeader.from_config({**config, name: value})
    del config["margin"]
    with pytest.raises(CheckpointError, match="margin"):
        ForeignHeader.from_config(config)


def test_options_for_checkpoints_alone_are_refused(tmp_path: Path) -> None:
    path = imported(enlarger(), tmp_path).path
    assert path is not None
    for how in ({"backend": "ncnn"}, {"compiled": True}):
        with pytest.raises(UsageError, match="not for imported models"):
            load_any(path, **how)
    with pytest.raises(CheckpointError, match="imported model"):
        checkpoint.load(path)
    assert isinstance(load_any(path, device="cpu"), ForeignModel)


def test_the_margin_is_as_wide_as_the_network_looks() -> None:
    picture = torch.rand(1, 3, 320, 320)

    def blurred(side: int) -> object:
        return lambda x: torch.nn.functional.avg_pool2d(x, side, 1, side // 2)

    assert _margin(blurred(9), picture, 16) == 16  # type: ignore[arg-type]
    assert _margin(blurred(51), picture, 16) == 32  # type: ignore[arg-type]
    assert _margin(lambda x: x - x.mean(), picture, 16) is None


def test_errors_name_the_file(tmp_path: Path) -> None:
    for name, data in (("empty.pth", b""), ("text.pth", b"hello"), ("cut.safetensors", b"\x10")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(DiffuseError, match=name):
            import_model(tmp_path / name)
    with pytest.raises(CheckpointError, match=r"none\.pth: cannot be read"):
        import_model(tmp_path / "none.pth")
