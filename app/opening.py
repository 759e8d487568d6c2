"""What is seen of a big file while it is read: the lines around the caret's place, and how far it is."""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QTextCursor
from PySide6.QtWidgets import QFrame, QPlainTextEdit, QProgressBar, QVBoxLayout, QWidget

from palimpsest.app.banner import Banner
from palimpsest.app.editor import Editor
from palimpsest.app.encoding import UnreadableError, decode
from palimpsest.app.page import Page
from palimpsest.engine.language import tr

BIG = 2_000_000  # bytes: what takes longer than a moment to be put into its page
AROUND = 20_000  # bytes before the caret's line, and as many from there
PIECE = 1 << 20  # bytes that are looked through at once
CONTINUING = bytes(range(0x80, 0xC0))  # with these no character of UTF-8 begins
BAR = 3  # pixels


@dataclass
class Coming:
    """A file that is being read and put into its page."""

    name: str
    text: str  # what is shown of it
    above: int  # lines of that before the caret's
    share: float = 0.0  # of the file that is there
    unwanted: bool = False

    def stop(self) -> None:
        """Let the file be."""
        self.unwanted = True


def coming(path: Path, line: int) -> Coming | None:
    """What can be shown of a file at once: the lines around number ``line``, from 1, or around its last. None if it is
    small, or not to be read."""
    try:
        if not path.is_file() or path.stat().st_size < BIG:
            return None
        with path.open("rb") as file:
            begin = _begin(file, line)
            file.seek(max(0, begin - AROUND))
            above, below = file.read(min(begin, AROUND)), file.read(AROUND)
    except OSError:
        return None
    if begin > AROUND:
        above = above[above.find(b"\n") + 1 :].lstrip(CONTINUING)
    below = below[: below.rfind(b"\n") + 1] or _whole(below)
    try:
        return Coming(path.name, decode(above + below).text, above.count(b"\n"))
    except UnreadableError:
        return Coming(path.name, "", 0)  # wide characters, say: they are shown when all is read


def _whole(data: bytes) -> bytes:
    """Without what a cut has left of UTF-8's last character; what is not UTF-8 stays as it is."""
    for cut in range(4):
        kept = data[: len(data) - cut]
        try:
            kept.decode()
        except UnicodeDecodeError:
            continue
        return kept
    return data


def _begin(file: BinaryIO, line: int) -> int:
    """Where a line begins, or the last one if there are fewer."""
    begin, at, missing = 0, 0, line - 1
    while missing > 0 and (piece := file.read(PIECE)):
        ends = piece.count(b"\n")
        if ends >= missing:
            for _ in range(missing):
                begin = piece.index(b"\n", begin - at if begin > at else 0) + 1 + at
            break
        begin = at + piece.rfind(b"\n") + 1 if ends else begin
        at, missing = at + len(piece), missing - ends
    return begin


class Opening(QFrame):
    """Lies over the page in front, which no command reaches meanwhile; Escape lets the file be."""

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
        self.excerpt.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFocusProxy(self.excerpt)
        self.setAutoFillBackground(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for part in (self.banner, self._bar, self.excerpt):
            column.addWidget(part)
        self.hide()

    def tell(self, file: Coming | None, editor: Editor, page: Page) -> None:
        """Show how far the file is and how it will look in ``editor``, over the page in front; nothing where there is
        no file."""
        if file is None:
            self.hide()
        elif file is not self._file:
            self._draw(file, editor, page)
        else:
            self._place(page)
        self._file = file
        self._bar.setValue(int(100 * file.share) if file else 0)

    def _draw(self, file: Coming, editor: Editor, page: Page) -> None:
        self.banner.tell(tr("Opening {name}…", name=file.name), {tr("Stop"): file.stop})
        self._bar.setAccessibleName(self.banner.message)
        self.excerpt.setFont(editor.font())
        self.excerpt.setLineWrapMode(editor.lineWrapMode())
        self.excerpt.setViewportMargins(page.editor.viewportMargins())
        self.excerpt.setPlainText(file.text)
        self._place(page)
        self.show()
        self.raise_()
        self.setFocus()
        cursor = QTextCursor(self.excerpt.document())
        cursor.movePosition(QTextCursor.MoveOperation.NextBlock, n=file.above)
        self.excerpt.setTextCursor(cursor)
        self.excerpt.centerCursor()
        self.repaint()  # not after the first slices of the file

    def _place(self, page: Page) -> None:
        self.setGeometry(page.rect().translated(page.mapTo(self._window, page.rect().topLeft())))

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape and self._file:
            self._file.stop()
        else:
            super().keyPressEvent(event)
