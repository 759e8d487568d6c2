"""The words around a hole: where one word is wanted, it is more often one of them than one made up."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import takewhile

from palimpsest.engine.request import Fill

REACH = 4_000  # characters before the hole and behind it that are looked at
MOST = 256  # words
ORDER = 4  # lexemes on either side of a place that are compared with those beside the hole
NEVER = 0.01  # the share of a word that stands nowhere around
WORD = re.compile(r"[^\W\d]\w*")
LEXEME = re.compile(r"\w+|[^\w\s]|\n")


class Around:
    """What stands around the first hole of ``fill``: its ``words``, the nearest first, and two n-gram models of nothing
    but that text, one of each direction: a cache (Kuhn and De Mori 1990)."""

    def __init__(self, fill: Fill):
        before, after = LEXEME.findall(fill.before[-REACH:]), LEXEME.findall(fill.after[:REACH])
        away: dict[str, int] = {}
        left: list[tuple[str, int]] = []
        right: list[tuple[str, int]] = []
        for text, start in ((before, -len(before)), (after, 1)):
            for place, lexeme in enumerate(text):
                distance = abs(start + place)
                away[lexeme] = min(distance, away.get(lexeme, distance))
                left.append((lexeme, _agreeing(text[max(0, place - ORDER) : place][::-1], before[: -ORDER - 1 : -1])))
                right.append((lexeme, _agreeing(text[place + 1 : place + 1 + ORDER], after)))
        self.words = sorted(filter(is_one, away), key=away.__getitem__)[:MOST]
        self._left, self._right = _shares(left), _shares(right)

    def known(self, text: str) -> float:
        """How much likelier than what stands nowhere around the first lexeme of ``text`` is behind what is before the
        hole, and where that is all, before what is behind it; in nats."""
        first = LEXEME.search(text)
        sides = (self._left, self._right) if is_one(text) else (self._left,)
        return sum(math.log1p(side.get(first[0], 0.0) / NEVER) for side in sides) if first else 0.0


def _agreeing(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lexemes both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _shares(found: Sequence[tuple[str, int]]) -> dict[str, float]:
    """Of each lexeme its share where as many neighbours as possible agree, from the lexemes ``found`` and how many do;
    it backs off to fewer by Witten and Bell's method."""
    shares: dict[str, float] = {}
    for order in range(ORDER + 1):
        counts = Counter(lexeme for lexeme, agreeing in found if agreeing >= order)
        if not counts:
            break
        new, total = len(counts), counts.total() + len(counts)
        shares = {lexeme: (counts[lexeme] + new * shares.get(lexeme, 0)) / total for lexeme in shares or counts}
    return shares


def is_one(text: str) -> bool:
    """Is it one word and nothing else?"""
    return bool(WORD.fullmatch(text))


def has_room(fill: Fill) -> bool:
    """Does no word reach into the first hole?"""
    return not re.search(r"\w\Z", fill.before) and not re.match(r"\w", fill.after)
