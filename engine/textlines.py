"""A line of text where it stands on a page, and text whose characters are known more or less surely."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

SURE = 0.6  # below it a character is doubtful
NUMBER = re.compile(r"(?<!\w)[\dIlO](?:[\dIlO]|[.,:/-](?=[\dIlO]))*(?!\w)")
LOOK_ALIKE = str.maketrans("IlO", "110")


@dataclass(frozen=True)
class TextLine:
    """A stretch of text in one line. Lengths in pixels from the page's left and top; one place (the middle, across)
    and one certainty for each character."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    places: tuple[float, ...]
    sure: tuple[float, ...]

    @property
    def height(self) -> float:
        return self.bottom - self.top

    @property
    def middle(self) -> float:
        return (self.top + self.bottom) / 2

    @property
    def width(self) -> float:
        return self.right - self.left


def with_figures(line: TextLine) -> TextLine:
    """The line with letters that stand in numbers, and look like figures, as figures."""
    text = NUMBER.sub(lambda found: _figures(found[0]), line.text)
    return replace(line, text=text)


def _figures(word: str) -> str:
    figures, letters = sum(char.isdecimal() for char in word), sum(char.isalpha() for char in word)
    as_number = letters and figures >= letters and len(word) > 3
    return word.translate(LOOK_ALIKE) if as_number else word


@dataclass(frozen=True)
class Marked:
    """Text with a certainty from 0 to 1 for each character."""

    text: str = ""
    sure: tuple[float, ...] = ()

    def __add__(self, other: "Marked | str") -> "Marked":
        other = certain(other) if isinstance(other, str) else other
        return Marked(self.text + other.text, self.sure + other.sure)

    def __getitem__(self, part: slice) -> "Marked":
        return Marked(self.text[part], self.sure[part])

    def stripped(self) -> "Marked":
        """Without white space at its ends."""
        start = len(self.text) - len(self.text.lstrip())
        return self[start : max(start, len(self.text.rstrip()))]


def certain(text: str) -> Marked:
    """Text that is not from the picture and so beyond doubt."""
    return Marked(text, (1.0,) * len(text))


def joined(parts: Iterable[Marked], between: str) -> Marked:
    """As ``str.join``."""
    text, sure = [], []
    for number, part in enumerate(parts):
        if number:
            text.append(between)
            sure += [1.0] * len(between)
        text.append(part.text)
        sure += part.sure
    return Marked("".join(text), tuple(sure))
