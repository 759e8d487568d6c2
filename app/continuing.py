"""Goes on by itself when the writer pauses at the end of a line, if that is wanted."""

from collections.abc import Callable

from PySide6.QtCore import QObject, QTimer
from PySide6.QtWidgets import QApplication

from palimpsest.app.fills import Fills
from palimpsest.app.page import Page

PAUSE = 700  # milliseconds without a key


class Continuing(QObject):
    """Has the text in front written on after a pause; while it is off there is no timer and nothing is listened to."""

    def __init__(self, front: Callable[[], Page], fills: Fills):
        super().__init__(fills)
        self._front, self._fills = front, fills
        self._timer: QTimer | None = None

    def use(self, wanted: bool) -> None:
        """Begin to listen, or no longer."""
        if wanted and not self._timer:
            self._timer = QTimer(self, singleShot=True, interval=PAUSE)
            self._timer.timeout.connect(self._go_on)
        elif self._timer and not wanted:
            self._timer.deleteLater()
            self._timer = None

    def typed(self) -> None:
        """The text in front has changed."""
        if self._timer:
            self._timer.start()

    def moved(self) -> None:
        """The caret in front has moved, or the page in front is another: what nobody has asked for gives way."""
        session, caret = self._front().session, self._front().editor.textCursor()
        if session and session.by_itself and (caret.hasSelection() or caret.position() != session.spans[0].start):
            self._fills.drop()

    def _go_on(self) -> None:
        if self._called_for():
            self._fills.go_on()

    def _called_for(self) -> bool:
        """Is the writer at the end of a line that says something, and doing nothing else?"""
        page = self._front()
        editor, caret = page.editor, page.editor.textCursor()
        composing = bool(caret.block().layout().preeditAreaText())
        busy = page.session is not None or composing or QApplication.activePopupWidget() is not None
        alone = editor.hasFocus() and not editor.carets.others and not caret.hasSelection()
        return alone and not busy and caret.atBlockEnd() and bool(caret.block().text().strip())
