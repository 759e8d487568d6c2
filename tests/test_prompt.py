"""A checkpoint tuned for conversation is asked in its own format, and thinks apart."""

import pytest

from conftest import REAL_FILE, answered
from palimpsest.engine import Draft, Fill, Hole, Options, RequestError, Thought, open_backend
from palimpsest.engine.prompt import LEAD, build

TEXT = REAL_FILE.read_text()


@pytest.fixture(scope="module")
def chatty(chatty_folder):
    backend = open_backend(checkpoint=chatty_folder)
    backend.load()
    return backend


def prompt_of(model, fill):
    asked = build(fill, model.tokenizer, model.prefix_limit, model.canvas_limit, model.chats)
    return asked, model.tokenizer.decode(asked.prefix, skip_special_tokens=False)


def test_a_model_tuned_for_conversation_is_told_the_task_in_its_own_format(chatty):
    model = chatty._model
    assert model.chats
    fill = Fill("def f(x):\n    return ", " + 1\n", "x", "Double it", further=(Hole(" * ", "y"),))
    asked, text = prompt_of(model, fill)
    assert text.startswith("<bos><|turn>user\ndef f(x):\n    return [[1: x]] * [[2: y]] + 1\n")
    assert "Double it" in text
    assert text.endswith("<turn|>\n<|turn>model\n<|channel>thought\n<channel|>"), "the empty thought ends the prompt"
    # The answer begins with the text before the first hole; what follows the last is pinned on the canvas.
    assert model.tokenizer.decode([*asked.lead, *asked.left]) == fill.before
    assert model.tokenizer.decode(asked.right) == fill.after
    assert len(prompt_of(model, Fill(TEXT, "\n", "x"))[0].lead) == LEAD
    _, done = answered(chatty, fill)
    assert len(done.holes) == 2


def test_the_document_comes_before_the_instruction_so_that_it_is_read_once(chatty):
    first, second = (list(chatty.warm(Fill(TEXT, "\n", "x", instruction))) for instruction in ("Shorten", "Expand"))
    assert len(first) > 10
    assert len(second) <= 12  # what follows the document: at most its task and lead, in chunks of 64
    assert len(second) < len(first) / 3


def test_a_thought_is_told_apart_and_never_put_into_text(chatty):
    fill = Fill("def f(x):\n    return ", "\n", "x", "Double it", options=Options(seed=1, think=True, max_steps=2))
    _, text = prompt_of(chatty._model, fill)
    assert text.startswith("<bos><|turn>system\n<|think|><turn|>\n<|turn>user\n")
    assert text.endswith("<|turn>model\n<|channel>thought\n")
    progress, done = answered(chatty, fill)
    thoughts = [event.text for event in progress if isinstance(event, Thought)]
    assert thoughts
    assert done.thought == thoughts[-1]
    assert len(done.thought) > 100, "a random model thinks until it may no longer"
    assert progress.index(next(event for event in progress if isinstance(event, Draft))) > len(thoughts) - 1
    assert done.thought[:40] not in fill.filled(done.holes)
    assert [draft.step for draft in progress if isinstance(draft, Draft)] == list(range(1, done.steps + 1))


def test_a_model_that_cannot_think_says_so(backend):
    with pytest.raises(RequestError, match="cannot think"):
        answered(backend, Fill("a", "b", options=Options(think=True)))
