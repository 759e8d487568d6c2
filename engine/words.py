"""The words around a hole: where one word is wanted, it is more often one of them than one made up."""

import re

from palimpsest.engine.request import Fill

REACH = 4_000  # characters before the hole and behind it that are looked at
MOST = 256  # words
WORD = re.compile(r"[^\W\d]\w+")


def nearest(fill: Fill) -> list[str]:
    """The words around the first hole, the nearest first."""
    before, after = fill.before[-REACH:], fill.after[:REACH]
    away = {found.group(): len(before) - found.end() for found in WORD.finditer(before)}
    for found in WORD.finditer(after):
        away[found.group()] = min(found.start(), away.get(found.group(), REACH))
    return sorted(away, key=away.__getitem__)[:MOST]


def is_one(text: str) -> bool:
    """Is it one word and nothing else?"""
    return bool(WORD.fullmatch(text))


def has_room(fill: Fill) -> bool:
    """Is there one hole, and does no word reach into it?"""
    return len(fill.selections) == 1 and not re.search(r"\w\Z", fill.before) and not re.match(r"\w", fill.after)
