"""What a fill can be asked: several holes, kept words, degrees, alternatives, long stretches, thoughts."""

import dataclasses
import difflib
import random
import re

import pytest
import torch

from conftest import REAL_FILE, answered, drained
from palimpsest.engine import (
    Alternative,
    Draft,
    Fill,
    Hole,
    Options,
    Reading,
    RequestError,
    Written,
    reopen,
    unsure,
)
from palimpsest.engine.canvas import SCALES, Row, lay_out
from palimpsest.engine.local import LocalBackend
from palimpsest.engine.manners import mend
from palimpsest.engine.model import Model
from palimpsest.engine.ranking import differing
from palimpsest.engine.weights import SHIPPED

TEXT = REAL_FILE.read_text()
LINE = "            text = text.expandtabs(self.tabsize)"


@pytest.fixture(scope="module")
def random_backend(tiny):
    backend = LocalBackend()
    backend.use(tiny)
    return backend


@pytest.fixture(params=["backend", "random_backend"])
def any_backend(request):
    """The shipped checkpoint and a random one, whose text knows no manners at all."""
    return request.getfixturevalue(request.param)


def at_line(line, **more):
    before, after = TEXT.split(line, 1)
    return Fill(before, after, **more)


# Several holes


def test_holes_are_filled_together_and_the_text_between_stays(any_backend):
    fill = Fill(
        "def mean(",
        "\n",
        "numbers",
        further=(Hole("):\n    return sum(", "numbers"), Hole(") / len(", "numbers")),
        options=Options(seed=3),
    )
    progress, done = answered(any_backend, fill)
    assert all(len(event.holes) == 3 for event in progress if isinstance(event, Draft))
    first, second, third = (written.text for written in done.holes)
    assert fill.filled(done.holes) == f"def mean({first}):\n    return sum({second}) / len({third}\n"
    for event in progress:
        for written in event.holes:
            assert len(written.text) == len(written.settled)


def test_each_hole_sees_the_other(tiny):
    """Other noise in the second hole, and the first one's prediction is another: they stand on one canvas."""
    row = Row()
    for hole in range(2):
        row.open(4, hole)
        row.pin([50, 51])
    canvas = lay_out([row], [], 256, 1)
    prefix, _ = drained(tiny.shelf().read([2]))
    ids = canvas.ids.repeat(2, 1)
    ids[1, 6:10] += 7
    logits = tiny.decode(prefix, ids, canvas.free.repeat(2, 1), None)
    assert not torch.allclose(logits[:4], logits[8:12])


def test_kept_words_are_kept(any_backend):
    """Words inside a selection that must stay are the gap between two holes."""
    fill = Fill("We saw ", ".\n", "the quick", further=(Hole(" brown fox ", "jumps over"),), options=Options(seed=2))
    _, done = answered(any_backend, fill)
    assert " brown fox " in fill.filled(done.holes)


def test_holes_too_far_apart_for_a_canvas_are_filled_one_after_the_other(any_backend):
    gap = "".join(TEXT.splitlines(keepends=True)[40:100])
    fill = Fill("a = ", "\n", "", further=(Hole(gap, ""),), options=Options(seed=1, length=4, max_steps=6))
    _, done = answered(any_backend, fill)
    text = fill.filled(done.holes)
    assert text == f"a = {done.holes[0].text}{gap}{done.holes[1].text}\n"


# Opening a draft again


