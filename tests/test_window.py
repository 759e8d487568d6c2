"""The real window with the real model: ask, watch, keep or drop, and nothing else changed."""

import asyncio
from dataclasses import replace

import pytest
from PySide6.QtCore import QMimeData, QPoint, Qt
from PySide6.QtGui import QContextMenuEvent, QTextCursor
from PySide6.QtWidgets import QApplication

from conftest import REAL_FILE, discard, opened, until
from palimpsest.app.bridge import EngineBridge
from palimpsest.app.session import FillSession, Verdict
from palimpsest.app.statusbar import StatusBar
from palimpsest.app.window import Window
from palimpsest.engine import Loading, open_backend
from palimpsest.engine.local import LocalBackend

ORIGINAL = REAL_FILE.read_text()
LINE = 151


def select_line(window, line=LINE):
    """Select a line's text after its indentation; returns the selected text."""
    block = window.editor.document().findBlockByNumber(line - 1)
    text = block.text()
    cursor = QTextCursor(block)
    cursor.setPosition(block.position() + len(text) - len(text.lstrip()))
    cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock, QTextCursor.MoveMode.KeepAnchor)
    window.editor.setTextCursor(cursor)
    window.editor.ensureCursorVisible()
    return text.lstrip()


def drafts_shown(window):
    return window.editor.drafts.shown


def press(qtbot, window, key, modifier=Qt.KeyboardModifier.NoModifier):
    qtbot.keyClick(window.editor, key, modifier)


async def finished(window):
    await until(lambda: not window.fills.filling or window.fills.drafted)


