"""The command palette: everything that can be done now, found by a few letters of its name."""

from dataclasses import dataclass
from itertools import pairwise

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QAction, QKeyEvent, QKeySequence
from PySide6.QtWidgets import QDialog, QLineEdit, QTreeWidget, QTreeWidgetItem, QVBoxLayout, QWidget

from palimpsest.app.actions import name_of

WIDTH, HEIGHT = 520, 340  # pixels


@dataclass(frozen=True)
class Match:
    """How well letters fit a name: at the beginnings of words, and close together, is better."""

    score: float
    places: tuple[int, ...]


def match(wanted: str, name: str) -> Match | None:
    """Where the letters of ``wanted`` stand in ``name`` in their order: behind each other, else at beginnings of
    words, if they do; None if they do not at all."""
    places: list[int] = []
    low, at = name.lower(), 0
    for letter in wanted.lower().replace(" ", ""):
        begins = [place for place in range(at, len(low)) if low[place] == letter and _begins(name, place)]
        place = at if low[at : at + 1] == letter else begins[0] if begins else low.find(letter, at)
        if place < 0:
            return None
        places.append(place)
        at = place + 1
    if not places:
        return Match(0, ())
    starts = sum(_begins(name, place) for place in places)
    gaps = sum(after - before > 1 for before, after in pairwise(places))
    return Match(2 * starts - gaps - len(name) / 100, tuple(places))


def _begins(name: str, place: int) -> bool:
    return place == 0 or not name[place - 1].isalnum()


class Palette(QDialog):
    """Lists actions; Return does the one that is chosen, Esc none."""

    def __init__(self, actions: list[QAction], parent: QWidget | None = None):
        super().__init__(parent, Qt.WindowType.Popup)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._actions = [action for action in actions if action.isEnabled()]
        self.wanted, self.list = QLineEdit(placeholderText="what to do"), QTreeWidget()
        self.wanted.setAccessibleName("Command")
        self.list.setAccessibleName("Commands")
        self.list.setColumnCount(2)
        self.list.setHeaderHidden(True)
        self.list.setRootIsDecorated(False)
        self.list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        column = QVBoxLayout(self)
        column.setContentsMargins(8, 8, 8, 8)
        column.addWidget(self.wanted)
        column.addWidget(self.list)
        self.resize(WIDTH, HEIGHT)
        self.list.setColumnWidth(0, WIDTH - 180)
        self.wanted.textChanged.connect(self._show)
        self.wanted.returnPressed.connect(self._do)
        self.wanted.installEventFilter(self)
        self.list.itemClicked.connect(lambda _item: self._do())
        self._show("")

    @property
    def names(self) -> list[str]:
        """What is offered, the best first."""
        items = (self.list.topLevelItem(row) for row in range(self.list.topLevelItemCount()))
        return [item.text(0) for item in items if item]

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        # The arrows choose in the list while one writes.
        keys = (Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown)
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.KeyPress and event.key() in keys:
            self.list.keyPressEvent(event)
            return True
        return super().eventFilter(watched, event)

    def _show(self, wanted: str) -> None:
        found = [(fit, action) for action in self._actions if (fit := match(wanted, name_of(action)))]
        found.sort(key=lambda one: -one[0].score)
        self.list.clear()
        for _, action in found:
            keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
            item = QTreeWidgetItem([name_of(action), keys])
            item.setTextAlignment(1, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            item.setData(0, Qt.ItemDataRole.UserRole, action)
            self.list.addTopLevelItem(item)
        if first := self.list.topLevelItem(0):
            self.list.setCurrentItem(first)

    def _do(self) -> None:
        item = self.list.currentItem()
        self.close()
        if item:
            item.data(0, Qt.ItemDataRole.UserRole).trigger()
