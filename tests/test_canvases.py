"""Canvases of tokens by ``palimpsest serve``, and in-fill on those of a server that is like vLLM.

    PALIMPSEST_VLLM=FOLDER pytest -n0 tests/test_canvases.py

tries the same with vLLM itself, by ``vllm_cpu.py``, which says what FOLDER is; it takes long.
"""

import json
import os
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from statistics import mean

import httpx2
import pytest
from rapidfuzz.distance import Levenshtein

from conftest import answered
from palimpsest.engine import Draft, Fill, Hole, Options, RequestError, ServerError, open_backend, probe
from palimpsest.engine.connection import Connection
from palimpsest.engine.local import LocalBackend
from palimpsest.engine.request import Denoised, Seeded
from peers import Peer, stream, whole

VLLM = os.environ.get("PALIMPSEST_VLLM")
LIKE_VLLM = (
    [str(Path(__file__).with_name("vllm_cpu.py")), VLLM] if VLLM else [str(Path(__file__).with_name("vllm_double.py"))]
)
OURS = ["-m", "palimpsest.app.main", "serve", "--port", "0"]
FILL = Fill("def add(a, b):\n    return ", "\n", options=Options(seed=1))
LISTED = json.dumps({"data": [{"id": "served", "owned_by": "vllm"}]})


def started(*arguments):
    """A server of that command of Python's, whose first line ends with its address."""
    with subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().split()[-1]
        process.terminate()


@pytest.fixture(scope="module")
def ours():
    yield from started(*OURS)


@pytest.fixture(scope="module")
def double():
    yield from started(*LIKE_VLLM)


@pytest.fixture(scope="module")
def chatting(chatting_mini):
    yield from started(*LIKE_VLLM, str(chatting_mini))


@pytest.fixture
def remote(double):
    with closing(open_backend("remote", server=double)) as backend:
        backend.load()
        yield backend


def read(url, **arguments):
    """What a completion answers: status and body."""
    asked = {"prompt": [2, 100, 200], "max_tokens": 256, "logprobs": 1, "return_token_ids": True} | arguments
    told = httpx2.post(f"{url}/completions", json=asked, timeout=60)
    return told.status_code, told.json()


def xargs(**arguments):
    return {"vllm_xargs": {"diffusion_read_only": True} | arguments}


