"""Opens a file by a few letters of its name."""

import asyncio
import os
import re
from collections.abc import Iterable
from functools import partial
from heapq import nlargest
from itertools import islice, takewhile
from operator import itemgetter
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from palimpsest.app.folder import walk
from palimpsest.app.palette import Choice, Palette, match
from palimpsest.app.tasks import portion, started
from palimpsest.engine.language import tr

SHOWN = 100  # files at most
OWN = 10  # what it counts that the letters are in the file's own name and not only in its folders'


class QuickOpen(Palette):
    """Offers the files of a folder, or only some where there is none; ``name:12:3`` is a line and column in a file,
    ``:12`` a line of the page in front. The folder is read, and names are compared, on a thread."""

    file_chosen = Signal(Path, int, int)  # and where in it; line 0: nowhere
    line_chosen = Signal(int, int)

    def __init__(self, root: Path | None, first: Iterable[Path], parent: QWidget | None = None):
        """``first`` are the files that come first, of which those in ``root`` are offered."""
        super().__init__(tr("File"), tr("file, file:line or :line"), parent)
        self._root = root or Path()
        inside = (path for path in first if not root or path.is_relative_to(root))
        self._names = [str(path.relative_to(root) if root else path) for path in inside]
        self._searches = 0
        self._closed = False
        self.finished.connect(self._stop)
        self._found = self.search("")
        self._gathered = self._gather(root) if root else self._found

    def search(self, wanted: str) -> asyncio.Task:
        self._searches += 1
        self._found = self._find(self._searches, *_place(wanted))
        return self._found

    @started
    async def choose(self) -> None:
        wanted = self.wanted.text()
        await self._found
        if not self._closed and not self.names:
            await self._gathered
        if not self._closed and self.wanted.text() == wanted:
            super().choose()

    @started
    async def _gather(self, root: Path) -> None:
        known, names = set(self._names), walk(root)
        while (more := await asyncio.to_thread(portion, names)) and not self._closed:
            self._names += (name for name in more if name not in known)
            await self.search(self.wanted.text())

    @started
    async def _find(self, number: int, name: str, line: int, column: int) -> None:
        names = takewhile(lambda _name: number == self._searches, tuple(self._names))
        best = await asyncio.to_thread(lambda: [one for one in rank(name, names) if (self._root / one).exists()])
        if number != self._searches:
            return
        if line and not name:
            self.offer([Choice(tr("Line {line}", line=line), "", partial(self.line_chosen.emit, line, column))])
        else:
            self.offer(self._choice(Path(one), line, column) for one in best)

    def _choice(self, name: Path, line: int, column: int) -> Choice:
        folder = "" if name.parent == Path() else str(name.parent)
        return Choice(name.name, folder, partial(self.file_chosen.emit, self._root / name, line, column))

    def _stop(self) -> None:
        self._searches += 1
        self._closed = True


def rank(wanted: str, names: Iterable[str]) -> list[str]:
    """Those of the names of files that fit best, at most SHOWN, the best first."""
    if not wanted:
        return list(islice(names, SHOWN))
    letters = re.compile("".join(f"[^{one}]*{one}" for one in map(re.escape, wanted.replace(" ", ""))), re.IGNORECASE)
    scores = ((score, name) for name in names if letters.match(name) and (score := _score(wanted, name)) is not None)
    return [name for _, name in nlargest(SHOWN, scores, key=itemgetter(0))]


def _score(wanted: str, name: str) -> float | None:
    if own := match(wanted, os.path.basename(name)):
        return own.score + OWN
    fit = match(wanted, name)
    return fit.score if fit else None


def _place(wanted: str) -> tuple[str, int, int]:
    """What is written, as a name, a line, 0 if there is none, and a column."""
    found = re.fullmatch(r"(.*?)(?::(\d*))?(?::(\d*))?", wanted)
    name, line, column = found.groups() if found else (wanted, None, None)
    return name.strip(), int(line or 0), int(column or 1)
