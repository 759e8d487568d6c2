"""What is found in the files of a folder, and which of them are not searched."""

import pytest

from palimpsest.app import grep, search
from palimpsest.app.grep import Hit, Searched
from palimpsest.app.search import Query, SearchError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a.txt").write_text("one two\n\ttwo 😀 two\r\n", "utf-8", newline="")
    (tmp_path / "latin").write_bytes("Zwölf Männer üben größere Späße für zwei\n".encode("latin-1"))
    (tmp_path / "binary").write_bytes(b"\0\xfftwo")
    (tmp_path / ".gitignore").write_text("ignored\n")
    (tmp_path / "ignored").write_text("two")
    return tmp_path


def found(query, folder, unsaved=None):
    return {one.name: one.skipped or one.hits for one in grep.grep(query, folder, unsaved or {})}


def test_places_are_told_by_line_and_column(folder):
    assert found(Query("two"), folder) == {
        ".gitignore": [],
        "a.txt": [
            Hit(1, 5, "two", "one two"),
            Hit(2, 2, "two", "\ttwo 😀 two␍"),
            Hit(2, 8, "two", "\ttwo 😀 two␍"),
        ],
        "binary": "no text",
        "latin": [],
    }
    assert found(Query("Späße"), folder)["latin"] == [Hit(1, 27, "Späße", "Zwölf Männer üben größere Späße für zwei")]
    assert found(Query(r"two\n\t", expression=True), folder)["a.txt"] == [Hit(1, 5, "two\n\t", "one two")]


def test_unsaved_text_is_searched_in_place_of_the_file(folder):
    told = list(grep.grep(Query("new"), folder, {"a.txt": "all new", "not_yet": "new too"}))
    assert told[:2] == [
        Searched("a.txt", [Hit(1, 5, "new", "all new")]),
        Searched("not_yet", [Hit(1, 1, "new", "new too")]),
    ]
    assert [one.name for one in told].count("a.txt") == 1


def test_big_files_are_skipped(folder, monkeypatch):
    monkeypatch.setattr(grep, "BIG", 1)
    (folder / "a.txt").write_text("two" * (1 << 20))
    assert found(Query("two"), folder)["a.txt"] == "over 1 MB"


def test_a_pattern_that_never_ends_in_one_file_goes_on_to_the_next(folder, monkeypatch):
    monkeypatch.setattr(search, "PATIENCE", 0.05)
    (folder / "a.txt").write_text("a" * 60 + "b")
    (folder / "b.txt").write_text("aa")
    told = found(Query(r"(a|aa|a*)+$", expression=True), folder)
    assert told["a.txt"] == "take too long"
    assert told["b.txt"] == [Hit(1, 1, "aa", "aa")]


def test_what_cannot_be_used_at_all_is_told(folder):
    with pytest.raises(SearchError, match="no regular expression"):
        found(Query("(", expression=True), folder)
