"""What is found where, and what replaces it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from palimpsest.app import search
from palimpsest.app.search import Query, SearchError
from palimpsest.app.utf16 import cut


def found(query, text):
    return [(one.start, one.end) for one in query.find(text)]


def test_text_is_text_and_expressions_are_expressions():
    assert found(Query("a.c"), "abc a.c A.C") == [(4, 7), (8, 11)]
    assert found(Query("a.c", case=True), "abc a.c A.C") == [(4, 7)]
    assert found(Query("a.c", expression=True), "abc a.c") == [(0, 3), (4, 7)]
    assert found(Query("in", word=True), "in line in_ in") == [(0, 2), (12, 14)]
    assert found(Query("^b$", expression=True), "a\nb\nbb") == [(2, 3)]
    assert found(Query("x*", expression=True), "axx") == [(1, 3)]
    assert found(Query(""), "anything") == []


def test_groups_are_put_back():
    (one,) = Query(r"(\w+)=(\w+)", r"\2 is \1", expression=True).find("key=value")
    assert one.instead == "value is key"
    (one,) = Query("a=b", r"\1").find("a=b")
    assert one.instead == r"\1"


@given(st.text(alphabet="ab😀\n", max_size=20), st.sampled_from(["a", "b", "😀", "a😀"]))
def test_places_are_as_qt_counts(text, wanted):
    places = Query(wanted).find(text)
    assert len(places) == text.count(wanted)
    assert all(cut(text, one.start, one.end) == wanted == one.text for one in places)


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        (Query("(", expression=True), "no regular expression"),
        (Query("(a)", r"\2", expression=True), "replacement cannot be used"),
    ],
)
def test_what_cannot_be_used_is_told(query, sentence):
    with pytest.raises(SearchError, match=sentence):
        query.find("a(")


def test_a_pattern_that_never_ends_ends(monkeypatch):
    monkeypatch.setattr(search, "PATIENCE", 0.05)
    with pytest.raises(SearchError, match="takes too long"):
        Query(r"(a|aa|a*)+$", expression=True).find("a" * 60 + "b")


def test_no_more_than_so_many_are_told(monkeypatch):
    monkeypatch.setattr(search, "MOST", 3)
    assert len(Query("a").find("a" * 10)) == 3
