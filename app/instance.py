"""One editor for each user: a second start hands its files to the window that is there already.

They speak over a local socket: one line of JSON, a list of places and whether the sender waits until the files are
closed; a line in answer; the end of the connection says that they are.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

from platformdirs import user_state_path
from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QFileOpenEvent
from PySide6.QtNetwork import QLocalServer, QLocalSocket
from PySide6.QtWidgets import QApplication

from palimpsest.app.resume import Place

if TYPE_CHECKING:
    from palimpsest.app.pages import Pages

PATIENCE = 2000  # milliseconds for a window to answer; one that does not is taken for dead


def _name() -> str:
    return "palimpsest-" + hashlib.sha256(str(user_state_path("palimpsest")).encode()).hexdigest()[:16]


def hand_over(places: list[Place], wait: bool) -> bool:
    """Was there a window that has taken the files? If so, returns when they are closed if ``wait``, else at once."""
    socket = QLocalSocket()
    socket.connectToServer(_name())
    if not socket.waitForConnected(PATIENCE):
        return False
    socket.write(json.dumps([[asdict(place) for place in places], wait]).encode() + b"\n")
    if not socket.waitForReadyRead(PATIENCE):
        return False
    if wait and socket.state() == QLocalSocket.LocalSocketState.ConnectedState:
        socket.waitForDisconnected(-1)
    return True


class Application(QApplication):
    """The application, which a Mac tells of a file to be opened: it starts no second one."""

    def __init__(self, arguments: list[str]):
        super().__init__(arguments)
        self._told: list[str] = []
        self._open: Callable[[str], object] = self._told.append

    def opens(self, open: Callable[[str], object]) -> None:
        """Have such files opened by ``open``, also those that were told of before."""
        self._open = open
        while self._told:
            open(self._told.pop(0))

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QFileOpenEvent) and event.file():
            self._open(event.file())
            return True
        return super().event(event)


class Instance(QObject):
    """Listens for files from later starts and opens them in ``pages``."""

    def __init__(self, pages: "Pages"):
        super().__init__(pages)
        self._pages = pages
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        QLocalServer.removeServer(_name())  # of one that crashed: nobody has answered
        self._server.newConnection.connect(self._take)
        self._server.listen(_name())

    def close(self) -> None:
        """Listen no longer."""
        self._server.close()

    def _take(self) -> None:
        while socket := self._server.nextPendingConnection():
            socket.readyRead.connect(lambda socket=socket: self._read(socket))
            socket.disconnected.connect(socket.deleteLater)

    def _read(self, socket: QLocalSocket) -> None:
        if not socket.canReadLine():
            return
        told, wait = json.loads(bytes(socket.readLine().data()))
        socket.write(b"taken\n")
        socket.flush()
        self._pages.open_for([Place(**place) for place in told], socket.disconnectFromServer if wait else None)
        if not wait:
            socket.disconnectFromServer()
