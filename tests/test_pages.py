"""Tabs and files: opened once, saved as they were, asked about when two programs changed them."""

import os

import pytest
from PySide6.QtGui import QTextCursor
from PySide6.QtWidgets import QInputDialog, QMessageBox, QPlainTextEdit

from conftest import label, until
from palimpsest.app.statusbar import StatusBar


@pytest.fixture
def messages(pages):
    """What the user is told."""
    told = []
    pages.told.connect(told.append)
    return told


@pytest.fixture
def opened(pages, run):
    """Opens a file as the user does."""

    async def open_(path, *place):
        return await pages.open(path, *place)

    return lambda path, *place: run(open_(path, *place))


@pytest.fixture
def after(run):
    """Does something in the event loop, and waits for what comes of it."""

    async def story(do, condition):
        do()
        await until(condition)

    return lambda do, condition: run(story(do, condition))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("one\ntwo\nthree\n")
    return path


def typed(pages, text, at=QTextCursor.MoveOperation.End):
    pages.page.editor.moveCursor(at)
    pages.page.editor.insertPlainText(text)


def choose(monkeypatch, wanted):
    """The user picks the first item that begins so."""
    monkeypatch.setattr(
        QInputDialog,
        "getItem",
        lambda _parent, _title, _label, names, *_: (next(name for name in names if name.startswith(wanted)), True),
    )


def answer(monkeypatch, button):
    """The user answers a question so."""
    monkeypatch.setattr(QMessageBox, "question", lambda *_: getattr(QMessageBox.StandardButton, button))


def replaced(path, text):
    """Another program saves the file, as most do."""
    part = path.with_name("part")
    part.write_text(text)
    part.replace(path)


def test_a_file_has_one_tab(pages, opened, file, tmp_path):
    other, link = tmp_path / "other.py", tmp_path / "link.txt"
    other.write_text("x = 1\n")
    link.symlink_to(file)
    assert opened(file)
    assert opened(other)
    assert [page.title for page in pages.all] == ["file.txt", "other.py"]
    assert pages.page.path == other
    for again in (file, link):
        assert opened(again)
        assert len(pages.all) == 2
        assert pages.page.path == file


def test_only_an_untouched_page_gives_way(pages, opened, file):
    typed(pages, "mine")
    assert opened(file)
    assert [page.title for page in pages.all] == ["Untitled", "file.txt"]
    assert label(pages, pages.all[0]) == "Untitled •"


def test_a_file_is_opened_at_a_place(pages, opened, file):
    assert opened(file, 2, 3)
    caret = pages.page.editor.textCursor()
    assert (caret.blockNumber(), caret.positionInBlock()) == (1, 2)
    pages.page.go_to(99, 99)
    assert pages.page.editor.textCursor().blockNumber() == 3


def test_a_file_that_is_not_there_yet(pages, messages, opened, tmp_path):
    path = tmp_path / "new.md"
    assert opened(path)
    assert "new file" in messages[-1]
    assert not path.exists()
    typed(pages, "# New\n")
    assert pages.save()
    assert path.read_text() == "# New\n"


def test_the_last_tab_leaves_an_empty_one_and_comes_back(pages, opened, file, after):
    opened(file)
    assert pages.close_page(pages.page)
    assert [page.title for page in pages.all] == ["Untitled"]
    assert pages.can_reopen
    after(pages.reopen_closed, lambda: pages.page.path == file)
    assert not pages.can_reopen


@pytest.mark.parametrize(("button", "closed", "written"), [("Save", 1, 1), ("Discard", 1, 0), ("Cancel", 0, 0)])
def test_closing_asks_about_changes(pages, opened, file, monkeypatch, button, closed, written):
    opened(file)
    typed(pages, "four\n")
    answer(monkeypatch, button)
    assert pages.close_page(pages.page) == bool(closed)
    assert file.read_text().endswith("four\n") == bool(written)
    assert (pages.page.path is None) == bool(closed)


def test_turning_goes_around(pages, opened, file):
    opened(file)
    pages.new()
    pages.new()
    pages.turn(1)
    assert pages.page.path == file
    pages.turn(-1)
    assert pages.all.index(pages.page) == 2


def test_a_guess_is_told_and_kept(pages, messages, opened, tmp_path):
    path = tmp_path / "old.txt"
    path.write_bytes(b"Gr\xfc\xdfe aus K\xf6ln, sch\xf6n!\r\n" * 3)
    opened(path)
    assert "if it looks wrong" in messages[-1]
    assert pages.page.editor.text().startswith("Grüße aus Köln")
    typed(pages, "Bär")
    assert pages.save()
    assert path.read_bytes() == b"Gr\xfc\xdfe aus K\xf6ln, sch\xf6n!\r\n" * 3 + b"B\xe4r"


def test_another_encoding_is_read_and_written(pages, opened, file, monkeypatch, after):
    file.write_bytes("Привет, мир\n".encode("koi8-r"))
    opened(file)
    choose(monkeypatch, "Cyrillic (KOI8-R)")
    after(pages.ask_reopen, lambda: pages.page.editor.text() == "Привет, мир\n")
    assert not pages.page.modified
    choose(monkeypatch, "UTF-16 LE")
    pages.ask_save_with()
    assert file.read_bytes() == "\ufeffПривет, мир\n".encode("utf-16-le")
    assert pages.page.file.bom


