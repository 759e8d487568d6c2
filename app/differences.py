"""How one text becomes another, line by line."""

import difflib
from collections.abc import Iterator
from itertools import accumulate, takewhile

from palimpsest.app.utf16 import units

MOST = 500  # lines that are compared with each other: the time for it grows with the square


def edits(old: str, new: str) -> Iterator[tuple[int, int, str]]:
    """What to put in place of which stretch of ``old`` (UTF-16 units), from the end to the beginning."""
    mine, theirs = old.splitlines(keepends=True), new.splitlines(keepends=True)
    begin = common(mine, theirs)
    end = common(mine[begin:][::-1], theirs[begin:][::-1])
    before = units("".join(mine[:begin]))
    mine, theirs = mine[begin : len(mine) - end], theirs[begin : len(theirs) - end]
    if max(len(mine), len(theirs)) <= MOST:
        steps = difflib.SequenceMatcher(None, mine, theirs, autojunk=False).get_opcodes()
    else:
        steps = [("replace", 0, len(mine), 0, len(theirs))]
    places = [*accumulate(map(units, mine), initial=before)]
    for kind, first, last, there, until in reversed(steps):
        if kind != "equal":
            yield places[first], places[last], "".join(theirs[there:until])


def common(one: list[str], other: list[str]) -> int:
    """How many items both begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def unified(old: str, new: str, old_name: str, new_name: str) -> str:
    """The differences as ``diff -u`` tells them."""
    return "\n".join(difflib.unified_diff(old.split("\n"), new.split("\n"), old_name, new_name, lineterm=""))
