"""What stands behind the same tokens elsewhere in the text is likelier to follow."""

import pytest
import torch

from conftest import REAL_FILE, answered, drained
from palimpsest.engine import Fill, Options
from palimpsest.engine.ngrams import NOTHING, ORDER, SHARE, Ngrams

VOCABULARY = 20
EVEN = torch.full((1, VOCABULARY), 1 / VOCABULARY).log()


def told(before, after, text=()):
    """The probability of every token behind ``before`` and the ``text`` in the hole, of a model that knows nothing."""
    mixed = Ngrams(before, after).mixed(EVEN, [[before[-1], *text]])[0].exp()
    assert mixed.sum() == pytest.approx(1)
    return mixed


def test_what_stands_behind_the_same_token_has_its_share():
    mixed = told([1, 5, 1, 6, 1, 6, 2, 1], [3])
    assert mixed[5] == pytest.approx((1 - SHARE) / VOCABULARY + SHARE / 3)
    assert mixed[6] == pytest.approx((1 - SHARE) / VOCABULARY + SHARE * 2 / 3)
    assert mixed[7] == pytest.approx((1 - SHARE) / VOCABULARY)


def test_the_more_agrees_the_likelier():
    mixed = told([3, 2, 1, 7, 4, 2, 1, 8, 9, 1, 10, 3, 2, 1], [3])
    assert mixed[7] > mixed[8] > mixed[10] > mixed[11]


def test_what_is_written_in_the_hole_counts_too():
    before, after = [4, 5, 6, 7, 4], [9]
    assert told(before, after).argmax() == 5
    assert told(before, after, [5]).argmax() == 6
    assert told(before, after, [5, 9]).argmax() != 6


def test_what_is_behind_the_hole_tells_as_what_is_before():
    assert told([1, 2], [8, 1, 2, 9]).argmax() == 9
    assert told([1, 2, 9, 1, 2], [8]).argmax() == 9


def test_what_is_behind_the_hole_is_not_taken_for_what_follows_what_is_before():
    assert told([1, 2], [9]).tolist() == pytest.approx(EVEN[0].exp().tolist())
    assert told([1, 2, 3], [9, 1]).tolist() == pytest.approx(EVEN[0].exp().tolist())


def test_more_tokens_than_are_compared_tell_nothing():
    same = list(range(1, ORDER + 1))
    mixed = told([*same, 18, 17, *same, 19, 17, *same], [16])
    assert mixed[18] == mixed[19]
    assert told([0, *same, 18, *same], [16])[18] == pytest.approx(1 - (1 - SHARE) ** ORDER * (1 - 1 / VOCABULARY))


def test_nothing_comes_of_nothing():
    assert NOTHING not in range(VOCABULARY)
    assert told([1], []).tolist() == pytest.approx(EVEN[0].exp().tolist())


def test_each_text_has_what_follows_it():
    ngrams = Ngrams([1, 5, 2, 6, 3, 1], [9])
    rows = ngrams.mixed(EVEN.repeat(3, 1), [[1], [1, 2], [1, 4]])
    assert rows[:2].argmax(1).tolist() == [5, 6]
    assert rows[2].tolist() == pytest.approx(EVEN[0].tolist())


def test_the_likelihood_is_mixed_token_by_token(tiny):
    before = [2, 7, 300, 8, 7]
    prefix, _ = drained(tiny.shelf().read(before))
    ngrams, texts = Ngrams(before, [9, 301]), [[7, 300, 8], [7, 300, 9]]
    expected = []
    for text in texts:
        depth = torch.arange(2)
        rows = tiny.following(prefix.without_last(), torch.tensor(text[:2]), depth, depth <= depth[:, None])
        mixed = ngrams.mixed(rows, [text[:1], text[:2]])
        expected.append(mixed[0, text[1]] + mixed[1, text[2]])
    weights = [torch.ones(3)] * 2
    likely = tiny.likelihood(prefix, [torch.tensor(text) for text in texts], weights, ngrams)
    torch.testing.assert_close(likely, torch.stack(expected), rtol=1e-3, atol=1e-3)
    assert likely[0] > tiny.likelihood(prefix, [torch.tensor(text) for text in texts], weights)[0]


def test_what_stands_far_away_is_written_again(backend):
    """Farther than most layers see."""
    before = "with reticulated(splines, budget=40) as handle:\n    handle.go()\n\n\n" + REAL_FILE.read_text()[3000:6000]
    _, done = answered(
        backend, Fill(before + "\n\n\nwith reticulated(", "\n    handle.stop()\n", options=Options(seed=0))
    )
    assert done.text == "splines, budget=40) as handle:"
