"""A bar under the text that takes the keys while it is open."""

from PySide6.QtCore import QEvent, Qt, Signal
from PySide6.QtGui import QKeyEvent, QKeySequence, QShortcut
from PySide6.QtWidgets import QToolButton, QWidget

from palimpsest.app.icons import icon


class Bar(QWidget):
    """Hidden until opened; Esc closes it."""

    closed = Signal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.hide()

    def event(self, event: QEvent) -> bool:
        # In the bar Esc and Tab are the bar's, not the verdict on a draft.
        keys = (Qt.Key.Key_Escape, Qt.Key.Key_Tab)
        if isinstance(event, QKeyEvent) and event.type() == QEvent.Type.ShortcutOverride and event.key() in keys:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Escape:
            self.shut()
        else:
            super().keyPressEvent(event)

    def shut(self) -> None:
        """Hide the bar and let the text have the keys again."""
        self.hide()
        self.closed.emit()


class Toggle(QToolButton):
    """A button of a bar that is on or off; its keys are heard while the bar has the keys."""

    def __init__(self, bar: Bar, drawing: str, name: str, keys: str):
        super().__init__(bar)
        self.setIcon(icon(drawing))
        self.setCheckable(True)
        self.setAccessibleName(name)
        self.setToolTip(f"{name} ({keys})")
        shortcut = QShortcut(QKeySequence(keys), bar)
        shortcut.setContext(Qt.ShortcutContext.WidgetWithChildrenShortcut)
        shortcut.activated.connect(self.click)
