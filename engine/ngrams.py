"""What stands behind the same tokens elsewhere in the text: a small model expects too little that it comes again."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

ORDER = 8  # tokens that are compared
SHARE = 0.12  # of a prediction for what follows where the last token is the same, of the rest where two are, ...
NOTHING = -1  # beyond the text


class Ngrams:
    """The n-gram models of nothing but a text with a hole, of 1 to ORDER tokens, as a part of another model's
    predictions: a cache (Kuhn and De Mori 1990). ``before`` and ``after`` are the tokens around the hole."""

    def __init__(self, before: Sequence[int], after: Sequence[int]):
        self._text = torch.tensor([NOTHING, *before, NOTHING, *after, NOTHING])
        self._before = before[-ORDER:-1]

    def mixed(self, log_probabilities: Tensor, texts: Sequence[Sequence[int]]) -> Tensor:
        """The ``log_probabilities`` of what follows each of T ``texts``, which begin with the last token before the
        hole, with what follows the same elsewhere. T V"""
        probabilities = log_probabilities.exp()
        for row, text in zip(probabilities, texts, strict=True):
            for following in self._following([*self._before, *text]):
                row *= 1 - SHARE
                row.index_add_(0, following.to(row.device), row.new_full(following.shape, SHARE / len(following)))
        return probabilities.log()

    def _following(self, text: Sequence[int]) -> Iterator[Tensor]:
        """The tokens behind the last one of ``text`` wherever it stands, behind the last two, and so on."""
        ends = torch.arange(len(self._text) - 1)
        for back, token in enumerate(text[: -ORDER - 1 : -1]):
            ends = ends[self._text[ends - back] == token]
            following = self._text[ends + 1]
            following = following[following != NOTHING]
            if not len(following):
                break
            yield following
