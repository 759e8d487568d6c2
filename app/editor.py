"""The text widget: keys, margins, painting; asks, never decides."""

from collections.abc import Iterable, Iterator
from pathlib import PurePath
from time import monotonic

from PySide6.QtCore import QEvent, QKeyCombination, QLineF, QMimeData, QRect, Qt, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QDragEnterEvent,
    QFocusEvent,
    QFont,
    QInputMethodEvent,
    QKeyEvent,
    QKeySequence,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QPalette,
    QResizeEvent,
    QTextBlock,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextOption,
)
from PySide6.QtWidgets import QPlainTextEdit, QTextEdit, QWidget

from palimpsest.app import brackets, lines
from palimpsest.app.carets import Carets
from palimpsest.app.columns import KEYS, Columns
from palimpsest.app.drafts import DraftLayer, DraftLayout
from palimpsest.app.encoding import clean
from palimpsest.app.folding import Folding
from palimpsest.app.incoming import files, pictures
from palimpsest.app.languages import language_of
from palimpsest.app.margin import Margin
from palimpsest.app.settings import Settings
from palimpsest.app.span import Span, stretch

DRAFTS = {
    QKeyCombination(Qt.Key.Key_Tab),
    QKeyCombination(Qt.Key.Key_Escape),
    QKeyCombination(Qt.KeyboardModifier.ControlModifier, Qt.Key.Key_Right),
    QKeyCombination(Qt.KeyboardModifier.ControlModifier, Qt.Key.Key_Down),
}
LEAST = 5  # points: smaller text cannot be read
SLICE = 0.008  # seconds of putting text in, between which the window lives
PIECE = 10_000  # characters that are put in at once
LONG_LINE = 10_000  # characters: beyond, wrapping at words would make every key take seconds


