"""Takes the pictures of ``tests/shots``: the real window, a file of the standard library, a real draft half-way.

    xvfb-run -s '-screen 0 1280x900x24' .venv/bin/python packaging/screenshots.py [FOLDER]

Nothing on the pictures is made up: the line is selected and filled as a user would, and the picture of the draft is
taken at the step asked for.
"""

import argparse
import asyncio
import os
import shutil
import sysconfig
import tempfile
import textwrap
from collections.abc import Awaitable, Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

# Neither the settings nor the files of whoever runs this.
os.environ["HOME"] = tempfile.mkdtemp()
os.environ["XDG_CACHE_HOME"] = os.environ["XDG_CONFIG_HOME"] = os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp()

from PIL import Image
from PySide6.QtCore import QBuffer
from PySide6.QtGui import QPixmap, QTextCursor
from PySide6.QtWidgets import QApplication, QMenu

from palimpsest.app.bridge import EngineBridge
from palimpsest.app.garbage import Collector
from palimpsest.app.style import Style
from palimpsest.app.tasks import EventLoop
from palimpsest.app.theme import load_fonts
from palimpsest.app.window import Window
from palimpsest.engine import Draft, Event, Options, open_backend

FOLDER = Path(__file__).parent.parent / "tests" / "shots"
FRAME = 1 / 60  # seconds
STEP, READING = 200, 1500  # milliseconds that a step, or what is to be read, stands in the sequence
SETTLING = 0.5  # seconds until what was opened is painted


def select(window: Window, line: int) -> None:
    """Select the text of a line (from 1) after its indentation, and bring it to the middle of the window."""
    block = window.editor.document().findBlockByNumber(line - 1)
    cursor = QTextCursor(block)
    cursor.setPosition(block.position() + len(block.text()) - len(block.text().lstrip()))
    cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock, QTextCursor.MoveMode.KeepAnchor)
    window.editor.setTextCursor(cursor)
    window.editor.centerCursor()


async def seen(window: Window) -> QPixmap:
    """The window as it is on the screen, with all that stands before it."""
    await asyncio.sleep(SETTLING)
    return window.screen().grabWindow(window.winId(), 0, 0, window.width(), window.height())


async def draft(window: Window, line: int, step: int) -> QPixmap:
    """A fill of ``line`` at ``step``."""
    select(window, line)
    taken = asyncio.get_running_loop().create_future()
    show = window.status.report

    def report(event: Event) -> None:
        show(event)
        if isinstance(event, Draft) and event.step >= step and not taken.done():
            taken.set_result(window.grab())

    window.status.report = report
    window.fills.fill_in()
    picture = await asyncio.wait_for(taken, 60)
    window.status.report = show
    window.fills.drop()
    while window.fills.filling:
        await asyncio.sleep(0)
    return picture


async def beside(window: Window, show: Callable[[], object]) -> QPixmap:
    """The window with what ``show`` opens before it, which is closed again."""
    show()
    picture = await seen(window)
    for widget in QApplication.topLevelWidgets():
        if widget is not window and widget.isVisible():
            widget.close()
    return picture


async def asked(window: Window, line: int) -> QPixmap:
    """The bar at the line in which one says what shall change."""
    select(window, line)
    window.fills.ask_rewrite()
    window.ask_bar.field.setText("Format this")
    picture = await seen(window)
    window.ask_bar.shut()
    return picture


async def finished(window: Window) -> None:
    """A fill has ended."""
    while window.fills.running:
        await asyncio.sleep(FRAME)


async def words(window: Window, line: int) -> QPixmap:
    """The menu of other words for one of a finished draft's."""
    select(window, line)
    window.fills.fill_in()
    await finished(window)
    window.fills.offer_words()
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    while menu.actions()[1].text().startswith("Looking"):
        await asyncio.sleep(FRAME)
    picture = await seen(window)
    menu.close()
    window.fills.drop()
    return picture


async def recorded(window: Window, line: int) -> list[tuple[QPixmap, int]]:
    """A fill from the selection until it is kept: each picture with the milliseconds it stands."""
    select(window, line)
    frames = [(await seen(window), READING)]
    show, drawn = window.status.report, set()

    def report(event: Event) -> None:
        show(event)
        if isinstance(event, Draft) and event.step not in drawn:
            drawn.add(event.step)
            frames.append((window.grab(), STEP))

    window.status.report = report
    window.fills.fill_in()
    await finished(window)
    window.status.report = show
    frames.append((await seen(window), READING))
    window.fills.keep()
    frames.append((await seen(window), READING))
    window.editor.undo()
    return frames


def save_sequence(frames: list[tuple[QPixmap, int]], path: Path) -> None:
    """Write an animated WebP."""
    pictures = []
    for pixmap, _ in frames:
        data = QBuffer()
        data.open(QBuffer.OpenModeFlag.WriteOnly)
        pixmap.save(data, "PNG")
        pictures.append(Image.open(BytesIO(data.data().data())).convert("RGB"))
    durations = [duration for _, duration in frames]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=durations, loop=0, quality=70)


async def found(window: Window) -> QPixmap:
    """The find bar, with something found."""
    window.find_bar.open(replacing=True)
    window.find_bar.wanted.setText("width")
    picture = await seen(window)
    window.find_bar.shut()
    return picture


async def begun(window: Window) -> QPixmap:
    """An empty page, with what it offers."""
    page = window.pages.new()
    picture = await seen(window)
    window.pages.close_page(page)
    return picture


async def folded(window: Window) -> QPixmap:
    """A file of which only the outlines are shown."""
    window.editor.folding.fold_all()
    window.page.go_to(1)
    picture = await seen(window)
    window.editor.folding.unfold_all()
    return picture


async def shoot(window: Window, args: argparse.Namespace) -> None:
    folder = Path.home() / "library"
    shutil.copytree(Path(sysconfig.get_path("stdlib")) / "json", folder / "json", ignore=lambda *_: ["__pycache__"])
    shutil.copy(textwrap.__file__, folder)
    await window.pages.open(folder)
    await window.pages.open(folder / "json" / "decoder.py")
    window.pages.close_page(window.page)
    await window.pages.open(folder / "textwrap.py")
    states: dict[str, Callable[[], Awaitable[QPixmap]]] = {
        "draft": lambda: draft(window, args.line, args.step),
        "ask": lambda: asked(window, args.line),
        "words": lambda: words(window, args.line),
        "light": lambda: seen(window),
        "find": lambda: found(window),
        "folding": lambda: folded(window),
        "start": lambda: begun(window),
        "palette": lambda: beside(window, window.show_palette),
        "preferences": lambda: beside(window, window.show_preferences),
    }
    args.folder.mkdir(exist_ok=True)
    for name, take in states.items():
        assert (await take()).save(str(args.folder / f"{name}.png"))
    save_sequence(await recorded(window, args.line), args.folder / "fill.webp")
    window.use(replace(window.settings, theme="dark"))
    assert (await draft(window, args.line, args.step)).save(str(args.folder / "dark.png"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    parser.add_argument("--line", type=int, default=215)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--step", type=int, default=6)
    args = parser.parse_args()
    app = QApplication([])
    app.setStyle(Style())
    load_fonts()
    Collector(app)
    with EventLoop(app) as loop:
        bridge = EngineBridge(open_backend)
        loaded = loop.create_future()
        bridge.loaded.connect(loaded.set_result)
        window = Window(bridge, Options(seed=args.seed))
        window.show()
        window.use(replace(window.settings, theme="light"))
        loop.run_until_complete(loaded)
        loop.run_until_complete(shoot(window, args))
        bridge.close()


if __name__ == "__main__":
    main()
