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
Advance = Callable[["State"], "State"]  # one denoising step

NAMES = ("rows", "free", "standing", "current", "best", "confidence", "repeats", "finished")  # of a state's tensors
BELIEF = 0.5  # the probability of each token that stands on a revised canvas, before the first step
FIRST_COMPARED = 2  # the step after which candidates are first compared; before it they are mostly noise


@dataclass(frozen=True)
class State:
    """A batch of canvases after ``number`` denoising steps."""

    number: int
    rows: Tensor  # B, which candidate each canvas is
    free: Tensor  # B W bool
    standing: Tensor  # B W, what is revised; -1 where nothing is
    current: Tensor  # B W, what the decoder reads next
    best: Tensor  # B W, the likeliest tokens; pins unchanged
    confidence: Tensor  # B W, their probability before the temperature, under which all ends up sure; 1 on pins
    repeats: Tensor  # B, how often the likeliest tokens were the same as the step before
    finished: Tensor  # B bool
    guess: tuple[Tensor, ...] | None  # for each canvas what conditions its next step

    def only(self, rows: Tensor) -> "State":
        """The batch of these canvases alone, in this order (indices)."""
        guess = None if self.guess is None else tuple(self.guess[row] for row in rows.tolist())
        return replace(self, guess=guess, **{name: getattr(self, name)[rows] for name in NAMES})

    def joined(self, other: "State") -> "State":
        """This batch and another that has taken as many steps."""
        assert self.guess is not None and other.guess is not None
        parts = {name: torch.cat([getattr(self, name), getattr(other, name)]) for name in NAMES}
        return replace(self, guess=self.guess + other.guess, **parts)


@dataclass(frozen=True)
class Race:
    """How many candidates shall be left, and how good each is (B, the more the better)."""

    keep: int
    judge: Callable[[State], Tensor]


def begin(canvas: Canvas, vocabulary: int, generator: torch.Generator) -> State:
    """Before the first step: noise on every free position, or what stands there, half believed."""
    random = noise(canvas.ids.shape, vocabulary, generator)
    standing = canvas.ids.where(canvas.free & canvas.revised, -1)
    return State(
        number=0,
        rows=torch.arange(len(canvas.ids), device=canvas.ids.device),
        free=canvas.free,
        standing=standing,
        current=torch.where(canvas.free, standing.where(standing >= 0, random), canvas.ids),
        best=torch.where(canvas.free, -1, canvas.ids),
        confidence=torch.where(canvas.free, 0.0, 1.0),
        repeats=torch.zeros(len(canvas.ids), dtype=torch.long, device=canvas.ids.device),
        finished=~canvas.free.any(-1),
        guess=believed(canvas, vocabulary).split(canvas.free.sum(-1).tolist()) if canvas.revised else None,
    )


def believed(canvas: Canvas, vocabulary: int) -> Tensor:
    """What is expected on the free positions of a revised canvas (N V): what stands there, or else any token."""
    standing = canvas.ids[canvas.free][:, None]
    spread = torch.full((len(standing), vocabulary), (1 - BELIEF) / vocabulary, device=standing.device)
    return spread.scatter_add(-1, standing, torch.full(standing.shape, BELIEF, device=standing.device))


@torch.inference_mode()
def step(state: State, decode: Decode, schedule: Schedule, draw: Draw, generator: torch.Generator) -> State:
    """One denoising step.

    1. Decode the free positions and divide by the step's temperature.
    2. Propose a token for each, and accept the surest of each canvas.
    3. Renoise the others, or put back what stands there to be revised.
    4. A canvas is finished when its likeliest tokens repeat and are sure.
    5. What was predicted conditions the next step.
    """
    free, number = state.free, state.number + 1
    # 1. Decode.
    logits = decode(state.current, free, None if state.guess is None else torch.cat(state.guess))
    probabilities = (logits / schedule.temperature(number)).softmax(-1)
    # 2. Propose and accept.
    zeros = torch.zeros(free.shape, device=free.device)
    entropies = zeros.masked_scatter(free, entropy(probabilities))
    proposal = state.current.masked_scatter(free, draw(probabilities, free, generator))
    accepted = accept(entropies, schedule.entropy_bound)
    # 3. Renoise.
    random = noise(free.shape, probabilities.shape[-1], generator)
    current = torch.where(free & ~accepted, state.standing.where(state.standing >= 0, random), proposal)
    # 4. Stop.
    top, likeliest = logits.max(-1)
    best = state.best.masked_scatter(free, likeliest)
    repeats = torch.where((best == state.best).all(-1), state.repeats + 1, 0)
    confident = entropies.sum(-1) / free.sum(-1) < schedule.confidence
    finished = confident & (repeats >= schedule.stability)
    confidence = state.confidence.masked_scatter(free, (top - logits.logsumexp(-1)).exp())
    # 5. Condition.
    guess = probabilities.split(free.sum(-1).tolist())
    return State(number, state.rows, free, state.standing, current, best, confidence, repeats, finished, guess)


def denoise(
    canvas: Canvas,
    advance: Advance,
    max_steps: int,
    vocabulary: int,
    generator: torch.Generator,
    race: Race | None = None,
    scout: bool = False,
) -> Iterator[State]:
    """Yield the batch after every denoising step, taken by ``advance``; a finished canvas is in no later one.

    With a ``race`` the worse half of the candidates is left out after each of the first steps that can tell them apart,
    until as many are left as wanted (successive halving, Jamieson and Talwalkar, arXiv 1502.07943); then the best comes
    first. A ``scout``, the middle candidate, takes the first step before the others and is yielded alone, so that there
    is something to see in a fraction of the time.
    """
    state = begin(canvas, vocabulary, generator)
    if state.finished.all():
        yield state  # nothing is free
        return
    racing = len(state.rows)
    if scout and racing > 1 and max_steps > 1:
        order = torch.arange(racing, device=state.rows.device).roll(-(racing // 2))
        ahead = advance(state.only(order[:1]))
        yield replace(ahead, finished=torch.zeros_like(ahead.finished))  # nothing ends before all have begun
        state = ahead.joined(advance(state.only(order[1:])))
        yield state
        state = state.only((~state.finished).nonzero().flatten())
    while len(state.rows) and state.number < max_steps:
        state = advance(state)
        if race and racing > race.keep and state.number >= FIRST_COMPARED:
            racing = max(race.keep, -(-racing // 2))
            state = state.only(race.judge(state).argsort(descending=True, stable=True)[:racing])
        yield state
        if state.finished.any():
            state = state.only((~state.finished).nonzero().flatten())
