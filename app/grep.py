"""What is looked for in a text, in all files of a folder."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path

from palimpsest.app import document
from palimpsest.app.document import DocumentError
from palimpsest.app.folder import walk
from palimpsest.app.search import Query, SearchError
from palimpsest.app.utf16 import cut, units
from palimpsest.engine.language import tr

BIG = 10  # MB: a larger file was hardly written by hand


@dataclass(frozen=True)
class Hit:
    """A place in a file, line and column from 1, what was found there, and the whole line."""

    line: int
    column: int
    text: str
    within: str


@dataclass(frozen=True)
class Searched:
    """A file, by its name in the folder, with what was found in it, or why it was not searched."""

    name: str
    hits: list[Hit] = field(default_factory=list)
    skipped: str = ""


def grep(query: Query, root: Path, unsaved: Mapping[str, str]) -> Iterator[Searched]:
    """Search the ``unsaved`` texts, each in place of the file of that name, then the other files of the folder.
    Raises SearchError where the query cannot be used at all."""
    query.find("")
    for name, text in unsaved.items():
        yield _search(query, name, text)
    for name in walk(root):
        if name not in unsaved:
            yield _read(query, root, name)


def _read(query: Query, root: Path, name: str) -> Searched:
    try:
        if (root / name).stat().st_size > BIG << 20:
            return Searched(name, skipped=tr("over {big} MB", big=BIG))
        return _search(query, name, document.load(root / name).text)
    except (OSError, DocumentError):
        return Searched(name, skipped=tr("no text"))


def _search(query: Query, name: str, text: str) -> Searched:
    try:
        return Searched(name, list(_hits(query, text)))
    except SearchError:
        return Searched(name, skipped=tr("take too long"))


def _hits(query: Query, text: str) -> Iterator[Hit]:
    found = query.find(text)
    lines = text.split("\n") if found else []
    starts = list(accumulate((units(line) + 1 for line in lines), initial=0))
    for one in found:
        number = bisect_right(starts, one.start) - 1
        before = cut(lines[number], 0, one.start - starts[number])
        yield Hit(number + 1, len(before) + 1, one.text, lines[number])
