"""Good manners at the edges of a hole, on real code and prose."""

import random
import re
import textwrap
from pathlib import Path

import pytest

from palimpsest.engine.manners import carry, mend, unmatched

LIBRARY = Path(textwrap.__file__).parent
CODE = [LIBRARY / name for name in ("textwrap.py", "string.py", "random.py", "asyncio/tasks.py", "asyncio/streams.py")]
PROSE = [Path(__file__).parents[1] / name for name in ("README.md", "LICENSE", "CHANGELOG.md")]


def real_holes(kind, count, seed=0):
    """Holes of real files: before, text, after."""
    rng = random.Random(seed)
    for _ in range(count):
        text = rng.choice(CODE + PROSE).read_text("utf-8")
        if kind == "lines":
            starts = [found.start() for found in re.finditer(r"^", text, re.MULTILINE)]
            start = rng.choice(starts[:-3])
            end = text.find("\n", start + rng.randrange(150))
            end = len(text) if end < 0 else end
        elif kind == "line":
            found = rng.choice(list(re.finditer(r"^[ \t]*(\S.*\S)$", text, re.MULTILINE)))
            start, end = found.span(1)
        elif kind == "end of line":
            found = rng.choice(list(re.finditer(r"\S+$", text, re.MULTILINE)))
            start, end = found.span()
        else:
            found = rng.choice(list(re.finditer(r"\w+", text)))
            start, end = found.span()
        yield text[:start], text[start:end], text[end:]


@pytest.mark.parametrize("kind", ["lines", "line", "end of line", "word"])
def test_what_is_right_is_left_alone(kind):
    for before, text, after in real_holes(kind, 150):
        assert mend(text, before, text, after) == text


def test_what_is_right_is_nearly_always_left_alone_where_nothing_was_selected():
    changed = [hole for hole in real_holes("line", 300) if mend(hole[1], hole[0], "", hole[2]) != hole[1]]
    assert len(changed) <= 3


def words_in(line):
    return sum(map(str.isalnum, line)) >= 3


def test_the_rest_of_the_line_is_not_said_again():
    seen = 0
    for before, text, after in real_holes("word", 200):
        rest = after.partition("\n")[0]
        if words_in(rest):
            seen += 1
            assert mend(text + rest, before, text, after) == text
    assert seen > 50


def test_neither_the_line_before_nor_the_line_after_is_said_again():
    seen = 0
    for before, text, after in real_holes("line", 300):
        above = before.rpartition("\n")[0].rstrip().rpartition("\n")[2].strip()
        below = after.partition("\n")[2].lstrip("\n").partition("\n")[0].strip()
        if words_in(above) and words_in(below) and len({above, below, text.strip()}) == 3:
            seen += 1
            indent = before.rpartition("\n")[2]
            assert mend(f"{above}\n{indent}{text}", before, text, after).strip() == text
            assert mend(f"{text}\n{indent}{below}", before, text, after).strip() == text
    assert seen > 80


def test_lines_that_say_nothing_may_stand_twice():
    before, after = "f(\n    [\n        (1),\n", "\n        ),\n"
    assert mend("        (2),\n        ),", before, "", after).endswith("),")
    assert mend("", "x\n", "", "\ny") == ""


def test_lines_end_without_blanks():
    for before, text, after in real_holes("lines", 100):
        blotted = re.sub(r"(?=\n)", "  \t", text) + " \t"
        assert mend(blotted, before, text, after) == text
    assert mend("one ", "", "", " two") == "one ", "a blank in the middle of a line is a blank between words"


