"""A draft is steered and kept in parts: in the real window, with the real model."""

import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QMouseEvent, QTextCursor
from PySide6.QtWidgets import QApplication, QMenu

from conftest import REAL_FILE, discard, opened, until
from palimpsest.app.bridge import EngineBridge
from palimpsest.app.window import Window
from palimpsest.engine import Draft, Options, open_backend

ORIGINAL = REAL_FILE.read_text()
LINE = 151


@pytest.fixture
def window(qtbot, run):
    """A window on a real file whose fills take few steps."""
    bridge = EngineBridge(open_backend)
    window = Window(bridge, Options(seed=1, max_steps=4))
    qtbot.addWidget(window, before_close_func=discard)
    assert run(opened(window, REAL_FILE))
    window.show()
    window.activateWindow()
    yield window
    discard(window)
    window.close()
    bridge.close()


def select(window, line=LINE):
    block = window.editor.document().findBlockByNumber(line - 1)
    cursor = QTextCursor(block)
    cursor.setPosition(block.position() + len(block.text()) - len(block.text().lstrip()))
    cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock, QTextCursor.MoveMode.KeepAnchor)
    window.editor.setTextCursor(cursor)
    window.editor.ensureCursorVisible()
    return cursor.selectedText()


def offer(window, text, line=LINE):
    """Show ``text`` as the finished draft of a line."""
    selected = select(window, line)
    window.fills._open(window.page, window.fills._holes(window.editor)).offer(window._bridge, [text])
    window.fills.changed.emit()
    return selected


async def finished(window):
    await until(lambda: not window.fills.filling or window.fills.drafted)


def press(qtbot, window, key, modifier=Qt.KeyboardModifier.NoModifier):
    qtbot.keyClick(window.editor, key, modifier)


def line(window, number=LINE):
    return window.editor.document().findBlockByNumber(number - 1).text().strip()


def test_words_are_kept_one_by_one_and_undone_one_by_one(window, qtbot):
    selected = offer(window, "first second third")
    control = Qt.KeyboardModifier.ControlModifier
    seen = [line(window)]
    while window.fills.filling:
        press(qtbot, window, Qt.Key.Key_Right, control)
        seen.append(line(window))
    assert seen[0] == selected
    assert seen[-1] == "first second third"
    assert seen[1].startswith("first")
    for text in reversed(seen[:-1]):
        window.editor.undo()
        assert line(window) == text
    assert window.editor.text() == ORIGINAL
    assert not window.editor.document().isUndoAvailable()


def test_a_word_that_is_undone_is_a_draft_again(window, qtbot):
    offer(window, "first second third")
    press(qtbot, window, Qt.Key.Key_Right, Qt.KeyboardModifier.ControlModifier)
    window.editor.undo()
    assert window.fills.drafted
    assert window.editor.drafts.shown == "first second third"
    window.editor.redo()
    assert window.fills.drafted
    window.fills.keep()
    assert line(window) == "first second third"


def test_a_change_is_kept_and_another_dropped(window):
    selected = offer(window, "x")
    window.fills.drop()
    words = selected.split()
    offer(window, f"new {selected} end")
    session = window.page.session
    (_, hole, first), (_, _, last) = window.editor.drafts.changes()
    session.drop_change(hole, last)
    assert window.editor.drafts.shown == f"new {selected}"
    session.keep_change(hole, first)
    assert line(window) == f"new {selected}"
    assert not window.fills.filling
    assert words
    window.editor.undo()
    assert window.editor.text() == ORIGINAL


def test_the_next_change_is_kept_by_a_key(window, qtbot):
    selected = offer(window, "placeholder")
    window.fills.drop()
    offer(window, f"new {selected} end")
    press(qtbot, window, Qt.Key.Key_Down, Qt.KeyboardModifier.ControlModifier)
    assert line(window) == f"new {selected}"
    assert window.fills.drafted
    press(qtbot, window, Qt.Key.Key_Escape)
    assert line(window) == f"new {selected}"


