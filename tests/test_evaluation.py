"""The corpus, the held-out holes, what their answers are measured by, and the rivals."""

import json
import lzma
import zipfile

import numpy as np
import pytest

from conftest import REAL_FILE
from palimpsest.engine.syntax import parses
from palimpsest.engine.training import sources
from palimpsest.engine.training.cases import CLASSES, CODE, PROSE, Case, cases
from palimpsest.engine.training.corpus import Unseen, documents, encode, whole_documents
from palimpsest.engine.training.evaluate import measure, similarity, table, words_mended
from palimpsest.engine.training.rivals import BothSides, Grams, LeftToRight, MostFrequent
from palimpsest.engine.training.tokenizer import train_tokenizer
from palimpsest.engine.weights import SHIPPED

LIBRARY = REAL_FILE.parent


@pytest.fixture(scope="module")
def held_out(tmp_path_factory):
    """A code and a prose file as the recipe writes them: some modules, and what their docstrings say."""
    folder = tmp_path_factory.mktemp("text")
    texts = [file.read_text() for file in sorted(LIBRARY.glob("s*.py"))]
    said = [string for text in texts for string in sources.docstrings(text)]
    code, prose = folder / "code.txt", folder / "prose.txt.xz"
    code.write_text("".join(f"<|file|>x.py\n{text}" for text in texts))
    prose.write_bytes(lzma.compress("".join(f"<|file|>x\n{text * 3}\n" for text in said).encode()))
    return code, prose


@pytest.fixture(scope="module")
def wanted(held_out):
    return list(cases(*held_out, count=4))


def test_documents_come_whole_or_in_parts(held_out):
    code, _ = held_out
    texts = list(whole_documents(code))
    assert texts == [file.read_text() for file in sorted(LIBRARY.glob("s*.py"))]
    parts = list(documents(code))
    assert max(map(len, parts)) < 21_000
    assert sum(map(len, parts)) > 0.97 * sum(map(len, texts))
    assert sum(map(len, documents(code, 1 << 20))) <= 1 << 20


def test_every_class_has_its_holes(wanted):
    assert [case.kind for case in wanted] == [kind for kind in CLASSES for _ in range(4)]
    for case in wanted:
        if case.kind in CODE:
            assert parses(case.whole(case.truth))
        assert case.truth
        assert bool(case.selected) == bool(case.instruction) == case.kind.startswith("rewrite")
        assert case.selected != case.truth
        whole = case.fill(0, whole=True)
        assert whole.before + case.truth + whole.after == case.whole(case.truth)
    holes = {case.kind: case for case in wanted}
    assert holes["identifier"].truth.isidentifier()
    assert "\n" not in holes["line"].truth + holes["end_of_line"].truth
    assert 1 <= holes["lines"].truth.count("\n") <= 4
    assert holes["arguments"].before.endswith("(")
    assert holes["arguments"].after.startswith(")")
    assert holes["end_of_line"].after.startswith("\n")
    assert holes["sentence"].truth[-1] in ".!?"


def test_the_same_holes_every_time(held_out, wanted):
    assert list(cases(*held_out, count=4)) == wanted
    assert list(cases(*held_out, count=4, seed=1)) != wanted


def test_a_perfect_filler_is_perfect_and_a_silent_one_is_not(wanted):
    perfect = measure(wanted, lambda case: (case.truth, 3), len)
    silent = measure(wanted, lambda _: ("", 1), len)
    assert set(perfect) == set(CLASSES)
    for kind, row in perfect.items():
        assert row["n"] == 4
        assert row["exact"] == row["edit"] == row["length_within_1"] == row.get("parses", 1) == row.get("fixed", 1) == 1
        assert row.get("touched", 0) == 0
        assert row["mean_steps"] == 3
        assert silent[kind]["exact"] == silent[kind]["edit"] == 0
    assert silent["rewrite_typos"]["touched"] == 1
    text = table({**perfect, "baselines": {"silent": silent}})
    assert text.count("\n") == 2 + 2 * len(CLASSES)
    json.dumps(perfect)


@pytest.mark.parametrize(("one", "other", "like"), [("", "", 1), ("abc", "", 0), ("kitten", "sitting", 1 - 3 / 7)])
def test_similarity_is_levenshtein_s(one, other, like):
    assert similarity(one, other) == pytest.approx(like)


def test_mended_and_touched_words_are_told_apart():
    #                    damaged              truth               written
    assert words_mended("we wnet home now", "we went home now", "we went house now") == (1, 1, 3, 1)
    assert words_mended("we wnet home now", "we went home now", "we wnet home now") == (1, 0, 3, 0)


