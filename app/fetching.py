"""A process of ours that fetches something, a bar while it does, and a button that ends it."""

from contextlib import suppress

from PySide6.QtCore import QProcess, Signal
from PySide6.QtWidgets import QHBoxLayout, QProgressBar, QPushButton, QWidget

from palimpsest.engine.language import tr

STEPS = 1000  # of the bar
PATIENCE = 1000  # milliseconds


class Fetching(QWidget):
    """Hidden while nothing is fetched. What came before it is stopped must be good for the next time."""

    said = Signal(str)  # a line of the process
    done = Signal()
    stopped = Signal()
    failed = Signal(str)  # its last words

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.bar, self.stop = QProgressBar(), QPushButton(tr("&Stop"))
        self.bar.setAccessibleName(tr("Fetched so far"))
        self.stop.clicked.connect(self.end)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.bar)
        row.addWidget(self.stop)
        self._process = QProcess(self)
        self._process.readyReadStandardOutput.connect(self._hear)
        self._process.errorOccurred.connect(self._not_started)
        self._process.finished.connect(self._finished)
        self.hide()

    @property
    def running(self) -> bool:
        """Is something fetched?"""
        return not self.isHidden()

    def begin(self, command: list[str]) -> None:
        """Run what fetches."""
        self.bar.setRange(0, 0)  # busy, until a share is known
        self.show()
        self._process.start(command[0], command[1:])

    def show_share(self, share: float) -> None:
        """So much of it has come, from 0 to 1."""
        self.bar.setRange(0, STEPS)
        self.bar.setValue(int(STEPS * min(1.0, share)))

    def end(self) -> None:
        """End the process, with those it started."""
        import psutil  # a window begins without it

        if self._process.state() != QProcess.ProcessState.NotRunning:
            with suppress(psutil.NoSuchProcess):  # it is about to start, or one of them has just ended
                for child in psutil.Process(self._process.processId()).children(recursive=True):
                    child.kill()
            self._process.kill()
            self._process.waitForFinished(PATIENCE)

    def leave(self) -> None:
        """End the process; nobody listens any more."""
        self.blockSignals(True)
        self.end()

    def _hear(self) -> None:
        while self._process.canReadLine():
            self.said.emit(self._process.readLine().toStdString().strip())

    def _not_started(self, error: QProcess.ProcessError) -> None:
        if error == QProcess.ProcessError.FailedToStart:
            self.hide()
            self.failed.emit(
                tr(
                    "{program} cannot be started: {reason}.",
                    program=self._process.program(),
                    reason=self._process.errorString(),
                )
            )

    def _finished(self, status: int, ended: QProcess.ExitStatus) -> None:
        self.hide()
        if ended == QProcess.ExitStatus.CrashExit:
            self.stopped.emit()
        elif status == 0:
            self.done.emit()
        else:
            *_, last = self._process.readAllStandardError().toStdString().splitlines() or [""]
            self.failed.emit(last.removeprefix("palimpsest: "))
