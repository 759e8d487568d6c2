"""How long a key takes to be painted, also while a fill runs in the same window; JSON for the engine's bench."""

import argparse
import asyncio
import json
import sys
import textwrap
import time
from pathlib import Path
from statistics import median, quantiles

from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QTextCursor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from palimpsest.app.bridge import EngineBridge
from palimpsest.app.garbage import Collector
from palimpsest.app.tasks import EventLoop
from palimpsest.app.window import Window
from palimpsest.engine import Draft, Options, open_backend

KEYS = 300
FILLS = 60
SETTLED = 0.15  # seconds: long enough to read what a new place needs
PAUSE = 0.02  # seconds between keys: a very fast typist
TYPED = "total = sum(one.size for one in found if one.wanted)\r"  # over and over, as one writes code
CARET, HOLE = 145, 150  # lines of textwrap.py, from 0, both on screen


class Paints(QObject):
    """Lets one wait for the paint of ``widget`` without a busy loop, which would take the engine's core."""

    def __init__(self, widget: QWidget):
        super().__init__(widget)
        self._next = asyncio.Future()
        widget.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint and not self._next.done():
            self._next.set_result(None)
        return False

    def next(self) -> asyncio.Future[None]:
        """Done when the next paint has been handled."""
        self._next = asyncio.Future()
        return self._next


async def measure(window: Window, keys: int, filling: bool, line: int = CARET) -> list[float]:
    """Seconds from each key press in ``line`` until its paint event has been handled, while a fill runs a few lines
    below or not."""
    editor, times = window.editor, []
    paints = Paints(editor.viewport())
    place(window, line)
    await asyncio.sleep(PAUSE)  # until the place is painted
    while len(times) < keys:
        if filling and (not window.fills.filling or window.fills.drafted):
            window.fills.drop()
            place(window, line + HOLE - CARET)
            window.fills.fill_in()
            place(window, line)
        painted = paints.next()
        began = time.perf_counter()
        QTest.keyClicks(editor, TYPED[len(times) % len(TYPED)])
        await painted
        times.append(time.perf_counter() - began)
        await asyncio.sleep(PAUSE)
    window.fills.drop()
    paints.deleteLater()
    return times


async def first_drafts(window: Window, count: int) -> list[float]:
    """Seconds from the shortcut at the end of a line until its first draft is painted, the text before it read already,
    as while one chooses. That at the first of the places, for which all before it is read, does not count."""
    times = []
    paints = Paints(window.editor.viewport())
    for line in range(CARET - count - 1, CARET):
        place(window, line)
        window.fills.warm()
        await asyncio.sleep(SETTLED)
        began = time.perf_counter()
        QTest.keyClick(window.editor, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
        while not isinstance(window.page.session and window.page.session.last, Draft):
            await paints.next()
        times.append(time.perf_counter() - began)
        window.fills.drop()
    paints.deleteLater()
    return times[1:]


def place(window: Window, line: int) -> None:
    """Put the caret at the end of a line."""
    cursor = QTextCursor(window.editor.document().findBlockByNumber(line))
    cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock)
    window.editor.setTextCursor(cursor)
    window.editor.centerCursor()


def told(times: list[float], what: str = "key") -> dict[str, float]:
    """The median and the 99th percentile in milliseconds, by the names under which they are reported."""
    p99 = quantiles(times, n=100)[-1]
    return {f"{what}_p50_ms": round(1e3 * median(times), 2), f"{what}_p99_ms": round(1e3 * p99, 2)}


async def all_times(window: Window) -> dict[str, float]:
    """Keys while a fill runs, and first drafts."""
    await window.pages.open(Path(textwrap.__file__))
    keys = told(await measure(window, KEYS, filling=True))
    window.fills.options = Options(seed=0)
    return keys | told(await first_drafts(window, FILLS), "first_draft")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, metavar="FOLDER")
    args = parser.parse_args()
    app = QApplication([])
    Collector(app)
    with EventLoop(app) as loop:
        bridge = EngineBridge(lambda: open_backend("process", checkpoint=args.model))
        loaded = loop.create_future()
        bridge.loaded.connect(loaded.set_result)
        window = Window(bridge, Options(seed=0, length=100))
        window.show()
        loop.run_until_complete(loaded)
        times = loop.run_until_complete(all_times(window))
        bridge.close()
    print(json.dumps(times))
    return 0


if __name__ == "__main__":
    sys.exit(main())
