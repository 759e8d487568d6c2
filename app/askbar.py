"""The bar in which the user says how the selection should be rewritten."""

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QWidget


class AskBar(QWidget):
    """Hidden until opened; Return sends the instruction, Esc closes the bar."""

    asked = Signal(str)
    closed = Signal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        label = QLabel("&Rewrite:")
        self.field = QLineEdit(placeholderText="what should change? e.g. Fix the spelling")
        self.field.setAccessibleName("Instruction")
        label.setBuddy(self.field)
        row = QHBoxLayout(self)
        row.setContentsMargins(8, 4, 8, 4)
        row.addWidget(label)
        row.addWidget(self.field)
        self.field.returnPressed.connect(self._send)
        self.hide()

    def open(self) -> None:
        """Show the bar with the last instruction selected, ready to be typed over."""
        self.show()
        self.field.selectAll()
        self.field.setFocus()

    def event(self, event: QEvent) -> bool:
        # In the bar Esc and Tab are the bar's, not the verdict on a draft.
        keys = (Qt.Key.Key_Escape, Qt.Key.Key_Tab)
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride and event.key() in keys:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self._close()
        else:
            super().keyPressEvent(event)

    def _send(self) -> None:
        if instruction := self.field.text().strip():
            self._close()
            self.asked.emit(instruction)

    def _close(self) -> None:
        self.hide()
        self.closed.emit()
