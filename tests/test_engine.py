"""The engine's thread: newest wins, stopping takes one step, nothing kills it."""

import queue
import threading

import pytest

from palimpsest.engine import (
    LOADING,
    Done,
    Draft,
    Engine,
    Failed,
    Fill,
    Loading,
    Options,
    Progress,
    Reading,
    Ready,
    Stopped,
    open_backend,
)

LONG = Fill("def f(x):\n", "\n", options=Options(seed=1, length=120))
SHORT = Fill("def f(x):\n    return", "\n", options=Options(seed=1, length=2))


class Events:
    """What an engine reports, in order; every wait ends after a minute."""

    def __init__(self):
        self._queue = queue.Queue()
        self.seen = []

    def __call__(self, job, event):
        self._queue.put((job, event))

    def until(self, job, kind):
        while True:
            entry = self._queue.get(timeout=60)
            self.seen.append(entry)
            if entry[0] == job and isinstance(entry[1], kind):
                return entry[1]

    def rest(self):
        while not self._queue.empty():
            self.seen.append(self._queue.get())
        return self.seen


@pytest.fixture
def events():
    return Events()


@pytest.fixture
def engine(events):
    engine = Engine(open_backend, events)
    yield engine
    engine.close()


def test_it_loads_by_itself_and_fills(engine, events):
    ready = events.until(LOADING, Ready)
    assert (ready.model, ready.device) == ("mini", "cpu")
    assert 100e6 < ready.memory < 110e6  # 25 million parameters, 51 MB in bf16, computed with in float32
    job = engine.submit(SHORT)
    done = events.until(job, Done)
    drafts = [event for number, event in events.seen if number == job and isinstance(event, Draft)]
    assert len(drafts) == done.steps
    assert drafts[-1].text == done.text
    assert [draft.step for draft in drafts] == list(range(1, done.steps + 1))


def test_stopping_takes_at_most_one_step(engine, events):
    job = engine.submit(LONG)
    events.until(job, Draft)
    engine.stop(job)
    at_stop = len(events.rest())
    events.until(job, Stopped)
    late = [event for _, event in events.seen[at_stop:] if isinstance(event, Draft)]
    assert len(late) <= 1
    assert not any(isinstance(event, Done) for _, event in events.seen)


def test_the_newest_fill_wins(engine, events):
    first = engine.submit(LONG)
    events.until(first, Draft)
    waiting = engine.submit(LONG)
    newest = engine.submit(SHORT)
    events.until(newest, Done)
    ends = {job: event for job, event in events.rest() if not isinstance(event, Loading | Progress | Ready)}
    assert isinstance(ends[first], Stopped)
    assert isinstance(ends[waiting], Stopped)


def test_stopping_an_ended_or_unknown_job_does_nothing(engine, events):
    job = engine.submit(SHORT)
    events.until(job, Done)
    engine.stop(job)
    engine.stop(999)
    again = engine.submit(SHORT)
    events.until(again, Done)


def test_closing_ends_every_job(events):
    engine = Engine(open_backend, events)
    running = engine.submit(LONG)
    events.until(running, Draft)
    waiting = engine.submit(LONG)
    engine.close()
    ends = {job: event for job, event in events.rest() if not isinstance(event, Loading | Progress | Ready)}
    assert ends == {running: Stopped(), waiting: Stopped()}


def test_an_error_ends_its_job_only(engine, events):
    too_long = engine.submit(Fill("", "", selected="word " * 3000))
    assert "select less" in events.until(too_long, Failed).message
    events.until(engine.submit(SHORT), Done)


class Fills:
    """A backend that denoises no canvases for others."""

    def denoise(self, seeded):  # noqa: ARG002  (as the protocol has it)
        yield from ()


class Watched(Fills):
    """The shipped backend; tells what became of each warming."""

    def __init__(self):
        self._backend, self.warmed = open_backend(), queue.Queue()
        self.begun = threading.Event()

    def load(self, tell=lambda _: None):
        return self._backend.load(tell)

    def warm(self, fill):
        total = told = 0
        try:
            for reading in self._backend.warm(fill):
                told, total = told + 1, reading.total
                self.begun.set()
                yield reading
        finally:
            self.warmed.put((told, total))

    def fill(self, fill):
        yield from self._backend.fill(fill)

    def close(self):
        self._backend.close()


