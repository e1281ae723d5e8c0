"""Imported models of every architecture that spandrel knows, with random weights: do our options work with them?

    python -m benchmarks.quality_models --json checkpoints/measured/models.json

Each network is built small, imported as a file, and measured on a photograph: the largest difference between tiles of
64 pixels and the picture in one piece, gray, 16 bits, alpha, the eight symmetries, bf16, and for enlargers a factor
that is not theirs and how far the shrunk result is from the input.
"""

import argparse
import importlib
import json
import os
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from diffuse_cli import Denoise, Inpaint, Restore, SuperResolve, restore
from diffuse_cli.degradation.operators import resize
from diffuse_cli.diffusion.foreign.header import ForeignHeader
from diffuse_cli.diffusion.foreign.importing import import_model
from diffuse_cli.diffusion.foreign.model import ForeignModel
from diffuse_cli.errors import DiffuseError
from diffuse_cli.images.image_io import Picture
from diffuse_cli.images.tensors import to_tensor

PHOTO = Path(__file__).resolve().parents[1] / "examples" / "auvers.jpg"
LEVEL = 127.5
_RGB = {"num_in_ch": 3, "num_out_ch": 3}
_WINDOWS: dict[str, Any] = {"depths": [2, 2], "num_heads": [2, 2], "embed_dim": 24, "window_size": 8, "mlp_ratio": 2.0}
NETWORKS: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "CRAFT": [("CRAFT", {})],
    "Compact": [("Compact", {}), ("Compact", {"upscale": 1})],
    "DAT": [("DAT", {"embed_dim": 36, "depth": [2, 2], "num_heads": [2, 2]})],
    "DCTLSA": [("DCTLSA", {})],
    "DITN": [("DITN", {})],
    "DRCT": [
        ("DRCT", {"depths": (2, 2), "num_heads": (2, 2), "embed_dim": 36, "upscale": 2, "upsampler": "pixelshuffle"})
    ],
    "DRUNet": [("DRUNet", {"in_nc": 4, "out_nc": 3, "nc": [16, 32, 32, 64], "nb": 2})],
    "DnCNN": [
        ("DnCNN", {}),
        ("DnCNN", {"in_nc": 4, "out_nc": 3, "act_mode": "R", "mode": "FDnCNN"}),
        ("DnCNN", {"in_nc": 2, "out_nc": 1, "act_mode": "R", "mode": "FDnCNN"}),
    ],
    "ESRGAN": [("ESRGAN", {"num_blocks": 3}), ("ESRGAN", {"num_blocks": 2, "scale": 1})],
    "FBCNN": [("FBCNN", {"nc": [16, 32, 32, 512], "nb": 2})],
    "FDAT": [("FDAT", {"embed_dim": 48, "num_groups": 2})],
    "FFTformer": [("FFTformer", {"dim": 16, "num_blocks": [1, 1, 2]})],
    "HVICIDNet": [("HVICIDNet", {})],
    "KBNet": [("KBNet_s", {"width": 16})],
    "LaMa": [("LaMa", {"in_nc": 4, "out_nc": 3})],
    "MixDehazeNet": [("MixDehazeNet", {})],
    "MoESR": [("MoESR", {"dim": 32, "n_blocks": 3, "n_block": 2})],
    "MoSR": [("MoSR", {"n_block": 6})],
    "NAFNet": [
        ("NAFNet", {"width": 16, "middle_blk_num": 1, "enc_blk_nums": [1, 1, 1, 2], "dec_blk_nums": [1, 1, 1, 1]})
    ],
    "OmniSR": [("OmniSR", {})],
    "PLKSR": [("PLKSR", {"n_blocks": 6}), ("RealPLKSR", {"n_blocks": 6})],
    "RCAN": [("RCAN", {"n_resgroups": 2, "n_resblocks": 3})],
    "RGT": [("RGT", {"embed_dim": 36, "depth": [2, 2], "num_heads": [2, 2]})],
    "RealCUGAN": [("UpCunet2x", {}), ("UpCunet3x", {})],
    "RetinexFormer": [("RetinexFormer", {})],
    "SAFMN": [("SAFMN", {"dim": 36})],
    "SAFMNBCIE": [("SAFMNBCIE", {"dim": 36})],
    "SPAN": [("SPAN", _RGB), ("SPAN", _RGB | {"upscale": 2})],
    "SeemoRe": [("SeemoRe", {})],
    "SwiftSRGAN": [("SwiftSRGAN", {})],
    "Swin2SR": [("Swin2SR", _WINDOWS | {"upscale": 2, "upsampler": "pixelshuffledirect", "img_size": 64})],
    "SwinIR": [("SwinIR", _WINDOWS | {"upscale": 2, "upsampler": "pixelshuffledirect", "img_size": 64})],
    "ATD": [
        (
            "ATD",
            {"upscale": 2, "upsampler": "pixelshuffledirect", "depths": (2, 2), "num_heads": (2, 2), "embed_dim": 24},
        )
    ],
    "Uformer": [("Uformer", {"embed_dim": 8, "depths": [1] * 9, "num_heads": [1, 1, 2, 2, 2, 2, 2, 1, 1]})],
}
"""By architecture: classes of spandrel and what they are made with. What is missing here is on docs/models.md."""


