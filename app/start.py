"""What an empty page shows until something is written: the files opened lately, and what to try."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QCoreApplication, QEvent, QObject, Qt, QTimer, Signal
from PySide6.QtGui import QAction, QIcon, QKeyEvent, QKeySequence, QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QFrame, QLabel, QPushButton, QStyle, QStyleOptionButton, QVBoxLayout, QWidget

from palimpsest.app import recent
from palimpsest.app.editor import Editor
from palimpsest.app.icons import icon
from palimpsest.app.page import Page
from palimpsest.engine import environment
from palimpsest.engine.language import tr

MOST = 6  # files
WIDTH, PADDING = 520, 8  # pixels
SIGN = 16  # pixels
WAYS = {
    "File: Open": tr("Open a file…"),
    "File: Open folder": tr("Open a folder…"),
    "Fill: Models": tr("Get a larger model than mini, which came along…"),
    "Fill: Engine": tr("Have the model run on this machine's NVIDIA card…"),
}
TRY = {
    "Fill: Fill in": tr("fills in what the text around the caret asks for"),
    "Fill: Rewrite": tr("rewrites what is selected as you say"),
    "View: Commands": tr("finds all else by a few letters of its name"),
}


class Choice(QPushButton):
    """A row: what it does, and, fainter, at its right end something about it."""

    def __init__(self, sign: QIcon, label: str, beside: str):
        super().__init__(sign, label)
        self.setFlat(True)
        self.setAccessibleName(label)
        self.setAccessibleDescription(beside)
        self._beside = beside

    def paintEvent(self, _event: QPaintEvent) -> None:
        option, painter = QStyleOptionButton(), QPainter(self)
        self.initStyleOption(option)
        palette, inside = self.palette(), self.rect().adjusted(PADDING, 0, -PADDING, 0)
        if self.hasFocus() or option.state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(self.rect(), palette.color(QPalette.ColorRole.Button))
        self.icon().paint(painter, inside.left(), inside.center().y() - SIGN // 2 + 1, SIGN, SIGN)
        inside.setLeft(inside.left() + SIGN + PADDING)
        painter.setPen(palette.color(QPalette.ColorRole.Link))
        middle = Qt.AlignmentFlag.AlignVCenter
        painter.drawText(inside, middle | Qt.AlignmentFlag.AlignLeft, self.text())
        painter.setPen(palette.color(QPalette.ColorRole.PlaceholderText))
        inside.setLeft(inside.left() + self.fontMetrics().horizontalAdvance(self.text()) + 3 * PADDING)
        beside = self.fontMetrics().elidedText(self._beside, Qt.TextElideMode.ElideMiddle, inside.width())
        painter.drawText(inside, middle | Qt.AlignmentFlag.AlignRight, beside)


class Start(QFrame):
    """Lies over the empty page in front. The text keeps the keys: Down goes to the first choice, others write."""

    chosen = Signal(Path)  # a file to be opened

    def __init__(self, actions: list[QAction], parent: QWidget):
        super().__init__(parent)
        self._window = parent
        self._actions = {action.objectName(): action for action in actions}
        self._editor: Editor | None = None
        self.choices: list[Choice] = []
        self._column = QVBoxLayout(self)
        self._column.setSpacing(0)
        self.hide()

    def follow(self, page: Page) -> None:
        """``page`` is in front: show what can be done, as long as it is empty."""
        editor = page.editor if page.untouched else None
        if editor is self._editor:
            return
        if self._editor:
            self._editor.removeEventFilter(self)
        if any(choice.hasFocus() for choice in self.choices):
            page.setFocus()
        self._editor = editor
        self.hide()
        if editor:
            editor.installEventFilter(self)
            self._draw(recent.remembered()[:MOST])
            self._place()

    def _draw(self, files: list[Path]) -> None:
        while row := self._column.takeAt(0):
            if widget := row.widget():
                widget.deleteLater()
        self.choices = []
        if files:
            self._head(tr("Opened lately"))
        for path in files:
            self._choose(icon("file"), path.name, _short(path.parent), partial(self.chosen.emit, path))
        self._head(tr("Begin"))
        for name, label in WAYS.items():
            if name == "Fill: Engine" and not environment.useful():
                continue
            way = self._actions[name]
            self._choose(way.icon(), label, self._keys(name), way.trigger)
        self._head(tr("Or write, and try"))
        for name, what in TRY.items():
            self._say(f"{self._keys(name)} {what}")

    def _head(self, text: str) -> None:
        label = self._say(text)
        font = label.font()
        font.setBold(True)
        label.setFont(font)
        label.setContentsMargins(0, 2 * PADDING, 0, PADDING // 2)

    def _say(self, text: str) -> QLabel:
        label = QLabel(text)
        label.setForegroundRole(QPalette.ColorRole.PlaceholderText)
        label.setIndent(PADDING)
        label.setMinimumHeight(label.sizeHint().height() + PADDING)
        self._column.addWidget(label)
        return label

    def _choose(self, sign: QIcon, label: str, beside: str, do: Callable[[], object]) -> None:
        choice = Choice(sign, label, beside)
        choice.clicked.connect(lambda _checked: do())
        choice.installEventFilter(self)
        self.choices.append(choice)
        self._column.addWidget(choice)

    def _keys(self, name: str) -> str:
        return self._actions[name].shortcut().toString(QKeySequence.SequenceFormat.NativeText)

    def _place(self) -> None:
        """In the middle of the page, where there is room."""
        if not self._editor:
            return
        view = self._editor.viewport()
        self.resize(min(WIDTH, view.width()), self._column.sizeHint().height())
        corner = view.mapTo(self._window, view.rect().center()) - self.rect().center()
        self.move(corner)
        self.setVisible(view.height() >= self.height())
        self.raise_()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._editor and event.type() == QEvent.Type.Resize:
            QTimer.singleShot(0, self, self._place)  # when all around the page has its place too
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and self.isVisible():
            return self._press(watched, event)
        return False

    def _press(self, watched: QObject, event: QKeyEvent) -> bool:
        """Was it a key that chooses, or one that is written although a choice has the keys?"""
        at = self.choices.index(watched) if isinstance(watched, Choice) else -1
        key, enters = event.key(), (Qt.Key.Key_Return, Qt.Key.Key_Enter, Qt.Key.Key_Space)
        to = at + {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1}.get(Qt.Key(key), 0)
        if to != at and 0 <= to < len(self.choices):
            self.choices[to].setFocus()
        elif at >= 0 and key in enters:
            self.choices[at].click()
        elif at >= 0 and self._editor and (to < 0 or key == Qt.Key.Key_Escape):
            self._editor.setFocus()
        elif at >= 0 and self._editor and event.text().isprintable() and event.text():
            self._editor.setFocus()
            QCoreApplication.sendEvent(self._editor, event)
        else:
            return False
        return True


def _short(folder: Path) -> str:
    """The folder as a person would say it."""
    home = Path.home()
    return str(Path("~", folder.relative_to(home)) if folder.is_relative_to(home) else folder)
