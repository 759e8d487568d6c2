"""The margin with the line numbers, and the marks of what can be folded."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, QPoint, QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QEnterEvent, QMouseEvent, QPainter, QPaintEvent, QPalette, QTextCursor
from PySide6.QtWidgets import QWidget

if TYPE_CHECKING:
    from palimpsest.app.editor import Editor

BAR = 3  # pixels: the width of what marks a line that a draft changes
PADDING = 8  # pixels on either side
FOLDS = 14  # pixels in which the marks of folds stand, right of the numbers
FAINT = 0.62  # ink of all numbers but the caret's: contrast still 4.5:1 on light and dark


class Margin(QWidget):
    """Stands left of an editor's text; a click selects the line, dragging several. A click at its right edge folds."""

    def __init__(self, editor: "Editor"):
        super().__init__(editor)
        self._editor = editor
        editor.blockCountChanged.connect(lambda _count: self.fit())
        editor.updateRequest.connect(self._follow)
        editor.cursorPositionChanged.connect(self._mark_caret)
        self._line = 0  # the caret's
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setMouseTracking(True)

    def sizeHint(self) -> QSize:
        digits = max(3, len(str(self._editor.blockCount())))
        return QSize(PADDING + FOLDS + digits * self._editor.fontMetrics().horizontalAdvance("9"), 0)

    def fit(self) -> None:
        """Take the room that the numbers need."""
        width = 0 if self.isHidden() else self.sizeHint().width()
        if width != self._editor.viewportMargins().left():  # Qt lays its scroll bars out anew, and so comes here again
            self._editor.setViewportMargins(width, 0, 0, 0)
        inside = self._editor.contentsRect()
        self.setGeometry(QRect(inside.left(), inside.top(), width, inside.height()))

    def _mark_caret(self) -> None:
        line = self._editor.textCursor().blockNumber()
        if line != self._line:
            self._line = line
            self.update()

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
        for block, top in editor.visible(event.rect()):
            painter.setPen(ink if block == caret else faint)
            place = QRectF(0, top, self.width() - FOLDS, height)
            painter.drawText(place, Qt.AlignmentFlag.AlignRight, str(block.blockNumber() + 1))
            if editor.folding.folded(block):
                self._mark(painter, top + height / 2, folded=True)
            elif self.underMouse() and editor.folding.folds(block):
                self._mark(painter, top + height / 2, folded=False)
        for where, _, _ in editor.drafts.changes():
            painter.fillRect(QRectF(0, where.top(), BAR, where.height()), palette.color(QPalette.ColorRole.Highlight))
        painter.end()

    def _mark(self, painter: QPainter, middle: float, folded: bool) -> None:
        """An angle that points to where the lines are: to the right while they are hidden."""
        across, arm = self.width() - FOLDS / 2, FOLDS / 5
        ends = [QPointF(-arm, -arm / 2), QPointF(0, arm / 2), QPointF(arm, -arm / 2)]
        if folded:
            ends = [QPointF(end.y(), end.x()) for end in ends]
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.drawPolyline([end + QPointF(across, middle) for end in ends])

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        self.update()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        line = self._editor.cursorForPosition(QPoint(0, event.position().toPoint().y())).block()
        folding = self._editor.folding
        if event.position().x() >= self.width() - FOLDS and (folding.folded(line) or folding.folds(line)):
            folding.toggle(line)
        else:
            self._select(event, QTextCursor.MoveMode.MoveAnchor)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() and event.position().x() < self.width() - FOLDS:
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
