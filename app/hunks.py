"""What a draft changes in the text that stands there, word by word."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

from palimpsest.app.differences import common

WORD = re.compile(r"\w+|[^\S\n]+|\n|[^\w\s]")

Range = tuple[int, int]  # of characters


@dataclass(frozen=True)
class Hunk:
    """A stretch of the text and what stands for it in the draft, where they differ; both in characters."""

    old: Range
    new: Range


def words(text: str) -> list[Range]:
    """Where the words, blanks and marks that ``text`` consists of stand."""
    return [found.span() for found in WORD.finditer(text)]


def word_at(text: str, index: int) -> Range:
    """The word at a character of ``text``."""
    return next(((start, end) for start, end in words(text) if start <= index < end), (index, index))


def hunks(old: str, new: str) -> list[Hunk]:
    """Where the two differ, in order; what only blanks part is one hunk, but never across lines.

    By the longest common subsequence of words, which RapidFuzz finds by bit-parallel rows: thousands of words take
    milliseconds. What both begin with is left out of it, so that words taken over stay so.
    """
    from rapidfuzz.distance import Indel  # only when it is needed: no draft is there when the window starts

    mine, theirs = WORD.findall(old), WORD.findall(new)
    starts, places = ([0, *accumulate(map(len, parts))] for parts in (mine, theirs))
    same = common(mine, theirs)
    starts, places = starts[same:], places[same:]
    found: list[Hunk] = []
    for step in Indel.opcodes(mine[same:], theirs[same:]):
        if step.tag == "equal":
            continue
        hunk = Hunk(
            (starts[step.src_start], starts[step.src_end]),
            (places[step.dest_start], places[step.dest_end]),
        )
        if found and _touches(old[found[-1].old[1] : hunk.old[0]]):
            last = found.pop()
            hunk = Hunk((last.old[0], hunk.old[1]), (last.new[0], hunk.new[1]))
        found.append(hunk)
    return [_trimmed(old, new, hunk) for hunk in found]


def _trimmed(old: str, new: str, hunk: Hunk) -> Hunk:
    """Without what both its texts begin or end with."""
    mine, theirs = WORD.findall(old[slice(*hunk.old)]), WORD.findall(new[slice(*hunk.new)])
    ahead = common(mine, theirs)
    behind = common(mine[ahead:][::-1], theirs[ahead:][::-1])
    left, right = len("".join(mine[:ahead])), len("".join(mine[len(mine) - behind :]))
    return Hunk((hunk.old[0] + left, hunk.old[1] - right), (hunk.new[0] + left, hunk.new[1] - right))


def _touches(between: str) -> bool:
    return not between or (between.isspace() and "\n" not in between)


def with_hunks(old: str, new: str, taken: Iterable[Hunk]) -> str:
    """``old`` with these hunks of ``new`` taken over."""
    text, at = "", 0
    for hunk in taken:
        text += old[at : hunk.old[0]] + new[slice(*hunk.new)]
        at = hunk.old[1]
    return text + old[at:]


def next_word(old: str, new: str, hunk: Hunk) -> str:
    """``old`` with the first word of ``hunk`` in place of its first there; its last one ends the hunk."""
    (start, end), (first, last) = hunk.old, hunk.new
    for stop in _ends(new[first:last])[:-1]:
        for cut in [*_ends(old[start:end]), end - start][:2]:
            taken, rest = new[first : first + stop], old[start + cut :]
            if not WORD.fullmatch(taken[-1] + rest[:1]):  # else the two would make one word
                return old[:start] + taken + rest
    return with_hunks(old, new, [hunk])


def _ends(text: str) -> list[int]:
    """Where the words and marks of ``text`` end, but not its blanks."""
    return [end for start, end in words(text) if not text[start:end].isspace()]
