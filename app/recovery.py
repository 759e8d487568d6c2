"""Unsaved text outlives a crash: what changes is written down within half a second, and found again at the next start.

A journal is a file of JSON lines in the user's state folder: first the text as it was when it was saved last, and how
its file is written, then every change. Drafts are no changes.
"""

import json
import logging
import os
import time
import uuid
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from platformdirs import user_state_path
from PySide6.QtCore import QLockFile, QObject, QTimerEvent
from PySide6.QtGui import QTextDocument

from palimpsest.app import state
from palimpsest.app.encoding import Text
from palimpsest.app.span import stretch

log = logging.getLogger(__name__)

PAUSE = 500  # milliseconds that changes are gathered before they are written
MOST = 1 << 20  # characters of changes; a journal with more, and more than the text has, begins anew


@dataclass(frozen=True)
class Rescued:
    """A text that was not saved when the editor ended."""

    path: Path | None
    file: Text
    journal: Path


class Recovery:
    """The folder of this run's journals, locked while it lasts; writing happens on a thread of its own, in order."""

    def __init__(self, home: Path | None = None):
        self._home = home or user_state_path("palimpsest") / "unsaved"
        self.folder = self._home / uuid.uuid4().hex
        self._thread = ThreadPoolExecutor(1, "journal")
        self._locks: list[QLockFile] = []
        try:
            self.folder.mkdir(parents=True, mode=0o700)
        except OSError as error:
            log.error("nothing unsaved will outlive a crash: %s", error)
        self._lock(self.folder)

    def begin(self, name: Path, text: str) -> None:
        """Begin the journal ``name`` anew."""
        self._do(_replace, name, text)

    def append(self, name: Path, text: str) -> None:
        """Go on with the journal ``name``."""
        self._do(_append, name, text)

    def drop(self, name: Path) -> None:
        """Forget the journal ``name``: nothing in it is unsaved any more."""
        self._do(name.unlink, True)

    def left(self) -> list[Rescued]:
        """What earlier runs that did not end well have left, the oldest first; theirs is ours to drop from now on."""
        names = []
        for folder in self._home.glob("*"):  # none where it could not be made
            if folder != self.folder and self._lock(folder):
                names += folder.glob("*.jsonl")
        return [found for name in sorted(names, key=lambda name: name.name) if (found := read(name))]

    def close(self) -> None:
        """Write what is to be written, and end."""
        self._thread.shutdown()
        while self._locks:
            lock = self._locks.pop()
            folder = Path(lock.fileName()).parent
            lock.unlock()
            for part in folder.glob("*.part"):
                part.unlink()
            if not list(folder.iterdir()):
                folder.rmdir()

    def _lock(self, folder: Path) -> bool:
        lock = QLockFile(str(folder / "lock"))
        lock.setStaleLockTime(0)  # however long a run lasts; a lock whose process is gone can be taken
        if lock.tryLock(0):
            self._locks.append(lock)
            return True
        return False

    def _do(self, write: Callable[..., None], *arguments: object) -> None:
        self._thread.submit(write, *arguments).add_done_callback(_told)


def _told(written: Future) -> None:
    if error := written.exception():
        log.error("what is unsaved now would not outlive a crash: %s", error)


class Journal(QObject):
    """Writes down the changes of ``document`` from the first one until it is saved or let go."""

    def __init__(self, document: QTextDocument, recovery: Recovery):
        super().__init__(document)
        self._document, self._recovery = document, recovery
        self._name = recovery.folder / f"{time.time_ns()}-{uuid.uuid4().hex}.jsonl"
        self._path: Path | None = None
        self._file = Text("")
        self._changes: list[str] = []
        self._length = self._revision = self._written = 0
        self._begun = False
        document.contentsChange.connect(self._changed)
        document.modificationChanged.connect(self._modified)

    def base(self, path: Path | None, file: Text) -> None:
        """From now on changes are told from ``file``, which ``path`` holds and the document shows."""
        self._path, self._file = path, file
        self._length, self._revision = self._document.characterCount() - 1, self._document.revision()
        self.drop()

    def drop(self) -> None:
        """Nothing is unsaved."""
        self._changes.clear()
        if self._begun:
            self._begun = False
            self._recovery.drop(self._name)

    def write(self) -> None:
        """Write the changes down now."""
        if not self._changes:
            return
        text = "".join(self._changes)
        self._changes.clear()
        self._written += len(text)
        if self._written > max(MOST, len(self._file.text)):
            self._begin_now()
        else:
            self._recovery.append(self._name, text)

    def move(self, path: Path) -> None:
        """From now on this is the file ``path``; what is unsaved stays so."""
        self._path = path
        if self._begun:
            self._changes.clear()
            self._begin_now()

    def timerEvent(self, event: QTimerEvent) -> None:
        self.killTimer(event.timerId())
        self.write()

    def _begin_now(self) -> None:
        self._begin(self._file.holds(stretch(self._document, 0, self._length)))

    def _begin(self, file: Text) -> None:
        self._begun, self._written = True, 0
        told = {"path": str(self._path) if self._path else None, "file": asdict(file)}
        self._recovery.begin(self._name, json.dumps(told) + "\n")

    def _modified(self, modified: bool) -> None:
        if modified and not self._begun:
            self._begin(self._file)
        elif not modified:
            self.drop()

    def _changed(self, position: int, removed: int, added: int) -> None:
        before, self._length = self._length, self._document.characterCount() - 1
        if self._document.revision() == self._revision:
            return  # only colours changed
        self._revision = self._document.revision()
        # Qt counts the document's own last mark when everything changes.
        end, until = min(position + removed, before), min(position + added, self._length)
        if not self._begun:
            self._begin(self._file)
        if not self._changes:
            self.startTimer(PAUSE)
        self._changes.append(json.dumps([position, end - position, stretch(self._document, position, until)]) + "\n")


def read(name: Path) -> Rescued | None:
    """What the journal ``name`` holds; None if not even its beginning was written."""
    lines = name.read_text("utf-8").split("\n")
    try:
        told = json.loads(lines[0])
    except ValueError:
        return None
    file = state.known(Text, told["file"])
    data = bytearray(_utf16(file.text))
    for line in lines[1:-1]:  # what is behind the last line's end was cut off
        position, removed, added = json.loads(line)
        data[2 * position : 2 * (position + removed)] = _utf16(added)
    text = data.decode("utf-16-le", "surrogatepass")
    return Rescued(Path(told["path"]) if told["path"] else None, replace(file, text=text), name)


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")


def _replace(name: Path, text: str) -> None:
    part = name.with_suffix(".part")
    _append(part, text)
    part.replace(name)


def _append(name: Path, text: str) -> None:
    # Only the user may read what the user has not even saved.
    with open(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "a", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
