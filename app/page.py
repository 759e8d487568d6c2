"""One open file in the window: its editor, its name and state, and what is asked when it changed on the disk."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from PySide6.QtCore import QEvent, Signal
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QVBoxLayout, QWidget

from palimpsest.app import document
from palimpsest.app.banner import Banner
from palimpsest.app.differences import edits, unified
from palimpsest.app.editor import Editor
from palimpsest.app.encoding import Text
from palimpsest.app.highlight import Highlighter
from palimpsest.app.misspellings import Misspellings
from palimpsest.app.recovery import Journal, Recovery, Rescued
from palimpsest.app.resume import Place
from palimpsest.app.session import FillSession, Verdict
from palimpsest.app.span import Span
from palimpsest.app.spelling import Speller
from palimpsest.app.theme import code_style
from palimpsest.app.utf16 import units
from palimpsest.engine.language import tr


class Page(QWidget):
    """Shows a file, or an untitled text, to edit."""

    changed = Signal()  # its title, or whether it is modified
    closed = Signal()

    def __init__(self, recovery: Recovery, speller: Speller, parent: QWidget | None = None):
        super().__init__(parent)
        self._recovery = recovery
        self.path: Path | None = None
        self.file = Text("")
        self.session: FillSession | None = None
        self.editor, self.banner = Editor(), Banner(self)
        self.misspellings = Misspellings(self.editor, speller)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.banner)
        column.addWidget(self.editor)
        self.setFocusProxy(self.editor)
        self.show_text(Text(""), None)

    @property
    def title(self) -> str:
        return self.path.name if self.path else tr("Untitled")

    @property
    def place(self) -> Place:
        """Where the caret is in which file."""
        caret = self.editor.textCursor()
        return Place(str(self.path or ""), caret.blockNumber() + 1, caret.positionInBlock() + 1)

    @property
    def modified(self) -> bool:
        return self.editor.document().isModified()

    @property
    def untouched(self) -> bool:
        """Is it the empty page that a window begins with?"""
        return self.path is None and not self.modified and self.editor.document().isEmpty()

    def show_text(self, file: Text, path: Path | None) -> None:
        """Show ``file`` in a fresh document without history."""
        for _ in self.showing(file, path):
            pass

    def showing(self, file: Text, path: Path | None) -> Iterator[float]:
        """The same in slices; yields after each the share that is done. Until the last the page is not to be seen."""
        self.editor.suit(path.name if path else "")  # fonts before there is text: changing them takes long
        yield from self.editor.putting(file.text)
        self.file = file
        shown = self.editor.document()
        self.journal = Journal(shown, self._recovery)
        self.journal.base(path, file)
        shown.modificationChanged.connect(lambda _modified: self.changed.emit())
        Highlighter(self.editor)  # pyright: ignore[reportArgumentType]  (as in window.py)
        self.banner.hide()
        self.rename(path)

    def rename(self, path: Path | None) -> None:
        """From now on this is the file ``path``: colours and wrapping are as its name asks for."""
        self.path = path
        self.editor.suit(path.name if path else "")
        self.editor.setAccessibleName(self.title)
        self._colour()
        self.changed.emit()

    def _colour(self) -> None:
        for highlighter in self.editor.document().findChildren(Highlighter):  # none while a text is put in
            highlighter.use(self.editor.language, code_style(self.palette()))

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._colour()

    def follow(self, path: Path) -> None:
        """The file has another name; what is not saved stays so."""
        self.journal.move(path)
        self.rename(path)

    def text(self) -> Text:
        """What would be written to the file now."""
        return self.file.holds(self.editor.text())

    def write(self, path: Path, file: Text) -> None:
        """Save as ``file`` under ``path``. Raises DocumentError and stays as it was."""
        document.save(path, file)
        self.file = file
        self.banner.hide()
        self.editor.document().setModified(False)
        self.journal.base(path, file)
        if path != self.path:
            self.rename(path)

    def set_line_ends(self, newline: str) -> None:
        """End all lines with ``newline`` when saving."""
        self.take(self.text().ending(newline))
        self.editor.document().setModified(True)

    def take(self, file: Text) -> None:
        """Show what the file holds by now, as one undo step that touches only what differs."""
        before = {standin: of for standin, of in self.file.standins.items() if standin not in file.text}
        self.editor.change(edits(self.editor.text(), file.text))
        newline = file.newline if "\n" in file.text else self.file.newline  # one line does not tell
        self.file = replace(file, newline=newline, standins={**before, **file.standins})  # undoing brings back old ones
        self.banner.hide()
        self.editor.document().setModified(False)
        self.journal.base(self.path, self.file)
        self.changed.emit()

    def restore(self, rescued: Rescued) -> None:
        """Show what was not saved, as one undo step on what was."""
        self.file = rescued.file
        self.editor.change(edits(self.editor.text(), rescued.file.text))
        self.editor.document().setModified(True)
        self.journal.write()
        choices = {tr("Keep"): self.banner.hide, tr("Discard"): self._discard}
        self.banner.tell(
            tr("{title} was not saved when Palimpsest ended. This is how it was.", title=self.title), choices
        )

    def _discard(self) -> None:
        self.editor.undo()
        self.banner.hide()

    def let_go(self) -> None:
        """The page is closed, saved or not."""
        if self.session:
            self.session.finish(Verdict.DROP)
        self.journal.drop()
        self.closed.emit()

    async def differences(self) -> str:
        """What stands here and on the disk, as a unified diff."""
        assert self.path
        there = await asyncio.to_thread(document.load, self.path, self.file.encoding)
        return await asyncio.to_thread(unified, there.text, self.editor.text(), tr("on the disk"), tr("here"))

    def go_to(self, line: int, column: int = 1) -> None:
        """Put the caret at a line and column, both from 1, or as near as there is."""
        shown = self.editor.document()
        block = shown.findBlockByNumber(max(0, min(line, shown.blockCount()) - 1))
        cursor = QTextCursor(block)
        cursor.setPosition(block.position() + min(units(block.text()[: max(0, column - 1)]), block.length() - 1))
        self.editor.setTextCursor(cursor)
        self.editor.centerCursor()

    def select(self, line: int, column: int, text: str) -> None:
        """Go to a line and column, and select ``text`` if it still stands there."""
        self.go_to(line, column)
        shown, start = self.editor.document(), self.editor.textCursor().position()
        there = Span(shown, start, min(start + units(text), shown.characterCount() - 1))
        if there.text() == text:
            self.editor.setTextCursor(there.cursor())
