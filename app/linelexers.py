"""Pygments lexers driven line by line, with what they know at a line's end kept."""

import re
from collections.abc import Iterator

from pygments.lexer import ExtendedRegexLexer, Lexer, LexerContext, RegexLexer
from pygments.lexers.data import YamlLexer, YamlLexerContext
from pygments.token import Comment, Error, String, _TokenType

State = tuple  # what a line lexer knows at a line's end; equal states go on alike
Piece = tuple[int, str, _TokenType]  # offset, text, kind

LONGEST = 4_000  # characters: longer lines stay plain, for some expressions take time that grows with its square
DEEPEST = 200  # states on a stack: text that is not what its lexer takes it for can heap them up

# What begins and ends the constructs that some lexers only know whole: comments, strings; here documents, long brackets
# and raw strings, whose ends say again what they began with.
ENDS = [("/**", "*/"), ("/*", "*/"), ("<!--", "-->"), ("{-", "-}")]
ENDS += [(mark, mark) for mark in ('"""', "'''", "`", '"', "'")]
NAMED_ENDS = [
    (re.compile(r"<<[-~]?\s*(['\"]?)\\?(\w+)\1"), r"\2"),
    (re.compile(r"(?:#|--)?\[(=*)\["), r"]\1]"),
    (re.compile(r'\bb?r(#+)"'), r'"\1'),
]


class PlainLines:
    """Lines without colours."""

    start: State = ()

    def line(self, text: str, state: State) -> tuple[list[Piece], State]:  # noqa: ARG002  (one of several)
        return [], state


class SingleLines:
    """Lines that have nothing to do with each other."""

    start: State = ()

    def __init__(self, lexer: Lexer):
        self._lexer = lexer

    def line(self, text: str, state: State) -> tuple[list[Piece], State]:
        if len(text) > LONGEST:
            return [], state
        return [(at, piece, kind) for at, kind, piece in self._lexer.get_tokens_unprocessed(text + "\n")], state


class RegexLines:
    """A RegexLexer's lines. State: its stack, and what began a construct that goes on.

    Many lexers match a comment or a string over several lines with one expression, which finds no end in one line. So
    the line is lent an end: if the lexer then takes it, with the line's end before it, for one piece, that construct
    goes on in the next line, which is lent the beginning.
    """

    start: State = (("root",), "")

    def __init__(self, lexer: RegexLexer):
        self._lexer = lexer

    def line(self, text: str, state: State) -> tuple[list[Piece], State]:
        if len(text) > LONGEST:
            return [], state
        stack, begun = state
        head = begun + "\n" if begun else ""
        whole = head + text + "\n"
        pieces = None
        for begin, end in _open(whole):
            lent, before, _ = self._run(whole + end, stack)
            _, piece, kind = lent[-1] if lent else (0, "", Error)
            if piece.startswith(begin) and piece.endswith("\n" + end) and (kind in Comment or kind in String):
                pieces, state = lent, (before, begin)
                break
        if pieces is None:
            pieces, _, after = self._run(whole, stack)
            state = (after, "")
        return list(_within(pieces, len(head), len(head) + len(text))), state

    def _run(self, text: str, begun: tuple[str, ...]) -> tuple[list[Piece], tuple[str, ...], tuple[str, ...]]:
        """The pieces, and the stacks before the last of them and behind it."""
        context = LexerContext(text, 0, list(begun))
        pieces, before = _run(self._lexer, context)
        return pieces, before, tuple(context.stack[:DEEPEST])


class ContextLines:
    """An ExtendedRegexLexer's lines. State: all that its context holds."""

    def __init__(self, lexer: ExtendedRegexLexer):
        self._lexer = lexer
        self._context = YamlLexerContext if isinstance(lexer, YamlLexer) else LexerContext
        self.start: State = _kept(self._context("", 0))

    def line(self, text: str, state: State) -> tuple[list[Piece], State]:
        if len(text) > LONGEST:
            return [], state
        context = self._context(text + "\n", 0)
        vars(context).update((name, list(value) if isinstance(value, tuple) else value) for name, value in state)
        pieces, _ = _run(self._lexer, context)
        return list(_within(pieces, 0, len(text))), _kept(context)


LineLexer = PlainLines | SingleLines | RegexLines | ContextLines


def by_line(lexer: Lexer) -> LineLexer:
    """The lexer's lines, or plain ones where it has to see the whole text."""
    if isinstance(lexer, ExtendedRegexLexer):
        return ContextLines(lexer)
    return RegexLines(lexer) if isinstance(lexer, RegexLexer) else PlainLines()


def _open(text: str) -> Iterator[tuple[str, str]]:
    """What may begin in the text and not end there, with the ends."""
    for begin, end in ENDS:
        last = text.rfind(begin)
        if last < 0:
            continue
        odd = text.count(begin) % 2 or text.count("\\" + begin) % 2  # an escaped one counts in some languages
        if odd if begin == end else text.rfind(end) < last + len(begin):
            yield begin, end
    for begin, end in NAMED_ENDS:
        yield from ((found[0], found.expand(end)) for found in begin.finditer(text))


def _run(lexer: RegexLexer, context: LexerContext) -> tuple[list[Piece], tuple[str, ...]]:
    """The pieces, and the stack before the last of them; the context is then as behind it. The loop is Pygments' own,
    which does not tell its stack, and goes on to rules that need no text, as if nothing came behind."""
    extended = isinstance(lexer, ExtendedRegexLexer)
    stack, before = context.stack, tuple(context.stack)
    pieces: list[Piece] = []
    while (at := context.pos) < len(context.text):
        for match, action, change in lexer._tokens[stack[-1]]:  # pyright: ignore[reportAttributeAccessIssue]
            if found := match(context.text, at):
                if found.end() > at:
                    before = tuple(stack)
                if isinstance(action, _TokenType):
                    pieces.append((at, found[0], action))
                elif action:
                    told = action(lexer, found, context) if extended else action(lexer, found)
                    pieces += [(place, piece, kind) for place, kind, piece in told]
                if not (extended and callable(action)):
                    context.pos = found.end()
                _change(stack, change)
                break
        else:
            if context.text[at] == "\n":
                stack[:] = ["root"]
            context.pos += 1
    return pieces, before


def _change(stack: list[str], change: tuple[str, ...] | int | str | None) -> None:
    if isinstance(change, int):
        del stack[max(1, len(stack) + change) :]
        return
    for name in (change,) if isinstance(change, str) else change or ():
        if name != "#pop":
            stack.append(stack[-1] if name == "#push" else name)
        elif len(stack) > 1:
            stack.pop()


def _within(pieces: list[Piece], start: int, end: int) -> Iterator[Piece]:
    """The pieces between two offsets, counted from the first; what no rule fits, for want of other lines, is plain."""
    for at, piece, kind in pieces:
        left, right = max(at, start), min(at + len(piece), end)
        if left < right and kind is not Error:
            yield left - start, piece[left - at : right - at], kind


def _kept(context: LexerContext) -> State:
    held = {name: value for name, value in vars(context).items() if name not in ("text", "pos", "end")}
    return tuple((name, tuple(value) if isinstance(value, list) else value) for name, value in sorted(held.items()))
