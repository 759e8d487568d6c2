"""Within reach of everybody: names for screen readers, what is read out, keys, right-to-left text."""

from itertools import pairwise

import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtGui import QAccessible, QTextCursor, QWheelEvent
from PySide6.QtWidgets import QApplication, QSpinBox, QTabWidget, QWidget

from conftest import until
from palimpsest.app import announce
from palimpsest.app.editor import Editor
from palimpsest.app.patch import Shown
from palimpsest.app.preferences import Preferences
from palimpsest.app.span import Span


def unnamed(top):
    """The widgets that can have the keys and say nothing about themselves."""
    for widget in (top, *top.findChildren(QWidget)):
        named = widget.accessibleName() or getattr(widget, "text", str)() or widget.windowTitle()
        own = isinstance(widget.parent(), QWidget) and widget.parent().focusProxy() is widget
        if widget.focusPolicy() != Qt.FocusPolicy.NoFocus and not named and not own:
            yield f"{type(widget).__name__} in {type(widget.parent()).__name__}"


def test_all_that_can_have_the_keys_has_a_name(window, run, tmp_path):
    async def story():
        window.find_bar.open(replacing=True)
        window.tree.open(tmp_path)
        window.find_in_files()
        window.preview.toggle()
        window.page.banner.tell("something", {"Do it": print})
        window.pages.new()
        window.pages.change_side(window.page)
        window.show_palette()
        window.show_files()
        window.fills.ask_rewrite()
        window.show_preferences()

    run(story())
    tops = [one for one in QApplication.topLevelWidgets() if one is window or one.window().parent() is window]
    assert [name for top in tops for name in unnamed(top)] == []
    assert len(window.findChildren(QTabWidget)) == 2


@pytest.fixture
def heard(monkeypatch):
    """What a screen reader is told; there is none here, so this stands where Qt would hand it on."""
    told = []
    monkeypatch.setattr(announce.QAccessible, "isActive", lambda: True)
    monkeypatch.setattr(announce.QAccessible, "updateAccessibility", told.append)
    return told


def test_what_was_found_and_what_a_fill_does_is_read_out_politely(window, run, heard):
    async def story():
        window.find_bar.open(replacing=False)
        window.find_bar.wanted.setText("width")
        await until(lambda: any("of " in event.message() for event in heard))
        window.find_bar.shut()
        window.fills.fill_in()
        await until(lambda: window.fills.drafted)

    run(story())
    messages = [event.message() for event in heard]
    assert "Tab keeps the draft, Esc drops it" in messages
    assert all(one != other for one, other in pairwise(messages))
    assert {event.politeness() for event in heard} == {QAccessible.AnnouncementPoliteness.Polite}


def test_the_wheel_scrolls_the_preferences_and_changes_nothing(window):
    preferences = Preferences(window.settings, window._actions, window)
    changes = []
    preferences.changed.connect(changes.append)
    field = preferences.findChild(QSpinBox)
    assert field
    buttons, modifiers = Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier
    wheel = QWheelEvent(
        QPointF(2, 2), QPointF(2, 2), QPoint(), QPoint(0, 120), buttons, modifiers, Qt.ScrollPhase.NoScrollPhase, False
    )
    QApplication.sendEvent(field, wheel)
    assert changes == []
    assert not wheel.isAccepted()
    preferences.close()


def test_a_hebrew_paragraph_is_laid_out_from_the_right(qtbot):
    editor = Editor()
    qtbot.addWidget(editor)
    editor.suit("letter.txt")
    editor.put("left\nשלום עולם\n")
    editor.resize(600, 200)
    editor.show()
    hebrew = editor.document().findBlockByNumber(1)
    assert hebrew.textDirection() == Qt.LayoutDirection.RightToLeft
    first, second = QTextCursor(hebrew), QTextCursor(hebrew)
    second.movePosition(QTextCursor.MoveOperation.NextCharacter)
    assert editor.cursorRect(first).x() > editor.cursorRect(second).x() > editor.viewport().width() / 2
    left = QTextCursor(editor.document().firstBlock())
    assert editor.cursorRect(left).x() < editor.viewport().width() / 2


@pytest.mark.parametrize("draft", ["שלום לכולם", "مرحبا بالجميع", "(שלום) and more", "שלום עולם " * 20])
def test_a_draft_is_laid_out_from_the_right_as_what_is_kept_will_be(qtbot, draft):
    editor = Editor()
    qtbot.addWidget(editor)
    editor.suit("letter.txt")
    editor.show()
    editor.resize(600, 300)
    editor.put("left\nשלום עולם\nmore\n")
    hebrew = editor.document().findBlockByNumber(1)
    start, end = hebrew.position(), hebrew.position() + hebrew.length() - 1
    text = f"{draft}\nleft"
    editor.drafts.show([Shown(Span(editor.document(), start, end), text, [1.0] * len(text))])
    places = [0, 1, len(draft) - 1, text.index("\n") + 1, len(text)]
    before = [editor.drafts.place(0, place).topLeft() for place in places]
    editor.drafts.clear()
    editor.change([(start, end, text)])
    after = []
    for place in places:
        caret = QTextCursor(editor.document())
        caret.setPosition(start + place)
        after.append(editor.cursorRect(caret))
    assert after[0].x() > editor.viewport().width() / 2
    for drafted, kept in zip(before, after, strict=True):
        assert abs(drafted.x() - kept.x()) < 2
        assert abs(drafted.y() - kept.y()) < 2


def test_a_click_on_a_draft_from_the_right_finds_its_characters(qtbot):
    editor = Editor()
    qtbot.addWidget(editor)
    editor.suit("letter.txt")
    editor.put("שלום עולם\n")
    editor.resize(600, 300)
    editor.show()
    editor.drafts.show([Shown(Span(editor.document(), 0, 9), "שלום לכולם", [1.0] * 10)])
    for index in (0, 5):
        place = editor.drafts.place(0, index)
        assert editor.drafts.hit(QPointF(place.left() - 2, place.center().y())) == (0, index)  # it ends to the left
    assert editor.drafts.hit(QPointF(20, editor.drafts.place(0, 0).center().y())) is None
