"""What reading a picture gives. Plain values, and the way to the reader, which is imported when it is first used."""

import re
from collections.abc import Generator
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

from palimpsest.engine.recognisers import OWN
from palimpsest.engine.textlines import SURE, Marked, joined

FORMS = ("auto", "prose", "code", "table", "markdown")
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".gif", ".bmp", ".pbm", ".pgm", ".ppm", ".pnm", ".pdf")
VIDEOS = (".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi", ".ogv", ".mpg", ".mpeg")
WORD = re.compile(r"\S+")

Doubt = tuple[int, str, float]  # where a word begins, the word, and the least certainty of its characters


def doubts(marked: Marked) -> list[Doubt]:
    """The words that may be wrong, for at least one character is less certain than SURE."""
    words = ((word.start(), word[0], min(marked.sure[slice(*word.span())])) for word in WORD.finditer(marked.text))
    return [doubt for doubt in words if doubt[2] < SURE]


@dataclass(frozen=True)
class Transcribing:
    """How far the reading is: the page of so many, and the lines read of those on it."""

    page: int
    pages: int
    line: int
    lines: int


@dataclass(frozen=True)
class Part:
    """A stretch of a page that is set in one way: ``prose``, ``code`` or ``table``."""

    kind: str
    marked: Marked
    language: str = ""  # of code, where it could be told

    @property
    def doubtful(self) -> list[Doubt]:
        """The words that may be wrong."""
        return doubts(self.marked)


@dataclass(frozen=True)
class Transcript:
    """The text of one page, part by part, and how certain each of its characters is, from 0 to 1."""

    page: int
    pages: int
    parts: tuple[Part, ...]
    fenced: bool = False

    @property
    def text(self) -> str:
        return self._whole.text

    @property
    def sure(self) -> tuple[float, ...]:
        return self._whole.sure

    @property
    def doubtful(self) -> list[Doubt]:
        """The words of the page that may be wrong."""
        return doubts(self._whole)

    @cached_property
    def _whole(self) -> Marked:
        return joined((self._set(part) for part in self.parts), "\n\n")

    def _set(self, part: Part) -> Marked:
        if not self.fenced or part.kind != "code":
            return part.marked
        fence = "````" if "```" in part.marked.text else "```"
        return Marked() + f"{fence}{part.language}\n" + part.marked + f"\n{fence}"


class Transcriber:
    """Reads pictures, one at a time. Loads what it needs at the first one; ``close`` gives it back."""

    def __init__(self):
        self._reader: Any = None

    def read(
        self, path: Path, form: str = "auto", language: str = OWN
    ) -> Generator[Transcribing | Transcript, None, None]:
        """Yield progress, and a transcript for each page, whose writing is in one of the ``languages``. Whoever stops
        asking cancels. Raises PictureError."""
        if not self._reader or self._reader.language != language:
            self._reader = import_module("palimpsest.engine.ocr").PageReader(language)
        yield from self._reader.read(path, form)

    def close(self) -> None:
        """Free what reading needs; the next picture loads it again."""
        self._reader = None
