"""Where the model computes: an environment for a GPU is made, when the user says so, and removed."""

import asyncio

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QMessageBox, QPushButton, QVBoxLayout, QWidget
from shiboken6 import isValid

from palimpsest.app import command, engines, offline
from palimpsest.app.fetching import Fetching
from palimpsest.app.models import size_of
from palimpsest.app.tasks import started
from palimpsest.engine import environment
from palimpsest.engine.language import tr

ABOUT = tr(
    "As it is packaged, Palimpsest computes on the CPU. For an NVIDIA card it needs a Python "
    "environment of its own, with a build of PyTorch for the card: it is made beside the "
    "program, used from then on, and removed as a whole. The kernels also need a C compiler."
)


class EngineDialog(QDialog):
    """Emits ``changed`` when the model is to run elsewhere from now on."""

    changed = Signal()

    def __init__(self, parent: QWidget, works_offline: bool):
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("Engine"))
        self._offline = works_offline
        self.state, self.told = _label(), _label()
        self.make: dict[str, QPushButton] = {}
        self.remove = QPushButton(tr("&Remove…"))
        self.remove.clicked.connect(lambda: self._remove())
        self.fetching = Fetching()
        self.fetching.said.connect(self.told.setText)
        self.fetching.done.connect(lambda: self._ended(self.told.text()))
        self.fetching.stopped.connect(lambda: self._ended(tr("Stopped. What was fetched is kept for the next time.")))
        self.fetching.failed.connect(self._ended)
        rows, buttons = QVBoxLayout(self), QHBoxLayout()
        about = _label()
        about.setText(ABOUT)
        rows.addWidget(about)
        rows.addWidget(self.state)
        for kind, size in environment.kinds().items():
            self.make[kind] = button = QPushButton(
                tr("Make it for {kind} ({size} to fetch)", kind=kind.upper(), size=size_of(size))
            )
            button.setToolTip(engines.told(kind, size))
            button.clicked.connect(lambda _checked, kind=kind: self._make(kind))
            buttons.addWidget(button)
        buttons.addWidget(self.remove)
        rows.addLayout(buttons)
        rows.addWidget(self.fetching)
        rows.addWidget(self.told)
        self.resize(560, 260)
        self._show()

    def closeEvent(self, event: QCloseEvent) -> None:
        running = self.fetching.running
        self.fetching.leave()
        if running:
            self.changed.emit()  # the one that was there is gone
        super().closeEvent(event)

    def _show(self) -> None:
        self.state.setText(engines.state())
        for button in (*self.make.values(), self.remove):
            button.setEnabled(not self.fetching.running)
        self.remove.setEnabled(environment.begun() and not self.fetching.running)

    def _make(self, kind: str) -> None:
        if self._offline:
            self.told.setText(offline.FETCHING)
            return
        self.fetching.begin(command.itself("engine", "make", kind, "--yes"))
        self._show()

    def _ended(self, how: str) -> None:
        self.changed.emit()  # also when it was not made: a whole one goes before it is made anew
        self.told.setText(how)
        self._show()

    @started
    async def _remove(self) -> None:
        question = tr("Remove the environment, with all that was fetched for it?")
        if QMessageBox.question(self, tr("Engine"), question) != QMessageBox.StandardButton.Yes:
            return
        freed = await asyncio.to_thread(environment.remove)
        if isValid(self):
            self._ended(tr("{size} are free again.", size=size_of(freed)))


def _label() -> QLabel:
    label = QLabel()
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label
