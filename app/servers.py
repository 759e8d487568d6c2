"""Which model fills: this machine's, or that of a server which the user named in the preferences."""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QInputDialog, QLineEdit, QMessageBox, QWidget

from palimpsest.app import offline, state
from palimpsest.app.bridge import EngineBridge
from palimpsest.app.page import Page
from palimpsest.app.settings import Settings
from palimpsest.app.tasks import started
from palimpsest.engine import Backend, EngineError, Event, Failed, Fill, Ready, in_words, open_backend, probe
from palimpsest.engine.language import tr

log = logging.getLogger(__name__)

HERE = tr("This machine")
SERVICE = "palimpsest"  # as the system's keys know it
KEY = "PALIMPSEST_API_KEY"  # in the environment, for servers whose key is nowhere else
LOG = 1 << 20  # bytes of the list of requests, after which it begins anew and the old one is kept once

_keys: dict[str, str] = {}  # of this run, where the system keeps none


@dataclass(frozen=True)
class Server:
    """A line of the preferences: an address, the name of a model where one is needed, and headers like
    ``X-Team=blue`` that a gateway wants."""

    address: str
    model: str | None = None
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, line: str) -> "Server":
        """The one that the line tells."""
        address, *words = line.split() or [""]
        headers = tuple((name, value) for name, equals, value in (word.partition("=") for word in words) if equals)
        return cls(address, " ".join(word for word in words if "=" not in word) or None, headers)

    @property
    def asked(self) -> dict[str, Any]:
        """How it is asked. May ask the user to unlock the system's keys: meant for a thread."""
        return {"server": self.address, "model": self.model, "key": self.key, "headers": self.headers}

    @property
    def host(self) -> str:
        """Its name, with the port if one is given."""
        return offline.host(self.address)

    @property
    def local(self) -> bool:
        """Is it this machine?"""
        return offline.local(self.address)

    @property
    def key(self) -> str | None:
        """What it knows the user by."""
        return _keys.get(self.host) or _kept(self.host) or os.environ.get(KEY)


def chosen() -> Server | None:
    """The server that fills; None for this machine's model."""
    line = _remembered().get("chosen")
    return Server.of(line) if line else None


def checkpoint() -> str | None:
    """The hub's name of the checkpoint that fills on this machine; None for the shipped one."""
    return _remembered().get("checkpoint") or None


def opened(here: Callable[[str | None], Backend]) -> Backend:
    """The backend that is chosen; ``here`` opens this machine's, given a checkpoint. Raises EngineError."""
    server = chosen()
    if server is None:
        return here(checkpoint())
    offline.check(server.address)
    return open_backend("remote", **server.asked)


def requests() -> Path:
    """The list of all requests that left for a server: when, where to and how many bytes, never the text."""
    return state.file("requests").with_suffix(".log")


