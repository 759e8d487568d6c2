"""Lines that are deeper are hidden and shown again; the caret and what is changed are never out of sight."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QTextCursor
from PySide6.QtTest import QTest

from palimpsest.app.editor import Editor
from palimpsest.app.margin import Margin
from palimpsest.app.patch import Shown
from palimpsest.app.span import Span

TEXT = """\
class A:
    def f(self):
        return 1

    def g(self):
        if self:
            return 2
        return 3


def h():
    return 4
last
"""


@pytest.fixture
def editor(qtbot):
    editor = Editor()
    qtbot.addWidget(editor)
    show(editor)
    return editor


def show(editor):
    editor.put(TEXT)
    editor.resize(500, 500)
    editor.show()
    editor.setFocus()


def shown(editor):
    """The numbers of the lines in view, from 1."""
    return [block.blockNumber() + 1 for block, _top in editor.visible()]


def line(editor, number):
    return editor.document().findBlockByNumber(number - 1)


def go(editor, number, column=0):
    cursor = QTextCursor(line(editor, number))
    cursor.movePosition(QTextCursor.MoveOperation.Right, n=column)
    editor.setTextCursor(cursor)


def test_what_is_deeper_goes_and_comes_back(editor):
    go(editor, 5)
    editor.folding.fold_here()
    assert shown(editor) == [1, 2, 3, 4, 5, 9, 10, 11, 12, 13, 14]
    assert editor.text() == TEXT
    assert not editor.document().isModified()
    tops = [top for _block, top in editor.visible()]
    assert tops[5] - tops[4] == tops[1] - tops[0], "no gap is left"
    editor.folding.unfold_here()
    assert shown(editor) == list(range(1, 15))


def test_in_the_middle_of_something_that_is_folded(editor):
    go(editor, 8)
    editor.folding.fold_here()
    assert editor.textCursor().blockNumber() == 4
    editor.folding.fold_here()
    assert editor.textCursor().blockNumber() == 0
    assert shown(editor) == [1, 9, 10, 11, 12, 13, 14]
    editor.folding.unfold_here()
    assert shown(editor) == list(range(1, 15))


def test_all_are_folded_and_unfolded(editor):
    go(editor, 7)
    editor.folding.fold_all()
    assert shown(editor) == [1, 9, 10, 11, 13, 14]
    assert editor.textCursor().blockNumber() == 0
    editor.folding.unfold_all()
    assert shown(editor) == list(range(1, 15))


def test_arrows_pass_over_what_is_folded(editor):
    editor.folding.fold(line(editor, 1))
    go(editor, 1)
    QTest.keyClick(editor, Qt.Key.Key_Down)
    assert editor.textCursor().blockNumber() == 8
    QTest.keyClick(editor, Qt.Key.Key_Up)
    assert editor.textCursor().blockNumber() == 0
    editor.carets.add_line(down=True)
    assert editor.textCursor().blockNumber() == 8
    assert shown(editor)[1] == 9


def test_going_there_unfolds(editor):
    editor.folding.fold(line(editor, 1))
    go(editor, 7)
    assert shown(editor) == list(range(1, 15))


def test_typing_in_the_line_above_leaves_it_folded(editor):
    editor.folding.fold(line(editor, 1))
    go(editor, 1, 7)
    QTest.keyClicks(editor, "BC")
    assert shown(editor)[1] == 9
    QTest.keyClick(editor, Qt.Key.Key_End)
    QTest.keyClick(editor, Qt.Key.Key_Return)
    assert shown(editor) == list(range(1, 16))


@pytest.mark.parametrize("key", [Qt.Key.Key_Delete, Qt.Key.Key_Right])
def test_what_reaches_into_it_unfolds(editor, key):
    editor.folding.fold(line(editor, 5))
    go(editor, 5)
    QTest.keyClick(editor, Qt.Key.Key_End)
    QTest.keyClick(editor, key)
    assert all(block.isVisible() for block in map(editor.document().findBlockByNumber, range(13)))


def test_a_change_in_it_unfolds(editor):
    editor.folding.fold(line(editor, 1))
    at = TEXT.index("2")
    editor.change([(at, at + 1, "5")])
    assert shown(editor) == list(range(1, 15))
    editor.folding.fold(line(editor, 1))
    editor.undo()
    assert shown(editor) == list(range(1, 15))


def test_the_margin_folds(editor):
    margin = editor.findChild(Margin)
    top = round(next(top for block, top in editor.visible() if block.blockNumber() == 4)) + 5
    for lines in (11, 14):
        QTest.mouseClick(margin, Qt.MouseButton.LeftButton, pos=QPoint(margin.width() - 3, top))
        assert len(shown(editor)) == lines
    assert not editor.textCursor().hasSelection()


def test_where_a_draft_is_shown_nothing_is_folded(editor):
    at = TEXT.index("return 2")
    editor.drafts.show([Shown(Span(editor.document(), at, at + 8), "return\nthis", [1.0] * 11)])
    editor.folding.fold(line(editor, 1))
    assert len(shown(editor)) == 14
    editor.folding.fold(line(editor, 11))
    assert shown(editor) == [*range(1, 12), 13, 14]
    tops = {block.blockNumber() + 1: top for block, top in editor.visible()}
    assert tops[8] - tops[7] == 2 * (tops[7] - tops[6]), "the draft has its room"


def test_a_draft_over_folded_lines_has_its_room(editor):
    editor.folding.fold(line(editor, 5))
    start, end = line(editor, 5).position(), line(editor, 9).position() - 1
    editor.drafts.show([Shown(Span(editor.document(), start, end), "a\nb\nc", [1.0] * 5)])
    tops = {block.blockNumber() + 1: top for block, top in editor.visible()}
    assert tops[9] - tops[5] == 3 * (tops[2] - tops[1])


@pytest.fixture(scope="module")
def one(qapp):  # noqa: ARG001  (widgets need an application)
    editor = Editor()
    yield editor
    editor.close()
    editor.deleteLater()


KEYS = ["Left", "Right", "Up", "Down", "Home", "End", "Return", "Backspace", "Delete", "Tab", "PageDown", "X"]


@given(st.lists(st.sampled_from([*KEYS, "fold", "fold all", "unfold", "below", "undo", "redo"]), max_size=40))
def test_carets_are_always_seen_and_the_text_is_the_same_as_unfolded(one, steps):
    show(one)
    for step in steps:
        match step:
            case "fold":
                one.folding.fold_here()
            case "fold all":
                one.folding.fold_all()
            case "unfold":
                one.folding.unfold_here()
            case "below":
                one.carets.add_line(down=True)
            case "undo" | "redo":
                getattr(one, step)()
            case key:
                QTest.keyClick(one, getattr(Qt.Key, f"Key_{key}"))
        assert all(caret.block().isVisible() for caret in one.carets.all)
        assert one.document().firstBlock().isVisible()
    one.folding.unfold_all()
    blocks = map(one.document().findBlockByNumber, range(one.blockCount()))
    assert all(block.isVisible() and block.lineCount() for block in blocks)
