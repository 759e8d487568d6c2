"""The entropy-bound sampler of DiffusionGemma, over the *free* positions of a canvas.

Source: the released model's generation code in transformers (``EntropyBoundSampler``,
``StableAndConfidentStoppingCriteria``); the bound is of Ben-Hamu et al. (arXiv 2505.24857).

Shapes: F free positions, V vocabulary.
"""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Schedule:
    """Settings of one denoising run, as in the checkpoint's ``generation_config.json``."""

    max_steps: int = 48
    t_min: float = 0.4
    t_max: float = 0.8
    entropy_bound: float = 0.1
    confidence: float = 0.005  # nats: mean entropy of the free positions under which a stable canvas is finished

    def temperature(self, step: int) -> float:
        """The temperature of ``step`` (from 1): linear in the number of steps that remain."""
        return self.t_min + (self.t_max - self.t_min) * (self.max_steps - step + 1) / self.max_steps


def entropy(log_probabilities: Tensor) -> Tensor:
    """Entropy of each row in nats. F V -> F"""
    return -(log_probabilities.exp() * log_probabilities).sum(-1)


def accept(entropies: Tensor, bound: float) -> Tensor:
    """Accept the surest positions while the entropies of those before sum to at most ``bound``. F -> F bool"""
    ordered, index = entropies.sort()
    chosen = ordered.cumsum(0) - ordered <= bound
    return torch.zeros_like(chosen).scatter(0, index, chosen)


def propose(log_probabilities: Tensor, generator: torch.Generator) -> Tensor:
    """One token drawn for each position. F V -> F"""
    return torch.multinomial(log_probabilities.exp(), 1, generator=generator).squeeze(-1)


def noise(count: int, vocabulary: int, generator: torch.Generator) -> Tensor:
    """Uniform random tokens. -> F"""
    return torch.randint(vocabulary, (count,), generator=generator, device=generator.device)
