"""A second start hands over its files; what was open is open again."""

import json
import subprocess
import sys

import pytest
from PySide6.QtCore import QCoreApplication, QUrl
from PySide6.QtGui import QFileOpenEvent

from conftest import until
from palimpsest.app import main, resume
from palimpsest.app.instance import Instance, hand_over
from palimpsest.app.pages import Pages
from palimpsest.app.resume import Desk, Place

SECOND = "import sys; from palimpsest.app import main; sys.exit(main.main(sys.argv[1:]))"


@pytest.fixture
def listening(pages):
    instance = Instance(pages)
    yield pages
    instance.close()


def second(*arguments):
    """Another start of the editor, in a process of its own."""
    return subprocess.Popen([sys.executable, "-c", SECOND, *map(str, arguments)])


def test_a_second_start_opens_its_file_in_the_first_window(listening, run, tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("one\ntwo\n")

    async def story():
        process = second(f"{path}:2:3")
        await until(lambda: process.poll() is not None)
        assert process.returncode == 0
        await until(lambda: listening.page.path == path)

    run(story())
    assert listening.page.place == Place(str(path), 2, 3)
    assert listening.window().isVisible()


def test_who_waits_goes_on_when_the_files_are_closed(listening, run, tmp_path):
    path = tmp_path / "message.txt"

    async def story():
        process = second("--wait", path)
        await until(lambda: listening.page.path == path)
        assert process.poll() is None
        assert listening.close_page(listening.page)
        await until(lambda: process.poll() is not None)
        assert process.returncode == 0

    run(story())


def test_without_a_window_there_is_nobody_to_hand_over_to(qapp):  # noqa: ARG001
    assert not hand_over([], wait=False)


@pytest.mark.parametrize(
    ("told", "place"),
    [
        ("a.py", ("a.py", 1, 1)),
        ("a.py:12", ("a.py", 12, 1)),
        ("a.py:12:3", ("a.py", 12, 3)),
        ("a.py:12:3:", ("a.py", 12, 3)),
        ("c:4", ("c:4", 1, 1)),
    ],
)
def test_places_on_the_command_line(tmp_path, monkeypatch, told, place):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c:4").write_text("a file of that name")
    name, line, column = place
    assert main._place(told) == Place(str(tmp_path / name), line, column)


def test_what_was_open_is_open_again(pages, run, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert resume.load() == Desk()
    names = [tmp_path / name for name in ("a.txt", "b.txt", "gone.txt")]
    for name in names:
        name.write_text("one\ntwo\n")

    async def work():
        for name in names:
            await pages.open(name, 2, 2)
        pages.show_page(pages.all[1])
        resume.save(pages.desk("geometry"))
        names[2].unlink()
        again = Pages()
        await again.begin(resume.load(), [], "typed\r\n")
        return again

    again = run(work())
    assert [page.title for page in again.all] == ["a.txt", "b.txt", "Untitled"]
    assert again.all[0].place == Place(str(names[0]), 2, 2)
    assert again.page.editor.text() == "typed\n"
    assert resume.load().geometry == "geometry"
    again.turn(-1)
    assert again.page.path == names[1]
    again.let_go()
    again.deleteLater()


def test_a_damaged_memory_is_no_reason_not_to_start(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    resume.save(Desk())
    path = tmp_path / "palimpsest" / "session.json"
    for text in ("{", "[]", json.dumps({"places": [{"line": 1}]})):
        path.write_text(text)
        assert resume.load() == Desk()
    assert caplog.text.count("cannot be told") == 3


def test_a_mac_tells_the_application_of_files_before_and_after_it_is_ready(qapp, tmp_path):
    def tell(url):
        QCoreApplication.sendEvent(qapp, QFileOpenEvent(url))

    files, opened = [str(tmp_path / name) for name in ("early.txt", "late.txt")], []
    tell(QUrl.fromLocalFile(files[0]))
    assert opened == []
    qapp.opens(opened.append)
    tell(QUrl("https://example.org/"))
    tell(QUrl.fromLocalFile(files[1]))
    assert opened == files