@pytest.fixture
def watched(events):
    backend = Watched()
    engine = Engine(lambda: backend, events)
    yield engine, backend
    engine.close()


CHUNK = 128  # tokens that are read between two looks at whether something else is to be done
FAR = Fill("some words of a long text\n" * 400, "\n", options=Options(seed=1, length=2))


def test_warming_spares_the_fill_its_reading(watched, events):
    engine, backend = watched
    engine.warm(FAR)
    told, _ = backend.warmed.get(timeout=60)
    assert told > 10
    job = engine.submit(FAR)
    events.until(job, Done)
    assert not [event for number, event in events.seen if number == job and isinstance(event, Reading)]


def test_warming_gives_way_to_a_fill_and_what_was_read_stays(watched, events):
    engine, backend = watched
    engine.warm(FAR)
    assert backend.begun.wait(60)
    job = engine.submit(FAR)
    told, total = backend.warmed.get(timeout=60)
    assert CHUNK * told < total - CHUNK, "it went on to the end"
    events.until(job, Done)
    readings = [event for number, event in events.seen if number == job and isinstance(event, Reading)]
    assert readings[0].done == CHUNK * (told + 1)


def test_what_cannot_be_filled_is_not_warmed_and_nothing_is_said(watched, events):
    engine, _ = watched
    engine.warm(Fill("a", "b", options=Options(think=True)))
    events.until(engine.submit(SHORT), Done)
    assert not [event for _, event in events.seen if isinstance(event, Failed)]


class Breaks(Fills):
    """A backend whose first fill breaks in a way nobody foresaw."""

    def __init__(self):
        self._backend, self._fills = open_backend(), 0

    def load(self, tell=lambda _: None):
        return self._backend.load(tell)

    def warm(self, fill):
        yield from self._backend.warm(fill)

    def fill(self, fill):
        self._fills += 1
        if self._fills == 1:
            raise ZeroDivisionError("nobody foresaw this")
        yield from self._backend.fill(fill)

    def close(self):
        self._backend.close()


@pytest.mark.logs_errors
def test_an_unforeseen_error_is_told_and_survived(events, caplog):
    engine = Engine(Breaks, events)
    job = engine.submit(SHORT)
    message = events.until(job, Failed).message
    assert "ZeroDivisionError" in message
    assert "untouched" in message
    assert "the engine failed" in caplog.text
    events.until(engine.submit(SHORT), Done)
    engine.close()


def test_a_model_that_cannot_be_loaded_is_told_and_tried_again(events, tmp_path):
    engine = Engine(lambda: open_backend(checkpoint=tmp_path / "nothing"), events)
    assert "no checkpoint folder" in events.until(LOADING, Failed).message
    job = engine.submit(SHORT)
    assert "no checkpoint folder" in events.until(job, Failed).message
    engine.close()


def test_a_closed_engine_stops_what_comes_late(events):
    engine = Engine(open_backend, events)
    assert engine.close()
    job = engine.submit(SHORT)
    events.until(job, Stopped)


class Slow(Breaks):
    """A backend that tells of its loading until it is let go on, and then loads."""

    def __init__(self):
        super().__init__()
        self.go_on = threading.Event()

    def load(self, tell=lambda _: None):
        done = 0
        while not self.go_on.wait(0.001):
            done += 1
            tell(Loading(done, 10**9, 1.0))
        return super().load(tell)


def test_loading_is_told(events):
    backend = Slow()
    engine = Engine(lambda: backend, events)
    assert events.until(LOADING, Loading).total == 10**9
    backend.go_on.set()
    events.until(LOADING, Ready)
    assert engine.close()


def test_closing_ends_the_loading(events):
    engine = Engine(Slow, events)
    events.until(LOADING, Loading)
    waiting = engine.submit(SHORT)
    assert engine.close()
    assert events.until(waiting, Stopped)
