"""``palimpsest serve`` with a checkpoint that was tuned for conversation: it answers in the model's own format."""

import subprocess
import sys

import httpx2
import pytest
from openai import BadRequestError, OpenAI
from tokenizers import Tokenizer

from palimpsest.engine.bodies import Chat, Message, Tokens
from palimpsest.engine.request import Denoised, Seeded
from palimpsest.engine.weights import SHIPPED

SAID = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": [{"type": "text", "text": "a = "}]}]
ASKED = {"model": "mini", "messages": SAID, "seed": 3}


@pytest.fixture(scope="module")
def url(chatting_mini):
    command = [sys.executable, "-m", "palimpsest.app.main", "serve", "--port", "0", "--model", str(chatting_mini)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().split()[-1]
        process.terminate()


@pytest.fixture(scope="module")
def stock(url):
    with OpenAI(base_url=url, api_key="none is needed") as client:
        yield client


@pytest.fixture(scope="module")
def tokens(chatting_mini):
    return Tokens(chatting_mini)


@pytest.fixture(scope="module")
def prompt(tokens):
    return tokens.conversation([Message("system", "Be brief."), Message("user", "a = ")])


def written(backend, prompt, length, seed=3, canvas=256):
    """The ids of what the model writes behind a prompt by itself, as the released loop does: canvas after canvas."""
    ids = list(prompt)
    while (room := length - (len(ids) - len(prompt))) > 0:
        *_, last = backend.denoise(Seeded(tuple(ids), min(room, canvas), seed=seed))
        assert isinstance(last, Denoised)
        ids += last.ids
    return ids[len(prompt) :]


def test_a_conversation_is_told_in_turns(prompt):
    text = Tokenizer.from_file(str(SHIPPED / "tokenizer.json")).decode(prompt, skip_special_tokens=False)
    assert text == (
        "<bos><|turn>system\nBe brief.<turn|>\n<|turn>user\na = <turn|>\n<|turn>model\n<|channel>thought\n<channel|>"
    )


@pytest.mark.parametrize("length", [8, 300])
def test_a_chat_is_what_the_model_writes_behind_the_conversation(stock, backend, tokens, prompt, length):
    answer = stock.chat.completions.create(**ASKED, max_completion_tokens=length)
    said = answer.choices[0].message.content
    expected = written(backend, prompt, length)
    ends = [place for place, one in enumerate(expected) if one in tokens.ends]
    assert said == tokens.decode(expected[: ends[0]] if ends else expected)
    assert answer.usage.completion_tokens == (ends[0] if ends else length)
    chunks = list(stock.chat.completions.create(**ASKED, max_completion_tokens=length, stream=True))
    assert "".join(chunk.choices[0].delta.content for chunk in chunks if chunk.choices) == said
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == ("stop" if ends else "length")
    assert answer.choices[0].finish_reason == ("stop" if ends else "length")
    assert chunks[-1].usage.completion_tokens == answer.usage.completion_tokens


def test_it_ends_where_it_shall_and_there_may_be_several(stock):
    one, other = stock.chat.completions.create(**ASKED, max_tokens=12, n=2).choices
    assert one.message.content != other.message.content
    text = one.message.content
    cut = stock.chat.completions.create(**ASKED, max_tokens=12, stop=text[3:5]).choices[0].message.content
    assert cut == text[: text.index(text[3:5])]


def test_an_answer_ends_where_the_model_reads_no_further(stock, tokens):
    words = len(tokens.encode("word " * 100, begin=False)) / 100
    messages = [{"role": "user", "content": "word " * int(3900 / words)}]
    answer = stock.chat.completions.create(model="mini", messages=messages, max_tokens=1000, seed=1)
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason == "length"
    assert 256 <= answer.usage.completion_tokens < 1000


@pytest.mark.parametrize(
    "more", [{"n": 0}, {"n": 17}, {"max_tokens": -5}, {"max_tokens": 5000}, {"n": 0, "stream": True}]
)
def test_bounds_are_kept(url, more):
    answer = httpx2.post(f"{url}/chat/completions", json={"messages": SAID} | more)
    assert answer.status_code == 400


def test_a_text_that_goes_on_is_told_as_far_as_it_stays():
    chat = Chat(messages=[], stop=["STOP", "é!"])
    for text, stays in {
        "alpha STO": "alpha ",
        "alpha STOP": "alpha ",
        "alpha S": "alpha ",
        "é\ufffd": "",
        "aé": "a",
        "a\ufffd\ufffd": "a",
        "alpha": "alpha",
        "": "",
    }.items():
        assert chat.settled(text) == stays or chat.cut(text) == stays
    assert Chat(messages=[]).settled("anything") == "anything"


def test_what_it_is_told_is_tokenized_so(url, prompt):
    answer = httpx2.post(url.replace("/v1", "/tokenize"), json={"messages": SAID})
    assert answer.json() == {"tokens": prompt, "count": len(prompt)}


def test_pictures_and_what_is_too_long_are_refused(stock):
    picture = {"type": "image_url", "image_url": {"url": "data:"}}
    for content, why in (([picture], "text only"), ("word " * 9000, "this model reads")):
        messages = [{"role": "user", "content": content}]
        with pytest.raises(BadRequestError, match=why):
            stock.chat.completions.create(model="mini", messages=messages, max_tokens=4)
