"""Sets the parts of a page as text: paragraphs, code with its indentation, tables in Markdown."""

import cmath
import math
import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from statistics import mean
from typing import TypeVar

from palimpsest.engine.layout import Row, cell_width, pitch
from palimpsest.engine.textlines import Marked, TextLine, certain, joined

T = TypeVar("T")

PARAGRAPH = 1.3  # times the usual step between lines: more parts paragraphs
BULLET = re.compile(r"[-–—•·*▪◦] |\(?\d{1,3}[.)] |\(?[a-z][.)] ")
FULL = 0.85  # of the width, at least: a line that is shorter ends its paragraph if a word more would have fitted
THREE_QUOTES = re.compile(r'" ?" ?"')  # read with spaces between
MOST_BLANK = 10  # lines
SPECK = 2.5  # characters before the first that was read: farther away is no character
FIRST = re.compile(r"\S{1,3}")  # what tells where a line begins: farther on, a character may have been overlooked

# What networks for text make of the signs of programs, and of what fonts for programs draw joined.
SIGNS = {
    "≠": "!=",
    "≤": "<=",
    "≥": ">=",
    "→": "->",
    "⇒": "=>",
    "←": "<-",
    "…": "...",
    "“": '"',
    "”": '"',
    "‘": "'",
    "’": "'",
}
SIGNS |= {chr(0xFF01 + at): chr(0x21 + at) for at in range(94)} | {"一": "-", "—": "-", "–": "-", "×": "x", "。": "."}


def prose(part: list[Row]) -> Marked:
    """Paragraphs of one line each, a blank line between them; words that were parted are whole again."""
    lines = [joined((Marked(line.text, line.sure).stripped() for line in row), " ") for row in part]
    step, right, left = pitch(part), max(row[-1].right for row in part), min(row[0].left for row in part)
    text = lines[0]
    for (above, below), line in zip(pairwise(part), lines[1:], strict=True):
        if below[0].middle - above[0].middle > PARAGRAPH * step:
            text += certain("\n\n") + line
        elif BULLET.match(line.text) or _ends(above, below, right) or below[0].left - left > 1.2 * below[0].height:
            text += certain("\n") + line
        else:
            text = _rejoined(text, line)
    return text


def listed(part: list[Row]) -> Marked:
    """Line by line."""
    return joined((joined((Marked(line.text, line.sure).stripped() for line in row), " ") for row in part), "\n")


def _ends(above: Row, below: Row, right: float) -> bool:
    """Would the next line's first word have fitted behind the line above?"""
    line = below[0]
    word = (len(line.text.split(" ")[0]) + 1.5) * line.width / len(line.text)
    return above[-1].right + word < right and above[-1].right < FULL * right + (1 - FULL) * above[0].left


def _rejoined(text: Marked, line: Marked) -> Marked:
    """The line after what comes before it, without the hyphen that parted a word."""
    last = text.text.split(" ")[-1]
    if re.search(r"[^\W\d_]-$", text.text) and line.text[:1].islower():
        return text[:-1] + line if last.count("-") == 1 else text + line
    return text + " " + line


def code(part: list[Row]) -> Marked:
    """Lines with their indentation, and blank lines where there are gaps."""
    even = cell_width(part)
    wide = even or _usual_width(part)
    if even:
        part = [[replace(line, left=_start(line, wide)) for line in row] for row in part]
    step, left = pitch(part), min(row[0].left for row in part)
    left += _stray([(row[0].left - left) / wide for row in part]) * wide if even else 0
    lines, before = [], None
    for row in part:
        if before:
            blank = round((row[0].middle - before[0].middle) / step) - 1
            lines += [Marked()] * min(max(blank, 0), MOST_BLANK)
        lines.append(_code_line(row, left, wide, even is not None))
        before = row
    return joined(lines, "\n")


def _start(line: TextLine, wide: float) -> float:
    """Where a line of characters of one width begins: between what its ink says and what its first characters say; by
    the ink alone where a character or two were overlooked, and without it where it begins with a speck."""
    found = FIRST.search(line.text)
    assert found  # no line is blank
    begins = mean(line.places[at] - at * wide for at in range(*found.span())) - wide / 2
    before = (begins - line.left) / wide
    if before > SPECK:
        return begins
    return line.left if before > 1 else (begins + line.left) / 2


def _stray(columns: list[float]) -> float:
    """By how much numbers that should be whole mostly are not, from -0.5 to 0.5 (their circular mean)."""
    return cmath.phase(sum(cmath.rect(1, math.tau * column) for column in columns)) / math.tau


def _usual_width(part: list[Row]) -> float:
    lines = [line for row in part for line in row]
    return max(1.0, sum(line.width for line in lines) / sum(len(line.text) for line in lines))


def _code_line(row: Row, left: float, wide: float, even: bool) -> Marked:
    text = Marked()
    for line in row:
        column = round((line.left - left) / wide)
        gap = column - len(text.text)
        text += certain(" " * max(gap, 1 if text.text else 0)) + _signs(_spaced(line, wide) if even else line)
    return text


def _spaced(line: TextLine, wide: float) -> TextLine:
    """The line with as many spaces between its words as have room there."""
    words = list(re.finditer(r"\S+", line.text))
    strays = [mean(line.places[at] / wide - at for at in range(*word.span())) for word in words]
    room = {after.start() - 1: right - left for after, (left, right) in zip(words[1:], pairwise(strays), strict=True)}
    counts = [1 + max(0, round(room.get(at, 0) - 0.1)) for at in range(len(line.text))]

    def repeated(values: Iterable[T]) -> list[T]:
        return [value for value, count in zip(values, counts, strict=True) for _ in range(count)]

    text, places, sure = "".join(repeated(line.text)), tuple(repeated(line.places)), tuple(repeated(line.sure))
    return TextLine(text, line.left, line.top, line.right, line.bottom, places, sure)


def _signs(line: TextLine) -> Marked:
    """The line in the signs that programs are written with."""
    signs = [SIGNS.get(char, char) for char in line.text]
    for found in THREE_QUOTES.finditer("".join(char[0] for char in signs)):
        for at in range(*found.span()):
            signs[at] = signs[at].strip()
    sure = [one for sign, one in zip(signs, line.sure, strict=True) for _ in sign]
    return Marked("".join(signs), tuple(sure))


def table(cells: list[list[Marked]]) -> Marked:
    """A table in Markdown, its first row the head."""
    head, *body = [[_escaped(cell) for cell in row] for row in cells]
    rule = certain("|" + " --- |" * len(head))
    return joined([_table_row(head), rule, *map(_table_row, body)], "\n")


def _table_row(cells: list[Marked]) -> Marked:
    return certain("| ") + joined(cells, " | ") + " |"


def _escaped(cell: Marked) -> Marked:
    parts = cell.text.split("|")
    found, at = Marked(), 0
    for number, part in enumerate(parts):
        found = (found + "\\|" if number else found) + cell[at : at + len(part)]
        at += len(part) + 1
    return found
