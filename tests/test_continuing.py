"""The editor goes on by itself when the writer pauses: only if that is wanted, and never in the way."""

from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QInputMethodEvent, QTextCursor
from PySide6.QtWidgets import QApplication

from conftest import discard, until
from palimpsest.app import continuing
from palimpsest.app.bridge import EngineBridge
from palimpsest.app.window import Window
from palimpsest.engine import Options, open_backend


@pytest.fixture
def window(qtbot, run, monkeypatch):  # noqa: ARG001  (the loop must exist first)
    monkeypatch.setattr(continuing, "PAUSE", 1)
    bridge = EngineBridge(open_backend)
    window = Window(bridge, Options(seed=1, max_steps=2))
    qtbot.addWidget(window, before_close_func=discard)
    window.show()
    window.activateWindow()
    window.editor.setFocus()
    window.use(replace(window.settings, continuing=True))
    yield window
    discard(window)
    window.close()
    bridge.close()


def test_a_pause_at_the_end_of_a_line_shows_a_draft_and_a_key_drops_it(window, run, qtbot):
    async def story():
        qtbot.keyClicks(window.editor, "def area(width, height):")
        await until(lambda: window.fills.filling)
        assert window.editor.text() == "def area(width, height):"
        qtbot.keyClicks(window.editor, " #")
        assert not window.page.session or window.page.session.original == ("",)
        assert window.editor.text() == "def area(width, height): #"

    run(story())


def test_moving_away_drops_what_nobody_asked_for(window, run, qtbot):
    async def story():
        qtbot.keyClicks(window.editor, "x = 1")
        await until(lambda: window.fills.filling)
        qtbot.keyClick(window.editor, Qt.Key.Key_Left)
        assert not window.fills.filling
        assert window.editor.text() == "x = 1"

    run(story())


def _blank_line(window, qtbot):
    qtbot.keyClicks(window.editor, "    ")


def _selection(window, qtbot):
    qtbot.keyClicks(window.editor, "some words")
    window.editor.selectAll()


def _middle(window, qtbot):
    qtbot.keyClicks(window.editor, "some words")
    window.editor.moveCursor(QTextCursor.MoveOperation.StartOfLine)


def _composing(window, qtbot):
    qtbot.keyClicks(window.editor, "some words")
    QApplication.sendEvent(window.editor, QInputMethodEvent("に", []))


def _menu(window, qtbot):
    qtbot.keyClicks(window.editor, "some words")
    window._context.popup(window.mapToGlobal(window.rect().center()))


@pytest.mark.parametrize("doing", [_blank_line, _selection, _middle, _composing, _menu])
def test_never_in_the_way(window, qtbot, doing):
    doing(window, qtbot)
    window.continuing._go_on()
    assert not window.fills.filling
    window._context.close()


def test_what_was_asked_for_stays_when_the_caret_moves(window, run, qtbot):
    async def story():
        qtbot.keyClicks(window.editor, "x = 1")
        window.fills.drop()
        window.fills.fill_in()
        qtbot.keyClick(window.editor, Qt.Key.Key_Left)
        assert window.fills.filling
        window.fills.drop()

    run(story())


def test_when_it_is_off_there_is_no_timer(window, qtbot):
    window.use(replace(window.settings, continuing=False))
    qtbot.keyClicks(window.editor, "x = 1")
    assert window.continuing._timer is None
    assert not window.fills.filling
