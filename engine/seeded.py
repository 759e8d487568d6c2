"""A canvas given as tokens, denoised behind a prompt given as tokens.

Shapes: W positions, V vocabulary.
"""

import secrets
from collections.abc import Generator
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from palimpsest.engine.cache import Shelf
from palimpsest.engine.canvas import Canvas
from palimpsest.engine.denoise import begin, step
from palimpsest.engine.errors import RequestError
from palimpsest.engine.model import Model
from palimpsest.engine.request import Denoised, Draft, Progress, Seeded
from palimpsest.engine.sampler import noise


def denoised(model: Model, shelf: Shelf, asked: Seeded) -> Generator[Progress | Denoised, None, None]:
    """Yield a Draft without holes after each step, and the Denoised. Raises RequestError for ids that the vocabulary
    has not and for a canvas or prompt of no length that the model has."""
    width = asked.canvas if isinstance(asked.canvas, int) else len(asked.canvas)
    _check(model, asked, width)
    prefix = yield from shelf.read(list(asked.prompt))
    generator = torch.Generator(model.device)
    generator.manual_seed(secrets.randbits(31) if asked.seed is None else asked.seed)
    if isinstance(asked.canvas, int):
        ids = noise(torch.Size((1, width)), model.vocabulary, generator)
    else:
        ids = torch.tensor([asked.canvas], device=model.device)
    every = torch.ones_like(ids, dtype=torch.bool)
    free = every.clone()
    free[0, list(asked.pinned)] = False
    latest: list[Tensor] = []  # W V

    @torch.inference_mode()
    def decode(ids: Tensor, free: Tensor, guess: Tensor | None) -> Tensor:
        logits = model.decode(prefix, ids, free, guess, read=every)
        if model.delete is not None:  # a sign of our own for slack: whoever offers tokens chooses their number
            logits[:, model.delete] = torch.finfo(logits.dtype).min
        latest[:] = [logits]
        return logits[free[0]]

    state = begin(Canvas(ids, free, torch.zeros_like(ids)), model.vocabulary, generator)
    state = replace(state, current=ids)
    if state.finished.all():  # nothing is free: it is only read
        decode(ids, free, None)
    most = min(asked.max_steps or model.schedule.max_steps, model.schedule.max_steps)
    advance = partial(step, decode=decode, schedule=model.schedule, draw=model.draw, generator=generator)
    while state.number < most and not state.finished.all():
        state = advance(state)
        yield Draft((), state.number, most)
    log_probabilities = latest[0].log_softmax(-1).cpu()
    best = log_probabilities.topk(max(1, asked.top), -1)
    wanted = torch.tensor(asked.wanted, dtype=torch.long)
    told = (
        dict(zip([*likely, *asked.wanted], [*values, *row[wanted].tolist()], strict=True))
        for likely, values, row in zip(best.indices.tolist(), best.values.tolist(), log_probabilities, strict=True)
    )
    yield Denoised(tuple(best.indices[:, 0].tolist()), tuple(told))


def _check(model: Model, asked: Seeded, width: int) -> None:
    if not 0 < width <= model.canvas_limit:
        raise RequestError(f"The canvas has {width} positions: this model has from 1 to {model.canvas_limit}.")
    if not 0 < len(asked.prompt) <= model.prefix_limit:
        raise RequestError(f"The prompt has {len(asked.prompt)} tokens: this model reads 1 to {model.prefix_limit}.")
    canvas = () if isinstance(asked.canvas, int) else asked.canvas
    if not all(0 <= index < model.vocabulary for index in (*asked.prompt, *canvas, *asked.wanted)):
        raise RequestError(f"There are ids that this model does not know: they must be in [0, {model.vocabulary}).")
    if not all(0 <= position < width for position in asked.pinned):
        raise RequestError(f"There are pinned positions outside the canvas: they must be in [0, {width}).")
