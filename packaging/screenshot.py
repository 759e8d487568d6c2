"""Takes the README's picture: the real window, a file of the standard library, a real draft half-way.

    xvfb-run -s '-screen 0 1280x900x24' .venv/bin/python packaging/screenshot.py [OUT.png] [--line N] [--seed N]

Nothing on the picture is made up: the line is selected and filled as a user would, and the picture is taken at the
step asked for.
"""

import argparse
import asyncio
import textwrap
from pathlib import Path

from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QApplication
from qasync import QEventLoop

from palimpsest.app.bridge import EngineBridge
from palimpsest.app.garbage import Collector
from palimpsest.app.window import Window
from palimpsest.engine import Draft, Event, Options, open_backend

OUT = Path(__file__).parent.parent / "resources" / "screenshot.png"


def select(window: Window, line: int) -> None:
    """Select the text of a line (from 1) after its indentation, and bring it to the middle of the window."""
    block = window.editor.document().findBlockByNumber(line - 1)
    cursor = QTextCursor(block)
    cursor.setPosition(block.position() + len(block.text()) - len(block.text().lstrip()))
    cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock, QTextCursor.MoveMode.KeepAnchor)
    window.editor.setTextCursor(cursor)
    window.editor.centerCursor()


async def shoot(window: Window, args: argparse.Namespace) -> None:
    await window.pages.open(Path(textwrap.__file__))
    select(window, args.line)
    taken = asyncio.get_running_loop().create_future()
    show = window.status.report

    def report(event: Event) -> None:
        show(event)
        if isinstance(event, Draft) and event.step >= args.step and not taken.done():
            taken.set_result(window.grab())

    window.status.report = report
    window.fill_in()
    picture = await asyncio.wait_for(taken, 60)
    assert picture.save(str(args.out))
    window.drop()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="?", default=OUT)
    parser.add_argument("--line", type=int, default=119)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--step", type=int, default=4)
    args = parser.parse_args()
    app = QApplication([])
    app.setStyle("Fusion")
    Collector(app)
    with QEventLoop(app) as loop:
        bridge = EngineBridge(open_backend)
        loaded = loop.create_future()
        bridge.loaded.connect(loaded.set_result)
        window = Window(bridge, Options(seed=args.seed))
        window.show()
        loop.run_until_complete(loaded)
        loop.run_until_complete(shoot(window, args))
        bridge.close()


if __name__ == "__main__":
    main()
