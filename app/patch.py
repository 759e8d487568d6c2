"""The lines that hold holes, as they would be with the drafts in them: laid out, found by a point, drawn."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Any
from unicodedata import bidirectional

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPalette, QTextBlock, QTextCharFormat, QTextLayout, QTextOption
from PySide6.QtWidgets import QPlainTextEdit

from palimpsest.app.hunks import Range
from palimpsest.app.span import Span
from palimpsest.app.utf16 import cut, units

FAINTEST = 0.30  # ink of a character nothing is known about
SHADES = 8
GROUND, CHANGED = 0.10, 0.26  # how much of the highlight lies behind a draft, and behind what it changes

Run = tuple[str, QTextCharFormat]  # a stretch of text with one look


@dataclass(frozen=True)
class Shown:
    """The draft of one hole: where it stands, its text, for each character how settled it is, from 0 to 1, and the
    characters that differ from what stands there now, and those that are to stay."""

    span: Span
    text: str
    settled: Sequence[float]
    changed: Sequence[Range] = ()
    pinned: Sequence[Range] = ()


class Patch:
    """Consecutive lines of a document with the drafts of the holes that begin in them; places count from their top."""

    def __init__(self, editor: QPlainTextEdit, blocks: list[QTextBlock], holes: list[tuple[int, Shown]]):
        self.blocks, self._holes = blocks, holes
        runs, starts, at = [], [], blocks[0].position()
        for _, shown in holes:
            runs += _static(blocks, at, shown.span.start)
            starts.append(sum(units(text) for text, _ in runs))
            runs += _runs(shown, editor.palette())
            at = shown.span.end
        runs += _static(blocks, at, blocks[-1].position() + blocks[-1].length() - 1)
        self._starts = starts  # of the drafts, in UTF-16 units of the text below
        text = "".join(text for text, _ in runs)
        self.lines = _lay_out(text, runs, editor)
        self._offsets = [0, *accumulate(units(line.text()) + 1 for line in self.lines)]
        self._tops = [0.0, *accumulate(line.boundingRect().height() for line in self.lines)]

    @property
    def height(self) -> float:
        return self._tops[-1]

    @property
    def width(self) -> float:
        rows = ((line, number) for line in self.lines for number in range(line.lineCount()))
        return max(line.lineAt(number).naturalTextWidth() for line, number in rows)

    def draw(self, painter: QPainter, at: QPointF) -> None:
        """Draw the lines from ``at`` on."""
        for line, top in zip(self.lines, self._tops, strict=False):
            line.draw(painter, QPointF(at.x(), at.y() + top))

    def hit(self, point: QPointF) -> tuple[int, int] | None:
        """The hole and the character of its draft at a point; None where there is none."""
        number = bisect_right(self._tops, point.y()) - 1
        if not 0 <= number < len(self.lines):
            return None
        layout, height = self.lines[number], point.y() - self._tops[number]
        for row in map(layout.lineAt, range(layout.lineCount())):
            if row.y() <= height < row.y() + row.height() and row.naturalTextRect().left() <= point.x():
                if point.x() > row.naturalTextRect().right():
                    return None
                column = row.xToCursor(point.x(), row.CursorPosition.CursorOnCharacter)
                return self._hole_at(self._offsets[number] + column)
        return None

    def _hole_at(self, offset: int) -> tuple[int, int] | None:
        for (hole, shown), start in zip(self._holes, self._starts, strict=True):
            if start <= offset < start + units(shown.text):
                return hole, len(cut(shown.text, 0, offset - start))
        return None

    def holds(self, hole: int) -> bool:
        """Is that hole one of these lines'?"""
        return any(number == hole for number, _ in self._holes)

    def place(self, hole: int, index: int) -> QRectF:
        """Where a character of a hole's draft stands, or would."""
        which = next(which for which, (number, _) in enumerate(self._holes) if number == hole)
        return self._rect(self._starts[which] + units(self._holes[which][1].text[:index]))

    def caret(self, position: int) -> QRectF | None:
        """Where the document's caret stands, if not in a hole."""
        moved = position - self.blocks[0].position()
        for (_, shown), start in zip(self._holes, self._starts, strict=True):
            if position <= shown.span.start:
                return self._rect(moved) if position < shown.span.start else None
            if position < shown.span.end:
                return None
            moved = start + units(shown.text) + position - shown.span.end
        return self._rect(moved) if position != self._holes[-1][1].span.end else None

    def _rect(self, offset: int) -> QRectF:
        number = min(bisect_right(self._offsets, offset) - 1, len(self.lines) - 1)
        layout, column = self.lines[number], offset - self._offsets[number]
        row = layout.lineForTextPosition(column)
        if not row.isValid():
            row = layout.lineAt(layout.lineCount() - 1)
        across: Any = row.cursorToX(column)  # with the column, in some versions of PySide
        return QRectF(across[0] if isinstance(across, tuple) else across, self._tops[number] + row.y(), 1, row.height())


