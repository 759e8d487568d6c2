"""How many words a text has, and how long it takes to read."""

import asyncio
import re

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QLabel, QWidget
from shiboken6 import isValid

from palimpsest.app.editor import Editor
from palimpsest.app.tasks import started
from palimpsest.engine.language import tr, trn

# Signs of Chinese and Japanese stand for a word each, roughly; elsewhere words are joined by apostrophes and hyphens.
WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+(?:['’-]\w+)*")
PER_MINUTE = 238  # words: silent reading of English (Brysbaert 2019, doi 10.1016/j.jml.2019.104047)
MOST = 5_000_000  # characters: longer texts are not read for pleasure
PAUSE = 300  # milliseconds without a change before words are counted


def words(text: str) -> int:
    """The number of words in ``text``."""
    return sum(1 for _ in WORD.finditer(text))


class WordCount(QLabel):
    """Tells the words of what is selected, or of the whole text where that is prose."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._editor: Editor | None = None
        self._pause = QTimer(self, singleShot=True, interval=PAUSE)
        self._pause.timeout.connect(self._count)

    def follow(self, editor: Editor) -> None:
        """``editor`` is in front, or its text or selection has changed."""
        self._editor = editor
        self._pause.start()

    @started
    async def _count(self) -> None:
        editor = self._editor
        if not (editor and isValid(editor)):  # its page was closed meanwhile
            return
        selected = editor.textCursor().hasSelection()
        if not (selected or editor.prose) or editor.document().characterCount() > MOST:
            self.clear()
            return
        number = await asyncio.to_thread(words, editor.selection().text() if selected else editor.text())
        if isValid(self) and editor is self._editor and not self._pause.isActive():
            if selected:
                self.setText(trn("{number:,} word selected", "{number:,} words selected", number))
            else:
                self.setText(trn("{number:,} word", "{number:,} words", number))
            self.setToolTip(tr("{minutes} min to read", minutes=max(1, round(number / PER_MINUTE))))
