"""Two Gaussian observations of one picture, fused into one: the inverse-variance mean."""

import torch
from torch import Tensor


def remainder(sigma: Tensor, sigma_t: float) -> Tensor:
    """Return the sigma_y that, fused with a state of std sigma_t, gives sigma.

    Args:
        sigma: of any shape, at most sigma_t.
        sigma_t: std of the state's noise.

    Returns:
        of sigma's shape: 0 where sigma is 0, inf where it is sigma_t, since the observation then adds nothing.
    """
    r2 = (sigma / sigma_t) ** 2
    return torch.where(r2 < 1, sigma / torch.sqrt((1 - r2).clamp_min(1e-12)), torch.inf)


def fuse(x_t: Tensor, sigma_t: Tensor, y: Tensor, sigma_y: Tensor) -> tuple[Tensor, Tensor]:
    """Fuse the diffusion state with a pixelwise observation; both are x0 plus white noise.

    The smaller sigma is the unit, so 0 and inf need no special arithmetic. An exact picture comes back bit for bit. One
    whose sigma is inf is never read, so NaN there is harmless.

    Args:
        x_t: (B, C, H, W), the state, [-1, 1] units.
        sigma_t: (B, 1, 1, 1) or (B, 1, H, W), std of its noise; inf = no state.
        y: (B, C, H, W), the observation.
        sigma_y: (B, 1, H, W), std of its noise per pixel; 0 = exact, inf = missing.

    Returns:
        x (B, C, H, W) and its std sigma (B, 1, H, W). x means nothing where sigma is inf.
    """
    y_is_near = sigma_y <= sigma_t
    near, far = torch.where(y_is_near, y, x_t), torch.where(y_is_near, x_t, y)
    lo, hi = torch.minimum(sigma_t, sigma_y), torch.maximum(sigma_t, sigma_y)
    alone = (lo == 0) | torch.isinf(hi)
    r2 = torch.where(alone, 0.0, lo / torch.where(alone, 1.0, hi)) ** 2
    x = torch.where(alone, near, near + r2 / (1 + r2) * (far - near))
    return x, lo / torch.sqrt(1 + r2)
