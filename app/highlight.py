"""Syntax colours: Pygments lexers driven line by line, with the state at each line's end kept."""

import re
from collections.abc import Iterator
from functools import cache
from time import monotonic
from typing import TYPE_CHECKING, ClassVar

from pygments.styles import get_style_by_name
from pygments.token import Name, String, _TokenType
from PySide6.QtCore import QObject, QTimer
from PySide6.QtGui import QColor, QFont, QTextBlock, QTextCharFormat, QTextCursor, QTextLayout

from palimpsest.app import languages
from palimpsest.app.linelexers import ContextLines, Piece, PlainLines, RegexLines, SingleLines, State, by_line
from palimpsest.app.utf16 import units

if TYPE_CHECKING:
    from palimpsest.app.editor import Editor

SLICE = 0.004  # seconds of work, between which keys are answered
PAUSE = 4  # milliseconds between slices
BARE = 1  # in a block's user state: it has not the colours of its text yet


class MarkdownLines:
    """Markdown; inside a fence its language's lexer works on. State: the fence and the inner state."""

    start: State = ()
    _fence = re.compile(r" {0,3}(`{3,}|~{3,})\s*([\w+#-]*)")

    def __init__(self):
        self._markdown = languages.lexer("markdown")()

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
        self._html = by_line(languages.lexer("html")())
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
            return SingleLines(languages.lexer("json")())
        case "html" | "vue":
            return HtmlLines()
        case "make":
            return by_line(languages.lexer("basemake")())
    return by_line(languages.lexer(name)())


class Highlighter(QObject):
    """Colours the lines in view, and what is typed at once; the states of all others are found out in slices.

    Not Qt's QSyntaxHighlighter, which does not rest until the whole file has its colours, at a key that opens a string
    too. A block's user state is the number of the lexer's state at its end, and BARE.
    """

    def __init__(self, editor: "Editor"):
        super().__init__(editor.document())
        self._editor, self._document = editor, editor.document()
        # What stands between the two has yet to be lexed, and what follows up to a line whose state stays the same.
        self._front, self._until = QTextCursor(self._document), QTextCursor(self._document)
        self._oldest, self._states, self._numbers = 0, list[State](), dict[State, int]()
        self._timer = QTimer(self, singleShot=True, interval=PAUSE)
        self._timer.timeout.connect(self._go_on)
        self._document.contentsChange.connect(self._changed)
        editor.painting.connect(self._show)
        editor.verticalScrollBar().valueChanged.connect(self._show)  # before it is painted: once is enough then

    def use(self, language: str, style: str) -> None:
        """Colour as this language's name, or a file's suffix, and this Pygments style ask for."""
        self._lines, self._style = lines_for(language), get_style_by_name(style)
        self._formats: dict[_TokenType, QTextCharFormat] = {}
        self._oldest += len(self._states)  # states with smaller numbers are no longer known
        self._states, self._numbers = [self._lines.start], {self._lines.start: self._oldest}
        self._front.movePosition(QTextCursor.MoveOperation.Start)
        if not isinstance(self._lines, PlainLines):
            self._until.movePosition(QTextCursor.MoveOperation.End)
            self._timer.start()
        self._editor.viewport().update()

    @property
    def busy(self) -> bool:
        """Are there lines whose states have yet to be found out?"""
        return self._timer.isActive()

    def _changed(self, position: int, removed: int, added: int) -> None:
        if isinstance(self._lines, PlainLines):
            return
        first, last = self._document.findBlock(position), self._document.findBlock(position + added)
        if not last.isValid():
            last = self._document.lastBlock()
        if removed and last.next().isValid():
            last = last.next()  # the state it began with may have been that of a line that is gone
        rest = self._learn(first, last.position())
        self._colour([first])
        if rest.isValid():
            self._front.setPosition(min(self._front.position(), rest.position()))
            self._until.setPosition(max(self._until.position(), last.position()))
            self._timer.start()

    def _go_on(self) -> None:
        rest = self._learn(self._document.findBlock(self._front.position()), self._until.position())
        if rest.isValid():
            self._front.setPosition(rest.position())
            self._timer.start()
        else:
            self._front.setPosition(self._until.position())
        self._show()

    def _learn(self, block: QTextBlock, end: int) -> QTextBlock:
        """Find out the states from ``block`` to ``end`` and on until one stays the same, for a slice of time; returns
        where to go on, or no block."""
        until = monotonic() + SLICE
        while block.isValid():
            _, number = self._lex(block)
            same = number == block.userState() >> 1
            block.setUserState(number << 1 | BARE)
            block = block.next()
            if same and block.position() > end:
                return QTextBlock()
            if monotonic() > until:
                break
        return block

    def _show(self) -> None:
        """Colour the lines in view that are not."""
        if self._editor.document() is not self._document:
            return  # another text is shown, and this one about to go
        states = [(block, block.userState()) for block, _ in self._editor.visible()]
        bare = [block for block, state in states if state & BARE or state >> 1 < self._oldest]
        if bare:
            self._colour(bare)

    def _colour(self, blocks: list[QTextBlock]) -> None:
        """Give lines that follow each other the colours of what they say."""
        for block in blocks:
            pieces, number = self._lex(block)
            block.setUserState(number << 1)
            block.layout().setFormats(list(self._looks(block.text(), pieces)))
        start, last = blocks[0].position(), blocks[-1]
        self._document.markContentsDirty(start, last.position() + last.length() - start)

    def before(self, block: QTextBlock) -> State:
        """What the lexer knows where the line begins, as far as it has come."""
        return self._states[max(0, (block.previous().userState() >> 1) - self._oldest)]

    def kinds(self, block: QTextBlock) -> Iterator[tuple[int, int, _TokenType]]:
        """The pieces of the line: offset and length in UTF-16 units, and what each is."""
        return _in_utf16(block.text(), self._lex(block)[0])

    def _lex(self, block: QTextBlock) -> tuple[list[Piece], int]:
        """The line's pieces and the number of the state at its end, as far as the state before is known."""
        pieces, state = self._lines.line(block.text(), self.before(block))
        if state not in self._numbers:
            self._numbers[state] = self._oldest + len(self._states)
            self._states.append(state)
        return pieces, self._numbers[state]

    def _looks(self, text: str, pieces: list[Piece]) -> Iterator[QTextLayout.FormatRange]:
        for at, length, kind in _in_utf16(text, pieces):
            form = self._format(kind)
            if form.propertyCount():
                look = QTextLayout.FormatRange()
                look.start, look.length, look.format = at, length, form
                yield look

    def _format(self, kind: _TokenType) -> QTextCharFormat:
        if kind not in self._formats:
            look, form = self._style.style_for_token(kind), QTextCharFormat()
            if look["color"]:
                form.setForeground(QColor(f"#{look['color']}"))
            if look["bold"]:
                form.setFontWeight(QFont.Weight.Bold)
            if look["italic"]:
                form.setFontItalic(True)
            self._formats[kind] = form
        return self._formats[kind]


def _in_utf16(text: str, pieces: list[Piece]) -> Iterator[tuple[int, int, _TokenType]]:
    """Offsets and lengths as Qt counts them: two for a character outside the basic plane."""
    if text.isascii():
        yield from ((at, len(piece), kind) for at, piece, kind in pieces)
        return
    for at, piece, kind in pieces:
        yield units(text[:at]), units(piece), kind
