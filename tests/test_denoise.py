"""The loop: pins, stopping, and transformers' generate() as the truth where nothing is pinned."""

import dataclasses
from functools import partial
from itertools import pairwise

import pytest
import torch

from palimpsest.engine.canvas import Canvas, lay_out
from palimpsest.engine.denoise import denoise


@pytest.fixture(params=["tiny", "mini"])
def model(request):
    return request.getfixturevalue(request.param)


def encode(model, text):
    return model.tokenizer.encode(text, add_special_tokens=False).ids


def a_canvas(model):
    return lay_out(encode(model, " "), 12, encode(model, "\n    return total\n"), 64, model.eos)


def steps(model, canvas, seed=0, decode=None, **changes):
    schedule = dataclasses.replace(model.schedule, **changes)
    decode = decode or partial(model.decode, model.encode([2, *encode(model, "def mean(values):\n    total =")]))
    generator = torch.Generator().manual_seed(seed)
    return denoise(decode, canvas, schedule, model.vocabulary, generator, marked=True)


def test_pins_survive_every_step_and_reach_the_decoder(model):
    canvas, seen = a_canvas(model), []
    prefix = model.encode([2])

    def decode(ids, conditioning):
        seen.append((ids.clone(), conditioning.clone()))
        return model.decode(prefix, ids, conditioning)

    pinned = ~canvas.free
    results = list(steps(model, canvas, decode=decode))
    assert len(seen) == len(results) > 1
    for ids, conditioning in seen:
        assert torch.equal(ids[pinned], canvas.ids[pinned])
        own = conditioning[pinned].softmax(-1).gather(1, canvas.ids[pinned][:, None])
        assert torch.equal(own, torch.ones_like(own))
    for step in results:
        assert torch.equal(step.ids[pinned], canvas.ids[pinned])
        assert step.confidence[pinned].eq(1).all()
    assert any(not torch.equal(a[0][canvas.free], b[0][canvas.free]) for a, b in pairwise(seen))


def test_the_stop_test_ignores_pins(model):
    """Two free positions that know nothing, among 62 sure pins, must not look finished."""
    ids = torch.full((64,), model.eos)
    free = torch.zeros(64, dtype=torch.bool)
    free[:2] = True

    def unsure(_ids, _conditioning):
        logits = torch.zeros(64, model.vocabulary)
        logits[:, 7] = 0.01  # the likeliest token repeats, but by a hair
        return logits

    # Over all 64 positions the mean entropy would be 2/64 of log V, far under this threshold.
    result = list(steps(model, Canvas(ids, free), decode=unsure, confidence=1.0, max_steps=5))
    assert [step.finished for step in result] == [False] * 5

    def sure(_ids, _conditioning):
        return unsure(None, None) * 1e4

    result = list(steps(model, Canvas(ids, free), decode=sure, max_steps=5))
    assert [step.finished for step in result] == [False, True]


def test_a_seed_repeats_and_another_differs(model):
    canvas = a_canvas(model)
    runs = [[step.ids for step in steps(model, canvas, seed, max_steps=4)] for seed in (3, 3, 4)]
    assert all(torch.equal(a, b) for a, b in zip(runs[0], runs[1], strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(runs[0], runs[2], strict=True))


def test_without_pins_it_is_the_released_method(model):
    """The same tokens as generate() from the same random stream, and the same number of steps."""
    prefix, width = [2, *encode(model, "import os\n\n\ndef main():\n    ")], model.canvas_limit
    canvas = Canvas(torch.zeros(width, dtype=torch.long), torch.ones(width, dtype=torch.bool))
    generator = torch.Generator().manual_seed(5)
    schedule = dataclasses.replace(model.schedule, max_steps=6)
    decode = partial(model.decode, model.encode(prefix))
    ours = list(denoise(decode, canvas, schedule, model.vocabulary, generator, marked=False))
    with torch.random.fork_rng():
        torch.manual_seed(5)
        theirs = model.network.generate(
            torch.tensor([prefix]), max_new_tokens=width, max_denoising_steps=6, eos_token_id=None
        )
    assert torch.equal(ours[-1].ids, theirs.sequences[0, len(prefix) :])
    assert len(ours) == round(width / theirs.tokens_per_forward.item())
