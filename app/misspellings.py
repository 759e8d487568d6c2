"""The misspelled words on the screen: marked, and corrected from the context menu."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice

from PySide6.QtCore import QEvent, QObject, QTimer, Signal
from PySide6.QtGui import QAction, QColor, QPalette, QTextBlock, QTextCharFormat
from PySide6.QtWidgets import QMenu
from shiboken6 import isValid

from palimpsest.app.editor import Editor
from palimpsest.app.highlight import Highlighter
from palimpsest.app.linelexers import Said, said
from palimpsest.app.span import Span
from palimpsest.app.spelling import Speller, words
from palimpsest.app.tasks import started
from palimpsest.app.utf16 import units
from palimpsest.engine.language import tr

PAUSE = 250  # milliseconds without a change before words are looked up
PORTION = 500  # lines that are looked through at a time for the next misspelling


@dataclass(frozen=True)
class Word:
    """A word, and where it stands (UTF-16 units)."""

    text: str
    start: int
    end: int


class Misspellings(QObject):
    """Marks the misspelled words of an editor that are on the screen; the text, and its history, know nothing of it."""

    told = Signal(str)

    def __init__(self, editor: Editor, speller: Speller):
        super().__init__(editor)
        self.speller, self._editor = speller, editor
        self._where, self._typed = "nothing", -1
        self._pause = QTimer(self, singleShot=True, interval=PAUSE)
        self._pause.timeout.connect(self._check)
        editor.textChanged.connect(self._text_changed)
        editor.cursorPositionChanged.connect(self._pause.start)
        editor.verticalScrollBar().valueChanged.connect(lambda _value: self._pause.start())
        editor.viewport().installEventFilter(self)

    def use(self, where: str) -> None:
        """Check as the setting ``spelling`` says."""
        self._where = where
        self._pause.start()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in (QEvent.Type.Resize, QEvent.Type.Show, QEvent.Type.PaletteChange):
            self._pause.start()
        return super().eventFilter(watched, event)

    def at_caret(self) -> Word | None:
        """The misspelled word at the caret, or that holds the selection."""
        caret = self._editor.textCursor()
        for word in self._words(caret.block()):
            if word.start <= caret.selectionStart() and caret.selectionEnd() <= word.end:
                return word if self.speller.good(word.text) is False else None
        return None

    def correct(self, word: Word, instead: str) -> None:
        """Put another word in its place, if it still stands there."""
        span = Span(self._editor.document(), word.start, word.end)
        if span.text() == word.text:
            span.cursor().insertText(instead)

    def add(self, word: Word) -> None:
        """It is spelled well from now on."""
        try:
            self.speller.add(word.text)
        except OSError as error:
            self.told.emit(
                tr(
                    "“{text}” holds until you quit: {file} cannot be written ({error}).",
                    text=word.text,
                    file=self.speller.file,
                    error=error,
                )
            )
        self._check()

    @started
    async def go_to_next(self) -> None:
        """Select the next misspelled word, from the top again behind the last."""
        document, caret = self._editor.document(), self._editor.textCursor()
        revision, here = document.revision(), caret.blockNumber()
        behind = ((number, caret.selectionEnd()) for number in range(here, document.blockCount()))
        lines = chain(behind, ((number, 0) for number in range(here + 1)))
        while portion := list(islice(lines, PORTION)):
            found = [
                word
                for number, begin in portion
                for word in self._words(document.findBlockByNumber(number))
                if word.start >= begin
            ]
            await asyncio.to_thread(self.speller.look_up, {word.text for word in found})
            if not isValid(self) or document is not self._editor.document() or document.revision() != revision:
                return
            for word in found:
                if not self.speller.good(word.text):
                    self._editor.setTextCursor(Span(document, word.start, word.end).cursor())
                    self._editor.ensureCursorVisible()
                    return
        self.told.emit(tr("No misspelled word is found"))

    def _text_changed(self) -> None:
        self._typed = self._editor.textCursor().position()
        self._pause.start()

    @started
    async def _check(self) -> None:
        if not isValid(self):  # the window was closed before the task had its turn
            return
        new = {word.text for word in self._shown() if self.speller.good(word.text) is None}
        if new:
            await asyncio.to_thread(self.speller.look_up, new)
            if not isValid(self):
                return
        caret = self._editor.textCursor().position()
        typing = caret if caret == self._typed else -1  # what is not written yet is not wrong
        bad = [word for word in self._shown() if self.speller.good(word.text) is False]
        look = QTextCharFormat()
        look.setUnderlineStyle(QTextCharFormat.UnderlineStyle.WaveUnderline)
        dark = self._editor.palette().color(QPalette.ColorRole.Base).lightness() < 128
        look.setUnderlineColor(QColor("#ff7b72" if dark else "#d1242f"))
        self._editor.mark("spelling", [(word.start, word.end) for word in bad if word.end != typing], look)

    def _shown(self) -> list[Word]:
        """The words on the screen, and a screen before and behind."""
        editor = self._editor
        first = editor.firstVisibleBlock()
        many = editor.viewport().height() // max(1, editor.fontMetrics().height()) + 1
        block, found = editor.document().findBlockByNumber(max(0, first.blockNumber() - many)), []
        while block.isValid() and block.blockNumber() < first.blockNumber() + 2 * many:
            found += self._words(block)
            block = block.next()
        return found

    def _words(self, block: QTextBlock) -> Iterator[Word]:
        """The words of a line that are to be checked: of prose all but code, of code those in comments and strings."""
        editor = self._editor
        if self._where == "nothing" or not (editor.prose or self._where == "prose and comments"):
            return
        lexed = editor.document().findChildren(Highlighter)  # none while a text is put in
        pieces = [(at, at + length, said(kind)) for one in lexed for at, length, kind in one.kinds(block)]
        fenced = editor.language == "markdown" and any(one.before(block) for one in lexed)
        least = Said.ASIDE if fenced or not editor.prose else Said.PLAIN
        text = block.text()
        for at, word in words(text):
            at = units(text[:at])
            if next((found for start, end, found in pieces if start <= at < end), Said.PLAIN) >= least:
                yield Word(word, block.position() + at, block.position() + at + units(word))


class Corrections:
    """What may be done about a misspelled word, at the top of a context menu."""

    def __init__(self, menu: QMenu):
        self._menu, self._first = menu, menu.actions()[0]
        self._offered: list[QAction] = []

    def offer(self, misspellings: Misspellings) -> None:
        """Offer them for the word at the caret; other spellings come when they are found."""
        for action in self._offered:
            self._menu.removeAction(action)
            action.deleteLater()
        self._offered = []
        if word := misspellings.at_caret():
            self._offer(misspellings, word)

    def _offer(self, misspellings: Misspellings, word: Word) -> None:
        separator = self._menu.insertSeparator(self._first)
        adding, waiting = (
            QAction(tr("Add “{text}” to my words", text=word.text), self._menu),
            QAction(tr("Looking it up…"), self._menu),
        )
        adding.triggered.connect(lambda: misspellings.add(word))
        waiting.setEnabled(False)
        self._menu.insertActions(separator, [waiting, adding])
        self._offered = [waiting, adding, separator]
        self._search(misspellings, word, waiting)

    @started
    async def _search(self, misspellings: Misspellings, word: Word, waiting: QAction) -> None:
        offered = self._offered
        found = await asyncio.to_thread(misspellings.speller.suggest, word.text)
        if offered is not self._offered:
            return
        for instead in found:
            action = QAction(instead.replace("&", "&&"), self._menu)
            action.triggered.connect(lambda _checked=False, instead=instead: misspellings.correct(word, instead))
            self._menu.insertAction(waiting, action)
            offered.append(action)
        waiting.setText(tr("No other spelling is known"))
        waiting.setVisible(not found)
