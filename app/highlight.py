"""Syntax colours: Pygments lexers driven line by line, with the state at each line's end kept."""

import re
from collections.abc import Iterator
from functools import cache
from typing import ClassVar

from pygments.lexers.data import JsonLexer
from pygments.lexers.html import HtmlLexer
from pygments.lexers.make import BaseMakefileLexer
from pygments.lexers.markup import MarkdownLexer
from pygments.styles import get_style_by_name
from pygments.token import Name, String, _TokenType
from PySide6.QtGui import QColor, QFont, QSyntaxHighlighter, QTextCharFormat, QTextDocument

from palimpsest.app import languages
from palimpsest.app.linelexers import ContextLines, Piece, PlainLines, RegexLines, SingleLines, State, by_line
from palimpsest.app.utf16 import units


class MarkdownLines:
    """Markdown; inside a fence its language's lexer works on. State: the fence and the inner state."""

    start: State = ()
    _fence = re.compile(r" {0,3}(`{3,}|~{3,})\s*([\w+#-]*)")

    def __init__(self):
        self._markdown = MarkdownLexer()

    def line(self, text: str, state: State) -> tuple[list[Piece], State]:
        fence = self._fence.match(text)
        if state:
            mark, language, inner = state
            if fence and fence[1].startswith(mark) and not fence[2]:
                return [(0, text, String.Backtick)], ()
            pieces, inner = lines_for(language).line(text, inner)
            return pieces, (mark, language, inner)
        if fence:
            return [(0, text, String.Backtick)], (fence[1], fence[2], lines_for(fence[2]).start)
        tokens = self._markdown.get_tokens_unprocessed(text + "\n")
        return [(at, piece, kind) for at, kind, piece in tokens], ()


class HtmlLines:
    """HTML; in a script or style the lexer of its language works on. State: HTML's, the element and its state."""

    _inside: ClassVar = {"script": "javascript", "style": "css"}
    _opening = re.compile(r"<(script|style)\b[^>]*>(?!.*</\1)", re.IGNORECASE)

    def __init__(self):
        self._html = RegexLines(HtmlLexer())
        self.start: State = (self._html.start, "", ())

    def line(self, text: str, state: State) -> tuple[list[Piece], State]:
        outer, element, inner = state
        pieces, begin = [], 0
        if element:
            end = re.search(rf"</{element}", text, re.IGNORECASE)
            begin = end.start() if end else len(text)
            pieces, inner = lines_for(self._inside[element]).line(text[:begin], inner)
            if not end:
                return pieces, (outer, element, inner)
        around, outer = self._html.line(text[begin:], outer)
        pieces += [(begin + at, piece, kind) for at, piece, kind in around]
        opened = self._opening.search(text, begin)
        if opened and any(at == opened.start(1) and kind in Name.Tag for at, _, kind in pieces):
            element = opened[1].lower()
            return pieces, (self._html.start, element, lines_for(self._inside[element]).start)
        return pieces, (outer, "", ())


LineLexer = PlainLines | RegexLines | ContextLines | SingleLines | MarkdownLines | HtmlLines


@cache
def lines_for(language: str) -> LineLexer:
    """The line lexer for a language's name or a file's suffix without its dot."""
    name = languages.called(language)
    match name:
        case "":
            return PlainLines()
        case "markdown":
            return MarkdownLines()
        case "json":
            return SingleLines(JsonLexer())
        case "html" | "vue":
            return HtmlLines()
        case "make":
            return RegexLines(BaseMakefileLexer())
    return by_line(languages.lexer(name)())


class Highlighter(QSyntaxHighlighter):
    """Colours a document as its text changes, from the changed line to the first whose state stays the same."""

    def __init__(self, document: QTextDocument, language: str, style: str):
        super().__init__(document)
        self._lines, self._style = lines_for(language), get_style_by_name(style)
        self._formats: dict[_TokenType, QTextCharFormat] = {}
        # Qt keeps one int a line; here is what it stands for.
        self._states: list[State] = [self._lines.start]
        self._numbers: dict[State, int] = {self._lines.start: 0}

    def highlightBlock(self, text: str) -> None:
        state = self._states[max(0, self.previousBlockState())]
        pieces, state = self._lines.line(text, state)
        for at, length, kind in _in_utf16(text, pieces):
            self.setFormat(at, length, self._format(kind))
        if state not in self._numbers:
            self._numbers[state] = len(self._states)
            self._states.append(state)
        self.setCurrentBlockState(self._numbers[state])

    def _format(self, kind: _TokenType) -> QTextCharFormat:
        if kind not in self._formats:
            look, form = self._style.style_for_token(kind), QTextCharFormat()
            if look["color"]:
                form.setForeground(QColor(f"#{look['color']}"))
            if look["bold"]:
                form.setFontWeight(QFont.Weight.Bold)
            form.setFontItalic(look["italic"])
            self._formats[kind] = form
        return self._formats[kind]


def _in_utf16(text: str, pieces: list[Piece]) -> Iterator[tuple[int, int, _TokenType]]:
    """Offsets and lengths as Qt counts them: two for a character outside the basic plane."""
    if text.isascii():
        yield from ((at, len(piece), kind) for at, piece, kind in pieces)
        return
    for at, piece, kind in pieces:
        yield units(text[:at]), units(piece), kind
