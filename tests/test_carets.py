"""Several carets at once."""

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QGuiApplication, QInputMethodEvent, QMouseEvent, QTextCursor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from palimpsest.app.editor import Editor

TEXT = "one = 1\ntwo = one\nthree = one + two\n"


@pytest.fixture
def editor(qtbot):
    editor = Editor()
    qtbot.addWidget(editor)
    editor.put(TEXT)
    editor.resize(400, 200)
    editor.show()
    editor.setFocus()
    return editor


def press(editor, key, modifiers=Qt.KeyboardModifier.NoModifier):
    QTest.keyClick(editor, key, modifiers)


def select_all_of_one(editor):
    for _ in range(3):
        editor.carets.add_next()


def test_the_next_like_it_is_selected_and_typed_over(editor):
    select_all_of_one(editor)
    assert [caret.selectedText() for caret in editor.carets.all] == ["one"] * 3
    editor.carets.add_next()
    assert len(editor.carets.all) == 3, "there are no more"
    QTest.keyClicks(editor, "abc")
    press(editor, Qt.Key.Key_Backspace)
    assert editor.text() == TEXT.replace("one", "ab")
    while editor.document().isUndoAvailable():
        editor.undo()
    assert editor.text() == TEXT


def test_each_key_is_one_undo_step(editor):
    select_all_of_one(editor)
    press(editor, Qt.Key.Key_Delete)
    assert editor.text() == TEXT.replace("one", "")
    editor.undo()
    assert editor.text() == TEXT
    editor.redo()
    assert editor.text() == TEXT.replace("one", "")


def test_all_like_it_at_once(editor):
    editor.carets.add_next()
    editor.carets.add_all()
    QTest.keyClicks(editor, "x")
    assert editor.text() == TEXT.replace("one", "x")


