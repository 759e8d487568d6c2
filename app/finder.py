"""Finds in all files of the folder, and lists what it found."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from time import monotonic

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, QRect, Qt, Signal
from PySide6.QtGui import QFontDatabase, QHideEvent, QKeyEvent, QPainter
from PySide6.QtWidgets import (
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QToolButton,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from palimpsest.app.announce import announce
from palimpsest.app.bar import Bar
from palimpsest.app.find import LOOK, query_toggles
from palimpsest.app.grep import Hit, Searched, grep
from palimpsest.app.icons import icon
from palimpsest.app.search import Query, SearchError
from palimpsest.app.tasks import portion, started
from palimpsest.engine.language import tr

MOST = 5_000  # places that are listed
AT_ONCE = 50  # that are added without a look at the clock
SLICE = 0.008  # seconds of adding, between which the window lives and is painted
BEFORE, SHOWN = 60, 240  # characters of a long line: before what was found, and in all
FILE, HIT, PLACE = range(Qt.ItemDataRole.UserRole, Qt.ItemDataRole.UserRole + 3)


class Finder(Bar):
    """Searches on a thread, one search at a time: a newer one takes the place of the last, and hiding stops it."""

    chosen = Signal(Path, object)  # a file and the Hit in it

    def __init__(
        self,
        root: Callable[[], Path | None],
        unsaved: Callable[[Path], Mapping[Path, str]],
        parent: QWidget | None = None,
    ):
        """``unsaved`` tells the texts of a folder's files that are not on the disk."""
        super().__init__(parent)
        self._root, self._unsaved = root, unsaved
        self._searches = 0
        self._until = 0.0
        self._turn = asyncio.Lock()
        self.wanted, self.told, self.results = QLineEdit(), QLabel(), QTreeWidget()
        self.wanted.setPlaceholderText(tr("find in the folder; Return begins"))
        self.wanted.setAccessibleName(tr("Find in files"))
        self.wanted.setMinimumWidth(260)
        self.case, self.word, self.expression = query_toggles(self)
        self.told.setWordWrap(True)
        self._end = QToolButton()
        self._end.setIcon(icon("stop"))
        self._end.setAccessibleName(tr("Stop"))
        self._end.setToolTip(tr("Stop"))
        self._end.setEnabled(False)
        self.results.setAccessibleName(tr("Found"))
        self.results.setHeaderHidden(True)
        self.results.setTextElideMode(Qt.TextElideMode.ElideNone)
        self.results.setUniformRowHeights(True)
        self.results.header().setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
        self.results.header().setStretchLastSection(False)
        self.results.header().setResizeContentsPrecision(AT_ONCE)
        self._file = icon("file")
        self._fixed = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
        self.results.setItemDelegate(_Emphasis(self.results))
        row, column = QHBoxLayout(), QVBoxLayout(self)
        for widget in (self.wanted, self.case, self.word, self.expression, self._end):
            row.addWidget(widget)
        row.addWidget(self.told, 1)
        column.setContentsMargins(8, 4, 8, 4)
        column.addLayout(row)
        column.addWidget(self.results)
        self.wanted.returnPressed.connect(self.search)
        for toggle in (self.case, self.word, self.expression):
            toggle.toggled.connect(lambda _on: self.search())
        self._end.clicked.connect(lambda _checked: self.stop())
        self.results.itemActivated.connect(self._choose)

    def open(self, selected: str) -> None:
        """Show the bar, to look for what is selected if that is in one line."""
        self.show()
        if selected and "\n" not in selected:
            self.wanted.setText(selected)
        self.wanted.selectAll()
        self.wanted.setFocus()

    @property
    def query(self) -> Query:
        """What is looked for."""
        toggles = (self.case.isChecked(), self.word.isChecked(), self.expression.isChecked())
        return Query(self.wanted.text(), "", *toggles)

    @started
    async def search(self) -> None:
        """Find anew."""
        self.stop()
        self.results.clear()
        self.told.clear()
        number, query, root = self._searches, self.query, self._root()
        if not root or not query.wanted:
            return
        unsaved = {str(path.relative_to(root)): text for path, text in self._unsaved(root).items()}
        self._end.setEnabled(True)
        async with self._turn:
            try:
                await self._list(number, root, grep(query, root, unsaved))
            except SearchError as error:
                if number == self._searches:
                    self.told.setText(str(error))
        if number == self._searches:
            self.stop()

    def stop(self) -> None:
        """Search no further; what was found stays."""
        self._searches += 1
        self._end.setEnabled(False)

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        if not event.spontaneous():  # unlike a window that is minimised
            self.stop()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() == Qt.Key.Key_Down:
            self.results.setFocus()
        else:
            super().keyPressEvent(event)

    async def _list(self, number: int, root: Path, files: Iterator[Searched]) -> None:
        count, searched = 0, Counter[str]()  # files by why they were skipped
        while count < MOST and (more := await asyncio.to_thread(portion, files)) and number == self._searches:
            for file in more:
                searched[file.skipped] += 1
                if hits := file.hits[: MOST - count]:
                    count += len(hits)
                    await self._add(number, root, file.name, hits)
                    if number != self._searches:
                        return
            self._tell(count, searched)

    async def _add(self, number: int, root: Path, name: str, hits: list[Hit]) -> None:
        item = QTreeWidgetItem([f"{name}  ({len(hits)})"])
        item.setIcon(0, self._file)
        item.setData(0, FILE, root / name)
        self.results.addTopLevelItem(item)
        item.setExpanded(True)
        for first in range(0, len(hits), AT_ONCE):
            item.addChildren([self._row(hit) for hit in hits[first : first + AT_ONCE]])
            if monotonic() > self._until:
                await asyncio.sleep(0)  # keys that wait come first
                self._until = monotonic() + SLICE
                if number != self._searches:
                    return

    def _row(self, hit: Hit) -> QTreeWidgetItem:
        text, start, end = _row(hit)
        row = QTreeWidgetItem([text])
        row.setFont(0, self._fixed)
        row.setData(0, HIT, hit)
        row.setData(0, PLACE, (start, end))
        return row

    def _tell(self, count: int, searched: Counter[str]) -> None:
        files = tr(
            "{found:,} of {searched:,} files",
            found=self.results.topLevelItemCount(),
            searched=searched[""],
        )
        hits = tr("{count:,} at least", count=count) if count == MOST else f"{count:,}"
        told = tr("{hits} in {files}", hits=hits, files=files)
        skipped = ", ".join(f"{many:,} {why}" for why, many in searched.items() if why)
        self.told.setText(tr("{told}; not searched: {skipped}", told=told, skipped=skipped) if skipped else told)
        announce(self.told, told)

    def _choose(self, item: QTreeWidgetItem) -> None:
        if file := item.parent():
            self.chosen.emit(file.data(0, FILE), item.data(0, HIT))


class _Emphasis(QStyledItemDelegate):
    """Marks in a row what was found."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        super().paint(painter, option, index)
        if place := index.data(PLACE):
            self.initStyleOption(option, index)
            style, metrics = option.widget.style(), option.fontMetrics
            start, end = (metrics.horizontalAdvance(option.text[:at]) for at in place)
            mark = style.subElementRect(QStyle.SubElement.SE_ItemViewItemText, option, option.widget)
            left = mark.left() + style.pixelMetric(QStyle.PixelMetric.PM_FocusFrameHMargin) + 1
            painter.fillRect(QRect(left + start, mark.top(), end - start, mark.height()), LOOK)


def _row(hit: Hit) -> tuple[str, int, int]:
    """The line of a hit as it is listed, and where in that is what was found."""
    start = hit.column - 1
    indented = len(hit.within) - len(hit.within.lstrip())
    cut = max(min(indented, start), start - BEFORE)
    number = f"{hit.line:>6}  {'…' if cut > indented else ''}"
    shown = number + hit.within[cut : cut + SHOWN].replace("\t", " ").rstrip()
    at = len(number) + start - cut
    return shown, at, min(at + len(hit.text), len(shown))
