"""Real fills by the shipped checkpoint, and everything that can be wrong with a request or a checkpoint."""

import json
import shutil

import pytest
from safetensors.torch import load_file, save_file

from conftest import REAL_FILE, answered
from palimpsest.engine import CheckpointError, Draft, Fill, Options, RequestError, open_backend
from palimpsest.engine.weights import SHIPPED

LINES = REAL_FILE.read_text().split("\n")


def blank(line):
    """A fill for one line (from 1) of the real file, blanked."""
    return "\n".join(LINES[: line - 1]) + "\n", "\n" + "\n".join(LINES[line:])


def fill(backend, *args, **kwargs):
    progress, done = answered(backend, Fill(*args, **kwargs))
    return [event for event in progress if isinstance(event, Draft)], done


def test_a_blanked_line_is_filled(backend):
    before, after = blank(151)
    drafts, done = fill(backend, before, after, options=Options(seed=7))
    assert done.text.strip()
    assert done.seed == 7
    assert drafts[-1].text == done.text
    for draft in drafts:
        assert len(draft.settled) == len(draft.text)
        assert all(0 <= value <= 1 for value in draft.settled)


def test_the_same_seed_gives_the_same_drafts(backend):
    before, after = blank(151)
    first, again, other = (fill(backend, before, after, options=Options(seed=seed))[0] for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_special_tokens_in_the_text_are_text(mini, backend):
    text = "<del>old</del> <pad><eos><|turn>"
    ids = mini.tokenizer.encode(text, add_special_tokens=False).ids
    assert mini.delete not in ids
    assert mini.tokenizer.decode(ids) == text
    fill(backend, text, text, options=Options(seed=1, length=4))


@pytest.mark.parametrize("text", ["naïve 😀 日本語\u00a0\u2028\t\r\n", "    x\n\n\n\ty", "\x00\x7f", "e\u0301👩‍👩‍👧"])
def test_the_tokenizer_gives_every_text_back(mini, text):
    assert mini.tokenizer.decode(mini.tokenizer.encode(text, add_special_tokens=False).ids) == text


def test_an_empty_document_can_be_filled(backend):
    fill(backend, "", "", options=Options(seed=1))


def test_rewriting_sees_the_selection(backend):
    before, after = "One day ", " to the river.\n"
    options = Options(seed=1, length=4)
    drafts = [
        fill(backend, before, after, selected=selected, instruction="Fix the spelling", options=options)[0]
        for selected in ("we wnet", "they cmae", "we wnet")
    ]
    assert drafts[0] == drafts[2] != drafts[1]


def test_an_instruction_needs_a_selection():
    with pytest.raises(RequestError, match="select the text"):
        Fill("a", "b", selected="  \n", instruction="Fix the spelling")


def test_a_selection_no_model_could_write_is_refused_at_once():
    with pytest.raises(RequestError, match="100000 characters long: select a shorter stretch"):
        Fill("", "", selected="x" * 100_000)


def test_more_than_the_model_writes_at_a_time_is_refused(backend):
    with pytest.raises(
        RequestError, match="take 2500 tokens with room for changes, and this model writes at most 2048 at a time"
    ):
        fill(backend, "", "", options=Options(length=2500))


def test_an_instruction_that_fills_the_prefix_is_refused(backend):
    with pytest.raises(RequestError, match="say it shorter"):
        fill(backend, "", "", selected="word", instruction="please " * 5000)


@pytest.fixture
def checkpoint(tmp_path):
    shutil.copytree(SHIPPED, tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("name", ["config.json", "generation_config.json", "tokenizer.json", "model.safetensors"])
@pytest.mark.parametrize("damage", ["missing", "cut"])
def test_a_damaged_checkpoint_is_named(checkpoint, name, damage):
    file = checkpoint / name
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    state = "is missing" if damage == "missing" else "is damaged"
    with pytest.raises(CheckpointError, match=rf"{name} {state}: fetch the checkpoint again"):
        open_backend(checkpoint=checkpoint).load()


def test_a_checkpoint_without_all_weights_is_refused(checkpoint):
    tensors = load_file(checkpoint / "model.safetensors")
    del tensors[next(name for name in tensors if "layers.3" in name)]
    save_file(tensors, checkpoint / "model.safetensors", {"format": "pt"})
    with pytest.raises(CheckpointError, match=r"lacks \d weights, .*layers\.3"):
        open_backend(checkpoint=checkpoint).load()


def test_another_architecture_is_refused(checkpoint):
    config = json.loads((checkpoint / "config.json").read_text())
    (checkpoint / "config.json").write_text(json.dumps(config | {"model_type": "gemma4"}))
    with pytest.raises(CheckpointError, match="another kind"):
        open_backend(checkpoint=checkpoint).load()


def test_a_random_model_runs_on_the_same_path(tiny_folder):
    backend = open_backend(checkpoint=tiny_folder)
    backend.load()
    drafts, done = fill(backend, "a", "b", options=Options(seed=1, length=5, max_steps=3))
    assert done.steps == len(drafts) == 3
