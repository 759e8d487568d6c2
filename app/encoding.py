"""Bytes of a file <-> text as an editor holds it, so that what was not changed is written back byte for byte.

The text has ``\\n`` line ends of one kind. What an editor cannot hold beside them (a line end of another kind, NUL,
what Qt uses itself) is shown as a stand-in character that the file does not hold otherwise, and written back as it was.
"""

import codecs
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from palimpsest.engine.language import tr

# By their marks, the longer ones first: UTF-16's begins UTF-32's.
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
# What is offered to the user, by the name it is known under.
ENCODINGS = {
    "UTF-8": "utf-8",
    "UTF-16 LE": "utf-16-le",
    "UTF-16 BE": "utf-16-be",
    "UTF-32 LE": "utf-32-le",
    "UTF-32 BE": "utf-32-be",
    tr("Western (Windows-1252)"): "cp1252",
    tr("Western (ISO 8859-1)"): "latin-1",
    tr("Western (ISO 8859-15)"): "iso8859-15",
    tr("Central European (Windows-1250)"): "cp1250",
    tr("Cyrillic (Windows-1251)"): "cp1251",
    tr("Cyrillic (KOI8-R)"): "koi8-r",
    tr("Greek (Windows-1253)"): "cp1253",
    tr("Turkish (Windows-1254)"): "cp1254",
    tr("Hebrew (Windows-1255)"): "cp1255",
    tr("Arabic (Windows-1256)"): "cp1256",
    tr("Japanese (Shift-JIS)"): "shift_jis",
    tr("Japanese (EUC-JP)"): "euc-jp",
    tr("Chinese (GB18030)"): "gb18030",
    tr("Chinese (Big5)"): "big5",
    tr("Korean (EUC-KR)"): "euc-kr",
}
_LAST = ("cp1252", "latin-1")  # what any bytes are taken for in the end
_SAMPLE = 1 << 18  # bytes that the encoding is guessed from

# What Qt would show as a line's end or use as its own mark, and so not give back, and beside other line ends "\n". What
# stands for each in a text: its picture, if the file does not hold that itself.
_PICTURES = {
    "\r": "\u240d",
    "\n": "\u240a",
    "\0": "\u2400",
    "\u2028": "\u2424",
    "\u2029": "\u241e",
    "\ufdd0": "\u2402",
    "\ufdd1": "\u2403",
}
_PRIVATE = range(0xF8FF, 0xE000, -1)  # else one of these


class UnreadableError(ValueError):
    """These bytes are no text of that encoding; ``str()`` says so, without a subject."""


class UnwritableError(ValueError):
    """The text does not fit its encoding; ``str()`` says so and what to do, without a subject."""


@dataclass(frozen=True)
class Text:
    """A file's text with ``\\n`` line ends, and what it takes to write it back.

    ``encoding`` is Python's name; ``standins`` tells for each stand-in what the file holds there; ``guessed``: nothing
    in the file says that the encoding is right.
    """

    text: str
    newline: str = "\n"
    encoding: str = "utf-8"
    bom: bool = False
    standins: Mapping[str, str] = field(default_factory=dict)
    guessed: bool = False

    def encode(self) -> bytes:
        """The file's bytes. Raises UnwritableError, which names the first character that has no place in them."""
        text = self.text
        lone = next((standin for standin, character in self.standins.items() if character == "\n"), None)
        if lone:
            text = text.replace(lone + "\n", lone)
        text = text.replace("\n", self.newline)
        for standin, character in self.standins.items():
            text = text.replace(standin, character)
        mark = next(mark for mark, name in _MARKS.items() if name == self.encoding) if self.bom else b""
        try:
            return mark + text.encode(self.encoding)
        except UnicodeEncodeError as error:
            raise UnwritableError(_misfit(text, error.start, self.encoding)) from error

    def holds(self, text: str) -> "Text":
        """The same file with another text."""
        return replace(self, text=text)

    def ending(self, newline: str) -> "Text":
        """The same text with all lines ending with ``newline``, those too that ended otherwise."""
        text = self.text
        for standin, character in self.standins.items():
            if character in "\r\n":
                text = text.replace(standin + "\n", "\n").replace(standin, "\n")
        return replace(self, text=text, newline=newline)

    def encoded(self, encoding: str) -> "Text":
        """The same text in another encoding, with a mark where nothing else would tell it."""
        return replace(self, encoding=encoding, bom=encoding.startswith(("utf-16", "utf-32")), guessed=False)


