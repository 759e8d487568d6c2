"""Answers that leave a Python file Python."""

from dataclasses import replace

import pytest

from conftest import answered
from palimpsest.engine import Draft, Fill, Hole, Options
from palimpsest.engine.request import certain
from palimpsest.engine.syntax import parses, python
from palimpsest.engine.writing import LEAST_STEPS, Writing


def keeps(fill, *texts):
    """Of a file that begins as Python's do."""
    judge = python(replace(fill, before="import this\n" + fill.before))
    assert judge
    return judge(tuple(map(certain, texts)))


@pytest.mark.parametrize(
    ("before", "good", "bad", "after"),
    [
        ("x = ", "f(1)", "f(1", "\n"),
        ("def f():\n    ", "return 1", "return = 1", "\n\n\nf()\n"),
        ('def f():\n    """What it does.', '"""', "", "\n    return 1\n"),
        ("f(", "a, b", "a b", ")\n"),
        ("f(a", ", b)", "]", "\n"),
        ("if x:\n    ", "pass", "else:", "\n"),
        # What a block begins with, or lines in brackets.
        ("class A:\n    @property\n    ", "def f(self):", "return 1", "\n        return self\n"),
        ("class A:\n    def", " f(self):", " f(self", "\n        return self\n"),
        ("def f", "(a):", "(a)", "\n    return a\n"),
        ("for", " a in b:", " a:", "\n    print(a)\n"),
        ("", "try:", "else:", "\n    f()\nexcept OSError:\n    pass\n"),
        ("", "if a:", "a", "\n    f()\nelse:\n    g()\n"),
        ("f(\n    a", "=1,", "=1", "\n    b=2,\n)\n"),
        ("a = [\n    1,\n    2", "]", ")", "\n"),
        ("def f():\n    return [\n        a(b)\n        ", "for b in c\n    ]", "for b in c", "\n"),
        ("a = ", "[", "(", "\n    1,\n]\n"),
        ("try:\n    f()\n", "except A:", "except A", "\n    g()\n"),
        ("match a:\n    ", "case 1:", "case 1", "\n        f()\n"),
        ("def f(\n    a", "):", ")", "\n    return a\n"),
        ("a = {\n    ", "b: [", "b: (", "\n        1,\n    ],\n}\n"),
        ("class A:\n    ", "def f(", "f(", "\n        self,\n    ) -> None:\n        pass\n"),
        ("a = '''\nb", "'''", '"""', "\nc = 1\n"),
        # Of the rest of the file only a part is given: it begins and ends amid something else.
        ("t\n    return 2\n\n\ndef f():\n    x = ", "1", "1 +", "\n    return x\n\n\ndef g(\n"),
        (
            'a sentence.\n    """\n    a = 1\n    if a:\n        b = ',
            "a",
            "=",
            "\n        c = 2\n    d = (\n        1,",
        ),
        (
            "    # of a comment\n        first()\n\n    def g(self):\n        ",
            "second()",
            "(",
            "\n\n    def h(self):\n  ",
        ),
    ],
)
def test_what_is_python_and_what_is_not(before, good, bad, after):
    fill = Fill(before, after)
    assert keeps(fill, good)
    assert not keeps(fill, bad)


def test_all_holes_are_looked_at_together():
    fill = Fill("def ", "\n", "f", further=(Hole("(a):\n    return ", "a"),))
    assert keeps(fill, "g", "a + 1")
    assert not keeps(fill, "g", "a +")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("import this\nIt is not ", ", and never was Python.\n"),
        ("import this\nx = = 1\ny = ", "\n"),
        ("Notes\n\n", "\n"),
        ("name: a\nuses: ", "\n"),
        ('{"a": 1, "b": ', "}\n"),
        ("", "\n  return a + b\nend\n"),
        ("for", "\n    run\ndone\n"),
        ("(" * 5000 + "x = ", ")" * 5000),
        ("", "\0"),
    ],
)
def test_what_is_no_python_is_not_judged(before, after):
    assert python(Fill(before, after)) is None


@pytest.fixture
def alone(monkeypatch):
    """What the canvas says competes with nothing else."""
    monkeypatch.setattr(Writing, "_may_compete", False)


@pytest.mark.parametrize(
    ("before", "after"), [("def f(a):\n    ", "\n    return a\n"), ("import os\n", "\nimport sys\n")]
)
@pytest.mark.usefixtures("alone")
def test_an_answer_says_something_and_keeps_what_is_python(backend, monkeypatch, before, after):
    """Where one is found, by three of four seeds; without looking, fewer do."""
    fills = [Fill(before, after, options=Options(seed=seed)) for seed in (2, 3, 4, 7)]

    def fitting():
        texts = [answered(backend, fill)[1].text for fill in fills]
        return sum(bool(text.strip()) and parses(before + text + after) for text in texts)

    assert fitting() == len(fills)
    monkeypatch.setattr(Writing, "_fits", lambda *_: True)
    assert fitting() < len(fills)


@pytest.mark.usefixtures("alone")
def test_steps_that_are_left_are_spent_on_an_answer_that_fits(backend, monkeypatch):
    """The first answer that ends is said not to fit: another is written, with the steps that are left."""
    fill = Fill("def add(a, b):\n    return ", "\n", options=Options(seed=1))
    monkeypatch.setattr(Writing, "_fits", lambda *_: True)
    _, first = answered(backend, fill)
    refused = first.text
    monkeypatch.setattr(Writing, "_fits", lambda _, holes: holes[0].text != refused)
    events, second = answered(backend, fill)
    assert second.text != refused
    assert first.steps < second.steps <= 48
    drafts = [event for event in events if isinstance(event, Draft)]
    assert [draft.step for draft in drafts] == sorted(draft.step for draft in drafts)
    assert drafts[-1].step == second.steps
    assert drafts[-1].holes == second.holes


@pytest.mark.parametrize(("most", "taken"), [(1, 1), (5, 5), (None, LEAST_STEPS)])
def test_where_none_fits_the_first_stands(backend, monkeypatch, most, taken):
    fill = Fill("x = ", "\n", options=Options(seed=1, max_steps=most))
    monkeypatch.setattr(Writing, "_fits", lambda *_: True)
    _, first = answered(backend, fill)
    monkeypatch.setattr(Writing, "_fits", lambda *_: False)
    _, last = answered(backend, fill)
    assert last.text == first.text
    assert last.steps == taken
