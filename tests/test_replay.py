"""A real history typed again: the versions of one of our files, as keys in the editor."""

import difflib
import json
from itertools import pairwise
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextCursor
from PySide6.QtTest import QTest

from palimpsest.app.editor import Editor

VERSIONS = json.loads(Path(__file__).with_name("history.json").read_text("utf-8"))


def sessions(old: str, new: str):
    """The edits that lead from one version to the next, the last in the text first: where, what goes, what comes."""
    mine, theirs = old.splitlines(keepends=True), new.splitlines(keepends=True)
    starts = [0]
    for line in mine:
        starts.append(starts[-1] + len(line))
    for kind, first, last, there, until in reversed(difflib.SequenceMatcher(None, mine, theirs).get_opcodes()):
        if kind != "equal":
            yield starts[first], starts[last], "".join(theirs[there:until])


def replay(editor, start, end, text):
    """The caret jumps there, what goes is deleted key by key or as a selection, what comes is typed as a person would:
    with what the editor puts in by itself taken away again."""
    caret = editor.textCursor()
    caret.setPosition(start if end - start < 40 else end)
    editor.setTextCursor(caret)
    if end - start < 40:
        for _ in range(end - start):
            QTest.keyClick(editor, Qt.Key.Key_Delete)
    else:
        caret.setPosition(start, QTextCursor.MoveMode.KeepAnchor)
        editor.setTextCursor(caret)
        QTest.keyClick(editor, Qt.Key.Key_Backspace)
    for number, line in enumerate(text.split("\n")):
        if number:
            QTest.keyClick(editor, Qt.Key.Key_Return)
            while not editor.textCursor().atBlockStart():  # the indentation that came along
                QTest.keyClick(editor, Qt.Key.Key_Backspace)
        QTest.keyClicks(editor, line)


@pytest.fixture
def editor(qtbot):
    editor = Editor()
    qtbot.addWidget(editor)
    editor.suit("window.py")
    editor.put(VERSIONS[0])
    editor.show()
    editor.setFocus()
    return editor


def test_a_history_ends_as_recorded_and_is_undone_to_its_beginning(editor):
    for old, new in pairwise(VERSIONS):
        for start, end, text in sessions(old, new):
            replay(editor, start, end, text)
        assert editor.text() == new
    while editor.document().isUndoAvailable():
        editor.undo()
    assert editor.text() == VERSIONS[0]
    assert not editor.document().isModified()
    while editor.document().isRedoAvailable():
        editor.redo()
    assert editor.text() == VERSIONS[-1]
