"""Whether text is still Python once its holes are filled, as far as what is near tells."""

import ast
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace

from palimpsest.engine.request import Fill, Written, certain

REACH = 20_000  # characters around the holes that are looked at
NEAR = 5_000  # and where not all of them are Python
# What may stand in a hole, to tell whether all else is Python.
VALUES = ("x", "", '"""', "'''", " = x", " import x")
BRACKETS = ("x(", "x: [", "def x(", "[", "{", ")", "):", "]", "}")
ITEMS = ("x: x,", "x=x,", "x,")
HEADS = (" x:", "def x():", "if x:", "try:", "except x:", "case x:", " x():", "(x):", " x in x:")
STANDING = (*VALUES, *BRACKETS, *ITEMS, *HEADS)
# Without one of these at the beginning of a line it may as well be YAML, JSON or a heading.
SIGN = re.compile(r"^[ \t]*(?:async|class|def|for|from|if|import|return|try|while|with)\b", re.MULTILINE)
FOREIGN = re.compile(r"^[ \t]*(?:end|fi|done)[ \t;]*$", re.MULTILINE)  # Ruby, Lua, Julia, shells
STATEMENT = re.compile(r"[ \t]*[\w@]")
BLOCK = "if 1:\n"  # what indented lines stand under

Keeps = Callable[[tuple[Written, ...]], bool]


def python(fill: Fill) -> Keeps | None:
    """Tells whether the text is Python with that in the holes; None where it is no Python anyway."""
    fill = replace(fill, before=fill.before[-REACH:], after=fill.after[:REACH])
    around = (fill.before, fill.after)
    if not any(map(SIGN.search, around)) or any(map(FOREIGN.search, around)):
        return None
    for near in _near(fill):
        stands = [fill.selections, *((text,) * len(fill.selections) for text in STANDING)]
        if any(parses(near.filled(tuple(map(certain, texts)))) for texts in stands):
            return lambda holes: parses(near.filled(holes))
    return None


def parses(text: str) -> bool:
    """Is it Python?"""
    try:
        with warnings.catch_warnings(action="ignore"):  # about the escapes in other people's strings
            ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last two where it is nested too deeply
        return False
    return True


def _near(fill: Fill) -> Iterator[Fill]:
    """The fill with all around it, or with nothing but whole statements, where the rest of the file is not known."""
    yield fill
    fill = replace(fill, before=fill.before[-NEAR:], after=fill.after[:NEAR])
    *lines, last = fill.before.split("\n")
    first, *rest = fill.after.split("\n")
    begun = [number for number, line in enumerate(lines) if number and STATEMENT.match(line)]
    # Not what stands deeper than the hole: what is written there may be the head of what follows.
    around = {depth for number in begun if (depth := _indentation(lines[number])) <= _indentation(last)}
    for depth in sorted(around)[:2]:
        for start in [number for number in begun if _indentation(lines[number]) == depth][:2]:
            before = BLOCK * bool(depth) + "\n".join([*lines[start:], last])
            depths = [_indentation(line) if line.strip() else depth + 1 for line in rest]
            inside = next((number for number, one in enumerate(depths) if one < depth), len(rest))
            level = [number for number, one in enumerate(depths[:inside]) if one == depth]
            for end in (inside, *reversed(level[-2:])):
                yield replace(fill, before=before, after="\n".join([first, *rest[:end], ""]))


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip())
