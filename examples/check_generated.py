"""Measure whether generated pictures of a labelled model are recognisable, and no copies.

    python examples/check_generated.py MNIST data --model mnist.safetensors

A classifier is trained on the real training pictures, and asked what 1,000 generated pictures show, 100 of each label.
Then the distance of each generated picture from the nearest training picture is compared with that of real test
pictures. Exits with 1 if fewer than 80 % are recognised, or if the generated pictures are less than half as far away.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision import datasets

from diffuse_cli.degradation.noise_field import noise_field
from diffuse_cli.diffusion.denoiser import SIGMA_MAX, Denoiser, nothing_known
from diffuse_cli.diffusion.generation import towards
from diffuse_cli.diffusion.model import Model
from diffuse_cli.diffusion.sampling import SOLVERS, karras_sigmas
from diffuse_cli.diffusion.settings import GENERATE_STEPS, LABEL_GUIDANCE
from diffuse_cli.images.contact_sheet import contact_sheet
from diffuse_cli.images.image_io import Picture, write_picture

SIDE = 28
RECOGNISED = 0.8


def load(name: str, root: Path, *, train: bool) -> tuple[Tensor, Tensor]:
    """Read pictures (N, 1, 28, 28) in [-1, 1] and their labels (N,) of MNIST or a data set like it."""
    data = getattr(datasets, name)(root, train=train)
    return data.data[:, None].float() / 127.5 - 1, data.targets


def classifier(images: Tensor, labels: Tensor, epochs: int) -> nn.Module:
    """Train a small convolutional network on real pictures."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(0.25), nn.Linear(32 * 49, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip
    steps = epochs * (len(images) // 128)
    optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, total_steps=steps)
    for _ in range(steps):
        chosen = torch.randint(len(images), (128,))
        loss = F.cross_entropy(net(images[chosen]), labels[chosen])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return net.eval()


@torch.no_grad()
def generated(model: str, each: int, guidance: float) -> Tensor:
    """Draw `each` pictures of every label as `diffuse generate` does: (labels * each, 1, 28, 28)."""
    network = Model.load(model, device="cpu", dtype="fp32").network
    labels = len(network.config.labels)
    sigmas = karras_sigmas(GENERATE_STEPS, SIGMA_MAX)
    drawn = []
    for label in range(labels):
        seen = nothing_known(each, network.config, torch.device("cpu"))
        seen.cond[:, network.config.described + label] = 1
        noise = [noise_field((SIDE, SIDE), seed=label, sample=k, gray=True) for k in range(each)]
        nothing = nothing_known(each, network.config, torch.device("cpu"))
        denoise = towards(Denoiser(network, seen), Denoiser(network, nothing), guidance)
        x, _ = SOLVERS["dpmpp-2m"](denoise, SIGMA_MAX * torch.from_numpy(np.stack(noise)), sigmas)
        drawn.append(x.mean(1, keepdim=True).clamp(-1, 1))
    return torch.cat(drawn)


@torch.no_grad()
def nearest(pictures: Tensor, among: Tensor) -> tuple[Tensor, Tensor]:
    """Return the root mean square distance to the nearest picture, in 8-bit levels, and which one that is."""
    distances, which = [], []
    for part in pictures.flatten(1).split(100):
        found = torch.cdist(part, among.flatten(1)).min(1)
        distances.append(found.values)
        which.append(found.indices)
    return torch.cat(distances) / SIDE * 127.5, torch.cat(which)


def main() -> int:
    """Train the classifier, draw, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", help="class of torchvision.datasets: MNIST, FashionMNIST or KMNIST")
    parser.add_argument("root", type=Path, help="folder of the data set, as torchvision takes it")
    parser.add_argument("--model", required=True, help="checkpoint with the data set's labels in their order")
    parser.add_argument("--each", type=int, default=100, help="generated pictures a label")
    parser.add_argument("--guidance", type=float, default=LABEL_GUIDANCE, help="as of diffuse generate")
    parser.add_argument("--epochs", type=int, default=3, help="of the classifier")
    parser.add_argument("--sheet", type=Path, help="write generated pictures, each above the nearest training picture")
    args = parser.parse_args()
    images, labels = load(args.dataset, args.root, train=True)
    others, their_labels = load(args.dataset, args.root, train=False)
    net = classifier(images, labels, args.epochs)
    with torch.no_grad():
        real = (torch.cat([net(part).argmax(1) for part in others.split(1000)]) == their_labels).float().mean()
        drawn = generated(args.model, args.each, args.guidance)
        wanted = torch.arange(10).repeat_interleave(args.each)
        right = (net(drawn).argmax(1) == wanted).float()
    print(f"recognised: {100 * right.mean():.1f} % of {len(drawn)} generated, {100 * real:.1f} % of real test pictures")
    print("by label: " + " ".join(f"{100 * share:.0f}" for share in right.reshape(10, -1).mean(1)))
    distances, which = nearest(drawn, images)
    usual, _ = nearest(others[: len(drawn)], images)
    spread = torch.stack([drawn[wanted == label].std(0).mean() for label in range(10)]).mean() * 127.5
    true_spread = torch.stack([images[labels == label].std(0).mean() for label in range(10)]).mean() * 127.5
    print(
        f"nearest training picture, in levels: generated {distances.median():.1f} (1 in 100 below "
        f"{distances.quantile(0.01):.1f}), real test pictures {usual.median():.1f} ({usual.quantile(0.01):.1f})"
    )
    print(f"variety within a label, std in levels: generated {spread:.1f}, real {true_spread:.1f}")
    if args.sheet:
        shown = [k for label in range(10) for k in range(label * args.each, label * args.each + 2)]
        rows = [picture.permute(1, 2, 0).numpy() for picture in torch.cat([drawn[shown], images[which[shown]]])]
        write_picture(Picture(pixels=contact_sheet(rows, len(shown))), args.sheet)
    copies = distances.median() < 0.5 * usual.median() or distances.quantile(0.01) < 0.5 * usual.quantile(0.01)
    return int(right.mean() < RECOGNISED or bool(copies))


if __name__ == "__main__":
    sys.exit(main())
