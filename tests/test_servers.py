"""Choosing who fills, and what is never sent."""

import json
import os

import keyring
import pytest
from keyring.backend import KeyringBackend
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication, QTextCursor
from PySide6.QtWidgets import QDialog, QInputDialog, QLabel, QMenu, QMessageBox, QPushButton

from conftest import shown, until
from palimpsest.app import servers, settings, state
from palimpsest.app.main import main
from palimpsest.app.preferences import Preferences
from palimpsest.app.serverhelp import COMMANDS, ServerHelp
from palimpsest.app.servers import Server
from palimpsest.app.settings import Settings
from palimpsest.engine import Options, ServerError, open_backend
from peers import MODELS, Peer, delta, stream

TEXT = "first line\nsome words stand here\nlast line\n"
FAR = "http://192.0.2.1:8000"  # an address that nobody has, RFC 5737


class Kept(KeyringBackend):
    """The system's keys."""

    priority = 1  # pyright: ignore[reportAssignmentType]

    def __init__(self):
        super().__init__()
        self.keys = {}

    def get_password(self, service, username):
        return self.keys.get((service, username))

    def set_password(self, service, username, password):
        self.keys[service, username] = password


@pytest.fixture(autouse=True)
def user(tmp_path, monkeypatch):
    """A user of our own, with what the system keeps for them."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(servers, "_keys", {})
    before = keyring.get_keyring()
    keyring.set_keyring(kept := Kept())
    yield kept
    keyring.set_keyring(before)


@pytest.fixture
def peer():
    with Peer(stream(delta(content="other"), "[DONE]")) as peer:
        yield peer


@pytest.fixture
def window(qtbot, run, tiny_folder, tmp_path, peer):
    """A window that knows a server, on a file; this machine's model fills."""
    chosen = Settings(servers=(f"{peer.url} one", FAR))
    settings.save(chosen)
    (tmp_path / "file.txt").write_text(TEXT)
    (tmp_path / ".env").write_text(TEXT)

    def opened():
        return servers.opened(lambda _: open_backend(checkpoint=tiny_folder))

    with shown(qtbot, run, opened, Options(seed=1, length=4), tmp_path / "file.txt", chosen) as window:
        run(until(lambda: window.status.model._ready))
        yield window


def choices(window):
    return dict(window.servers.choices)


def choose(window, name):
    """As in the model's menu."""
    menu = QMenu()
    window.status.model._fill(menu)
    next(action for action in menu.actions() if action.text().startswith(name)).trigger()


async def filled(window):
    """What was written in place of the word, or why nothing was."""
    window.page.banner.hide()
    cursor = window.editor.textCursor()
    cursor.setPosition(TEXT.index("words"))
    cursor.movePosition(QTextCursor.MoveOperation.EndOfWord, QTextCursor.MoveMode.KeepAnchor)
    window.editor.setTextCursor(cursor)
    window.fills.fill_in()
    await until(lambda: window.fills.drafted or window.page.banner.message)
    text = window.editor.drafts.shown
    window.fills.drop()
    return window.page.banner.message or text


def test_a_server_is_chosen_and_left_again(window, run, peer):
    async def story():
        assert await filled(window) != "other"
        assert not peer.asked
        choose(window, peer.url)
        await until(lambda: "one on 127.0.0.1" in window.status.model.text())
        assert await filled(window) == "other"
        assert list(choices(window))[:2] == ["This machine", f"{peer.url} one ✓  (writes by prompt)"]
        choose(window, "This machine")
        await until(lambda: window.status.model.text().endswith(" on cpu"))
        asked = len(peer.asked)
        assert await filled(window) != "other"
        assert len(peer.asked) == asked

    run(story())


def test_the_next_start_asks_the_same_server(window, run, peer):
    async def story():
        choose(window, peer.url)
        await until(lambda: "one on" in window.status.model.text())

    run(story())
    backend = servers.opened(lambda _: pytest.fail("this machine's model is not asked for"))
    assert backend.load().model == "one"
    backend.close()


def test_a_server_taken_from_the_list_fills_no_more(window, run, peer):
    async def story():
        choose(window, peer.url)
        await until(lambda: "one on" in window.status.model.text())
        window.use(Settings(servers=(FAR,)))
        assert servers.chosen() is None
        assert await filled(window) != "other"

    run(story())


@pytest.mark.parametrize("agreed", [True, False])
def test_another_machine_is_used_only_once_the_user_agrees(window, monkeypatch, agreed):
    buttons, asked = QMessageBox.StandardButton, []

    def question(_parent, _title, text):
        asked.append(text)
        return buttons.Yes if agreed else buttons.No

    monkeypatch.setattr(QMessageBox, "question", question)
    monkeypatch.setattr(window._bridge, "reopen", lambda: None)  # nobody is there
    window.servers.choose(FAR)
    assert "192.0.2.1:8000 is another machine" in asked[0]
    assert servers.chosen() == (Server(FAR) if agreed else None)
    window.servers.choose("")
    window.servers.choose(FAR)
    assert len(asked) == (1 if agreed else 2)