def test_what_the_encoding_has_no_place_for_is_not_saved(pages, messages, opened, file, monkeypatch):
    opened(file)
    choose(monkeypatch, "Western (Windows-1252)")
    pages.ask_save_with()
    typed(pages, "→")
    assert not pages.save()
    assert "“→” (U+2192) in line 4" in messages[-1]
    assert pages.page.modified
    assert file.read_text() == "one\ntwo\nthree\n"


def test_line_ends_change_for_all_lines_and_back(pages, opened, file, monkeypatch):
    file.write_bytes(b"a\r\nb\nc\n")
    opened(file)
    choose(monkeypatch, "CRLF")
    pages.ask_line_ends()
    assert pages.page.modified
    assert pages.save()
    assert file.read_bytes() == b"a\r\nb\r\nc\r\n"
    pages.page.editor.undo()
    choose(monkeypatch, "LF")
    pages.ask_line_ends()
    assert pages.save()
    assert file.read_bytes() == b"a\nb\nc\n"


def test_a_change_on_the_disk_is_taken_when_there_is_none_here(pages, opened, file, run):
    opened(file, 3, 2)
    replaced(file, "one\n2\nthree\nfour\n")
    run(until(lambda: pages.page.editor.text() == "one\n2\nthree\nfour\n"))
    assert not pages.page.modified
    caret = pages.page.editor.textCursor()
    assert (caret.blockNumber(), caret.positionInBlock()) == (2, 1)
    assert pages.page.banner.message == ""
    pages.page.editor.undo()
    assert pages.page.editor.text() == "one\ntwo\nthree\n"
    assert pages.page.modified


def test_what_undo_brings_back_is_written_as_it_was(pages, opened, file, run):
    file.write_bytes(b"a\rb\nc\n")
    opened(file)
    replaced(file, "ab\nc\n")
    run(until(lambda: pages.page.editor.text() == "ab\nc\n"))
    pages.page.editor.undo()
    assert pages.save()
    assert file.read_bytes() == b"a\rb\nc\n"


def test_a_file_of_one_line_keeps_its_line_ends(pages, opened, file, run):
    file.write_bytes(b"one\r\ntwo\r\n")
    opened(file)
    replaced(file, "one")
    run(until(lambda: pages.page.editor.text() == "one"))
    typed(pages, "\nthree\n")
    assert pages.save()
    assert file.read_bytes() == b"one\r\nthree\r\n"


@pytest.mark.parametrize("choice", ["Take the file’s", "Keep mine"])
def test_two_changes_are_a_question(pages, opened, file, run, after, choice):
    opened(file)
    typed(pages, "mine\n")
    replaced(file, "theirs\n")
    run(until(lambda: pages.page.banner.message))
    assert "changed by another program" in pages.page.banner.message
    assert pages.page.editor.text() == "one\ntwo\nthree\nmine\n"
    button = pages.page.banner.choices[choice]
    if choice == "Keep mine":
        button.click()
        assert pages.page.modified
        assert pages.save()
        assert file.read_text() == "one\ntwo\nthree\nmine\n"
    else:
        after(button.click, lambda: pages.page.editor.text() == "theirs\n")
        pages.page.editor.undo()
        assert pages.page.editor.text() == "one\ntwo\nthree\nmine\n"
    assert pages.page.banner.message == ""


def test_the_differences_are_shown(pages, opened, file, run, after):
    opened(file)
    typed(pages, "mine\n")
    replaced(file, "one\n2\nthree\n")
    run(until(lambda: pages.page.banner.message))
    button = pages.page.banner.choices["Show differences"]
    after(button.click, lambda: pages.findChildren(QPlainTextEdit, "differences"))
    told = pages.findChild(QPlainTextEdit, "differences").toPlainText().split("\n")
    assert {"-2", "+two", "+mine"} <= set(told)


def test_a_file_that_vanishes_can_be_saved_again(pages, opened, file, run):
    opened(file)
    file.unlink()
    run(until(lambda: pages.page.banner.message))
    assert pages.page.modified
    pages.page.banner.choices["Save it again"].click()
    assert file.read_text() == "one\ntwo\nthree\n"
    assert pages.page.banner.message == ""
    assert not pages.page.modified


def test_our_own_saving_is_no_change(pages, opened, file, run):
    opened(file)
    changes = []
    pages._watch.changed.connect(changes.append)
    typed(pages, "four\n")
    assert pages.save()
    os.utime(file.parent)  # the folder's notice comes, and finds nothing new
    pages.check()
    run(until(lambda: not pages.page.banner.message))
    assert changes == []


def test_the_status_bar_tells_how_the_file_is_written(pages, opened, file, qtbot):
    bar = StatusBar()
    qtbot.addWidget(bar)
    file.write_bytes(b"\xef\xbb\xbfa\r\n")
    opened(file)
    bar.tell_file(pages.page.file)
    assert (bar._encoding.text(), bar._line_ends.text()) == ("UTF-8 with BOM", "CRLF")
    with qtbot.waitSignal(bar.encoding_wanted):
        bar._encoding.click()
