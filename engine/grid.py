"""The cells of a table, from where they stand."""

from palimpsest.engine.layout import Row
from palimpsest.engine.textlines import Marked, TextLine, joined

WIDE = 1.1  # heights of a line between cells at least, inside a line
APART = 0.45  # between pieces that were seen apart
BETWEEN = 0.25  # between columns


Piece = tuple[float, float, Marked]  # left, right and text


def grid(part: list[Row]) -> list[list[Marked]]:
    """The rows of cells, as many in each; one column when nothing stands side by side."""
    pieces = [_pieces(row) for row in part]
    columns = _columns([row for row in pieces if len(row) > 1] or pieces, part[0][0].height * BETWEEN)
    found = []
    for row in pieces:
        cells: list[list[Marked]] = [[] for _ in columns]
        for left, right, text in row:
            cells[max(range(len(columns)), key=lambda at: _shared((left, right), columns[at]))].append(text)
        found.append([joined(cell, " ") for cell in cells])
    return found


def _pieces(row: Row) -> list[Piece]:
    """The texts of a row that stand apart from each other."""
    found: list[Piece] = []
    for line in row:
        for left, right, text in _split(line):
            if found and left - found[-1][1] < APART * line.height:
                before = found.pop()
                left, text = before[0], before[2] + " " + text
            found.append((left, right, text))
    return found


def _split(line: TextLine) -> list[Piece]:
    wide = line.width / len(line.text)
    marked = Marked(line.text, line.sure)
    pieces, start, left = [], 0, line.left
    for at, char in enumerate(line.text):
        inside = 0 < at < len(line.text) - 1
        if char == " " and inside and line.places[at + 1] - line.places[at - 1] > WIDE * line.height + wide:
            pieces.append((left, line.places[at - 1] + wide / 2, marked[start:at].stripped()))
            start, left = at + 1, line.places[at + 1] - wide / 2
    return [*pieces, (left, line.right, marked[start:].stripped())]


def _columns(rows: list[list[Piece]], between: float) -> list[tuple[float, float]]:
    """From where to where the columns reach."""
    columns: list[tuple[float, float]] = []
    for left, right, _ in sorted((piece for row in rows for piece in row), key=lambda piece: piece[0]):
        if columns and left - columns[-1][1] < between:
            columns[-1] = columns[-1][0], max(right, columns[-1][1])
        else:
            columns.append((left, right))
    return columns


def _shared(one: tuple[float, float], other: tuple[float, float]) -> float:
    return min(one[1], other[1]) - max(one[0], other[0])
