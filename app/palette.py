"""Lists in which things are found by a few letters of their names: first of all the commands."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QDialog, QLineEdit, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from palimpsest.app.actions import name_of
from palimpsest.engine.language import tr

WIDTH, HEIGHT = 520, 340  # pixels


@dataclass(frozen=True)
class Match:
    """How well letters fit a name: at the beginnings of words, and close together, is better."""

    score: float
    places: tuple[int, ...]


def match(wanted: str, name: str) -> Match | None:
    """Where the letters of ``wanted`` stand in ``name`` in their order: behind each other, else at beginnings of
    words, if they do; None if they do not at all."""
    letters, low = wanted.lower().replace(" ", ""), name.lower()
    if not letters:
        return Match(0, ())
    places = _places(letters, low, _beginning) or _places(letters, low, str.find)
    if not places:
        return None
    together = sum(after - before == 1 for before, after in pairwise(places))
    starts = sum(_begins(low, place) for place in places)
    return Match(2 * starts + 3 * together - len(name) / 100, places)


def _places(letters: str, low: str, find: Callable[[str, str, int], int]) -> tuple[int, ...] | None:
    places: list[int] = []
    at = 0
    for letter in letters:
        place = at if low.startswith(letter, at) else find(low, letter, at)
        if place < 0:
            return None
        places.append(place)
        at = place + 1
    return tuple(places)


def _beginning(low: str, letter: str, at: int) -> int:
    """Where a word begins with the letter, from ``at`` on; else where it stands at all, -1 if nowhere."""
    first = place = low.find(letter, at)
    while place >= 0 and not _begins(low, place):
        place = low.find(letter, place + 1)
    return place if place >= 0 else first


def _begins(name: str, place: int) -> bool:
    return place == 0 or not name[place - 1].isalnum()


@dataclass(frozen=True)
class Choice:
    """A line of a palette: its name, what stands beside it, and what choosing it does."""

    name: str
    beside: str
    do: Callable[[], object]


class Palette(QDialog):
    """Lists choices that fit what one writes; Return takes the one that is chosen, Esc none."""

    def __init__(self, name: str, hint: str, parent: QWidget | None = None):
        super().__init__(parent, Qt.WindowType.Popup)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.wanted, self.list = QLineEdit(placeholderText=hint), QTreeWidget()
        self.wanted.setAccessibleName(name)
        self.list.setAccessibleName(f"{name}s")
        self.list.setColumnCount(2)
        self.list.setHeaderHidden(True)
        self.list.setRootIsDecorated(False)
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.addWidget(self.wanted)
        column.addWidget(self.list)
        self.resize(WIDTH, HEIGHT)
        self.list.setColumnWidth(0, WIDTH - 180)
        self.wanted.textChanged.connect(self.search)
        self.wanted.returnPressed.connect(self.choose)
        self.wanted.installEventFilter(self)
        self.list.itemClicked.connect(lambda _item: self.choose())

    @property
    def names(self) -> list[str]:
        """What is offered, the best first."""
        items = (self.list.topLevelItem(row) for row in range(self.list.topLevelItemCount()))
        return [item.text(0) for item in items if item]

    def search(self, wanted: str) -> object:
        """Offer what fits ``wanted``, now or when it is found."""
        raise NotImplementedError

    def offer(self, choices: Iterable[Choice]) -> None:
        """List these, the first one chosen."""
        self.list.clear()
        for choice in choices:
            item = QTreeWidgetItem([choice.name, choice.beside])
            item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            item.setData(0, Qt.ItemDataRole.UserRole, choice)
            self.list.addTopLevelItem(item)
        if first := self.list.topLevelItem(0):
            self.list.setCurrentItem(first)

    def choose(self) -> object:
        """Do what is chosen."""
        item = self.list.currentItem()
        self.close()
        if item:
            item.data(0, Qt.ItemDataRole.UserRole).do()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # The arrows choose in the list while one writes.
        keys = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and event.key() in keys:
            self.list.keyPressEvent(event)
            return True
        return super().eventFilter(watched, event)


class CommandPalette(Palette):
    """Everything that can be done now."""

    def __init__(self, actions: list[QAction], parent: QWidget | None = None):
        super().__init__(tr("Command"), tr("what to do"), parent)
        self._commands = [_choice(action) for action in actions if action.isEnabled()]

    def search(self, wanted: str) -> None:
        found = [(fit.score, command) for command in self._commands if (fit := match(wanted, command.name))]
        self.offer(command for _, command in sorted(found, key=lambda one: -one[0]))


def _choice(action: QAction) -> Choice:
    """An action by its label as one reads it, behind its menu's."""
    return Choice(name_of(action), action.shortcut().toString(QKeySequence.SequenceFormat.NativeText), action.trigger)
