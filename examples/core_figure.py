"""Draw the figure of docs/how-it-works.md as the core computes it: python examples/core_figure.py examples/core.png"""

import sys
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from diffuse_cli.diffusion.conditioning import Conditioning
from diffuse_cli.diffusion.denoiser import Denoiser
from diffuse_cli.diffusion.fusion import fuse
from diffuse_cli.diffusion.model import Model
from diffuse_cli.images.picture import Picture, to_unit
from diffuse_cli.images.tensors import to_tensor
from diffuse_cli.restoration.observe import observe
from diffuse_cli.tasks.denoise import Denoise
from diffuse_cli.tasks.inpaint import Inpaint
from diffuse_cli.tasks.super_resolve import SuperResolve
from diffuse_cli.tasks.task import Task

HERE = Path(__file__).resolve().parent
HEADS = ("given", "fused x", "its std sigma, per pixel", "centre mu of the prior", "D: the posterior mean")
Panel = NDArray[np.float32]


def cropped(name: str, box: tuple[int, int, int, int]) -> Picture:
    with Image.open(HERE / name) as image:
        return Picture(pixels=to_unit(np.asarray(image.convert("RGB").crop(box)), 8))


def tasks() -> dict[str, tuple[Picture, Task]]:
    scratched = cropped("camera_scratched.png", (120, 60, 280, 180))
    mask = cropped("camera_mask.png", (120, 60, 280, 180)).pixels.mean(2) > 0
    return {
        "denoise": (cropped("cat_noisy.png", (150, 60, 310, 180)), Denoise(noise=25)),
        "inpaint": (scratched, Inpaint(mask=mask)),
        "enlarge x4": (cropped("coffee_small.png", (20, 10, 60, 40)), SuperResolve(scale=4)),
    }


def whole(known: Conditioning) -> tuple[slice, slice]:
    """The window of all rows and columns."""
    h, w = known.x_t.shape[-2:]
    return slice(0, h), slice(0, w)


def panels(picture: Picture, known: Conditioning, posterior: Denoiser) -> list[Panel]:
    """One for each of HEADS; NaN where there is nothing."""
    state = torch.tensor(known.sigma_t).reshape(1, 1, 1, 1)
    h, w = known.x_t.shape[-2:]
    seen = known.observation.crop(*whole(known))
    denoised = posterior(known.x_t, torch.tensor(known.sigma_t))
    sigma = state.expand(1, 1, h, w)
    x = known.x_t
    if seen.y is not None and seen.sigma_y is not None:
        x, sigma = fuse(x, sigma, seen.y, seen.sigma_y.expand(1, 1, h, w))
    x = torch.where(torch.isinf(sigma), torch.nan, x)
    mu = seen.mu.expand(1, 3, h, w)
    pictures = [image(to_tensor(picture.pixels)), image(x), sigma[0, 0].numpy(), image(mu), image(denoised)]
    return pictures


def image(x: torch.Tensor) -> Panel:
    levels: Panel = ((x[0].permute(1, 2, 0) + 1) / 2).clamp(0, 1).numpy()
    return levels


def extent(panel: Panel) -> str:
    """What a map holds, in words."""
    low, high = (f"{value:.3g}" for value in (panel.min(), panel.max()))
    return f"{low} everywhere" if low == high else f"{low} to {high}"


def main(target: Path) -> None:
    model = Model.load("photo", device="cpu", dtype="fp32")
    figure = Figure(figsize=(12, 6), layout="constrained")
    grid = figure.subplots(3, len(HEADS))
    for axes, head in zip(grid[0], HEADS, strict=True):
        axes.set_title(head, fontsize=10)
    for row, (name, (picture, request)) in zip(grid, tasks().items(), strict=True):
        known = observe(to_tensor(picture.pixels), request.problem(picture), model.network.config,
                        gray=picture.is_gray, sampling=False)  # fmt: skip
        shown = panels(picture, known, Denoiser(model.network, known.observation.crop(*whole(known))))
        row[0].set_ylabel(name)
        for axes, panel in zip(row, shown, strict=True):
            axes.set_xticks([])
            axes.set_yticks([])
            if panel.ndim == 2:  # a map: dark = known exactly, light = unknown
                axes.imshow(np.where(np.isinf(panel), 1, panel), cmap="gray", vmin=0, vmax=1)
                axes.set_xlabel(extent(panel), fontsize=9)
            elif np.isnan(panel).all():
                axes.text(0.5, 0.5, "nothing", ha="center", va="center", transform=axes.transAxes)
            else:
                axes.imshow(np.nan_to_num(panel, nan=0.5), interpolation="nearest")
    figure.savefig(target, dpi=90)
    with Image.open(target) as drawn:
        drawn.convert("RGB").quantize(256).save(target, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
