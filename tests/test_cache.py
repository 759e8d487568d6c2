"""The prefix cache: whatever was read before, a canvas sees its prefix to the bit as if it were read afresh."""

import random

import pytest
import torch

from conftest import drained
from palimpsest.engine.cache import STEPS, Shelf

LONG = 700  # tokens: well past the sliding window


class Counted:
    """A model's encoder that counts the tokens it reads."""

    def __init__(self, model):
        self.model, self.tokens = model, 0

    def shelf(self, limit=4096):
        return Shelf(self.encode, self.model.windows, self.model.chunk, limit)

    def encode(self, cache, ids):
        self.tokens += len(ids)
        self.model.encode(cache, ids)


def read(shelf, ids):
    return drained(shelf.read(ids))


def some_ids(model, count, seed):
    return [2, *random.Random(seed).choices(range(20, model.vocabulary), k=count - 1)]


def assert_same(prefix, fresh):
    assert prefix.length == fresh.length
    for ours, theirs in zip(prefix.layers, fresh.layers, strict=True):
        assert torch.equal(ours.keys, theirs.keys)
        assert torch.equal(ours.values, theirs.values)


def test_random_edits_leave_what_a_fresh_reading_gives(tiny):
    """Typing, deleting, replacing and moving about, as an editor would ask."""
    rng, counted = random.Random(0), Counted(tiny)
    shelf, ids = counted.shelf(), some_ids(tiny, LONG, 0)
    for number in range(60):
        kind, place = rng.choice(["type", "delete", "replace", "move"]), rng.randrange(1, len(ids))
        if kind == "type":
            ids = [*ids[:place], *some_ids(tiny, rng.randrange(2, 6), number)[1:], *ids[place:]]
        elif kind == "delete":
            ids = ids[:place] + ids[place + rng.randrange(1, 30) :]
        elif kind == "replace":
            ids = [*ids[:place], rng.randrange(20, tiny.vocabulary), *ids[place + 1 :]]
        asked = ids[:place] if kind == "move" else ids
        prefix, _ = read(shelf, asked)
        fresh, _ = read(tiny.shelf(), asked)
        assert_same(prefix, fresh)
        canvas = torch.arange(30, 46)[None]
        free = torch.ones_like(canvas, dtype=torch.bool)
        assert torch.equal(tiny.decode(prefix, canvas, free, None), tiny.decode(fresh, canvas, free, None))


def test_only_what_changed_is_read(tiny):
    counted = Counted(tiny)
    shelf, ids, chunk = counted.shelf(), some_ids(tiny, LONG, 1), tiny.chunk
    read(shelf, ids)
    assert counted.tokens == LONG

    def cost(asked):
        before = counted.tokens
        read(shelf, asked)
        return counted.tokens - before

    assert cost(ids) == 0
    for typed in range(1, 50):
        assert cost([*ids, *[77] * typed]) <= chunk // STEPS
    assert cost(ids[:300]) < chunk
    assert cost(ids) < chunk, "moving up and down again costs the rest of a chunk, not the way back"
    for place in (600, 200):
        edited = [*ids[:place], 77, *ids[place:]]
        assert cost(edited) <= len(edited) - place + chunk


def test_a_prefix_is_what_transformers_reads(tiny):
    """Past the sliding window, in chunks, against one pass of transformers with its own masks and cache."""
    ids = some_ids(tiny, LONG, 2)
    canvas = torch.arange(30, 62)[None]
    free = torch.ones_like(canvas, dtype=torch.bool)
    prefix, _ = read(tiny.shelf(), ids)
    with torch.inference_mode():
        theirs = tiny.network(input_ids=torch.tensor([ids]), decoder_input_ids=canvas).logits[0]
        marked = tiny.decode(prefix, canvas, free, torch.zeros(32, tiny.vocabulary))
    torch.testing.assert_close(marked, theirs, rtol=1e-4, atol=1e-4)


def test_reading_can_be_left_at_any_chunk_and_goes_on_there(tiny):
    counted = Counted(tiny)
    shelf, ids = counted.shelf(), some_ids(tiny, LONG, 3)
    reading = shelf.read(ids)
    for _ in range(3):
        told = next(reading)
    reading.close()
    assert (told.done, told.total) == (3 * tiny.chunk, LONG)
    prefix, rest = read(shelf, ids)
    assert counted.tokens == LONG
    assert rest[0].done == 4 * tiny.chunk
    fresh, _ = read(tiny.shelf(), ids)
    assert_same(prefix, fresh)


def test_two_documents_are_both_kept_and_the_oldest_goes_when_it_is_too_much(tiny):
    counted = Counted(tiny)
    shelf = counted.shelf(limit=2 * LONG)
    first, second, third = (some_ids(tiny, LONG, seed) for seed in (4, 5, 6))
    for ids in (first, second, first, second):
        read(shelf, ids)
    assert counted.tokens < 2 * LONG + 2 * tiny.chunk
    read(shelf, third)
    before = counted.tokens
    read(shelf, second)
    assert counted.tokens - before < tiny.chunk
    read(shelf, first)
    assert counted.tokens - before > LONG / 2, "the oldest was not kept"