def _runs(shown: Shown, palette: QPalette) -> Iterator[Run]:
    """The draft in runs of one look."""
    looks = [[min(SHADES, int(sure * SHADES + 0.5)), False, False] for sure in shown.settled]
    for kind, ranges in ((1, shown.changed), (2, shown.pinned)):
        for start, end in ranges:
            for look in looks[start:end]:
                look[kind] = True
    at = 0
    for (shade, changed, pinned), group in groupby(looks):
        length = len(list(group))
        yield shown.text[at : at + length], _ink(palette, shade / SHADES, changed, pinned)
        at += length


def _ink(palette: QPalette, settled: float, changed: bool, pinned: bool) -> QTextCharFormat:
    ink, ground = QColor(palette.color(QPalette.ColorRole.Text)), QColor(palette.color(QPalette.ColorRole.Highlight))
    ink.setAlphaF(FAINTEST + (1 - FAINTEST) * settled)
    ground.setAlphaF(CHANGED if changed else GROUND)
    form = QTextCharFormat()
    form.setForeground(ink)
    form.setBackground(ground)
    form.setFontUnderline(pinned)
    return form


def _static(blocks: list[QTextBlock], start: int, end: int) -> list[Run]:
    """The text between two positions with the colours that it was given."""
    runs = []
    for block in blocks:
        left, right = max(start - block.position(), 0), min(end - block.position(), block.length() - 1)
        if left <= right and start <= block.position() + block.length() - 1:
            runs += _coloured(block, left, right)
            if block.position() + block.length() <= end:
                runs.append(("\n", QTextCharFormat()))
    return runs


def _coloured(block: QTextBlock, start: int, end: int) -> list[Run]:
    text, runs, at = block.text(), [], start
    # Each format is copied: what ``look.format`` gives points into ``look`` and does not keep it alive.
    for look in sorted(block.layout().formats(), key=lambda look: look.start):
        left, right = max(look.start, at), min(look.start + look.length, end)
        if left < right:
            runs += [(cut(text, at, left), QTextCharFormat()), (cut(text, left, right), QTextCharFormat(look.format))]
            at = right
    return [*runs, (cut(text, at, end), QTextCharFormat())]


def _lay_out(text: str, runs: list[Run], editor: QPlainTextEdit) -> list[QTextLayout]:
    """One text layout per line, wrapped as the editor wraps."""
    option = QTextOption(editor.document().defaultTextOption())
    margin = editor.document().documentMargin()
    wraps = editor.lineWrapMode() == QPlainTextEdit.LineWrapMode.WidgetWidth
    option.setWrapMode(editor.wordWrapMode() if wraps else QTextOption.WrapMode.NoWrap)
    width = editor.viewport().width() - 2 * margin if wraps else float(2**20)
    layouts, formats = [], _formats_by_line(runs)
    for line, looks in zip(text.split("\n"), formats, strict=True):
        layout = QTextLayout(line, editor.font(), editor.viewport())
        # As the draft layout does with lines of the document: Qt itself would let all begin at the left.
        from_right = wraps and _from_right(line)
        option.setAlignment(Qt.AlignmentFlag.AlignRight if from_right else Qt.AlignmentFlag.AlignLeft)
        layout.setTextOption(option)
        layout.setFormats(looks)
        layout.beginLayout()
        height = 0.0
        while (row := layout.createLine()).isValid():
            row.setLineWidth(width)
            row.setPosition(QPointF(margin, height))
            height += row.height()
        layout.endLayout()
        layouts.append(layout)
    return layouts


def _from_right(line: str) -> bool:
    """Is the line read from the right? As its first letter is."""
    first = next((kind for kind in map(bidirectional, line) if kind in ("L", "R", "AL")), "L")
    return first != "L"


def _formats_by_line(runs: list[Run]) -> list[list[QTextLayout.FormatRange]]:
    lines: list[list[QTextLayout.FormatRange]] = [[]]
    at = 0
    for text, form in runs:
        for number, part in enumerate(text.split("\n")):
            if number:
                lines.append([])
                at = 0
            if part:
                look = QTextLayout.FormatRange()
                look.start, look.length, look.format = at, units(part), form
                lines[-1].append(look)
                at += look.length
    return lines
