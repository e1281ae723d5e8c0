"""Import forged files and folders of models: python -m tools.fuzz_models [COUNT [SEED]]

Each must end in one line that names it, in bounded time, or be a model. No code of a file may run: pickles try to
leave a mark on the disk.
"""

import functools
import io
import json
import os
import pickle
import shutil
import sys
import tempfile
import time
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save as safetensors_of
from torch import Tensor, nn

from diffuse_cli.diffusion.foreign.importing import import_model
from diffuse_cli.errors import DiffuseError

Rng = np.random.Generator
SLOWEST = 60.0
"""Seconds that an import may take."""


class _Marks:
    """Unpickled freely, it leaves a mark."""

    def __init__(self, mark: Path, how: int) -> None:
        self.mark, self.how = mark, how

    def __reduce__(self) -> tuple[Any, ...]:
        calls: list[tuple[Any, ...]] = [
            (os.system, (f"touch {self.mark}",)),
            (os.mkdir, (str(self.mark),)),
            (eval, (f"open({str(self.mark)!r}, 'w')",)),
            (Path.touch, (self.mark,)),
            (exec, (f"open({str(self.mark)!r}, 'w')",)),
        ]
        return calls[self.how % len(calls)]


def compact(rng: Rng) -> dict[str, Tensor]:
    """Return the tensors of a small real enlarger."""
    from spandrel.architectures.Compact import Compact

    torch.manual_seed(int(rng.integers(1 << 31)))
    return dict(Compact(num_feat=8, num_conv=2, upscale=2).state_dict())


def _saved(value: object, *, zipped: bool = True) -> bytes:
    data = io.BytesIO()
    torch.save(value, data, _use_new_zipfile_serialization=zipped)
    return data.getvalue()


def _marking(rng: Rng, mark: Path) -> bytes:
    value: Any = _Marks(mark, int(rng.integers(5)))
    wrapped: dict[str, Any] = compact(rng)
    wrapped["extra"] = value
    kind = rng.integers(4)
    if kind == 0:
        return pickle.dumps(value)
    return _saved(wrapped if kind > 1 else value, zipped=bool(rng.integers(2)))


def _program(rng: Rng, mark: Path) -> bytes:
    data = io.BytesIO()
    torch.jit.save(torch.jit.script(nn.Conv2d(3, 3, 3)), data)
    return data.getvalue()


def _cut(rng: Rng, mark: Path) -> bytes:
    data = _real(rng)
    return data[: rng.integers(len(data))]


def _flipped(rng: Rng, mark: Path) -> bytes:
    data = np.frombuffer(_real(rng), np.uint8).copy()
    where = rng.integers(0, min(len(data), int(rng.choice([200, 4000, 1 << 30]))), rng.integers(1, 40))
    data[where] = rng.integers(0, 256, len(where))
    return data.tobytes()


def _noise(rng: Rng, mark: Path) -> bytes:
    head = [b"", b"PK\x03\x04", b"\x80\x02}q\x00", (64).to_bytes(8, "little") + b"{"][rng.integers(4)]
    return head + rng.integers(0, 256, rng.integers(0, 4000), np.uint8).tobytes()


def _real(rng: Rng) -> bytes:
    tensors = compact(rng)
    return safetensors_of(tensors) if rng.integers(2) else _saved(tensors)


def _reshaped(rng: Rng, mark: Path) -> bytes:
    tensors = compact(rng)
    for name in rng.choice(sorted(tensors), 2):
        shape = tuple(int(n) for n in rng.integers(0, 40, rng.integers(0, 5)))
        tensors[name] = torch.zeros(shape)
    return _saved(tensors)


def _renamed(rng: Rng, mark: Path) -> bytes:
    tensors, number = compact(rng), int(rng.choice([7, 999, 10**6, 10**12]))
    name = str(rng.choice(sorted(tensors)))
    tensors[f"body.{number}.weight"] = tensors.pop(name)
    if rng.integers(2):
        tensors[f"model.{number}.bias"] = torch.zeros(3)
    return _saved(tensors)


def _stretched(rng: Rng, mark: Path) -> bytes:
    tensors = compact(rng)
    name = str(rng.choice(sorted(tensors)))
    tensors[name] = torch.zeros(1).expand(1 << 20, 1 << 12)
    return _saved(tensors)


def _odd(rng: Rng, mark: Path) -> bytes:
    values: list[Any] = [
        {}, [], None, 7, "text", OrderedDict(), {1: torch.zeros(2)}, {"state_dict": {}}, {"params": {"a": 1}},
        torch.zeros(3), {"a": torch.zeros(2).to_sparse()}, {"model": {"x": torch.full((2,), float("nan"))}},
        {k: v * float("nan") for k, v in compact(rng).items()}, {"a": nn.Conv2d(1, 1, 1)}, {"a": np.zeros(3)},
        {k: v.bfloat16() for k, v in compact(rng).items()},
    ]  # fmt: skip
    return _saved(values[rng.integers(len(values))])


