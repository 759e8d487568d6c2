"""The files opened lately: in order, without those that are gone, in the menu."""

import pytest

from conftest import until
from palimpsest.app import recent, state
from palimpsest.app.actions import name_of
from palimpsest.app.resume import Desk, Place


@pytest.fixture(autouse=True)
def memory(tmp_path, monkeypatch):
    """A state folder of the test's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def files(tmp_path):
    paths = [tmp_path / f"{name}.txt" for name in "abc"]
    for path in paths:
        path.write_text(path.name)
    return paths


def test_the_last_one_opened_comes_first_and_each_comes_once(pages, run, files):
    async def work():
        for path in (*files, files[0]):
            await pages.open(path)

    run(work())
    a, b, c = files
    assert recent.files() == [a, c, b]


def test_what_is_gone_is_left_out_and_comes_back(files):
    for path in files:
        recent.add(path)
    text = files[1].read_text()
    files[1].unlink()
    assert recent.files() == [files[2], files[0]]
    files[1].write_text(text)
    assert recent.files() == [files[2], files[1], files[0]]


def test_a_file_saved_under_another_name_is_recent(pages, run, files, tmp_path):
    async def work():
        await pages.open(files[0])
        assert pages.save_as(tmp_path / "new.txt")

    run(work())
    assert recent.files() == [tmp_path / "new.txt", files[0]]


def test_what_cannot_be_opened_is_not_recent(pages, run, tmp_path):
    (tmp_path / "binary").write_bytes(b"\0\xff" * 99)

    async def work():
        assert await pages.open(tmp_path / "binary") is None

    run(work())
    assert recent.files() == []


def test_there_are_thirty_at_most(tmp_path):
    for number in range(40):
        path = tmp_path / str(number)
        path.touch()
        recent.add(path)
    assert [path.name for path in recent.files()] == [str(number) for number in range(39, 9, -1)]


def test_a_damaged_memory_is_an_empty_one(files, caplog):
    recent.add(files[0])
    state.file("recent").write_text("{")
    assert recent.files() == []
    assert "cannot be told" in caplog.text
    recent.add(files[0])
    assert recent.files() == [files[0]]


def test_the_menu_lists_them_and_opens_them(window, run, files):
    for path in files:
        recent.add(path)
    menu = next(action.menu() for action in window._actions if "recent" in name_of(action))
    menu.aboutToShow.emit()
    labels = [action.text() for action in menu.actions()]
    assert labels[:3] == [f"{path.name}  ({path.parent})" for path in reversed(files)]

    async def work():
        menu.actions()[2].trigger()
        await until(lambda: window.page.path == files[0])

    run(work())


def test_what_was_open_last_is_open_again_and_the_order_stays(pages, run, files):
    for path in files:
        recent.add(path)
    before = recent.files()

    async def work():
        await pages.begin(Desk([Place(str(path)) for path in files]), [], "")

    run(work())
    assert [page.path for page in pages.all] == files
    assert recent.files() == before


def test_one_that_is_gone_is_said_to_be(window, run, files):
    recent.add(files[0])
    files[0].unlink()

    async def work():
        (_name, choose), *_ = window.recent
        await choose()

    run(work())
    assert "no longer there" in window.status.currentMessage()
