"""The draft layer: shows drafts where they will stand, without touching the document.

The lines that hold holes are painted over by the lines as they would be, and the layout makes room for those that are
more, so following lines move down. Undo, search, saving and everything else that reads the document know nothing of it.
"""

from collections.abc import Iterator, Sequence

from PySide6.QtCore import QPointF, QRectF, QSizeF, Qt
from PySide6.QtGui import QPainter, QPalette, QTextBlock, QTextDocument, QTextLayout, QTextOption
from PySide6.QtWidgets import QPlainTextDocumentLayout, QPlainTextEdit

from palimpsest.app.hunks import Range
from palimpsest.app.patch import Patch, Shown
from palimpsest.app.span import Span

LINE = 2  # pixels: the height of the line that tells how far a fill is


class DraftLayout(QPlainTextDocumentLayout):
    """A plain-text layout in which blocks may be taller than their text."""

    def __init__(self, document: QTextDocument):
        super().__init__(document)
        self.more: dict[int, float] = {}  # the room below a block's own lines, by the block's number
        self.least_width = 0.0
        self.editing = False  # keys are pressed inside of an edit: Qt tells of no change before its end
        self._behind = -1  # where what an edit added ends, and what it removed was
        document.contentsChange.connect(self._edited)

    def documentSize(self) -> QSizeF:
        size = super().documentSize()
        return QSizeF(max(size.width(), self.least_width), size.height())

    def blockBoundingRect(self, block: QTextBlock) -> QRectF:
        if self.editing and not _fresh(block):
            block.clearLayout()
        rect = super().blockBoundingRect(block)
        if block.textDirection() == Qt.LayoutDirection.RightToLeft:
            _align(block.layout())
        if self.more:
            rect.setHeight(rect.height() + self.more.get(block.blockNumber(), 0.0))
        return rect

    def documentChanged(self, position: int, _removed: int, added: int) -> None:
        # Qt lays out as much again as was removed, and so two lines, and paints all, where one gets other colours.
        last = max(position + added - 1, self._behind)
        self._behind = -1
        super().documentChanged(position, 0, last - position + 1)

    def _edited(self, position: int, _removed: int, added: int) -> None:
        self._behind = position + added

    def own_height(self, block: QTextBlock) -> float:
        """The height of the block's text alone."""
        return super().blockBoundingRect(block).height()

    def changed(self) -> None:
        """Tell the view that heights are different now."""
        self.documentSizeChanged.emit(self.documentSize())
        self.update.emit()


def _fresh(block: QTextBlock) -> bool:
    """Do the block's rows hold its text as it is? Qt shows a caret by rows that do not, and crashes."""
    layout = block.layout()
    if not layout.lineCount():
        return True
    last = layout.lineAt(layout.lineCount() - 1)
    return last.textStart() + last.textLength() == block.length() - 1


def _align(layout: QTextLayout) -> None:
    """Let lines that are read from the right begin there, if they are as wide as the window; Qt does not."""
    option = layout.textOption()
    wraps = option.wrapMode() != QTextOption.WrapMode.NoWrap
    if wraps and option.alignment() != Qt.AlignmentFlag.AlignRight:
        option.setAlignment(Qt.AlignmentFlag.AlignRight)
        layout.setTextOption(option)


