"""A window against a plain string: whatever is written, undone, saved, read again, replaced, filled, kept and dropped,
the text is what a string would be. As long as the bar asks for:

    PALIMPSEST_STEPS=10000 pytest tests/test_machine.py -o faulthandler_timeout=0
"""

import asyncio
import functools
import gc
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from PySide6.QtCore import Qt
from PySide6.QtGui import QTextCursor
from PySide6.QtTest import QTest

from conftest import discard, until
from palimpsest.app.bridge import EngineBridge
from palimpsest.app.utf16 import units
from palimpsest.app.window import Window
from palimpsest.engine import Options, open_backend

STEPS = int(os.environ.get("PALIMPSEST_STEPS", "400"))
LENGTH = 50  # steps in a row, before another file is opened

pieces = st.text(st.sampled_from("ab \n\té😀\u00a0(x"), max_size=6)
places = st.floats(0, 1)  # as a share of the text


@dataclass(frozen=True)
class State:
    """A text that was, and by which kind of key it came; Qt undoes several of one kind at once."""

    text: str
    kind: str = ""


def looped(method: Callable) -> Callable[..., None]:
    """The method on the window's event loop, which runs all the while, as it does for a user."""

    @functools.wraps(method)
    def step(self, **values):
        async def inside():
            if awaited := method(self, **values):
                await awaited
            self.filling = self.window.fills.filling

        asyncio.run_coroutine_threadsafe(inside(), self.loop).result()

    return step


