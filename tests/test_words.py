"""Words around a hole compete where one word is wanted."""

import pytest

from conftest import REAL_FILE, answered
from palimpsest.engine import Fill, Options
from palimpsest.engine.words import MOST, Around, has_room, is_one

TEXT = REAL_FILE.read_text()


def without(name, line, **options):
    """The real file without that name in that line."""
    start = TEXT.index(line) + line.index(name)
    return Fill(TEXT[:start], TEXT[start + len(name) :], options=Options(seed=0, **options))


def test_the_nearest_come_first_and_each_once():
    fill = Fill("def area(width, height):\n    return width * ", "\n\nprint(area(3, 4))\n")
    assert Around(fill).words == ["width", "return", "print", "area", "height", "def"]


def test_what_is_behind_the_hole_is_not_taken_for_what_is_before_it():
    text = "near middle far"
    assert Around(Fill(text, text)).words == ["near", "far", "middle"]


def test_what_stands_between_the_same_is_likelier():
    fill = Fill("self.width = 1\nself.height = 2\nprint(width + 1, self.", " + 1)\n")
    known = Around(fill).known
    assert known("width") > known("height") > known("print") > 0


def test_the_more_agrees_the_likelier_a_word_is():
    known = Around(Fill("a.b.near = 1\nb.nigh = 2\nfar = 3\nx = a.b.", "\n")).known
    assert known("near") > known("nigh") > known("far")


def test_what_follows_tells_as_what_comes_before():
    around = Around(Fill("old(one, two)\nnew.one()\n", "(one, two)\n"))
    assert max(around.words, key=around.known) == "old"


def test_of_a_longer_text_its_beginning_is_known():
    known = Around(Fill("self.width = 1\nself.height = 2\nprint(width + 1, self.", " + 1)\n")).known
    assert known("width") > known("width + 2") > known("depth + 2") == 0
    assert known("width + 2") == known("width.real")


def test_nothing_is_known_where_nothing_stands():
    around = Around(Fill("", ""))
    assert around.words == []
    assert around.known("word") == around.known("two words") == around.known("") == 0


def test_of_a_long_text_only_what_is_near_is_looked_at():
    text = " ".join(f"w{number}" for number in range(100_000))
    words = Around(Fill(text + " ", " " + text)).words
    assert len(words) == MOST
    assert words[:4] == ["w99999", "w0", "w99998", "w1"]


@pytest.mark.parametrize(
    ("before", "after", "room"),
    [("a = ", "\n", True), ("self.", "(x)", True), ("", "", True), ("na", "", False), ("a = ", "me", False)],
)
def test_no_word_reaches_into_the_hole(before, after, room):
    assert has_room(Fill(before, after)) == room


def test_what_one_word_is():
    assert all(map(is_one, ("width", "_x2", "größe", "x")))
    assert not any(map(is_one, ("", "2", "a.b", "two words", " width", "width\n", "def f")))


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("drop_whitespace", "self.drop_whitespace = drop_whitespace"),
        ("expand_tabs", "self.expand_tabs = expand_tabs"),
        ("width", "self.width = width"),
    ],
)
def test_a_name_is_one_that_there_is(backend, name, line):
    fill = without(name, line)
    _, done = answered(backend, fill)
    assert done.text in Around(fill).words
    assert 0 < min(done.holes[0].settled) <= 1


def test_alternatives_are_other_names(backend):
    fill = without("drop_whitespace", "self.drop_whitespace = drop_whitespace", alternatives=3)
    _, done = answered(backend, fill)
    assert sum(answer.text in Around(fill).words for answer in done.alternatives) >= 2


def test_a_word_that_is_to_be_avoided_does_not_compete(backend):
    name, line = "drop_whitespace", "self.drop_whitespace = drop_whitespace"
    _, done = answered(backend, without(name, line, without=(name,)))
    assert name not in done.text


@pytest.mark.parametrize(
    "asked", [{"options": Options(seed=0, length=3)}, {"selected": "area", "instruction": "Fix the spelling"}]
)
def test_no_word_competes_where_more_is_asked(backend, monkeypatch, asked):
    monkeypatch.setattr("palimpsest.engine.words.Around", lambda _: pytest.fail("words were looked for"))
    answered(backend, Fill("print(", ")\n", **asked))


def test_a_word_that_breaks_python_is_not_chosen(backend, monkeypatch):
    fill = without("drop_whitespace", "self.drop_whitespace = drop_whitespace")
    monkeypatch.setattr(Around, "known", lambda _, text: {"class": 1e4, "tabsize": 9e3}.get(text, 0))
    _, done = answered(backend, fill)
    assert done.text == "tabsize"
