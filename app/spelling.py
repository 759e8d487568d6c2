"""Which words are spelled as in the dictionary, and what others may have been meant."""

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from importlib.resources import files
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING
from unicodedata import combining, normalize

from platformdirs import user_config_path

if TYPE_CHECKING:
    from spylls.hunspell import Dictionary

LETTERS = "[A-Za-zÀ-ÖØ-öø-ɏ]+"
WORD = re.compile(rf"(?<![\w])({LETTERS}(?:['’]{LETTERS})*)(?![\w])")
# Addresses, paths and names of things in programs are no words of a language.
NO_PROSE = re.compile(r"\S*(?:://|@|:\\|\\\w+\\|\w[/._=]\w)\S*")
NAME = re.compile(r"[A-Z]+s?|.*[a-zß-ÿ][A-ZÀ-Þ].*|.")
LONGEST = 10_000  # characters of a line: longer ones are not written by hand
MOST = 5  # suggestions


def words(line: str) -> Iterator[tuple[int, str]]:
    """The words of a line that can be looked up, and where they begin."""
    if len(line) > LONGEST:
        return
    prose = NO_PROSE.sub(lambda found: " " * len(found[0]), line)
    for found in WORD.finditer(prose):
        if not NAME.fullmatch(found[1]):
            yield found.start(), found[1]


class Speller:
    """The dictionary and the user's own words. What takes long is meant for a thread, and says so."""

    def __init__(self):
        self._good: dict[str, bool] = {}
        self._lock = Lock()  # the dictionary is loaded once

    @property
    def file(self) -> Path:
        """Where the user's own words are kept, one a line."""
        return user_config_path("palimpsest") / "words.txt"

    def good(self, word: str) -> bool | None:
        """Is it spelled well? None if it has not been looked up yet."""
        return self._good.get(word)

    def look_up(self, wanted: Iterable[str]) -> None:
        """Find out about these words; takes long at first."""
        with self._lock:
            self._good |= {word: self._is_good(word) for word in wanted if word not in self._good}

    def suggest(self, word: str) -> list[str]:
        """What may have been meant, the likeliest first; takes long."""
        with self._lock:
            dictionary = self._dictionary
        return list(islice(dictionary.suggest(word.replace("’", "'")), MOST))

    def add(self, word: str) -> None:
        """From now on it is a word of the user's. Raises OSError, and then it is one until the end only."""
        self._own.add(word)
        self._good[word] = True
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a", encoding="utf-8") as file:
            file.write(word + "\n")

    def _is_good(self, word: str) -> bool:
        word = word.replace("’", "'")
        stem = word.removesuffix("'s")
        if {word, word.lower(), stem, stem.lower()} & self._own:
            return True
        # English writes café and cafe.
        bare = "".join(one for one in normalize("NFD", stem) if not combining(one))
        return any(map(self._dictionary.lookup, (word, stem, bare)))

    @cached_property
    def _own(self) -> set[str]:
        try:
            return set(self.file.read_text("utf-8").split())
        except (OSError, ValueError):
            return set()

    @cached_property
    def _dictionary(self) -> "Dictionary":
        from spylls.hunspell import Dictionary

        return Dictionary.from_files(str(files("spylls.hunspell") / "data" / "en" / "en_US"))
