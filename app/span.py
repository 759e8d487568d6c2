"""A live stretch of a document that follows edits around it."""

from PySide6.QtGui import QTextCursor, QTextDocument


class Span:
    """The text between two positions (UTF-16 units). What is typed at either end belongs to the span."""

    def __init__(self, document: QTextDocument, start: int, end: int):
        self._start, self._end = QTextCursor(document), QTextCursor(document)
        self._start.setPosition(start)
        self._start.setKeepPositionOnInsert(True)
        self._end.setPosition(end)

    @property
    def start(self) -> int:
        return self._start.position()

    @property
    def end(self) -> int:
        return self._end.position()

    def of(self, document: QTextDocument) -> bool:
        """Is it a stretch of that document?"""
        return self._start.document() is document

    def cursor(self) -> QTextCursor:
        """A cursor that selects the span."""
        cursor = QTextCursor(self._start)
        cursor.setKeepPositionOnInsert(False)
        cursor.setPosition(self.start)
        cursor.setPosition(self.end, QTextCursor.MoveMode.KeepAnchor)
        return cursor

    def text(self) -> str:
        """The text of the span, with ``\\n`` between lines."""
        return plain(self.cursor())


def plain(cursor: QTextCursor) -> str:
    """The selected text with ``\\n`` between lines; unlike ``toPlainText`` it keeps no-break spaces."""
    return cursor.selectedText().replace("\u2029", "\n")


def stretch(document: QTextDocument, start: int, end: int) -> str:
    """The text of ``document`` between two positions."""
    cursor = QTextCursor(document)
    cursor.setPosition(start)
    cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
    return plain(cursor)
