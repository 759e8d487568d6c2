"""A big file while it is put into its page: its lines are seen at once, and it may be let be."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication

from conftest import until
from palimpsest.app.opening import AROUND, BIG, coming

COUNT = 50_000
TEXT = "".join(f"line {number:5} and what else there is to say about it\n" for number in range(1, COUNT + 1))


@pytest.fixture
def big(tmp_path):
    assert len(TEXT) > BIG
    path = tmp_path / "big.txt"
    path.write_text(TEXT)
    return path


def seen(path, line):
    """What is shown of a big file."""
    told = coming(path, line)
    assert told
    return told


@pytest.mark.parametrize("line", [0, 1, 2, 40, 777, COUNT - 1, COUNT, COUNT + 1, COUNT + 5])
def test_the_lines_around_the_carets_place_are_told(big, line):
    told, lines = seen(big, line), TEXT.split("\n")
    at = min(max(line, 1), len(lines)) - 1
    shown = told.text.split("\n")
    assert shown[told.above] == lines[at]
    assert told.above >= min(at, 100)
    assert shown[:-1] == lines[at - told.above : at - told.above + len(shown) - 1]
    assert len(shown) - told.above > min(100, COUNT - at)


def test_of_endless_lines_a_part_is_told(tmp_path):
    path = tmp_path / "lines.txt"
    path.write_text("x" * 3_000_000 + "\n" + "y" * 3_000_000)
    told = seen(path, 2)
    assert set(told.text) == {"y"}
    assert told.above == 0
    assert len(told.text) == AROUND


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16", "utf-16-le"])
def test_in_whatever_encoding(tmp_path, encoding):
    path = tmp_path / "text.txt"
    path.write_bytes(("grün\r\n" * BIG).encode(encoding))
    told = seen(path, 3)
    assert set(told.text.split("\n")) <= {"grün", ""}
    assert bool(told.text) == ("16" not in encoding)


def test_what_is_small_or_no_file_is_not_told(tmp_path):
    (tmp_path / "small.txt").write_text("a\n")
    for name in ("small.txt", "missing.txt", "."):
        assert coming(tmp_path / name, 1) is None


def test_the_first_lines_are_seen_before_the_file_is_there(window, big, run, qtbot):
    untouched = window.pages.new()

    async def story():
        opened = window.pages.open(big, 777)
        await until(lambda: window.opening.isVisible())
        seen = window.opening.excerpt
        assert window.page is untouched
        assert seen.textCursor().block().text() == TEXT.split("\n")[776]
        caret = seen.viewport().rect().contains(seen.cursorRect())
        qtbot.keyClicks(seen, "lost")  # it is not to be edited
        page = await opened
        return caret, page

    caret, page = run(story())
    assert caret
    assert page.editor.text() == TEXT
    assert page.place.line == 777
    assert not window.opening.isVisible()
    assert page is window.page
    assert untouched not in window.pages.all


@pytest.mark.parametrize("way", ["key", "button"])
def test_it_may_be_let_be(window, big, run, qtbot, way):
    before = window.page

    async def story():
        opened = window.pages.open(big)
        await until(lambda: window.opening.isVisible())
        if way == "key":
            qtbot.keyClick(window.opening.excerpt, Qt.Key.Key_Escape)
        else:
            window.opening.banner.choices["Stop"].click()
        return await opened

    assert run(story()) is None
    assert not window.opening.isVisible()
    assert window.pages.all == [before]


def test_no_command_reaches_what_lies_under_it(window, big, run, qtbot):
    """Neither the text there nor a draft, whose Escape stops the file instead."""
    window.editor.insertPlainText("typed")
    QGuiApplication.clipboard().setText("pasted")

    async def story():
        window.fills.fill_in()
        await until(lambda: window.fills.drafted)
        opened = window.pages.open(big)
        await until(lambda: window.opening.isVisible())
        assert not any(action.isEnabled() for action in window._actions)
        qtbot.keyClick(window.opening.excerpt, Qt.Key.Key_V, Qt.KeyboardModifier.ControlModifier)
        qtbot.keyClick(window.opening.excerpt, Qt.Key.Key_Escape)
        assert await opened is None

    before = window.editor.text()
    run(story())
    assert window.editor.text() == before
    assert window.fills.drafted
    assert any(action.isEnabled() for action in window._actions)


def test_several_are_shown_one_after_the_other(window, big, run, monkeypatch):
    other = big.with_name("other.txt")
    other.write_text(TEXT)
    draws = []
    draw = window.opening._draw
    monkeypatch.setattr(window.opening, "_draw", lambda *of: (draws.append(of[0].name), draw(*of)))

    async def story():
        both = [window.pages.open(big), window.pages.open(other)]
        await until(lambda: window.opening.isVisible())
        window.resize(700, 500)
        await until(lambda: len(draws) == 2)
        covered = window.opening.geometry()
        area = window.page.rect().translated(window.page.mapTo(window, window.page.rect().topLeft()))
        for one in both:
            await one
        return covered == area

    assert run(story())
    assert sorted(draws) == ["big.txt", "other.txt"]
    assert not window.opening.isVisible()


def test_no_character_is_cut(tmp_path):
    path = tmp_path / "line.json"
    for shift in range(3):
        path.write_text("x" * shift + "漢字" * 1_000_000)
        assert set(seen(path, 1).text) <= set("x漢字")
        path.write_text("漢" * 700_000 + "\n" + "x" * shift + "字" * 700_000)
        assert set(seen(path, 2).text) <= set("x漢字")
