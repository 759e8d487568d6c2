"""Colours line by line are the colours of the whole."""

import pytest
from pygments.lexers.python import PythonLexer
from pygments.token import Comment, Keyword, String
from PySide6.QtGui import QTextDocument

from conftest import REAL_FILE
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


def test_an_edit_recolours_what_follows(qapp):
    document = QTextDocument('x = 1\ny = "a"\n')
    highlighter = Highlighter(document, "py", "friendly")
    document.documentLayout()  # without one Qt tells nobody of changes
    qapp.processEvents()  # Qt colours a new document when it is idle, and edits at once
    plain = highlighter.document().findBlockByNumber(1).layout().formats()
    cursor = document.find("x")
    cursor.insertText('"""')
    quoted = highlighter.document().findBlockByNumber(1).layout().formats()
    assert [look.start for look in quoted] != [look.start for look in plain]


@pytest.mark.usefixtures("qapp")
def test_positions_count_as_qt_does():
    document = QTextDocument('"😀" + None')
    highlighter = Highlighter(document, "py", "friendly")
    highlighter.rehighlight()
    starts = [look.start for look in document.firstBlock().layout().formats()]
    assert '"😀" + None'.encode("utf-16-le").index("None".encode("utf-16-le")) // 2 in starts
