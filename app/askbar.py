"""The bar in which the user says how the selection should be rewritten."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QWidget

from palimpsest.app.bar import Bar


class AskBar(Bar):
    """Hidden until opened; Return sends the instruction, Esc closes the bar."""

    asked = Signal(str)

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

    def open(self) -> None:
        """Show the bar with the last instruction selected, ready to be typed over."""
        self.show()
        self.field.selectAll()
        self.field.setFocus()

    def _send(self) -> None:
        if instruction := self.field.text().strip():
            self.shut()
            self.asked.emit(instruction)
