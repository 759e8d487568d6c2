"""Which language a program is written in, by what only that one has."""

import re

TELLING = {
    "python": r"^\s*(def \w+\(.*|class \w+.*:|from [\w.]+ import |import \w+$|elif .*:|@\w+)|\bself\.|\bNone\b",
    "c": r"^\s*#\s*(include|define|ifdef|endif)|\b(int|void|char|size_t) \*?\w+\(|->\w+",
    "cpp": r"\bstd::|^\s*template ?<|\b(public|private):|\bnullptr\b|#include <\w+>$",
    "rust": r"\bfn \w+|\blet mut\b|\bimpl\b|\bpub (fn|struct|enum)\b|-> Result<|\bmatch \w+ \{",
    "go": r"^\s*func |^package \w+|:= |\bfmt\.\w+|\bchan \w+",
    "javascript": r"\b(const|let|var) \w+ =|=> [{(]?|\bfunction\b.*\{|===|\bconsole\.log",
    "java": r"\bpublic (class|static|void|final)\b|\bSystem\.out\.|^import java|@Override",
    "bash": r"^#!.*sh\b|^\s*(fi|done|esac)$|\$\(|\$\{?\w+|^\$ |\becho ",
    "html": r"</?(div|p|a|span|html|head|body|ul|li|table|script)\b[^>]*>",
    "css": r"^[.#]?[\w-]+ \{$|^\s*[\w-]+: [^;]+;$",
    "json": r'^\s*"[\w-]+": |^\s*[\]}],?$',
    "sql": r"\b(SELECT .* FROM|INSERT INTO|CREATE TABLE|WHERE \w+ =)\b",
    "yaml": r"^\s*- \w+:|^\s*[\w-]+:( \w.*)?$",
}


def language_of(code: str) -> str:
    """Its name as Markdown's fences spell it; empty when nothing tells."""
    told = {name: len(re.findall(telling, code, re.MULTILINE)) for name, telling in TELLING.items()}
    best = max(told, key=lambda name: told[name])
    return best if told[best] else ""
