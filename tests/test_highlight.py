"""Colours line by line are the colours of the whole."""

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pygments.lexers import find_lexer_class_by_name
from pygments.lexers.python import PythonLexer
from pygments.token import Comment, Error, Keyword, String
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QApplication

from conftest import REAL_FILE, opened
from palimpsest.app.editor import Editor
from palimpsest.app.highlight import Highlighter, lines_for
from palimpsest.app.languages import language_of
from palimpsest.app.linelexers import LONGEST


def by_line(language, text):
    lines, state = lines_for(language), lines_for(language).start
    result = []
    for line in text.split("\n"):
        pieces, state = lines.line(line, state)
        result.append(pieces)
    return result


def kinds(tokens):
    """The kind of every character; what no rule fits has none."""
    return {at + offset: kind for at, piece, kind in tokens if kind is not Error for offset in range(len(piece))}


def kinds_by_line(language, text):
    found, start = {}, 0
    for line, pieces in zip(text.split("\n"), by_line(language, text), strict=True):
        found |= {start + at: kind for at, kind in kinds(pieces).items()}
        start += len(line) + 1
    return found


def test_a_real_file_line_by_line_is_the_whole_lexed_at_once():
    text = REAL_FILE.read_text()
    whole = kinds((at, piece, kind) for at, kind, piece in PythonLexer().get_tokens_unprocessed(text))
    ours = kinds_by_line("py", text)
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


SAMPLES = {
    "c": "#define A(x) \\\n  (x)\nint a = 1; /* one\n 'two' */ char *b = \"/* c\"; // it's\nreturn 2;",
    "javascript": "/* it's\n`two` */ const a = `b\n${c + 1} d`; // e\nlet f = /g/;",
    "typescript": "/** a\n b */\ninterface C { d: number }",
    "rust": 'let a = r#"b\n"c" d"#; /* e\n /* f */ g */ fn h() {}',
    "go": "a := `b\n'c`; /* d\n*/ func e() {}",
    "java": "/** a\n * b */ class C { int d = 1; } // e",
    "bash": "cat <<'END'\nif $a then\nEND\nif b; then c='d\ne f'; fi # g",
    "html": "<p a='b'>c</p><!-- d\n<p> --><script>\nlet e = `f\n</p>`; /* g\n*/</script><style>\na { b: c }</style>",
    "css": "a { b: c; /* d\n e: f; */ g: h }",
    "json": '{"a": [1, true],\n"b": "c"}',
    "toml": 'a = """b\nc = 1"""\n[d]\ne = 2',
    "yaml": "a:\n  - b: |\n      c: d\n\n      e\n    f: 'g\n      h'\ni: &j 1",
    "sql": "select 'a\nfrom b', c from d; /* e\n f */ -- g",
    "cmake": '#[==[ a\nset(b)]==] set(c "d\ne")',
    "lua": "--[[ a\nlocal b]] local c = [[d\nend]]",
    "xml": "<a b='c'><!-- d\n<e/> --></a>",
    "ruby": 'a = {b: 1} # c\ndef d; "e\n#{f}"; end',
}


@pytest.mark.parametrize("language", SAMPLES)
def test_other_languages_line_by_line_are_the_whole(language):
    text = SAMPLES[language] + "\n"
    lexed = find_lexer_class_by_name(language)().get_tokens_unprocessed(text)
    whole = kinds((at, piece, kind) for at, kind, piece in lexed)
    ours = kinds_by_line(language, text)
    assert {at: (text[at], whole.get(at), ours.get(at)) for at in whole if not text[at].isspace()} == {
        at: (text[at], kind, kind) for at, kind in whole.items() if not text[at].isspace()
    }


@pytest.mark.parametrize(
    ("name", "language"),
    [
        ("a.h", "c"),
        ("a.CPP", "cpp"),
        ("a.tsx", "tsx"),
        ("a.sql", "sql"),
        ("a.pl", "perl"),
        ("a.R", "splus"),
        ("Makefile", "make"),
        ("Makefile.am", "make"),
        ("Dockerfile", "docker"),
        ("CMakeLists.txt", "cmake"),
        (".bashrc", "bash"),
        ("a.tar.yaml", "yaml"),
        ("a.jsonc", "json"),
        ("a.b.unknown", ""),
        ("", ""),
    ],
)
def test_a_file_s_name_tells_its_language(name, language):
    assert language_of(name) == language


def test_only_the_lexers_in_use_are_loaded():
    lines_for("scilab")
    assert "pygments.lexers.matlab" in sys.modules
    assert "pygments.lexers.fortran" not in sys.modules


def test_a_long_line_is_plain_and_the_next_is_not():
    lines = by_line("javascript", "if (1) {\n" + "let a = 1;" * LONGEST + "\nlet b = 2;")
    assert not lines[1]
    assert any(kind in Keyword for _, _, kind in lines[2])


def test_a_makefile_opened_has_colours(window, run, tmp_path: Path):
    path = tmp_path / "Makefile"
    path.write_text("all: a\n\tcc a.c\n")
    run(opened(window, path))
    assert window.editor.language == "make"
    settled(window.editor)
    assert window.editor.document().firstBlock().layout().formats()
