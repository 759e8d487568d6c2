"""Which of several answers is better, and which say the same.

Shapes: B canvases, W positions, T tokens.
"""

import difflib
import re
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from palimpsest.engine.cache import Prefix
from palimpsest.engine.canvas import RIGHT_CONTEXT, Canvas
from palimpsest.engine.denoise import State
from palimpsest.engine.model import Model
from palimpsest.engine.request import Alternative

SAME = 0.9  # of difflib's ratio over words: alternatives whose holes are all as like as this are one


def judge(model: Model, prefix: Prefix, canvas: Canvas) -> Callable[[State], Tensor]:
    """How good candidates on ``canvas`` are: the log-probability of what is pinned behind the first hole, given what is
    written, as the encoder reads it from left to right. B

    The right candidate is the one that the text goes on from, whatever its length; how sure a canvas is of itself
    would nearly always prefer the shortest.
    """
    trailing = (~canvas.free).flip(-1).cumprod(-1).sum(-1)
    followers = min(RIGHT_CONTEXT, int(trailing.min()))  # as many as all candidates have

    def judged(state: State) -> Tensor:
        ids, counted = [], []
        for tokens, free in zip(state.best, state.free, strict=True):
            holes = free.nonzero().flatten()
            kept = tokens != model.delete if model.delete is not None else torch.ones_like(free)
            kept[int(holes[-1]) + 1 + followers :] = False
            behind = ~free
            behind[: int(holes[0])] = False
            ids.append(tokens[kept])
            counted.append(behind[kept])
        return model.likelihood(prefix, pad_sequence(ids, batch_first=True), pad_sequence(counted, batch_first=True))

    return judged


def differing(alternatives: list[Alternative]) -> tuple[Alternative, ...]:
    """Those that say something else than all before them."""
    kept: list[Alternative] = []
    for one in alternatives:
        if not any(_alike(one, other) for other in kept):
            kept.append(one)
    return tuple(kept)


def _alike(one: Alternative, other: Alternative) -> bool:
    words = ([re.findall(r"\w+|\S", written.text) for written in alternative.holes] for alternative in (one, other))
    ratios = (difflib.SequenceMatcher(None, *pair, autojunk=False).ratio() for pair in zip(*words, strict=True))
    return min(ratios) >= SAME
