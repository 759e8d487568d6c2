"""More than one caret: what is typed, deleted, moved or pasted happens at each of them, as one undo step."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QMimeData, QRect, Qt
from PySide6.QtGui import (
    QGuiApplication,
    QKeyEvent,
    QKeySequence,
    QPainter,
    QPalette,
    QTextBlock,
    QTextCharFormat,
    QTextCursor,
)
from PySide6.QtGui import QTextDocument as Document

from palimpsest.app.span import plain

if TYPE_CHECKING:
    from palimpsest.app.editor import Editor

Move, Mode = QTextCursor.MoveOperation, QTextCursor.MoveMode
MOST = 10_000  # carets: more would make every key take long


class Carets:
    """The carets beside the one that Qt knows, which is the one added last."""

    def __init__(self, editor: "Editor"):
        self._editor = editor
        self.others: list[QTextCursor] = []

    @property
    def all(self) -> list[QTextCursor]:
        """Every caret, in the order of the text."""
        return sorted([self._editor.textCursor(), *self.others], key=QTextCursor.selectionStart)

    def clear(self) -> None:
        """Leave but one."""
        self.others = []
        self._show()

    def add(self, cursor: QTextCursor) -> None:
        """One more, that is from now on Qt's."""
        self.others.append(self._editor.textCursor())
        self._editor.setTextCursor(cursor)
        self._part()

    def put(self, cursors: list[QTextCursor]) -> None:
        """Let these take the place of all; the last is Qt's."""
        *self.others, last = cursors
        self._editor.setTextCursor(last)
        self._show()

    def add_next(self) -> None:
        """Select the word at the caret; then, each time, the next place where the text says the same."""
        caret = self._editor.textCursor()
        if not caret.hasSelection():
            caret.select(QTextCursor.SelectionType.WordUnderCursor)
            self._editor.setTextCursor(caret)
            return
        document, wanted = self._editor.document(), plain(caret)
        start = QTextCursor(document)
        for begin in (caret.selectionEnd(), 0):
            start.setPosition(begin)
            found = document.find(wanted, start, Document.FindFlag.FindCaseSensitively)
            if not found.isNull():
                if all(found.selectionStart() != other.selectionStart() for other in self.others):
                    self.add(found)
                return

    def add_all(self) -> None:
        """Select all places where the text says what is selected."""
        document, wanted = self._editor.document(), plain(self._editor.textCursor())
        found = document.find(wanted, 0, Document.FindFlag.FindCaseSensitively)
        self.others = []
        while not found.isNull() and len(self.others) < MOST:
            self.others.append(found)
            found = document.find(wanted, found, Document.FindFlag.FindCaseSensitively)
        self._part()

    def add_line(self, down: bool) -> None:
        """One more in the next line, below or above all others, in the same column or at the line's end."""
        outermost, column = self.all[-1 if down else 0], self._editor.textCursor().positionInBlock()
        step = QTextBlock.next if down else QTextBlock.previous
        block = step(outermost.block())
        while block.isValid() and not block.isVisible():
            block = step(block)
        if block.isValid():
            cursor = QTextCursor(block)
            cursor.setPosition(block.position() + min(column, block.length() - 1))
            self.add(cursor)

    def each(self, do: Callable[[], object]) -> None:
        """Let Qt's caret stand at each place in turn for ``do``; one undo step."""
        editor, places = self._editor, [*self.others, self._editor.textCursor()]
        step = QTextCursor(editor.document())
        layout = editor.drafts.layout
        step.beginEditBlock()
        layout.editing = True
        self.others = []
        for cursor in places:
            editor.setTextCursor(cursor)
            do()
            self.others.append(editor.textCursor())
        layout.editing = False
        step.endEditBlock()
        editor.setTextCursor(self.others.pop())
        self._part()

    def press(self, event: QKeyEvent, do: Callable[[], object]) -> bool:
        """Was it a key for several carets? If so it is done, by ``do`` at each of them."""
        keys = QKeySequence.StandardKey
        if not self.others or any(event.matches(key) for key in (keys.Undo, keys.Redo, keys.SelectAll, keys.Paste)):
            return False
        if event.key() == Qt.Key.Key_Escape:
            self.clear()
        elif event.matches(keys.Copy):
            self.copy()
        elif event.matches(keys.Cut):
            self.cut()
        else:
            self.each(do)
        return True

    def copy(self) -> None:
        """Put what is selected on the clipboard, a line each."""
        data = QMimeData()
        data.setText("\n".join(map(plain, self.all)))
        QGuiApplication.clipboard().setMimeData(data)

    def cut(self) -> None:
        """Copy what is selected and take it away."""
        self.copy()
        self.each(lambda: self._editor.textCursor().removeSelectedText())

    def insert(self, text: str) -> None:
        """Put ``text`` in at each of them, or its lines one by one where there are as many."""
        lines = text.split("\n")
        texts = lines if len(lines) == len(self.others) + 1 else [text] * (len(self.others) + 1)
        order = {cursor.selectionStart(): number for number, cursor in enumerate(self.all)}
        turn = iter([texts[order[cursor.selectionStart()]] for cursor in (*self.others, self._editor.textCursor())])
        self.each(lambda: self._editor.textCursor().insertText(next(turn)))

    def paint(self, painter: QPainter) -> None:
        """Draw those that Qt does not."""
        ink, width = self._editor.palette().color(QPalette.ColorRole.Text), self._editor.cursorWidth()
        for cursor in self.others:
            place = self._editor.cursorRect(cursor)
            painter.fillRect(QRect(place.left(), place.top(), width, place.height()), ink)

    def _part(self) -> None:
        """Where carets have met, leave one."""
        seen = {self._editor.textCursor().position()}
        self.others = [one for one in self.others if not (one.position() in seen or seen.add(one.position()))]
        self._show()

    def _show(self) -> None:
        for one in self.others:
            self._editor.folding.reveal(one.block())
        palette, look = self._editor.palette(), QTextCharFormat()
        look.setBackground(palette.color(QPalette.ColorRole.Highlight))
        look.setForeground(palette.color(QPalette.ColorRole.HighlightedText))
        selected = [(one.selectionStart(), one.selectionEnd()) for one in self.others if one.hasSelection()]
        self._editor.mark("carets", selected, look)
        self._editor.viewport().update()
