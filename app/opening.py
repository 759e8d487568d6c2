"""What is seen of a big file while it is put into its page: the lines around the caret's place, and how far it is."""

from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QTextCursor
from PySide6.QtWidgets import QFrame, QPlainTextEdit, QProgressBar, QVBoxLayout, QWidget

from palimpsest.app.banner import Banner
from palimpsest.app.page import Page

LINES = 100  # above the caret's, and as many from there
MOST = 20_000  # characters of them
BAR = 3  # pixels


@dataclass
class Coming:
    """A file that is being put into its page."""

    name: str
    above: str  # the lines before the caret's, as far as they are shown
    below: str
    share: float = 0.0  # of the file that is there
    unwanted: bool = False

    def stop(self) -> None:
        """Let the file be."""
        self.unwanted = True


def coming(name: str, text: str, line: int) -> Coming:
    """What can be shown of a text at once: the lines around number ``line``, from 1, or around its last."""
    at = 0
    for _ in range(line - 1):
        following = text.find("\n", at) + 1
        if not following:
            break
        at = following
    above = text[max(0, at - MOST) : at].splitlines(keepends=True)[-LINES:]
    below = text[at : at + MOST].splitlines(keepends=True)[:LINES]
    return Coming(name, "".join(above), "".join(below))


class Opening(QFrame):
    """Lies over the page in front, whose text cannot be changed meanwhile; Escape lets the file be."""

    def __init__(self, parent: QWidget):
        super().__init__(parent)
        self._window = parent
        self._file: Coming | None = None
        self.banner, self._bar, self.excerpt = Banner(), QProgressBar(), QPlainTextEdit()
        self._bar.setTextVisible(False)
        self._bar.setFixedHeight(BAR)
        self.excerpt.setReadOnly(True)
        self.excerpt.setFrameShape(QFrame.Shape.NoFrame)
        self.excerpt.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.excerpt.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.setFocusProxy(self.excerpt)
        self.setAutoFillBackground(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for part in (self.banner, self._bar, self.excerpt):
            column.addWidget(part)
        self.hide()

    def tell(self, file: Coming | None, page: Page) -> None:
        """Show how far the file is, over the page in front; nothing where there is none."""
        if file is None:
            self.hide()
        elif file is not self._file:
            self._draw(file, page)
        self._file = file
        self._bar.setValue(int(100 * file.share) if file else 0)

    def _draw(self, file: Coming, page: Page) -> None:
        editor = page.editor
        self.banner.tell(f"Opening {file.name}…", {"Stop": file.stop})
        self._bar.setAccessibleName(self.banner.message)
        self.excerpt.setFont(editor.font())
        self.excerpt.setViewportMargins(editor.viewportMargins())
        self.excerpt.setPlainText(file.above + file.below)
        self.setGeometry(page.rect().translated(page.mapTo(self._window, page.rect().topLeft())))
        self.show()
        self.raise_()
        self.setFocus()
        cursor = QTextCursor(self.excerpt.document())
        cursor.movePosition(QTextCursor.MoveOperation.NextBlock, n=file.above.count("\n"))
        self.excerpt.setTextCursor(cursor)
        self.excerpt.centerCursor()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self._file:
            self._file.stop()
        else:
            super().keyPressEvent(event)