def test_offline_nothing_goes_to_another_machine(window, run):
    state.write("servers", {"chosen": FAR})
    window.use(Settings(servers=(FAR,), offline=True))
    settings.save(window.settings)

    async def story():
        assert "You work offline" in await filled(window)
        window.servers.test(Server(FAR))
        await until(lambda: "You work offline" in window.status.currentMessage())

    run(story())
    with pytest.raises(ServerError, match="You work offline"):
        servers.opened(lambda _: pytest.fail("not this machine either"))


@pytest.mark.parametrize(
    "words",
    [
        ("fill", "file.txt", "--at", "1", "--server", FAR),
        ("models", "pull", "somebody/model", "--yes"),
        ("engine", "make", "cpu", "--yes"),
    ],
)
def test_offline_no_command_asks_another_machine(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.txt").write_text(TEXT)
    settings.save(Settings(offline=True))
    assert main([*words]) == 1
    assert capsys.readouterr().err.startswith("palimpsest: You work offline")
    settings.save(Settings())


def test_offline_a_server_on_this_machine_is_asked(window, run, peer):
    async def story():
        window.use(Settings(servers=(peer.url,), offline=True))
        settings.save(window.settings)
        choose(window, peer.url)
        assert await filled(window) == "other"

    run(story())


def test_a_secret_file_is_never_sent(window, run, tmp_path, peer):
    async def story():
        choose(window, peer.url)
        await until(lambda: "one on" in window.status.model.text())
        await window.pages.open(tmp_path / ".env")
        told = await filled(window)
        assert told.startswith(".env is never sent to a server (.env* in the preferences)")
        assert [path for path, _ in peer.asked] == ["/v1/models"]
        choose(window, "This machine")
        assert not (await filled(window)).startswith(".env")

    run(story())


def test_a_draft_of_a_secret_file_goes_to_no_server_that_is_chosen_later(window, run, tmp_path, peer):
    async def story():
        await window.pages.open(tmp_path / ".env")
        window.editor.selectAll()
        window.fills.fill_in()
        await until(lambda: window.fills.drafted)
        choose(window, peer.url)
        await until(lambda: "one on" in window.status.model.text())
        window.page.session.regenerate()
        await until(lambda: window.page.banner.message)
        assert "never sent" in window.page.banner.message
        assert [path for path, _ in peer.asked] == ["/v1/models"]

    run(story())


@pytest.mark.parametrize("falls_back", [True, False])
def test_this_machine_fills_when_a_server_fails_only_if_told_to(window, run, peer, falls_back):
    peer.answers["/v1/chat/completions"] = b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n"

    async def story():
        window.use(Settings(servers=(f"{peer.url} one",), fall_back=falls_back))
        choose(window, peer.url)
        await until(lambda: "one on" in window.status.model.text())
        told = await filled(window)
        assert ("failed (status 500)" in told) is not falls_back
        assert (servers.chosen() is None) is falls_back
        assert window.editor.toPlainText() == TEXT

    run(story())


def test_a_key_is_kept_by_the_system_and_sent_to_its_server(window, run, peer, user, monkeypatch):
    monkeypatch.setattr(QInputDialog, "getText", lambda *_: ("open sesame", True))

    async def story():
        choose(window, peer.url)
        await until(lambda: "one on" in window.status.model.text())
        choose(window, "Key of 127.0.0.1")
        await until(lambda: peer.keys[-1:] == ["Bearer open sesame"])

    run(story())
    host = peer.url.removeprefix("http://")
    assert user.keys == {("palimpsest", host): "open sesame"}
    assert "sesame" not in settings.file().read_text()
    assert Server(FAR).key is None


def test_without_keys_of_the_system_one_is_good_until_the_end(window, run, peer, monkeypatch):
    from keyring.backends.fail import Keyring

    keyring.set_keyring(Keyring())
    monkeypatch.setattr(QInputDialog, "getText", lambda *_: ("open sesame", True))

    async def story():
        window.servers.ask_key(Server(peer.url))
        assert "good until you quit" in window.status.currentMessage()
        choose(window, peer.url)
        await until(lambda: peer.keys[-1:] == ["Bearer open sesame"])

    run(story())


def test_a_try_tells_how_fast_a_server_is(window, run, peer):
    async def story():
        choose(window, peer.url)
        await until(lambda: "one on" in window.status.model.text())
        choose(window, "Try 127.0.0.1")
        await until(lambda: "takes images with one: answers in" in window.status.currentMessage())
        assert f"{peer.url} one ✓  (writes by prompt, takes images)" in choices(window)
        thinking = stream(delta(reasoning_content="hm"), delta(content="other"), "[DONE]")
        peer.answers["/v1/chat/completions"] = thinking
        choose(window, "Try 127.0.0.1")
        await until(lambda: "writes by prompt, takes images, thinks with one" in window.status.currentMessage())
        choose(window, "This machine")
        await until(lambda: window.status.model.text().endswith(" on cpu"))
        choose(window, peer.url)
        await until(lambda: "one on" in window.status.model.text())
        assert f"{peer.url} one ✓  (writes by prompt, takes images, thinks)" in choices(window)

    run(story())


def test_what_is_sent_is_shown_and_is_what_is_sent(window, run, peer):
    async def story():
        choose(window, peer.url)
        assert await filled(window) == "other"
        page = window.page
        choose(window, "What is sent")
        assert window.page is not page
        [message] = json.loads(peer.asked[-1][1])["messages"]
        assert window.editor.toPlainText() == message["content"]

    run(story())


def test_the_menu_says_how_a_server_fills(window, run, peer):
    async def story():
        choose(window, peer.url)
        await until(lambda: f"{peer.url.removeprefix('http://')} writes by prompt" in window.status.model.told())

    run(story())


def test_all_requests_are_listed_without_the_text(window, run, peer):
    servers.list_requests()

    async def story():
        choose(window, peer.url)
        assert await filled(window) == "other"

    run(story())
    told = servers.requests().read_text()
    answer = sum(len(f"data: {piece}\n\n") for piece in (delta(content="other"), "[DONE]"))
    assert [line.split(" ", 2)[2] for line in told.splitlines()] == [
        f"GET {peer.url}/v1/models",
        f"from {peer.url}/v1/models: {len(json.dumps(MODELS))} bytes",
        f"POST {peer.url}/v1/chat/completions: {len(peer.asked[-1][1])} bytes",
        f"from {peer.url}/v1/chat/completions: {answer} bytes",
    ]


def test_the_menu_leads_to_the_preferences(window):
    choose(window, "Servers…")
    shown = window.findChild(Preferences)
    visible = [label for label, field in shown.rows.items() if not field.isHidden()]
    assert any(label.startswith("Address") for label in visible)
    shown.close()


def test_how_a_server_is_started_is_there_to_be_copied(window, qtbot):
    choose(window, "How to start a server…")
    shown = window.findChild(ServerHelp)
    assert isinstance(shown, QDialog)
    assert [label.text() for label in shown.findChildren(QLabel)][1:] == list(COMMANDS)
    for copy, command in zip(shown.findChildren(QPushButton), COMMANDS.values(), strict=False):
        qtbot.mouseClick(copy, Qt.MouseButton.LeftButton)
        assert QGuiApplication.clipboard().text() == command
    shown.close()


def test_the_command_of_our_own_server_is_one(monkeypatch):
    (command,) = [one for one in COMMANDS.values() if "palimpsest" in one]
    given = []
    monkeypatch.setattr("palimpsest.app.main.share", lambda told: given.append(told) or 0)
    assert main(command.partition("palimpsest ")[2].split()) == 0
    assert [(told.host, told.model) for told in given] == [("0.0.0.0", "google/diffusiongemma-26B-A4B-it")]


@pytest.mark.parametrize(
    ("line", "server", "host", "local"),
    [
        ("http://localhost:8000", Server("http://localhost:8000"), "localhost:8000", True),
        ("http://127.0.0.1:1/v1 a b", Server("http://127.0.0.1:1/v1", "a b"), "127.0.0.1:1", True),
        ("http://[::1]:8000", Server("http://[::1]:8000"), "[::1]:8000", True),
        ("https://models.example", Server("https://models.example"), "models.example", False),
        ("http://localhost.example", Server("http://localhost.example"), "localhost.example", False),
        ("nonsense", Server("nonsense"), "nonsense", False),
        (
            "http://[::1]:8 llama3:8b  X-Team=b=c",
            Server("http://[::1]:8", "llama3:8b", (("X-Team", "b=c"),)),
            "[::1]:8",
            True,
        ),
    ],
)
def test_a_line_names_a_server(line, server, host, local):
    assert Server.of(line) == server
    assert (server.host, server.local) == (host, local)


def test_a_key_of_the_environment_is_taken_where_there_is_no_other(user, monkeypatch):
    monkeypatch.setenv("PALIMPSEST_API_KEY", "of the environment")
    assert Server(FAR).key == "of the environment"
    user.set_password("palimpsest", "192.0.2.1:8000", "of the system")
    assert Server(FAR).key == "of the system"
    assert "PALIMPSEST_API_KEY" in os.environ
