"""What is done to whole lines: moved, copied, indented, commented; and how a new one begins."""

import re
from collections import Counter
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtGui import QKeyEvent, QKeySequence, QTextBlock, QTextCursor

from palimpsest.app.languages import comment_marks
from palimpsest.app.span import stretch
from palimpsest.app.utf16 import units

if TYPE_CHECKING:
    from palimpsest.app.editor import Editor

PROSE = {"", ".md", ".markdown", ".txt", ".rst"}
SAMPLE = 100_000  # characters that the file's indentation is told from
ITEM = re.compile(r"(\s*)(?:([-*+])|(\d+)([.)]))(\s+)(\[[ xX]\]\s+)?")


def indentation(text: str) -> str:
    """What one level of the text is indented with: the step between lines seen most often; nothing if there is none."""
    steps: Counter[str] = Counter()
    before = 0
    for line in text[:SAMPLE].split("\n"):
        if line.startswith("\t"):
            steps["\t"] += 1
        elif line.strip():
            blanks = len(line) - len(line.lstrip(" "))
            if blanks - before in (2, 3, 4, 8):
                steps[" " * (blanks - before)] += 1
            before = blanks
    return steps.most_common(1)[0][0] if steps else ""


def longer(text: str, length: int) -> bool:
    """Has the text a line with more characters than that?"""
    start = 0
    while len(text) - start > length:
        end = text.rfind("\n", start, start + length + 1)
        if end < 0:
            return True
        start = end + 1
    return False


def touched(editor: "Editor") -> list[QTextBlock]:
    """The lines that the selection is in; one that it only reaches the start of is not."""
    caret, document = editor.textCursor(), editor.document()
    block, last = document.findBlock(caret.selectionStart()), document.findBlock(caret.selectionEnd())
    if block != last and caret.selectionEnd() == last.position():
        last = last.previous()
    blocks = [block]
    while block != last:
        block = block.next()
        blocks.append(block)
    return blocks


def move(editor: "Editor", down: bool) -> None:
    """Let the selected lines and the one below, or above, change places."""
    start, end = _ends(blocks := touched(editor))
    beside = blocks[-1].next() if down else blocks[0].previous()
    if not beside.isValid():
        return
    other, width = beside.text(), beside.length()
    if down:
        edits = [(end, end + width, ""), (start, start, other + "\n")]
    else:
        edits = [(end, end, "\n" + other), (start - width, start, "")]
    _shift(editor, edits, width if down else -width)


def duplicate(editor: "Editor") -> None:
    """Put a copy below the selected lines, and go there."""
    start, end = _ends(touched(editor))
    _shift(editor, [(end, end, "\n" + stretch(editor.document(), start, end))], end - start + 1)


def indent(editor: "Editor") -> None:
    """Indent the selected lines by one level."""
    edits = [(block.position(), block.position(), editor.indentation) for block in touched(editor) if block.text()]
    _reselect(editor, edits)


def dedent(editor: "Editor") -> None:
    """Take one level of indentation from the selected lines."""
    level = len(editor.indentation.expandtabs(4))
    edits = []
    for block in touched(editor):
        found = re.match(rf"\t| {{1,{level}}}", block.text())
        if found:
            edits.append((block.position(), block.position() + found.end(), ""))
    _reselect(editor, edits)


def toggle_comments(editor: "Editor") -> None:
    """Make comments of the selected lines, or text again if all of them are comments."""
    mark, end = comment_marks(editor.language)
    blocks = [block for block in touched(editor) if block.text().strip()]
    depths = [len(block.text()) - len(block.text().lstrip()) for block in blocks]
    if all(_commented(block.text(), mark, end) for block in blocks):
        edits = []
        for block, depth in zip(blocks, depths, strict=True):
            start, last = block.position() + depth, block.position() + units(block.text().rstrip())
            blank = block.text().startswith(" ", depth + len(mark))
            edits.append((start, start + len(mark) + blank, ""))
            if end:
                blank = block.text().rstrip().removesuffix(end).endswith(" ")
                edits.append((last - len(end) - blank, last, ""))
    else:
        edits = []
        for block in blocks:
            start, last = block.position() + min(depths), block.position() + block.length() - 1
            edits.append((start, start, mark + " "))
            if end:
                edits.append((last, last, " " + end))
    _reselect(editor, edits)


