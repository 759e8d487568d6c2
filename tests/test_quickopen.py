"""Files found by a few letters of their names."""

import os

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from conftest import REAL_FILE, opened, under_way, until
from palimpsest.app import tasks
from palimpsest.app.quickopen import QuickOpen, rank


@pytest.fixture(autouse=True)
def memory(tmp_path, monkeypatch):
    """A state folder of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def run(run):
    """The same, until nothing is under way any more."""

    async def ended(coroutine):
        told = await coroutine
        await until(lambda: not under_way())
        return told

    return lambda coroutine: run(ended(coroutine))


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "project"
    for name in ("readme.md", "src/window.py", "src/test_window.py", "windows/notes.txt", "build/window.o"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("".join(f"line {number}\n" for number in range(1, 40)))
    (root / ".gitignore").write_text("build/\n")
    return root


def quick_open(window) -> QuickOpen:
    window.show_files()
    return window.findChildren(QuickOpen)[-1]


def write(palette, text):
    """Writes, and chooses at once, not waiting for what is offered."""
    QTest.keyClicks(palette.wanted, text)
    QTest.keyClick(palette.wanted, Qt.Key.Key_Return)


def test_the_files_own_name_counts_more_than_its_folders():
    names = [os.path.join(*name.split("/")) for name in ("windows/notes.txt", "a/test_window.py", "a/window.py", "x")]
    assert rank("window", names) == [names[2], names[1], names[0]]
    assert rank("wn", names) == [names[2], names[1], names[0]]
    assert rank(f"a{os.sep}tw", names) == [names[1]]
    assert rank("", names) == names
    assert rank("[", names) == []


def test_a_file_of_the_folder_is_opened_by_a_few_letters(window, run, folder):
    async def story():
        await window.pages.open(folder)
        palette = quick_open(window)
        await until(lambda: len(palette.names) == 5)
        assert "window.o" not in palette.names
        write(palette, "win")
        await until(lambda: window.page.path == folder / "src" / "window.py")
        assert window.editor.hasFocus()

    run(story())


@pytest.mark.parametrize(("text", "line", "column"), [("readme:12:3", 12, 3), ("readme:12", 12, 1), ("readme:", 1, 1)])
def test_it_is_opened_at_a_line(window, run, folder, text, line, column):
    async def story():
        await window.pages.open(folder)
        write(quick_open(window), text)
        await until(lambda: window.page.path == folder / "readme.md")

    run(story())
    assert (window.page.place.line, window.page.place.column) == (line, column)


def test_a_line_alone_is_in_the_page_in_front(window, run):
    async def story():
        palette = quick_open(window)
        QTest.keyClicks(palette.wanted, ":12")
        await until(lambda: palette.names == ["Line 12"])
        QTest.keyClick(palette.wanted, Qt.Key.Key_Return)
        await until(lambda: window.page.place.line == 12)

    run(story())
    assert window.page.path == REAL_FILE


def test_without_a_folder_it_offers_what_is_open_and_what_was(window, run, folder):
    async def story():
        page = await window.pages.open(folder / "readme.md")
        window.pages.close_page(page)
        palette = quick_open(window)
        await until(lambda: palette.names == [REAL_FILE.name, "readme.md"])
        write(palette, "read")
        await until(lambda: window.page.path == folder / "readme.md")

    run(story())


def test_what_was_opened_lately_comes_first(window, run, folder):
    async def story():
        await opened(window, folder / "windows" / "notes.txt")
        await window.pages.open(folder)
        palette = quick_open(window)
        await until(lambda: len(palette.names) == 5)
        palette.close()
        return palette.names[0]

    assert run(story()) == "notes.txt"


def test_return_where_nothing_fits_does_nothing(window, run, folder):
    async def story():
        await window.pages.open(folder)
        write(quick_open(window), "xyz")
        await until(lambda: not window.findChildren(QuickOpen))

    run(story())
    assert window.page.path == REAL_FILE


def test_closing_it_ends_the_reading(window, run, folder, monkeypatch):
    monkeypatch.setattr(tasks, "PORTION", 0)
    for number in range(300):
        (folder / f"{number}.txt").touch()

    async def story():
        await window.pages.open(folder)
        palette = quick_open(window)
        await until(lambda: palette.names)
        QTest.keyClick(palette.wanted, Qt.Key.Key_Escape)
        await palette._gathered
        return palette._names

    assert 0 < len(run(story())) < 300
