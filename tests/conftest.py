"""Shared fixtures: the shipped checkpoint, a tiny random model of the same classes, and a Qt event loop."""

import asyncio
import gc
import logging
import os
import shutil
import socket
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["LANGUAGE"] = "C"  # that of the sources
os.environ.setdefault("TRITON_INTERPRET", "0" if Path("/dev/nvidia0").exists() else "1")  # before Triton is imported
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # for deterministic torch, where there is a GPU
os.environ["XDG_CACHE_HOME"] = os.environ["XDG_CONFIG_HOME"] = os.environ["XDG_STATE_HOME"] = tempfile.mkdtemp()
# Nobody's hub, and a cache of our own: the library reads these when it is imported.
with socket.create_server(("127.0.0.1", 0)) as free:
    os.environ["HF_ENDPOINT"] = "http://{}:{}".format(*free.getsockname())
os.environ["HF_HOME"] = os.path.join(os.environ["XDG_CACHE_HOME"], "huggingface")

import pytest
import torch
from PySide6.QtGui import QColor
from tokenizers import Tokenizer
from transformers import DiffusionGemmaForBlockDiffusion

from palimpsest.app import tasks
from palimpsest.app.bridge import EngineBridge
from palimpsest.app.instance import Application
from palimpsest.app.pages import Pages
from palimpsest.app.tasks import EventLoop
from palimpsest.app.window import Window
from palimpsest.engine import Done, Options, open_backend
from palimpsest.engine.model import load_model
from palimpsest.engine.training.architecture import SIZES, config, generation_config
from palimpsest.engine.weights import SHIPPED
from peers import Peer, delta, stream

# Until a backend is loaded and chooses for itself: the smallest machine has two cores, one of them for the window.
torch.set_num_threads(1)

BETWEEN = asyncio.new_event_loop()  # of what a window's timer starts while Qt's event loop does not run
asyncio.set_event_loop(BETWEEN)
ANSWER = stream(delta(content="a red square"), "[DONE]")  # of a server that sees
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|turn>{{ message.role }}\n{{ message.content }}<turn|>\n{% endfor %}"
    "<|turn>model\n<|channel>thought\n<channel|>"
)  # of a checkpoint that was tuned for conversation
REAL_FILE = Path(threading.__file__).with_name("textwrap.py")


def pytest_unconfigure():
    end(BETWEEN)
    BETWEEN.close()


@pytest.fixture(scope="session", autouse=True)
def folders_of_our_own():
    yield
    shutil.rmtree(os.environ["XDG_CACHE_HOME"])


@pytest.fixture(autouse=True)
def no_thread_outlives_its_test():
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before and not thread.daemon]
    for thread in left:
        thread.join(5)  # those of an event loop's executor end when it is closed, but nobody waits for that
    assert not [thread for thread in left if thread.is_alive()]
    assert not [thread for thread in threading.enumerate() if thread.name == "engine"]


@pytest.fixture(autouse=True)
def nothing_logs_an_error(request, caplog):
    yield
    errors = [record for record in caplog.get_records("call") if record.levelno >= logging.ERROR]
    assert not errors or request.node.get_closest_marker("logs_errors")


@pytest.fixture(scope="session")
def qapp_cls():
    """The application that pytest-qt makes."""
    return Application


@pytest.fixture(scope="session")
def mini():
    """The shipped checkpoint."""
    return load_model()


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory):
    """A checkpoint folder with random weights: two layers, the classes and the vocabulary of the mini checkpoint."""
    folder = tmp_path_factory.mktemp("tiny")
    tokenizer = Tokenizer.from_file(str(SHIPPED / "tokenizer.json"))
    torch.manual_seed(0)
    network = DiffusionGemmaForBlockDiffusion(config(tokenizer, replace(SIZES["nano"], layers=2)))
    network.generation_config = generation_config(tokenizer)
    network.save_pretrained(folder)
    shutil.copy(SHIPPED / "tokenizer.json", folder)
    return folder


@pytest.fixture(scope="session")
def chatty_folder(tiny_folder, tmp_path_factory):
    """The same as a checkpoint that was tuned for conversation."""
    folder = tmp_path_factory.mktemp("chatty") / "model"
    shutil.copytree(tiny_folder, folder)
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    return folder