def test_several_selections_are_filled_jointly(window, run):
    async def story():
        select(window, 153)
        second = window.editor.textCursor()
        selected = select(window, 150)
        window.editor.carets.add(second)
        window.fills.fill_in()
        await finished(window)
        assert len(window.page.session.answer.texts) == 2
        texts = window.page.session.answer.texts
        window.fills.keep()
        assert (line(window, 150), line(window, 153)) == tuple(text.strip() for text in texts)
        assert selected
        window.editor.undo()
        assert window.editor.text() == ORIGINAL

    run(story())


def test_another_answer_and_back(window, run, qtbot):
    async def story():
        select(window)
        window.fills.fill_in()
        await finished(window)
        first = window.editor.drafts.shown
        press(qtbot, window, Qt.Key.Key_BracketRight, Qt.KeyboardModifier.AltModifier)
        assert window.fills.running
        await finished(window)
        assert "Answer 2 of 2" in window.status.currentMessage()
        second = window.editor.drafts.shown
        press(qtbot, window, Qt.Key.Key_BracketLeft, Qt.KeyboardModifier.AltModifier)
        assert window.editor.drafts.shown == first
        press(qtbot, window, Qt.Key.Key_BracketRight, Qt.KeyboardModifier.AltModifier)
        assert window.editor.drafts.shown == second
        assert window.editor.text() == ORIGINAL

    run(story())


def test_what_is_pinned_stays(window, run):
    async def story():
        offer(window, "alpha beta gamma")
        session = window.page.session
        session.pin(0, (6, 10))
        session.regenerate()
        await finished(window)
        shown = session.answer
        assert [shown.texts[0][slice(*pin)] for pin in shown.pins[0]] == ["beta"]
        assert window.editor.text() == ORIGINAL

    run(story())


def test_a_word_pinned_while_the_draft_forms_stays(window, run):
    async def story():
        select(window)
        window.fills.fill_in()
        session = window.page.session
        await until(lambda: isinstance(session.last, Draft) and session.shown.texts[0].strip())
        word = session.shown.texts[0].split()[0]
        at = session.shown.texts[0].index(word)
        session.pin(0, (at, at + len(word)))
        await finished(window)
        assert word in session.answer.texts[0]

    run(story())


def test_the_draft_is_taken_as_it_is(window, run, qtbot):
    async def story():
        select(window)
        window.fills.fill_in()
        await until(lambda: window.editor.drafts.shown != window.page.session.original[0])
        press(qtbot, window, Qt.Key.Key_Period, Qt.KeyboardModifier.ControlModifier)
        assert window.fills.drafted
        shown = window.editor.drafts.shown
        press(qtbot, window, Qt.Key.Key_Tab)
        assert line(window) == shown.strip()

    run(story())


def test_esc_while_another_answer_forms_leaves_the_first(window, run, qtbot):
    async def story():
        offer(window, "the first")
        window.page.session.regenerate()
        press(qtbot, window, Qt.Key.Key_Escape)
        assert window.editor.drafts.shown == "the first"
        press(qtbot, window, Qt.Key.Key_Escape)
        assert not window.fills.filling
        assert window.editor.text() == ORIGINAL

    run(story())


def test_a_follow_up_is_about_the_draft_and_compared_with_the_text(window, run, qtbot):
    async def story():
        offer(window, "some text that is a draft")
        window.fills.ask_rewrite()
        qtbot.keyClicks(window.ask_bar.field, "Restore the capitals")
        qtbot.keyClick(window.ask_bar.field, Qt.Key.Key_Return)
        session = window.page.session
        assert session.running
        await finished(window)
        assert len(session.answers) == 2
        assert session.original[0] in ORIGINAL
        assert window.editor.text() == ORIGINAL

    run(story())


