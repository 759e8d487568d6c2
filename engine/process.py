"""The model in a process of its own, which computes beside the window and whose end is not the window's."""

import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import IO

import msgspec

from palimpsest.engine import environment
from palimpsest.engine.backend import Tell
from palimpsest.engine.engine import LOADING
from palimpsest.engine.errors import EngineError, LostError
from palimpsest.engine.language import tr
from palimpsest.engine.request import (
    Denoised,
    Done,
    Event,
    Failed,
    Fill,
    Loading,
    Progress,
    Reading,
    Ready,
    Seeded,
    Stopped,
    Waiting,
)
from palimpsest.engine.weights import SHIPPED
from palimpsest.engine.wire import Request, event_of

GLANCE = 0.05  # seconds between two looks at whether anybody still waits
PATIENCE = 1  # seconds that a process which tells no more gets to end


class ProcessBackend:
    """Fills by ``palimpsest.engine.worker`` in a process of its own, which takes what LocalBackend takes.

    ``python`` is the interpreter that runs it, by default this one.
    """

    def __init__(
        self, checkpoint: str | Path | None = None, precision: str | None = None, python: str | Path | None = None
    ):
        self._variables = environment.outside() if python else None
        self._command = command(python, checkpoint or SHIPPED, precision)
        self._process: subprocess.Popen[bytes] | None = None
        self._events: queue.SimpleQueue[tuple[int, Event] | None] = queue.SimpleQueue()

    def load(self, tell: Tell = lambda _: None) -> Ready:
        """Start the process and wait until it has loaded the model. Raises EngineError."""
        flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
        try:
            self._process = subprocess.Popen(
                self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=self._variables, creationflags=flags
            )
        except OSError as error:
            raise EngineError(tr("The model's process cannot be started: {error}.", error=error)) from error
        self._events = queue.SimpleQueue()
        self._jobs = count(LOADING + 1)  # the engine over there counts alike
        assert self._process.stdout
        threading.Thread(target=_read, args=(self._process.stdout, self._events), daemon=True).start()
        while True:
            event = self._next(LOADING)
            if isinstance(event, Ready):
                return event
            if isinstance(event, Failed):
                raise EngineError(event.message)
            assert event is None or isinstance(event, Loading)
            tell(event)

    def close(self) -> None:
        """End the process."""
        if process := self._process:
            process.kill()
            process.wait()
            assert process.stdin
            with suppress(OSError):  # what was asked of a process that had ended already
                process.stdin.close()
            self._process = None

    def warm(self, fill: Fill) -> Generator[Reading, None, None]:
        """Have the process get ready for ``fill``, which gives way there to whatever is asked next."""
        self._ask(Request(warm=fill))
        yield from ()

    def fill(self, fill: Fill) -> Generator[Progress | Done, None, None]:
        """As over there. Raises LostError when the process ends."""
        for event in self._told(Request(fill=fill)):
            assert not isinstance(event, Denoised)
            yield event

    def denoise(self, seeded: Seeded) -> Generator[Progress | Denoised, None, None]:
        """As over there. Raises LostError when the process ends."""
        for event in self._told(Request(denoise=seeded)):
            assert not isinstance(event, Done)
            yield event

    def _told(self, request: Request) -> Generator[Progress | Done | Denoised, None, None]:
        self._ask(request)
        job, progress = next(self._jobs), Waiting()
        try:
            while not isinstance(event := self._next(job), Done | Denoised):
                if isinstance(event, Failed):
                    raise EngineError(event.message)
                if isinstance(event, Stopped):
                    raise LostError(tr("The model's process stopped by itself: ask again. Your text is untouched."))
                assert event is None or isinstance(event, Progress)
                progress = event or progress
                yield progress
            yield event
        finally:
            self._ask(Request(stop=job))  # if it has not ended; what it still tells of it is not looked at

    def _ask(self, request: Request) -> None:
        assert self._process, "load() comes first"
        assert self._process.stdin
        try:
            self._process.stdin.write(msgspec.json.encode(request) + b"\n")
            self._process.stdin.flush()
        except OSError:
            pass  # it has ended, which whoever waits for an event learns

    def _next(self, job: int) -> Event | None:
        """What is told next of a job; None when nothing is for a while. Raises LostError."""
        try:
            while told := self._events.get(timeout=GLANCE):
                if told[0] == job:
                    return told[1]
        except queue.Empty:
            return None
        self._events.put(None)  # also for whoever asks later
        assert self._process
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(PATIENCE)
        self._process.kill()
        raise LostError(_ended(self._process.wait()))


def command(python: str | Path | None, checkpoint: str | Path, precision: str | None) -> list[str]:
    """What runs the worker: another Python, by itself; the executable of a bundle, which knows it as ``worker``; or
    this Python."""
    if python:
        words = [str(python), "-I", "-m", "palimpsest.engine.worker"]
    elif getattr(sys, "frozen", False):
        words = [sys.executable, "worker"]
    else:
        words = [sys.executable, "-P", "-m", "palimpsest.engine.worker"]
    return [*words, f"--model={checkpoint}", *([f"--precision={precision}"] if precision else [])]


def _read(stdout: IO[bytes], events: queue.SimpleQueue[tuple[int, Event] | None]) -> None:
    """Put what the process tells into ``events``, and None behind the last."""
    try:
        with stdout:
            for line in stdout:
                job, _, event = line.decode().partition(" ")
                events.put((int(job), event_of(event)))
    finally:
        events.put(None)


def _ended(code: int) -> str:
    how = tr("with code {code}", code=code) if code >= 0 else tr("by {name}", name=signal.Signals(-code).name)
    hint = tr("; the memory may not have sufficed") if -code == getattr(signal, "SIGKILL", None) else ""
    return tr(
        "The model's process has ended {how}{hint}: the next fill starts it again. Your text is untouched.",
        how=how,
        hint=hint,
    )
