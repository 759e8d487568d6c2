"""Pictures dropped on the text, pasted or chosen: their words stand there as a draft."""

import random
import shutil

import printed
import pytest
from PIL import Image, ImageDraw
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication, QImage
from PySide6.QtWidgets import QApplication, QFileDialog

from conftest import until
from palimpsest.app.incoming import pictures
from palimpsest.app.reading import _written
from palimpsest.app.thumbnail import MOST, Thumbnail
from palimpsest.engine import Part, Transcript
from palimpsest.engine.textlines import Marked

BEFORE, AFTER = "One line\n", "another line\n"
WORDS = "Words from a picture"


@pytest.fixture
def picture(tmp_path):
    """A file that says WORDS."""
    image = Image.new("RGB", (400, 80), "white")
    ImageDraw.Draw(image).text((20, 20), WORDS, "black", printed.font("JetBrainsMono-Regular", 24))
    image.save(tmp_path / "words.png")
    return tmp_path / "words.png"


@pytest.fixture
def editor(window):
    """Two lines of text, the caret at the end."""
    editor = window.editor
    editor.put(BEFORE + AFTER)
    editor.moveCursor(editor.textCursor().MoveOperation.End)
    return editor


def carrying(*paths):
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    return data


def drop(editor, data, line):
    """Let go of what is dragged at the beginning of a line."""
    caret = editor.textCursor()
    caret.setPosition(editor.document().findBlockByNumber(line).position())
    place = editor.cursorRect(caret).center()
    copy, left, none = Qt.DropAction.CopyAction, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(place, copy, data, left, none)
    QApplication.sendEvent(editor.viewport(), enter)
    event = QDropEvent(QPointF(place), copy, data, left, none)
    QApplication.sendEvent(editor.viewport(), event)
    return enter.isAccepted() and event.isAccepted()


async def read(window, start, *args):
    """Have something read; returns the draft."""
    start(*args)
    await until(lambda: not window.fills.running)
    return window.editor.drafts.shown


def test_a_dropped_picture_is_a_draft_where_it_was_dropped(window, editor, picture, run):
    assert run(read(window, drop, editor, carrying(picture), 1)) == WORDS
    assert editor.text() == BEFORE + AFTER
    assert len(window.pages.all) == 1
    window.fills.keep()
    assert editor.text() == BEFORE + WORDS + AFTER
    editor.undo()
    assert editor.text() == BEFORE + AFTER


@pytest.mark.parametrize("pasted", [False, True])
def test_the_picture_is_seen_while_it_is_read(window, editor, tmp_path, run, pasted):
    printed.code(random.Random(0), lines=40).picture.save(tmp_path / "long.png")
    picture = QImage(str(tmp_path / "long.png")) if pasted else tmp_path / "long.png"

    async def story():
        window.fills.read(window.page, [picture])
        (seen,) = editor.findChildren(Thumbnail)
        await until(seen.isVisible)
        assert seen.pixmap().height() <= MOST.height()
        assert seen.geometry().top() > editor.cursorRect().top()
        await until(lambda: not editor.findChildren(Thumbnail))
        window.fills.drop()

    run(story())


def test_what_qt_cannot_decode_is_read_unseen(window, editor, tmp_path, run):
    (tmp_path / "broken.png").write_bytes(b"no picture")

    async def story():
        window.fills.read(window.page, [tmp_path / "broken.png"])
        await until(lambda: not window.fills.filling and not editor.findChildren(Thumbnail))

    run(story())
    assert editor.text() == BEFORE + AFTER


def test_a_draft_from_a_picture_is_dropped(window, editor, picture, run):
    assert run(read(window, window.fills.read, window.page, [picture])) == WORDS
    window.fills.drop()
    assert editor.text() == BEFORE + AFTER
    assert editor.drafts.shown is None
    assert not editor.document().isUndoAvailable()


def test_reading_is_cancelled(window, editor, tmp_path, run):
    page = printed.code(random.Random(0), lines=40)
    page.picture.save(tmp_path / "long.png")

    async def cancel():
        window.fills.read(window.page, [tmp_path / "long.png"])
        await until(lambda: window.page.session.last is not None)
        window.fills.drop()

    run(cancel())
    assert not window.fills.filling
    assert editor.text() == BEFORE + AFTER


