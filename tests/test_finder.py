"""Finding in all files of the folder."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog

from conftest import opened, under_way, until
from palimpsest.app import finder as finder_module
from palimpsest.app import tasks
from palimpsest.app.finder import PLACE


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "project"
    (root / "src").mkdir(parents=True)
    (root / "a.txt").write_text("one two\nthree Two\n")
    (root / "src" / "b.py").write_text("\n\n    def two_of(): ...\n")
    (root / "src" / "binary").write_bytes(b"\0\xff")
    return root


@pytest.fixture
def finder(window, folder, run):
    async def story():
        await window.pages.open(folder)
        window.find_in_files()

    run(story())
    return window.finder


def rows(finder):
    """What is listed: each file's line, with its rows."""
    files = [finder.results.topLevelItem(row) for row in range(finder.results.topLevelItemCount())]
    return {file.text(0): [file.child(row).text(0).strip() for row in range(file.childCount())] for file in files}


async def find(finder, text):
    """Looks for ``text`` as the user does, until the search has ended."""
    finder.wanted.clear()
    QTest.keyClicks(finder.wanted, text)
    QTest.keyClick(finder.wanted, Qt.Key.Key_Return)
    await ended()


async def ended():
    await until(lambda: not under_way())


def test_what_is_found_is_listed_by_file(finder, run):
    assert finder.isVisible()
    assert finder.wanted.hasFocus()
    run(find(finder, "two"))
    assert rows(finder) == {
        "a.txt  (2)": ["1  one two", "2  three Two"],
        "src/b.py  (1)": ["3  def two_of(): ..."],
    }
    assert finder.told.text() == "3 in 2 of 2 files; not searched: 1 no text"
    item = finder.results.topLevelItem(1).child(0)
    start, end = item.data(0, PLACE)
    assert item.text(0)[start:end] == "two"


def test_it_asks_as_the_find_bar_does(finder, run):
    run(find(finder, "two"))

    async def story(toggle):
        toggle.click()
        await ended()

    run(story(finder.case))
    assert list(rows(finder)) == ["a.txt  (1)", "src/b.py  (1)"]
    run(story(finder.word))
    assert rows(finder) == {"a.txt  (1)": ["1  one two"]}
    run(story(finder.expression))
    run(find(finder, "t.o"))
    assert rows(finder) == {"a.txt  (1)": ["1  one two"]}
    run(find(finder, "("))
    assert finder.told.text().startswith("This is no regular expression")
    assert rows(finder) == {}


def test_keys_of_a_bar_are_heard_in_that_bar(finder, window, run):
    async def story():
        window.find_bar.open(replacing=False)
        QTest.keyClick(window.find_bar.wanted, Qt.Key.Key_C, Qt.KeyboardModifier.AltModifier)
        finder.wanted.setFocus()
        QTest.keyClick(finder.wanted, Qt.Key.Key_W, Qt.KeyboardModifier.AltModifier)
        await ended()

    run(story())
    assert window.find_bar.case.isChecked()
    assert finder.word.isChecked()
    assert not finder.case.isChecked()
    assert not window.find_bar.word.isChecked()


def test_return_goes_there_and_selects(finder, window, run, folder):
    async def story():
        await find(finder, "two")
        QTest.keyClick(finder.wanted, Qt.Key.Key_Down)
        assert finder.results.hasFocus()
        finder.results.setCurrentItem(finder.results.topLevelItem(1).child(0))
        QTest.keyClick(finder.results, Qt.Key.Key_Return)
        await until(lambda: window.page.path == folder / "src" / "b.py" and window.has_selection)

    run(story())
    caret = window.editor.textCursor()
    assert (caret.blockNumber(), caret.positionInBlock(), caret.selectedText()) == (2, 11, "two")
    assert window.editor.hasFocus()


def test_what_stands_there_no_more_is_not_selected(finder, window, run, folder):
    async def story():
        await find(finder, "three two")
        (folder / "a.txt").write_text("one two\nother\n")
        finder.results.itemActivated.emit(finder.results.topLevelItem(0).child(0), 0)
        await until(lambda: window.page.path == folder / "a.txt" and window.page.place.line == 2)

    run(story())
    assert not window.has_selection


def test_unsaved_pages_are_searched_as_they_stand(finder, window, run, folder):
    assert run(opened(window, folder / "a.txt"))
    window.editor.selectAll()
    window.editor.insertPlainText("not on the disk")
    run(find(finder, "disk"))
    assert rows(finder) == {"a.txt  (1)": ["1  not on the disk"]}
    run(find(finder, "two"))
    assert list(rows(finder)) == ["src/b.py  (1)"]


def test_what_is_selected_is_looked_for(finder, window, run, folder):
    assert run(opened(window, folder / "a.txt"))
    window.page.select(2, 1, "three")
    window.find_in_files()
    assert finder.wanted.text() == "three"


def many(folder, monkeypatch):
    """A folder with many files, each of which is searched alone."""
    monkeypatch.setattr(tasks, "PORTION", 0)
    for number in range(300):
        (folder / f"{number}.txt").write_text("some\nmore\n")


@pytest.mark.parametrize("stop", ["Stop", "Esc", "dock closed", "window hidden"])
def test_it_stops_at_any_moment(finder, window, run, folder, monkeypatch, stop):
    many(folder, monkeypatch)

    async def story():
        search = finder.wanted.setText("some") or finder.search()
        await until(lambda: rows(finder))
        if stop == "Stop":
            finder._end.click()
        elif stop == "Esc":
            QTest.keyClick(finder.wanted, Qt.Key.Key_Escape)
        elif stop == "dock closed":
            window._found.close()
        else:
            window.hide()
        await search

    run(story())
    assert 0 < len(rows(finder)) < 300
    assert not finder._end.isEnabled()
    assert finder.isVisible() == (stop == "Stop")


def test_a_new_search_takes_the_place_of_the_last(finder, run, folder, monkeypatch):
    many(folder, monkeypatch)

    async def story():
        finder.wanted.setText("some")
        first = finder.search()
        await until(lambda: rows(finder))
        monkeypatch.setattr(tasks, "PORTION", 0.1)
        finder.wanted.setText("two")
        await finder.search()
        assert first.done()

    run(story())
    assert list(rows(finder)) == ["a.txt  (2)", "src/b.py  (1)"]


def test_no_more_than_so_many_are_listed(finder, run, monkeypatch):
    monkeypatch.setattr(finder_module, "MOST", 2)
    run(find(finder, "o"))
    assert sum(map(len, rows(finder).values())) == 2
    assert finder.told.text().startswith("2 at least")


def test_a_long_line_is_cut_around_what_was_found(finder, run, folder):
    (folder / "a.txt").write_text(f"{'x' * 500}two{'y' * 500}")
    run(find(finder, "two"))
    item = finder.results.topLevelItem(0).child(0)
    start, end = item.data(0, PLACE)
    assert item.text(0)[start:end] == "two"
    assert item.text(0).strip().startswith("1  …xxx")
    assert len(item.text(0)) < 300


def test_without_a_folder_one_is_asked_for(window, monkeypatch, folder):
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: "")
    window.find_in_files()
    assert not window.finder.isVisible()
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(folder))
    window.find_in_files()
    assert window.finder.isVisible()
    assert window.tree.root == folder
