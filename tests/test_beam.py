"""What the canvas says competes with what the encoder would write."""

import pytest
import torch

from conftest import REAL_FILE, answered, drained
from palimpsest.engine import Fill, Hole, Options
from palimpsest.engine.beam import MOST, WIDTH, search
from palimpsest.engine.model import load_model
from palimpsest.engine.ngrams import Ngrams
from palimpsest.engine.prompt import encode
from palimpsest.engine.ranking import sure
from palimpsest.engine.syntax import parses
from palimpsest.engine.writing import Writing

TEXT = REAL_FILE.read_text()
LINE = "self.expand_tabs = expand_tabs"
AFTER = "\nimport sys\nimport os\n\nvolume = area(width, height) * depth\n"


def without(text, **options):
    """The real file without that text."""
    before, _, after = TEXT.partition(text)
    return Fill(before, after, options=Options(seed=0, **options))


@pytest.fixture
def offered(monkeypatch):
    """Has the encoder write these texts."""

    def offer(*texts):
        monkeypatch.setattr(
            "palimpsest.engine.beam.search",
            lambda model, *_: [encode(model.tokenizer, text) for text in texts],
        )

    return offer


@pytest.mark.parametrize("before", ["import os\nimport ", "def area(width, height):\n    return width"])
def test_texts_are_as_likely_as_the_search_says(before):
    model = load_model(None)
    ids = [model.token("<bos>"), *encode(model.tokenizer, before)]
    prefix, _ = drained(model.shelf().read(ids))
    newline = encode(model.tokenizer, "\n")
    ngrams = Ngrams(ids, encode(model.tokenizer, AFTER))
    found = search(model, prefix, ids[-1], newline[0], ngrams)
    assert 1 < len(found) <= WIDTH
    assert len(set(map(tuple, found))) == len(found)
    assert all(newline[0] not in line and len(line) <= MOST for line in found)
    # Each as likely as the encoder reads it, the likeliest first, and none less likely than the greedy one.
    greedy = []
    while greedy[-1:] != newline:
        assert len(greedy) <= MOST
        depth = torch.arange(1 + len(greedy))
        tree, row = prefix.without_last(), torch.tensor([ids[-1], *greedy])
        following = model.following(tree, row, depth, depth <= depth[:, None])[-1:]
        greedy.append(int(ngrams.mixed(following, [row.tolist()]).argmax()))
    texts = [torch.tensor([ids[-1], *line, *newline]) for line in found] + [torch.tensor([ids[-1], *greedy])]
    *likely, of_greedy = model.likelihood(prefix, texts, [torch.ones(len(text)) for text in texts], ngrams).tolist()
    assert likely == sorted(likely, reverse=True)
    assert likely[0] >= of_greedy - 1e-3


def test_the_line_that_fits_what_follows_is_chosen(backend, offered):
    offered("return None", LINE, "import os")
    _, done = answered(backend, without(LINE))
    assert done.text == LINE
    assert 0 < min(done.holes[0].settled) <= 1


def test_a_line_that_breaks_python_is_not_chosen(backend, offered):
    broken = LINE + " ="
    offered(broken)
    _, done = answered(backend, without(LINE))
    assert done.text != broken
    assert parses(TEXT.replace(LINE, done.text, 1))


def test_lines_are_alternatives(backend, offered):
    offered(LINE, "self.width = width")
    _, done = answered(backend, without(LINE, alternatives=2))
    assert [one.text for one in done.alternatives] == ["self.width = width", LINE]


def test_a_line_with_a_word_that_is_to_be_avoided_does_not_compete(backend, offered):
    offered(LINE)
    _, done = answered(backend, without(LINE, without=("expand_tabs",)))
    assert "expand_tabs" not in done.text.split()


def test_what_is_to_be_avoided_makes_nothing_less_sure(backend, offered):
    fill, settled = without(LINE, without=("expand_tabs",)), []
    for texts in (["self.width = width"], ["self.width = width", LINE]):
        offered(*texts)
        _, done = answered(backend, fill)
        assert done.text == "self.width = width"
        settled.append(done.holes[0].settled)
    assert settled[0] == settled[1]


def test_what_ends_where_the_text_goes_on_competes_in_a_line_too(backend, offered):
    offered("text, width")
    _, done = answered(backend, without("text, width"))
    assert done.text == "text, width"


@pytest.mark.parametrize(
    "asked",
    [
        {"options": Options(seed=0, length=3)},
        {"selected": "wdith", "instruction": "Fix the spelling"},
        {"further": (Hole("\nprint("),)},
        {"after": "\n"},
    ],
    ids=["length", "instruction", "two holes", "nothing follows"],
)
def test_nothing_competes_where_more_is_asked_or_less_is_known(backend, monkeypatch, asked):
    monkeypatch.setattr("palimpsest.engine.beam.search", lambda *_: pytest.fail("the encoder was asked to write"))
    answered(backend, Fill(**{"before": "print(1)\n", "after": "\nprint(2)\n"} | asked))


def test_the_encoder_writes_once_however_often_the_canvas_begins_anew(backend, monkeypatch):
    asked = []
    monkeypatch.setattr("palimpsest.engine.beam.search", lambda *_: asked.append(_) or [])
    monkeypatch.setattr(Writing, "_fits", lambda *_: False)
    _, done = answered(backend, without(LINE, max_steps=20))
    assert done.steps == 20
    assert len(asked) == 1


def test_each_token_is_as_sure_as_those_that_say_the_same_before_it_make_it():
    texts, shares = [[1, 2, 3], [1, 2], [1, 4], [5]], [0.3, 0.1, 0.2, 0.4]
    assert sure([1, 2, 3], texts, shares) == pytest.approx([0.6, 2 / 3, 0.75])
    assert sure([5], texts, shares) == pytest.approx([0.4])


def test_what_a_line_is_unsure_of_is_a_part_of_it(backend, offered):
    offered(LINE, LINE.replace("= expand_tabs", "= False"))
    _, done = answered(backend, without(LINE))
    settled = done.holes[0].settled
    assert done.text == LINE
    assert settled[0] > 0.9
    assert min(settled) < settled[0]
