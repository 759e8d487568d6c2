"""The fills of this session: when, what was asked, what stood there and what was written."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from palimpsest.app.span import Span
from palimpsest.engine.language import tr

if TYPE_CHECKING:
    from palimpsest.app.session import FillSession

WIDTH, HEIGHT = 760, 480  # pixels
BRIEF = 40  # characters of what was written


@dataclass(frozen=True)
class Filled:
    """One fill that was kept or dropped; its places in the text are followed further."""

    when: datetime
    page: str
    instruction: str
    spans: list[Span]
    before: tuple[str, ...]
    after: tuple[str, ...]
    kept: bool

    @classmethod
    def of(cls, session: "FillSession", page: str) -> "Filled":
        """What a session that has ended has written."""
        texts = session.answer.texts
        return cls(session.began, page, session.instruction, session.spans, session.original, texts, session.kept)

    @property
    def label(self) -> str:
        """The fill in a line."""
        asked, brief = self.instruction or tr("Fill in"), " ".join(" ".join(self.after).split())
        brief = brief if len(brief) <= BRIEF else brief[: BRIEF - 1] + "…"
        ended = tr("kept") if self.kept else tr("dropped")
        return f"{self.when:%H:%M:%S}  {self.page}  {asked}: {brief}  ({ended})"


class History(QDialog):
    """Lists the fills, the last first, and emits the one to be brought back."""

    wanted = Signal(Filled)

    def __init__(self, fills: Sequence[Filled], parent: QWidget | None = None):
        super().__init__(parent)
        self._fills = list(reversed(fills))
        self.setWindowTitle(tr("Fills of this session"))
        self.list = QListWidget()
        self.list.setAccessibleName(tr("Fills of this session"))
        self.list.addItems([filled.label for filled in self._fills])
        self.before, self.after = QPlainTextEdit(readOnly=True), QPlainTextEdit(readOnly=True)
        texts = QHBoxLayout()
        for title, text in ((tr("Before"), self.before), (tr("After"), self.after)):
            column = QVBoxLayout()
            text.setAccessibleName(title)
            column.addWidget(QLabel(title))
            column.addWidget(text)
            texts.addLayout(column)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        self.back = buttons.addButton(tr("&Bring back"), QDialogButtonBox.ButtonRole.AcceptRole)
        self.back.setEnabled(False)
        buttons.accepted.connect(self._choose)
        buttons.rejected.connect(self.reject)
        column = QVBoxLayout(self)
        column.addWidget(self.list)
        column.addLayout(texts)
        column.addWidget(buttons)
        self.list.currentRowChanged.connect(self._show)
        self.list.itemActivated.connect(lambda _item: self._choose())
        self.resize(WIDTH, HEIGHT)
        self.list.setCurrentRow(0)

    def _show(self, row: int) -> None:
        self.back.setEnabled(row >= 0)
        self.before.setPlainText("\n".join(self._fills[row].before))
        self.after.setPlainText("\n".join(self._fills[row].after))

    def _choose(self) -> None:
        self.accept()
        self.wanted.emit(self._fills[self.list.currentRow()])
