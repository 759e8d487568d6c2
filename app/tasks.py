"""The event loop, coroutines that are started and not waited for, and long work in portions."""

import asyncio
import functools
import sys
from collections.abc import Callable, Coroutine, Iterator
from time import monotonic
from typing import Any, TypeVar

from qasync import QEventLoop

T = TypeVar("T")

PORTION = 0.1  # seconds

_running: set[asyncio.Task] = set()  # the event loop itself would let them be collected


class EventLoop(QEventLoop):
    """Qt's event loop as one of asyncio's, whose callbacks find it running whenever Qt calls them: it does so between
    two runs too."""

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any, context: Any = None) -> asyncio.Handle:
        return super().call_later(delay, self._called, callback, *args, context=context)

    def _called(self, callback: Callable[..., Any], *args: Any) -> None:
        outer = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            callback(*args)
        finally:
            asyncio._set_running_loop(outer)


def started(method: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[..., asyncio.Task]:
    """The coroutine as a task that is under way when the call returns; its errors reach the excepthook."""

    @functools.wraps(method)
    def start(*args: Any) -> asyncio.Task:
        task = asyncio.ensure_future(method(*args))
        _running.add(task)
        task.add_done_callback(_ended)
        return task

    return start


def _ended(task: asyncio.Task) -> None:
    _running.discard(task)
    if not task.cancelled() and (error := task.exception()):
        sys.excepthook(type(error), error, error.__traceback__)


def portion(items: Iterator[T]) -> list[T]:
    """What a generator yields in a tenth of a second, one item at least; nothing when it has ended. Meant for a thread:
    whoever asks for no more has stopped the work."""
    until, got = monotonic() + PORTION, []
    for item in items:
        got.append(item)
        if monotonic() > until:
            break
    return got
