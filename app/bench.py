"""How fast the editor is here: its start, its keys, and big files, beside what Qt's own plain editor takes.

Each figure comes from processes of its own, offscreen unless QT_QPA_PLATFORM says otherwise; ratios are of runs that
took turns. The window with big files has no model, so that memory is the editor's own.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from PySide6.QtCore import QEvent, QObject, QTimer
from PySide6.QtWidgets import QApplication, QPlainTextEdit

from palimpsest.app import latency, main
from palimpsest.app.bridge import EngineBridge
from palimpsest.app.garbage import Collector
from palimpsest.app.tasks import EventLoop
from palimpsest.app.window import Window
from palimpsest.engine import Backend, EngineError, Options, open_backend

KEYS = 50  # at one place
PLACES = 10  # quiet ones, and as many beside a fill
LINE = b"%07d the quick brown fox jumps over the lazy dog, and packs five dozen liquor jugs besides, all day.\n"
MEGABYTE = 10**6


class FirstPaint(QObject):
    """Calls ``then`` once a plain-text editor of the application has been painted."""

    def __init__(self, then: Callable[[], object]):
        app = QApplication.instance()
        assert app
        super().__init__(app)
        self._then = then
        app.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint and isinstance(watched.parent(), QPlainTextEdit):
            self.deleteLater()
            QTimer.singleShot(0, self._then)
        return False


def memory() -> int:
    """The most memory this process has held, in bytes."""
    status = Path("/proc/self/status").read_text()
    return next(1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM"))


# The parts: each runs in a process of its own and tells what it saw.


def start(_path: Path) -> None:
    """CPU seconds of this process until ``palimpsest`` is on the screen."""

    class Timed(Window):
        def show(self) -> None:
            FirstPaint(lambda: _end(time.process_time()))
            super().show()

    sys.modules[Window.__module__].Window = Timed  # pyright: ignore[reportAttributeAccessIssue]
    main.main([])


def bare_start(_path: Path) -> None:
    """The same of an application with an empty editor."""
    app = QApplication([])
    editor = QPlainTextEdit()
    FirstPaint(lambda: _end(time.process_time()))
    editor.show()
    app.exec()


def bare_open(path: Path) -> None:
    """Seconds until Qt's editor shows the decoded text of ``path``, and memory."""
    app = QApplication([])
    text = path.read_bytes().decode()
    editor = QPlainTextEdit()
    editor.show()
    app.processEvents()
    began = time.perf_counter()
    FirstPaint(lambda: _end((time.perf_counter() - began, memory())))
    editor.setPlainText(text)
    app.exec()


def big_open(path: Path) -> None:
    """Seconds until the window shows ``path`` to edit, and memory; and the milliseconds of a key in it."""

    async def story(window: Window) -> tuple[float, int, float]:
        await asyncio.sleep(0.1)
        began = time.perf_counter()
        await window.pages.open(path)
        paints = latency.Paints(window.editor.viewport())
        painted = paints.next()
        window.editor.viewport().update()  # it may have been painted already
        await painted
        seconds, most = time.perf_counter() - began, memory()
        times = await latency.measure(window, 5, filling=False, line=0)
        return seconds, most, 1e3 * median(times)

    _in_window(_no_model, story)


def keys(path: Path) -> None:
    """Seconds of keys in ``path``, without and with a fill beside them, at places that take turns."""

    async def story(window: Window) -> tuple[list[float], list[float]]:
        quiet, filling = [], []
        await window.pages.open(path)
        lines = window.editor.document().blockCount()
        for place in range(2 * PLACES):
            times = filling if place % 2 else quiet
            line = lines * (place + 1) // (2 * PLACES + 2)
            times += await latency.measure(window, KEYS, bool(place % 2), line)
        return quiet, filling

    _in_window(lambda: open_backend("process"), story)


PARTS = {part.__name__: part for part in (start, bare_start, bare_open, big_open, keys)}


def _no_model() -> Backend:
    raise EngineError("Measured without a model.")


def _in_window(opened: Callable[[], Backend], story: Callable[[Window], Any]) -> None:
    app = QApplication([])
    app.setStyle("Fusion")
    Collector(app)
    with EventLoop(app) as loop:
        bridge = EngineBridge(opened)
        loaded = loop.create_future()
        bridge.loaded.connect(loaded.set_result)
        window = Window(bridge, Options(seed=0, length=100))
        window.show()
        loop.run_until_complete(loaded)
        _end(loop.run_until_complete(story(window)))


def _end(told: object) -> None:
    print(json.dumps(told), flush=True)
    os._exit(0)  # taking the window and the model down is not measured


def run(part: Callable[[Path], None], path: Path, home: str) -> Any:
    """What ``part`` tells of ``path``."""
    command = [sys.executable, "-m", "palimpsest.app.bench", "--part", part.__name__, str(path)]
    folders = {f"XDG_{kind}_HOME": home for kind in ("CACHE", "CONFIG", "STATE")}
    environment = {"QT_QPA_PLATFORM": "offscreen"} | os.environ | folders
    result = subprocess.run(command, stdout=subprocess.PIPE, env=environment, check=True, timeout=600)
    return json.loads(result.stdout)


def measure(runs: int, home: str) -> dict[str, float]:
    """All figures; files are made in ``home``."""
    folder = Path(home)
    python, big, line = folder / "long.py", folder / "big.txt", folder / "line.txt"
    python.write_bytes(_python(MEGABYTE))
    big.write_bytes(b"".join(LINE % number for number in range(100 * MEGABYTE // len(LINE % 0))))
    line.write_bytes(b"words and " * (MEGABYTE // 10))
    starts = [(run(start, folder, home), run(bare_start, folder, home)) for _ in range(runs)]
    report = {"start_over_bare_s": round(median(ours - bare for ours, bare in starts), 3)}
    quiet, filling = run(keys, python, home)
    report |= latency.told(quiet)
    beside = latency.told(filling)
    report["key_p99_ratio_filling"] = round(beside["key_p99_ms"] / report["key_p99_ms"], 2)
    opened = [(run(big_open, big, home), run(bare_open, big, home)) for _ in range(runs)]
    report["open_100mb_ratio"] = round(median(ours[0] / bare[0] for ours, bare in opened), 2)
    report["mem_100mb_ratio"] = round(median(ours[1] / bare[1] for ours, bare in opened), 2)
    report["key_100mb_ms"] = round(median(ours[2] for ours, _ in opened), 2)
    report["long_line_key_ms"] = round(run(big_open, line, home)[2], 1)
    return report


def _python(size: int) -> bytes:
    """So many bytes of Python, from the standard library."""
    sources, code = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")), b""
    while len(code) < size:
        code += sources.pop().read_bytes()
    return code[: code.rindex(b"\n", 0, size) + 1]


def bench() -> int:
    parser = argparse.ArgumentParser(prog="python -m palimpsest.app.bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="of each pair that is compared")
    parser.add_argument("--json", type=Path, metavar="PATH")
    parser.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.part:
        PARTS[args.part[0]](Path(args.part[1]))
        return 0
    with tempfile.TemporaryDirectory() as home:
        report = measure(args.runs, home)
    for name, value in report.items():
        print(f"{name:24} {value}")
    if args.json:
        args.json.write_text(json.dumps(report, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(bench())
