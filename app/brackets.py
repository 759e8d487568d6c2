"""Which bracket belongs to which."""

from PySide6.QtGui import QTextCursor

PAIRS = {"(": ")", "[": "]", "{": "}"}
BACK = {close: open for open, close in PAIRS.items()}
FURTHEST = 1000  # lines that are looked through: it happens at every move of the caret


def pair(caret: QTextCursor) -> list[tuple[int, int]]:
    """The places (UTF-16 units) of the bracket before or behind the caret and of its partner, if there is one."""
    block, at = caret.block(), caret.positionInBlock()
    text = _utf16(block.text())
    for place in (at - 1, at):
        if 0 <= place < len(text) and (bracket := text[place]) in (PAIRS | BACK):
            partner = _partner(block, place, bracket)
            if partner is not None:
                return [(one, one + 1) for one in sorted((block.position() + place, partner))]
    return []


def _partner(block, place: int, bracket: str) -> int | None:
    ahead = bracket in PAIRS
    other = (PAIRS if ahead else BACK)[bracket]
    depth = 0
    for _ in range(FURTHEST):
        text = _utf16(block.text())
        places = range(place, len(text)) if ahead else range(len(text) - 1 if place < 0 else place, -1, -1)
        for index in places:
            depth += (text[index] == bracket) - (text[index] == other)
            if not depth:
                return block.position() + index
        block, place = (block.next(), 0) if ahead else (block.previous(), -1)
        if not block.isValid():
            break
    return None


def _utf16(text: str) -> str:
    """The text with two characters for each that Qt counts as two."""
    return text if text.isascii() else "".join(one if one <= "\uffff" else "\ufffd\ufffd" for one in text)
