"""The checkpoints of this machine: used, looked at, removed, and fetched from a hub when the user says so."""

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import (
    QDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMessageBox,
    QPushButton,
    QVBoxLayout,
    QWidget,
)
from shiboken6 import isValid

from palimpsest.app import command, models, offline
from palimpsest.app.fetching import Fetching
from palimpsest.app.tasks import started
from palimpsest.engine import EngineError, Offer, came, damaged, forget, kept, offer
from palimpsest.engine.language import tr

SHIPPED = tr("mini, shipped with Palimpsest")
FAMOUS = "google/diffusiongemma-26B-A4B-it"
TICK = 500  # milliseconds between two looks at how much has come

T = TypeVar("T")


class ModelsDialog(QDialog):
    """Emits ``chosen`` with the name of the checkpoint that shall fill, "" for the shipped one."""

    chosen = Signal(str)

    def __init__(self, parent: QWidget, current: str, works_offline: bool):
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(tr("Models"))
        self._current, self._offline = current, works_offline
        self._offer: Offer | None = None
        self.list = QListWidget()
        self.list.setAccessibleName(tr("Checkpoints on this machine"))
        self.list.currentItemChanged.connect(self._show_possible)
        self.use, self.check = _button(tr("&Use"), self._use), _button(tr("&Check"), self._check)
        self.remove = _button(tr("&Remove…"), self._remove)
        self.wanted = QLineEdit(FAMOUS)
        self.wanted.setAccessibleName(tr("A checkpoint's name on Hugging Face's hub"))
        self.wanted.textChanged.connect(self._forget_offer)
        self.get = _button(tr("&Look"), self._get)
        self.get.setDefault(True)
        self.fetching = Fetching()
        self.fetching.done.connect(lambda: self._ended(tr("It is here: choose it above, and press Use.")))
        self.fetching.stopped.connect(
            lambda: self._ended(tr("Stopped. Files that came are kept: Look and Fetch go on with the rest."))
        )
        self.fetching.failed.connect(self._ended)
        self.told = QLabel()
        self.told.setWordWrap(True)
        self.told.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._timer = QTimer(self)
        self._timer.setInterval(TICK)
        self._timer.timeout.connect(self._look)
        rows = QVBoxLayout(self)
        rows.addWidget(self.list)
        rows.addLayout(_row(self.use, self.check, self.remove))
        rows.addWidget(QLabel(tr("From Hugging Face's hub (nothing is asked there before you press Look):")))
        rows.addLayout(_row(self.wanted, self.get))
        rows.addWidget(self.fetching)
        rows.addWidget(self.told)
        self.resize(640, 420)
        self._list()

    def closeEvent(self, event: QCloseEvent) -> None:
        self.fetching.leave()
        super().closeEvent(event)

    @started
    async def _list(self) -> None:
        found = await self._away(kept)
        self.list.clear()
        self._add("", SHIPPED)
        for one in found:
            self._add(one.name, models.line(one))

    async def _away(self, work: Callable[..., T], *arguments: Any) -> T:
        """What a thread makes of it, if the dialog is still there then."""
        try:
            return await asyncio.to_thread(work, *arguments)
        finally:
            if not isValid(self):
                raise asyncio.CancelledError

    def _add(self, name: str, text: str) -> None:
        item = QListWidgetItem(text + ("  ✓" if name == self._current else ""), self.list)
        item.setData(Qt.ItemDataRole.UserRole, name)
        if name == self._current:
            self.list.setCurrentItem(item)

    def _selected(self) -> str | None:
        item = self.list.currentItem()
        return item.data(Qt.ItemDataRole.UserRole) if item else None

    def _show_possible(self) -> None:
        name = self._selected()
        self.use.setEnabled(name is not None and name != self._current)
        self.check.setEnabled(bool(name))
        self.remove.setEnabled(bool(name))

    def _use(self) -> None:
        self._current = self._selected() or ""
        self.chosen.emit(self._current)
        self._list()

    @started
    async def _check(self) -> None:
        name = self._selected() or ""
        self.told.setText(tr("Reading all of {name}…", name=name))
        try:
            broken = await self._away(damaged, name)
        except EngineError as error:
            self.told.setText(str(error))
            return
        told = tr(
            "Damaged: {names}. Remove {name}, and fetch it again.",
            names=", ".join(file.name for file in broken),
            name=name,
        )
        self.told.setText(told if broken else tr("{name} is as it was published.", name=name))

    @started
    async def _remove(self) -> None:
        name = self._selected() or ""
        question = tr("Remove {name} from this machine, for every program that uses the hub's cache?", name=name)
        if QMessageBox.question(self, tr("Models"), question) != QMessageBox.StandardButton.Yes:
            return
        if name == self._current:
            self._current = ""
            self.chosen.emit("")
        try:
            freed = await self._away(forget, name)
            self.told.setText(tr("{size} are free again.", size=models.size_of(freed)))
        except EngineError as error:
            self.told.setText(str(error))
        self._list()

    def _forget_offer(self) -> None:
        self._offer = None
        self.get.setText(tr("&Look"))

    def _get(self) -> None:
        if self._offline:
            self.told.setText(offline.FETCHING)
        elif self._offer:
            self._fetch(self._offer)
        else:
            self.get.setEnabled(False)
            self._ask()

    @started
    async def _ask(self) -> None:
        name = self.wanted.text().strip()
        self.told.setText(tr("Asking the hub for {name}…", name=name))
        try:
            offered = await self._away(offer, name)
            self.told.setText(await self._away(models.told, offered))
        except EngineError as error:
            self.told.setText(str(error))
            return
        finally:
            if isValid(self):
                self.get.setEnabled(True)
        if name == self.wanted.text().strip():
            self._offer = offered
            self.get.setText(
                tr("&Fetch {size}", size=models.size_of(offered.missing)) if offered.missing else tr("&Fetch")
            )

    def _fetch(self, offered: Offer) -> None:
        """As a process of its own: that can be stopped at any moment."""
        self.get.setEnabled(False)
        self.wanted.setEnabled(False)
        self.fetching.begin(command.itself("models", "pull", offered.name, "--yes"))
        self._timer.start()

    @started
    async def _look(self) -> None:
        if self._offer:
            count = await self._away(came, self._offer.name)
            self.fetching.show_share(count / max(1, self._offer.bytes))

    def _ended(self, how: str) -> None:
        self._timer.stop()
        self.get.setEnabled(True)
        self.wanted.setEnabled(True)
        self._forget_offer()
        self.told.setText(how)
        self._list()


def _button(text: str, do: Callable[[], object]) -> QPushButton:
    button = QPushButton(text)
    button.clicked.connect(lambda: do())
    return button


def _row(*widgets: QWidget) -> QHBoxLayout:
    row = QHBoxLayout()
    for widget in widgets:
        row.addWidget(widget)
    return row