def test_fill_keep_undo(window, run, qtbot):
    async def story():
        selected = select_line(window)
        press(qtbot, window, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
        assert window.fills.filling
        await until(lambda: drafts_shown(window) != selected)
        # The document knows nothing of the draft.
        assert window.editor.text() == ORIGINAL
        assert not window.editor.document().isModified()
        await finished(window)
        draft = drafts_shown(window)
        assert "Tab keeps" in window.status.currentMessage()
        press(qtbot, window, Qt.Key.Key_Tab)
        assert not window.fills.filling
        assert drafts_shown(window) is None
        assert window.status.currentMessage() == ""
        assert window.editor.text() == ORIGINAL.replace(f"            {selected}\n", f"            {draft}\n", 1)
        window.editor.undo()
        assert window.editor.text() == ORIGINAL
        assert not window.editor.document().isUndoAvailable()
        assert not window.editor.document().isModified()

    run(story())


def test_other_colours_leave_a_draft_alone(window, run, qtbot):
    async def story():
        select_line(window)
        press(qtbot, window, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier)
        for theme in ("dark", "light"):
            window.use(replace(window.settings, theme=theme))
            await asyncio.sleep(0)  # Qt's own events: the text is coloured anew
        await finished(window)

    run(story())


def test_typing_elsewhere_while_a_draft_streams(window, run, qtbot):
    async def story():
        selected = select_line(window)
        window.fills.fill_in()
        await until(lambda: drafts_shown(window) != selected)
        window.editor.moveCursor(QTextCursor.MoveOperation.Start)
        qtbot.keyClicks(window.editor, "# mine")
        typed = "# mine" + ORIGINAL
        assert window.editor.text() == typed
        assert window.fills.filling
        await finished(window)
        draft = drafts_shown(window)
        window.fills.keep()
        kept = typed.replace(f"            {selected}\n", f"            {draft}\n", 1)
        assert window.editor.text() == kept
        window.editor.undo()
        assert window.editor.text() == typed
        window.editor.redo()
        assert window.editor.text() == kept
        window.editor.undo()
        window.editor.undo()
        assert window.editor.text() == ORIGINAL

    run(story())


def test_a_kept_draft_is_never_merged_with_typing(window, qtbot):
    """Typing right before and right after keeping at a caret: three undo steps, not one."""
    editor = window.editor
    editor.moveCursor(QTextCursor.MoveOperation.Start)
    qtbot.keyClicks(editor, "ab")
    session = FillSession([editor.selection()], editor.document(), editor.drafts, lambda _: None, lambda _: None)
    session.offer(window._bridge, ["kept"])
    session.finish(Verdict.KEEP)
    qtbot.keyClicks(editor, "cd")
    texts = ["abkeptcd", "abkept", "ab", ""]
    for text in texts:
        assert editor.text() == text + ORIGINAL
        editor.undo()


@pytest.mark.parametrize("moment", ["running", "done"])
def test_drop_leaves_no_trace(window, run, qtbot, moment):
    async def story():
        select_line(window)
        window.fills.fill_in()
        if moment == "done":
            await finished(window)
        press(qtbot, window, Qt.Key.Key_Escape)
        assert not window.fills.filling
        assert drafts_shown(window) is None
        assert window.editor.text() == ORIGINAL
        assert not window.editor.document().isUndoAvailable()
        assert not window.editor.document().isModified()

    run(story())


def test_typing_inside_the_hole_ends_the_fill(window, run, qtbot):
    async def story():
        select_line(window)
        window.fills.fill_in()
        block = window.editor.document().findBlockByNumber(LINE - 1)
        cursor = QTextCursor(block)
        cursor.setPosition(block.position() + 14)
        window.editor.setTextCursor(cursor)
        qtbot.keyClicks(window.editor, "x")
        assert not window.fills.filling
        assert window.status.currentMessage() == ""
        assert drafts_shown(window) is None
        window.editor.undo()
        assert window.editor.text() == ORIGINAL

    run(story())


def test_tab_waits_for_the_finished_draft_and_indents_without_one(window, run, qtbot):
    async def story():
        select_line(window)
        window.fills.fill_in()
        press(qtbot, window, Qt.Key.Key_Tab)
        assert window.fills.filling
        assert window.editor.text() == ORIGINAL
        window.fills.drop()
        window.editor.moveCursor(QTextCursor.MoveOperation.Start)
        press(qtbot, window, Qt.Key.Key_Tab)
        assert window.editor.text() == "    " + ORIGINAL

    run(story())


def test_a_new_fill_takes_the_place_of_the_last(window, run):
    async def story():
        select_line(window)
        window.fills.fill_in()
        first = window.page.session
        window.editor.moveCursor(QTextCursor.MoveOperation.End)
        window.fills.fill_in()
        assert first._verdict is Verdict.DROP
        assert window.page.session is not first
        await finished(window)
        window.fills.drop()
        assert window.editor.text() == ORIGINAL

    run(story())


def test_rewrite_asks_in_a_bar(window, run, qtbot):
    async def story():
        selected = select_line(window, 158)
        press(qtbot, window, Qt.Key.Key_Return, Qt.KeyboardModifier.ControlModifier | Qt.KeyboardModifier.ShiftModifier)
        assert window.ask_bar.isVisible()
        qtbot.keyClicks(window.ask_bar.field, "Fix the spelling")
        qtbot.keyClick(window.ask_bar.field, Qt.Key.Key_Return)
        assert not window.ask_bar.isVisible()
        assert window.fills.filling
        await finished(window)
        assert drafts_shown(window) is not None
        window.fills.keep()
        window.editor.undo()
        assert selected in window.editor.text()
        assert window.editor.text() == ORIGINAL

    run(story())


def test_rewrite_is_offered_for_a_selection_only(window):
    rewrite = next(action for action in window._actions if action.text() == "&Rewrite…")
    assert not rewrite.isEnabled()
    select_line(window)
    assert rewrite.isEnabled()
    cursor = window.editor.textCursor()
    cursor.setPosition(0)
    cursor.setPosition(1, QTextCursor.MoveMode.KeepAnchor)  # a selection of the first quote is one
    window.editor.setTextCursor(cursor)
    assert rewrite.isEnabled()


def test_an_instruction_about_nothing_is_told(window):
    window.fills.rewrite("Fix the spelling")
    assert not window.fills.filling
    assert "select the text" in window.status.currentMessage()


def test_a_selection_that_is_too_long_is_told(window, run):
    async def story():
        window.editor.selectAll()
        window.fills.fill_in()
        await until(lambda: not window.fills.filling)
        assert "select a shorter stretch" in window.status.currentMessage()
        assert window.editor.text() == ORIGINAL

    run(story())


def test_right_click_keeps_the_selection_and_offers_fills(window):
    select_line(window)
    selected = window.editor.textCursor().selectedText()
    where = window.editor.cursorRect().center()
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, where, window.editor.viewport().mapToGlobal(where))
    QApplication.sendEvent(window.editor.viewport(), event)
    assert window._context.isVisible()
    assert {"&Fill in", "&Rewrite…"} <= {action.text() for action in window._context.actions() if action.isEnabled()}
    window._context.close()
    assert window.editor.textCursor().selectedText() == selected


def test_right_click_without_a_selection_moves_the_caret_there(window):
    window.editor.moveCursor(QTextCursor.MoveOperation.Start)
    line = window.editor.cursorRect().height()
    where = QPoint(1, 5 * line + line // 2)
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, where, window.editor.viewport().mapToGlobal(where))
    QApplication.sendEvent(window.editor.viewport(), event)
    window._context.close()
    assert window.editor.textCursor().blockNumber() == 5


def test_the_status_bar_names_model_device_and_step(window, run):
    async def story():
        await until(lambda: window.status.model.text() == "mini on cpu")
        select_line(window)
        window.fills.fill_in()
        await until(lambda: window.status._step.text().startswith("Step "))
        assert window.status._step.text().endswith(" of 48")
        await finished(window)
        assert "tokens/s" in window.status._step.text()
        window.fills.drop()

    run(story())


