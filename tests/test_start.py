"""What an empty page offers, by keys alone, and that it is gone when something is written."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from conftest import discard, until
from palimpsest.app import recent
from palimpsest.app.bridge import EngineBridge
from palimpsest.app.window import Window
from palimpsest.engine import EngineError

Key = Qt.Key


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    paths = [tmp_path / f"{name}.txt" for name in "ab"]
    for path in paths:
        path.write_text(path.name)
        recent.add(path)
    return paths


@pytest.fixture
def window(qtbot, run, files):  # noqa: ARG001  (they come first)
    loaded = []
    bridge = EngineBridge(no_model)
    bridge.loaded.connect(loaded.append)
    window = Window(bridge)
    qtbot.addWidget(window, before_close_func=discard)
    window.show()
    window.activateWindow()
    run(until(window.isActiveWindow))
    run(until(lambda: loaded and window.start.isVisible() and window.editor.hasFocus()))
    yield window
    discard(window)
    window.close()
    bridge.close()


def no_model():
    raise EngineError("The start page needs none.")


def press(key):
    widget = QApplication.focusWidget()
    assert widget
    QTest.keyClick(widget, key)


def focused(window):
    return next((choice.text() for choice in window.start.choices if choice.hasFocus()), None)


def test_keys_choose_a_file_and_what_is_shown_goes(window, run, files):
    async def story():
        press(Key.Key_Down)
        assert focused(window) == "b.txt"
        press(Key.Key_Down)
        press(Key.Key_Return)
        await until(lambda: window.page.path == files[0])

    run(story())
    assert window.start.isHidden()
    assert window.editor.text() == "a.txt"


def test_arrows_and_esc_lead_back_to_the_text(window):
    for leave in (Key.Key_Up, Key.Key_Escape):
        press(Key.Key_Down)
        press(leave)
        assert focused(window) is None
        assert window.editor.hasFocus()


@pytest.mark.parametrize("in_choice", [False, True])
def test_what_is_written_is_text_and_it_is_gone(window, in_choice):
    if in_choice:
        press(Key.Key_Down)
    press(Key.Key_X)
    assert window.editor.text() == "x"
    assert window.start.isHidden()
    assert window.editor.hasFocus()
    press(Key.Key_Down)
    assert focused(window) is None


def test_it_comes_with_each_empty_page(window, run, files):
    async def story():
        await window.pages.open(files[0])
        assert window.start.isHidden()
        page = window.pages.new()
        assert window.start.isVisible()
        window.pages.close_page(page)
        assert window.start.isHidden()
        window.pages.close_page(window.page)
        assert window.start.isVisible()

    run(story())


def test_a_file_that_is_gone_is_told(window, run, files):
    async def story():
        files[1].unlink()
        window.start.choices[0].click()
        await until(lambda: "no longer there" in window.status.currentMessage())

    run(story())
    assert window.page.path is None


def test_without_room_it_is_not_shown(window, run):
    window.resize(900, 200)
    run(until(lambda: window.start.isHidden()))
    window.resize(900, 640)
    run(until(lambda: window.start.isVisible()))
