"""Rows of tokens with holes in them, cut into canvases."""

from itertools import pairwise

import pytest

from palimpsest.engine.canvas import OPEN_LENGTHS, OUTSIDE, Row, cut, fitting, lay_out, offers

EOS = 1


def row(*parts):
    """Numbers are open tokens of the next hole, lists are pinned."""
    made, hole = Row(), 0
    for part in parts:
        if isinstance(part, int):
            made.open(part, hole)
            hole += 1
        else:
            made.pin(part)
    return made


def test_holes_stand_between_what_is_pinned():
    canvas = lay_out([row([5], 3, [6, 7], 2)], [8, 9], 256, EOS)
    ids, free, hole = canvas.ids[0].tolist(), canvas.free[0].tolist(), canvas.hole[0].tolist()
    assert len(ids) == 32
    assert free[:10] == [False, True, True, True, False, False, True, True, False, False]
    assert hole[:10] == [OUTSIDE, 0, 0, 0, OUTSIDE, OUTSIDE, 1, 1, OUTSIDE, OUTSIDE]
    assert [token for token, is_free in zip(ids, free, strict=True) if not is_free] == [5, 6, 7, 8, 9] + [EOS] * 22


def test_candidates_share_a_width_and_their_right_context():
    canvas = lay_out([row(2), row(6)], list(range(100, 200)), 256, EOS)
    assert canvas.ids.shape == (2, 32)
    assert canvas.ids[0, 2:].tolist() == list(range(100, 130))
    assert canvas.ids[1, 6:].tolist() == list(range(100, 126))


def test_what_goes_on_unknown_ends_with_the_row():
    canvas = lay_out([row(40)], None, 256, EOS)
    assert canvas.ids.shape == (1, 40)
    assert canvas.free.all()


@pytest.mark.parametrize("length", [1, 200, 247, 248, 249, 255, 256, 257, 500, 512, 1000])
@pytest.mark.parametrize("right", [0, 3, 100])
def test_a_long_row_is_cut_so_that_each_part_fits_and_the_last_sees_what_follows(length, right):
    whole = row([5], length - 1) if length > 1 else row(1)
    parts = cut(whole, right, 256)
    assert [index for part in parts for index in part.ids] == whole.ids
    assert [free for part in parts for free in part.free] == whole.free
    assert all(0 < len(part) <= 256 for part in parts)
    assert len(parts[-1]) <= 256 - min(right, 8)
    assert len(parts) <= length // 128 + 1


def test_a_selection_is_offered_half_as_much_again_and_a_caret_several_lengths():
    assert offers([40, 4], None, elastic=True) == [[60, 12]]
    assert offers([40, 0, 4], None, elastic=True) == [[60, length, 12] for length in OPEN_LENGTHS]
    assert offers([40, 0], 7, elastic=True) == [[7, 7]]


def test_without_a_delete_token_several_lengths_are_tried():
    candidates = offers([8, 0], None, elastic=False)
    assert [candidate[0] for candidate in candidates] == [4, 6, 8, 10, 12, 16]
    assert all(a < b for (_, a), (_, b) in pairwise(candidates))
    assert offers([1], None, elastic=False) == [[1], [2]]


def test_candidates_that_need_two_canvases_are_left_out():
    rows = [row(100), row(200), row(300)]
    assert fitting(rows, 100, 256) == rows[:2]
    assert fitting([row(300), row(400), row(500)], 100, 256) == [row(400)]