class DraftLayer:
    """Paints the drafts of one fill into an editor whose document has a DraftLayout."""

    def __init__(self, editor: QPlainTextEdit, layout: DraftLayout):
        self._editor, self.layout = editor, layout
        self._holes: list[Shown] = []
        self._progress: float | None = None
        self._patches: list[Patch] = []
        self._taken: tuple[list[list[int]], dict[int, float], float] = [], {}, 0.0  # lines, room and width as laid out
        self._peeking = False

    @property
    def shown(self) -> str | None:
        """The draft on screen, its holes line by line, or None."""
        return "\n".join(hole.text for hole in self._holes) if self._holes else None

    @property
    def spans(self) -> list[Span]:
        """Where drafts are shown."""
        return [hole.span for hole in self._holes]

    def laid_out_anew(self) -> None:
        """Other lines than before are hidden."""
        self.refresh()
        self.layout.changed()

    def show(self, holes: Sequence[Shown], progress: float | None = None) -> None:
        """Show each draft in place of its span; ``progress``, from 0 to 1, is that of a fill that goes on: while it
        does, lines that have moved down stay there."""
        if self._progress is None or len(holes) != len(self._holes):
            self.layout.more = {}
        self._holes, self._progress = list(holes), progress
        self.refresh()

    def clear(self) -> None:
        """Show the document as it is."""
        self._holes, self._patches, self._taken, self._peeking = [], [], ([], {}, 0.0), False
        self._progress = None
        self.layout.more, self.layout.least_width = {}, 0.0
        self.layout.changed()

    def peek(self, peeking: bool) -> None:
        """Show what stands in the document, where the drafts are, or the drafts again."""
        if peeking != self._peeking:
            self._peeking = peeking
            self._editor.viewport().update()

    def refresh(self) -> None:
        """Lay the drafts out again, after a change of the text around them or of the editor's width."""
        if not self._holes:
            return
        self._patches = [Patch(self._editor, blocks, holes) for blocks, holes in self._groups()]
        margin = self._editor.document().documentMargin()
        self.layout.least_width = max(patch.width for patch in self._patches) + 2 * margin
        before, more = self.layout.more if self._progress is not None else {}, {}
        for patch in self._patches:
            own = sum(map(self.layout.own_height, patch.blocks))
            last = next(
                (block for block in reversed(patch.blocks) if block.isVisible()), patch.blocks[-1]
            ).blockNumber()
            more[last] = max(0.0, patch.height - own, before.get(last, 0.0))
        self.layout.more = more
        lines = [[block.blockNumber() for block in patch.blocks] for patch in self._patches]
        before, self._taken = self._taken, (lines, more, self.layout.documentSize().width())
        if self._taken != before:
            self.layout.changed()
            return
        for patch in self._patches:
            for block in patch.blocks:
                self.layout.updateBlock.emit(block)

    def paint(self, painter: QPainter) -> None:
        """Paint over the holes' lines; called after the editor has painted its own."""
        if self._peeking:
            return
        palette, view = self._editor.palette(), self._editor.viewport().rect()
        for patch in self._patches:
            top = self._top(patch.blocks[0])
            height = sum(self.layout.blockBoundingRect(block).height() for block in patch.blocks)
            if top > view.bottom() or top + height < view.top():
                continue
            ground = QRectF(view.left(), top, view.width(), height)
            painter.fillRect(ground, palette.color(QPalette.ColorRole.Base))
            painter.setPen(palette.color(QPalette.ColorRole.Text))
            patch.draw(painter, QPointF(self._editor.contentOffset().x(), top))
            self._paint_caret(painter, patch, top)
            if self._progress is not None:
                done = QRectF(ground.left(), top + height - LINE, ground.width() * self._progress, LINE)
                painter.fillRect(done, palette.color(QPalette.ColorRole.Highlight))

    def hit(self, point: QPointF) -> tuple[int, int] | None:
        """The hole and the character of its draft at a point of the viewport; None where there is none."""
        for patch in () if self._peeking else self._patches:
            inside = point - QPointF(self._editor.contentOffset().x(), self._top(patch.blocks[0]))
            if found := patch.hit(inside):
                return found
        return None

    def place(self, hole: int, index: int) -> QRectF:
        """Where a character of a hole's draft stands in the viewport, or would."""
        patch = next(patch for patch in self._patches if patch.holds(hole))
        offset = QPointF(self._editor.contentOffset().x(), self._top(patch.blocks[0]))
        return patch.place(hole, index).translated(offset)

    def changes(self) -> Iterator[tuple[QRectF, int, Range]]:
        """Where each changed stretch begins in the viewport, with its hole and its characters."""
        for number, hole in enumerate(() if self._peeking else self._holes):
            for start, end in hole.changed:
                yield self.place(number, start), number, (start, end)

    def _paint_caret(self, painter: QPainter, patch: Patch, top: float) -> None:
        place = patch.caret(self._editor.textCursor().position()) if self._editor.hasFocus() else None
        if place and self._editor.textCursor().block() in patch.blocks:
            place.translate(self._editor.contentOffset().x(), top)
            place.setWidth(self._editor.cursorWidth())
            painter.fillRect(place, self._editor.palette().color(QPalette.ColorRole.Text))

    def _top(self, block: QTextBlock) -> float:
        """Where the block begins on screen; far above it, Qt's own geometry gives up."""
        visible = self._editor.firstVisibleBlock()
        if visible.blockNumber() < block.blockNumber():
            visible = block
        top = self._editor.blockBoundingGeometry(visible).translated(self._editor.contentOffset()).top()
        while visible != block:
            visible = visible.previous()
            top -= self.layout.blockBoundingRect(visible).height()
        return top

    def _groups(self) -> list[tuple[list[QTextBlock], list[tuple[int, Shown]]]]:
        """The holes with their lines; those that share a line are together."""
        document = self._editor.document()
        groups: list[tuple[list[QTextBlock], list[tuple[int, Shown]]]] = []
        for number, hole in enumerate(self._holes):
            first, last = document.findBlock(hole.span.start), document.findBlock(hole.span.end)
            if not groups or groups[-1][0][-1] != first:
                groups.append(([first], []))
            blocks, holes = groups[-1]
            holes.append((number, hole))
            while blocks[-1] != last:
                blocks.append(blocks[-1].next())
        return groups
