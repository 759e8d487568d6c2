"""The loop: decode the canvases, accept what is sure, renoise the rest, until nothing changes. Read this first.

Pinned positions are clamped twice: they keep their token on every decoder call, and they are conditioned on exactly
themselves. Acceptance, entropy and the stop test count free positions only.

Shapes: B canvases of a batch, W positions, N free positions of all canvases, V vocabulary.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from palimpsest.engine.canvas import Canvas
from palimpsest.engine.sampler import Draw, Schedule, accept, entropy, noise

# ids (B W), free (B W), the last step's probabilities of free positions (N V) or None -> logits of those (N V)
Decode = Callable[[Tensor, Tensor, Tensor | None], Tensor]

FIRST_COMPARED = 2  # the step after which candidates are first compared; before it they are mostly noise


@dataclass(frozen=True)
class State:
    """A batch of canvases after ``number`` denoising steps."""

    number: int
    rows: Tensor  # B, which candidate each canvas is
    free: Tensor  # B W bool
    current: Tensor  # B W, what the decoder reads next
    best: Tensor  # B W, the likeliest tokens; pins unchanged
    confidence: Tensor  # B W, the probability of those; 1 on pins
    certainty: Tensor  # B, the sum over all steps of the mean log-probability of the likeliest free tokens
    finished: Tensor  # B bool
    guess: Tensor | None  # N V, the probabilities of the free positions

    @property
    def score(self) -> Tensor:
        """How sure each canvas was over all its steps; at the end alone nearly all are sure of anything. B"""
        return self.certainty / max(1, self.number)

    def only(self, kept: Tensor) -> "State":
        """The batch without the other canvases. B bool"""
        if kept.all():
            return self
        names = ("rows", "free", "current", "best", "confidence", "certainty", "finished")
        guess = None if self.guess is None else self.guess[kept.repeat_interleave(self.free.sum(-1))]
        return replace(self, guess=guess, **{name: getattr(self, name)[kept] for name in names})


def begin(canvas: Canvas, vocabulary: int, generator: torch.Generator) -> State:
    """Before the first step: noise on every free position."""
    random = noise(canvas.ids.shape, vocabulary, generator)
    return State(
        number=0,
        rows=torch.arange(len(canvas.ids), device=canvas.ids.device),
        free=canvas.free,
        current=torch.where(canvas.free, random, canvas.ids),
        best=torch.where(canvas.free, -1, canvas.ids),
        confidence=torch.where(canvas.free, 0.0, 1.0),
        certainty=torch.zeros(len(canvas.ids), device=canvas.ids.device),
        finished=~canvas.free.any(-1),
        guess=None,
    )


@torch.inference_mode()
def step(state: State, decode: Decode, schedule: Schedule, draw: Draw, generator: torch.Generator) -> State:
    """One denoising step.

    1. Decode the free positions and divide by the step's temperature.
    2. Propose a token for each, and accept the surest of each canvas.
    3. Renoise the others.
    4. A canvas is finished when its likeliest tokens repeat and are sure.
    5. What was predicted conditions the next step.
    """
    free, number = state.free, state.number + 1
    # 1. Decode.
    logits = decode(state.current, free, state.guess) / schedule.temperature(number)
    probabilities = logits.softmax(-1)
    # 2. Propose and accept.
    zeros = torch.zeros(free.shape, device=free.device)
    entropies = zeros.masked_scatter(free, entropy(probabilities))
    proposal = state.current.masked_scatter(free, draw(probabilities, free, generator))
    accepted = accept(entropies, schedule.entropy_bound)
    # 3. Renoise.
    random = noise(free.shape, probabilities.shape[-1], generator)
    current = torch.where(free & ~accepted, random, proposal)
    # 4. Stop.
    sure, likeliest = probabilities.max(-1)
    best = state.best.masked_scatter(free, likeliest)
    stable = (best == state.best).all(-1)
    finished = stable & (entropies.sum(-1) / free.sum(-1) < schedule.confidence)
    confidence = state.confidence.masked_scatter(free, sure)
    certainty = state.certainty + confidence.log().sum(-1) / free.sum(-1)
    # 5. Condition.
    return State(number, state.rows, free, current, best, confidence, certainty, finished, probabilities)


def denoise(
    canvas: Canvas,
    decode: Decode,
    schedule: Schedule,
    draw: Draw,
    vocabulary: int,
    generator: torch.Generator,
    keep: int | None = None,
) -> Iterator[State]:
    """Yield the batch after every denoising step; a finished canvas is in no later one.

    Of more than ``keep`` candidates the worse half is left out after each of the first steps that can tell them apart,
    until ``keep`` are left (successive halving, Jamieson and Talwalkar, arXiv 1502.07943).
    """
    state = begin(canvas, vocabulary, generator)
    if state.finished.all():
        yield state  # nothing is free
    state = state.only(~state.finished)
    racing = len(canvas.ids)
    keep = keep or racing
    while len(state.rows) and state.number < schedule.max_steps:
        state = step(state, decode, schedule, draw, generator)
        if racing > keep and state.number >= FIRST_COMPARED:
            racing = max(keep, -(-racing // 2))
            state = state.only(_best(state.score, racing))
        yield state
        state = state.only(~state.finished)


def _best(scores: Tensor, count: int) -> Tensor:
    """Which of the candidates are among the ``count`` best. B -> B bool"""
    kept = torch.zeros(len(scores), dtype=torch.bool, device=scores.device)
    kept[scores.argsort(descending=True, stable=True)[:count]] = True
    return kept
