"""Which of several answers is better, and which say the same.

Shapes: B canvases, W positions, T tokens.
"""

import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from palimpsest.engine.cache import Prefix
from palimpsest.engine.canvas import RIGHT_CONTEXT, Canvas
from palimpsest.engine.denoise import State
from palimpsest.engine.model import Model
from palimpsest.engine.ngrams import Ngrams
from palimpsest.engine.request import Alternative

OWN = 0.1  # what the log-probability of the written counts beside that of what follows it
RIVAL_OWN = 0.7  # and that of rivals, which all end where the text goes on
KNOWN = 0.3  # what counts of how much likelier what stands around makes them
FOLLOWERS = 8  # tokens behind rivals that tell how good they are: farther on, they tell nothing
COMPARED = 32  # words by what follows
LIKELY = 32  # tokens of which those that are words compete too
LAST = 1e6  # nats
SAME = 0.9  # of difflib's ratio over words: alternatives whose holes are all as like as this are one


@dataclass(frozen=True)
class Answer:
    """What stands in the holes, so far: the id, the probability and the hole of each token."""

    score: float
    ids: list[int]
    sure: list[float]
    holes: list[int]
    canvas: list[int]  # all tokens of the last canvas
    fits: bool = True  # does it say something, and leave Python what was?

    def behind(self, earlier: "Answer | None") -> "Answer":
        """This answer as what goes on where ``earlier`` ends."""
        if earlier is None:
            return self
        ids, sure, holes = earlier.ids + self.ids, earlier.sure + self.sure, earlier.holes + self.holes
        return Answer(self.score, ids, sure, holes, self.canvas)

    def within(self, hole: int) -> tuple[list[int], list[float]]:
        """The ids in that hole, and their probabilities."""
        places = [place for place, of in enumerate(self.holes) if of == hole]
        return [self.ids[place] for place in places], [self.sure[place] for place in places]


def judge(
    model: Model, prefix: Prefix, last: int, canvas: Canvas, without: Sequence[str] = ()
) -> Callable[[State], Tensor]:
    """How good candidates on ``canvas`` behind ``prefix``, which ends with the token ``last``, are: the log-probability
    of what is pinned behind the first hole, and OWN times that of what is written, as the encoder reads both from left
    to right. B

    By what follows alone, nearly any well-formed text would do; with its own share in full, the shortest would win.
    One that writes nothing, or a word of ``without``, comes last.
    """
    trailing = (~canvas.free).flip(-1).cumprod(-1).sum(-1)
    followers = min(RIGHT_CONTEXT, int(trailing.min()))  # as many as all candidates have

    def judged(state: State) -> Tensor:
        ids, counted, unwanted = [], [], []
        for tokens, free in zip(state.best, state.free, strict=True):
            holes = free.nonzero().flatten()
            kept = tokens != model.delete if model.delete is not None else torch.ones_like(free)
            kept[int(holes[-1]) + 1 + followers :] = False
            text = model.detokenizer.text(tokens[free & kept].tolist())
            unwanted.append(is_unwanted(text, without))
            weight = torch.where(free, OWN, 1.0)
            weight[: int(holes[0])] = 0
            ids.append(torch.cat([tokens.new_tensor([last]), tokens[kept]]))
            counted.append(torch.cat([weight.new_zeros(1), weight[kept]]))
        likely = model.likelihood(prefix, ids, counted).cpu()
        return (likely - LAST * torch.tensor(unwanted)).to(state.best.device)

    return judged


def compete(
    model: Model,
    prefix: Prefix,
    last: int,
    rivals: Sequence[Sequence[int]],
    known: Sequence[float],
    kept: int,
    following: Sequence[int],
    ngrams: Ngrams,
) -> tuple[list[int], Tensor]:
    """Which of the ``rivals`` (token ids) are best between ``prefix``, which ends with the token ``last``, and the
    tokens ``following``, best first, and how good they are: the log-probability of what follows, RIVAL_OWN times
    theirs, to which ``ngrams`` contribute, and KNOWN times what is ``known`` of them. The first ``kept`` and the
    COMPARED best of the others without what follows are compared.
    """
    following = following[:FOLLOWERS]
    ids, counted = [torch.tensor([last, *text]) for text in rivals], [torch.ones(1 + len(text)) for text in rivals]
    scores = KNOWN * torch.tensor(known) + RIVAL_OWN * model.likelihood(prefix, ids, counted, ngrams).cpu()
    others = kept + scores[kept:].topk(min(COMPARED, len(rivals) - kept)).indices
    best = torch.cat([torch.arange(kept), others])
    ids = [torch.tensor([last, *rivals[row], *following]) for row in best.tolist()]
    counted = [torch.tensor([0.0] * (len(text) - len(following)) + [1.0] * len(following)) for text in ids]
    scores, order = (scores[best] + model.likelihood(prefix, ids, counted).cpu()).sort(descending=True, stable=True)
    return best[order].tolist(), scores


def sure(ids: Sequence[int], among: Sequence[Sequence[int]], shares: Sequence[float]) -> list[float]:
    """Of each token of ``ids``, one of the texts ``among``, its probability behind those before it, if these are the
    ``shares`` of the texts."""
    told, agreeing = [], sum(shares)
    for end in range(1, len(ids) + 1):
        before, start = agreeing, ids[:end]
        agreeing = sum(share for text, share in zip(among, shares, strict=True) if text[:end] == start)
        told.append(agreeing / before if before else 0.0)
    return told


def is_unwanted(text: str, without: Sequence[str]) -> bool:
    """Does ``text`` say nothing, or a word of ``without``?"""
    return not text.strip() or any(re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) for word in without)


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
