"""The preferences: a row for every setting and for the keys of every command, found by a few letters; they hold at
once."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QFont, QKeySequence, QWheelEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDialogButtonBox,
    QFontComboBox,
    QFormLayout,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QScrollArea,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from palimpsest.app.actions import name_of
from palimpsest.app.settings import ROWS, Settings
from palimpsest.engine.language import tr

WIDTH, HEIGHT = 560, 560  # pixels
LINES = 5  # of a field that takes several
KEYS = tr("Keys")  # the section behind those of the table


class Preferences(QDialog):
    """Emits the settings whenever one was changed."""

    changed = Signal(Settings)

    def __init__(self, settings: Settings, actions: list[QAction], parent: QWidget | None = None):
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("Preferences"))
        self._settings, self._actions = settings, actions
        self.wanted = QLineEdit(placeholderText=tr("Search"), clearButtonEnabled=True)
        self.wanted.setAccessibleName(tr("Search the preferences"))
        self.wanted.textChanged.connect(self._filter)
        self._trouble = QLabel(wordWrap=True)
        self._area = QScrollArea(widgetResizable=True)
        self._area.setAccessibleName(tr("Preferences"))
        self._area.setFrameShape(QScrollArea.Shape.NoFrame)
        buttons = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Close | QDialogButtonBox.StandardButton.RestoreDefaults
        )
        buttons.rejected.connect(self.close)
        buttons.button(QDialogButtonBox.StandardButton.RestoreDefaults).clicked.connect(self._restore)
        column = QVBoxLayout(self)
        for widget in (self.wanted, self._area, self._trouble, buttons):
            column.addWidget(widget)
        self.resize(WIDTH, HEIGHT)
        self._draw()

    @property
    def trouble(self) -> str:
        """What could not be set."""
        return self._trouble.text()

    def _draw(self) -> None:
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        self._form = QFormLayout(verticalSpacing=8)
        column.addLayout(self._form)
        column.addStretch()  # so that few rows stand at the top
        self.rows: dict[str, QWidget] = {}  # by their labels
        self._sections: dict[QLabel, list[str]] = {}
        for row in ROWS:
            field = _field(row, getattr(self._settings, row.name), lambda value, name=row.name: self._set(name, value))
            self._add(row.metadata["section"], row.metadata["label"], field)
        for action in self._actions:
            self._add(KEYS, name_of(action), self._keys(action))
        self._area.setWidget(body)
        self._area.setMinimumWidth(body.minimumSizeHint().width() + self._area.verticalScrollBar().sizeHint().width())

    def _add(self, section: str, label: str, field: QWidget) -> None:
        if section not in map(QLabel.text, self._sections):
            title = QLabel(section)
            font = title.font()
            font.setBold(True)
            title.setFont(font)
            self._form.addRow(title)
            self._sections[title] = []
        self._sections[next(reversed(self._sections))].append(label)
        self.rows[label] = field
        for part in (field, *field.findChildren(QWidget)):
            part.setAccessibleName(label)
        self._form.addRow(label, field)

    def _filter(self, wanted: str) -> None:
        """Show the rows that have all the words, with their sections."""
        words = wanted.lower().split()
        for title, labels in self._sections.items():
            fitting = [label for label in labels if all(word in f"{title.text()} {label}".lower() for word in words)]
            for label in labels:
                self._form.setRowVisible(self.rows[label], label in fitting)
            self._form.setRowVisible(title, bool(fitting))

    def _set(self, name: str, value: Any) -> None:
        self._settings = replace(self._settings, **{name: value})
        self._trouble.clear()
        self.changed.emit(self._settings)

    def _keys(self, action: QAction) -> QKeySequenceEdit:
        field = QKeySequenceEdit(action.shortcut(), clearButtonEnabled=True)
        field.setMaximumSequenceLength(1)
        field.editingFinished.connect(lambda: self._set_keys(action, field))
        return field

    def _set_keys(self, action: QAction, field: QKeySequenceEdit) -> None:
        keys = field.keySequence()
        if keys == action.shortcut():
            return
        others = [
            other for other in self._actions if other is not action and not keys.isEmpty() and other.shortcut() == keys
        ]
        if others:
            field.setKeySequence(action.shortcut())
            shown = keys.toString(QKeySequence.SequenceFormat.NativeText)
            self._trouble.setText(
                tr("{shown} is {name}: give that other keys first.", shown=shown, name=name_of(others[0]))
            )
            return
        self._set("shortcuts", self._settings.shortcuts | {action.objectName(): keys.toString()})

    def _restore(self) -> None:
        self._settings = Settings()
        self._trouble.clear()
        self.changed.emit(self._settings)
        self._draw()
        self._filter(self.wanted.text())


class Number(QSpinBox):
    """A number that the wheel does not change: it scrolls the rows."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


class Selection(QComboBox):
    """The same of a choice."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


class Font(QFontComboBox):
    """The same of a font."""

    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


def _field(row: Any, value: Any, changed: Callable[[Any], None]) -> QWidget:
    """What the setting's kind is set with."""
    choices, (least, most) = row.metadata["choices"](), row.metadata["bounds"]
    if isinstance(value, bool):
        field = QCheckBox()
        field.setChecked(value)
        field.toggled.connect(changed)
    elif isinstance(value, int):
        field = Number(minimum=least, maximum=most, value=value)
        field.valueChanged.connect(changed)
    elif isinstance(value, tuple):
        field = QPlainTextEdit("\n".join(value), tabChangesFocus=True)
        field.setFixedHeight(LINES * field.fontMetrics().lineSpacing())
        field.textChanged.connect(lambda: changed(tuple(filter(None, map(str.strip, field.toPlainText().split("\n"))))))
    elif choices:
        field = Selection()
        for choice, shown in choices.items():
            field.addItem(shown, choice)
        field.setCurrentIndex(field.findData(value))
        field.activated.connect(lambda _index: changed(field.currentData()))
    else:
        field = Font(currentFont=QFont(value))
        field.currentFontChanged.connect(lambda font: changed(font.family()))
    return field
