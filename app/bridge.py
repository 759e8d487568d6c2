"""The only file where Qt and the engine meet: the engine's events become signals, the newest of each job wins."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable
from typing import Protocol

from PySide6.QtCore import QObject, Signal

from palimpsest.engine import LOADING, Backend, Engine, Event, Failed, Fill, Loading, Progress, Ready, Unloaded


class Asked(Protocol):
    """Whoever answers fills: the engine, by its bridge, or what stands before it."""

    def fill(self, fill: Fill) -> AsyncGenerator[Event, None]:
        """Yield progress, then Done, Failed or Stopped. Leaving early stops it."""
        ...


class EngineBridge(QObject):
    """Owns the engine. Its thread only leaves the newest event and a signal; everything else happens in this one."""

    loading = Signal(object)  # Loading
    loaded = Signal(object)  # Ready, Unloaded, or Failed when the model cannot be loaded
    _arrived = Signal(int)

    def __init__(self, open_backend: Callable[[], Backend], parent: QObject | None = None):
        super().__init__(parent)
        self._lock = threading.Lock()
        self._newest: dict[int, Event] = {}
        self._readers: dict[int, asyncio.Event] = {}
        self._arrived.connect(self._wake)
        self._engine = Engine(open_backend, self._leave)

    async def fill(self, fill: Fill) -> AsyncGenerator[Event, None]:
        """Yield the newest progress whenever there is some, then Done, Failed or Stopped. Leaving early stops it."""
        job = self._engine.submit(fill)
        arrived = self._readers[job] = asyncio.Event()
        try:
            event: Event | None = None
            while event is None or isinstance(event, Progress):
                await arrived.wait()
                arrived.clear()
                event = self._take(job)
                yield event
        finally:
            del self._readers[job]
            self._engine.stop(job)

    def warm(self, fill: Fill) -> None:
        """Let the engine read what a fill like this one will need."""
        self._engine.warm(fill)

    def unload(self) -> None:
        """Give the model's memory back until the next fill."""
        self._engine.unload()

    def reopen(self) -> None:
        """Open the backend anew: it may be another one now."""
        self._engine.reopen()

    def close(self) -> bool:
        """Stop the engine; True when its thread has ended."""
        return self._engine.close()

    def _leave(self, job: int, event: Event) -> None:
        with self._lock:
            first = job not in self._newest
            self._newest[job] = event
        if first:
            self._arrived.emit(job)

    def _wake(self, job: int) -> None:
        if reader := self._readers.get(job):
            reader.set()
        else:
            event = self._take(job)
            if isinstance(event, Loading):
                self.loading.emit(event)
            elif job == LOADING:
                assert isinstance(event, Ready | Unloaded | Failed)
                self.loaded.emit(event)

    def _take(self, job: int) -> Event:
        with self._lock:
            return self._newest.pop(job)
