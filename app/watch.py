"""Notices when files change on the disk behind the editor's back."""

from pathlib import Path

from PySide6.QtCore import QFileSystemWatcher, QObject, Signal

from palimpsest.app.document import Stamp, stamp


class DiskWatch(QObject):
    """Tells once of each change of a watched file that was not expected.

    ``check()`` looks at all files itself, for disks that send no notices.
    """

    changed = Signal(Path)

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self._known: dict[Path, Stamp | None] = {}
        self._notices = QFileSystemWatcher(self)
        self._notices.fileChanged.connect(lambda name: self._look(Path(name)))
        self._notices.directoryChanged.connect(self.check)

    def expect(self, path: Path) -> None:
        """Watch ``path``; as it is now it is known."""
        self._known[path] = stamp(path)
        # The folder tells of a file that another takes the place of, as most programs save.
        self._notices.addPaths([name for name in (str(path), str(path.parent)) if Path(name).exists()])

    def forget(self, path: Path) -> None:
        """Watch ``path`` no longer."""
        if self._known.pop(path, None):
            self._notices.removePath(str(path))
        if path.parent not in {known.parent for known in self._known}:
            self._notices.removePath(str(path.parent))

    def check(self) -> None:
        """Look at all files now."""
        for path in list(self._known):
            self._look(path)

    def _look(self, path: Path) -> None:
        if path in self._known and stamp(path) != self._known[path]:
            self.expect(path)
            self.changed.emit(path)
