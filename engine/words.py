"""The words around a hole: where one word is wanted, it is more often one of them than one made up."""

import re

from palimpsest.engine.request import Fill

REACH = 4_000  # characters before the hole and behind it that are looked at
MOST = 256  # words
WORD = re.compile(r"[^\W\d]\w+")
NEIGHBOURS = re.compile(r"\w*\W*\Z"), re.compile(r"\W*\w*")  # the words before a hole and behind it


def nearest(fill: Fill) -> dict[str, int]:
    """The words around the first hole, the nearest first; of each, on how many of its two sides it stands elsewhere
    beside the word that the hole stands beside."""
    before, after = fill.before[-REACH:], fill.after[:REACH]
    left, right = (pattern.search(text) for pattern, text in zip(NEIGHBOURS, (before, after), strict=True))
    assert left
    assert right
    away: dict[str, int] = {}
    sides: dict[str, set[str]] = {}
    for text, start in ((before, -len(before)), (after, 0)):  # where it begins, seen from the hole
        for found in WORD.finditer(text):
            word = found.group()
            distance = max(start + found.start(), -start - found.end())
            away[word] = min(distance, away.get(word, REACH))
            known = sides.setdefault(word, set())
            if left.group() and text.endswith(left.group(), 0, found.start()):
                known.add("left")
            if right.group() and text.startswith(right.group(), found.end()):
                known.add("right")
    return {word: len(sides[word]) for word in sorted(away, key=away.__getitem__)[:MOST]}


def is_one(text: str) -> bool:
    """Is it one word and nothing else?"""
    return bool(WORD.fullmatch(text))


def has_room(fill: Fill) -> bool:
    """Is there one hole, and does no word reach into it?"""
    return len(fill.selections) == 1 and not re.search(r"\w\Z", fill.before) and not re.match(r"\w", fill.after)
