"""A big file while it is put into its page: its lines are seen at once, and it may be let be."""

import pytest
from PySide6.QtCore import Qt

from conftest import until
from palimpsest.app.opening import LINES, MOST, coming
from palimpsest.app.pages import BIG

COUNT = 50_000
TEXT = "".join(f"line {number:5} and what else there is to say about it\n" for number in range(1, COUNT + 1))


@pytest.fixture
def big(tmp_path):
    assert len(TEXT) > BIG
    path = tmp_path / "big.txt"
    path.write_text(TEXT)
    return path


@pytest.mark.parametrize("line", [0, 1, 2, LINES, 777, COUNT, COUNT + 5])
def test_the_lines_around_the_carets_place_are_told(line):
    told, lines = coming("big.txt", TEXT, line), TEXT.split("\n")
    above, below = told.above.split("\n"), told.below.split("\n")
    at = min(max(line, 1), len(lines)) - 1
    assert above[:-1] == lines[max(0, at - LINES) : at]
    assert above[-1] == ""
    assert below[:LINES] == lines[at : at + LINES][: len(below)]
    assert len(below) > 1 or at == len(lines) - 1


def test_of_endless_lines_a_part_is_told():
    told = coming("big.txt", "x" * 3_000_000 + "\n" + "y" * 3_000_000, 2)
    assert len(told.above) <= MOST
    assert told.below == "y" * MOST


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
