"""What a writer does beside a draft, while it forms and when it is finished: each has one outcome, and nothing of the
draft gets anywhere before it is kept."""

import os
import signal
import subprocess
import sys

import pytest
from PySide6.QtGui import QGuiApplication, QTextCursor

from conftest import REAL_FILE, discard, until
from palimpsest.app.bridge import EngineBridge
from palimpsest.app.window import Window
from palimpsest.engine import Options, open_backend

TEXT = "first line\nsome words stand here\nlast line\n"
HOLE = slice(16, 21)  # "words"


@pytest.fixture
def window(qtbot, run, tiny_folder, tmp_path):
    """A window with a tiny model on a file."""
    bridge = EngineBridge(lambda: open_backend(checkpoint=tiny_folder))
    window = Window(bridge, Options(seed=1, max_steps=48, length=8))
    qtbot.addWidget(window, before_close_func=discard)
    (tmp_path / "file.txt").write_text(TEXT)

    async def story():
        await window.pages.open(tmp_path / "file.txt")

    run(story())
    window.show()
    yield window
    discard(window)
    window.close()
    bridge.close()


def ask(window):
    """Have the word written anew."""
    cursor = window.editor.textCursor()
    cursor.setPosition(HOLE.start)
    cursor.setPosition(HOLE.stop, QTextCursor.MoveMode.KeepAnchor)
    window.editor.setTextCursor(cursor)
    window.fills.fill_in()


async def drafted(window, moment):
    """A draft in the window, that still forms or is finished."""
    ask(window)
    if moment == "finished":
        await until(lambda: window.fills.drafted)
    else:
        await until(lambda: window.editor.drafts.shown not in (None, TEXT[HOLE]))
        assert window.fills.running


async def kept(window):
    """Keeps the draft when it is finished, and returns it."""
    await until(lambda: window.fills.drafted)
    draft = window.editor.drafts.shown
    window.fills.keep()
    return draft


def replaced(path, text):
    """Another program saves the file."""
    part = path.with_name("part")
    part.write_text(text)
    part.replace(path)


moments = pytest.mark.parametrize("moment", ["forming", "finished"])


@moments
def test_saving_writes_the_text_and_leaves_the_draft(window, run, moment):
    async def story():
        await drafted(window, moment)
        window.editor.document().setModified(True)
        assert window.pages.save()
        assert window.page.path.read_text() == TEXT
        assert window.fills.filling
        draft = await kept(window)
        assert window.page.modified
        assert window.pages.save()
        assert window.page.path.read_text() == TEXT[: HOLE.start] + draft + TEXT[HOLE.stop :]

    run(story())


@moments
def test_the_draft_is_no_text_for_searching_copying_and_counting(window, run, moment):
    async def story():
        await drafted(window, moment)
        draft = window.editor.drafts.shown
        assert draft not in TEXT
        window.find_bar.open(replacing=False)
        window.find_bar.wanted.setText(draft.split()[0])
        await window.find_bar.search(False)
        assert "No" in window.find_bar.told.text()
        window.find_bar.shut()
        window.editor.selectAll()
        window.editor.copy()
        assert QGuiApplication.clipboard().text() == TEXT
        assert window.editor.text() == TEXT
        assert window.pages.unsaved(window.page.path.parent) == {}
        window.fills.drop()

    run(story())


@moments
@pytest.mark.parametrize("where", ["elsewhere", "in the hole"])
def test_reading_the_file_again(window, run, moment, where):
    """A change by another program moves the draft along, or ends it where it stands."""
    new = TEXT.replace("first", "the very first") if where == "elsewhere" else TEXT.replace("words", "birds")

    async def story():
        await drafted(window, moment)
        replaced(window.page.path, new)
        await until(lambda: window.editor.text() == new)
        assert window.fills.filling == (where == "elsewhere")
        if window.fills.filling:
            draft = await kept(window)
            assert window.editor.text() == new.replace("words", draft)
        assert window.editor.drafts.shown is None

    run(story())


@moments
@pytest.mark.parametrize("wanted", ["line", "words"])
def test_replacing_all(window, run, moment, wanted):
    async def story():
        await drafted(window, moment)
        bar = window.find_bar
        bar.open(replacing=True)
        bar.selection.setChecked(False)
        bar.wanted.setText(wanted)
        bar.instead.setText("row of text")
        await bar.search(False)
        bar.replace_all()
        bar.shut()
        assert window.editor.text() == TEXT.replace(wanted, "row of text")
        assert window.fills.filling == (wanted == "line")
        if window.fills.filling:
            draft = await kept(window)
            assert window.editor.text() == TEXT.replace(wanted, "row of text").replace("words", draft)

    run(story())


def test_a_fill_in_another_tab_leaves_what_the_first_has_to_be_kept(window, run):
    async def story():
        first = window.page
        await drafted(window, "forming")
        window.pages.new()
        window.editor.insertPlainText(TEXT)
        ask(window)
        await until(lambda: window.fills.drafted)
        assert first.session.done
        draft = first.editor.drafts.shown
        assert draft != TEXT[HOLE]
        window.fills.drop()
        window.pages.show_page(first)
        assert await kept(window) == draft
        assert window.editor.text() == TEXT[: HOLE.start] + draft + TEXT[HOLE.stop :]

    run(story())


def test_a_fill_in_another_tab_before_the_first_has_begun_ends_it(window, run):
    async def story():
        first = window.page
        ask(window)
        window.pages.new()
        window.editor.insertPlainText(TEXT)
        ask(window)
        await until(lambda: window.fills.drafted)
        assert first.session is None
        assert first.editor.text() == TEXT
        window.fills.drop()

    run(story())


@moments
def test_closing_the_tab_ends_the_fill(window, run, moment):
    async def story():
        await drafted(window, moment)
        path, session = window.page.path, window.page.session
        assert window.pages.close_page(window.page)
        assert not session.running
        assert path.read_text() == TEXT
        assert not window.fills.filling

    run(story())


@moments
def test_giving_the_memory_back_waits_for_the_fill(window, run, moment):
    async def story():
        await drafted(window, moment)
        window.fills.unload()
        await kept(window)
        await until(lambda: window.status.model.text() == "The model is not loaded; a fill loads it")

    run(story())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signal that stops a process")
def test_sleeping_changes_nothing():
    """A process that stands still for a while, as when the machine sleeps, fills as one that does not."""
    code = "import sys; from palimpsest.app.main import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "fill", str(REAL_FILE), "--at", "151", "--seed", "3", "--drafts"]
    awake = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        begun = process.stdout.readline()
        os.kill(process.pid, signal.SIGSTOP)
        state = os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)
        assert state
        assert state.si_code == os.CLD_STOPPED
        os.kill(process.pid, signal.SIGCONT)
        slept = begun + process.stdout.read()
    assert told(slept) == told(awake)


def told(lines):
    """What a fill printed, but for how long it took."""
    return [line.partition('"seconds"')[0] for line in lines.splitlines()]


@pytest.mark.parametrize("moment", ["forming", "finished"])
def test_another_model_leaves_what_was_drafted_to_be_kept(window, run, moment):
    async def story():
        await drafted(window, moment)
        window.servers.choose("")  # opened anew
        await until(lambda: window.fills.drafted)
        shown = window.editor.drafts.shown
        window.fills.keep()
        assert window.editor.text() == TEXT[: HOLE.start] + shown + TEXT[HOLE.stop :]
        ask(window)
        await until(lambda: window.fills.drafted)
        window.fills.drop()

    run(story())
