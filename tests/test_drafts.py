"""The draft layer: painted in place, following lines moved, the document untouched."""

import pytest
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QPlainTextEdit

from palimpsest.app.editor import Editor
from palimpsest.app.patch import FAINTEST, Shown
from palimpsest.app.span import Span

TEXT = "first\nsecond line\nthird\nfourth\n"


@pytest.fixture
def editor(qtbot):
    editor = Editor()
    editor.put(TEXT)
    editor.suit("x.py")
    editor.resize(400, 300)
    qtbot.addWidget(editor)
    editor.show()
    return editor


def shown(editor, start, end, text, settled=1.0, **more):
    return Shown(Span(editor.document(), start, end), text, [settled] * len(text), **more)


def show(editor, start, end, text, settled=1.0):
    editor.drafts.show([shown(editor, start, end, text, settled)])


def tops(editor):
    """The top of every line of the document."""
    document = editor.document()
    blocks = [document.findBlockByNumber(number) for number in range(document.blockCount())]
    return [editor.blockBoundingGeometry(block).top() for block in blocks]


def darkest(image: QImage, top: float, height: float) -> int:
    """The lightness of the darkest pixel in a strip of the picture."""
    rows = range(int(top), int(top + height))
    return min(QColor(image.pixel(x, y)).lightness() for y in rows for x in range(image.width() - 20))


def test_following_lines_make_room_and_return(editor):
    before = tops(editor)
    line = before[1] - before[0]
    show(editor, 6, 12, "one\ntwo\nthree")
    assert tops(editor) == [before[0], before[1], *(top + 2 * line for top in before[2:])]
    editor.drafts.clear()
    assert tops(editor) == before


def test_a_shorter_draft_moves_nothing(editor):
    before = tops(editor)
    show(editor, 0, 17, "one")
    assert tops(editor) == before


def test_the_document_is_untouched(editor):
    show(editor, 6, 12, "one\ntwo", 0.5)
    editor.grab()
    assert editor.text() == TEXT
    assert not editor.document().isModified()
    assert not editor.document().isUndoAvailable()


def test_unsettled_tokens_are_fainter(editor):
    before = tops(editor)
    line = before[1] - before[0]
    ink = {}
    for settled in (0.0, 0.5, 1.0):
        show(editor, 6, 17, "MMMMMM", settled)
        image = editor.viewport().grab().toImage()
        ink[settled] = darkest(image, before[1] + editor.contentOffset().y(), line)
    assert ink[1.0] < ink[0.5] < ink[0.0] < 255
    assert 0 < FAINTEST < 1


def test_the_hidden_text_is_not_seen(editor):
    """A draft of blanks paints over the selected text."""
    before = tops(editor)
    line = before[1] - before[0]
    at = before[1] + editor.contentOffset().y()
    assert darkest(editor.viewport().grab().toImage(), at + 1, line - 2) < 100
    show(editor, 6, 17, " ")
    assert darkest(editor.viewport().grab().toImage(), at + 1, line - 2) > 200


def test_clicks_below_a_draft_hit_the_line_they_show(editor):
    show(editor, 6, 12, "a\nb\nc\nd")
    third = editor.document().findBlockByNumber(2)
    shown = editor.blockBoundingGeometry(third).translated(editor.contentOffset())
    assert editor.cursorForPosition(shown.center().toPoint()).blockNumber() == 2


def test_the_draft_follows_edits_above_it(editor):
    show(editor, 6, 12, "a\nb")
    cursor = editor.textCursor()
    cursor.insertText("new\n")
    editor.drafts.refresh()
    heights = [b - a for a, b in zip(tops(editor), tops(editor)[1:], strict=False)]
    assert heights.index(max(heights)) == 2


def test_wide_characters_keep_their_places(editor):
    editor.put("a😀b tail\nnext\n")
    show(editor, 3, 4, "x😀\ny")
    assert [line.text() for line in editor.drafts._patches[0].lines] == ["a😀x😀", "y tail"]


def test_prose_wraps_as_the_editor_does(editor):
    editor.put("word " * 3)
    editor.suit("x.md")
    assert editor.lineWrapMode() == QPlainTextEdit.LineWrapMode.WidgetWidth
    show(editor, 0, 4, "word " * 60)
    assert editor.drafts._patches[0].lines[0].lineCount() > 2


def test_a_long_line_can_be_scrolled_to_its_end(editor):
    assert editor.horizontalScrollBar().maximum() == 0
    show(editor, 6, 12, "M" * 300)
    assert editor.horizontalScrollBar().maximum() > 300
    editor.drafts.clear()
    assert editor.horizontalScrollBar().maximum() == 0


def test_a_hole_taller_than_the_window_keeps_its_place(editor):
    editor.put("line\n" * 200)
    height = tops(editor)[1] - tops(editor)[0]
    show(editor, 0, 700, "x")
    first = editor.document().begin()
    for scrolled in (0, 10, 60, 120):
        editor.verticalScrollBar().setValue(scrolled)
        top = editor.drafts._top(first) - editor.contentOffset().y()
        visible = editor.blockBoundingGeometry(editor.firstVisibleBlock()).top()
        assert top == pytest.approx(visible - scrolled * height)


def test_an_edit_beside_the_hole_leaves_no_gap(editor, qtbot):
    editor.put("some words " * 3)
    editor.suit("x.md")
    show(editor, 5, 10, "other")
    editor.document().contentsChanged.connect(editor.drafts.refresh)
    editor.moveCursor(editor.textCursor().MoveOperation.End)
    qtbot.keyClicks(editor, "and more " * 20)
    block = editor.document().begin()
    gap = editor.blockBoundingGeometry(block).height() - editor.drafts._patches[0].height
    assert 0 <= gap <= editor.document().documentMargin()
