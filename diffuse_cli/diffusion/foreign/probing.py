"""What is measured of a network once, when it is imported: how far it looks, its memory, and bf16."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor, nn

from ...degradation.noise_field import noise_field
from ...degradation.operators import blur
from ...errors import CheckpointError
from .header import MOST_MARGIN

if TYPE_CHECKING:
    from spandrel import ModelDescriptor

ENOUGH: Final = 0.02
"""Largest difference of a tile and a wider one, in 8-bit levels, with which a margin is wide enough.

Other pictures than the test picture differ by up to five times as much (docs/models.md).
"""
_MARGINS: Final = (16, 32, 64, MOST_MARGIN)
_TILE: Final = 64
_ALIKE: Final = 4.0
"""Largest difference of bf16 and fp32, in 8-bit levels, with which bf16 is taken for as good."""
_ALIKE_RMS: Final = 0.5
"""The same for the root mean square."""
Network = Callable[[Tensor], Tensor]
"""(1, 3, h, w), 0 .. 1 -> (1, C, s h, s w)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What was measured of a network.

    Attributes:
        margin: context that a tile needs, in pixels; the widest that was measured if that is not enough.
        whole: no margin that was measured is enough.
        activation: numbers in the largest layer for each pixel of the input.
        bf16: bf16 hardly changes the result.
    """

    margin: int
    whole: bool
    activation: int
    bf16: bool


def measure(
    descriptor: "ModelDescriptor", call: Callable[[Any, Tensor], Tensor], step: int, *, tiles: bool = True
) -> Measured:
    """Measure a network on a picture of texture and edges.

    Args:
        descriptor: the network, in fp32 on the CPU; it is as it was afterwards.
        call: (descriptor, picture (1, 3, h, w) of 0 .. 1) -> result.
        step: windows begin on multiples of this.
        tiles: look for a margin; else the network looks at all of a picture.

    Raises:
        CheckpointError: the network fails, or its results are not finite.
    """
    half = _TILE + 2 * MOST_MARGIN
    picture = test_picture(-(-half // step) * step)
    small = picture[..., :_TILE, :_TILE].contiguous()
    try:
        first, activation = _watched(descriptor, call, small)
        if not bool(first.isfinite().all()):
            raise CheckpointError("its results are not finite")
        margin = _margin(lambda x: call(descriptor, x), picture, step) if tiles else None
        bf16 = descriptor.supports_bfloat16 and _is_alike(descriptor, call, small, first)
    except (RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:100]
        raise CheckpointError(f"it fails on a test picture ({reason})") from None
    return Measured(margin=margin or MOST_MARGIN, whole=margin is None, activation=activation, bf16=bf16)


def test_picture(side: int) -> Tensor:
    """Return a picture (1, 3, side, side) of 0 .. 1 with texture of several scales, edges and flat parts."""
    fine = torch.from_numpy(noise_field((side, side), seed=1))[None]
    rough = [blur(fine, std) for std in (0.8, 2.0, 6.0, 16.0)]
    texture = torch.stack([part / part.std() for part in rough]).mean(0)
    edges = torch.sign(blur(torch.from_numpy(noise_field((side, side), seed=2))[None], 10.0))
    x = 0.5 + 0.12 * texture + 0.22 * edges
    rows = torch.from_numpy(np.arange(side) // 96 % 2 == 1)[None, None, :, None]
    return torch.where(rows, x, 0.5 + 0.2 * edges + 0.05 * rough[3]).clamp(0, 1).contiguous()


def _watched(descriptor: Any, call: Callable[[Any, Tensor], Tensor], x: Tensor) -> tuple[Tensor, int]:  # noqa: ANN401
    """Return a result, and the numbers in the largest layer for each pixel."""
    most = 0

    def watch(module: nn.Module, given: object, made: object) -> None:
        nonlocal most
        if isinstance(made, Tensor):
            most = max(most, made.numel())

    hooks = [module.register_forward_hook(watch) for module in descriptor.model.modules()]
    try:
        out = call(descriptor, x)
    finally:
        for hook in hooks:
            hook.remove()
    return out, max(-(-max(most, out.numel()) // (x.shape[-2] * x.shape[-1])), 1)


def activation_of(descriptor: Any, call: Callable[[Any, Tensor], Tensor], channels: int, side: int) -> int:  # noqa: ANN401
    """Return the numbers in the largest layer for each pixel of a picture of noise.

    Raises:
        CheckpointError: the network fails, or its results are not finite.
    """
    x = torch.randn(1, channels, side, side, generator=torch.Generator().manual_seed(0))
    try:
        made, most = _watched(descriptor, call, x)
    except (RuntimeError, ValueError, TypeError, IndexError, AssertionError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:100]
        raise CheckpointError(f"it fails on a picture of noise ({reason})") from None
    if made.shape != x.shape or not bool(made.isfinite().all()):
        raise CheckpointError("its results are not finite, or of another size")
    return most


def _margin(network: Network, picture: Tensor, step: int) -> int | None:
    """Return the least margin with which a tile is what it is with wider ones. None: none is enough.

    A tile in the middle and one in the corner are looked at: some networks join opposite edges of a picture. Windows
    begin on odd multiples of the step, too.
    """
    side = picture.shape[-1]
    middle = (side - _TILE) // 2 // step * step

    @functools.cache
    def tile(at: int, margin: int, more: int) -> Tensor:
        begin = max(at - margin - more, 0) // step * step
        window = slice(begin, min(at + _TILE + margin, side))
        out = network(picture[..., window, window].contiguous())
        scale = out.shape[-1] // (window.stop - window.start)
        kept = slice(scale * (at - begin), scale * (at - begin + _TILE))
        return out[..., kept, kept]

    def is_enough(margin: int, wider: Sequence[int]) -> bool:
        others = [(at, other, 0) for other in wider for at in (middle, 0)] + [(middle, margin, step)]
        return all(float((tile(o[0], margin, 0) - tile(*o)).abs().max()) * 255 < ENOUGH for o in others)

    for k, margin in enumerate(_MARGINS[:-1]):
        if is_enough(margin, _MARGINS[k + 1 : k + 3]):
            return margin
    return None


def _is_alike(descriptor: Any, call: Callable[[Any, Tensor], Tensor], x: Tensor, exact: Tensor) -> bool:  # noqa: ANN401
    """Return whether the network in bf16 makes nearly the same."""
    before = {name: value.clone() for name, value in descriptor.model.state_dict().items()}
    try:
        descriptor.model.to(torch.bfloat16)
        off = (call(descriptor, x.bfloat16()).float() - exact) * 255
    except (RuntimeError, TypeError):
        return False
    finally:
        descriptor.model.float()
        descriptor.model.load_state_dict(before)
    return bool(off.isfinite().all()) and float(off.abs().max()) < _ALIKE and float(off.square().mean()) < _ALIKE_RMS**2
