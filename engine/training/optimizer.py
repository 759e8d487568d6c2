"""Muon for the matrices, AdamW for the rest."""

import torch
from torch import Tensor


class Muon(torch.optim.Optimizer):
    """Momentum whose update is orthogonalised, for stacks of matrices ``[..., m, n]``.

    Source: Keller Jordan et al., "Muon" (2024); the scale 0.2 sqrt(max(m, n)) is of Liu et al. (arXiv 2502.16982),
    so that learning rates are AdamW's. torch's own Muon refuses the three-dimensional expert weights.
    """

    def __init__(self, parameters, lr: float, momentum: float = 0.95, weight_decay: float = 0.0):
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None):  # noqa: ARG002  (the base class's signature)
        for group in self.param_groups:
            # Those of one shape together: a GPU waits for each product's start.
            alike: dict[torch.Size, list[tuple[Tensor, Tensor]]] = {}
            for parameter in group["params"]:
                if (gradient := parameter.grad) is not None:
                    alike.setdefault(parameter.shape, []).append((parameter, gradient))
            for shape, pairs in alike.items():
                parameters, gradients = zip(*pairs, strict=True)
                gradients = torch.stack(gradients)
                buffers = [self.state[p].setdefault("momentum", torch.zeros_like(p)) for p in parameters]
                for buffer, gradient in zip(buffers, gradients, strict=True):
                    buffer.lerp_(gradient, 1 - group["momentum"])
                updates = orthogonalise(gradients.lerp(torch.stack(buffers), group["momentum"]))
                scale = 0.2 * max(shape[-2:]) ** 0.5
                for parameter, update in zip(parameters, updates, strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.add_(update, alpha=-group["lr"] * scale)


def orthogonalise(matrix: Tensor, steps: int = 5) -> Tensor:
    """The nearest semi-orthogonal matrix, roughly, by a quintic Newton-Schulz iteration."""
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrix.shape[-2] > matrix.shape[-1]
    # In bf16 where that is fast: a CPU without instructions for it multiplies ten times slower.
    x = matrix.mT if tall else matrix
    x = x.bfloat16() if x.is_cuda else x
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.mT if tall else x).to(matrix.dtype)
