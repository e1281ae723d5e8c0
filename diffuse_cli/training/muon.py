"""Muon (Jordan et al. 2024): momentum, then an orthogonal update of each matrix; for weights that are normalised.

torch.optim.Muon does the same arithmetic for one plain matrix at a time. Here kernels are taken as (out, in*k*k). All
matrices of one shape go through the iteration together, and it runs on their small Gram matrices.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

QUINTIC = (3.4445, -4.7750, 2.0315)
"""Jordan et al.'s coefficients; after five steps singular values are within about 0.7 .. 1.2."""
ITERATIONS = 5


def orthogonalised(g: Tensor) -> Tensor:
    """Move every singular value to about 1 by Newton-Schulz iteration.

    The five steps x <- (a + b A + c A^2) x with A = x x^T are polynomials in A, so they commute. A is formed once from
    the wide matrix and updated as A <- P A P with P = a + b A + c A^2. The product of all P is applied to the matrix
    once. This takes two products with the wide side, not ten. A holds squares of singular values, so it is fp32: in
    bf16 small ones would be lost, or become negative and grow. Only the last product is bf16.

    Args:
        g: (N, rows, columns), fp32.

    Returns:
        The matrices (N, rows, columns), fp32.
    """
    tall = g.shape[-2] > g.shape[-1]
    x = g.mT if tall else g
    x = x / (x.square().sum((-2, -1), keepdim=True).sqrt() + 1e-7)
    a, b, c = QUINTIC
    gram = torch.bmm(x, x.mT)
    identity = torch.eye(gram.shape[-1], device=gram.device).expand_as(gram)
    product = identity
    for k in range(ITERATIONS):
        p = a * identity + b * gram + c * torch.bmm(gram, gram)
        product = torch.bmm(p, product) if k else p
        if k + 1 < ITERATIONS:
            gram = torch.bmm(torch.bmm(p, gram), p)
    x = torch.bmm(product.bfloat16(), x.bfloat16()).float()
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Muon for matrices and kernels. The update has unit root mean square for every shape.

    The state is `momentum`, one tensor a parameter.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float, momentum: float = 0.95) -> None:
        """Take the parameters.

        Args:
            parameters: matrices and kernels.
            lr: learning rate.
            momentum: of the average of gradients, applied with Nesterov's look-ahead.
        """
        super().__init__(list(parameters), {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient.

        Args:
            closure: not used.
        """
        for group in self.param_groups:
            shapes: dict[tuple[int, ...], list[nn.Parameter]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shapes.setdefault((parameter.shape[0], parameter[0].numel()), []).append(parameter)
            for parameters in shapes.values():
                self._step_alike(parameters, group["lr"], group["momentum"])

    def _step_alike(self, parameters: list[nn.Parameter], lr: float, momentum: float) -> None:
        grads = [p.grad for p in parameters if p.grad is not None]
        for p in parameters:
            if "momentum" not in self.state[p]:
                self.state[p]["momentum"] = torch.zeros_like(p)
        averages = [self.state[p]["momentum"] for p in parameters]
        torch._foreach_lerp_(averages, grads, 1 - momentum)
        ahead = torch._foreach_lerp(grads, averages, momentum)
        stack = torch.stack([_matrix(g, like=p) for g, p in zip(ahead, parameters, strict=True)])
        updates = orthogonalised(stack) * math.sqrt(max(stack.shape[-2:]))
        for p, update in zip(parameters, updates, strict=True):
            _matrix(p, like=p).add_(update, alpha=-lr)


def _matrix(t: Tensor, *, like: Tensor) -> Tensor:
    """Return (out, ...) as (out, n), the columns in the order of `like`'s memory; of `like` itself this is a view."""
    if like.ndim == 4 and like.is_contiguous(memory_format=torch.channels_last):
        t = t.permute(0, 2, 3, 1)
    return t.flatten(1)
