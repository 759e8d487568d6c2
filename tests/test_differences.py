"""One text becomes another by edits of whole lines."""

from hypothesis import given
from hypothesis import strategies as st

from palimpsest.app import differences
from palimpsest.app.differences import edits, unified
from palimpsest.app.utf16 import cut

text = st.lists(st.sampled_from(["a", "b", "😀", "", "\x0b", "long line"]), max_size=12).map("\n".join)


def edited(old, new):
    for start, end, put in edits(old, new):
        old = cut(old, 0, start) + put + cut(old, end, None)
    return old


@given(text, text)
def test_the_edits_make_the_other_text(old, new):
    assert edited(old, new) == new


def test_lines_between_are_left_alone():
    assert list(edits("1\n2\n3\n4\n", "1\nzwei\n3\n")) == [(6, 8, ""), (2, 4, "zwei\n")]


def test_very_different_long_texts_are_replaced_whole(monkeypatch):
    monkeypatch.setattr(differences, "MOST", 2)
    assert list(edits("a\n1\n2\n3\nz\n", "a\n4\n2\n5\nz\n")) == [(2, 8, "4\n2\n5\n")]


def test_unified():
    assert unified("a\nb", "a\nc", "old", "new").split("\n") == [
        "--- old",
        "+++ new",
        "@@ -1,2 +1,2 @@",
        " a",
        "-b",
        "+c",
    ]
