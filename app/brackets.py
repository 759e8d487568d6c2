"""Which bracket belongs to which."""

import re

from PySide6.QtGui import QTextCursor, QTextDocument

from palimpsest.app.span import stretch
from palimpsest.app.utf16 import units

PAIRS = {"(": ")", "[": "]", "{": "}"}
BACK = {close: open for open, close in PAIRS.items()}
FURTHEST = 100_000  # UTF-16 units that are looked through: it happens at every move of the caret


def pair(caret: QTextCursor) -> list[tuple[int, int]]:
    """The places (UTF-16 units) of the bracket before or behind the caret and of its partner, if there is one."""
    document = caret.document()
    for place in (caret.position() - 1, caret.position()):
        bracket = document.characterAt(place)
        if bracket in PAIRS | BACK:
            partner = _partner(document, place, bracket)
            if partner is not None:
                return [(one, one + 1) for one in sorted((place, partner))]
    return []


def _partner(document: QTextDocument, place: int, bracket: str) -> int | None:
    ahead = bracket in PAIRS
    other = (PAIRS if ahead else BACK)[bracket]
    end = min(place + FURTHEST, document.characterCount() - 1) if ahead else place + 1
    start = place if ahead else max(0, end - FURTHEST)
    text = stretch(document, start, end)
    found = list(re.finditer("[" + re.escape(bracket + other) + "]", text))
    depth = 0
    for one in found if ahead else reversed(found):
        depth += 1 if one[0] == bracket else -1
        if not depth:
            # From the bracket's own end: at the other one a character may be cut in two.
            return start + units(text[: one.start()]) if ahead else end - units(text[one.start() :])
    return None
