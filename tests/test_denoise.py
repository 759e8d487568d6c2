"""The loop: pins, stopping, and transformers' generate() as the truth."""

import dataclasses
from functools import partial
from itertools import pairwise, takewhile

import pytest
import torch
from transformers import LogitsProcessorList

from conftest import answered, drained
from palimpsest.engine import Fill, Options, writing
from palimpsest.engine.bench import OneHot
from palimpsest.engine.canvas import OUTSIDE, Canvas, Row, lay_out
from palimpsest.engine.denoise import BELIEF, Race, begin, denoise, step
from palimpsest.engine.local import LocalBackend
from palimpsest.engine.manners import mend
from palimpsest.engine.sampler import draw_as_released

BEFORE = "def mean(values):\n    total ="


@pytest.fixture(params=["tiny", "mini"])
def model(request):
    return request.getfixturevalue(request.param)


def as_released(model):
    """The same weights, sampled as transformers does: its random stream, and nothing known of pins at first."""
    return dataclasses.replace(model, delete=None, draw=draw_as_released)


def encode(model, text):
    return model.tokenizer.encode(text, add_special_tokens=False).ids


def read(model, text=BEFORE):
    return read_ids(model, [2, *encode(model, text)])


def read_ids(model, ids):
    prefix, _ = drained(model.shelf().read(ids))
    return prefix


def a_row(model, length=12):
    row = Row()
    row.pin(encode(model, " "))
    row.open(length, 0)
    return row


def a_canvas(model, *lengths):
    rows = [a_row(model, length) for length in lengths or (12,)]
    return lay_out(rows, encode(model, "\n    return total\n"), 64, model.ends[0])


def all_free(width):
    row = Row()
    row.open(width, 0)
    return lay_out([row], None, width, 0)


def steps(model, canvas, seed=0, decode=None, race=None, **changes):
    schedule = dataclasses.replace(model.schedule, **changes)
    decode = decode or partial(model.decode, read(model))
    generator = torch.Generator().manual_seed(seed)
    advance = partial(step, decode=decode, schedule=schedule, draw=model.draw, generator=generator)
    return denoise(canvas, advance, schedule.max_steps, model.vocabulary, generator, race)


def test_pins_survive_every_step(model):
    canvas, seen = a_canvas(model), []
    prefix = read(model)

    def decode(ids, free, guess):
        seen.append(ids.clone())
        return model.decode(prefix, ids, free, guess)

    results = list(steps(model, canvas, decode=decode))
    assert len(seen) == len(results) > 1
    for ids, state in zip(seen, results, strict=True):
        for tokens in (ids, state.best, state.current):
            assert torch.equal(tokens[~canvas.free], canvas.ids[~canvas.free])
        assert state.confidence[~canvas.free].eq(1).all()
    assert any(not torch.equal(a[canvas.free], b[canvas.free]) for a, b in pairwise(seen))


@pytest.mark.parametrize("first", [True, False])
def test_decoding_is_the_released_forward_pass_with_pins_conditioned_on_themselves(model, first):
    """Against transformers' forward with one-hot logits at pins; the first step marks the free ones, or nothing."""
    if first:
        model = as_released(model)
    canvas, generator = a_canvas(model), torch.Generator().manual_seed(0)
    free = canvas.free
    known = torch.full((*free.shape, model.vocabulary), -torch.inf).scatter_(-1, canvas.ids[..., None], 0.0)
    logits = torch.randn(int(free.sum()), model.vocabulary, generator=generator)
    known[free] = logits
    ours = model.decode(read(model), canvas.ids, free, None if first else logits.softmax(-1))
    with torch.inference_mode():
        theirs = model.network(
            input_ids=torch.tensor([[2, *encode(model, BEFORE)]]),
            decoder_input_ids=canvas.ids,
            self_conditioning_logits=None if first else known,
        ).logits[free]
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_the_stop_test_ignores_pins(model):
    """Two free positions that know nothing, among 62 sure pins, must not look finished."""
    ids = torch.full((1, 64), model.ends[0])
    free = torch.zeros(1, 64, dtype=torch.bool)
    free[:, :2] = True
    canvas = Canvas(ids, free, torch.where(free, 0, OUTSIDE))

    def unsure(_ids, _free, _guess):
        logits = torch.zeros(2, model.vocabulary)
        logits[:, 7] = 0.01  # the likeliest token repeats, but by a hair
        return logits

    # Over all 64 positions the mean entropy would be 2/64 of log V, far under this threshold.
    result = list(steps(model, canvas, decode=unsure, confidence=1.0, max_steps=5))
    assert [state.finished.item() for state in result] == [False] * 5

    def sure(*_):
        return unsure(*_) * 1e4

    result = list(steps(model, canvas, decode=sure, max_steps=5))
    assert [state.finished.item() for state in result] == [False, True]


