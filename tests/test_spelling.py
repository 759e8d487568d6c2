"""What is misspelled is marked where it stands, and corrected or learnt."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QContextMenuEvent, QTextCharFormat, QTextCursor
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from conftest import opened, until
from palimpsest.app import settings
from palimpsest.app.settings import Settings
from palimpsest.app.spelling import Speller, words

WAVE = QTextCharFormat.UnderlineStyle.WaveUnderline


@pytest.fixture(autouse=True)
def nothing_is_kept():
    yield
    for file in (Speller().file, settings.file()):
        file.unlink(missing_ok=True)


def marked(editor):
    """The words that are underlined."""
    looks = editor.extraSelections()
    return [look.cursor.selectedText() for look in looks if look.format.underlineStyle() == WAVE]


def written(window, run, tmp_path, name, text):
    """The window with a file of this text."""
    path = tmp_path / name
    path.write_text(text)
    assert run(opened(window, path))
    return window.editor


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("It’s one-sided, isn't it?", ["It’s", "one", "sided", "isn't", "it"]),
        ("see http://a.b/c or me@home.org, a_name, x86, and/or README.md", ["see", "or"]),
        ("JSON and GPUs in camelCase by JetBrains", ["and", "in", "by"]),
        ("😀 Grüße naïve", ["Grüße", "naïve"]),
        ("слово 文字", []),
    ],
)
def test_what_is_a_word(line, found):
    assert [word for _, word in words(line)] == found
    assert all(line.startswith(word, at) for at, word in words(line))


def test_words_are_looked_up():
    speller, wanted = Speller(), ["colour", "color", "editor’s", "café", "Isn't", "wrold", "Dont"]
    speller.look_up(wanted)
    assert [word for word in wanted if not speller.good(word)] == ["colour", "wrold", "Dont"]
    assert speller.suggest("wrold")[0] == "world"


def test_prose_is_checked_but_for_code(window, run, tmp_path):
    text = "# Titel\n\n😀 somme `inlin` text\n\n```python\nqwert = 'strng'  # commment\n```\n\n```\nfnord\n```\n"
    editor = written(window, run, tmp_path, "a.md", text)
    run(until(lambda: marked(editor) == ["Titel", "somme", "strng", "commment"]))
    assert not editor.document().isUndoAvailable()
    assert not editor.document().isModified()


def test_of_code_comments_and_strings_are_checked_when_asked_for(window, run, tmp_path):
    editor = written(window, run, tmp_path, "a.py", "qwert = 'a strng\\n'  # a commment\n")
    run(until_done(window.page.misspellings._check))
    assert not marked(editor)
    window.use(Settings(spelling="prose and comments"))
    run(until(lambda: marked(editor) == ["strng", "commment"]))
    window.toggle_spelling()
    run(until(lambda: not marked(editor)))


def test_the_word_that_is_being_typed_is_not_marked(window, run, tmp_path):
    editor = written(window, run, tmp_path, "a.txt", "wrold\n")
    editor.moveCursor(QTextCursor.MoveOperation.End)
    QTest.keyClicks(editor, "an ofer")
    run(until(lambda: marked(editor) == ["wrold"]))
    QTest.keyClick(editor, Qt.Key.Key_Space)
    run(until(lambda: marked(editor) == ["wrold", "ofer"]))


async def menu_at(window, word):
    """The context menu at a word."""
    editor = window.editor
    caret = editor.document().find(word)
    caret.setPosition(caret.selectionStart() + 1)
    place = editor.cursorRect(caret).center()
    QApplication.sendEvent(
        editor.viewport(),
        QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, editor.viewport().mapToGlobal(place)),
    )
    return window._context


def labels(menu):
    return [action.text() for action in menu.actions() if action.isVisible()]


def test_the_context_menu_corrects(window, run, tmp_path):
    editor = written(window, run, tmp_path, "a.txt", "the wrold is\n")
    run(until(lambda: marked(editor)))
    menu = run(menu_at(window, "wrold"))
    run(until(lambda: labels(menu)[0] == "world"))
    menu.actions()[0].trigger()
    menu.close()
    assert editor.text() == "the world is\n"
    editor.undo()
    assert editor.text() == "the wrold is\n"
    menu = run(menu_at(window, "the"))
    assert "world" not in labels(menu)
    menu.close()


def test_a_word_is_learnt_for_good(window, run, tmp_path):
    editor = written(window, run, tmp_path, "a.txt", "a fnord\n")
    run(until(lambda: marked(editor) == ["fnord"]))
    menu = run(menu_at(window, "fnord"))
    next(action for action in menu.actions() if "fnord" in action.text()).trigger()
    menu.close()
    run(until(lambda: not marked(editor)))
    assert Speller().file.read_text() == "fnord\n"
    another = Speller()
    another.look_up(["Fnord"])
    assert another.good("Fnord")


def test_next_misspelling_goes_around(window, run, tmp_path):
    editor = written(window, run, tmp_path, "a.txt", "wrold\n" + "word\n" * 3000 + "somme\n")
    for expected in ("wrold", "somme", "wrold"):
        run(until_done(window.page.misspellings.go_to_next))
        assert editor.textCursor().selectedText() == expected


async def until_done(start):
    await start()


def test_the_mark_is_on_the_screen_only(window, run, tmp_path):
    editor = written(window, run, tmp_path, "a.txt", "wrold\n" * 5000)
    run(until(lambda: marked(editor)))
    assert len(marked(editor)) < 500
    editor.moveCursor(QTextCursor.MoveOperation.End)
    run(until(lambda: any(look.cursor.blockNumber() == 4999 for look in editor.extraSelections())))
