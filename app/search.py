"""What is looked for in a text, where it is found, and what replaces it."""

from bisect import bisect_left
from dataclasses import dataclass

import regex

from palimpsest.engine.language import tr

PATIENCE = 2.0  # seconds that a pattern may take: some never end
MOST = 100_000  # places that are told
BEYOND = regex.compile("[\U00010000-\U0010ffff]")  # characters of two UTF-16 units


class SearchError(Exception):
    """A pattern cannot be used; ``str()`` is one sentence for the user."""


@dataclass(frozen=True)
class Found:
    """A place in a text (UTF-16 units), what stands there, and what would replace it."""

    start: int
    end: int
    text: str
    instead: str = ""


@dataclass(frozen=True)
class Query:
    """Text or a regular expression to look for, and what to put there (with ``\\\\1`` for groups of an expression)."""

    wanted: str
    instead: str = ""
    case: bool = False
    word: bool = False
    expression: bool = False

    def find(self, text: str) -> list[Found]:
        """All places in ``text``, at most MOST; empty ones are left out. Raises SearchError."""
        if not self.wanted:
            return []
        beyond = [one.start() for one in BEYOND.finditer(text)]
        found = []
        try:
            for match in self._pattern().finditer(text, timeout=PATIENCE, concurrent=True):
                if match.end() > match.start():
                    start, end = (at + bisect_left(beyond, at) for at in match.span())
                    instead = match.expand(self.instead) if self.expression else self.instead
                    found.append(Found(start, end, match.group(), instead))
                    if len(found) == MOST:
                        break
        except TimeoutError as error:
            raise SearchError(tr("This pattern takes too long here: make it simpler.")) from error
        except (regex.error, IndexError) as error:
            raise SearchError(tr("The replacement cannot be used: {error}.", error=error)) from error
        return found

    def _pattern(self) -> "regex.Pattern[str]":
        wanted = self.wanted if self.expression else regex.escape(self.wanted)
        if self.word:
            wanted = rf"(?<!\w)(?:{wanted})(?!\w)"
        try:
            return regex.compile(wanted, regex.MULTILINE | (0 if self.case else regex.IGNORECASE))
        except regex.error as error:
            raise SearchError(tr("This is no regular expression: {error}.", error=error)) from error
