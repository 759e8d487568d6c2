"""The margin with the line numbers."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPalette, QTextCursor
from PySide6.QtWidgets import QWidget

if TYPE_CHECKING:
    from palimpsest.app.editor import Editor

BAR = 3  # pixels: the width of what marks a line that a draft changes
PADDING = 8  # pixels on either side
FAINT = 0.62  # ink of all numbers but the caret's: contrast still 4.5:1 on light and dark


class Margin(QWidget):
    """Stands left of an editor's text; a click selects the line, dragging several."""

    def __init__(self, editor: "Editor"):
        super().__init__(editor)
        self._editor = editor
        editor.blockCountChanged.connect(lambda _count: self.fit())
        editor.updateRequest.connect(self._follow)
        editor.cursorPositionChanged.connect(self.update)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def sizeHint(self) -> QSize:
        digits = max(3, len(str(self._editor.blockCount())))
        return QSize(2 * PADDING + digits * self._editor.fontMetrics().horizontalAdvance("9"), 0)

    def fit(self) -> None:
        """Take the room that the numbers need."""
        width = 0 if self.isHidden() else self.sizeHint().width()
        self._editor.setViewportMargins(width, 0, 0, 0)
        inside = self._editor.contentsRect()
        self.setGeometry(QRect(inside.left(), inside.top(), width, inside.height()))

    def _follow(self, rect: QRect, dy: int) -> None:
        if dy:
            self.scroll(0, dy)
        else:
            self.update(0, rect.y(), self.width(), rect.height())

    def paintEvent(self, event: QPaintEvent) -> None:
        editor, painter = self._editor, QPainter(self)
        palette = editor.palette()
        painter.fillRect(event.rect(), palette.color(QPalette.ColorRole.Base))
        painter.setFont(editor.font())
        ink = palette.color(QPalette.ColorRole.Text)
        faint = QColor(ink)
        faint.setAlphaF(FAINT)
        caret, height = editor.textCursor().block(), editor.fontMetrics().height()
        for block, top in editor.visible():
            if top <= event.rect().bottom() and top + height >= event.rect().top():
                painter.setPen(ink if block == caret else faint)
                place = QRectF(0, top, self.width() - PADDING, height)
                painter.drawText(place, Qt.AlignmentFlag.AlignRight, str(block.blockNumber() + 1))
        for where, _, _ in editor.drafts.changes():
            painter.fillRect(QRectF(0, where.top(), BAR, where.height()), palette.color(QPalette.ColorRole.Highlight))
        painter.end()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._select(event, QTextCursor.MoveMode.MoveAnchor)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._select(event, QTextCursor.MoveMode.KeepAnchor)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def _select(self, event: QMouseEvent, mode: QTextCursor.MoveMode) -> None:
        place = event.position().toPoint()
        place.setX(0)
        there, caret = self._editor.cursorForPosition(place), self._editor.textCursor()
        caret.setPosition(there.block().position(), mode)
        down = caret.position() >= caret.anchor()
        if down and not caret.movePosition(QTextCursor.MoveOperation.NextBlock, QTextCursor.MoveMode.KeepAnchor):
            caret.movePosition(QTextCursor.MoveOperation.EndOfBlock, QTextCursor.MoveMode.KeepAnchor)
        self._editor.setTextCursor(caret)
