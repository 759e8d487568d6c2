"""Held-out text -> holes of each class, the same ones for a text and a seed."""

import io
import keyword
import random
import re
import tokenize
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from palimpsest.engine import Fill, Options
from palimpsest.engine.syntax import parses
from palimpsest.engine.training.corpus import documents, whole_documents
from palimpsest.engine.training.rewriting import DAMAGES

BEFORE, AFTER = 1600, 800  # characters around a hole that are given
LEAST_BEFORE, LEAST_AFTER = 300, 100  # and that there must be


@dataclass(frozen=True)
class Case:
    """A hole whose true text is known. ``head`` and ``tail``: the file beyond ``before`` and ``after``."""

    kind: str
    head: str
    before: str
    truth: str
    after: str
    tail: str
    selected: str = ""
    instruction: str = ""

    def fill(self, seed: int, whole: bool = False) -> Fill:
        """The request as a user makes it, who says nothing about the length; a window tells the ``whole`` file."""
        before, after = (self.head + self.before, self.after + self.tail) if whole else (self.before, self.after)
        return Fill(before, after, self.selected, self.instruction, Options(seed=seed))

    def whole(self, text: str) -> str:
        """The file with ``text`` in the hole."""
        return self.head + self.before + text + self.after + self.tail


Span = tuple[int, int]


def _matches(pattern: str) -> Callable[[str], list[Span]]:
    """The first group of every match."""
    compiled = re.compile(pattern, re.MULTILINE)
    return lambda text: [found.span(1) for found in compiled.finditer(text)]


def _identifiers(text: str) -> list[Span]:
    """Names that are no keywords, outside comments and strings."""
    lines = [0, *(found.end() for found in re.finditer("\n", text))]
    return [
        (lines[token.start[0] - 1] + token.start[1], lines[token.end[0] - 1] + token.end[1])
        for token in tokenize.generate_tokens(io.StringIO(text).readline)
        if token.type == tokenize.NAME and len(token.string) > 2 and not keyword.iskeyword(token.string)
    ]


CODE: dict[str, Callable[[str], list[Span]]] = {
    "line": _matches(r"^[ \t]*(\S.{2,70}\S)$"),
    "end_of_line": _matches(r"^[ \t]*\S.*?(?<=[\w)\]}.,=(:])((?<!\w)\S.{1,50}|(?<=\w)\W.{1,50})$"),
    "lines": _matches(r"^[ \t]*(\S.*(?:\n[ \t]*\S.*){1,4})$"),
    "arguments": _matches(r"\w\(([^()\n]{3,60})\)"),
    "identifier": _identifiers,
}
PROSE: dict[str, Callable[[str], list[Span]]] = {
    "word": _matches(r"\b([A-Za-z]{3,})\b"),
    "phrase": _matches(r"(?<=[a-z] )([A-Za-z]+(?: [A-Za-z]+){1,4})\b"),
    "sentence": _matches(r"(?<=[.!?] )([A-Z][^.!?\n]{15,120}[.!?])(?=\s)"),
}
# Only what changes words is measured on prose; how code is tidied, on code.
REWRITING = {"typos": "prose", "capitals": "prose", "punctuation": "prose", "format": "code", "annotations": "code"}
CLASSES = (*CODE, *PROSE, *(f"rewrite_{name}" for name in REWRITING))


def cases(code: Path, prose: Path, count: int, seed: int = 0) -> Iterator[Case]:
    """``count`` cases of every class, each of another text as long as there are enough."""
    files = {
        "code": [text for text in whole_documents(code) if parses(text)],
        "prose": list(documents(prose)),
    }
    for kind in CLASSES:
        rng = random.Random(f"{seed} {kind}")
        name = kind.removeprefix("rewrite_")
        source = files["code" if kind in CODE or REWRITING.get(name) == "code" else "prose"]
        found = 0
        while found < count:
            for text in rng.sample(source, len(source)):
                case = _rewrite(text, kind, name, rng) if name in REWRITING else _case(text, kind, rng)
                if case and found < count:
                    found += 1
                    yield case


def _case(text: str, kind: str, rng: random.Random) -> Case | None:
    spans = [span for span in (CODE | PROSE)[kind](text) if _inside(span, text)]
    return _cut(text, kind, rng.choice(spans)) if spans else None


def _rewrite(text: str, kind: str, name: str, rng: random.Random) -> Case | None:
    """A passage of one to a few lines or a sentence, damaged."""
    instructions, how = DAMAGES[name]
    pattern = PROSE["sentence"] if REWRITING[name] == "prose" else CODE["line"]
    spans = [span for span in pattern(text) if _inside(span, text)]
    for start, end in rng.sample(spans, min(20, len(spans))):
        damaged = how(np.random.default_rng(rng.randrange(1 << 30)), text[start:end])
        if damaged != text[start:end]:
            return _cut(text, kind, (start, end), damaged, instructions[0])
    return None


def _inside(span: Span, text: str) -> bool:
    return span[0] > LEAST_BEFORE and span[1] < len(text) - LEAST_AFTER


def _cut(text: str, kind: str, span: Span, selected: str = "", instruction: str = "") -> Case:
    start, end = span
    first, last = max(0, start - BEFORE), end + AFTER
    parts = (text[:first], text[first:start], text[start:end], text[end:last], text[last:])
    return Case(kind, *parts, selected, instruction)
