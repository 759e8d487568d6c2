"""Syntax colours: Pygments lexers driven line by line, with the state at each line's end kept."""

import re
from collections.abc import Iterator
from functools import cache

from pygments.lexer import ExtendedRegexLexer, LexerContext, RegexLexer
from pygments.lexers.markup import MarkdownLexer
from pygments.lexers.python import PythonLexer
from pygments.styles import get_style_by_name
from pygments.token import String, _TokenType
from PySide6.QtGui import QColor, QFont, QSyntaxHighlighter, QTextCharFormat, QTextDocument

from palimpsest.app.utf16 import units

State = tuple  # what a line lexer knows at a line's end; equal states go on alike
Piece = tuple[int, str, _TokenType]  # offset, text, kind


class PlainLines:
    """Lines without colours."""

    start: State = ()

    def line(self, text: str, state: State) -> tuple[list[Piece], State]:  # noqa: ARG002  (one of three line lexers)
        return [], state


class RegexLines:
    """Runs a Pygments RegexLexer over one line at a time; its state is the lexer's stack."""

    start: State = ("root",)

    def __init__(self, lexer: type[RegexLexer]):
        # With a context the extended lexer starts from, and leaves behind, an explicit stack.
        self._lexer = type(lexer.__name__, (ExtendedRegexLexer, lexer), {})()

    def line(self, text: str, state: State) -> tuple[list[Piece], State]:
        context = LexerContext(text + "\n", 0, stack=list(state))
        pieces = [(at, piece, kind) for at, kind, piece in self._lexer.get_tokens_unprocessed(context=context)]
        return pieces, tuple(context.stack)


class MarkdownLines:
    """Markdown; inside a fence its language's lexer works on. State: the fence and the inner state."""

    start: State = ()
    _fence = re.compile(r" {0,3}(`{3,}|~{3,})\s*(\w*)")

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


LineLexer = PlainLines | RegexLines | MarkdownLines


@cache
def lines_for(language: str) -> LineLexer:
    """The line lexer for a language's name or a file's suffix without its dot."""
    match language.lower():
        case "py" | "pyi" | "pyw" | "python" | "python3":
            return RegexLines(PythonLexer)
        case "md" | "markdown":
            return MarkdownLines()
    return PlainLines()


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
