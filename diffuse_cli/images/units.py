"""Units of pixels: 8-bit levels, and luma."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

LEVEL = 127.5
"""8-bit levels per unit of the core: a noise level n is sigma = n / LEVEL."""


def luma(x: "Tensor") -> "Tensor":
    """Return the luma (B, 1, H, W), with the BT.601 weights.

    Args:
        x: (B, 3, H, W).
    """
    import torch

    weights = torch.tensor([0.299, 0.587, 0.114], dtype=x.dtype, device=x.device)
    return torch.einsum("bchw,c->bhw", x, weights)[:, None]