def test_carets_above_and_below_make_a_column(editor):
    editor.moveCursor(QTextCursor.MoveOperation.Right)
    editor.carets.add_line(down=True)
    editor.carets.add_line(down=True)
    editor.carets.add_line(down=False)
    assert [caret.position() for caret in editor.carets.all] == [1, 9, 19]
    press(editor, Qt.Key.Key_End)
    press(editor, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert [caret.selectedText() for caret in editor.carets.all] == ["1", "e", "o"]
    press(editor, Qt.Key.Key_Home)
    press(editor, Qt.Key.Key_Return)
    assert editor.text() == "\none = 1\n\ntwo = one\n\nthree = one + two\n"


def test_carets_that_meet_are_one(editor):
    editor.carets.add_line(down=True)
    for _ in range(2):
        press(editor, Qt.Key.Key_Home, Qt.KeyboardModifier.ControlModifier)
    assert len(editor.carets.all) == 1
    QTest.keyClicks(editor, "x")
    assert editor.text() == "x" + TEXT


def test_esc_and_a_click_leave_one(editor):
    select_all_of_one(editor)
    press(editor, Qt.Key.Key_Escape)
    assert len(editor.carets.all) == 1
    select_all_of_one(editor)
    QTest.mouseClick(editor.viewport(), Qt.MouseButton.LeftButton, pos=QPoint(5, 5))
    assert len(editor.carets.all) == 1


def test_alt_and_a_click_add_one(editor):
    place = editor.cursorRect(QTextCursor(editor.document().findBlockByNumber(1))).center()
    QTest.mouseClick(editor.viewport(), Qt.MouseButton.LeftButton, Qt.KeyboardModifier.AltModifier, place)
    QTest.keyClicks(editor, "x")
    assert editor.text() == "xone = 1\nxtwo = one\nthree = one + two\n"


def test_copies_are_pasted_line_by_line_or_all_at_each(editor):
    editor.carets.add_line(down=True)
    press(editor, Qt.Key.Key_End, Qt.KeyboardModifier.ShiftModifier)
    editor.copy()
    assert QGuiApplication.clipboard().text() == "one = 1\ntwo = one"
    press(editor, Qt.Key.Key_X, Qt.KeyboardModifier.ControlModifier)
    assert editor.text() == "\n\nthree = one + two\n"
    editor.paste()
    assert editor.text() == TEXT
    QGuiApplication.clipboard().setText("!")
    editor.paste()
    assert editor.text() == "one = 1!\ntwo = one!\nthree = one + two\n"


def test_composed_text_comes_to_all(editor):
    editor.carets.add_line(down=True)
    event = QInputMethodEvent()
    event.setCommitString("日")
    QApplication.sendEvent(editor, event)
    assert editor.text() == "日one = 1\n日two = one\nthree = one + two\n"


def test_the_others_are_seen(editor, qtbot):
    plain = editor.grab().toImage()
    select_all_of_one(editor)
    press(editor, Qt.Key.Key_Right)
    qtbot.wait(1)
    assert editor.grab().toImage() != plain
    place = editor.cursorRect(editor.carets.others[0])
    pixel = editor.viewport().grab().toImage().pixelColor(place.left(), place.center().y())
    assert pixel == editor.palette().color(editor.palette().ColorRole.Text)


def test_a_fresh_text_has_one(editor):
    select_all_of_one(editor)
    editor.put("new")
    QTest.keyClicks(editor, "x")
    assert editor.text() == "xnew"


COLUMN = Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.ShiftModifier


def test_arrows_select_a_column_and_what_is_typed_takes_its_place(editor):
    editor.put("abcd\nab😀\n\nabcdef")
    editor.moveCursor(QTextCursor.MoveOperation.Right)
    for key in (Qt.Key.Key_Down,) * 3 + (Qt.Key.Key_Right,) * 2:
        press(editor, key, COLUMN)
    assert [caret.selectedText() for caret in editor.carets.all] == ["bc", "b", "", "bc"]
    press(editor, Qt.Key.Key_Left, COLUMN)
    press(editor, Qt.Key.Key_Up, COLUMN)
    assert [caret.selectedText() for caret in editor.carets.all] == ["b", "b", ""]
    QTest.keyClicks(editor, "-")
    assert editor.text() == "a-cd\na-😀\n-\nabcdef"
    editor.undo()
    assert editor.text() == "abcd\nab😀\n\nabcdef"


def test_the_mouse_selects_a_column_behind_lines_ends_too(editor):
    editor.put("one two\nx\nthree four")
    width = editor.fontMetrics().horizontalAdvance(" ")
    first = editor.cursorRect(QTextCursor(editor.document().firstBlock()))
    last = editor.cursorRect(QTextCursor(editor.document().lastBlock()))
    begin, end = first.center() + QPoint(4 * width, 0), last.center() + QPoint(7 * width, 0)
    viewport, left = editor.viewport(), Qt.MouseButton.LeftButton
    QTest.mousePress(viewport, left, COLUMN, begin)
    moved = QMouseEvent(QEvent.Type.MouseMove, QPointF(end), viewport.mapToGlobal(QPointF(end)), left, left, COLUMN)
    QApplication.sendEvent(viewport, moved)
    QTest.mouseRelease(viewport, left, COLUMN, end)
    assert [caret.selectedText() for caret in editor.carets.all] == ["two", "", "e f"]


def test_a_column_leaves_out_what_is_folded(editor):
    editor.put("a\n  b\n  c\nd")
    editor.folding.fold(editor.document().firstBlock())
    for _ in range(3):
        press(editor, Qt.Key.Key_Down, COLUMN)
    assert [caret.blockNumber() for caret in editor.carets.all] == [0, 3]
    assert not editor.document().findBlockByNumber(1).isVisible()


def test_lines_that_become_one_at_a_caret_are_laid_out_before_the_next(editor):
    # Qt asked the old row, which ends before the caret, where the caret stands, and crashed.
    editor.put("a\n b" + "\n" * 30)
    editor.moveCursor(QTextCursor.MoveOperation.End)
    other = QTextCursor(editor.document())
    other.setPosition(2)
    editor.carets.add(other)
    press(editor, Qt.Key.Key_Backspace)
    assert editor.text() == "a b" + "\n" * 29
    assert not editor.drafts.layout.editing
