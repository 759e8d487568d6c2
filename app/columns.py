"""Column selection: a rectangle of the text, as one selection a line."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QKeyEvent, QTextBlock, QTextCursor

if TYPE_CHECKING:
    from palimpsest.app.editor import Editor

Cell = tuple[int, int]  # a line's number and a column, which may lie behind the line's end
KEYS = Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.ShiftModifier
STEPS = {
    Qt.Key.Key_Up: (-1, 0),
    Qt.Key.Key_Down: (1, 0),
    Qt.Key.Key_Left: (0, -1),
    Qt.Key.Key_Right: (0, 1),
}


class Columns:
    """Selects rectangles of one editor, by its carets."""

    def __init__(self, editor: "Editor"):
        self._editor = editor
        self._anchor: Cell = (0, 0)
        self._corner: Cell = (0, 0)
        self._made: list[tuple[int, int]] = []

    def begin(self, point: QPoint) -> None:
        """A rectangle begins at a point of the viewport."""
        self._select(cell := self._cell(point), cell)

    def reach(self, point: QPoint) -> None:
        """It reaches to this point."""
        self._select(self._anchor, self._cell(point))

    def press(self, event: QKeyEvent) -> bool:
        """Was it a key that makes the rectangle bigger or smaller? If so, it is done."""
        step = STEPS.get(Qt.Key(event.key()))
        modifiers = event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier  # which some arrows bring along
        if not step or modifiers != KEYS:
            return False
        if self._made != self._places():
            caret = self._editor.textCursor()
            document = self._editor.document()
            self._anchor, self._corner = (
                (block.blockNumber(), at - block.position())
                for at in (caret.anchor(), caret.position())
                for block in [document.findBlock(at)]
            )
        line = min(max(0, self._corner[0] + step[0]), self._editor.blockCount() - 1)
        self._select(self._anchor, (line, max(0, self._corner[1] + step[1])))
        return True

    def _select(self, anchor: Cell, corner: Cell) -> None:
        self._anchor, self._corner = anchor, corner
        step = 1 if anchor[0] <= corner[0] else -1
        cursors = [self._row(line) for line in range(anchor[0], corner[0] + step, step)]
        self._editor.carets.put([one for one in cursors if one])
        self._made = self._places()

    def _row(self, line: int) -> QTextCursor | None:
        """What is selected of a line; nothing of a hidden one."""
        block = self._editor.document().findBlockByNumber(line)
        if not block.isVisible():
            return None
        cursor = QTextCursor(block)
        cursor.setPosition(_place(block, self._anchor[1]))
        cursor.setPosition(_place(block, self._corner[1]), QTextCursor.MoveMode.KeepAnchor)
        return cursor

    def _cell(self, point: QPoint) -> Cell:
        cursor = self._editor.cursorForPosition(point)
        behind = 0
        if cursor.atBlockEnd():
            width = self._editor.fontMetrics().horizontalAdvance(" ")
            behind = max(0, round((point.x() - self._editor.cursorRect(cursor).left()) / width))
        return cursor.blockNumber(), cursor.positionInBlock() + behind

    def _places(self) -> list[tuple[int, int]]:
        return [(caret.anchor(), caret.position()) for caret in self._editor.carets.all]


def _place(block: QTextBlock, column: int) -> int:
    """The position of a column, or of the line's end before it; never between the halves of a character."""
    at = block.position() + min(column, block.length() - 1)
    document = block.document()
    return at - 1 if "\udc00" <= document.characterAt(at) <= "\udfff" else at
