"""The languages: which one a file's name tells, how it is lexed, and how it marks comments."""

import re
from fnmatch import fnmatchcase
from functools import cache

from pygments.lexer import Lexer
from pygments.lexers import find_lexer_class_by_name, get_all_lexers

# Where several languages claim a pattern and the first by the alphabet is not the one that is meant most often, and
# what Pygments does not know.
CHOSEN = {
    "*.asm": "nasm",
    "*.bas": "vb.net",
    "*.jsonc": "json",
    "*.m": "objective-c",
    "*.mm": "objective-c++",
    "*.pl": "perl",
    "*.pm": "perl",
    "*.s": "gas",
    "*.sql": "sql",
    "*.t": "perl",
    "*.v": "verilog",
    "*.xsl": "xml",
    "*.xslt": "xml",
}

_COMMENTS = {
    ("//", ""): """c cpp csharp cuda d dart fsharp glsl go groovy hlsl java javascript json json5 jsx kotlin less
        objective-c objective-c++ php protobuf rust scala scss solidity swift systemverilog tsx typescript verilog
        zig""",
    ("--", ""): "ada agda applescript eiffel elm haskell idris lua postgresql sql tsql vhdl",
    ("%", ""): "bibtex erlang matlab octave prolog tex",
    (";", ""): "clojure common-lisp emacs-lisp gas hylang llvm nasm racket scheme",
    ("!", ""): "fortran",
    ("'", ""): "vb.net",
    ('"', ""): "vim",
    ("rem", ""): "batch",
    ("<!--", "-->"): "html markdown vue xml xslt",
    ("/*", "*/"): "css",
    ("(*", "*)"): "ocaml",
}
_MARKS = {language: marks for marks, languages in _COMMENTS.items() for language in languages.split()}


@cache
def _patterns() -> dict[str, str]:
    """The language of every pattern of file names; loads no lexer."""
    found: dict[str, str] = {}
    for _, aliases, patterns, _ in get_all_lexers(plugins=False):
        for pattern in patterns if aliases else ():
            found.setdefault(pattern, aliases[0])
    return found | CHOSEN


@cache
def _names() -> dict[str, str]:
    """The first of the names that every language has."""
    return {name: aliases[0] for _, aliases, _, _ in get_all_lexers(plugins=False) for name in aliases}


def language_of(name: str) -> str:
    """The language of a file with this name, as Pygments calls it; nothing if the name does not tell."""
    patterns = _patterns()
    for tried in dict.fromkeys((name, name.lower())):
        # From the longest suffix to the shortest, as far as it goes without trying all patterns.
        for pattern in (tried, *(f"*{tried[dot.start() :]}" for dot in re.finditer(r"\.", tried))):
            if pattern in patterns:
                return patterns[pattern]
    odd = (pattern for pattern in patterns if re.search(r"[\[?]|[^.]\*|\.\*|\*[^.]", pattern))
    return next((patterns[pattern] for pattern in odd if fnmatchcase(name, pattern)), "")


def called(name: str) -> str:
    """The language that someone calls so, or whose files end so; nothing if there is none."""
    return _names().get(name.lower(), "") or (language_of(f"x.{name}") if name else "")


def lexer(language: str) -> type[Lexer]:
    """The lexer of a language, loaded now."""
    return find_lexer_class_by_name(language)


def comment_marks(language: str) -> tuple[str, str]:
    """What begins and, if anything does, what ends a comment."""
    return _MARKS.get(language, ("#", ""))
