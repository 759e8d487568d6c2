"""Prose: words are counted, Markdown is shown as it will look, texts are put on paper."""

import pytest
import shiboken6
from PySide6.QtCore import Qt
from PySide6.QtGui import QFont, QImage, QTextCursor
from PySide6.QtWidgets import QFileDialog, QTabBar

from conftest import opened, until
from palimpsest.app.paper import Sheet
from palimpsest.app.preview import render
from palimpsest.app.words import WordCount, words


@pytest.fixture
def note(tmp_path):
    path = tmp_path / "note.md"
    path.write_text("# A note\n\nIt's *well-made*.\n\n![dot](dot.png)\n")
    image = QImage(7, 7, QImage.Format.Format_RGB32)
    image.fill(Qt.GlobalColor.red)
    image.save(str(tmp_path / "dot.png"))
    return path


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", 0),
        ("One two", 2),
        ("It's a well-made — thing… no. 3", 6),
        ("日本語です", 5),
        ("naïve\n\ncafé", 2),
        ("' - '", 0),
    ],
)
def test_words(text, number):
    assert words(text) == number


def test_the_words_of_prose_and_of_selections_are_told(window, note, run):
    shown = window.status.words

    async def story():
        assert await opened(window, note)
        await until(lambda: shown.text() == "7 words")
        assert shown.toolTip() == "1 min to read"
        cursor = window.editor.textCursor()
        cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock, QTextCursor.MoveMode.KeepAnchor)
        window.editor.setTextCursor(cursor)
        await until(lambda: shown.text() == "2 words selected")
        window.pages.turn(-1)  # Python
        await until(lambda: shown.text() == "")
        window.pages.turn(1)
        await until(lambda: shown.text() == "2 words selected")
        window.editor.insertPlainText("One")
        await until(lambda: shown.text() == "6 words")

    run(story())


def test_a_text_that_was_closed_before_it_is_counted_is_not(window, note, run):
    async def story():
        page, count = await window.pages.open(note), WordCount()
        count.follow(page.editor)
        task = count._count()
        shiboken6.delete(page)  # pyright: ignore[reportAttributeAccessIssue]
        await task

    run(story())


def test_html_in_markdown_is_shown_and_not_obeyed():
    assert render("<script>x</script>") == "<p>&lt;script&gt;x&lt;/script&gt;</p>\n"
    assert "javascript" not in render("[x](javascript:y)").partition("href")[2]
    assert "<table>" in render("|a|\n|-|\n|b|\n")


def test_the_preview_follows_the_text(window, note, run):
    shown = window.preview.shown

    async def story():
        assert await opened(window, note)
        assert window.preview.isHidden()
        window.preview.toggle()
        await until(lambda: "A note" in shown.toPlainText())
        assert "#" not in shown.toPlainText()
        assert shown.loadResource(2, "dot.png") is not None
        window.editor.insertPlainText("# New\n\n")
        await until(lambda: "New" in shown.toPlainText())
        window.pages.turn(-1)
        await until(lambda: "New" not in shown.toPlainText())
        window.preview.toggle()
        assert window.preview.isHidden()

    run(story())


@pytest.mark.usefixtures("qapp")
def test_on_paper_markdown_is_rendered_and_code_has_colours(note):
    page = Sheet(note, note.read_text(), QFont()).document()
    assert page.toPlainText().startswith("A note\nIt's well-made.")
    code = Sheet(note.with_suffix(".py"), "def f():\n    return '\u00a0x'\n", QFont("JetBrains Mono")).document()
    assert code.toRawText().replace("\u2029", "\n").strip() == "def f():\n    return '\u00a0x'"
    assert "color:#008000" in code.toHtml()
    plain = Sheet(note.with_suffix(".zzz"), "  <b> & \n", QFont()).document()
    assert plain.toPlainText().rstrip() == "  <b> &"


def test_a_pdf_is_written_where_the_user_says(window, note, run, monkeypatch):
    to = note.with_suffix(".pdf")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(to), ""))

    async def story():
        assert await opened(window, note)
        await window.ask_pdf()
        assert "is written" in window.status.currentMessage()
        assert to.read_bytes().startswith(b"%PDF-")
        assert to.stat().st_size > 2000
        to.unlink()
        to.mkdir()
        await window.ask_pdf()
        assert "note.pdf cannot be written: Is a directory." in window.status.currentMessage()

    run(story())
    assert to.is_dir()


def test_nothing_but_the_text(window, qtbot):
    parts = (window.menuBar(), window.status, window.pages.findChild(QTabBar))
    window.toggle_focus()
    assert not any(part.isVisible() for part in parts)
    assert window.isFullScreen()
    qtbot.keyClick(window.editor, Qt.Key.Key_F11)
    assert all(part.isVisible() for part in parts)
    assert not window.isFullScreen()