def clean(text: str) -> str:
    """``text`` from outside as a document can hold it: every line end ``\\n``, no characters of Qt's own use."""
    text = text.replace("\r\n", "\n")
    for character in _PICTURES.keys() - {"\n"}:
        text = text.replace(character, "\n" if character in "\r\u2028\u2029" else "")
    return text


def label(encoding: str) -> str:
    """How the user knows an encoding."""
    wanted = codecs.lookup(encoding).name
    return next((name for name, known in ENCODINGS.items() if codecs.lookup(known).name == wanted), encoding)


def decode(data: bytes, encoding: str | None = None) -> Text:
    """The text of a file's bytes, of ``encoding`` or of the one they seem to be in: by their mark, else UTF-8 if they
    are, else the likeliest that gives back the same bytes. Raises UnreadableError."""
    bom = next((mark for mark in _MARKS if data.startswith(mark)), b"")
    if encoding or bom:
        encoding = encoding or _MARKS[bom]
        if not bom or _MARKS[bom] != encoding:
            bom = b""
        text = _text(data, len(bom), encoding)
        if text.encode() != data:
            raise UnreadableError(
                tr("is not {encoding} text that could be written back as it was", encoding=label(encoding))
            )
        return text
    try:
        return _text(data, 0, "utf-8")
    except UnreadableError as error:
        if b"\0" in data[:_SAMPLE]:
            raise UnreadableError(tr("holds binary data, not text")) from error
    for guess in (*_guesses(data), *_LAST):
        try:
            text = _text(data, 0, guess)
        except UnreadableError:
            continue
        if text.encode() == data:
            return replace(text, guessed=True)
    raise AssertionError  # Latin-1 takes any bytes and gives them back


def _guesses(data: bytes) -> list[str]:
    from charset_normalizer import from_bytes  # only when it is needed: importing it takes as long as a window

    sample = data[:_SAMPLE]
    if len(data) > _SAMPLE:
        sample = sample[: sample.rfind(b"\n") + 1] or sample
    return [match.encoding for match in from_bytes(sample, cp_exclusion=["utf_7"])]


def _text(data: bytes, start: int, encoding: str) -> Text:
    try:
        text = data[start:].decode(encoding)
    except (UnicodeDecodeError, UnicodeError) as error:
        place = tr(" (byte {start})", start=start + error.start) if isinstance(error, UnicodeDecodeError) else ""
        raise UnreadableError(tr("is not {encoding} text{place}", encoding=label(encoding), place=place)) from error
    # 1. One kind of line end.
    counts = {one: _count(text, one) for one in _PICTURES}
    pairs = text.count("\r\n") if counts["\r"] else 0
    ends = {"\n": counts["\n"] - pairs, "\r\n": pairs, "\r": counts["\r"] - pairs}
    newline = max(ends, key=ends.__getitem__)
    # 2. Stand-ins for what else there is.
    told = pairs if newline == "\r\n" else counts[newline]
    standins = _standins(text, [one for one, count in counts.items() if count > told * newline.count(one)])
    if not standins:
        return Text(text.replace(newline, "\n"), newline, encoding, bool(start))
    lines = text.split(newline)
    for standin, character in standins.items():
        shown = standin + "\n" if character == "\n" else standin
        lines = [line.replace(character, shown) for line in lines]
    return Text("\n".join(lines), newline, encoding, bool(start), standins)


def _count(text: str, character: str) -> int:
    return text.count(character) if character in text else 0  # looking for what is not there is four times as fast


def _standins(text: str, foreign: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for character in foreign:
        candidates = (_PICTURES[character], *map(chr, _PRIVATE))
        found[next(one for one in candidates if one not in text and one not in found)] = character
    return found


def _misfit(text: str, place: int, encoding: str) -> str:
    character, line = text[place], text.count("\n", 0, place) + 1
    if "\ud800" <= character <= "\udfff":
        return tr("holds half of a character in line {line}: delete it", line=line)
    return tr(
        "holds “{character}” (U+{code:04X}) in line {line}, which {encoding} has no place for; save it as UTF-8, "
        "or change that",
        character=character,
        code=ord(character),
        line=line,
        encoding=label(encoding),
    )
