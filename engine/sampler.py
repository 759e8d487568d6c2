"""The entropy-bound sampler of DiffusionGemma, over the *free* positions of canvases.

Source: the released model's generation code in transformers (``EntropyBoundSampler``,
``StableAndConfidentStoppingCriteria``); the bound is of Ben-Hamu et al. (arXiv 2505.24857).

Shapes: B canvases, W positions, N free positions of all canvases, V vocabulary.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from palimpsest.engine.errors import RequestError
from palimpsest.engine.request import Options

# probabilities (N V), free (B W), generator -> one token for each free position (N)
Draw = Callable[[Tensor, Tensor, torch.Generator], Tensor]


@dataclass(frozen=True)
class Schedule:
    """Settings of one denoising run, as in the checkpoint's ``generation_config.json``."""

    max_steps: int = 48
    t_min: float = 0.4
    t_max: float = 0.8
    entropy_bound: float = 0.1
    confidence: float = 0.005  # nats: mean entropy of the free positions under which a stable canvas is finished
    stability: int = 1  # times that the likeliest canvas must repeat for that

    def temperature(self, step: int) -> float:
        """The temperature of ``step`` (from 1): linear in the number of steps that remain."""
        return self.t_min + (self.t_max - self.t_min) * (self.max_steps - step + 1) / self.max_steps

    def adapted(self, options: Options) -> "Schedule":
        """This schedule with what ``options`` says otherwise. Raises RequestError when temperatures would rise."""
        chosen = {field.name: getattr(options, field.name) for field in fields(self)}
        schedule = replace(self, **{name: value for name, value in chosen.items() if value is not None})
        if schedule.t_min > schedule.t_max:
            raise RequestError(
                f"t_min is {schedule.t_min} and t_max is {schedule.t_max}: "
                "the temperature falls, so t_max is the higher one."
            )
        return schedule


def entropy(probabilities: Tensor) -> Tensor:
    """Entropy of each row in nats. N V -> N"""
    return torch.special.entr(probabilities).sum(-1)


def accept(entropies: Tensor, bound: float | Tensor) -> Tensor:
    """Accept each canvas' surest positions while the entropies of those before sum to at most ``bound``.

    B W -> B W bool. Pins have entropy 0 and cost nothing.
    """
    ordered, index = entropies.sort(-1)
    chosen = ordered.cumsum(-1) - ordered <= bound
    return torch.zeros_like(chosen).scatter(-1, index, chosen)


def draw_by_inversion(probabilities: Tensor, free: Tensor, generator: torch.Generator) -> Tensor:
    """Draw by inverting the cumulative distribution: one uniform number for each free position."""
    cumulative = probabilities.cumsum(-1)
    uniform = torch.rand(len(probabilities), 1, generator=generator, device=free.device)
    # Rounded up, the product may reach the total itself: the last token with any weight is still the answer.
    total = cumulative[:, -1:]
    place = (uniform * total).clamp(max=total.nextafter(torch.zeros_like(total)))
    return torch.searchsorted(cumulative, place, right=True).squeeze(-1)


def draw_as_released(probabilities: Tensor, free: Tensor, generator: torch.Generator) -> Tensor:
    """Draw as transformers' ``generate()`` does: the same tokens from the same random stream.

    A number for every entry of the vocabulary at every position, pins among them.
    """
    every = torch.ones(free.numel(), probabilities.shape[-1], device=free.device)
    every[free.flatten()] = probabilities
    return torch.multinomial(every, 1, generator=generator).squeeze(-1)[free.flatten()]


def noise(shape: torch.Size, vocabulary: int, generator: torch.Generator) -> Tensor:
    """Uniform random tokens."""
    return torch.randint(vocabulary, shape, generator=generator, device=generator.device)
