"""The loop: decode the canvas, accept what is sure, renoise the rest, until nothing changes. Read this first.

Pinned positions are clamped twice: they keep their token on every decoder call, and they are conditioned on exactly
themselves. Acceptance, entropy and the stop test count free positions only.

Shapes: W canvas positions, F free ones, V vocabulary.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from palimpsest.engine.canvas import Canvas
from palimpsest.engine.sampler import Schedule, accept, entropy, noise, propose

# ids (W), self-conditioning logits (W V) or None -> logits (W V)
Decode = Callable[[Tensor, Tensor | None], Tensor]


@dataclass(frozen=True)
class Step:
    """The canvas after a denoising step: the likeliest token of every free position, and its probability."""

    number: int
    ids: Tensor  # W, pins unchanged
    confidence: Tensor  # W, 1 on pins
    finished: bool


def denoise(
    decode: Decode, canvas: Canvas, schedule: Schedule, vocabulary: int, generator: torch.Generator, marked: bool
) -> Iterator[Step]:
    """Yield a Step for every denoising step; the last one is finished or is the schedule's last.

    ``marked`` conditions the first step on what is known: pins on themselves, free positions on the mean of all tokens.
    Checkpoints trained for holes expect it; the released model's first step has no conditioning.
    """
    free = canvas.free
    known = _one_hot(canvas.ids, free, vocabulary)  # W V
    conditioning = known.clone() if marked else None
    current = canvas.ids.clone()
    current[free] = noise(int(free.sum()), vocabulary, generator)
    best = canvas.ids.clone()
    best[free] = -1
    for number in range(1, schedule.max_steps + 1):
        # 1. Decode, and sharpen by the step's temperature.
        logits = decode(current, conditioning)[free] / schedule.temperature(number)  # F V
        log_probabilities = logits.log_softmax(-1)
        # 2. Propose a token for each free position and accept the surest.
        entropies = entropy(log_probabilities)
        proposal = propose(log_probabilities, generator)
        accepted = accept(entropies, schedule.entropy_bound)
        # 3. Renoise the others.
        current[free] = torch.where(accepted, proposal, noise(len(proposal), vocabulary, generator))
        # 4. Stop when the likeliest canvas repeats and is sure.
        confidence, likeliest = log_probabilities.max(-1)
        stable = torch.equal(best[free], likeliest)
        finished = stable and entropies.mean().item() < schedule.confidence
        best = best.masked_scatter(free, likeliest)
        yield Step(
            number,
            best,
            torch.ones_like(free, dtype=torch.float32).masked_scatter(free, confidence.exp().float()),
            finished,
        )
        if finished:
            return
        # 5. What was predicted conditions the next step.
        conditioning = known.masked_scatter(free[:, None], logits.to(known.dtype))


def _one_hot(ids: Tensor, free: Tensor, vocabulary: int) -> Tensor:
    """Logits that are certain of each pin and know nothing of free positions. W -> W V"""
    logits = torch.full((len(ids), vocabulary), -torch.inf, device=ids.device)
    logits.scatter_(1, ids[:, None], 0.0)
    logits[free] = 0.0
    return logits