class Machine(RuleBasedStateMachine):
    window: Window
    loop: asyncio.AbstractEventLoop
    folder: Path
    files = 0
    filling = False

    @initialize(text=pieces, newline=st.sampled_from(["\n", "\r\n"]))
    @looped
    async def open(self, text, newline):
        Machine.files += 1
        self.path = self.folder / f"{Machine.files}.txt"
        self.newline, self.text = newline, text + "\n" + "words and more words\n" * 3
        self.path.write_bytes(self.text.replace("\n", newline).encode())
        page = await self.window.pages.open(self.path)
        assert page is self.window.page
        self.states, self.at, self.saved = [State(self.text)], 0, self.text

    @looped
    def teardown(self):
        discard(self.window)
        self.window.pages.close_page(self.window.page)

    @property
    def editor(self):
        return self.window.editor

    def became(self, text, kind=""):
        """The text is another now, by one step."""
        if text != self.text:
            del self.states[self.at + 1 :]
            self.states.append(State(text, kind))
            self.text, self.at = text, self.at + 1

    def go(self, start, end):
        """Selects a stretch, given in shares of the text; returns where it is in the string."""
        first, last = sorted(round(share * len(self.text)) for share in (start, end))
        cursor = QTextCursor(self.editor.document())
        cursor.setPosition(units(self.text[:first]))
        cursor.setPosition(units(self.text[:last]), QTextCursor.MoveMode.KeepAnchor)
        self.editor.setTextCursor(cursor)
        return first, last

    # Writing

    @rule(start=places, end=places, letters=st.text("abc", min_size=1, max_size=4))
    @looped
    def types(self, start, end, letters):
        first, last = self.go(start, end)
        QTest.keyClicks(self.editor, letters)
        self.became(self.text[:first] + letters[0] + self.text[last:], "type")
        for letter in letters[1:]:
            first += 1
            self.became(self.text[:first] + letter + self.text[first:], "type")

    @rule(start=places, end=places, piece=pieces)
    @looped
    def puts(self, start, end, piece):
        first, last = self.go(start, end)
        self.editor.change([(units(self.text[:first]), units(self.text[:last]), piece)])
        self.became(self.text[:first] + piece + self.text[last:])

    @rule(place=places, backwards=st.booleans())
    @looped
    def deletes(self, place, backwards):
        first, _ = self.go(place, place)
        QTest.keyClick(self.editor, Qt.Key.Key_Backspace if backwards else Qt.Key.Key_Delete)
        at = first - backwards
        if 0 <= at < len(self.text):
            self.became(self.text[:at] + self.text[at + 1 :], "delete")

    # Undo and redo

    @rule()
    @looped
    def undo(self):
        self.editor.undo()
        self._moved(-1)

    @rule()
    @looped
    def redo(self):
        self.editor.redo()
        self._moved(1)

    def _moved(self, by):
        """The text is the next one in that direction; texts that keys of one kind made may be passed over."""
        text, at = self.editor.text(), self.at
        while 0 <= at + by < len(self.states):
            at += by
            if self.states[at].text == text:
                break
            between = self.states[min(at, at + 1) : max(at, at + 1) + 1]
            assert len(between) == 2, (self.text, text)
            assert between[0].kind == between[1].kind != "", (self.text, text)
        self.at, self.text = at, self.states[at].text

    # The file

    @rule()
    @looped
    def save(self):
        assert self.window.pages.save()
        self.saved = self.text
        assert self.path.read_bytes() == self.text.replace("\n", self.newline).encode()

    @rule()
    @looped
    async def reload(self):
        await self.window.pages.reload(self.window.page)
        self.became(self.saved)
        assert not self.editor.document().isModified()

    @rule(wanted=st.sampled_from(["a", "word", " ", "x", "\u00a0"]), instead=st.sampled_from(["", "b", "😀é"]))
    @looped
    async def replace(self, wanted, instead):
        bar = self.window.find_bar
        bar.open(replacing=True)
        bar.selection.setChecked(False)
        bar.wanted.setText(wanted)
        bar.instead.setText(instead)
        await bar.search(False)
        bar.replace_all()
        bar.shut()
        self.became(self.text.replace(wanted, instead))

    # Fills

    @precondition(lambda self: not self.filling)
    @rule(start=places, end=places, wait=st.booleans())
    @looped
    async def fill(self, start, end, wait):
        self.go(start, min(end, start + 0.2))
        self.window.fills.fill_in()
        await until(lambda: not wait or not self.window.fills.filling or self.window.fills.drafted)

    @precondition(lambda self: self.filling)
    @rule()
    @looped
    def keep(self):
        session = self.window.page.session
        if not session:
            return  # it has ended meanwhile
        span, drafted = session.spans[0], self.window.fills.drafted
        assert not drafted or span.text() == session.original[0]
        first, last = (self._index(at) for at in (span.start, span.end))
        draft = self.editor.drafts.shown or ""
        self.window.fills.keep()
        if drafted:
            self.became(self.text[:first] + draft + self.text[last:])
            assert not self.window.fills.filling

    def _index(self, at):
        """A position as Qt counts them, in the string."""
        return len(self.text.encode("utf-16-le")[: 2 * at].decode("utf-16-le"))

    @precondition(lambda self: self.filling)
    @rule()
    @looped
    def drop(self):
        self.window.fills.drop()
        assert not self.window.fills.filling

    @invariant()
    @looped
    def it_is_the_string(self):
        if hasattr(self, "text"):
            assert self.editor.text() == self.text
            assert (self.editor.drafts.shown is not None) == self.window.fills.filling


@pytest.fixture
def machine(qtbot, run, tiny_folder, tmp_path):  # noqa: ARG001  (the loop comes first)
    bridge = EngineBridge(lambda: open_backend(checkpoint=tiny_folder))
    Machine.window, Machine.folder = Window(bridge, Options(seed=1, length=8)), tmp_path
    qtbot.addWidget(Machine.window, before_close_func=discard)
    Machine.window.show()
    yield Machine
    discard(Machine.window)
    Machine.window.close()
    bridge.close()


def test_a_window_does_what_a_string_would(machine, run):
    chosen = settings(
        max_examples=STEPS // LENGTH,
        stateful_step_count=LENGTH,
        deadline=None,
        phases=[Phase.generate],  # to find fewer steps that fail would take minutes
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
        derandomize="PALIMPSEST_STEPS" not in os.environ,
    )

    async def story():
        Machine.loop = asyncio.get_running_loop()
        gc.collect()  # Hypothesis does so when it begins, on its thread, where nothing of Qt may end
        await asyncio.to_thread(run_state_machine_as_test, machine, settings=chosen)

    run(story(), max(60, STEPS))