def test_typing_and_short_texts_hold_no_memory(tiny):
    """What typing behind a long text leaves is one reading's rest, and empty caches are not collected."""
    shelf, ids = tiny.shelf(), some_ids(tiny, LONG, 8)
    for typed in range(40):
        read(shelf, [*ids, *[77] * typed])
        read(shelf, some_ids(tiny, 20, typed))
    assert len(shelf._caches) <= 2
    assert len(shelf._rest) <= STEPS
    own = sum(keys.untyped_storage().nbytes() for _, added in shelf._rest for keys, _ in added)
    assert own <= sum(keys.nbytes for _, added in shelf._rest for keys, _ in added) * 2


@pytest.mark.parametrize("count", [1, 31, 32, 33, 127, 128, 129, 256])
def test_short_prefixes(tiny, count):
    prefix, _ = read(tiny.shelf(), some_ids(tiny, count, 7))
    assert prefix.length == count
    canvas = torch.arange(30, 46)[None]
    assert tiny.decode(prefix, canvas, torch.ones_like(canvas, dtype=torch.bool), None).isfinite().all()


@pytest.mark.parametrize("count", [1, 5, 100])
def test_the_likelihood_is_that_of_every_token_behind_the_prefix(tiny, count):
    before, after = [i % 900 + 50 for i in range(count)], [7, 300, 301]
    prefix, _ = drained(tiny.shelf().read(before))
    ids, weight = torch.tensor([[before[-1], *after]] * 2), torch.tensor([[0.0, 1.0, 0.5, 0.0]] * 2)
    encoder = tiny.network.model.encoder.language_model
    with torch.inference_mode():
        hidden = encoder(input_ids=torch.tensor([before + after])).last_hidden_state
        told = tiny._logits(hidden[0, count - 1 : -1]).log_softmax(-1).gather(1, torch.tensor(after)[:, None])
    expected = told[0, 0] + 0.5 * told[1, 0]
    torch.testing.assert_close(tiny.likelihood(prefix, ids, weight), expected.expand(2), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("count", [1, 100, 300])
def test_texts_judged_together_do_not_see_each_other(tiny, count):
    before = some_ids(tiny, count, 7)
    prefix, _ = drained(tiny.shelf().read(before))
    texts = [torch.tensor([before[-1], *some_ids(tiny, length, length)]) for length in (1, 40, 3, 150)]
    weights = [torch.ones(len(text)) for text in texts]
    alone = [tiny.likelihood(prefix, [text], [weight]) for text, weight in zip(texts, weights, strict=True)]
    torch.testing.assert_close(tiny.likelihood(prefix, texts, weights), torch.cat(alone), rtol=1e-3, atol=1e-3)


def test_texts_that_say_nothing_are_certain(tiny):
    prefix, _ = drained(tiny.shelf().read([2, 7]))
    nothing, weight = torch.tensor([7]), torch.zeros(1)
    assert tiny.likelihood(prefix, [nothing, nothing], [weight, weight]).tolist() == [0, 0]
    alone, beside = torch.tensor([7, 8]), torch.ones(2)
    zero, one = tiny.likelihood(prefix, [nothing, alone], [weight, beside]).tolist()
    assert zero == 0 > one


@pytest.mark.parametrize("count", [1, 5, 200])
def test_each_branch_of_a_tree_goes_on_as_its_text_alone(tiny, count):
    """Two texts behind the same token, one of which goes on in two ways, and one of those far."""
    ids = some_ids(tiny, count, 3)
    prefix, _ = drained(tiny.shelf().read(ids))
    encoder, tree = tiny.network.model.encoder.language_model, prefix.without_last()
    paths, place = [], []  # the tokens behind the prefix that each token of the tree stands behind, and itself
    levels = [[()], [(7,)], [(7, 300), (7, 8)], [(7, 8, 9), (7, 8, 300)]]
    levels += [[(7, 8, 300, *some_ids(tiny, depth, 5))] for depth in range(1, 20)]
    for depth, level in enumerate(levels):
        paths, place = [*paths, *level], place + [depth] * len(level)
        seen = torch.tensor([[path == text[: len(path)] for path in paths] for text in level])
        newest = torch.tensor([[ids[-1], *text][-1] for text in level])
        for text, found in zip(level, tiny.following(tree, newest, torch.tensor(place), seen), strict=True):
            with torch.inference_mode():
                hidden = encoder(input_ids=torch.tensor([[*ids, *text]])).last_hidden_state[:, -1]
            torch.testing.assert_close(found, tiny._logits(hidden)[0].log_softmax(-1), rtol=1e-3, atol=1e-3)