class Editor(QPlainTextEdit):
    """Shows one document and, over it, a draft."""

    menu_wanted = Signal(QContextMenuEvent)
    pictures_wanted = Signal(list)  # their text is, at the caret: Path or QImage
    painting = Signal()  # the last moment to change how lines in view look

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self._settings, self._bigger, self._indentation = Settings(), 0, ""
        self._document: QTextDocument | None = None  # ours to delete, unlike the one Qt began with
        self._marks: dict[str, list[QTextEdit.ExtraSelection]] = {}
        self.suffix, self.language, self._wraps = "", "", False
        self.carets = Carets(self)  # pyright: ignore[reportArgumentType]  (as in window.py)
        self._columns = Columns(self)  # pyright: ignore[reportArgumentType]  (as in window.py)
        self.folding = Folding(self)  # pyright: ignore[reportArgumentType]  (as in window.py)
        self.margin = Margin(self)  # pyright: ignore[reportArgumentType]  (as in window.py)
        self.cursorPositionChanged.connect(self._mark_caret)
        self.put("")

    def put(self, text: str) -> None:
        """Show ``text`` in a fresh document without history."""
        for _ in self.putting(text):
            pass

    def putting(self, text: str) -> Iterator[float]:
        """The same in slices of a few milliseconds; yields after each the share that is done."""
        document = QTextDocument(self)
        layout = DraftLayout(document)
        document.setDocumentLayout(layout)
        document.setDefaultFont(self.font())
        document.setUndoRedoEnabled(False)
        before, self._document = self._document, document
        self._marks, self.carets.others = {}, []
        self.setDocument(document)
        if before:
            before.deleteLater()
        self.drafts = DraftLayer(self, layout)
        # What lays all lines out anew is set while there are none.
        long = lines.longer(text, LONG_LINE)
        mode = QTextOption.WrapMode.WrapAnywhere if long else QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere
        self.setWordWrapMode(mode)
        self._fit()
        end, at = QTextCursor(document), 0
        while at < len(text):
            until = monotonic() + SLICE
            while at < len(text) and monotonic() < until:
                # Never a part of a line: Qt would lay out all of it for each.
                rest = text.find("\n", at + PIECE) + 1 or len(text)
                end.insertText(text[at:rest])
                at = rest
            yield at / len(text)
        self.moveCursor(QTextCursor.MoveOperation.Start)
        document.setUndoRedoEnabled(True)
        document.setModified(False)
        self.folding.watch()
        self._indentation = lines.indentation(text)
        self._mark_caret()

    def suit(self, name: str) -> None:
        """Wrap, indent and comment lines as in a file of that name."""
        self.suffix, self.language = PurePath(name).suffix.lower(), language_of(name)
        self._wrap()

    def use(self, settings: Settings, bigger: int = 0) -> None:
        """Look as these settings say, with text so many points bigger."""
        changed, self._settings, self._bigger = settings.wrap != self._settings.wrap, settings, bigger
        if changed:
            self._wrap()
        else:
            self._fit()

    def toggle_wrap(self) -> None:
        """Break long lines at the window's edge, or no longer."""
        self._wraps = not self._wraps
        self._fit()

    @property
    def indentation(self) -> str:
        """What one level is indented with: as the file has it, or else as the settings say."""
        return self._indentation or ("\t" if self._settings.tabs else " " * self._settings.indent)

    @property
    def prose(self) -> bool:
        """Is it text for people, by its name?"""
        return self.suffix in lines.PROSE - {""}

    def _wrap(self) -> None:
        self._wraps = {"prose": self.prose, "all files": True, "no file": False}[self._settings.wrap]
        self._fit()

    def _fit(self) -> None:
        """Lay the text out as settings and name ask for."""
        settings, shown = self._settings, self.document()
        font = QFont(
            settings.prose_font if self.prose else settings.code_font, max(LEAST, settings.font_size + self._bigger)
        )
        font.setStyleHint(QFont.StyleHint.Serif if self.prose else QFont.StyleHint.Monospace)
        self.setFont(font)
        if shown.defaultFont() != font:
            shown.setDefaultFont(font)  # lays all lines out anew, as the options do
        self.setLineWrapMode(self.LineWrapMode.WidgetWidth if self._wraps else self.LineWrapMode.NoWrap)
        option, tab = shown.defaultTextOption(), 4 * self.fontMetrics().horizontalAdvance(" ")
        flags = QTextOption.Flag.ShowTabsAndSpaces if settings.white_space else QTextOption.Flag(0)
        itself = Qt.LayoutDirection.LayoutDirectionAuto  # each paragraph as its letters ask for
        if (option.flags(), option.tabStopDistance(), option.textDirection()) != (flags, tab, itself):
            option.setFlags(flags)
            option.setTextDirection(itself)
            option.setTabStopDistance(tab)
            shown.setDefaultTextOption(option)
        self.margin.setVisible(settings.line_numbers)
        self.margin.fit()
        self.drafts.refresh()

    def text(self) -> str:
        """The whole text with ``\n`` line ends, no-break spaces kept."""
        return stretch(self.document(), 0, self.document().characterCount() - 1)

    def change(self, edits: Iterable[tuple[int, int, str]]) -> None:
        """Put texts in place of stretches (UTF-16 units), from the last to the first, as one undo step."""
        cursor = QTextCursor(self.document())
        cursor.beginEditBlock()
        for start, end, text in edits:
            cursor.setPosition(start)
            cursor.setPosition(end, QTextCursor.MoveMode.KeepAnchor)
            cursor.insertText(text)
        cursor.endEditBlock()

    def mark(self, kind: str, places: Iterable[tuple[int, int]], look: QTextCharFormat) -> None:
        """Give these stretches (UTF-16 units) a look, in place of those of the same ``kind``; not part of the text."""
        self._marks[kind] = marks = []
        for start, end in places:
            mark = QTextEdit.ExtraSelection()
            mark.cursor = Span(self.document(), start, end).cursor()
            mark.format = look
            marks.append(mark)
        self.setExtraSelections([mark for kind in self._marks.values() for mark in kind])

    def visible(self, within: QRect | None = None) -> Iterator[tuple[QTextBlock, float]]:
        """The lines in view, or those that reach into a part of it, each with where it begins in the viewport."""
        view = within or self.viewport().rect()
        block, layout = self.firstVisibleBlock(), self.document().documentLayout()
        top = self.blockBoundingGeometry(block).top() + self.contentOffset().y()
        while block.isValid() and top <= view.bottom():
            below = top + layout.blockBoundingRect(block).height()
            if below >= view.top():
                yield block, top
            block, top = self.folding.after(block), below

    def selection(self) -> Span:
        """The selected stretch, or the empty one at the caret."""
        cursor = self.textCursor()
        return Span(self.document(), cursor.selectionStart(), cursor.selectionEnd())

    def event(self, event: QEvent) -> bool:
        # While a draft is shown, some keys are its, not the text's.
        if (
            isinstance(event, QKeyEvent)
            and event.type() == QEvent.Type.ShortcutOverride
            and event.keyCombination() in DRAFTS
            and self.drafts.shown is not None
        ):
            event.ignore()
            return True
        return super().event(event)

    def peek(self) -> None:
        """Show what stands in the text, where drafts are shown, until the key is let go."""
        self.drafts.peek(True)

    def keyReleaseEvent(self, event: QKeyEvent) -> None:
        if not event.isAutoRepeat():
            self.drafts.peek(False)
        super().keyReleaseEvent(event)

    def focusOutEvent(self, event: QFocusEvent) -> None:
        self.drafts.peek(False)
        super().focusOutEvent(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._columns.press(event):
            return
        if not self.carets.press(event, lambda: self._press(event)):
            self._press(event)

    def _press(self, event: QKeyEvent) -> None:
        if event.matches(QKeySequence.StandardKey.InsertLineSeparator):
            # Qt would insert U+2028, which no text file means.
            self.textCursor().insertBlock()
            self.ensureCursorVisible()
        elif not lines.press(self, event):  # pyright: ignore[reportArgumentType]  (as in window.py)
            super().keyPressEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.modifiers() == Qt.KeyboardModifier.AltModifier and event.button() == Qt.MouseButton.LeftButton:
            self.carets.add(self.cursorForPosition(event.position().toPoint()))
            return
        if event.modifiers() == KEYS and event.button() == Qt.MouseButton.LeftButton:
            self._columns.begin(event.position().toPoint())
            return
        if event.button() == Qt.MouseButton.LeftButton:
            self.carets.clear()
        super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.modifiers() == KEYS and event.buttons() == Qt.MouseButton.LeftButton:
            self._columns.reach(event.position().toPoint())
        else:
            super().mouseMoveEvent(event)

    def inputMethodEvent(self, event: QInputMethodEvent) -> None:
        composed = event.commitString()
        if composed and self.carets.others:
            self.carets.insert(composed)
            event.setCommitString("")
        super().inputMethodEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if files(event.mimeData()) and not pictures(event.mimeData()):
            event.ignore()  # they are for the window
        else:
            super().dragEnterEvent(event)

    def canInsertFromMimeData(self, source: QMimeData) -> bool:
        return bool(pictures(source)) or super().canInsertFromMimeData(source)

    def insertFromMimeData(self, source: QMimeData) -> None:
        if found := pictures(source):
            self.pictures_wanted.emit(found)
            return
        self.carets.insert(clean(source.text()))
        self.ensureCursorVisible()

    def copy(self) -> None:
        """Copy what is selected, at all carets."""
        if self.carets.others:
            self.carets.copy()
        else:
            super().copy()

    def cut(self) -> None:
        """Cut what is selected, at all carets."""
        if self.carets.others:
            self.carets.cut()
        else:
            super().cut()

    def paintEvent(self, event: QPaintEvent) -> None:
        self.painting.emit()
        super().paintEvent(event)
        painter = QPainter(self.viewport())
        if self._settings.ruler and not self.prose:
            painter.setPen(self.palette().color(QPalette.ColorRole.Mid))
            across = self.contentOffset().x() + self.document().documentMargin()
            across += self._settings.ruler * self.fontMetrics().horizontalAdvance(" ")
            painter.drawLine(QLineF(across, event.rect().top(), across, event.rect().bottom()))
        self.folding.paint(painter, event.rect())
        self.carets.paint(painter)
        self.drafts.paint(painter)
        painter.end()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange and self._document:
            self._mark_caret()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self.margin.fit()
        self.drafts.refresh()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        if not self.textCursor().hasSelection():
            self.setTextCursor(self.cursorForPosition(event.pos()))
        self.menu_wanted.emit(event)

    def _mark_caret(self) -> None:
        """Show the caret's line, and the brackets there."""
        caret, ink = self.textCursor(), self.palette().color(QPalette.ColorRole.Text)
        line, bracket = QTextCharFormat(), QTextCharFormat()
        line.setProperty(QTextCharFormat.Property.FullWidthSelection, True)
        for look, share in ((line, 0.05), (bracket, 0.2)):
            ink.setAlphaF(share)
            look.setBackground(ink)
        self.mark("line", [(caret.position(), caret.position())], line)
        self.mark("brackets", brackets.pair(caret), bracket)