def _commented(line: str, mark: str, end: str) -> bool:
    line = line.strip()
    return line.startswith(mark) and line.endswith(end) and len(line) >= len(mark + end)


def begin_line(editor: "Editor") -> None:
    """Begin a new line at the caret, indented as the one before, or deeper, or as the next item of a list."""
    caret = editor.textCursor()
    start = caret.selectionStart()
    block = editor.document().findBlock(start)
    before = stretch(editor.document(), block.position(), start)
    item = ITEM.match(before) if editor.suffix in PROSE else None
    caret.beginEditBlock()
    if item and item.end() == len(before) and not caret.hasSelection() and caret.atBlockEnd():
        # An item with nothing in it ends the list.
        caret.movePosition(QTextCursor.MoveOperation.StartOfBlock, QTextCursor.MoveMode.KeepAnchor)
        caret.removeSelectedText()
    else:
        caret.insertText("\n" + (_next_item(item) if item else _indented(editor, before)))
    caret.endEditBlock()
    editor.setTextCursor(caret)
    editor.ensureCursorVisible()


def press(editor: "Editor", event: QKeyEvent) -> bool:
    """Was it a key that begins, indents or dedents lines? If so, it is done."""
    if event.matches(QKeySequence.StandardKey.InsertParagraphSeparator):
        begin_line(editor)
    elif event.key() == Qt.Key.Key_Backtab:
        dedent(editor)
    elif event.key() == Qt.Key.Key_Tab and not event.modifiers():
        if len(touched(editor)) > 1:
            indent(editor)
        else:
            editor.insertPlainText(_to_next_stop(editor))
    else:
        return False
    return True


def _to_next_stop(editor: "Editor") -> str:
    if editor.indentation == "\t":
        return "\t"
    caret = editor.textCursor()
    column = caret.selectionStart() - editor.document().findBlock(caret.selectionStart()).position()
    width = len(editor.indentation)
    return " " * (width - column % width)


def _next_item(item: re.Match[str]) -> str:
    blanks, mark, number, dot, gap, box = item.groups()
    return blanks + (mark or f"{int(number) + 1}{dot}") + gap + ("[ ] " if box else "")


def _indented(editor: "Editor", before: str) -> str:
    blanks = before[: len(before) - len(before.lstrip())]
    opens = before.rstrip()[-1:] in ("(", "[", "{") or (
        editor.suffix in {".py", ".pyi", ".pyw"} and before.rstrip().endswith(":")
    )
    return blanks + editor.indentation if opens and editor.suffix not in PROSE else blanks


def _ends(blocks: list[QTextBlock]) -> tuple[int, int]:
    return blocks[0].position(), blocks[-1].position() + blocks[-1].length() - 1


def _shift(editor: "Editor", edits: list[tuple[int, int, str]], by: int) -> None:
    """Make the edits, and select what was selected, so much further on."""
    caret = editor.textCursor()
    anchor, position = caret.anchor() + by, caret.position() + by
    editor.change(edits)
    end = editor.document().characterCount() - 1  # the selection may have ended behind a line's end that is none now
    _select(editor, min(anchor, end), min(position, end))
    editor.ensureCursorVisible()


def _reselect(editor: "Editor", edits: list[tuple[int, int, str]]) -> None:
    """Make the edits, which come first to last; the same lines stay selected."""
    selected, blocks = editor.textCursor().hasSelection(), touched(editor)
    editor.change(reversed(edits))
    if selected:
        _select(editor, *_ends(blocks))


def _select(editor: "Editor", anchor: int, position: int) -> None:
    caret = editor.textCursor()
    caret.setPosition(anchor)
    caret.setPosition(position, QTextCursor.MoveMode.KeepAnchor)
    editor.setTextCursor(caret)
