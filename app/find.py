"""The bar that finds and replaces."""

import asyncio
from bisect import bisect_left
from collections.abc import Callable

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QKeyEvent, QTextCharFormat
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QLineEdit, QPushButton, QToolButton, QWidget
from shiboken6 import isValid

from palimpsest.app.announce import announce
from palimpsest.app.bar import Bar, Toggle
from palimpsest.app.editor import Editor
from palimpsest.app.icons import icon
from palimpsest.app.search import MOST, Found, Query, SearchError
from palimpsest.app.span import Span
from palimpsest.app.tasks import started
from palimpsest.engine.language import tr

LOOK = QColor(255, 200, 0, 90)  # over places on a light or a dark ground


class FindBar(Bar):
    """Finds in the editor in front while the user types; searching is done on a thread."""

    def __init__(self, editor: Callable[[], Editor], parent: QWidget | None = None):
        super().__init__(parent)
        self._editor = editor
        self._searches = 0
        self._found: list[Found] = []
        self._starts: list[int] = []
        self._within: Span | None = None
        self._problem = ""
        self._marked: Editor | None = None
        self.wanted, self.instead = QLineEdit(placeholderText=tr("find")), QLineEdit(placeholderText=tr("replace with"))
        self.wanted.setAccessibleName(tr("Find"))
        self.instead.setAccessibleName(tr("Replace with"))
        self.told = QLabel()
        self.case, self.word, self.expression = query_toggles(self)
        self.selection = Toggle(self, "selection", tr("In the selection only"), "Alt+S")
        self._one, self._all = QPushButton(), QPushButton()
        before, after, close = QToolButton(), QToolButton(), QToolButton()
        before.setIcon(icon("up"))
        after.setIcon(icon("down"))
        close.setIcon(icon("close"))
        self._one.setText(tr("Replace"))
        self._all.setText(tr("Replace all"))
        for button, name, do in (
            (before, tr("Find the one before"), self.previous),
            (after, tr("Find the next"), self.next),
            (close, tr("Close"), self.shut),
            (self._one, tr("Replace this one"), self.replace),
            (self._all, tr("Replace all as one undo step"), self.replace_all),
        ):
            button.setAccessibleName(name)
            button.setToolTip(name)
            button.clicked.connect(lambda _checked=False, do=do: do())
        grid = QGridLayout(self)
        grid.setContentsMargins(8, 4, 8, 4)
        grid.addWidget(self.wanted, 0, 0)
        row = QHBoxLayout()
        for widget in (self.case, self.word, self.expression, self.selection, before, after, self.told):
            row.addWidget(widget)
        row.addStretch()
        row.addWidget(close)
        grid.addLayout(row, 0, 1)
        self._replacing = QWidget()
        below = QHBoxLayout(self._replacing)
        below.setContentsMargins(0, 0, 0, 0)
        below.addWidget(self._one)
        below.addWidget(self._all)
        below.addStretch()
        grid.addWidget(self.instead, 1, 0)
        grid.addWidget(self._replacing, 1, 1)
        grid.setColumnStretch(1, 1)
        self.wanted.setMinimumWidth(260)
        for field in (self.wanted, self.instead):
            field.textChanged.connect(lambda _text: self.search())
        for toggle in (self.case, self.word, self.expression):
            toggle.toggled.connect(lambda _on: self.search())
        self.selection.toggled.connect(self._restrict)

    def open(self, replacing: bool) -> None:
        """Show the bar, to look for what is selected if that is in one line."""
        selected = self._editor().selection().text()
        self.show()
        for widget in (self.instead, self._replacing):
            widget.setVisible(replacing)
        if selected and "\n" not in selected:
            self.wanted.setText(selected)
        elif selected:
            self.selection.setChecked(True)
        self.wanted.selectAll()
        self.wanted.setFocus()
        self.search()

    @property
    def query(self) -> Query:
        """What is looked for now."""
        toggles = (self.case.isChecked(), self.word.isChecked(), self.expression.isChecked())
        return Query(self.wanted.text(), self.instead.text() if self.instead.isVisibleTo(self) else "", *toggles)

    @started
    async def search(self, go: bool = True) -> None:
        """Find anew, and select the first place from the caret on if ``go``; a newer search takes the place of this."""
        self._searches += 1
        number, editor = self._searches, self._editor()
        if self.isHidden():
            return
        text, offset = editor.text(), 0
        if self._within:
            text, offset = self._within.text(), self._within.start
        try:
            found = await asyncio.to_thread(self.query.find, text)
        except SearchError as error:
            found, self._problem = [], str(error)
        else:
            self._problem = ""
        if number != self._searches:
            return
        self._found = [Found(f.start + offset, f.end + offset, f.text, f.instead) for f in found]
        self._starts = [one.start for one in self._found]
        if go and self._found:
            self._select(bisect_left(self._starts, editor.textCursor().selectionStart()))
        self._tell()

    def next(self) -> None:
        """Select the next place, from the top again behind the last."""
        self._select(bisect_left(self._starts, self._editor().textCursor().selectionEnd()))

    def previous(self) -> None:
        """Select the place before, from the end again before the first."""
        self._select(bisect_left(self._starts, self._editor().textCursor().selectionStart()) - 1)

    def replace(self) -> None:
        """Replace the selected place, and select the next."""
        if (place := self._current()) is not None:
            self._editor().textCursor().insertText(self._found[place].instead)
            self.search()
        else:
            self.next()

    def replace_all(self) -> None:
        """Replace all places as one undo step."""
        if self._found:
            count = len(self._found)
            self._editor().change((one.start, one.end, one.instead) for one in reversed(self._found))
            self.search(False).add_done_callback(lambda _task: self.told.setText(tr("{count} replaced", count=count)))

    def shut(self) -> None:
        self._searches += 1
        self._found, self._starts = [], []
        self.selection.setChecked(False)
        self.mark()
        super().shut()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                self.previous()
            elif self.instead.hasFocus():
                self.replace()
            else:
                self.next()
        else:
            super().keyPressEvent(event)

    def _restrict(self, on: bool) -> None:
        self._within = self._editor().selection() if on else None
        self.search()

    def _select(self, place: int) -> None:
        if not self._found:
            return
        one = self._found[place % len(self._found)]
        self._editor().setTextCursor(Span(self._editor().document(), one.start, one.end).cursor())
        self._editor().ensureCursorVisible()
        self._tell()

    def _current(self) -> int | None:
        caret = self._editor().textCursor()
        place = bisect_left(self._starts, caret.selectionStart())
        here = self._found[place : place + 1]
        return place if here and here[0].end == caret.selectionEnd() else None

    def _tell(self) -> None:
        current, many = self._current(), len(self._found)
        if self._problem or not many:
            told = self._problem or (tr("Not found") if self.wanted.text() else "")
        else:
            told = (
                tr("{current} of {many}", current=current + 1, many=many)
                if current is not None
                else tr("{many} found", many=many)
            )
            if many == MOST:
                told = tr("{told} at least", told=told)
            if current is not None and self.instead.isVisibleTo(self):
                told += f": {_short(self._found[current].text)} → {_short(self._found[current].instead)}"
        if told != self.told.text():
            announce(self.told, told)
        self.told.setText(told)
        for button in (self._one, self._all):
            button.setEnabled(bool(many))
        self.mark()

    def mark(self) -> None:
        """Mark the places that are on the screen."""
        editor = self._editor()
        look = QTextCharFormat()
        look.setBackground(LOOK)
        if self._marked is not editor and self._marked and isValid(self._marked):
            self._marked.mark("found", [], look)
        self._marked = editor
        first = editor.firstVisibleBlock().position()
        last = editor.cursorForPosition(editor.viewport().rect().bottomRight()).position()
        shown = self._found[max(0, bisect_left(self._starts, first) - 1) : bisect_left(self._starts, last + 1)]
        editor.mark("found", [(one.start, one.end) for one in shown], look)


def query_toggles(bar: Bar) -> tuple[Toggle, Toggle, Toggle]:
    """What a query can ask for: upper and lower case, whole words, a regular expression."""
    return (
        Toggle(bar, "case", tr("Match upper and lower case"), "Alt+C"),
        Toggle(bar, "word", tr("Whole words"), "Alt+W"),
        Toggle(bar, "expression", tr("Regular expression"), "Alt+X"),
    )


def _short(text: str) -> str:
    shown = text.replace("\n", "⏎")
    return shown if len(shown) <= 30 else f"{shown[:29]}…"
