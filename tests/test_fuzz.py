"""Whatever a writer does while drafts form, the text is theirs: random actions, many of them.

``PALIMPSEST_FUZZ=5000`` runs as many actions; the seed is the number of the test.
"""

import asyncio
import os
import random

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextCursor

from conftest import discard, until
from palimpsest.app.bridge import EngineBridge
from palimpsest.app.hunks import word_at
from palimpsest.app.session import FillSession
from palimpsest.app.window import Window
from palimpsest.engine import Options, open_backend

ACTIONS = int(os.environ.get("PALIMPSEST_FUZZ", "150"))
TEXT = "".join(f"line {number} of words, (and) marks é😀\n" for number in range(30))


@pytest.fixture
def window(qtbot, run, tiny_folder):  # noqa: ARG001  (the loop must exist first)
    bridge = EngineBridge(lambda: open_backend(checkpoint=tiny_folder))
    window = Window(bridge, Options(max_steps=3))
    qtbot.addWidget(window, before_close_func=discard)
    window.show()
    window.editor.put(TEXT)
    yield window
    discard(window)
    window.close()
    assert bridge.close()


class Writer:
    """Does things at random, and checks after each that nothing else has happened."""

    def __init__(self, window, qtbot, seed):
        self.window, self.qtbot, self.chance = window, qtbot, random.Random(seed)

    @property
    def editor(self):
        return self.window.editor

    @property
    def session(self):
        return self.window.page.session

    async def act(self):
        """One thing, and the time for the engine to do some."""
        before = self.editor.text()
        what = self.chance.choice([self.edit, self.edit, self.move, self.ask, self.steer, self.steer, self.keep])
        expected = what()
        for _ in range(self.chance.choice((0, 1, 5, 50))):
            await asyncio.sleep(0)
        if self.chance.random() < 0.4:
            await until(lambda: not self.window.fills.running)
        after = self.editor.text()
        assert after == (before if expected is None else expected), what
        assert (self.editor.drafts.shown is None) == (self.session is None)

    def edit(self):
        """Type, delete, undo or redo, anywhere; what comes of it is Qt's, so it is taken as it is."""
        self.chance.choice(
            [
                lambda: self.qtbot.keyClicks(self.editor, self.chance.choice(["a", "b ", ") "])),
                lambda: self.qtbot.keyClick(self.editor, Qt.Key.Key_Backspace),
                lambda: self.qtbot.keyClick(self.editor, Qt.Key.Key_Return),
                self.editor.undo,
                self.editor.redo,
            ]
        )()
        return self.editor.text()

    def move(self):
        cursor = self.editor.textCursor()
        last = self.editor.document().characterCount() - 1
        place = self.chance.randrange(last + 1)
        cursor.setPosition(place)
        if self.chance.random() < 0.6:
            cursor.setPosition(min(last, place + self.chance.randrange(60)), QTextCursor.MoveMode.KeepAnchor)
        self.editor.carets.clear()
        self.editor.setTextCursor(cursor)
        if self.chance.random() < 0.3:
            other = QTextCursor(self.editor.document())
            other.setPosition(self.chance.randrange(last + 1))
            other.movePosition(QTextCursor.MoveOperation.EndOfWord, QTextCursor.MoveMode.KeepAnchor)
            overlaps = (
                cursor.selectionStart() <= other.selectionEnd() and other.selectionStart() <= cursor.selectionEnd()
            )
            if not overlaps:
                self.editor.carets.add(other)

    def ask(self):
        fills = self.window.fills
        self.chance.choice([fills.fill_in, lambda: fills.rewrite("Fix the spelling"), fills.warm, fills.drop])()

    def steer(self):
        fills, session = self.window.fills, self.session
        if session is None:
            return
        choices = [fills.stop_here, fills.drop, lambda: fills.strengthen(False), lambda: fills.turn(-1)]
        if session.done:
            hole = self.chance.randrange(len(session.spans))
            text = session.answer.texts[hole]
            place = word_at(text, self.chance.randrange(len(text) or 1))
            choices += [
                lambda: fills.turn(1),
                session.regenerate,
                session.write_unsure,
                lambda: session.pin(hole, place),
                lambda: session.take(hole, place, "taken"),
                lambda: session.exclude(hole, place),
                lambda: session.write_from(hole, place[0]),
                lambda: session.follow_up("Shorten", Options(max_steps=2)),
            ]
        self.chance.choice(choices)()

    def keep(self):
        session = self.session
        if session is None or not session.done:
            self.window.fills.keep()
            return None
        if self.chance.random() < 0.5:
            return self._keep_a_part(session)
        text, whole = self.editor.text(), self._with(session.spans, session.answer.texts)
        self.window.fills.keep()
        assert self.session is None
        if self.chance.random() < 0.5:
            self.editor.undo()
            assert self.editor.text() == (text if whole != text else self.editor.text())
        else:
            assert self.editor.text() == whole
        return self.editor.text()

    def _keep_a_part(self, session):
        do = self.chance.choice([FillSession.keep_word, FillSession.keep_hunk])
        outside = self._with(session.spans, [""] * len(session.spans))
        do(session)
        assert self._with(session.spans, [""] * len(session.spans)) == outside
        return self.editor.text()

    def _with(self, spans, texts):
        """The text with others in the holes."""
        data, whole, at = self.editor.text().encode("utf-16-le"), b"", 0
        for span, text in zip(spans, texts, strict=True):
            whole += data[at : 2 * span.start] + text.encode("utf-16-le")
            at = 2 * span.end
        return (whole + data[at:]).decode("utf-16-le")


@pytest.mark.parametrize("seed", range(2))
def test_the_text_is_the_writer_s(window, run, qtbot, seed):
    writer = Writer(window, qtbot, seed)

    async def some(count):
        for _ in range(count):
            await writer.act()

    for _ in range(0, ACTIONS, 50):  # each within the minute that a coroutine has
        run(some(50))

    async def end():
        while window.fills.filling:
            window.fills.drop()
        assert window.editor.drafts.shown is None
        while window.editor.document().isUndoAvailable():
            window.editor.undo()
        assert window.editor.text() == TEXT
        assert not window.editor.document().isModified()
        await until(lambda: len(asyncio.all_tasks()) == 2)  # this one and the one that waits for it

    run(end())
