"""Picture -> text with layout, on this machine, with networks that come with the installation."""

from collections.abc import Generator, Iterator
from itertools import groupby
from pathlib import Path

from palimpsest.engine.grid import grid
from palimpsest.engine.layout import Row, blocks, kind_of, parts
from palimpsest.engine.pictures import Sheet, sheets
from palimpsest.engine.programs import language_of
from palimpsest.engine.reader import Reader
from palimpsest.engine.recognisers import network
from palimpsest.engine.setting import code, listed, prose, table
from palimpsest.engine.textlines import TextLine, with_figures
from palimpsest.engine.transcript import Part, Transcribing, Transcript


class PageReader:
    """Reads the pages of picture files in a ``language``; the networks are loaded when the first has no text of its
    own."""

    def __init__(self, language: str):
        self.language = language
        self._reader: Reader | None = None

    def read(self, path: Path, form: str = "auto") -> Generator[Transcribing | Transcript, None, None]:
        """Yield progress, and a transcript for each page. Raises PictureError."""
        for number, (pages, sheet) in enumerate(sheets(path), 1):
            lines: list[TextLine] = []
            yield Transcribing(number, pages, 0, 1)
            for at, (count, line) in enumerate(self._lines(sheet), 1):
                lines += [with_figures(line)] if line else []
                yield Transcribing(number, pages, at, count)
            yield Transcript(number, pages, tuple(_parts(lines, form)), fenced=form == "markdown")

    def _lines(self, sheet: Sheet) -> Iterator[tuple[int, TextLine | None]]:
        if sheet.pixels is None:
            return ((len(sheet.lines), line) for line in sheet.lines)
        self._reader = self._reader or Reader(network(self.language))
        return self._reader.lines(sheet.pixels)


def _parts(lines: list[TextLine], form: str) -> Iterator[Part]:
    """The page in reading order, each part set as it looks, or as it is wanted."""
    for column in parts(lines):
        if form in ("prose", "code", "table"):
            yield _part(form, column)
            continue
        whole = _kind(column)
        if whole != "prose":
            yield _part(whole, column)
            continue
        for kind, group in groupby(blocks(column), _kind):
            yield _part(kind, [row for block in group for row in block])


def _kind(part: list[Row]) -> str:
    return kind_of(part, [[cell.text for cell in row] for row in grid(part)])


def _part(kind: str, part: list[Row]) -> Part:
    match kind:
        case "code":
            text = code(part)
            return Part("code", text, language_of(text.text))
        case "table":
            return Part("table", table(grid(part)))
        case "list":
            return Part("prose", listed(part))
        case _:
            return Part("prose", prose(part))