def test_what_stands_there_is_shown_while_a_key_is_down(window, qtbot):
    offer(window, "MMMMMM")
    drafted = window.editor.viewport().grab().toImage()
    qtbot.keyPress(window.editor, Qt.Key.Key_O, Qt.KeyboardModifier.AltModifier)
    there = window.editor.viewport().grab().toImage()
    qtbot.keyRelease(window.editor, Qt.Key.Key_O, Qt.KeyboardModifier.AltModifier)
    assert there != drafted
    assert window.editor.viewport().grab().toImage() == drafted


def click(window, hole, index):
    place = window.editor.drafts.place(hole, index).center() + QPointF(2, 0)
    at = window.editor.viewport().mapToGlobal(place.toPoint())
    left = Qt.MouseButton.LeftButton
    event = QMouseEvent(QEvent.Type.MouseButtonPress, place, QPointF(at), left, left, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(window.editor.viewport(), event)
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    return menu


def test_a_click_on_a_word_offers_others(window, run):
    async def story():
        selected = offer(window, "")
        window.fills.drop()
        offer(window, selected)
        menu = click(window, 0, 0)
        assert menu.actions()[0].text().endswith("sure")
        waiting = menu.actions()[1]
        await until(lambda: menu.actions()[1] is not waiting or not waiting.text().startswith("Looking"))
        other = menu.actions()[1]
        assert other is not waiting, "the model knows another word"
        told = other.text()
        menu.close()
        other.trigger()
        assert window.editor.drafts.shown.startswith(told)
        assert window.editor.text() == ORIGINAL

    run(story())


def test_a_word_is_not_written_again(window, run):
    async def story():
        offer(window, "return self")
        menu = click(window, 0, 8)
        exclude = next(action for action in menu.actions() if action.text() == "&Not this word")
        menu.close()
        exclude.trigger()
        await finished(window)
        assert "self" not in window.editor.drafts.shown.split()

    run(story())


def test_a_fill_is_brought_back_after_it_was_kept_or_dropped(window, run):
    async def story():
        select(window)
        window.fills.fill_in()
        await finished(window)
        written = window.editor.drafts.shown
        window.fills.keep()
        window.editor.undo()
        assert window.editor.text() == ORIGINAL
        (filled,) = window.fills.history
        assert filled.kept
        assert filled.after == (written,)
        window.fills.bring_back(filled)
        assert window.editor.drafts.shown == written
        window.fills.keep()
        assert line(window) == written.strip()
        assert len(window.fills.history) == 1

    run(story())


def test_keep_and_go_on(window, run):
    async def story():
        offer(window, "x = 1")
        window.fills.keep_and_go_on()
        assert line(window) == "x = 1"
        assert window.fills.running
        assert window.page.session.spans[0].start == window.editor.textCursor().position()
        window.fills.drop()

    run(story())


def test_the_model_gives_its_memory_back_and_comes_again(window, run):
    async def story():
        await until(lambda: window.status.model.text() == "mini on cpu")
        window.fills.unload()
        await until(lambda: window.status.model.text() == "The model is not loaded; a fill loads it")
        select(window)
        window.fills.fill_in()
        await finished(window)
        assert window.status.model.text() == "mini on cpu"
        assert window.fills.drafted

    run(story())


def test_keys_of_a_draft_move_the_caret_without_one(window, qtbot):
    window.editor.moveCursor(QTextCursor.MoveOperation.Start)
    press(qtbot, window, Qt.Key.Key_Right, Qt.KeyboardModifier.ControlModifier)
    assert window.editor.textCursor().position() > 0
    assert window.editor.text() == ORIGINAL


def test_the_model_tells_about_itself(window, run):
    async def story():
        await until(lambda: window.status.model.text() == "mini on cpu")
        select(window)
        window.fills.fill_in()
        await finished(window)
        model, weights, memory, queue, last = window.status.model.told()
        assert model == "mini on cpu"
        assert weights == "Its weights take 97 MB on cpu"
        assert memory.endswith("GB of the machine's memory")
        assert queue == "Nothing runs or waits"
        assert last.startswith("Last fill: ")
        window.fills.drop()

    run(story())
