"""Line numbers, the caret's line and the brackets there."""

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QTextCursor
from PySide6.QtTest import QTest

from palimpsest.app import brackets
from palimpsest.app.editor import Editor
from palimpsest.app.margin import Margin


@pytest.fixture
def editor(qtbot):
    editor = Editor()
    qtbot.addWidget(editor)
    editor.resize(400, 300)
    editor.show()
    return editor


def test_a_click_in_the_margin_selects_the_line(editor):
    editor.put("one\ntwo\nthree")
    margin = editor.findChild(Margin)
    top = editor.cursorRect(QTextCursor(editor.document().findBlockByNumber(1))).center().y()
    QTest.mouseClick(margin, Qt.MouseButton.LeftButton, pos=QPoint(5, top))
    assert editor.textCursor().selection().toPlainText() == "two\n"


def test_the_margin_grows_with_the_number_of_lines(editor):
    editor.put("x")
    narrow = editor.viewport().x()
    editor.insertPlainText("\n" * 20_000)
    assert editor.viewport().x() > narrow >= editor.findChild(Margin).minimumWidth()


@pytest.mark.parametrize(
    ("text", "at", "places"),
    [
        ("f(a[1])", 2, [(1, 2), (6, 7)]),
        ("f(a[1])", 7, [(1, 2), (6, 7)]),
        ("😀(\n(x)\n)", 3, [(2, 3), (8, 9)]),
        ("{😀 (x)}😀", 8, [(0, 1), (7, 8)]),
        ("\ud83d(x)", 2, [(1, 2), (3, 4)]),  # half of a character
        ("(]", 1, []),
        ("(", 1, []),
        ("abc", 1, []),
    ],
)
def test_brackets_find_their_partners(editor, text, at, places):
    editor.put(text)
    caret = editor.textCursor()
    caret.setPosition(at)
    assert brackets.pair(caret) == places


def test_the_caret_s_line_is_marked_and_the_text_is_not_changed(editor):
    editor.put("f(a)\nb")
    assert [mark.cursor.blockNumber() for mark in editor.extraSelections()] == [0]
    editor.moveCursor(QTextCursor.MoveOperation.EndOfLine)
    assert len(editor.extraSelections()) == 3
    assert not editor.document().isModified()


def test_scroll_bars_are_not_laid_out_anew_when_the_window_is_resized(editor, monkeypatch):
    # Where one bar made the other needless, the two took turns without end.
    editor.put("x\n" * 20)
    set_anew = []
    monkeypatch.setattr(editor, "setViewportMargins", lambda *margins: set_anew.append(margins))
    editor.resize(500, 200)
    assert not set_anew
    editor.insertPlainText("\n" * 20_000)
    assert set_anew, "more digits"
