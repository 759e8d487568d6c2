"""The bar at the line in which the user says how the selection should be rewritten."""

from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import QAbstractItemModel, QPoint, QRect, QStringListModel, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QImage, QKeyEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QCompleter,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QSlider,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from palimpsest.app.bar import Bar
from palimpsest.app.icons import icon
from palimpsest.app.incoming import SHOWN, choose_pictures, pictures
from palimpsest.app.reading import Shown
from palimpsest.engine import DETAILS, Options, Picture
from palimpsest.engine.language import tr, trn

WIDTH = 560  # pixels
PERCENT = 100
# As DETAILS are called.
DETAIL = (tr("quick look"), tr("rough look"), tr("usual look"), tr("close look"), tr("fine print"))


class AskBar(Bar):
    """Hidden until opened; Return sends the instruction, Down offers some, Esc closes the bar."""

    asked = Signal(str, Options)

    def __init__(self, around: QWidget):
        super().__init__(around)
        self._around = around
        self._options = Options()
        self.field = _Field(placeholderText=tr("what should change? ↓ offers some"), clearButtonEnabled=True)
        self.field.setAccessibleName(tr("Instruction"))
        self.field.addAction(icon("rewrite"), QLineEdit.ActionPosition.LeadingPosition)
        self.field.returnPressed.connect(self._send)
        self._offered = QStringListModel(self)
        self.field.offer(self._offered)
        self.strength = QSlider(Qt.Orientation.Horizontal)
        self.strength.setRange(10, PERCENT)
        self.strength.setValue(PERCENT)
        self.alternatives = QSpinBox(minimum=1, maximum=8)
        self.length = QSpinBox(minimum=0, maximum=4096)
        self.length.setSpecialValueText(tr("any"))
        self.think = QCheckBox(tr("&Think first"))
        self.detail = QComboBox()
        self.detail.addItem(tr("look as needed"), None)
        for tokens, name in zip(DETAILS, DETAIL, strict=True):
            self.detail.addItem(name, tokens)
        self.detail.setToolTip(tr("How closely the model looks"))
        for part in (self.detail, self.detail.view()):
            part.setAccessibleName(self.detail.toolTip())
        self.pictures: list[Shown] = []
        self.pin = QPushButton(icon("image"), "")
        self.pin.clicked.connect(self._ask_pictures)
        self.setAcceptDrops(True)
        self.field.setAcceptDrops(False)  # what is dropped on it is the bar's
        self._frame()

    def _frame(self) -> None:
        frame = QFrame()
        frame.setFrameShape(QFrame.Shape.StyledPanel)
        frame.setAutoFillBackground(True)
        around = QVBoxLayout(self)
        around.setContentsMargins(0, 0, 0, 0)
        around.addWidget(frame)
        self._rows = rows = QVBoxLayout(frame)
        details = QHBoxLayout()
        rows.setContentsMargins(8, 6, 8, 6)
        rows.addWidget(self.field)
        rows.addLayout(details)
        for label, widget, name in (
            (tr("&Change"), self.strength, tr("How much may change")),
            (tr("&Answers"), self.alternatives, tr("How many answers")),
            (tr("&Length"), self.length, tr("How many tokens")),
        ):
            title = QLabel(label)
            title.setBuddy(widget)
            widget.setAccessibleName(name)
            widget.setToolTip(name)
            details.addWidget(title)
            details.addWidget(widget, widget is self.strength)
        details.addWidget(self.think)
        details.addWidget(self.detail)
        details.addWidget(self.pin)

    def open(self, near: QRect, offered: Sequence[str], options: Options, shown: Sequence[Shown] = ()) -> None:
        """Show the bar below a place on the screen, or above it, with the last instruction ready to be typed over, and
        with pictures that the model is to be shown."""
        self._options = options
        self.show_pictures(shown)
        self._offered.setStringList(list(offered))
        inside = self._around.rect()
        near = near.translated(self._around.mapFromGlobal(QPoint()))
        self._fit()
        below = near.bottom() + self.height() < inside.bottom()
        top = near.bottom() if below else max(0, near.top() - self.height())
        self.move(max(0, min(near.left(), inside.width() - self.width())), top)
        self.show()
        self.raise_()
        self.field.selectAll()
        self.field.setFocus()

    def show_pictures(self, shown: Sequence[Shown]) -> None:
        """Have the model see these, and no others."""
        self.pictures = list(shown)
        self.detail.setVisible(bool(shown))
        named = [_name(one) for one in shown if not (isinstance(one, Picture) and one.second)]  # a video once
        self.pin.setText(trn("{number} image", "{number} images", len(named)) if shown else "")
        names = ", ".join(named)
        told = tr("The model sees {names}; leave that out", names=names) if shown else tr("Show the model an image")
        self.pin.setToolTip(told)
        self.pin.setAccessibleName(told)
        if self.isVisible():
            self._fit()

    def _fit(self) -> None:
        """Be as wide as need be, inside the window."""
        self._rows.activate()  # it has not been told yet of what came or went
        size, room = self.sizeHint(), self._around.width()
        self.resize(min(max(WIDTH, size.width()), room), size.height())
        self.move(max(0, min(self.x(), room - self.width())), self.y())

    def _ask_pictures(self) -> None:
        """Take the pictures away, or let the user choose some where there are none."""
        self.show_pictures([] if self.pictures else choose_pictures(self, tr("Show the model an image"), SHOWN))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if pictures(event.mimeData(), SHOWN):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        self.show_pictures([*self.pictures, *pictures(event.mimeData(), SHOWN)])

    def options(self) -> Options:
        """The options with what is set here."""
        return replace(
            self._options,
            strength=self.strength.value() / PERCENT,
            alternatives=self.alternatives.value(),
            length=self.length.value() or None,
            think=self.think.isChecked(),
            detail=self.detail.currentData() if self.pictures else None,
        )

    def _send(self) -> None:
        if instruction := self.field.text().strip():
            self.shut()
            self.asked.emit(instruction, self.options())


def _name(shown: Shown) -> str:
    """Of the file; what was pasted has none."""
    return ("" if isinstance(shown, QImage) else shown.name) or tr("an image")


class _Field(QLineEdit):
    """A field in which Down shows all that is offered."""

    def offer(self, model: QAbstractItemModel) -> None:
        self._completer = QCompleter(model, self)
        self._completer.setFilterMode(Qt.MatchFlag.MatchContains)
        self._completer.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        self.setCompleter(self._completer)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Down:
            self._completer.setCompletionPrefix("")
            self._completer.complete()
        else:
            super().keyPressEvent(event)
