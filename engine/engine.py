"""One background thread that fills: one job at a time, the newest wins."""

import itertools
import logging
import threading
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass

from palimpsest.engine.backend import Backend
from palimpsest.engine.errors import EngineError, LostError, sentence
from palimpsest.engine.request import Event, Failed, Fill, Loading, Seeded, Stopped, Unloaded

log = logging.getLogger(__name__)

LOADING = 0  # the job id under which Ready, or the reason why not, is reported
PATIENCE = 5.0  # seconds


class _ClosedError(Exception):
    """Nobody waits for this model any more."""


class _Reopening:
    """The backend is to be opened anew."""


@dataclass(frozen=True)
class _Job:
    id: int
    asked: Fill | Seeded
    stopped: threading.Event


class Engine:
    """Runs a backend on its own thread, which starts at once by opening and loading it.

    ``report(job, event)`` is called from that thread (from the caller's for a job that never ran), and must not block.
    Every submitted job ends with exactly one of Done, Denoised, Failed and Stopped, even when the engine is closed.
    """

    def __init__(self, open_backend: Callable[[], Backend], report: Callable[[int, Event], None]):
        self._open, self._report = open_backend, report
        self._ids = itertools.count(LOADING + 1)
        self._changed = threading.Condition()
        self._waiting: _Job | None = None
        self._running: _Job | None = None
        self._wanted: Fill | None = None  # to be warmed for, once there is nothing else to do
        self._unwanted = False  # shall the backend be closed, once there is nothing else to do?
        self._outdated = False  # shall it be opened anew, before anything else?
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    def submit(self, asked: Fill | Seeded) -> int:
        """Queue what is asked and return its job id; what waits gives way and what runs is stopped."""
        job = _Job(next(self._ids), asked, threading.Event())
        with self._changed:
            replaced, self._waiting = (job, None) if self._closed else (self._waiting, job)
            self._wanted = None
            if self._running:
                self._running.stopped.set()
            self._changed.notify()
        if replaced:
            self._report(replaced.id, Stopped())
        return job.id

    def warm(self, fill: Fill) -> None:
        """Get ready for ``fill`` while nothing else is to be done; gives way to any fill and to a newer one."""
        with self._changed:
            self._wanted = fill
            self._changed.notify()

    def stop(self, job: int) -> None:
        """Stop the job of that id within one denoising step; does nothing when it has ended."""
        with self._changed:
            waiting = self._waiting if self._waiting and self._waiting.id == job else None
            if waiting:
                self._waiting = None
            elif self._running and self._running.id == job:
                self._running.stopped.set()
        if waiting:
            self._report(job, Stopped())

    def unload(self) -> None:
        """Give the backend's memory back once nothing is to be filled; Unloaded is reported, and the next fill
        loads it again."""
        with self._changed:
            self._unwanted = True
            self._changed.notify()

    def reopen(self) -> None:
        """Stop what is filled and open and load the backend anew, as at the start: it may be another one now."""
        with self._changed:
            self._outdated = True
            if self._running:
                self._running.stopped.set()
            self._changed.notify()

    def close(self) -> bool:
        """Stop everything; True when the thread has ended within PATIENCE."""
        with self._changed:
            self._closed = True
            waiting = self._waiting.id if self._waiting else None
            self._changed.notify()
        if waiting:
            self.stop(waiting)
        with self._changed:
            if self._running:
                self._running.stopped.set()
        self._thread.join(PATIENCE)
        return not self._thread.is_alive()

    def _run(self) -> None:
        backend = self._load(LOADING)
        while job := self._next():
            if isinstance(job, Unloaded | _Reopening):
                if backend is not None:
                    self._close(backend)
                    backend = None
                if isinstance(job, _Reopening):
                    backend = self._load(LOADING)
                continue
            if isinstance(job, Fill):
                if backend is not None:
                    self._warm(backend, job)
                continue
            if backend is None:
                backend = self._load(job.id)
            if backend is not None and not self._fill(backend, job):
                self._close(backend)
                backend = None
            with self._changed:
                self._running = None
        if backend is not None:
            backend.close()

    def _next(self) -> _Job | Fill | Unloaded | _Reopening | None:
        with self._changed:
            self._changed.wait_for(self._called)
            if self._closed:
                return None
            if self._outdated:
                self._outdated = False
                return _Reopening()
            if self._waiting:
                self._running, self._waiting = self._waiting, None
                return self._running
            if self._unwanted:
                self._unwanted = False
                return Unloaded()
            fill, self._wanted = self._wanted, None
            return fill

    def _called(self) -> bool:
        """Is there something to do that has not begun?"""
        return bool(self._waiting or self._wanted or self._unwanted or self._outdated or self._closed)

    def _load(self, job: int) -> Backend | None:
        """Open and load the backend; a failure is reported under ``job``, and the next fill tries again."""
        with ExitStack() as unused:
            try:
                backend = self._open()
                unused.callback(backend.close)
                ready = backend.load(self._tell)
            except _ClosedError:
                if job != LOADING:
                    self._report(job, Stopped())
                return None
            except Exception as error:  # the job loop is one of the three places that catch
                self._report(job, _failure(error))
                return None
            unused.pop_all()
        self._report(LOADING, ready)
        return backend

    def _tell(self, progress: Loading | None) -> None:
        if self._closed or self._outdated:
            raise _ClosedError
        if progress:
            self._report(LOADING, progress)

    def _close(self, backend: Backend) -> None:
        backend.close()
        self._report(LOADING, Unloaded())

    def _warm(self, backend: Backend, fill: Fill) -> None:
        try:
            with closing(backend.warm(fill)) as readings:
                for _ in readings:
                    if self._called():
                        break
        except EngineError as error:
            log.info("not warmed: %s", error)  # the fill itself will say it to the user
        except Exception:  # still the job loop: the thread lives on, and the fill itself will fail and be told
            log.exception("warming failed")

    def _fill(self, backend: Backend, job: _Job) -> bool:
        """Have the job done; False when the backend is lost with it."""
        try:
            asked, last = job.asked, None
            with closing(backend.fill(asked) if isinstance(asked, Fill) else backend.denoise(asked)) as events:
                for event in events:
                    if job.stopped.is_set():
                        break
                    if event is not last:
                        self._report(job.id, event)
                    last = event
                else:
                    return True
        except Exception as error:
            self._report(job.id, _failure(error))
            return not isinstance(error, LostError)
        self._report(job.id, Stopped())
        return True


def _failure(error: Exception) -> Failed:
    if not isinstance(error, EngineError):
        log.exception("the engine failed")
    return Failed(sentence(error))
