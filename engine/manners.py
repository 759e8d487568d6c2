"""Good manners of a filled text at the edges of its hole, whatever the model wrote.

Everything here is about text alone, and errs on the side of leaving it as it is.
"""

import difflib
import itertools
import re
from collections.abc import Sequence
from functools import reduce

from palimpsest.engine.request import Fill, Written

PAIRS = {"(": ")", "[": "]", "{": "}"}
CLOSERS = {closer: opener for opener, closer in PAIRS.items()}
REPLACEMENT = "\ufffd"
NO_END = " \t\u240a\u240d"  # blanks, and how an editor shows line ends of another kind
NO_BRACKETS = re.compile(
    r"""(?<!\w)(?P<quote>["'])(?:\\.|(?!(?P=quote))[^\n\\])*(?P=quote)|^\s*\w{1,3}\)(?=\s)|(?<!\S)[:;]-?[()](?!\S)""",
    re.MULTILINE,
)
INDENTATION = re.compile(r"^[ \t]+(?=\S)", re.MULTILINE)
REACH = 4000  # characters around the hole that are looked at
LEAST_REPEATED = 3  # letters or digits that make a repeated line or line end worth dropping


def mend(text: str, before: str, selected: str, after: str) -> str:
    """``text`` as it should stand between ``before`` and ``after`` in place of ``selected``.

    1. No half characters.
    2. Indented as the file is.
    3. No repetition of the line before, of the rest of the line, or of the line after.
    4. Brackets open and close as those of the selected text did.
    5. No blanks at the ends of lines, nor what stands for line ends of another kind there.
    """
    if text == selected:
        return text
    steps = (_whole, _indented, _said_once, _balanced, _without_trailing_blanks)
    return reduce(lambda mended, step: step(mended, before, selected, after), steps, text)


def mended(fill: Fill, texts: Sequence[tuple[str, tuple[float, ...]]]) -> tuple[Written, ...]:
    """What was written in each hole, and how settled its characters are, as it should stand there."""
    before, written = fill.before, []
    following = [gap + selected for gap, selected in zip(fill.gaps, fill.selections[1:], strict=True)]
    for hole, (selected, (text, settled)) in enumerate(zip(fill.selections, texts, strict=True)):
        better = mend(text, before, selected, "".join(following[hole:]) + fill.after)
        written.append(Written(better, carry(settled, text, better)))
        before += better + "".join(fill.gaps[hole : hole + 1])
    return tuple(written)


def carry(settled: tuple[float, ...], text: str, mended: str) -> tuple[float, ...]:
    """How settled the characters of ``mended`` are, from those of ``text``; what was added is certain."""
    if text == mended:
        return settled
    # Lines are paired first: comparing thousands of characters would take longer than a denoising step.
    old, new = text.splitlines(keepends=True), mended.splitlines(keepends=True)
    places = [0, *itertools.accumulate(map(len, old))]
    carried: list[float] = []
    for _, start, end, first, last in _changes([*map(str.strip, old)], [*map(str.strip, new)]):
        if end - start == last - first:
            for number, line, changed in zip(range(start, end), old[start:end], new[first:last], strict=True):
                for kind, left, right, begin, stop in _changes(line, changed):
                    kept = settled[places[number] + left : places[number] + right]
                    carried += kept if kind == "equal" else [1.0] * (stop - begin)
        else:
            carried += [1.0] * sum(map(len, new[first:last]))
    return tuple(carried)


def _changes(old: Sequence[str], new: Sequence[str]) -> Sequence[tuple[str, int, int, int, int]]:
    """What makes ``new`` of ``old``, as difflib's opcodes."""
    return difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes()


def _whole(text: str, *_around: str) -> str:
    return text.replace(REPLACEMENT, "")


def _indented(text: str, before: str, selected: str, after: str) -> str:
    line = before[before.rfind("\n") + 1 :]
    if line and not line.strip() and selected[:1] not in (" ", "\t"):
        text = text.lstrip(" \t")  # the line is indented already
    blanks = [found.group() for found in INDENTATION.finditer(before[-REACH:] + after[:REACH])]
    tabs = sum(indent.startswith("\t") for indent in blanks)
    head, newline, rest = text.partition("\n")
    if not newline or not blanks or 0 < tabs < len(blanks):
        return text
    if tabs:
        unit = re.compile(r" {4}| +\t")
        return head + newline + INDENTATION.sub(lambda found: unit.sub("\t", found.group()), rest)
    width = " " * min(map(len, blanks))
    return head + newline + INDENTATION.sub(lambda found: found.group().replace("\t", width), rest)


