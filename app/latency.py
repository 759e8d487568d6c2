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
from qasync import QEventLoop

from palimpsest.app.bridge import EngineBridge
from palimpsest.app.garbage import Collector
from palimpsest.app.window import Window
from palimpsest.engine import Options, open_backend

KEYS = 300
PAUSE = 0.02  # seconds between keys: a very fast typist
CARET, HOLE = 145, 150  # lines of textwrap.py, from 0, both on screen


class Paints(QObject):
    """Notes that ``widget`` was painted."""

    def __init__(self, widget: QWidget):
        super().__init__(widget)
        self.seen = False
        widget.installEventFilter(self)

    def eventFilter(self, _watched: QObject, event: QEvent) -> bool:
        self.seen = self.seen or event.type() == QEvent.Type.Paint
        return False


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
        paints.seen = False
        began = time.perf_counter()
        QTest.keyClick(editor, Qt.Key.Key_X)
        while not paints.seen:
            await asyncio.sleep(0)
        times.append(time.perf_counter() - began)
        await asyncio.sleep(PAUSE)
    window.fills.drop()
    paints.deleteLater()
    return times


def place(window: Window, line: int) -> None:
    """Put the caret at the end of a line."""
    cursor = QTextCursor(window.editor.document().findBlockByNumber(line))
    cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock)
    window.editor.setTextCursor(cursor)
    window.editor.centerCursor()


def told(times: list[float]) -> dict[str, float]:
    """The median and the 99th percentile in milliseconds, by the names under which they are reported."""
    p99 = quantiles(times, n=100)[-1]
    return {"key_p50_ms": round(1e3 * median(times), 2), "key_p99_ms": round(1e3 * p99, 2)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, metavar="FOLDER")
    args = parser.parse_args()
    app = QApplication([])
    Collector(app)
    with QEventLoop(app) as loop:
        bridge = EngineBridge(lambda: open_backend(checkpoint=args.model))
        loaded = loop.create_future()
        bridge.loaded.connect(loaded.set_result)
        window = Window(bridge, Options(seed=0, length=100))
        window.show()
        loop.run_until_complete(loaded)
        loop.run_until_complete(window.pages.open(Path(textwrap.__file__)))
        times = loop.run_until_complete(measure(window, KEYS, filling=True))
        bridge.close()
    print(json.dumps(told(times)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
