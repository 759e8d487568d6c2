"""What was typed and not saved is there again after a crash, and nowhere after a good end."""

import os
import random
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtGui import QTextCursor

from conftest import until
from palimpsest.app import recovery as recovery_module
from palimpsest.app.editor import Editor
from palimpsest.app.encoding import Text
from palimpsest.app.pages import Pages
from palimpsest.app.recovery import Journal, Recovery, read
from palimpsest.app.utf16 import units

# How long an editor types before it is killed. PALIMPSEST_KILLS=200 kills it as often as the bar asks for.
KILLS = int(os.environ.get("PALIMPSEST_KILLS", "3"))
LIVES = [150, 3_500, *(random.Random(number).randint(0, 4_000) for number in range(KILLS - 2))]

TYPIST = """
import sys, time
from pathlib import Path
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from palimpsest.app.pages import Pages
from palimpsest.app.recovery import Recovery
from palimpsest.app.tasks import EventLoop

app = QApplication([])
with EventLoop(app) as loop:
    pages = Pages(Recovery(Path(sys.argv[1])))
    count = 0

    def type_a_line():
        global count
        pages.page.editor.insertPlainText(f"{count}\\n")
        print(count, flush=True)
        count += 1

    timer = QTimer()
    timer.timeout.connect(type_a_line)
    timer.start(5)
    loop.run_forever()
"""


class Held(Recovery):
    """Keeps in memory what would be written."""

    def __init__(self, home):
        super().__init__(home)
        self.files = {}

    def begin(self, name, text):
        self.files[name] = text

    def append(self, name, text):
        self.files[name] += text

    def drop(self, name):
        del self.files[name]


@pytest.fixture(scope="module")
def held(tmp_path_factory):
    held = Held(tmp_path_factory.mktemp("home"))
    yield held
    held.close()


@pytest.fixture(scope="module")
def editor(qapp):  # noqa: ARG001  (widgets need an application)
    editor = Editor()
    yield editor
    editor.deleteLater()


edits = st.lists(
    st.one_of(
        st.tuples(st.integers(0, 40), st.integers(0, 8), st.sampled_from(["", "a", "b\nc", "😀", "\n\n"])),
        st.sampled_from(["undo", "redo", "write", "all"]),
    ),
    max_size=15,
)


@given(edits, st.sampled_from([1 << 20, 20]))
def test_the_journal_tells_every_change(held, editor, monkeypatch_module, changes, most):
    monkeypatch_module.setattr(recovery_module, "MOST", most)
    held.files.clear()
    before = "one\ntwo 😀\n"
    editor.put(before)
    shown = editor.document()
    journal = Journal(shown, held)
    journal.base(None, Text(before))
    for change in changes:
        match change:
            case "undo":
                editor.undo()
            case "redo":
                editor.redo()
            case "write":
                journal.write()
            case "all":
                editor.selectAll()
                editor.insertPlainText("new\nall")
            case (start, length, text):
                cursor, now = QTextCursor(shown), editor.text()
                cursor.setPosition(units(now[:start]))
                cursor.setPosition(units(now[: start + length]), QTextCursor.MoveMode.KeepAnchor)
                cursor.insertText(text)
    journal.write()
    if shown.isModified():
        (told,) = held.files.values()
        name = held.folder / "journal"
        name.write_text(told)
        rescued = read(name)
        assert rescued
        assert rescued.file.text == editor.text()
        journal.drop()
    assert held.files == {}


@pytest.fixture(scope="module")
def monkeypatch_module():
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def test_colours_are_no_changes(held, editor):
    editor.put("text")
    Journal(editor.document(), held).base(None, Text("text"))
    editor.document().markContentsDirty(0, 4)
    assert held.files == {}


