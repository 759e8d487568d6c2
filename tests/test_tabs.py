"""Pages side by side."""

import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu, QMessageBox, QTabBar

from conftest import label
from palimpsest.app import resume
from palimpsest.app.pages import Pages


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    paths = [tmp_path / f"{name}.txt" for name in "abc"]
    for path in paths:
        path.write_text(path.name)
    return paths


@pytest.fixture
def three(pages, run, files):
    """Three pages, the last one in front, on the screen."""
    pages.resize(900, 500)
    pages.show()

    async def story():
        return [await pages.open(path) for path in files]

    three = run(story())
    pages.page.setFocus()
    return three


def sides(pages):
    return [[group.widget(at).title[0] for at in range(group.count())] for group in pages._groups]


def click(pages, page):
    """Clicks on the page's tab."""
    group = pages._group_of(page)
    bar = group.findChild(QTabBar)
    place = bar.tabRect(group.indexOf(page)).center()
    QTest.mouseClick(bar, Qt.MouseButton.LeftButton, pos=place)


def test_a_page_goes_to_the_other_side_and_back(pages, three):
    a, b, c = three
    pages.change_side(c)
    assert sides(pages) == [["a", "b"], ["c"]]
    assert pages.page is c
    assert c.editor.hasFocus()
    assert label(pages, c) == "c.txt"
    assert b.isVisible()
    assert c.isVisible()
    assert abs(b.width() - c.width()) < 5
    pages.change_side(c)
    assert sides(pages) == [["a", "b", "c"]]
    assert pages.page is c
    assert pages.all == [a, b, c]


def test_the_page_in_front_is_the_one_that_had_the_keys_last(pages, three):
    _, b, c = three
    pages.change_side(c)
    told = []
    pages.switched.connect(lambda: told.append(pages.page))
    b.editor.setFocus()
    assert pages.page is b
    assert told == [b]
    c.editor.setFocus()
    assert pages.page is c


def test_a_tab_that_is_clicked_gets_the_keys(pages, three):
    a, b, c = three
    pages.change_side(c)
    click(pages, b)  # it was shown there already
    assert pages.page is b
    assert b.editor.hasFocus()
    click(pages, c)
    assert c.editor.hasFocus()
    click(pages, a)
    assert pages.page is a
    assert a.editor.hasFocus()


@pytest.mark.parametrize("side", [0, 1])
def test_a_side_without_pages_disappears(pages, three, side):
    pages.change_side(three[2])
    left, right = three[:2], three[2:]
    for page in (left, right)[side]:
        pages.close_page(page)
    assert pages.count() == 1
    assert pages.all == (right, left)[side]
    assert pages.page in pages.all


def test_the_last_page_may_be_on_the_other_side(pages, three):
    pages.change_side(three[2])
    for page in three:
        pages.close_page(page)
    assert sides(pages) == [["U"]]
    assert pages.page.untouched


def test_what_is_opened_stands_beside_the_page_in_front(pages, three, run, tmp_path):
    pages.change_side(three[2])
    (tmp_path / "d.txt").write_text("d")

    async def story():
        await pages.open(tmp_path / "d.txt")

    run(story())
    assert sides(pages) == [["a", "b"], ["c", "d"]]


def test_turning_goes_over_both_sides(pages, three):
    a, b, c = three
    pages.change_side(c)
    pages.turn(1)
    assert pages.page is a
    assert a.editor.hasFocus()
    pages.turn(-1)
    assert pages.page is c
    pages.turn(-1)
    assert pages.page is b


def drag(pages, page, widget, place):
    """Drags the page's tab to a place of a widget, as the mouse does."""
    QApplication.processEvents()  # the sides get their places
    group = pages._group_of(page)
    bar = group.tabBar()
    start, end = bar.tabRect(group.indexOf(page)).center(), bar.mapFrom(pages, widget.mapTo(pages, place))
    left, none = Qt.MouseButton.LeftButton, Qt.MouseButton.NoButton
    steps = [start + (end - start) * share / 4 for share in range(1, 5)]
    for kind, where, button, held in (
        (QEvent.Type.MouseButtonPress, start, left, left),
        *((QEvent.Type.MouseMove, step, none, left) for step in steps),
        (QEvent.Type.MouseButtonRelease, end, left, none),
    ):
        QApplication.sendEvent(
            bar,
            QMouseEvent(
                kind, QPointF(where), QPointF(bar.mapToGlobal(where)), button, held, Qt.KeyboardModifier.NoModifier
            ),
        )


def test_a_tab_is_dragged_to_the_other_side(pages, three):
    a, b, c = three
    pages.change_side(c)
    drag(pages, a, c.editor, QPoint(40, 40))
    assert sides(pages) == [["b"], ["c", "a"]]
    assert pages.page is a
    assert a.editor.hasFocus()
    bar = pages._group_of(c).tabBar()
    drag(pages, b, bar, bar.tabRect(1).center())
    assert sides(pages) == [["c", "b", "a"]]
    assert pages.page is b


def test_a_tab_that_is_let_go_elsewhere_stays_on_its_side(pages, three):
    a, _, c = three
    drag(pages, a, c.editor, QPoint(40, 40))  # there is one side only
    assert sides(pages) == [["a", "b", "c"]]
    pages.change_side(c)
    drag(pages, a, pages, QPoint(pages.width() // 2, pages.height() + 50))
    assert len(sides(pages)[0]) == 2
    bar = pages._group_of(a).tabBar()
    drag(pages, a, bar, QPoint(bar.tabRect(1).right() - 2, 5))
    assert sides(pages) == [["b", "a"], ["c"]]


def choose(pages, page, label):
    """Chooses from the menu of the page's tab; returns what else it offers."""
    group = pages._group_of(page)
    bar = group.tabBar()
    bar.customContextMenuRequested.emit(bar.tabRect(group.indexOf(page)).center())
    menu = QApplication.activePopupWidget()
    assert isinstance(menu, QMenu)
    rows = {action.text().replace("&", ""): action for action in menu.actions()}
    assert rows[label].isEnabled()
    rows[label].trigger()
    menu.close()
    return {name for name, action in rows.items() if action.isEnabled()}


def test_the_tab_s_menu(pages, three, files):
    a, b, c = three
    assert choose(pages, a, "Copy path") == {"Move to the other side", "Close", "Close others", "Copy path"}
    assert QApplication.clipboard().text() == str(files[0])
    choose(pages, b, "Move to the other side")
    assert sides(pages) == [["a", "c"], ["b"]]
    choose(pages, c, "Close")
    assert sides(pages) == [["a"], ["b"]]
    new = pages.new()
    choose(pages, new, "Close others")
    assert sides(pages) == [["U"]]
    assert choose(pages, new, "Close") == {"Close"}


def test_closing_others_ends_with_the_first_that_stays(pages, three, monkeypatch):
    a, b, c = three
    b.editor.insertPlainText("mine ")
    asked = []

    def answer(*args):
        asked.append(args[2])
        return QMessageBox.StandardButton.Cancel

    monkeypatch.setattr(QMessageBox, "question", answer)
    choose(pages, a, "Close others")
    assert pages.all == [a, b, c]
    assert asked == ["Save the changes to b.txt?"]
    b.editor.document().setModified(False)


def test_both_sides_are_there_at_the_next_start(pages, three, run):
    pages.change_side(three[2])
    pages.show_page(three[0])
    resume.save(pages.desk(""))
    again = Pages()

    async def story():
        await again.begin(resume.load(), [], "")

    run(story())
    assert sides(again) == [["a", "b"], ["c"]]
    assert again.page.title == "a.txt"
    again.let_go()
    again.deleteLater()
