"""Asking: the bar with its options and instructions; failures are told where they can be mended; the list of fills."""

import asyncio
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextCursor

from conftest import discard, until
from palimpsest.app import instructions, state
from palimpsest.app.bridge import EngineBridge
from palimpsest.app.history import Filled, History
from palimpsest.app.settings import Settings
from palimpsest.app.window import Window
from palimpsest.engine import Options, open_backend


@pytest.fixture
def words(qtbot, run, tiny_folder):  # noqa: ARG001  (the loop must exist first)
    """A window with a tiny model on a few words."""
    bridge = EngineBridge(lambda: open_backend(checkpoint=tiny_folder))
    window = Window(bridge, Options(seed=1, max_steps=2))
    qtbot.addWidget(window, before_close_func=discard)
    window.show()
    window.editor.insertPlainText("some words and more words")
    yield window
    discard(window)
    window.close()
    bridge.close()


def select(window, start, end):
    cursor = window.editor.textCursor()
    cursor.setPosition(start)
    cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
    window.editor.setTextCursor(cursor)


def test_the_bar_gives_the_instruction_and_its_options(words, qtbot):
    select(words, 0, 4)
    words.fills.ask_rewrite()
    bar = words.ask_bar
    bar.strength.setValue(50)
    bar.alternatives.setValue(3)
    bar.length.setValue(12)
    with qtbot.waitSignal(bar.asked) as told:
        qtbot.keyClicks(bar.field, "Shorten")
        qtbot.keyClick(bar.field, Qt.Key.Key_Return)
    assert told.args[0] == "Shorten"
    assert told.args[1] == Options(seed=1, max_steps=2, strength=0.5, alternatives=3, length=12)
    assert not bar.isVisible()
    words.fills.drop()


@pytest.mark.parametrize("line", [0, 40])
def test_the_bar_stands_at_the_line_and_inside_the_window(words, line):
    words.editor.insertPlainText("\n" * 60)
    words.pages.page.go_to(line + 1)
    words.editor.moveCursor(QTextCursor.MoveOperation.PreviousWord, QTextCursor.MoveMode.KeepAnchor)
    words.fills.ask_rewrite()
    bar = words.ask_bar
    assert words.centralWidget().rect().contains(bar.geometry())
    caret = words.editor.viewport().mapTo(words.centralWidget(), words.editor.cursorRect().topLeft())
    assert not bar.geometry().contains(caret)
    bar.shut()


def test_instructions_asked_for_come_first_then_ones_own_then_the_useful_ones():
    state.file("instructions").unlink(missing_ok=True)
    settings = Settings(instructions=("Say it as a pirate",))
    assert instructions.offered(settings, prose=True)[0] == "Say it as a pirate"
    assert "Add type hints" in instructions.offered(settings, prose=False)
    assert "Add type hints" not in instructions.offered(settings, prose=True)
    instructions.remember("Shorten")
    instructions.remember("Make it rhyme")
    instructions.remember("Shorten")
    offered = instructions.offered(settings, prose=True)
    assert offered[:3] == ["Shorten", "Make it rhyme", "Say it as a pirate"]
    assert offered.count("Shorten") == 1


def test_down_offers_what_one_may_ask_for(words, qtbot):
    select(words, 0, 4)
    words.fills.ask_rewrite()
    field = words.ask_bar.field
    qtbot.keyClick(field, Qt.Key.Key_Down)
    popup = field.completer().popup()
    assert popup.isVisible()
    assert popup.model().rowCount() >= len(instructions.CODE)
    popup.close()
    words.ask_bar.shut()


def test_several_answers_are_asked_for_at_once(words, run):
    async def story():
        select(words, 0, 4)
        words.fills._start("", Options(seed=1, max_steps=2, alternatives=4))
        await until(lambda: words.fills.drafted)
        assert len(words.page.session.answers) > 1
        assert "Answer 1 of" in words.status.currentMessage()
        words.fills.drop()

    run(story())


def test_a_failure_is_told_above_the_text(qtbot, run, tmp_path):
    bridge = EngineBridge(lambda: open_backend(checkpoint=tmp_path))
    window = Window(bridge)
    qtbot.addWidget(window, before_close_func=discard)
    window.show()

    async def story():
        window.fills.fill_in()
        await until(lambda: not window.fills.filling)
        assert "config.json is missing" in window.page.banner.message
        assert "Try again" in window.page.banner.choices
        window.page.banner.choices["Try again"].click()
        assert window.fills.filling
        await until(lambda: not window.fills.filling)
        assert "config.json is missing" in window.page.banner.message

    run(story())
    discard(window)
    window.close()
    bridge.close()


def test_when_drafts_are_not_to_be_watched_only_the_progress_is_shown(words, run):
    words.use(replace(words.settings, drafts="when they are finished"))

    async def story():
        select(words, 5, 10)
        words.fills.fill_in()
        shown = set()
        while words.fills.running:
            shown.add(words.editor.drafts.shown)
            await asyncio.sleep(0)
        assert shown == {"words"}
        assert words.editor.drafts.shown == words.page.session.answer.texts[0]
        words.fills.drop()

    run(story())


def test_the_list_shows_what_was_and_what_was_written(words, run, qtbot):
    async def story():
        select(words, 5, 10)
        words.fills.fill_in()
        await until(lambda: words.fills.drafted)
        written = words.editor.drafts.shown
        words.fills.drop()
        (filled,) = words.fills.history
        dialog = History(words.fills.history, words)
        qtbot.addWidget(dialog)
        assert "dropped" in dialog.list.item(0).text()
        assert dialog.before.toPlainText() == "words"
        assert dialog.after.toPlainText() == written
        with qtbot.waitSignal(dialog.wanted) as told:
            dialog.back.click()
        assert told.args == [filled]

    run(story())


def test_a_fill_of_a_page_that_is_gone_comes_back_at_the_caret(words, run):
    async def story():
        select(words, 5, 10)
        words.fills.fill_in()
        await until(lambda: words.fills.drafted)
        words.fills.drop()
        (filled,) = words.fills.history
        words.pages.new()
        words.editor.insertPlainText("here: ")
        words.fills.bring_back(Filled(**{**filled.__dict__, "after": ("again",)}))
        words.fills.keep()
        assert words.editor.text() == "here: again"

    run(story())
