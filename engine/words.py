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


def nearest(fill: Fill) -> dict[str, float]:
    """The words around the first hole, the nearest first; of each how much likelier than one that stands nowhere around
    it is behind what is before the hole and before what is behind it, in nats.

    So tell two n-gram models of nothing but the text around, one of each direction: a cache (Kuhn and De Mori 1990).
    """
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
    sides = _shares(left), _shares(right)
    words = sorted(filter(is_one, away), key=away.__getitem__)[:MOST]
    return {word: sum(math.log1p(side[word] / NEVER) for side in sides) for word in words}


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