def test_a_damaged_checkpoint_is_told_and_the_editor_lives(qtbot, run, tmp_path):
    bridge = EngineBridge(lambda: open_backend(checkpoint=tmp_path))
    window = Window(bridge)
    qtbot.addWidget(window, before_close_func=discard)
    window.show()

    async def story():
        await until(lambda: window.status.model.text() == "No model")
        assert "config.json is missing" in window.status.currentMessage()
        qtbot.keyClicks(window.editor, "still an editor")
        window.fills.fill_in()
        await until(lambda: not window.fills.filling)
        assert "config.json is missing" in window.status.currentMessage()
        assert window.editor.text() == "still an editor"

    run(story())
    discard(window)
    window.close()
    bridge.close()


def test_open_edit_save(window, run, qtbot, tmp_path):
    path = tmp_path / "a file.py"
    path.write_bytes("x = 'a\u00a0b'\r\ny = 2\r\n".encode())
    assert run(opened(window, path))
    assert window.windowTitle() == "a file.py[*] – Palimpsest"
    window.editor.moveCursor(QTextCursor.MoveOperation.End)
    qtbot.keyClicks(window.editor, "z = 3")
    assert window.isWindowModified()
    assert window.pages.save()
    assert not window.isWindowModified()
    assert path.read_bytes() == "x = 'a\u00a0b'\r\ny = 2\r\nz = 3".encode()


def test_a_file_that_cannot_be_opened_leaves_what_is_shown(window, run, tmp_path):
    assert not run(opened(window, tmp_path / "nowhere" / "nothing.py"))
    assert "cannot be opened" in window.status.currentMessage()
    assert window.editor.text() == ORIGINAL


def test_what_is_typed_and_pasted_can_be_saved_and_opened(window, run, qtbot, tmp_path):
    window.pages.new()
    qtbot.keyClicks(window.editor, "a")
    press(qtbot, window, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    pasted = QMimeData()
    pasted.setText("b\u2028c\r\nd\0")
    window.editor.insertFromMimeData(pasted)
    assert window.pages.save_as(tmp_path / "new.py")
    assert (tmp_path / "new.py").read_bytes() == b"a\nb\nc\nd"
    assert run(opened(window, tmp_path / "new.py"))


def test_a_failed_save_as_stays_with_the_file(window, tmp_path):
    title = window.windowTitle()
    assert not window.pages.save_as(tmp_path / "nowhere" / "b.py")
    assert "cannot be saved" in window.status.currentMessage()
    assert window.windowTitle() == title


def test_save_as_takes_the_new_name_s_colours(window, qtbot, tmp_path):
    window.pages.new()
    qtbot.keyClicks(window.editor, "def f(): pass")
    assert not window.editor.document().begin().layout().formats()
    assert window.pages.save_as(tmp_path / "new.py")
    qtbot.waitUntil(lambda: bool(window.editor.document().begin().layout().formats()))
    assert window.editor.lineWrapMode() == window.editor.LineWrapMode.NoWrap
    assert window.windowTitle().startswith("new.py")


def test_deleting_the_text_around_an_empty_hole_ends_the_fill(window, run):
    async def story():
        cursor = QTextCursor(window.editor.document().findBlockByNumber(LINE - 1))
        window.editor.setTextCursor(cursor)
        window.fills.fill_in()
        window.editor.selectAll()
        window.editor.textCursor().removeSelectedText()
        assert not window.fills.filling
        assert window.editor.text() == ""

    run(story())


def test_in_the_ask_bar_esc_is_the_bar_s(window, run, qtbot):
    async def story():
        select_line(window)
        window.fills.fill_in()
        await finished(window)
        window.fills.ask_rewrite()
        qtbot.keyClick(window.ask_bar.field, Qt.Key.Key_Escape)
        assert not window.ask_bar.isVisible()
        assert window.fills.drafted
        window.fills.drop()

    run(story())


def test_an_enormous_selection_is_told_at_once(window):
    window.editor.put("line\n" * 20_000)
    window.editor.selectAll()
    window.fills.fill_in()
    assert not window.fills.filling
    assert "select a shorter stretch" in window.status.currentMessage()


@pytest.mark.parametrize("choosing", ["menu", "ask bar"])
def test_while_the_user_chooses_the_engine_reads(window, run, monkeypatch, choosing):
    warmed, warm = [], LocalBackend.warm
    monkeypatch.setattr(LocalBackend, "warm", lambda self, fill: warmed.append(fill) or warm(self, fill))
    selected = select_line(window)

    async def story():
        if choosing == "menu":
            where = window.editor.cursorRect().center()
            window._show_menu(QContextMenuEvent(QContextMenuEvent.Reason.Mouse, where, where))
            window._context.close()
        else:
            window.fills.ask_rewrite()
        await until(lambda: warmed)

    run(story())
    assert warmed[0].before + selected + warmed[0].after == ORIGINAL
    assert not window.fills.filling


def test_the_status_bar_tells_how_far_the_loading_is(qtbot):
    bar = StatusBar()
    qtbot.addWidget(bar)
    bar.report(Loading(3 << 30, 4 << 30, 12.4))
    assert "75%" in bar.model.text()
    assert "12 s left" in bar.model.text()
