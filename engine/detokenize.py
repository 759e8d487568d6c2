"""Tokens -> the text so far, and how settled each character is."""

import itertools
from collections.abc import Collection, Sequence

from tokenizers import Tokenizer

# Line ends are ``\n`` here; what no text file means to hold is left out.
_LINES = {"\u2028": "\n", "\u2029": "\n"}
_DROPPED = {"\r", "\0"}


class Detokenizer:
    """Turns the free positions of a canvas into text. Special tokens, ``<del>`` among them, leave no trace."""

    def __init__(self, tokenizer: Tokenizer, ends: Collection[int]):
        self._tokenizer, self._ends = tokenizer, ends
        self._special = {index for index, token in tokenizer.get_added_tokens_decoder().items() if token.special}
        self._pieces: dict[int, str] = {}

    def text(self, ids: Sequence[int]) -> str:
        """The text of ``ids`` up to an end of text."""
        return self.settled(ids, [1.0] * len(ids))[0]

    def settled(self, ids: Sequence[int], confidence: Sequence[float]) -> tuple[str, tuple[float, ...]]:
        """The text of ``ids`` up to an end of text, and the confidence of each of its characters."""
        ids = list(itertools.takewhile(lambda index: index not in self._ends, ids))
        kept = [(index, sure) for index, sure in zip(ids, confidence, strict=False) if index not in self._special]
        ids = [index for index, _ in kept]
        text = self._tokenizer.decode(ids)
        lengths = self._lengths(ids, text)
        settled = [sure for (_, sure), length in zip(kept, lengths, strict=True) for _ in range(length)]
        shown = [(_LINES.get(c, c), sure) for c, sure in zip(text, settled, strict=True) if c not in _DROPPED]
        return "".join(c for c, _ in shown), tuple(sure for _, sure in shown)

    def _lengths(self, ids: list[int], text: str) -> list[int]:
        """How many characters each token adds."""
        pieces = [self._piece(index) for index in ids]
        if "".join(pieces) == text:
            return [len(piece) for piece in pieces]
        # Some character is spread over several tokens: the token that completes it gets it.
        ends = [min(len(text), len(self._tokenizer.decode(ids[: n + 1]).rstrip("\ufffd"))) for n in range(len(ids))]
        ends = [*itertools.accumulate(ends[:-1], max), len(text)]
        return [end - start for start, end in zip([0, *ends[:-1]], ends, strict=True)]

    def _piece(self, index: int) -> str:
        if index not in self._pieces:
            self._pieces[index] = self._tokenizer.decode([index])
        return self._pieces[index]
