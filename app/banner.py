"""A line above the text that says what happened to the file and offers what can be done."""

from collections.abc import Callable, Mapping

from PySide6.QtGui import QPainter, QPaintEvent, QPalette
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QWidget

from palimpsest.app.icons import icon

SIGN = 16  # pixels


class Banner(QFrame):
    """Hidden until there is something to tell; never takes the focus by itself."""

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.setAutoFillBackground(True)
        self.setBackgroundRole(QPalette.ColorRole.ToolTipBase)
        self._message = QLabel()
        self._message.setForegroundRole(QPalette.ColorRole.ToolTipText)
        self._message.setWordWrap(True)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(8, 4, 8, 4)
        self._row.addWidget(_Sign())
        self._row.addWidget(self._message, 1)
        self._buttons: list[QPushButton] = []
        self.hide()

    @property
    def message(self) -> str:
        """What is told now, or nothing."""
        return self._message.text() if not self.isHidden() else ""

    @property
    def choices(self) -> dict[str, QPushButton]:
        """The buttons by their labels."""
        return {button.text(): button for button in self._buttons}

    def tell(self, message: str, choices: Mapping[str, Callable[[], object]]) -> None:
        """Show ``message`` with a button for each choice; what is chosen closes the banner or not."""
        for button in self._buttons:
            button.deleteLater()
        self._buttons = []
        for name, do in choices.items():
            button = QPushButton(name)
            button.clicked.connect(lambda _checked=False, do=do: do())
            self._row.addWidget(button)
            self._buttons.append(button)
        self._message.setText(message)
        self.setAccessibleName(message)
        self.show()


class _Sign(QWidget):
    """What catches the eye."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedSize(SIGN, SIGN)
        self._icon = icon("notice")

    def paintEvent(self, _event: QPaintEvent) -> None:
        self._icon.paint(QPainter(self), self.rect())
