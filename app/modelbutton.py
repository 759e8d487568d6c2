"""The model in sight: what it is and where it runs; a click tells the rest."""

import psutil
from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QMenu, QToolButton, QWidget

from palimpsest.app.icons import icon
from palimpsest.engine import Done

GIGABYTE = 1 << 30


class ModelButton(QToolButton):
    """Shows a line about the model, and in its menu the memory taken, what waits and the last fill."""

    unload_wanted = Signal()

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._last: Done | None = None
        self.busy = False
        self.setText("Loading the model…")
        self.setIcon(icon("model"))
        self.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.setAutoRaise(True)
        self.setAccessibleName("Model")
        self.setToolTip("Model")
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self)
        menu.aboutToShow.connect(lambda: self._fill(menu))
        self.setMenu(menu)

    def ended(self, done: Done) -> None:
        """A fill was finished."""
        self._last = done

    def _fill(self, menu: QMenu) -> None:
        menu.clear()
        for line in self.told():
            menu.addAction(line).setEnabled(False)
        menu.addSeparator()
        menu.addAction("&Give the memory back until the next fill", self.unload_wanted.emit)

    def told(self) -> list[str]:
        """What there is to tell, line by line."""
        memory = psutil.Process().memory_info().rss / GIGABYTE
        told = [self.text(), f"{memory:.1f} GB of memory are taken by Palimpsest"]
        told.append("A fill runs" if self.busy else "Nothing runs or waits")
        if self._last:
            done = self._last
            pace = done.tokens / max(done.seconds, 1e-9)
            told.append(f"Last fill: {done.steps} steps, {done.seconds:.1f} s, {pace:.0f} tokens/s, seed {done.seed}")
        return told