def _said_once(text: str, before: str, selected: str, after: str) -> str:
    rest_of_line, _, following = after.partition("\n")
    if rest_of_line and text.endswith(rest_of_line) and not selected.endswith(rest_of_line):
        shorter = text.removesuffix(rest_of_line)
        if _tells(rest_of_line) or unmatched(shorter) == unmatched(selected) != unmatched(text):
            text = shorter
    lines = text.split("\n")
    above, _, line = before.rpartition("\n")
    if not line.strip() and _repeats(lines[0], above.rstrip().rpartition("\n")[2], selected.partition("\n")[0]):
        lines = lines[1:]
    below = following.lstrip("\n").partition("\n")[0]
    if lines and not rest_of_line and _repeats(lines[-1], below, selected.rpartition("\n")[2]):
        lines = lines[:-1]
    return "\n".join(lines)


def _repeats(line: str, neighbour: str, selected: str) -> bool:
    """Does ``line`` say what its neighbour says, where the selected text did not?"""
    return _tells(line) and line.strip() == neighbour.strip() != selected.strip()


def _tells(line: str) -> bool:
    """Is the line more than brackets and marks, which may well stand twice?"""
    return sum(map(str.isalnum, line)) >= LEAST_REPEATED


def _balanced(text: str, before: str, selected: str, after: str) -> str:
    closers, openers = map(list, unmatched(selected))
    if unmatched(text) == unmatched(selected) or not _fits(before, selected, after):
        return text
    # Closers that match nothing go; what is left open is closed at the end.
    early, late = _unmatched_places(text)
    dropped = set()
    for place in early:
        if closers[:1] == [text[place]]:
            closers.pop(0)
        else:
            dropped.add(place)
    open_ = [text[place] for place in late]
    if closers or open_[: len(openers)] != openers:
        return text  # it lacks a bracket of the selected text's: no telling where
    kept = (char for place, char in enumerate(text) if place not in dropped)
    return "".join([*kept, *(PAIRS[char] for char in reversed(open_[len(openers) :]))])


def _fits(before: str, selected: str, after: str) -> bool:
    """Were the brackets of the selected text balanced with those around it?"""
    openers, closers = unmatched(before[-REACH:] + selected)[1], unmatched(after[:REACH])[0]
    matching = all(PAIRS[opener] == closer for opener, closer in zip(reversed(openers), closers, strict=False))
    # What is too much on one side may find its partner farther away than is looked on the other.
    cut_off = len(after) > REACH if len(openers) > len(closers) else len(before) > REACH
    paired = bool(openers and closers and cut_off) or len(openers) == len(closers)
    return matching and paired


def unmatched(text: str) -> tuple[str, str]:
    """The brackets of ``text`` that it does not match itself: closers of earlier ones, openers for later ones."""
    closers, openers = ("".join(text[place] for place in places) for places in _unmatched_places(text))
    return closers, openers


def _unmatched_places(text: str) -> tuple[list[int], list[int]]:
    """Where those stand."""
    closers, open_ = [], []
    for place, (char, counts) in enumerate(zip(text, _counted(text), strict=True)):
        if not counts:
            continue
        if char in PAIRS:
            open_.append(place)
        elif char in CLOSERS:
            if open_ and text[open_[-1]] == CLOSERS[char]:
                open_.pop()
            else:
                closers.append(place)
    return closers, open_


def _counted(text: str) -> list[bool]:
    """Which characters count as brackets, if they are: not those in strings, of list numbers and of smileys."""
    counted = [True] * len(text)
    for found in NO_BRACKETS.finditer(text):
        counted[found.start() : found.end()] = [False] * len(found.group())
    return counted


def _without_trailing_blanks(text: str, _before: str, _selected: str, after: str) -> str:
    text = re.sub(rf"[{NO_END}]+(?=\n)", "", text)
    return text.rstrip(NO_END) if not after or after[0] == "\n" else text
