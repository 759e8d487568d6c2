"""The command palette, and what of the view it can change."""

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from palimpsest.app.palette import Palette, match


@pytest.mark.parametrize(
    ("wanted", "name", "places"),
    [
        ("sas", "File: Save as", (6, 7, 12)),
        ("ft", "Go: Find next tab", (4, 14)),
        ("REPL", "Edit: Replace", (6, 7, 8, 9)),
        ("xq", "File: Quit", None),
        ("", "File: Quit", ()),
    ],
)
def test_letters_are_found_in_their_order(wanted, name, places):
    found = match(wanted, name)
    assert (found.places if found else None) == places


def test_beginnings_of_words_come_first():
    best = max(("Lines: Duplicate", "Edit: Find next"), key=lambda name: getattr(match("fn", name), "score", -9))
    assert best == "Edit: Find next"


@pytest.fixture
def palette(window):
    window.show_palette()
    return window.findChild(Palette)


def test_a_command_is_done_by_a_few_letters(palette, window):
    before = window.editor.text()
    QTest.keyClicks(palette.wanted, "dupl")
    assert palette.names[0] == "Lines: Duplicate"
    QTest.keyClick(palette.wanted, Qt.Key.Key_Return)
    assert window.editor.text() == before.split("\n")[0] + "\n" + before


def test_only_what_can_be_done_now_is_offered(palette):
    assert "Fill: Keep the draft" not in palette.names
    assert "Fill: Fill in" in palette.names


def test_arrows_choose_while_one_writes(palette, window):
    QTest.keyClicks(palette.wanted, "text")
    names = palette.names
    assert {"View: Bigger text", "View: Smaller text"} <= set(names)
    before = window.editor.font().pointSize()
    for _ in range(names.index("View: Bigger text")):
        QTest.keyClick(palette.wanted, Qt.Key.Key_Down)
    QTest.keyClick(palette.wanted, Qt.Key.Key_Return)
    assert window.editor.font().pointSize() == before + 1


def test_all_pages_have_text_of_one_size(window):
    size, width = window.editor.font().pointSize(), window.editor.viewport().x()
    window.pages.zoom(6)
    assert window.editor.viewport().x() > width
    assert window.pages.new().editor.font().pointSize() == size + 6
    window.pages.zoom(0)
    assert {page.editor.font().pointSize() for page in window.pages.all} == {size}
    window.pages.zoom(-100)
    assert (least := window.editor.font().pointSize()) > 0
    window.pages.zoom(1)
    assert window.editor.font().pointSize() == least + 1


def test_lines_wrap_or_not(window):
    assert window.editor.lineWrapMode() == window.editor.LineWrapMode.NoWrap
    window.editor.toggle_wrap()
    assert window.editor.lineWrapMode() == window.editor.LineWrapMode.WidgetWidth
