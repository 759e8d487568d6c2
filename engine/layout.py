"""Finds the parts of a page: its lines in reading order, columns apart, and what each part is."""

import re
from collections.abc import Iterator
from itertools import pairwise
from statistics import median

import numpy as np

from palimpsest.engine.textlines import TextLine

Row = list[TextLine]  # what stands side by side, from left to right

GUTTER = 0.9  # heights of a line between columns at least
COLUMN_TEXT = 14  # characters of the usual line of a column of text; cells of tables are shorter
FEWEST = 3  # lines of a column
TELLING = 10  # characters of a line from which the width of one is told
EVEN = 0.25  # widths of a character that those of a typewriter's face stray from their places at most
BLOCK = 1.3  # times the usual step between rows: more parts blocks
NUMBER = re.compile(r"[-+]?[$€£]? ?\d[\d.,' ]*(%|[$€£]|[A-Z]{1,3})?")
SYMBOLS = re.compile(r"[{}()\[\];=<>_#\"'+*/\\|&^%$@!~:]")
PROSE_MARKS = re.compile(r"\w['’]\w|\(\w[^()]*\)|\w[!:;]( |$)")


def parts(lines: list[TextLine]) -> Iterator[list[Row]]:
    """The columns of the page, or what stands above, between and below them, each as its rows."""
    lines = sorted(lines, key=lambda line: line.middle)
    while lines:
        start, end, cut = _columns(lines)
        if start:
            yield rows(lines[:start])
        if cut is not None:
            columns = lines[start:end]
            yield from parts([line for line in columns if line.right <= cut])
            yield from parts([line for line in columns if line.right > cut])
        lines = lines[end:]


def _columns(lines: list[TextLine]) -> tuple[int, int, float | None]:
    """The first lines that stand in columns, from one to before another, and where these are parted; or none."""
    for start in range(len(lines) - 2 * FEWEST + 1):
        if (cut := _gutter(lines[start : start + 2 * FEWEST])) is None:
            continue
        end = start + 2 * FEWEST
        while end < len(lines) and (wider := _gutter(lines[start : end + 1])) is not None:
            end, cut = end + 1, wider
        if _are_columns(lines[start:end], cut):
            return start, end, cut
    return len(lines), len(lines), None


def _gutter(lines: list[TextLine]) -> float | None:
    """Where a white stripe parts the lines from top to bottom."""
    least = GUTTER * median(line.height for line in lines)
    reached = min(line.right for line in lines)
    for before, after in pairwise(sorted(lines, key=lambda line: line.left)):
        reached = max(reached, before.right)
        if after.left - reached >= least:
            return (reached + after.left) / 2
    return None


def _are_columns(lines: list[TextLine], cut: float) -> bool:
    sides = [line for line in lines if line.right <= cut], [line for line in lines if line.right > cut]
    return all(len(side) >= FEWEST and median(len(line.text) for line in side) >= COLUMN_TEXT for side in sides)


def rows(lines: list[TextLine]) -> list[Row]:
    """Lines side by side together, from the top down."""
    found: list[Row] = []
    for line in sorted(lines, key=lambda line: line.middle):
        if found and _beside(max(found[-1], key=lambda line: line.height), line):
            found[-1].append(line)
        else:
            found.append([line])
    return [sorted(row, key=lambda line: line.left) for row in found]


def _beside(one: TextLine, other: TextLine) -> bool:
    shared = min(one.bottom, other.bottom) - max(one.top, other.top)
    return shared > 0.5 * min(one.height, other.height)


def pitch(part: list[Row]) -> float:
    """From one row to the next where no gap parts them."""
    middles = [row[0].middle for row in part]
    steps = [after - before for before, after in pairwise(middles)]
    if not steps:
        return part[0][0].height * 1.2
    close = sorted(steps)[len(steps) // 4]
    return median([step for step in steps if step < 1.4 * close] or [close])


def cell_width(part: list[Row]) -> float | None:
    """The width of a character where all are as wide; None where they are not."""
    fits = [_evenness(line) for row in part for line in row if len(line.text) >= TELLING]
    if not fits or median(stray for _, stray in fits) > EVEN:
        return None
    return median(wide for wide, _ in fits)


def _evenness(line: TextLine) -> tuple[float, float]:
    """The width that a character would have if all were as wide, and how far they stray from that, in such widths."""
    at = np.array([at for at, char in enumerate(line.text) if char != " "])
    places = np.array(line.places)[at]
    wide, left = np.polyfit(at, places, 1)
    return float(wide), float(np.std(places - wide * at - left) / max(wide, 1e-3))


def blocks(part: list[Row]) -> list[list[Row]]:
    """The rows between gaps."""
    step, found = pitch(part), [[part[0]]]
    for above, below in pairwise(part):
        if below[0].middle - above[0].middle > BLOCK * step:
            found.append([])
        found[-1].append(below)
    return found


def kind_of(part: list[Row], grid: list[list[str]]) -> str:
    """``code``, ``table``, ``list`` (names with a number each) or ``prose``, by how it stands on the page, with
    ``grid`` the texts of its cells."""
    if _is_table(grid):
        return "list" if _is_list(grid) else "table"
    return "code" if _is_code(part) else "prose"


def _is_code(part: list[Row]) -> bool:
    text = "\n".join(line.text for row in part for line in row)
    symbols = len(SYMBOLS.findall(PROSE_MARKS.sub("", text))) / max(1, len(text))
    wide, left = cell_width(part), min(row[0].left for row in part)
    indents = {round((row[0].left - left) / (wide or row[0].height)) for row in part}
    if wide:
        return symbols > 0.01 or len(indents) > 2
    return symbols > 0.09


def _is_table(grid: list[list[str]]) -> bool:
    """Are most rows of several cells, of few words each?"""
    if len(grid) < 2 or len(grid[0]) < 2:
        return False
    filled = [sum(bool(cell) for cell in row) for row in grid]
    words = median(len(cell.split()) for row in grid for cell in row if cell)
    return sum(count >= 2 for count in filled) >= 0.7 * len(grid) and words <= 4


def _is_list(grid: list[list[str]]) -> bool:
    last = [row[-1] for row in grid if row[-1]]
    return len(grid[0]) == 2 and all(NUMBER.fullmatch(cell) for cell in last)