@pytest.fixture(scope="session")
def chatting_mini(tmp_path_factory):
    """The shipped checkpoint as if it had been tuned for conversation."""
    folder = tmp_path_factory.mktemp("chatting") / "mini"
    shutil.copytree(SHIPPED, folder)
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE)
    return folder


@pytest.fixture(scope="session")
def tiny(tiny_folder):
    return load_model(tiny_folder)


@pytest.fixture(scope="session")
def backend():
    backend = open_backend()
    backend.load()
    yield backend
    backend.close()


def drained(generator):
    """What a generator returns, and all it yields before."""
    told = []
    while True:
        try:
            told.append(next(generator))
        except StopIteration as end:
            return end.value, told


def answered(backend, fill):
    """What a backend tells while it fills, and its Done."""
    *progress, done = backend.fill(fill)
    assert isinstance(done, Done)
    return progress, done


def end(loop):
    """Ends all that was begun in a loop, as asyncio's own runner does."""
    while left := asyncio.all_tasks(loop):
        for task in left:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))


@pytest.fixture
def run(qapp):
    """Runs a coroutine on Qt's event loop, at most a minute or so many seconds."""
    gc.disable()  # as in the application: see garbage.py
    qapp.setQuitOnLastWindowClosed(False)  # a window that an earlier test left open would end the loop
    with EventLoop(qapp) as loop:

        def run(coroutine, seconds=60):
            end(BETWEEN)
            try:
                return loop.run_until_complete(asyncio.wait_for(coroutine, seconds))
            except TimeoutError:
                for task in asyncio.all_tasks(loop):
                    task.print_stack()  # what was waited for
                raise

        yield run
        end(loop)
    gc.collect()
    gc.enable()


@pytest.fixture
def window(qtbot, run):
    """A window with the shipped model on a real file."""
    with shown(qtbot, run, open_backend, Options(seed=1), REAL_FILE) as window:
        yield window


@pytest.fixture
def pages(qtbot, run):  # noqa: ARG001  (the loop must exist first)
    """Tabs without a window around them."""
    pages = Pages()
    qtbot.addWidget(pages)
    yield pages
    pages.let_go()


@contextmanager
def shown(qtbot, run, open_backend, options, path, chosen=None):
    """A window on a file, as a user has it."""
    bridge = EngineBridge(open_backend)
    window = Window(bridge, options, chosen)
    qtbot.addWidget(window, before_close_func=discard)
    assert run(opened(window, path))
    window.show()
    yield window
    discard(window)
    window.close()
    assert bridge.close()


@pytest.fixture
def asking(qtbot, run, tmp_path):
    """A window on a file, whose model is a server that sees; and what it was sent."""
    (tmp_path / "file.md").write_text("one two\n")
    with (
        Peer(ANSWER) as peer,
        shown(qtbot, run, lambda: open_backend("remote", server=peer.url), Options(), tmp_path / "file.md") as window,
    ):
        yield window, peer


def discard(window):
    """Let the window close without asking about unsaved changes."""
    for page in window.pages.all:
        page.editor.document().setModified(False)


def label(pages, page):
    """What the page's tab says."""
    group = pages._group_of(page)
    return group.tabText(group.indexOf(page))


def luminance(colour: QColor) -> float:
    """Relative luminance, WCAG 2.1."""
    parts = (colour.redF(), colour.greenF(), colour.blueF())
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: QColor, other: QColor) -> float:
    """Contrast ratio, WCAG 2.1."""
    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


async def opened(window, path):
    """Was the file opened?"""
    return await window.pages.open(path) is not None


def under_way():
    """The tasks that were started in this event loop; one of another test may have lost its own."""
    return [task for task in tasks._running if task.get_loop() is asyncio.get_running_loop()]


async def until(condition) -> None:
    """Let Qt and the engine work until the condition holds; the ``run`` fixture bounds the wait.

    A loop that never rests would take the interpreter from the engine's thread, which made a fill of 3 s one of 23.
    """
    while not condition():
        await asyncio.sleep(0.002)