@pytest.mark.parametrize(
    ("text", "before", "selected", "after", "mended"),
    [
        ("a, b))", "x = f(", "a", ")\n", "a, b"),  # the rest of the line, and a closer too many
        ("foo(a, b", "x = ", "", "\n", "foo(a, b)"),
        ("foo([a, {b", "x = ", "", "\n", "foo([a, {b}])"),
        ("a)", "(", "", ")", "a"),
        ("x[0]), y", "f(", "x), g(y", ")", "x[0]), y"),  # unlike the selected text: no telling where
        ("b), h(z", "f(a", ", c), g(d", ")", "b), h(z"),
        ("foo(", "def g():\n    ", "", "\n        a, b)\n", "foo("),  # the lines around close it
        (") fine", "He said ", "", " and left.", " fine"),
        (":) fine", "He said ", "", " and left.", ":) fine"),
        ('print("(")', "x = 1\n", "", "\n", 'print("(")'),
        ("if c == ')':", "x = 1\n", "", "\n    pass\n", "if c == ')':"),
        ("1) first\n2) second", "", "", "", "1) first\n2) second"),
        ("a)", "x = [\n" + "    g(1),\n" * 800 + "    g(", "2", "),\n]\n", "a"),
        ("1) two", "Points 1) one ", "", " 3) three", "1) two"),  # they do not pair here at all
    ],
)
def test_brackets_open_and_close_as_around_them(text, before, selected, after, mended):
    assert mend(text, before, selected, after) == mended


def test_brackets_of_real_lines_are_closed_again():
    """Cut real, balanced lines after an opening bracket, or add a closer: the result is balanced."""
    seen = 0
    for before, text, after in real_holes("line", 400):
        if unmatched(text) == ("", "") and "(" in text and mend(text + ")", before, text, after) == text:
            seen += 1
            for broken in (text[: text.index("(") + 1] + "a", text + ")", text + "]}"):
                assert unmatched(mend(broken, before, text, after)) == ("", "")
    assert seen > 50


@pytest.mark.parametrize(
    ("text", "before", "after", "mended"),
    [
        # The file's tabs, the file's blanks, and a mixture that is left alone.
        ("if a:\n        b()\n    c()", "def f():\n\tx()\n\t", "\n", "if a:\n\t\tb()\n\tc()"),
        ("if a:\n\t\tb()", "def f():\n  x()\n  ", "\n", "if a:\n    b()"),
        ("if a:\n\tb()", "def f():\n  x()\n\ty()\n  ", "\n", "if a:\n\tb()"),
        # The line is indented already.
        ("    return x", "def f():\n    ", "\n", "return x"),
        ("    return x", "def f():\n", "\n", "    return x"),
    ],
)
def test_indentation_is_the_file_s(text, before, after, mended):
    assert mend(text, before, "", after) == mended


def test_indentation_that_was_selected_is_written_too():
    assert mend("    return y", "def f():\n    ", "    return x", "\n") == "    return y"


def test_how_an_editor_shows_line_ends_of_another_kind_is_not_written_there():
    assert mend("2\u240a\n3 \u240d", "x = ", "", "\ny = 2\u240a\nz = 3\n") == "2\n3"
    assert mend("(\u240d \u240a", "pictures ", "", " \u2400)\n") == "(\u240d \u240a"
    assert mend("2\u240a", "x = ", "2\u240a", "\n") == "2\u240a"


def test_half_characters_are_left_out():
    assert mend("\ufffdna\u0308ive \U0001f600\ufffd", "a", "", "b") == "na\u0308ive \U0001f600"


def test_at_the_edges_of_a_file_nothing_breaks():
    for text in ("", "\n", " ", ")", "x\n", "\n\n", "\t"):
        for selected in ("", "x"):
            mended = mend(text, "", selected, "")
            assert mended.rstrip(" \t") == mended


def test_what_was_kept_is_as_settled_as_before_and_what_was_added_is_certain():
    settled = carry((0.1, 0.2, 0.3, 0.4, 0.5), "f(a  ", "f(a)")
    assert settled == (0.1, 0.2, 0.3, 1.0)
    assert carry((0.5,), "a", "a") == (0.5,)
    lines = [f"line {number} of text  \n" for number in range(300)]
    settled = tuple(number / 300 for number, line in enumerate(lines) for _ in line)
    mended = "".join(line.rstrip() + "\n" for line in lines)
    assert carry(settled, "".join(lines), mended) == tuple(
        number / 300 for number, line in enumerate(lines) for _ in line.rstrip() + "\n"
    )