def test_the_most_frequent_text_depends_on_the_indentation(wanted):
    case = next(case for case in wanted if case.kind == "line")
    indentation = case.before[case.before.rfind("\n") + 1 :]
    text = f"x = 1\n{indentation}first_of_all\n{indentation}second_one\n{indentation}second_one\n"
    assert MostFrequent([text])(case) == "second_one"
    assert MostFrequent([])(case) == ""


def test_grams_count_and_back_off():
    grams = Grams(np.array([5, 6, 7, 5, 6, 7, 5, 6, 8], np.uint16), order=3)
    known, shares, penalty = grams.following([5, 6])
    assert dict(zip(known.tolist(), shares.tolist(), strict=True)) == pytest.approx({7: 2 / 3, 8: 1 / 3})
    assert penalty == 1
    known, _, penalty = grams.following([9, 7])
    assert known.tolist() == [5]
    assert penalty == pytest.approx(0.4)
    assert grams.score([5, 6], 7) > grams.score([5, 6], 8) > grams.score([5, 6], 5)


def test_a_5_gram_model_gives_back_what_it_knows_by_heart(mini):
    case = Case("phrase", "", "One two three four five six ", "seven eight", " nine ten eleven twelve.", "")
    tokens = encode(mini.tokenizer, [case.whole(case.truth)] * 3)
    assert BothSides(tokens, mini)(case) == case.truth


def test_left_to_right_stops_where_the_class_ends(wanted):
    rival = LeftToRight(SHIPPED, told=False)
    for case in wanted:
        if case.kind in ("line", "end_of_line"):
            assert "\n" not in rival(case)
        if case.kind == "word":
            assert len(rival(case).split()) <= 2


def test_what_shares_much_with_the_held_out_is_known(held_out):
    text = next(whole_documents(held_out[0]))
    unseen = Unseen([text])
    assert unseen.shares_much(text.replace("    ", "\t"))
    assert not unseen.shares_much(REAL_FILE.read_text())


def test_the_sources_are_pinned_and_their_licences_permissive():
    rows = sources.sources()
    assert len({row.package for row in rows}) == len(rows) > 300
    assert {row.split for row in rows} == {"train", "heldout"}
    for row in rows:
        assert row.version
        assert not any(word in row.licence.upper() for word in ("GPL", "MPL", "EPL", "NON-COMMERCIAL", "UNKNOWN"))
    assert [row.package for row in sources.sources(["toolz"])] == ["toolz"]
    told = (SHIPPED / "SOURCES.md").read_text()
    for row in rows:
        if row.registry == "pypi":
            assert f"| {row.package} | {row.version} | {row.licence} |" in told


def test_a_wheel_s_own_code_is_read_without_tests_licences_and_generated_files(tmp_path):
    body = "def add(a, b):\n    return a + b\n" * 20
    files = {
        "x/good.py": f"# Copyright 2020\n# All rights reserved.\n\n{body}",
        "x/tests/test_good.py": body,
        "x/_vendor/six.py": body,
        "x/model_pb2.py": body,
        "x/short.py": "x = 1\n",
        "x/table.py": "x = [" + "1234567890, " * 60 + "]\n",
        "x/digits.py": "x = 1234567890\n" * 60,
        "x/notes.txt": body,
    }
    with zipfile.ZipFile(tmp_path / "x.whl", "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    assert list(sources.python_files(tmp_path / "x.whl")) == [("x/good.py", body)]


def test_the_corpus_has_every_text_once_and_nothing_held_out(tmp_path):
    unseen = Unseen(["this line is long enough to be told from others\n" * 3])
    writer = sources.Writer(tmp_path / "code.txt.xz", unseen)
    for text in ("a = 1", "a  =  1", "b = 2", "this line is long enough to be told from others"):
        writer.write("x.py", text)
    writer.close()
    assert list(whole_documents(tmp_path / "code.txt.xz")) == ["a = 1\n", "b = 2\n"]


def test_a_tokenizer_gives_everything_back_and_cuts_where_holes_begin():
    text = "def _name(self, x2):\n        return self.__dict__['naïve 😀'] + 12\n\t\u2028e\u0301\x00"
    tokenizer = train_tokenizer([REAL_FILE.read_text()], 600)
    ids = tokenizer.encode(text).ids
    assert tokenizer.decode(ids) == text
    pieces = [tokenizer.decode([index]) for index in ids]
    assert "        " in pieces
    for _, places in (CODE | PROSE).items():
        for start, _ in places(text[:22]):
            assert text[:start].rstrip(" ") == "".join(pieces)[:start].rstrip(" ")
    assert [piece for piece in pieces if piece.isdigit()] == ["2", "1", "2"] or "12" not in pieces
