"""What a draft changes: found word by word, taken over in parts, never anything else than the one or the other."""

from hypothesis import given
from hypothesis import strategies as st

from palimpsest.app.hunks import Hunk, hunks, next_word, with_hunks, word_at

TEXTS = st.text(alphabet="ab .\n(é", max_size=24)


def test_only_what_differs_is_a_hunk():
    old, new = "the quick brown fox\nsaid no", "The quick red big fox\nsaid: yes no"
    found = [(old[slice(*hunk.old)], new[slice(*hunk.new)]) for hunk in hunks(old, new)]
    assert found == [("the", "The"), ("brown", "red big"), ("", ": yes")]


def test_blanks_between_changes_join_them_but_lines_part_them():
    assert hunks("a b\nc d", "x y\nz d") == [Hunk((0, 3), (0, 3)), Hunk((4, 5), (4, 5))]


def test_word_after_word_is_taken_over():
    old, new = "one two\nthree", "one 2 and more\nthree"
    seen = []
    while old != new:
        old = next_word(old, new, hunks(old, new)[0])
        seen.append(old)
    assert seen == ["one 2\nthree", "one 2 and\nthree", "one 2 and more\nthree"]


def test_the_word_at_a_character():
    text = "two words"
    assert [text[slice(*word_at(text, index))] for index in (0, 3, 4, 8)] == ["two", " ", "words", "words"]
    assert word_at(text, 9) == (9, 9)


@given(TEXTS, TEXTS)
def test_all_hunks_together_make_the_one_of_the_other(old, new):
    assert with_hunks(old, new, hunks(old, new)) == new
    assert with_hunks(old, new, []) == old


@given(TEXTS, TEXTS)
def test_words_lead_to_the_draft_and_come_to_an_end(old, new):
    most = len(old) + len(new) + 1
    while old != new and most:
        old, most = next_word(old, new, hunks(old, new)[0]), most - 1
    assert old == new
