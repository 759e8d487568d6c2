"""The find bar on a real editor."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QVBoxLayout, QWidget

from conftest import under_way, until
from palimpsest.app.editor import Editor
from palimpsest.app.find import LOOK, FindBar

TEXT = "one two\nTwo three\ntwo 😀 two\n"


def marked(bar):
    """How many places are marked in the editor."""
    return sum(mark.format.background().color() == LOOK for mark in bar._editor().extraSelections())


@pytest.fixture
def bar(qtbot, run):  # noqa: ARG001  (the loop must exist first)
    window, editor = QWidget(), Editor()
    bar = FindBar(lambda: editor)
    column = QVBoxLayout(window)
    column.addWidget(editor)
    column.addWidget(bar)
    qtbot.addWidget(window)
    editor.put(TEXT)
    window.resize(700, 400)
    window.show()
    yield bar  # noqa: PT022  (the window must outlive the test)


@pytest.fixture
def sought(bar, run):
    """Does something with the bar, and waits until it has found."""

    async def story(do):
        before = bar._searches
        do()
        await until(lambda: bar._searches > before and not under_way())

    return lambda do: run(story(do))


def selected(bar):
    cursor = bar._editor().textCursor()
    return cursor.selectionStart(), cursor.selectedText()


def test_it_finds_while_one_types(bar, sought, qtbot):
    sought(lambda: bar.open(replacing=False))
    sought(lambda: qtbot.keyClicks(bar.wanted, "two"))
    assert bar.told.text() == "1 of 4"
    assert selected(bar) == (4, "two")
    assert marked(bar) == 4
    for place, count in ((8, 2), (18, 3), (25, 4), (4, 1)):
        qtbot.keyClick(bar.wanted, Qt.Key.Key_Return)
        assert selected(bar)[0] == place
        assert bar.told.text() == f"{count} of 4"
    qtbot.keyClick(bar.wanted, Qt.Key.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    assert selected(bar)[0] == 25
    sought(lambda: bar.case.setChecked(True))
    assert bar.told.text() == "3 of 3"
    sought(lambda: bar.wanted.setText("nowhere"))
    assert bar.told.text() == "Not found"
    assert not marked(bar)


def test_what_is_selected_is_looked_for(bar, sought):
    bar._editor().find("three")
    sought(lambda: bar.open(replacing=False))
    assert bar.wanted.text() == "three"
    assert bar.told.text() == "1 of 1"


def test_in_the_selection_only(bar, sought):
    editor = bar._editor()
    editor.selectAll()
    cursor = editor.textCursor()
    cursor.setPosition(8)
    cursor.setPosition(22, cursor.MoveMode.KeepAnchor)
    editor.setTextCursor(cursor)
    sought(lambda: bar.open(replacing=True))
    assert bar.selection.isChecked()
    sought(lambda: bar.wanted.setText("two"))
    assert bar.told.text().startswith("1 of 2")
    sought(lambda: bar.instead.setText("2"))
    sought(bar.replace_all)
    assert editor.text() == "one two\n2 three\n2 😀 two\n"


def test_replacing_all_is_one_undo_step(bar, sought):
    editor = bar._editor()
    sought(lambda: bar.open(replacing=True))
    sought(lambda: bar.expression.setChecked(True))
    sought(lambda: bar.wanted.setText(r"(t)(\w)"))
    sought(lambda: bar.instead.setText(r"\2\1"))
    assert ": tw → wt" in bar.told.text()
    sought(bar.replace_all)
    assert editor.text() == "one wto\nwTo htree\nwto 😀 wto\n"
    assert bar.told.text() == "5 replaced"
    editor.undo()
    assert editor.text() == TEXT
    assert not editor.document().isUndoAvailable()


def test_replacing_one_goes_on_to_the_next(bar, sought, qtbot):
    sought(lambda: bar.open(replacing=True))
    sought(lambda: bar.wanted.setText("two"))
    sought(lambda: bar.instead.setText("twenty-two"))
    bar.instead.setFocus()
    sought(lambda: qtbot.keyClick(bar.instead, Qt.Key.Key_Return))
    assert bar._editor().text() == "one twenty-two\nTwo three\ntwo 😀 two\n"
    assert selected(bar) == (15, "Two")


def test_a_problem_is_told_in_the_bar(bar, sought):
    sought(lambda: bar.open(replacing=False))
    sought(lambda: bar.expression.setChecked(True))
    sought(lambda: bar.wanted.setText("("))
    assert bar.told.text().startswith("This is no regular expression")


def test_esc_closes_and_takes_the_marks_away(bar, sought, qtbot):
    sought(lambda: bar.open(replacing=False))
    sought(lambda: bar.wanted.setText("two"))
    with qtbot.waitSignal(bar.closed):
        qtbot.keyClick(bar.wanted, Qt.Key.Key_Escape)
    assert bar.isHidden()
    assert not marked(bar)