def list_requests() -> None:
    """Keep the list from now on; there is none before the first request."""
    with suppress(OSError):  # then nothing can be listed, and the log says so
        requests().parent.mkdir(parents=True, exist_ok=True)
    handler = RotatingFileHandler(requests(), maxBytes=LOG, backupCount=1, encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    told = logging.getLogger("palimpsest.requests")
    told.setLevel(logging.INFO)
    told.propagate = False
    told.addHandler(handler)


class Servers(QObject):
    """Lets the user choose who fills, and stands before the engine so that nothing is sent that must not be."""

    told = Signal(str)
    preferences_wanted = Signal(str)  # what to search there
    requests_wanted = Signal(Path)
    sent_wanted = Signal()

    def __init__(self, bridge: EngineBridge, window: QWidget):
        super().__init__(window)
        self._bridge, self._window = bridge, window
        self.settings = Settings()
        bridge.loaded.connect(self._learn)

    def use(self, settings: Settings) -> None:
        """Behave as these settings say; a server that is no longer among them fills no more."""
        before, self.settings = self.settings, settings
        server = chosen()
        if server and server not in map(Server.of, settings.servers):
            self._choose("")
        elif server and not server.local and settings.offline != before.offline:
            self._bridge.reopen()

    @property
    def choices(self):
        """What the menu of models offers."""
        server = chosen()
        yield HERE + (" ✓" if server is None else ""), partial(self.choose, "")
        ways = self._ways
        for line in self.settings.servers:
            mark, address = " ✓" if server == Server.of(line) else "", Server.of(line).address
            way = f"  ({in_words(ways[address])})" if address in ways else ""
            yield f"{line}{mark}{way}", partial(self.choose, line)
        yield tr("Models…"), self.show_models
        yield tr("Engine…"), self.show_engine
        yield tr("Servers…"), partial(self.preferences_wanted.emit, tr("Servers"))
        yield tr("How to start a server…"), self.show_help
        if server:
            yield tr("Try {host}", host=server.host), partial(self.test, server)
            yield tr("Key of {host}…", host=server.host), partial(self.ask_key, server)
        yield tr("What is sent for the selection"), self.sent_wanted.emit
        yield tr("Requests so far"), partial(self.requests_wanted.emit, requests())

    def choose(self, line: str) -> None:
        """Have the server of that line of the preferences fill from now on, or with "" this machine."""
        if not line or self._agreed(Server.of(line)):
            self._choose(line)

    def show_models(self) -> None:
        """Let the user see to this machine's checkpoints."""
        from palimpsest.app.modelsdialog import ModelsDialog

        dialog = ModelsDialog(self._window, checkpoint() or "", self.settings.offline)
        dialog.chosen.connect(self._use_checkpoint)
        dialog.show()

    def show_engine(self) -> None:
        """Let the user have the model run on a GPU."""
        from palimpsest.app.enginedialog import EngineDialog

        dialog = EngineDialog(self._window, self.settings.offline)
        dialog.changed.connect(self._bridge.reopen)
        dialog.show()

    def show_help(self) -> None:
        """Tell how a server is started."""
        from palimpsest.app.serverhelp import ServerHelp

        ServerHelp(self._window).show()

    @started
    async def test(self, server: Server) -> None:
        """Tell how fast the server is."""
        if self.settings.offline and not server.local:
            self.told.emit(offline.elsewhere(server.address))
            return
        self.told.emit(tr("Asking {host}…", host=server.host))
        try:
            found = await asyncio.to_thread(lambda: probe(**server.asked))
            self._remember(server, found.ways)
            self.told.emit(found.told)
        except EngineError as error:
            self.told.emit(str(error))

    def ask_key(self, server: Server) -> None:
        """Have the user give the server's key, and keep it where the system keeps such."""
        hidden = QLineEdit.EchoMode.Password
        key, given = QInputDialog.getText(self._window, tr("Key"), tr("Your key for {host}", host=server.host), hidden)
        if not given:
            return
        if not _keep(server.host, key):
            self.told.emit(tr("This system keeps no keys: that of {host} is good until you quit.", host=server.host))
        self._bridge.reopen()

    def asked_by(self, page: Page) -> "Gate":
        """Whoever answers the fills of this page."""
        return Gate(self, self._bridge, page)

    def refusal(self, *names: str) -> str:
        """Why files of these names may not be sent to whoever fills now; nothing when they may."""
        server = chosen()
        if server is None:
            return ""
        if self.settings.offline and not server.local:
            return offline.elsewhere(server.address)
        for name in names:
            if pattern := next((one for one in self.settings.unsent if fnmatch(name, one)), ""):
                return tr(
                    "{name} is never sent to a server ({pattern} in the preferences): choose this machine's model "
                    "for it.",
                    name=name,
                    pattern=pattern,
                )
        return ""

    def gives_way(self, failed: Failed) -> bool:
        """Does this machine's model fill from now on, because a server did not?"""
        server = chosen()
        if server is None or not self.settings.fall_back:
            return False
        self.told.emit(tr("{message} This machine's model fills instead.", message=failed.message))
        self._choose("")
        return True

    def _learn(self, event: Event) -> None:
        """Remember how the chosen server fills."""
        server = chosen()
        if not (server and isinstance(event, Ready) and event.device.lower() == server.host.lower()):
            return
        if self._ways.get(server.address, [])[:1] != [*event.ways]:  # else a try has found out more
            self._remember(server, event.ways)

    @property
    def _ways(self) -> dict[str, list[str]]:
        ways = _remembered().get("ways", {})
        return {address: known for address, known in ways.items() if isinstance(known, list)}

    def _remember(self, server: Server, ways: Sequence[str]) -> None:
        state.write("servers", _remembered() | {"ways": self._ways | {server.address: [*ways]}})

    def _use_checkpoint(self, name: str) -> None:
        state.write("servers", _remembered() | {"chosen": "", "checkpoint": name})
        self._bridge.reopen()

    def _choose(self, line: str) -> None:
        state.write("servers", _remembered() | {"chosen": line})
        self._bridge.reopen()

    def _agreed(self, server: Server) -> bool:
        """Does the user agree that text is sent there? Asked once for each server that is another machine."""
        agreed = _remembered().get("agreed", [])
        if server.local or server.host in agreed:
            return True
        question = tr(
            "{host} is another machine. Whatever is filled is sent there: the text around the place, up "
            "to 20,000 characters of the file, and images that you show the model. Go on?",
            host=server.host,
        )
        buttons = QMessageBox.StandardButton
        if QMessageBox.question(self._window, "Palimpsest", question) != buttons.Yes:
            return False
        state.write("servers", _remembered() | {"agreed": [*agreed, server.host]})
        return True


class Gate:
    """The engine as it answers the fills of one page: not at all, where its text must not be sent."""

    def __init__(self, servers: Servers, bridge: EngineBridge, page: Page):
        self._servers, self._bridge, self._page = servers, bridge, page

    async def fill(self, fill: Fill) -> AsyncGenerator[Event, None]:
        """As the engine's bridge does."""
        names = [self._page.path.name if self._page.path else "", *(picture.name for picture in fill.pictures)]
        if reason := self._servers.refusal(*filter(None, names)):
            yield Failed(reason)
            return
        async with aclosing(self._bridge.fill(fill)) as events:
            async for event in events:
                if isinstance(event, Failed) and self._servers.gives_way(event):
                    break
                yield event
            else:
                return
        async with aclosing(self._bridge.fill(fill)) as events:
            async for event in events:
                yield event


def _remembered() -> dict:
    try:
        told = state.read("servers")
    except (OSError, ValueError) as error:
        log.warning("the chosen server cannot be told: %s", error)
        told = None
    return told if isinstance(told, dict) else {}


def _kept(host: str) -> str | None:
    """The key of that host, from the system. May ask the user to unlock it."""
    import keyring  # slow, and seldom needed
    from keyring.errors import KeyringError

    try:
        return keyring.get_password(SERVICE, host)
    except KeyringError as error:
        log.info("no key of this system: %s", error)
        return None


def _keep(host: str, key: str) -> bool:
    """Keep a key, at least for this run; did the system take it?"""
    import keyring
    from keyring.errors import KeyringError

    _keys[host] = key
    try:
        keyring.set_password(SERVICE, host, key)
    except KeyringError as error:
        log.info("the key is not kept: %s", error)
        return False
    return True