def test_without_an_early_stop_all_steps_run(model):
    assert len(list(steps(model, a_canvas(model), confidence=0.0, max_steps=20))) == 20


def test_nothing_free_is_finished_at_once(model):
    row = Row()
    row.pin(encode(model, "done"))
    (state,) = steps(model, lay_out([row], None, 64, 0))
    assert state.number == 0
    assert state.finished.all()


def test_a_revised_canvas_begins_with_what_stands_there_half_believed(model):
    row = Row()
    row.pin([50])
    row.append([60, 61], 0, free=True)
    canvas = dataclasses.replace(lay_out([row], None, 64, 0), revised=True)
    state = begin(canvas, model.vocabulary, torch.Generator())
    assert state.current.tolist() == [[50, 60, 61]]
    assert state.guess is not None
    (guess,) = state.guess
    assert guess.argmax(-1).tolist() == [60, 61]
    torch.testing.assert_close(guess.sum(-1), torch.ones(2))
    assert guess.max().item() == pytest.approx(BELIEF, abs=1e-3)


def test_a_seed_repeats_and_another_differs(model):
    canvas = a_canvas(model)
    runs = [[state.best for state in steps(model, canvas, seed, max_steps=4)] for seed in (3, 3, 4)]
    assert all(torch.equal(a, b) for a, b in zip(runs[0], runs[1], strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(runs[0], runs[2], strict=True))


def test_losing_lengths_are_dropped_until_as_many_are_left_as_wanted(model):
    canvas = a_canvas(model, 2, 4, 8, 12, 20)
    merits = torch.tensor([3.0, 1.0, 5.0, 2.0, 4.0])
    race = Race(2, lambda state: merits[state.rows])
    seen = [state.rows.tolist() for state in steps(model, canvas, race=race, confidence=0.0, max_steps=6)]
    assert seen == [[0, 1, 2, 3, 4], [2, 4, 0], [2, 4], [2, 4], [2, 4], [2, 4]]


def test_a_canvas_goes_on_as_it_would_have_when_others_are_left_out(model):
    """Choosing rows takes everything of theirs along, what conditions their next step among it."""
    canvas = a_canvas(model, 3, 9, 6)
    generator = torch.Generator().manual_seed(0)
    first = step(
        begin(canvas, model.vocabulary, generator),
        partial(model.decode, read(model)),
        model.schedule,
        model.draw,
        generator,
    )
    chosen = first.only(torch.tensor([2, 0]))
    assert chosen.rows.tolist() == [2, 0]
    assert first.guess is not None
    assert chosen.guess is not None
    assert [len(part) for part in first.guess] == [3, 9, 6]
    assert all(torch.equal(*pair) for pair in zip(chosen.guess, (first.guess[2], first.guess[0]), strict=True))
    assert torch.equal(chosen.best, first.best[[2, 0]])


def test_a_canvas_decodes_the_same_alone_and_among_others(model):
    """What a batch decodes for one candidate does not depend on the others."""
    prefix, many = read(model), a_canvas(model, 3, 9, 6)
    together = model.decode(prefix, many.ids, many.free, None)
    one = Canvas(many.ids[1:2], many.free[1:2], many.hole[1:2])
    torch.testing.assert_close(together[3:12], model.decode(prefix, one.ids, one.free, None), rtol=1e-4, atol=1e-4)


# Against generate()


def generate(model, ids, seed, **settings):
    """What transformers generates from a seed: the output, and its canvases after every step (current, likeliest)."""
    network, seen = model.network, []
    own = network._denoising_step

    def recorded(**arguments):
        result = own(**arguments)
        seen.append((result[0].clone(), result[1].clone()))
        return result

    network._denoising_step = recorded
    try:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return network.generate(torch.tensor([ids]), **settings), seen
    finally:
        del network._denoising_step


def assert_same_steps(ours, theirs):
    """Step by step the same likeliest tokens, and the same accepted and renoised canvas for the next step."""
    assert len(ours) == len(theirs)
    for state, (current, likeliest) in zip(ours, theirs, strict=True):
        assert torch.equal(state.best, likeliest)
        assert torch.equal(state.current, current)


@pytest.mark.parametrize("width", [12, 256])
def test_without_pins_it_is_the_released_method(model, monkeypatch, width):
    """On a whole canvas, and on a narrow one that gets finished."""
    model = as_released(model)
    monkeypatch.setattr(model.network.config, "canvas_length", width)
    ids = [2, *encode(model, "import os\n\n\ndef main():\n    ")]
    most, sure = (6, 0.005) if width == 256 else (40, 8.0)
    decode = partial(model.decode, read_ids(model, ids))
    ours = list(steps(model, all_free(width), 5, decode, max_steps=most, confidence=sure))
    settings = {"max_new_tokens": width, "max_denoising_steps": most, "confidence_threshold": sure}
    _, theirs = generate(model, ids, 5, eos_token_id=None, **settings)
    assert_same_steps(ours, theirs)
    if model.name == "mini" and width == 12:
        assert ours[-1].finished.all()
        assert len(ours) < most


@pytest.mark.parametrize("stability", [0, 1, 3])
def test_a_canvas_must_repeat_as_often_as_the_checkpoint_says(mini, monkeypatch, stability):
    model = as_released(mini)
    monkeypatch.setattr(model.network.config, "canvas_length", 8)
    ids, settings = [2, *encode(model, BEFORE)], {"max_denoising_steps": 30, "confidence_threshold": 8.0}
    decode = partial(model.decode, read_ids(model, ids))
    ours = list(steps(model, all_free(8), 2, decode, max_steps=30, confidence=8.0, stability=stability))
    _, theirs = generate(model, ids, 2, max_new_tokens=8, eos_token_id=None, stability_threshold=stability, **settings)
    assert_same_steps(ours, theirs)
    assert len(ours) < 30


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_with_pins_it_is_the_released_method_told_of_them(model, monkeypatch, seed):
    """generate() with the same starting canvas and a processor that is certain of the pins; stops included."""
    model = as_released(model)
    canvas, ids = a_canvas(model), [2, *encode(model, BEFORE)]
    width, free = canvas.ids.shape[1], canvas.free.sum().item()
    monkeypatch.setattr(model.network.config, "canvas_length", width)
    # A threshold that both models reach; generate()'s mean counts the pins too, whose entropy is nothing.
    settings = {"max_denoising_steps": 40, "confidence_threshold": 3.0 * free / width}
    random = torch.randint(model.vocabulary, (1, width), generator=torch.Generator().manual_seed(seed))
    ours = list(steps(model, canvas, seed, max_steps=40, confidence=3.0))
    _, theirs = generate(
        model,
        ids,
        seed,
        max_new_tokens=width,
        eos_token_id=None,
        decoder_input_ids=torch.where(canvas.free, random, canvas.ids),
        logits_processor=LogitsProcessorList([OneHot(canvas)]),
        **settings,
    )
    assert_same_steps(ours, theirs)
    assert ours[-1].finished.item() == (len(ours) < 40)


def test_over_several_blocks_it_is_the_released_method(model, monkeypatch):
    """A long fill at the end of a document against generate(): each finished canvas becomes a part of the prefix."""
    model, width, seed, seen = as_released(model), model.canvas_limit, 4, []

    def recorded(*arguments):
        for state in denoise(*arguments):
            seen.append(state)
            yield state

    monkeypatch.setattr(writing, "denoise", recorded)
    backend = LocalBackend()
    backend.use(model)
    before = "import os\n\n\ndef main():\n"
    ids = [2, *encode(model, before)]
    output, theirs = generate(model, ids, seed, max_new_tokens=3 * width, max_denoising_steps=4)
    _, done = answered(backend, Fill(before, "", options=Options(seed=seed, length=3 * width, max_steps=4)))
    assert_same_steps(seen, theirs)
    new = output.sequences[0, len(ids) :].tolist()
    text = model.detokenizer.text(list(takewhile(lambda index: index not in model.ends, new)))
    assert done.text == mend(text, before, "", "")
    if model.name != "mini":
        assert done.steps == 12  # a random model ends no text: all three canvases
