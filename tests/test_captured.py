"""The step with static shapes against the plain one. A CPU runs it as it is; a GPU replays it as a graph."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from test_denoise import a_canvas, as_released

from conftest import answered, drained
from palimpsest.engine import Draft, Fill, Hole, Options, captured
from palimpsest.engine.denoise import begin, denoise, step
from palimpsest.engine.kernels import reference
from palimpsest.engine.local import LocalBackend


def likeliest(probabilities, _free, _generator):
    """A draw without chance, so that both steps use the same random numbers."""
    return probabilities.argmax(-1)


def predict(hidden, table, cap, temperature, _seed, scale, kept):
    """The twin of the fused sampler, with as little chance."""
    return reference.predict(hidden, table, cap, temperature, torch.full((len(hidden), len(table)), 0.5), scale, kept)


def uniform(hidden, table, cap, temperature, seed, scale, kept):
    """The twin of the fused sampler."""
    generator = torch.Generator().manual_seed(int(seed))
    return reference.predict(
        hidden, table, cap, temperature, torch.rand(len(hidden), len(table), generator=generator), scale, kept
    )


def prefix(model, length):
    """What is known of a text of so many tokens, longer than the window or not."""
    ids = torch.randint(100, 1000, (length,), generator=torch.Generator().manual_seed(1)).tolist()
    return drained(model.shelf().read(ids))[0]


@pytest.mark.parametrize("length", [5, 300])
@pytest.mark.parametrize("way", ["marked", "as released", "revised"])
def test_it_takes_the_same_steps(tiny, length, way):
    model = as_released(tiny) if way == "as released" else tiny
    canvas, behind = a_canvas(model, 3, 9, 6), prefix(model, length)
    if way == "revised":
        canvas = replace(canvas, ids=canvas.ids + torch.arange(canvas.ids.shape[1]) * canvas.free, revised=True)
    generator = torch.Generator().manual_seed(4)
    decode = partial(model.decode, behind)
    plain = partial(step, decode=decode, schedule=model.schedule, draw=likeliest, generator=generator)
    own = captured.Step(model, *canvas.ids.shape, room=512, predict=predict)
    wanted = list(denoise(canvas, plain, 12, model.vocabulary, generator))
    for _ in range(2):  # the second fill meets what the first left behind
        own.begin(behind, model.schedule, 4)
        found = list(denoise(canvas, own, 12, model.vocabulary, own.generator))
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            for name in ("rows", "best", "current", "repeats", "finished"):
                assert torch.equal(getattr(one, name), getattr(other, name)), (one.number, name)
            torch.testing.assert_close(one.confidence, other.confidence, rtol=1e-3, atol=1e-4)


def test_canvases_that_have_left_change_nothing_for_the_others(tiny):
    canvas, behind = a_canvas(tiny, 3, 9, 6), prefix(tiny, 20)
    own = captured.Step(tiny, *canvas.ids.shape, room=64, predict=predict)
    own.begin(behind, tiny.schedule, 0)
    first = own(begin(canvas, tiny.vocabulary, own.generator))
    whole, fewer = own(first), own(first.only(torch.tensor([2, 0])))
    assert fewer.rows.tolist() == [2, 0]
    assert torch.equal(fewer.best, whole.best[[2, 0]])
    torch.testing.assert_close(fewer.confidence, whole.confidence[[2, 0]])


def test_a_step_run_ahead_in_vain_leaves_no_trace(tiny):
    canvas, behind = a_canvas(tiny, 3, 9, 6), prefix(tiny, 20)
    own = captured.Step(tiny, *canvas.ids.shape, room=64, predict=uniform)
    found = []
    for rows in ([0, 1, 2], [0, 1]):
        own.begin(behind, tiny.schedule, 5)
        first = own(begin(canvas, tiny.vocabulary, own.generator))
        found.append(own(first.only(torch.tensor(rows)) if len(rows) < 3 else first))
    whole, fewer = found
    assert torch.equal(fewer.current, whole.current[:2])
    assert torch.equal(fewer.best, whole.best[:2])


def test_a_prefix_that_there_is_no_room_for(tiny):
    own = captured.Step(tiny, 1, 32, room=64, predict=predict)
    with pytest.raises(AssertionError):
        own.begin(prefix(tiny, 65), tiny.schedule, 0)


def test_before_the_first_step_nothing_is_known(tiny):
    """A state without a guess is one before the first step, whatever was computed before."""
    canvas, behind = a_canvas(tiny, 4), prefix(tiny, 20)
    own = captured.Step(tiny, *canvas.ids.shape, room=64, predict=predict)
    own.begin(behind, tiny.schedule, 0)
    first = own(begin(canvas, tiny.vocabulary, own.generator))
    own.begin(behind, tiny.schedule, 0)
    again = own(begin(canvas, tiny.vocabulary, own.generator))
    assert torch.equal(first.best, again.best)
    assert torch.equal(first.confidence, again.confidence)


def test_a_fill_by_captured_steps(mini):
    """Alternatives, several holes and several canvases go through the same steps, and the seed repeats them."""
    backend = LocalBackend()
    backend.use(mini)
    backend._steps = captured.Steps(mini, uniform)
    for fill in (
        Fill("def area(width, height):\n    return ", "\n", options=Options(seed=1, alternatives=2, length=8)),
        Fill(
            "def area(",
            "\n",
            selected="width",
            further=(Hole("):\n    return ", "width"),),
            options=Options(seed=2, max_steps=12),
        ),
        Fill("import os\n", "", options=Options(seed=3, length=300, max_steps=4)),
    ):
        progress, done = answered(backend, fill)
        drafts = [event for event in progress if isinstance(event, Draft)]
        assert len(drafts) == done.steps > 0
        assert drafts[-1].holes == done.holes or len(done.alternatives) > 1
        assert answered(backend, fill)[1].holes == done.holes
    assert len(backend._steps._steps) <= captured.KEPT
