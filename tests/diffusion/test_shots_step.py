"""Shots shifted by fractions of a pixel tell what lies between the pixels of one."""

import torch
import torch.nn.functional as F

from diffuse_cli.diffusion.data_step import LinearDamage, data_step
from diffuse_cli.diffusion.shots_step import Shot, shots_step

SIZE = (32, 40)


def picture() -> torch.Tensor:
    return F.avg_pool2d(torch.randn(1, 3, 34, 42, generator=torch.Generator().manual_seed(1)), 3, 1)


def shots(x: torch.Tensor, weight: float = 1.0) -> tuple[Shot, ...]:
    """Means of 2 x 2 pixels, beginning at each of four."""
    made = []
    for down in (0, 1):
        for right in (0, 1):
            seen = F.avg_pool2d(x[..., down:, right:], 2)
            rows, columns = torch.meshgrid(
                *(torch.arange(n, dtype=torch.float32) for n in seen.shape[-2:]), indexing="ij"
            )
            across, along = (2 * columns + 0.5 + right).ravel(), (2 * rows + 0.5 + down).ravel()
            values = seen[0].reshape(3, -1)
            made.append(Shot(values=values, x=across, y=along, weight=torch.full_like(across, weight), side=2.0))
    return tuple(made)


def test_four_shots_show_more_than_one() -> None:
    clean = picture()
    start = F.interpolate(F.avg_pool2d(clean, 2), SIZE, mode="bilinear")
    inner = (..., slice(4, -4), slice(4, -4))
    before = float((start - clean)[inner].square().mean())
    one = shots_step(shots(clean)[:1], SIZE)(start, 0.01)
    four = shots_step(shots(clean), SIZE)(start, 0.01)
    assert float((one - clean)[inner].square().mean()) < before
    assert float((four - clean)[inner].square().mean()) < 0.3 * float((one - clean)[inner].square().mean())


def test_what_is_not_trusted_changes_nothing() -> None:
    start = torch.zeros(1, 3, *SIZE)
    assert (shots_step(shots(picture(), 0.0), SIZE)(start, 0.01) == 0).all()


def test_damage_with_shots_is_undone_by_them() -> None:
    clean = picture()
    damage = LinearDamage(y=torch.zeros(1, 3, 16, 20), blur=0.0, noise=0.01, shots=shots(clean))
    start = torch.zeros(1, 3, *SIZE)
    assert torch.equal(data_step(damage, SIZE)(start, 0.1), shots_step(damage.shots, SIZE)(start, 0.1))