def _archive(rng: Rng, mark: Path) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name in rng.choice(["data.pkl", "x/data.pkl", "../../mark", "x/version", "x/constants.pkl", "x/data/0"], 3):
            archive.writestr(str(name), rng.integers(0, 256, 50, np.uint8).tobytes())
    return data.getvalue()


FORGERIES: list[Callable[[Rng, Path], bytes]] = [
    _marking, _program, _cut, _flipped, _noise, _reshaped, _renamed, _stretched, _odd, _archive,
]  # fmt: skip


ODD_VALUES: list[Any] = [
    None, 0, -1, 1 << 40, 1e308, float("nan"), "", "os.system", [], [1 << 30], [0, 0], {}, True, "linear", [8, 16, 32],
]  # fmt: skip


def _forged_folder(rng: Rng, folder: Path, mark: Path) -> Path:
    """Write the folder of a UNet2DModel with one thing wrong."""
    network, schedule = folder / "unet", folder / "scheduler"
    network.mkdir(parents=True)
    schedule.mkdir()
    config: dict[str, Any] = {
        "_class_name": "UNet2DModel", "sample_size": 8, "in_channels": 3, "out_channels": 3, "layers_per_block": 1,
        "block_out_channels": [4, 4], "down_block_types": ["DownBlock2D"] * 2, "up_block_types": ["UpBlock2D"] * 2,
        "norm_num_groups": 2, "attention_head_dim": 2, "add_attention": False, "act_fn": "silu",
    }  # fmt: skip
    noise: dict[str, Any] = {
        "_class_name": "DDPMScheduler", "num_train_timesteps": 100, "beta_start": 1e-4, "beta_end": 0.02,
        "beta_schedule": "linear", "prediction_type": "epsilon", "trained_betas": None,
    }  # fmt: skip
    data = safetensors_of(_unet(json.dumps(config)))
    kind = int(rng.integers(6))
    for number, values in enumerate((config, noise)):
        if kind == number:
            values[str(rng.choice(sorted(values)))] = ODD_VALUES[rng.integers(len(ODD_VALUES))]
    if kind == 2:
        flipped = np.frombuffer(data, np.uint8).copy()
        flipped[rng.integers(0, rng.choice([100, len(data)]), 20)] = rng.integers(0, 256, 20)
        data = flipped.tobytes()
    (network / "config.json").write_text(json.dumps(config)[: None if kind != 3 else int(rng.integers(400))])
    (schedule / "scheduler_config.json").write_text(json.dumps(noise))
    name = "diffusion_pytorch_model" + (".bin" if kind == 4 else ".safetensors")
    (network / name).write_bytes(_marking(rng, mark) if kind == 4 else data[: None if kind != 5 else len(data) // 2])
    return folder


@functools.cache
def _unet(config: str) -> dict[str, Tensor]:
    from diffusers import UNet2DModel

    torch.manual_seed(0)
    return dict(UNet2DModel.from_config(json.loads(config)).state_dict())


def forged(seed: int, folder: Path, mark: Path) -> Path:
    """Write a forged file or folder of any kind; its number is the seed."""
    rng = np.random.default_rng(seed)
    kind = seed % (len(FORGERIES) + 1)
    if kind == len(FORGERIES):
        return _forged_folder(rng, folder / f"forged{seed}", mark)
    data = FORGERIES[kind](rng, mark)
    path = folder / f"forged{seed}{rng.choice(['.pth', '.pt', '.ckpt', '.safetensors', '.bin'])}"
    path.write_bytes(data)
    return path


def outcome(path: Path, mark: Path) -> str:
    """Import a file, and return the line that it ends with; "" = it is a model.

    Raises:
        AssertionError: code ran, it took too long, or the line says nothing.
    """
    begin = time.monotonic()
    try:
        import_model(path, name="forged", force=True)
        line = ""
    except DiffuseError as error:
        line = str(error)
        assert "\n" not in line, line
        assert path.name in line, line
    assert not mark.exists(), f"{path}: code ran"
    assert time.monotonic() - begin < SLOWEST, f"{path}: took {time.monotonic() - begin:.0f} s"
    return line


def main() -> None:
    count, first = [*map(int, sys.argv[1:]), *(1000, 0)[len(sys.argv) - 1 :]]
    lines: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["XDG_DATA_HOME"] = name
        for seed in range(first, first + count):
            path = forged(seed, folder, folder / "mark")
            line = outcome(path, folder / "mark").replace(str(path), "FILE")[:110]
            lines[line] = lines.get(line, 0) + 1
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    for line, found in sorted(lines.items(), key=lambda pair: -pair[1])[:40]:
        print(f"{found:5d}  {line or 'a model'}")


if __name__ == "__main__":
    main()
