"""What is done to whole lines."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextCursor
from PySide6.QtTest import QTest

from palimpsest.app import lines
from palimpsest.app.editor import Editor


@pytest.fixture
def editor(qtbot):
    """Makes an editor with a text in which ``|`` is the caret and ``<`` to ``>`` the selection."""

    def make(text, suffix=".py"):
        editor = Editor()
        qtbot.addWidget(editor)
        marks = [index for index, one in enumerate(text) if one in "|<>"]
        editor.put("".join(one for one in text if one not in "|<>"))
        editor.suit(f"x{suffix}")
        caret = editor.textCursor()
        for number, mark in enumerate(marks):
            how = QTextCursor.MoveMode.KeepAnchor if number else QTextCursor.MoveMode.MoveAnchor
            caret.setPosition(mark - number, how)
        editor.setTextCursor(caret)
        return editor

    return make


def seen(editor):
    """The text with its caret or selection, as the fixture reads it."""
    caret, text = editor.textCursor(), editor.text()
    start, end = caret.selectionStart(), caret.selectionEnd()
    middle = f"<{text[start:end]}>" if caret.hasSelection() else "|"
    return text[:start] + middle + text[end:]


@pytest.mark.parametrize(
    ("before", "down", "after"),
    [
        ("a\nb|b\nc", True, "a\nc\nb|b"),
        ("a\nb|b\nc", False, "b|b\na\nc"),
        ("a\n<bb\nc\n>d", True, "a\nd\n<bb\nc>"),
        ("a|\nb", False, "a|\nb"),
        ("a\nb|", True, "a\nb|"),
    ],
)
def test_lines_move_with_their_selection(editor, before, down, after):
    editor = editor(before)
    lines.move(editor, down)
    assert seen(editor) == after
    if editor.document().isUndoAvailable():
        editor.undo()
    assert editor.text() == "".join(one for one in before if one not in "|<>")


def test_a_copy_is_put_below(editor):
    one = editor("a\nb😀|\nc")
    lines.duplicate(one)
    assert one.text() == "a\nb😀\nb😀\nc"
    assert one.textCursor().blockNumber() == 2


def test_indenting_leaves_empty_lines_and_the_selection(editor):
    editor = editor("<a\n\nb>\nc")
    lines.indent(editor)
    assert seen(editor) == "<    a\n\n    b>\nc"
    lines.dedent(editor)
    assert seen(editor) == "<a\n\nb>\nc"


@pytest.mark.parametrize(
    ("suffix", "text", "commented"),
    [
        (".py", "<    a\n\n        b>\n", "    # a\n\n    #     b\n"),
        (".js", "x = |1", "// x = 1"),
        (".sql", "  😀 = 1|", "  -- 😀 = 1"),
        (".html", "<a\n  b >", "<!-- a -->\n<!--   b  -->"),
        (".css", "a {}|", "/* a {} */"),
    ],
)
def test_comments_come_and_go(editor, suffix, text, commented):
    editor = editor(text, suffix)
    before = editor.text()
    lines.toggle_comments(editor)
    assert editor.text() == commented
    lines.toggle_comments(editor)
    assert editor.text() == before


@pytest.mark.parametrize(
    ("suffix", "before", "after"),
    [
        (".py", "def f():|", "def f():\n    |"),
        (".py", "    a = [|1]", "    a = [\n        |1]"),
        (".py", "    a = 1|", "    a = 1\n    |"),
        (".md", "- one|", "- one\n- |"),
        (".md", "  9. nine|", "  9. nine\n  10. |"),
        (".md", "- [x] done|", "- [x] done\n- [ ] |"),
        (".md", "- one\n- |", "- one\n|"),
        (".md", "he said:|", "he said:\n|"),
        ("", "ab|cd", "ab\n|cd"),
    ],
)
def test_a_new_line_begins_as_it_should(editor, suffix, before, after):
    editor = editor(before, suffix)
    QTest.keyClick(editor, Qt.Key.Key_Return)
    assert seen(editor) == after
    editor.undo()
    assert editor.text() == before.replace("|", "")


@pytest.mark.parametrize(
    ("text", "level"),
    [
        ("a:\n  b\n", "  "),
        ("a:\n\tb\n", "\t"),
        ("a:\n        b\n            c\n                d\n    e", "    "),
        ("", ""),
    ],
)
def test_the_level_of_indentation_is_the_file_s(text, level):
    assert lines.indentation(text) == level


def test_tab_goes_to_the_next_stop_and_back(editor):
    one = editor("a:\n    b\nxy|")
    QTest.keyClick(one, Qt.Key.Key_Tab)
    assert seen(one) == "a:\n    b\nxy  |"
    two = editor("a:\n    b|")
    QTest.keyClick(two, Qt.Key.Key_Backtab)
    assert seen(two) == "a:\nb|"
