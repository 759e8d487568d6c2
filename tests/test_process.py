"""The model in a process of its own: the same fills, and whatever becomes of it, one sentence and another process."""

import os
import signal
import subprocess
import sys
from contextlib import closing
from functools import partial

import psutil
import pytest
from test_engine import LONG, SHORT, Events

from conftest import REAL_FILE, answered, shown, until
from palimpsest.engine import (
    LOADING,
    Done,
    Draft,
    Engine,
    EngineError,
    Failed,
    Options,
    Ready,
    Stopped,
    Unloaded,
    open_backend,
)
from palimpsest.engine.process import command
from palimpsest.engine.request import Denoised, Seeded
from palimpsest.engine.weights import SHIPPED

opened = partial(open_backend, "process")


def workers():
    """The models' processes of this one."""
    return [child for child in psutil.Process().children() if "palimpsest.engine.worker" in child.cmdline()]


def worker():
    """The only one."""
    (one,) = workers()
    return one


@pytest.fixture
def process():
    with closing(opened()) as process:
        process.load()
        yield process
    assert not workers()


@pytest.fixture
def events():
    return Events()


@pytest.fixture
def engine(events):
    engine = Engine(opened, events)
    yield engine
    assert engine.close()
    assert not workers()


def test_it_fills_as_this_process_does(process, backend):
    told, done = answered(process, LONG)
    here, done_here = answered(backend, LONG)
    drafts = [[one for one in dict.fromkeys(events) if isinstance(one, Draft)] for events in (told, here)]
    assert drafts[0] == drafts[1]
    assert done.alternatives == done_here.alternatives


def test_it_denoises_as_this_process_does(process, backend):
    seeded = Seeded((5, 6, 7), 8, seed=1, top=2, wanted=(3,))
    *_, there = process.denoise(seeded)
    *_, here = backend.denoise(seeded)
    assert isinstance(there, Denoised)
    assert there == here


def test_what_is_left_early_is_stopped_over_there(process):
    with closing(process.fill(LONG)) as events:
        assert any(isinstance(event, Draft) for event in events)  # leaves at the first
    _, done = answered(process, SHORT)
    assert done.text


def test_it_warms_and_fills(process):
    assert list(process.warm(SHORT)) == []
    _, done = answered(process, SHORT)
    assert done.steps


def test_what_cannot_be_done_is_told_by_the_same_sentence(process, backend):
    too_many = Seeded((10**9,), 8)
    told = []
    for one in (process, backend):
        with pytest.raises(EngineError) as caught:
            list(one.denoise(too_many))
        told.append(str(caught.value))
    assert told[0] == told[1]


def test_a_checkpoint_that_is_none_is_told(tmp_path, events):
    engine = Engine(partial(opened, checkpoint=tmp_path), events)
    assert str(tmp_path) in events.until(LOADING, Failed).message
    assert engine.close()
    assert not workers()


def test_an_interpreter_that_is_none_is_told(tmp_path, events):
    engine = Engine(partial(opened, python=tmp_path / "python"), events)
    assert "cannot be started" in events.until(LOADING, Failed).message
    assert engine.close()


def test_a_killed_process_is_told_and_the_next_fill_starts_another(engine, events):
    events.until(LOADING, Ready)
    job = engine.submit(LONG)
    events.until(job, Draft)
    worker().kill()
    assert "SIGKILL; the memory may not have sufficed" in events.until(job, Failed).message
    events.until(LOADING, Unloaded)
    assert not workers()
    events.until(engine.submit(SHORT), Done)


def test_a_process_that_was_killed_while_nothing_was_asked_is_told(engine, events):
    events.until(LOADING, Ready)
    worker().kill()
    job = engine.submit(SHORT)
    assert "has ended by SIGKILL" in events.until(job, Failed).message
    again = engine.submit(SHORT)
    assert isinstance(events.until(again, Done), Done)


def test_a_process_that_hangs_can_be_stopped_and_closed(engine, events):
    events.until(LOADING, Ready)
    os.kill(worker().pid, signal.SIGSTOP)
    job = engine.submit(SHORT)
    engine.stop(job)
    events.until(job, Stopped)
    engine.submit(LONG)  # closed while it runs


def test_closing_while_it_loads_ends_it(events):
    engine = Engine(opened, events)
    assert engine.close()
    assert not workers()


def test_unloading_ends_the_process(engine, events):
    events.until(LOADING, Ready)
    engine.unload()
    events.until(LOADING, Unloaded)
    assert not workers()


def test_it_ends_with_whoever_started_it():
    with subprocess.Popen(command(None, SHIPPED, None), stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin
        process.stdin.close()
        assert process.wait(60) == 0


def test_what_libraries_print_does_not_stand_between_the_events():
    loud = "from palimpsest.engine import worker; worker.Engine = lambda *_: print('loud'); worker.work(['--model=x'])"
    told = subprocess.run(
        [sys.executable, "-c", loud], stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=60
    )
    assert told.stdout == b""
    assert told.stderr.endswith(b"loud\n")


def test_a_crash_is_a_card_from_which_one_click_goes_on(qtbot, run):
    async def story(window):
        fills, page = window.fills, window.page
        await until(lambda: "mini" in window.statusBar().model.text())
        assert worker()
        fills.fill_in()
        await until(lambda: isinstance(page.session.last, Draft))
        text = page.editor.text()
        worker().kill()
        await until(lambda: page.banner.message)
        assert "Your text is untouched" in page.banner.message
        await until(lambda: not window.fills.filling)
        assert page.editor.text() == text
        page.banner.choices["Try again"].click()
        await until(lambda: fills.drafted)
        fills.drop()

    with shown(qtbot, run, opened, Options(seed=1, length=60), REAL_FILE) as window:
        run(story(window))
    assert not workers()
