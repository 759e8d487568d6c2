"""What is painted anew: a key's line and not the window, also beside a draft."""

import pytest
from PySide6.QtCore import QEvent, QObject, QRect, Qt
from PySide6.QtGui import QTextCursor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from conftest import until
from palimpsest.app.editor import Editor
from palimpsest.app.highlight import Highlighter
from palimpsest.app.patch import Shown
from palimpsest.app.settings import Settings
from palimpsest.app.span import Span

LINES = "".join(f"def function_{number}(one, other): return 'some text' + str({number})\n" for number in range(200))


class Painted(QObject):
    """What of widgets has been painted since it was asked last."""

    def __init__(self, *widgets):
        super().__init__()
        self._widgets, self._rects = widgets, {widget: QRect() for widget in widgets}
        for widget in widgets:
            widget.installEventFilter(self)

    def eventFilter(self, watched, event):
        if event.type() == QEvent.Type.Paint:
            self._rects[watched] |= event.rect()
        return False

    def heights(self):
        """The height painted of each, once all that was posted has been handled."""
        for _ in range(3):
            QApplication.processEvents()
        heights = [self._rects[widget].height() for widget in self._widgets]
        self._rects = {widget: QRect() for widget in self._widgets}
        return heights


@pytest.fixture
def editor(qtbot):
    editor = Editor()
    qtbot.addWidget(editor)
    editor.use(Settings())
    editor.put(LINES)
    editor.suit("x.py")
    editor.resize(900, 600)
    editor.show()
    qtbot.waitExposed(editor)
    editor.setFocus()
    cursor = QTextCursor(editor.document().findBlockByNumber(10))
    cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock)
    editor.setTextCursor(cursor)
    return editor


@pytest.fixture
def painted(editor):
    painted = Painted(editor.viewport(), editor.margin)
    painted.heights()
    return painted


def line(editor):
    return editor.fontMetrics().lineSpacing()


def test_a_key_paints_its_line_and_one_number(editor, painted):
    QTest.keyClick(editor, Qt.Key.Key_X)
    text, numbers = painted.heights()
    assert 0 < text < 2 * line(editor)
    assert numbers < 2 * line(editor)


def test_a_key_with_colours_paints_its_line(editor, run):
    async def story():
        highlighter = Highlighter(editor)
        highlighter.use("python", "friendly")
        await until(lambda: not highlighter.busy)
        painted = Painted(editor.viewport())
        painted.heights()
        QTest.keyClick(editor, Qt.Key.Key_X)
        assert 0 < painted.heights()[0] < 2 * line(editor)

    run(story())


def test_a_line_more_moves_those_below(editor, painted):
    QTest.keyClick(editor, Qt.Key.Key_Return)
    text, numbers = painted.heights()
    assert text > 10 * line(editor)
    assert numbers > 10 * line(editor)


def test_a_caret_that_comes_to_another_line_is_told_in_the_margin(editor, painted):
    QTest.keyClick(editor, Qt.Key.Key_Down)
    text, numbers = painted.heights()
    assert 0 < text < 3 * line(editor)
    assert numbers > 2 * line(editor)


def test_what_is_deleted_is_laid_out(editor):
    cursor = editor.textCursor()
    cursor.movePosition(QTextCursor.MoveOperation.StartOfBlock)
    cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock, QTextCursor.MoveMode.KeepAnchor)
    cursor.removeSelectedText()
    assert cursor.block().layout().lineAt(0).textLength() == 0
    editor.undo()
    QApplication.processEvents()
    assert cursor.block().layout().lineAt(0).textLength() == len(cursor.block().text())


def test_what_is_deleted_behind_what_is_added_is_laid_out(editor):
    document = editor.document()
    line = document.findBlockByNumber(10)
    assert line.layout().lineCount() == 1
    cursor = QTextCursor(line)
    cursor.beginEditBlock()
    cursor.movePosition(QTextCursor.MoveOperation.NextWord, QTextCursor.MoveMode.KeepAnchor)
    cursor.removeSelectedText()
    QTextCursor(document.findBlockByNumber(5)).insertText("more ")
    cursor.endEditBlock()
    editor.blockBoundingGeometry(line)
    assert line.layout().lineAt(0).textLength() == len(line.text())


def test_a_further_draft_paints_its_lines_and_those_it_moves(editor, painted):
    place = editor.textCursor().position()

    def show(text):
        span = Span(editor.document(), place, place)
        editor.drafts.show([Shown(span, text, [1.0] * len(text))], progress=0.5)
        return painted.heights()[0]

    assert show(" one") > 10 * line(editor), "there was none before"
    assert 0 < show(" two") < 2 * line(editor)
    assert show(" one\ntwo") > 10 * line(editor), "those below move"
    assert 0 < show(" two\none") < 3 * line(editor)
    editor.drafts.clear()
    assert painted.heights()[0] > 10 * line(editor)