def test_a_stretch_is_written_anew_and_the_rest_stays(any_backend):
    fill = at_line(LINE, selected=LINE, options=Options(seed=1))
    _, done = answered(any_backend, fill)
    text = done.text
    stretch = (len(text) // 3, 2 * len(text) // 3)
    again = reopen(fill, done.holes, ((stretch,),))
    assert again.selected == text[slice(*stretch)]
    assert again.before + again.selected + again.after == fill.filled(done.holes)
    _, anew = answered(any_backend, again)
    result = again.filled(anew.holes)
    start, end = fill.before + text[: stretch[0]], text[stretch[1] :] + fill.after
    assert result.startswith(start)
    assert result.endswith(end)


def test_what_is_unsure_can_be_opened():
    written = Written("one two three", (1.0,) * 4 + (0.2,) * 3 + (1.0,) + (0.1, 0.9, 0.1, 0.1, 0.1))
    assert unsure(written, 0.5) == ((4, 7), (8, 9), (10, 13))
    assert unsure(written, 0.05) == ()
    fill = Fill("Say: ", "!", "", further=(Hole(" and ", ""),))
    holes = (written, Written("four", (0.0,) * 4))
    again = reopen(fill, holes, tuple(unsure(hole, 0.5) for hole in holes))
    assert again.selections == ("two", "t", "ree", "four")
    assert again.before + again.filled(tuple(Written(text, ()) for text in again.selections))[len(again.before) :] == (
        "Say: one two three and four!"
    )
    with pytest.raises(RequestError, match="nothing to write again"):
        reopen(fill, holes, ((), ()))


def test_a_finished_fill_still_tells_what_it_was_unsure_of(backend):
    """At the temperature it was drawn with everything is sure in the end; what is told is the model's own mind."""
    fill = at_line("                 break_long_words=True,\n", options=Options(seed=2))
    _, done = answered(backend, fill)
    open_ = unsure(done.holes[0], 0.9)
    assert open_
    assert sum(end - start for start, end in open_) < len(done.text)
    again = reopen(fill, done.holes, (open_,))
    _, anew = answered(backend, again)
    for gap in again.gaps:
        assert gap in again.filled(anew.holes)


def test_a_blank_can_be_opened_whatever_the_first_fill_was():
    fill = Fill("", "", "a b", "Fix it", options=Options(strength=0.5, length=9))
    again = reopen(fill, (Written("a b", (1.0,) * 3),), (((1, 2),),))
    assert (again.selected, again.instruction, again.options) == (" ", "", Options())


# Degrees


@pytest.mark.parametrize("text", [LINE, "It was the best of times, it was the worst of times.", "x\u2028\t\0 y  "])
def test_strength_0_returns_the_text_untouched(any_backend, text):
    progress, done = answered(any_backend, Fill("", "\n", text, options=Options(seed=1, strength=0)))
    assert done.text == text
    assert done.steps == 0
    assert not any(isinstance(event, Draft) for event in progress)


def test_the_stronger_the_farther_from_the_text(any_backend):
    """Mean edit distance over several texts and seeds grows with strength, from nothing."""
    lines = [line for line in TEXT.splitlines() if 30 < len(line) < 60][10:60:10]
    distances = []
    for strength in (0, 0.25, 0.5, 1):
        changed = []
        for seed, line in enumerate(lines):
            options = Options(seed=seed, strength=strength, max_steps=8)
            _, done = answered(any_backend, at_line(line, selected=line, options=options))
            changed.append(1 - difflib.SequenceMatcher(None, line, done.text, autojunk=False).ratio())
        distances.append(sum(changed) / len(changed))
    assert distances[0] == 0
    assert distances == sorted(distances)
    assert distances[1] < 0.5 * distances[3]


def test_a_strength_needs_a_selection():
    with pytest.raises(RequestError, match="select some, or leave it at 1"):
        Fill("a", "b", options=Options(strength=0.5))


def test_an_end_of_text_among_the_changes_does_not_cut_what_is_kept(tiny, monkeypatch):
    """A model that writes an end wherever it may."""
    backend, decode = LocalBackend(), Model.decode

    def ending(*arguments):
        logits = decode(*arguments).clone()
        logits[:, tiny.ends[0]] = 100.0
        return logits

    backend.use(tiny)
    text = "The first words stay, then the middle changes, and the last words must stay too."
    opened = tiny.tokenizer.encode(text).ids
    monkeypatch.setattr(Model, "decode", ending)
    _, done = answered(backend, Fill("", "\n", text, options=Options(seed=1, strength=0.2)))
    assert len(done.text) > 0.5 * len(text)
    assert len(tiny.tokenizer.encode(done.text).ids) >= 0.7 * len(opened)


def test_alternatives_to_a_little_change_of_a_long_text(backend):
    """The last of its canvases may have nothing to change."""
    for start in (4000, 5000, 6000):
        fill = Fill(
            TEXT[:500],
            "\nx = 1\n" * 20,
            TEXT[start : start + 1800],
            options=Options(seed=1, strength=0.002, alternatives=2, max_steps=3),
        )
        assert answered(backend, fill)[1].text


# Alternatives


def test_alternatives_differ_and_the_best_comes_first(any_backend):
    fill = at_line(LINE, options=Options(seed=1, alternatives=4, max_steps=12))
    _, done = answered(any_backend, fill)
    scores = [answer.score for answer in done.alternatives]
    texts = [answer.text for answer in done.alternatives]
    assert 2 <= len(texts) <= 4
    assert len(set(texts)) == len(texts)
    assert scores == sorted(scores, reverse=True)
    assert done.text == texts[0]


def test_alternatives_that_are_alike_are_one():
    def answer(*texts):
        return Alternative(tuple(Written(text, (1.0,) * len(text)) for text in texts), 0.0)

    long = "one two three four five six seven eight nine ten eleven twelve"
    distinct = [answer(long, "x"), answer(long, "y"), answer("return text", "x")]
    alike = [answer(long.replace("two", "2"), "x"), answer("return  text", "x")]
    assert differing([distinct[0], alike[0], *distinct[1:], alike[1]]) == tuple(distinct)


# Length


def test_without_a_delete_token_the_length_is_found_among_candidates(tiny):
    backend = LocalBackend()
    backend.use(dataclasses.replace(tiny, delete=None))
    selected = len(tiny.tokenizer.encode(LINE).ids)
    lengths = set()
    for seed in range(6):
        fill = at_line(LINE, selected=LINE, options=Options(seed=seed, max_steps=6, alternatives=3))
        _, done = answered(backend, fill)
        lengths.add(done.tokens)
        assert len(done.alternatives) == 3
    assert lengths <= {round(selected * scale) for scale in SCALES}


# Long stretches


def test_a_long_stretch_is_written_canvas_after_canvas(any_backend):
    fill = at_line(LINE, options=Options(seed=1, length=600, max_steps=3))
    progress, done = answered(any_backend, fill)
    drafts = [event for event in progress if isinstance(event, Draft)]
    assert drafts[0].max_steps == 9
    assert [draft.step for draft in drafts] == list(range(1, len(drafts) + 1))
    assert drafts[-1].text == done.text
    texts = [draft.text for draft in drafts]
    if len(texts) == 9:  # unless the text ended early
        assert texts[5].startswith(texts[2][:100]), "a finished canvas stays"


def test_a_long_selection_can_be_changed_a_little(any_backend):
    text = "".join(TEXT.splitlines(keepends=True)[100:140])
    before, after = TEXT.split(text)
    _, done = answered(any_backend, Fill(before, after, text, options=Options(seed=1, strength=0.05, max_steps=4)))
    assert 0.6 < difflib.SequenceMatcher(None, text, done.text, autojunk=False).ratio() < 1


# Text


def test_no_special_token_is_ever_text(tiny, random_backend):
    special = [token.content for token in tiny.tokenizer.get_added_tokens_decoder().values()]
    for seed in range(6):
        progress, done = answered(random_backend, Fill("a", "b", options=Options(seed=seed, length=200, max_steps=2)))
        texts = [event.text for event in progress if isinstance(event, Draft)] + [done.text]
        assert not [token for token in special for text in texts if token in text]
        assert "\ufffd" not in done.text


@pytest.mark.parametrize("part", range(4))
def test_real_fills_have_good_manners(backend, part):
    """Lines of real code and prose, filled by the shipped checkpoint."""
    files = [
        REAL_FILE,
        REAL_FILE.with_name("string.py"),
        SHIPPED.parents[1] / "README.md",
        SHIPPED.parents[1] / "LICENSE",
    ]
    rng = random.Random(0)
    for seed in range(24):
        text = files[seed % len(files)].read_text("utf-8")
        line = rng.choice(list(re.finditer(r"^[ \t]*(\S.*\S)$", text, re.MULTILINE)))
        start, end = line.span(seed % 2)
        if seed % len(files) != part:
            continue
        fill = Fill(text[:start], text[end:], text[start:end] * (seed % 3 == 0), options=Options(seed=seed))
        _, done = answered(backend, fill)
        assert done.text == mend(done.text, fill.before, fill.selected, fill.after)
        assert not re.search(r"[ \t]$|\r|\t", done.text, re.MULTILINE)
        lines = [written.strip() for written in done.text.split("\n") if sum(map(str.isalnum, written)) > 2]
        below = fill.after.lstrip("\n").partition("\n")[0].strip()
        assert not lines or lines[-1] != below or lines[-1] == fill.selected.strip()


@pytest.mark.parametrize(("before", "after"), [("", ""), ("", "\nx = 1\n"), ("x = 1\n", ""), ("x = ", ""), (" ", " ")])
def test_holes_at_the_start_and_the_end_of_a_file(any_backend, before, after):
    fill = Fill(before, after, options=Options(seed=1, max_steps=5))
    _, done = answered(any_backend, fill)
    assert fill.filled(done.holes).startswith(before)
    assert fill.filled(done.holes).endswith(after)


def test_characters_of_several_tokens_around_a_hole_stay_whole(any_backend):
    before, after = "na\u0308ive 👩‍👩‍👧 日", "\u0301 本語 😀 e"
    fill = Fill(before, after, "xyz", options=Options(seed=1))
    _, done = answered(any_backend, fill)
    assert fill.filled(done.holes) == before + done.text + after


# Reading


def test_reading_is_told_and_warming_spares_it(tiny):
    backend = LocalBackend()
    backend.use(tiny)
    fill = Fill(TEXT, "\n", options=Options(seed=1, length=4, max_steps=2))
    told = list(backend.warm(fill))
    assert len(told) > 10
    assert all(isinstance(event, Reading) for event in told)
    assert [event.done for event in told] == sorted(event.done for event in told)
    progress, _ = answered(backend, fill)
    assert not any(isinstance(event, Reading) for event in progress)


def test_typing_before_a_hole_in_a_file_longer_than_the_prefix_keeps_most_of_the_cache(tiny):
    """The prefix begins at a line chosen by what it says, so it begins there again after an edit."""
    text = "".join(f"{line}\n" for number in range(3) for line in TEXT.replace("self", f"self{number}").splitlines())
    backend = LocalBackend()
    backend.use(tiny)
    costs = []
    for place in (0, 30, 31, 60, 100):
        costs.append(len(list(backend.warm(Fill(text[: len(text) - 2000 + place], "")))))
    assert costs[0] > 20
    assert max(costs[1:]) <= 2