@pytest.mark.parametrize("milliseconds", LIVES)
def test_a_killed_editor_loses_less_than_two_seconds(tmp_path, milliseconds):
    typed = []
    with subprocess.Popen([sys.executable, "-c", TYPIST, str(tmp_path)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        while not typed or typed[-1][1] < typed[0][1] + milliseconds / 1000:
            typed.append((int(child.stdout.readline()), time.monotonic()))
        killed = time.monotonic()
        child.kill()
    recovery = Recovery(tmp_path)
    found = [rescued.file.text for rescued in recovery.left()]
    recovery.close()
    text = found[0] if found else ""
    assert text == "".join(f"{number}\n" for number in range(text.count("\n")))
    safe = [number for number, at in typed if at < killed - 2]
    assert text.count("\n") >= len(safe)
    assert safe or milliseconds < 2100


@pytest.fixture
def crashed(tmp_path, qtbot, run):
    """Runs ``do`` with pages that then go as by a crash; the new pages, with what was rescued."""
    alive = []

    def begun():
        pages = Pages(Recovery(tmp_path / "state"))
        qtbot.addWidget(pages)
        alive.append(pages)
        return pages

    async def rescued(pages):
        await pages.rescue()

    def crash(do, pages=None):
        pages = pages or begun()
        run(do(pages))
        for page in pages.all:
            page.journal.write()
        alive.remove(pages)
        pages.recovery._thread.shutdown()
        while pages.recovery._locks:
            pages.recovery._locks.pop().unlock()  # as if the process were gone
        after = begun()
        run(rescued(after))
        return after

    yield crash
    for pages in alive:
        pages.let_go()


def test_a_file_and_an_untitled_text_are_rescued(crashed, tmp_path):
    path = tmp_path / "file.txt"
    path.write_bytes(b"one\r\ntwo\r\n")

    async def work(pages):
        pages.page.editor.insertPlainText("only here 😀")
        await pages.open(path)
        pages.page.editor.insertPlainText("zero\n")

    pages = crashed(work)
    assert [(page.title, page.editor.text()) for page in pages.all] == [
        ("Untitled", "only here 😀"),
        ("file.txt", "zero\none\ntwo\n"),
    ]
    assert all(page.modified for page in pages.all)
    assert "was not saved" in pages.page.banner.message
    assert path.read_bytes() == b"one\r\ntwo\r\n"
    pages.page.banner.choices["Discard"].click()
    assert pages.page.editor.text() == "one\ntwo\n"
    pages.page.editor.redo()
    assert pages.save()
    assert path.read_bytes() == b"zero\r\none\r\ntwo\r\n"


def test_what_was_rescued_is_rescued_again(crashed):
    async def work(pages):
        pages.page.editor.insertPlainText("still here")

    async def nothing(_pages):
        pass

    assert crashed(nothing, crashed(work)).page.editor.text() == "still here"


@pytest.mark.parametrize("end", ["saved", "let go"])
def test_nothing_is_left_after_a_good_end(crashed, tmp_path, end):
    async def work(pages):
        await pages.open(tmp_path / "file.txt")
        pages.page.editor.insertPlainText("text")
        if end == "saved":
            assert pages.save()
        else:
            pages.page.let_go()

    pages = crashed(work)
    assert pages.page.untouched
    assert not list((tmp_path / "state").rglob("*.jsonl"))


def test_a_running_editor_s_texts_are_its_own(tmp_path, qtbot, run):
    recovery = Recovery(tmp_path)
    pages = Pages(recovery)
    qtbot.addWidget(pages)

    async def story():
        pages.page.editor.insertPlainText("mine")
        pages.page.journal.write()
        await until(lambda: list(tmp_path.rglob("*.jsonl")))

    run(story())
    other = Recovery(tmp_path)
    assert other.left() == []
    other.close()
    pages.let_go()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.logs_errors
def test_a_journal_that_cannot_be_written_is_logged(tmp_path, caplog):
    recovery = Recovery(tmp_path)
    recovery.append(tmp_path / "nowhere" / "x.jsonl", "text")
    recovery.close()
    assert "would not outlive a crash" in caplog.text


@pytest.mark.logs_errors
def test_without_a_folder_for_journals_there_is_still_an_editor(tmp_path, caplog):
    (tmp_path / "state").write_text("in the way")
    recovery = Recovery(tmp_path / "state" / "unsaved")
    assert "nothing unsaved will outlive a crash" in caplog.text
    assert recovery.left() == []
    recovery.close()


def test_half_a_line_at_the_end_is_left_out(tmp_path):
    name = tmp_path / "x.jsonl"
    name.write_text('{"path": null, "file": {"text": "a"}}\n[1, 0, "b"]\n[2, 0, "c')
    rescued = read(name)
    assert rescued
    assert rescued.file.text == "ab"
    name.write_text('{"path": nu')
    assert read(name) is None
