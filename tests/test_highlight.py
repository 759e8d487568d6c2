"""Colours line by line are the colours of the whole."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pygments.lexers.python import PythonLexer
from pygments.token import Comment, Keyword, String
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QApplication

from conftest import REAL_FILE
from palimpsest.app.editor import Editor
from palimpsest.app.highlight import Highlighter, lines_for


def by_line(language, text):
    lines, state = lines_for(language), lines_for(language).start
    result = []
    for line in text.split("\n"):
        pieces, state = lines.line(line, state)
        result.append(pieces)
    return result


def test_a_real_file_line_by_line_is_the_whole_lexed_at_once():
    text = REAL_FILE.read_text()
    whole, ours, start = {}, {}, 0
    for at, kind, piece in PythonLexer().get_tokens_unprocessed(text):
        whole |= {at + offset: kind for offset in range(len(piece))}
    for line, pieces in zip(text.split("\n"), by_line("py", text), strict=True):
        for at, piece, kind in pieces:
            ours |= {start + at + offset: kind for offset in range(len(piece))}
        start += len(line) + 1
    # A docstring is known as such only when its end is in sight; line by line it is a string.
    differ = [
        at
        for at in whole
        if not text[at].isspace() and whole[at] is not ours[at] and not (whole[at] in String and ours[at] in String)
    ]
    assert len(differ) <= len(text) // 1000


@pytest.mark.parametrize(("number", "kind"), [(0, Keyword), (1, String), (2, String), (3, Comment)])
def test_a_string_over_several_lines(number, kind):
    line = by_line("python", 'def f():\n    """one\n    two"""\n# note')[number]
    assert any(found in kind for _, _, found in line)


def test_markdown_lexes_fences_in_their_language():
    lines = by_line("md", "# Title\n```python\ndef f(): pass\n```\ndef is prose")
    assert any(kind in Keyword for _, _, kind in lines[2])
    assert not any(kind in Keyword for _, _, kind in lines[4])


@pytest.fixture
def editor(qtbot):
    editor = Editor()
    qtbot.addWidget(editor)
    editor.resize(400, 300)
    editor.show()
    return editor


def coloured(editor, text, language="py"):
    """Shows ``text`` with colours."""
    editor.put(text)
    Highlighter(editor).use(language, "friendly")
    QApplication.processEvents()


def looks(editor):
    """What the lines in view look like: text, offset, length and ink of each stretch."""
    return [
        (block.text(), [(look.start, look.length, look.format.foreground().color().name()) for look in formats])
        for block, _ in editor.visible()
        for formats in [block.layout().formats()]
    ]


def settled(editor):
    """Waits until the colours are known everywhere; then those in view."""
    (highlighter,) = editor.document().findChildren(Highlighter)
    while highlighter.busy:
        QApplication.processEvents()
    editor.viewport().repaint()
    return looks(editor)


def fresh(editor, language="py"):
    """What the lines in view of ``editor`` look like in an editor that never showed anything else."""
    other = Editor()
    other.resize(editor.size())
    other.show()
    coloured(other, editor.text(), language)
    settled(other)
    other.verticalScrollBar().setValue(editor.verticalScrollBar().value())
    seen = settled(other)
    other.deleteLater()
    return seen


def test_an_edit_recolours_what_follows(editor):
    coloured(editor, 'x = 1\ny = "a"\n')
    plain = looks(editor)
    editor.insertPlainText('"""')
    assert settled(editor)[1] != plain[1]
    editor.undo()
    assert settled(editor) == plain


def test_what_is_typed_has_its_colours_at_once(editor):
    coloured(editor, "x = 1\n")
    editor.insertPlainText("if ")
    assert looks(editor)[0][1][0][:2] == (0, 2)  # the keyword


def test_far_lines_have_the_colours_of_their_place(editor):
    coloured(editor, 'a = """\n' + "if x:\n" * 20_000)
    editor.verticalScrollBar().setValue(10_000)
    inside = settled(editor)
    assert inside == fresh(editor)
    editor.moveCursor(QTextCursor.MoveOperation.Start)
    editor.insertPlainText("# ")
    editor.verticalScrollBar().setValue(10_000)
    outside = settled(editor)
    assert outside == fresh(editor)
    assert outside != inside


def test_lines_in_view_have_colours_before_those_above_are_known(editor):
    coloured(editor, "if x:\n" * 20_000)
    editor.verticalScrollBar().setValue(15_000)
    (highlighter,) = editor.document().findChildren(Highlighter)
    assert highlighter.busy
    assert all(formats for _, formats in looks(editor))


def test_another_language_or_ground_has_other_colours(editor):
    coloured(editor, "if x:\n" * 50)
    (highlighter,) = editor.document().findChildren(Highlighter)
    python = settled(editor)
    highlighter.use("py", "github-dark")
    assert [line for line, _ in settled(editor)] == [line for line, _ in python]
    assert looks(editor) != python
    highlighter.use("txt", "friendly")
    assert not any(formats for _, formats in settled(editor))
    highlighter.use("py", "friendly")
    assert settled(editor) == python


def test_a_very_long_line_has_no_colours_and_those_after_it_have(editor):
    coloured(editor, "if " * 5000 + "\nif x:\n")
    assert [bool(formats) for _, formats in settled(editor)][:2] == [False, True]


PIECES = ['"""', "'", "\n", "if x:\n", "# é", "😀", " ", 'x = """a\nb"""\n']


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 40), st.sampled_from(["", *PIECES])), max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
def test_after_any_edits_colours_are_those_of_the_text(editor, changes):
    coloured(editor, "".join(PIECES) * 10)
    for start, length, text in changes:
        last = editor.document().characterCount() - 1
        editor.change([(min(start, last), min(start + length, last), text)])
        QApplication.processEvents()
    assert settled(editor) == fresh(editor)


def test_positions_count_as_qt_does(editor):
    coloured(editor, '"😀" + None')
    starts = [start for start, _, _ in settled(editor)[0][1]]
    assert '"😀" + None'.encode("utf-16-le").index("None".encode("utf-16-le")) // 2 in starts