def weights(architecture: str, kind: str, made_with: dict[str, Any], seed: int = 0) -> dict[str, torch.Tensor]:
    """Return random weights of a network."""
    torch.manual_seed(seed)
    module = importlib.import_module(f"spandrel.architectures.{architecture}")
    made = getattr(module, kind)
    network = made(**made_with)
    return dict(network.state_dict())


def measured(header: ForeignHeader, path: Path) -> dict[str, Any]:
    """Return what works with an imported model, and how exactly."""
    model = ForeignModel.load(path, device="cpu", dtype="fp32")
    pixels = np.asarray(Image.open(PHOTO).convert("RGB").crop((100, 200, 500, 280)), np.uint8)
    strip = Picture(pixels=(pixels / LEVEL - 1).astype(np.float32))
    picture = Picture(pixels=np.ascontiguousarray(strip.pixels[:64, :64]))
    task = _task(header)
    begin = time.perf_counter()
    whole = _pixels(strip, task, model, tile="off")
    row: dict[str, Any] = {"seconds_per_megapixel": (time.perf_counter() - begin) / (pixels.shape[0] * 400 / 1e6)}
    if header.role != "inpaint":
        row["tiled"] = float(np.abs(_pixels(strip, task, model, tile=64) - whole).max() * LEVEL)
    made = restore(Picture(pixels=picture.pixels[..., :1]), task, model=model)
    row["gray"] = made.pixels.shape[2] == 1 and bool(np.isfinite(made.pixels).all())
    deep = Picture(pixels=picture.pixels, depth=16, alpha=np.full((64, 64), 40000, np.uint16))
    made = restore(deep, task, model=model)
    row["depth_and_alpha"] = made.depth == 16 and made.alpha is not None and made.alpha.shape == made.pixels.shape[:2]
    row["ensemble"] = bool(np.isfinite(_pixels(picture, task, model, ensemble=True)).all())
    if header.role == "super-resolve":
        row |= _enlarged(picture, model)
    if header.role == "inpaint":
        kept = np.ones(pixels.shape[:2], bool)
        kept[10:40, 20:50] = False
        row["kept"] = bool((whole[kept] == strip.pixels[kept]).all())
    return row


def _enlarged(picture: Picture, model: ForeignModel) -> dict[str, Any]:
    """Return whether another factor works, and how far the shrunk result is from the input, in levels."""
    other = 1.5 if model.header.scale != 3 else 2.5
    made = restore(picture, SuperResolve(scale=other), model=model)
    wanted = round(picture.pixels.shape[0] * other)
    found = restore(picture, SuperResolve(scale=2, consistent=True), model=model)
    back = resize(to_tensor(found.pixels), (picture.pixels.shape[0], picture.pixels.shape[1]))
    off = float((back.clamp(-1, 1) - to_tensor(picture.pixels)).abs().max() * LEVEL)
    return {"other_scale": made.pixels.shape[0] == wanted, "consistent": off}


def _pixels(picture: Picture, task: Any, model: ForeignModel, **how: Any) -> Any:  # noqa: ANN401
    return restore(picture, task, model=model, **how).pixels


def _task(header: ForeignHeader) -> Any:  # noqa: ANN401 - one of several
    if header.role == "super-resolve":
        return SuperResolve(scale=float(header.scale))
    if header.role == "inpaint":
        return Inpaint(boxes=[(20, 10, 30, 30)])
    if header.role == "prior":
        return Denoise(noise=25)
    return Restore()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--only", nargs="*")
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_DATA_HOME"] = folder
        for architecture, kinds in NETWORKS.items():
            if args.only and architecture not in args.only:
                continue
            for number, (kind, made_with) in enumerate(kinds):
                rows.append(_row(architecture, kind, made_with, Path(folder), f"{architecture}-{number}"))
                print(json.dumps(rows[-1]), flush=True)
    if args.json:
        args.json.write_text(json.dumps({"weights": "random", "models": rows}, indent=1) + "\n")


def _row(architecture: str, kind: str, made_with: dict[str, Any], folder: Path, name: str) -> dict[str, Any]:
    try:
        file = folder / f"{name}.pth"
        torch.save(weights(architecture, kind, made_with), file)
        path, header = import_model(file, name=name)
        return {
            "architecture": header.architecture, "class": kind, "role": header.role, "scale": header.scale,
            "channels": header.channels, "margin": header.margin, "whole": header.whole, "bf16": header.bf16,
            **measured(header, path),
        }  # fmt: skip
    except (DiffuseError, TypeError, RuntimeError, AttributeError) as error:
        return {"architecture": architecture, "class": kind, "failed": f"{type(error).__name__}: {error}"[:200]}


if __name__ == "__main__":
    main()