REFUSED = {
    "pins without a seed": xargs(diffusion_pinned=[0]),
    "a seed of another length": xargs(diffusion_seed_canvas=[5] * 15, diffusion_canvas_length=16),
    "a seed that is not the served canvas": xargs(diffusion_seed_canvas=[5] * 16),
    "an id outside the vocabulary": xargs(diffusion_seed_canvas=[5, 1 << 31], diffusion_canvas_length=2),
    "a negative id": xargs(diffusion_seed_canvas=[5, -1], diffusion_canvas_length=2),
    "a word for an id": xargs(diffusion_seed_canvas=["a"], diffusion_canvas_length=1),
    "a pin outside the canvas": xargs(diffusion_seed_canvas=[5, 5], diffusion_canvas_length=2, diffusion_pinned=[2]),
    "no width": xargs(diffusion_canvas_length=0),
    "too wide": xargs(diffusion_canvas_length=257),
    "no steps": xargs(diffusion_max_steps=0),
    "half a step": xargs(diffusion_max_steps=0.5),
    "an unknown id to tell of": xargs() | {"logprob_token_ids": [1 << 31]},
    "too many to tell of": xargs() | {"logprobs": 21},
    "a prompt of nothing": xargs() | {"prompt": []},
    "a seed": xargs() | {"seed": 1},
    "a temperature": xargs() | {"temperature": 0.5},
}
ONLY_BY_US = {
    "more than one canvas": {"vllm_xargs": {"diffusion_max_steps": 1}},
    "two prompts": xargs() | {"prompt": ["one", "two"]},
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_vllm_refuses_is_refused(double, reason):
    status, told = read(double, **REFUSED[reason])
    assert status == 400
    assert told["error"]["message"]


@pytest.mark.parametrize("reason", ONLY_BY_US)
def test_what_we_have_not_is_refused(ours, reason):
    status, told = read(ours, **ONLY_BY_US[reason])
    assert status == 400
    assert told["error"]["message"]


def test_a_canvas_is_answered_with_what_is_told_of_every_position(double):
    seeded = xargs(diffusion_seed_canvas=[300] * 12, diffusion_canvas_length=12, diffusion_max_steps=1)
    _, told = read(double, **seeded, logprob_token_ids=[7, 8], return_tokens_as_token_ids=True, logprobs=2)
    [choice] = told["choices"]
    said = choice["logprobs"]
    assert len(choice["token_ids"]) == 12
    assert said["tokens"] == [f"token_id:{index}" for index in choice["token_ids"]]
    for index, own, row in zip(choice["token_ids"], said["token_logprobs"], said["top_logprobs"], strict=True):
        assert {"token_id:7", "token_id:8", f"token_id:{index}"} <= row.keys()
        assert own == row[f"token_id:{index}"] == max(row.values()) <= 0


def test_without_a_seed_the_canvas_is_as_wide_as_the_model_s(double):
    _, told = read(double, **xargs(diffusion_max_steps=1))
    assert len(told["choices"][0]["token_ids"]) == 256


def test_pins_hold_what_the_model_sees(double):
    """What is written follows what is pinned around it."""

    def tokens(text):
        asked = {"prompt": text, "add_special_tokens": False}
        return httpx2.post(double.replace("/v1", "/tokenize"), json=asked).json()["tokens"]

    before, after = tokens("for i in range(10):\n    print(i"), tokens("\n    total += i\n")
    answers = set()
    for seed in range(3):
        canvas = [1000 + seed, *after]
        pinned = list(range(1, len(canvas)))
        seeded = xargs(diffusion_seed_canvas=canvas, diffusion_canvas_length=len(canvas), diffusion_pinned=pinned)
        _, told = read(double, **seeded, prompt=[2, *before])
        answers.add(told["choices"][0]["token_ids"][0])
    assert answers == set(tokens(")"))


def test_a_canvas_that_is_all_pinned_is_read(double):
    seeded = xargs(diffusion_seed_canvas=[300] * 4, diffusion_canvas_length=4, diffusion_pinned=[0, 1, 2, 3])
    status, told = read(double, **seeded)
    assert status == 200
    assert len(told["choices"][0]["token_ids"]) == 4


@pytest.mark.skipif(not VLLM, reason="compares us with vLLM itself: see PALIMPSEST_VLLM above")
def test_vllm_reads_what_we_read(double, mini):
    """Of a checkpoint without slack of its own, like the released one: log-probabilities by two sets of kernels."""
    prompt, ids = (2, *range(300, 340)), tuple(range(500, 516))
    seeded = xargs(diffusion_seed_canvas=ids, diffusion_canvas_length=len(ids), diffusion_max_steps=1)
    wanted = {"logprob_token_ids": ids, "logprobs": len(ids), "return_tokens_as_token_ids": True}
    _, told = read(double, **seeded, **wanted, prompt=prompt)
    with closing(LocalBackend()) as backend:
        backend.use(replace(mini, delete=None))
        *_, here = backend.denoise(Seeded(prompt, ids, max_steps=1, wanted=ids))
    assert isinstance(here, Denoised)
    both = zip(told["choices"][0]["logprobs"]["top_logprobs"], here.told, strict=True)
    off = [abs(row[f"token_id:{index}"] - own[index]) for row, own in both for index in ids]
    assert mean(off) < 0.05
    assert max(off) < 0.5


def test_a_seed_repeats_a_canvas(ours):
    texts = {read(ours, **xargs(diffusion_canvas_length=8), seed=3)[1]["choices"][0]["text"] for _ in range(2)}
    assert len(texts) == 1


FILLS = {
    "a hole": FILL,
    "a length": Fill("x = ", "\n", options=Options(seed=3, length=2)),
    "a selection": Fill("import os\n\n", "\n", "import sys", options=Options(seed=4)),
    "two holes": Fill("def ", "\n", "name", further=(Hole("(a, b):\n    return ", "a"),), options=Options(seed=5)),
    "several canvases": Fill(
        "Once upon a time ", "\n", "there lived a king. " * 80, options=Options(seed=6, max_steps=3)
    ),
    "far apart": Fill(
        "def ",
        "\n",
        "name",
        further=(Hole("(a, b):\n" + "    pass  # nothing\n" * 100, "return a"),),
        options=Options(seed=8),
    ),
    "the end": Fill("The end", "", options=Options(seed=7)),
}


@pytest.mark.parametrize("name", FILLS)
def test_a_fill_is_written_where_it_belongs(remote, name):
    told, done = answered(remote, FILLS[name])
    assert [event for event in told if isinstance(event, Draft)][-1].holes == done.holes
    for written in done.holes:
        assert written.text.strip()
        assert len(written.settled) == len(written.text)
        assert all(0 <= sure <= 1 for sure in written.settled)


@pytest.mark.parametrize("steps", [1, 4])
def test_few_steps_are_enough_where_one_length_is_wanted(remote, steps):
    _, done = answered(remote, Fill("x = ", "\n", options=Options(seed=3, length=2, max_steps=steps)))
    assert done.text.strip()


def test_the_best_length_is_found(remote):
    """One token opens the loop; more would say its line twice, or another."""
    before, after = "for number in range(10):\n    print(number)\n\nfor name in names", "\n    print(name)\n"
    assert {answered(remote, Fill(before, after, options=Options(seed=seed)))[1].text for seed in range(3)} == {":"}


def test_alternatives_differ(remote):
    _, done = answered(remote, Fill("x = ", "\n", options=Options(seed=7, alternatives=3)))
    texts = [answer.text for answer in done.alternatives]
    assert len(texts) == len(set(texts)) > 1
    assert [answer.score for answer in done.alternatives] == sorted((a.score for a in done.alternatives), reverse=True)


SENTENCE = "The old king sat on his throne, and teh young queen stood beside him. "


def distance(fill, done):
    return Levenshtein.distance(fill.selected, done.text)


@pytest.mark.parametrize("times", [1, 30])
def test_nothing_changes_where_nothing_may(remote, times):
    fill = Fill("It was so. ", "\n", SENTENCE * times, options=Options(seed=2, strength=0, max_steps=3))
    _, done = answered(remote, fill)
    assert done.text == fill.selected
    assert set(done.holes[0].settled) == {1.0}
    assert done.steps == 0


@pytest.mark.parametrize("times", [2, 30])
def test_what_is_kept_is_kept_and_sure(remote, times):
    """Of several canvases too, of which most have nothing to change."""
    fill = Fill("It was so. ", "\n", SENTENCE * times, options=Options(seed=2, strength=0.05 / times, max_steps=3))
    _, done = answered(remote, fill)
    assert 0 < distance(fill, done) <= 40
    assert sum(sure == 1 for sure in done.holes[0].settled) > 0.9 * len(fill.selected)


def test_the_more_may_change_the_more_does(remote):
    changed = []
    for strength in (0.1, 0.4, 1):
        options = [Options(seed=seed, strength=strength, max_steps=4) for seed in range(3)]
        fills = [Fill("It was so. ", "\n", SENTENCE, options=one) for one in options]
        changed.append(sum(distance(fill, answered(remote, fill)[1]) for fill in fills))
    assert 0 < changed[0] < changed[1] < changed[2]


def test_what_the_model_would_write_otherwise_changes_first(remote, monkeypatch):
    reads = []

    def listened(self, path, payloads, ask=Connection.ask):
        told = yield from ask(self, path, payloads)
        reads.extend(zip(payloads, told, strict=True) if path == "completions" else [])
        return told

    monkeypatch.setattr(Connection, "ask", listened)
    answered(remote, Fill("It was so. ", "\n", SENTENCE * 2, options=Options(seed=2, strength=0.2, max_steps=3)))
    (first, told), (second, _), *_ = reads
    canvas, pinned = (first["vllm_xargs"][name] for name in ("diffusion_seed_canvas", "diffusion_pinned"))
    selected = set(range(len(canvas))) - set(pinned)
    read = told["choices"][0]["token_ids"]
    otherwise = {place for place in selected if read[place] != canvas[place]}
    opened = selected - set(second["vllm_xargs"]["diffusion_pinned"])
    assert len(opened) == round(0.2 * len(selected))
    assert opened <= otherwise or otherwise <= opened


def test_unwanted_words_are_left_to_the_last(remote):
    fill = Fill("def add(a, b):\n    return ", "\n", options=Options(seed=1))
    word = answered(remote, fill)[1].text.split("(")[0].split(".")[0].split()[0]
    fills = [Fill(fill.before, fill.after, options=Options(seed=seed, without=(word,))) for seed in range(3)]
    texts = [answered(remote, one)[1].text for one in fills]
    missing = [word not in text.replace(".", " ").replace("(", " ").split() for text in texts]
    assert any(missing) if VLLM else all(missing)  # vLLM draws as it likes: all lengths may say it


def test_a_model_that_does_not_chat_is_not_told_to(remote):
    with pytest.raises(RequestError, match="was not tuned"):
        answered(remote, Fill("", "\n", "teh cat", "Fix the typos.", Options(seed=1)))


def test_a_model_that_chats_is_told(chatting):
    with closing(open_backend("remote", server=chatting)) as backend:
        backend.load()
        _, done = answered(backend, Fill("", "\n", "teh cat sat", "Fix the typos.", Options(seed=1)))
        assert done.text.strip()


def test_trying_a_server_tells_that_it_fills_on_its_canvas(double):
    assert "fills on its canvas with served" in probe(server=double).told


def peer(completions):
    """A server that says it is vLLM."""
    peer = Peer(stream('{"choices": [{"delta": {"content": "by prompt"}}]}', "[DONE]"), whole(LISTED))
    peer.answers["/v1/completions"] = completions
    peer.answers["/tokenize"] = whole(json.dumps({"tokens": [5], "count": 1, "max_model_len": 4096}))
    peer.answers["/detokenize"] = whole(json.dumps({"prompt": "text"}))
    return peer


def refusal(said):
    return whole(json.dumps({"error": {"message": said}}), "400 Bad Request")


@pytest.mark.parametrize(
    "completions",
    [whole(json.dumps({"choices": [{"text": "ignored"}]})), refusal("no such model"), whole("", "404 Not Found")],
)
def test_a_server_that_does_not_take_the_arguments_is_asked_by_prompt(completions):
    with peer(completions) as there, closing(open_backend("remote", server=there.url)) as backend:
        backend.load()
        assert answered(backend, FILL)[1].text == "by prompt"
        assert "seed" not in json.loads(there.asked[-1][1])  # vLLM refuses one for diffusion models


def canvas(ids, **changed):
    told = {"token_logprobs": [-0.1] * len(ids), "top_logprobs": [{"a": -0.1}] * len(ids), "tokens": ["a"] * len(ids)}
    return whole(json.dumps({"choices": [{"token_ids": ids, "logprobs": told | changed}]}))


def reading(answers):
    """Answers one after another, and the last one to all that follow."""

    def answer(sock):
        sock.sendall(answers.pop(0) if len(answers) > 1 else answers[0])

    return answer


KNOWS = [refusal("ids must be in [0, 100)."), canvas([5] * 64)]


@pytest.mark.parametrize(
    "answer",
    [
        canvas([5] * 3),
        canvas([5] * 48, token_logprobs=[]),
        canvas(["five"] * 48),
        whole("[]"),
        whole(json.dumps({"choices": [{"token_ids": [5] * 48}]})),
    ],
)
def test_what_is_no_canvas_is_said(answer):
    with peer(reading([*KNOWS, answer])) as there, closing(open_backend("remote", server=there.url)) as backend:
        backend.load()
        with pytest.raises(ServerError, match="no canvas"):
            answered(backend, FILL)


@pytest.mark.parametrize("path", ["/tokenize", "/detokenize"])
def test_what_is_no_text_is_said(path):
    known = reading([*KNOWS, canvas([5] * 48)])
    with peer(known) as there, closing(open_backend("remote", server=there.url)) as backend:
        backend.load()
        there.answers[path] = whole('{"tokens": 7, "prompt": null}')
        with pytest.raises(ServerError, match="no canvas"):
            answered(backend, FILL)


def silent(sock):
    sock.recv(1)


def test_stopping_closes_all_requests():
    with peer(reading(list(KNOWS))) as there, closing(open_backend("remote", server=there.url)) as backend:
        backend.load()
        there.answers["/v1/completions"] = silent
        with closing(backend.fill(FILL)) as events:
            next(events)
            assert there.open > 1
        end = time.monotonic() + 10
        while there.open and time.monotonic() < end:
            pass
        assert there.open <= 1  # what is kept for later
