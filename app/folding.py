"""Folding by indentation: the lines that stand deeper than the one above them are hidden, and shown again when the
caret or a change comes to them. What is folded is told by the blocks' own visibility, and by nothing else."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRect
from PySide6.QtGui import QPainter, QPalette, QTextBlock

if TYPE_CHECKING:
    from palimpsest.app.editor import Editor

TAB = 4  # columns


class Folding:
    """Folds the lines of one editor."""

    def __init__(self, editor: "Editor"):
        self._editor = editor
        self._revision = self._lines = 0
        editor.cursorPositionChanged.connect(lambda: self.reveal(editor.textCursor().block()))

    def watch(self) -> None:
        """The editor shows a fresh document, with nothing folded."""
        document = self._editor.document()
        self._revision, self._lines = document.revision(), document.blockCount()
        document.contentsChange.connect(self._changed)

    def folds(self, block: QTextBlock) -> bool:
        """Are there deeper lines right below?"""
        level, below = _level(block), block.next()
        while below.isValid() and _level(below) is None:
            below = below.next()
        return level is not None and below.isValid() and (_level(below) or 0) > level

    def folded(self, block: QTextBlock) -> bool:
        """Are the lines right below hidden?"""
        return block.next().isValid() and not block.next().isVisible()

    def fold(self, block: QTextBlock) -> None:
        """Hide the lines below that are deeper, with the carets in them; not those in which a draft is shown."""
        if self._hide(block):
            self._shown_anew()

    def fold_here(self) -> None:
        """Fold what begins in the caret's line, or else what it is in."""
        block = self._editor.textCursor().block()
        if self.folded(block) or not self.folds(block):
            block = _above(block)
        self.fold(block)

    def fold_all(self) -> None:
        """Fold all that is not in something else."""
        block, hidden = self._editor.document().firstBlock(), False
        while block.isValid():
            last = _region(block)
            hidden |= bool(last) and self._hide(block, last)
            block = (last or block).next()
        if hidden:
            self._shown_anew()

    def unfold(self, block: QTextBlock) -> None:
        """Show the hidden lines below."""
        block, hidden = block.next(), False
        while block.isValid() and not block.isVisible():
            _set(block, True)
            block, hidden = block.next(), True
        if hidden:
            self._shown_anew()

    def unfold_here(self) -> None:
        """Unfold what begins in the caret's line."""
        self.unfold(self._editor.textCursor().block())

    def unfold_all(self) -> None:
        """Show all lines."""
        document, hidden = self._editor.document(), False
        block = document.firstBlock()
        while block.isValid():
            hidden |= not block.isVisible()
            _set(block, True)
            block = block.next()
        if hidden:
            self._shown_anew()

    def toggle(self, block: QTextBlock) -> None:
        """Fold or unfold what begins in the line."""
        if self.folded(block):
            self.unfold(block)
        else:
            self.fold(block)

    def reveal(self, block: QTextBlock) -> None:
        """Show the line, and those that are hidden with it."""
        if block.isVisible():
            return
        while block.isValid() and not block.isVisible():
            block = block.previous()
        self.unfold(block)

    def after(self, block: QTextBlock) -> QTextBlock:
        """The next line that is shown."""
        block = block.next()
        if block.isValid() and not block.isVisible():  # hidden ones count no lines
            return self._editor.document().findBlockByLineNumber(block.firstLineNumber())
        return block

    def paint(self, painter: QPainter, within: QRect) -> None:
        """Tell at the end of a line that something is hidden below, in that part of the viewport."""
        editor = self._editor
        metrics = editor.fontMetrics()
        painter.setPen(editor.palette().color(QPalette.ColorRole.PlaceholderText))
        painter.setFont(editor.font())
        for block, top in editor.visible(within):
            if self.folded(block) and (row := block.layout().lineAt(block.layout().lineCount() - 1)).isValid():
                across = editor.contentOffset().x() + row.naturalTextRect().right() + metrics.averageCharWidth()
                painter.drawText(QPointF(across, top + row.y() + metrics.ascent()), "⋯")

    def _hide(self, block: QTextBlock, last: QTextBlock | None = None) -> bool:
        last = last or _region(block)
        if not last or self._drafted(block.next(), last):
            return False
        self._leave(block, last)
        one = block
        while one != last:
            one = one.next()
            _set(one, False)
        return True

    def _drafted(self, first: QTextBlock, last: QTextBlock) -> bool:
        start, end = first.position(), last.position() + last.length()
        return any(span.start < end and span.end >= start for span in self._editor.drafts.spans)

    def _leave(self, block: QTextBlock, last: QTextBlock) -> None:
        """Take the carets out of the lines below ``block`` to ``last``."""
        editor, inside = self._editor, range(block.blockNumber() + 1, last.blockNumber() + 1)
        editor.carets.others = [one for one in editor.carets.others if one.blockNumber() not in inside]
        caret = editor.textCursor()
        if caret.blockNumber() in inside:
            caret.setPosition(block.position() + block.length() - 1)
            editor.setTextCursor(caret)

    def _shown_anew(self) -> None:
        self._editor.drafts.laid_out_anew()

    def _changed(self, position: int, _removed: int, added: int) -> None:
        """What was changed is shown; and what was folded at its edge, where lines came or went."""
        document = self._editor.document()
        if document.revision() == self._revision:
            return  # only colours changed
        lines, self._lines, self._revision = self._lines, document.blockCount(), document.revision()
        block, end = document.findBlock(position), position + added
        while block.isValid() and block.position() <= end:
            self.reveal(block)
            if self._lines != lines:
                self.unfold(block)
            block = block.next()


def _set(block: QTextBlock, shown: bool) -> None:
    if block.isVisible() != shown:
        block.setVisible(shown)
        block.setLineCount(max(1, block.layout().lineCount()) if shown else 0)


def _level(block: QTextBlock) -> int | None:
    """The column in which the line's text begins; None where there is none."""
    text = block.text()
    inner = text.lstrip()
    return len(text[: len(text) - len(inner)].expandtabs(TAB)) if inner else None


def _region(block: QTextBlock) -> QTextBlock | None:
    """The last of the deeper lines right below, without blank ones at the end; None where there are none."""
    level, last = _level(block), None
    if level is None:
        return None
    block = block.next()
    while block.isValid() and ((inner := _level(block)) is None or inner > level):
        if inner is not None:
            last = block
        block = block.next()
    return last


def _above(block: QTextBlock) -> QTextBlock:
    """The nearest line above that is less deep."""
    level = _level(block)
    while block.isValid():
        block = block.previous()
        inner = _level(block)
        if inner is not None and (level is None or inner < level):
            break
    return block
