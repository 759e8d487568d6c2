"""The draft layer: shows a draft where it will stand, without touching the document.

The lines that hold the hole are painted over by the lines as they would be, and the layout makes room for those that
are more, so following lines move down. Undo, search, saving and everything else that reads the document know nothing
of it.
"""

from collections.abc import Callable, Sequence
from itertools import groupby

from PySide6.QtCore import QPointF, QRectF, QSizeF
from PySide6.QtGui import (
    QColor,
    QPainter,
    QPalette,
    QTextBlock,
    QTextCharFormat,
    QTextDocument,
    QTextLayout,
    QTextOption,
)
from PySide6.QtWidgets import QPlainTextDocumentLayout, QPlainTextEdit

from palimpsest.app.span import Span
from palimpsest.app.utf16 import cut, units

FAINTEST = 0.30  # ink of a character nothing is known about
SHADES = 8


class DraftLayout(QPlainTextDocumentLayout):
    """A plain-text layout in which one block may be taller than its text."""

    def __init__(self, document: QTextDocument):
        super().__init__(document)
        self.room: Callable[[QTextBlock], float] = lambda _block: 0.0
        self.least_width = 0.0

    def documentSize(self) -> QSizeF:
        size = super().documentSize()
        return QSizeF(max(size.width(), self.least_width), size.height())

    def blockBoundingRect(self, block: QTextBlock) -> QRectF:
        rect = super().blockBoundingRect(block)
        rect.setHeight(rect.height() + self.room(block))
        return rect

    def own_height(self, block: QTextBlock) -> float:
        """The height of the block's text alone."""
        return super().blockBoundingRect(block).height()

    def changed(self) -> None:
        """Tell the view that heights are different now."""
        self.documentSizeChanged.emit(self.documentSize())
        self.update.emit()


class DraftLayer:
    """Paints one draft into an editor whose document has a DraftLayout."""

    def __init__(self, editor: QPlainTextEdit, layout: DraftLayout):
        self._editor, self._layout = editor, layout
        layout.room = self._room
        self._span: Span | None = None
        self._text, self._settled = "", ()
        self._lines: list[QTextLayout] = []
        self._more = 0.0

    @property
    def shown(self) -> str | None:
        """The draft on screen, or None."""
        return self._text if self._span else None

    @property
    def span(self) -> Span | None:
        """Where a draft is shown, if one is."""
        return self._span

    def laid_out_anew(self) -> None:
        """Other lines than before are hidden."""
        self.refresh()
        self._layout.changed()

    def show(self, span: Span, text: str, settled: Sequence[float]) -> None:
        """Show ``text`` in place of the span, each character with as much ink as it is settled (0 to 1)."""
        self._span, self._text, self._settled = span, text, tuple(settled)
        self.refresh()

    def clear(self) -> None:
        """Show the document as it is."""
        self._span, self._lines, self._more = None, [], 0.0
        self._layout.least_width = 0.0
        self._layout.changed()

    def refresh(self) -> None:
        """Lay the draft out again, after a change of the text around it or of the editor's width."""
        if not self._span:
            return
        self._lines = self._compose(self._span)
        blocks = self._blocks(self._span)
        margin = self._editor.document().documentMargin()
        self._layout.least_width = max(map(_width, self._lines)) + 2 * margin
        self._more = max(0.0, self._height() - sum(map(self._layout.own_height, blocks)))
        self._layout.changed()

    def paint(self, painter: QPainter) -> None:
        """Paint over the hole's lines; called after the editor has painted its own."""
        if not self._span:
            return
        blocks, view = self._blocks(self._span), self._editor.viewport().rect()
        geometry = self._editor.blockBoundingGeometry
        offset = self._editor.contentOffset()
        top = self._top(blocks[0])
        bottom = geometry(blocks[-1]).translated(offset).bottom()
        palette = self._editor.palette()
        painter.fillRect(QRectF(view.left(), top, view.width(), bottom - top), palette.color(QPalette.ColorRole.Base))
        painter.setPen(palette.color(QPalette.ColorRole.Text))
        at = QPointF(offset.x(), top)
        for line in self._lines:
            line.draw(painter, at)
            at.setY(at.y() + line.boundingRect().height())

    def _top(self, block: QTextBlock) -> float:
        """Where the block begins on screen; far above it, Qt's own geometry gives up."""
        visible = self._editor.firstVisibleBlock()
        if visible.blockNumber() < block.blockNumber():
            visible = block
        top = self._editor.blockBoundingGeometry(visible).translated(self._editor.contentOffset()).top()
        while visible != block:
            visible = visible.previous()
            top -= self._layout.blockBoundingRect(visible).height()
        return top

    def _room(self, block: QTextBlock) -> float:
        if not self._span or not self._more:
            return 0.0
        return self._more if block == self._editor.document().findBlock(self._span.end) else 0.0

    def _blocks(self, span: Span) -> list[QTextBlock]:
        document = self._editor.document()
        block, last = document.findBlock(span.start), document.findBlock(span.end)
        blocks = [block]
        while block != last:
            block = block.next()
            blocks.append(block)
        return blocks

    def _height(self) -> float:
        return sum(line.boundingRect().height() for line in self._lines)

    def _compose(self, span: Span) -> list[QTextLayout]:
        """The hole's lines as they would be with the draft in them."""
        blocks = self._blocks(span)
        first, last = blocks[0], blocks[-1]
        head = span.start - first.position()
        tail = span.end - last.position()
        before, after = cut(first.text(), 0, head), cut(last.text(), tail, None)
        draft = _runs(self._text, self._settled, self._editor.palette())
        runs = [*_static(first, 0, head), *draft, *_static(last, tail, units(last.text()))]
        return _lay_out(before + self._text + after, runs, self._editor)


# A run is a stretch of text with one look: its text and format.
Run = tuple[str, QTextCharFormat]


def _runs(text: str, settled: Sequence[float], palette: QPalette) -> list[Run]:
    """The draft in runs of about equal settledness."""
    shades = [min(SHADES, int(sure * SHADES + 0.5)) for sure in settled]
    runs, at = [], 0
    for shade, group in groupby(shades):
        length = len(list(group))
        runs.append((text[at : at + length], _ink(palette, shade / SHADES)))
        at += length
    return runs


def _ink(palette: QPalette, settled: float) -> QTextCharFormat:
    ink = QColor(palette.color(QPalette.ColorRole.Text))
    ink.setAlphaF(FAINTEST + (1 - FAINTEST) * settled)
    ground = QColor(palette.color(QPalette.ColorRole.Highlight))
    ground.setAlphaF(0.12)
    form = QTextCharFormat()
    form.setForeground(ink)
    form.setBackground(ground)
    return form


def _static(block: QTextBlock, start: int, end: int) -> list[Run]:
    """The block's text between two positions with the colours the highlighter gave it."""
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


def _width(layout: QTextLayout) -> float:
    return max(layout.lineAt(number).naturalTextWidth() for number in range(layout.lineCount()))


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