def test_the_window_may_be_closed_meanwhile(window, tmp_path, run):
    page = printed.code(random.Random(0), lines=40)
    page.picture.save(tmp_path / "long.png")

    async def begin():
        window.fills.read(window.page, [tmp_path / "long.png"])
        await until(lambda: window.page.session.last is not None)
        window.close()

    run(begin())


def test_several_pictures_below_each_other_and_one_that_is_none(window, editor, picture, run, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    shutil.copy(picture, tmp_path / "more.png")
    data = carrying(picture, tmp_path / "bad.png", tmp_path / "more.png")
    assert run(read(window, drop, editor, data, 0)) == f"{WORDS}\n\n{WORDS}"
    assert "bad.png is no picture" in window.page.banner.message


def test_a_bad_picture_is_told_and_nothing_changes(window, editor, run, tmp_path):
    (tmp_path / "bad.png").write_bytes(b"no picture")
    run(read(window, window.fills.read, window.page, [tmp_path / "bad.png"]))
    assert not window.fills.filling
    assert "bad.png is no picture" in window.page.banner.message
    assert editor.text() == BEFORE + AFTER


def test_a_picture_without_words_is_told(window, editor, run, tmp_path):
    Image.new("RGB", (200, 100), "white").save(tmp_path / "empty.png")
    run(read(window, window.fills.read, window.page, [tmp_path / "empty.png"]))
    assert not window.fills.filling
    assert "No text was found" in window.page.banner.message
    assert editor.text() == BEFORE + AFTER


def test_a_screenshot_is_pasted_over_the_selection(window, editor, picture, run):
    caret = editor.textCursor()
    caret.setPosition(0)
    caret.setPosition(len("One"), caret.MoveMode.KeepAnchor)
    editor.setTextCursor(caret)
    QGuiApplication.clipboard().setImage(QImage(str(picture)))
    run(read(window, editor.paste))
    window.fills.keep()
    assert editor.text() == WORDS + BEFORE[len("One") :] + AFTER


def test_code_keeps_its_lines_in_the_draft(window, run, tmp_path):
    page = printed.code(random.Random(5), 16, lines=6)
    page.picture.save(tmp_path / "code.png")
    draft = run(read(window, window.fills.read, window.page, [tmp_path / "code.png"]))
    assert draft.count("\n") == page.text.count("\n")


def test_pictures_are_chosen_from_a_dialog(window, picture, run, monkeypatch):
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([str(picture)], ""))
    assert run(read(window, window.ask_pictures)) == WORDS
    monkeypatch.setattr(QFileDialog, "getOpenFileNames", lambda *_: ([], ""))
    window.ask_pictures()
    assert window.fills.drafted


def test_what_is_taken_for_a_picture(picture):
    text = QMimeData()
    text.setText("words")
    both = QMimeData()
    both.setText("a cell")
    both.setImageData(QImage(str(picture)))
    seen = QMimeData()
    seen.setImageData(QImage(str(picture)))
    assert pictures(carrying(picture)) == [picture]
    assert pictures(carrying(picture, picture.with_name("notes.txt"))) == []
    assert pictures(text) == pictures(both) == []
    assert [type(one) for one in pictures(seen)] == [QImage]


def test_other_files_are_still_opened(window, editor, tmp_path):
    (tmp_path / "notes.txt").write_text("notes")
    assert not drop(editor, carrying(tmp_path / "notes.txt"), 0)
    assert not window.fills.filling


def test_doubtful_words_have_less_ink():
    sure = Marked("sure doubt", (1.0,) * 5 + (0.9, 0.9, 0.3, 0.9, 0.9))
    pages = [Transcript(1, 2, (Part("prose", sure),)), Transcript(2, 2, (Part("prose", sure),))]
    written = _written(pages)
    assert written.text == "sure doubt\n\nsure doubt"
    assert written.settled == ((1.0,) * 5 + (0.3,) * 5) + (1.0,) * 2 + ((1.0,) * 5 + (0.3,) * 5)
