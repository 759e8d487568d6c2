"""Markdown as it will look, beside the text."""

import asyncio
from functools import cache
from pathlib import Path

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QDockWidget, QTextBrowser, QWidget
from shiboken6 import isValid

from palimpsest.app.editor import Editor
from palimpsest.app.tasks import started
from palimpsest.engine.language import tr

PAUSE = 200  # milliseconds without a change before the text is rendered


@cache
def _markdown():
    from markdown_it import MarkdownIt  # a window begins without it

    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])


def render(text: str) -> str:
    """Markdown as HTML; HTML in it is shown as it is written."""
    return _markdown().render(text)


class Preview(QDockWidget):
    """Follows the text in front while it is shown. Pictures come from the disk, never from the network."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(tr("Preview"), parent)
        self.setObjectName("preview")
        self.shown = QTextBrowser(openExternalLinks=True)
        self.shown.setAccessibleName(tr("Preview"))
        self.shown.document().setDocumentMargin(16)
        self.setWidget(self.shown)
        self._editor: Editor | None = None
        self._path: Path | None = None
        self._pause = QTimer(self, singleShot=True, interval=PAUSE)
        self._pause.timeout.connect(self._render)
        self.hide()

    def follow(self, editor: Editor, path: Path | None) -> None:
        """``editor`` is in front, or its text has changed."""
        self._editor, self._path = editor, path
        if not self.isHidden():
            self._pause.start()

    def toggle(self) -> None:
        """Show it or hide it."""
        self.setVisible(self.isHidden())
        self._pause.start(0)

    @started
    async def _render(self) -> None:
        editor = self._editor
        if not (isValid(self) and editor and isValid(editor)) or self.isHidden():  # closed meanwhile
            return
        html = await asyncio.to_thread(render, editor.text())
        if isValid(self) and editor is self._editor and not self._pause.isActive():
            bar = self.shown.verticalScrollBar()
            at = bar.value()
            self.shown.setSearchPaths([str(self._path.parent)] if self._path else [])
            self.shown.document().setDefaultFont(editor.font())
            self.shown.setHtml(html)
            bar.setValue(at)
