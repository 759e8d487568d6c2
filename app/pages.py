"""The open files as tabs: opening, saving, closing them, and what happens to them on the disk."""

import asyncio
import functools
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QContextMenuEvent
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QInputDialog,
    QMessageBox,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from palimpsest.app import document, recent
from palimpsest.app.document import DocumentError, stamp
from palimpsest.app.editor import LEAST
from palimpsest.app.encoding import ENCODINGS, Text, clean, label
from palimpsest.app.highlight import lines_for
from palimpsest.app.languages import language_of
from palimpsest.app.opening import Coming, coming
from palimpsest.app.page import Page
from palimpsest.app.recovery import Recovery
from palimpsest.app.resume import Desk, Place
from palimpsest.app.settings import Settings
from palimpsest.app.spelling import Speller
from palimpsest.app.tabs import Tabs
from palimpsest.app.tasks import started
from palimpsest.app.watch import DiskWatch
from palimpsest.engine.language import tr

LINE_ENDS = {tr("LF (Unix, macOS)"): "\n", tr("CRLF (Windows)"): "\r\n", tr("CR (old Macintosh)"): "\r"}


class Pages(Tabs):
    """All open files, at least one."""

    told = Signal(str)  # something about a file, for the user
    changed = Signal(Page)  # its title, its state or that it is in front
    menu_wanted = Signal(QContextMenuEvent)
    pictures_wanted = Signal(Page, list)  # their text is, at the page's caret: Path or QImage
    edited = Signal()  # the text of any page
    selected = Signal()  # something else, in any page
    moved = Signal()  # the caret, in any page
    scrolled = Signal()
    folder_wanted = Signal(Path)  # a folder was named where a file might be
    opening = Signal(object, object)  # Coming, how far a big file is, and its editor; None when it is there or let be

    def __init__(self, recovery: Recovery | None = None, parent: QWidget | None = None):
        super().__init__(parent)
        self.recovery = recovery or Recovery()
        self._settings, self._bigger = Settings(), 0  # points
        self._speller = Speller()
        self._closed: list[Path] = []  # the last one last
        self._watch = DiskWatch(self)
        self._big = asyncio.Lock()  # one big file is put in at a time
        self._watch.changed.connect(self._changed_on_disk)
        self.new()
        self.switched.connect(lambda: self.changed.emit(self.page))
        self.close_wanted.connect(self.close_page)

    def unsaved(self, folder: Path) -> dict[Path, str]:
        """The texts of the files in ``folder`` that are not saved."""
        pages = {page.path: page for page in self.all if page.path and page.modified}
        return {path: page.editor.text() for path, page in pages.items() if path.is_relative_to(folder)}

    def check(self) -> None:
        """Look for changes on disks that send no notices."""
        self._watch.check()

    def new(self) -> Page:
        """Add an empty page and show it."""
        page = self._blank()
        self._adopt(page)
        return page

    def _blank(self) -> Page:
        page = Page(self.recovery, self._speller)
        page.editor.use(self._settings, self._bigger)
        return page

    def _adopt(self, page: Page) -> None:
        """Add a page and show it."""
        editor = page.editor
        editor.use(self._settings, self._bigger)
        page.misspellings.use(self._settings.spelling)
        page.misspellings.told.connect(self.told)
        editor.menu_wanted.connect(self.menu_wanted)
        editor.pictures_wanted.connect(lambda found: self.pictures_wanted.emit(page, found))
        editor.textChanged.connect(self.edited)
        editor.selectionChanged.connect(self.selected)
        editor.cursorPositionChanged.connect(self.moved)
        editor.verticalScrollBar().valueChanged.connect(lambda _value: self.scrolled.emit())
        for signal in (page.changed, editor.copyAvailable, editor.undoAvailable, editor.redoAvailable):
            signal.connect(lambda _state=None: self._dress(page))
        self.add(page)
        self._dress(page)
        page.setFocus()

    def ask_open(self) -> None:
        names, _ = QFileDialog.getOpenFileNames(self, tr("Open"), str(self.page.path.parent) if self.page.path else "")
        for name in names:
            self.open(Path(name))

    @started
    async def open(self, path: Path, line: int = 0, column: int = 1) -> Page | None:
        """Show the file, in the page that has it already, in an untouched one or in a new one; a file that is not there
        yet begins empty. When it cannot be read, say why and change nothing. A folder is handed on."""
        if page := await self._open(path.absolute(), line, column):
            recent.add(path.absolute())
        return page

    async def _open(self, path: Path, line: int, column: int) -> Page | None:
        if path.is_dir():
            self.folder_wanted.emit(path)
            return None
        if not self._page_of(path) and not await self._read(path, line):
            return None
        page = self._page_of(path) or self.page
        self.show_page(page)
        if line:
            page.go_to(line, column)
        return page

    async def _read(self, path: Path, line: int) -> bool:
        """Read a file into a page; False when that cannot be, or the user did not want to wait."""
        missing = not path.exists() and path.parent.is_dir()
        before = stamp(path)
        try:
            told = await asyncio.to_thread(coming, path, line)
            async with self._big if told else nullcontext():
                file = await self._put(path, missing, told)
        except DocumentError as error:
            self.told.emit(str(error))
            return False
        if file is None:
            return False
        if stamp(path) != before:
            self._changed_on_disk(path)
        if missing:
            self.told.emit(tr("{name} is a new file; saving makes it", name=path.name))
        elif file.guessed:
            name = label(file.encoding)
            self.told.emit(tr("Read as {name}; if it looks wrong, File ▸ Reopen with encoding…", name=name))
        return True

    async def _put(self, path: Path, missing: bool, told: Coming | None) -> Text | None:
        """Put a file's text into a page, which is shown when it is whole; None when the user did not want to wait.
        Raises DocumentError."""
        page = self._blank()
        try:
            if told:
                page.editor.suit(path.name)  # what is seen of it meanwhile looks as it will
                self.opening.emit(told, page.editor)
            file = Text("") if missing else await asyncio.to_thread(document.load, path)
            await asyncio.to_thread(lines_for, language_of(path.name))  # a lexer may take a while to load
            for share in page.showing(file, path):
                if told:
                    told.share = share
                    self.opening.emit(told, page.editor)
                await asyncio.sleep(0)
                if told and told.unwanted:
                    page.deleteLater()
                    return None
        except DocumentError:
            page.deleteLater()
            raise
        finally:
            if told:
                self.opening.emit(None, page.editor)
        self._take_in(page, path)
        return file

    @started
    async def rescue(self) -> None:
        """Show what was not saved when the editor ended without being told to."""
        for rescued in await asyncio.to_thread(self.recovery.left):
            page = await self.open(rescued.path) if rescued.path and rescued.path.exists() else None
            if page is None:
                page = self.page if self.page.untouched else self.new()
                page.show_text(rescued.file.holds(""), rescued.path)
            page.restore(rescued)
            self.recovery.drop(rescued.journal)

    def close_all(self) -> bool:
        """Let all pages go, after asking about unsaved changes."""
        if not all(self.may_leave(page) for page in self.all):
            return False
        self.let_go()
        return True

    def let_go(self) -> None:
        """The window closes, whatever was saved."""
        for page in self.all:
            page.let_go()
        self.recovery.close()

    @started
    async def open_for(self, places: list[Place], closed: Callable[[], object] | None = None) -> None:
        """Open files for another start of the editor, and come to the front; ``closed()`` when none of them is open."""
        pages = [await self.open(Path(place.path), place.line, place.column) for place in places]
        self.window().show()
        self.window().raise_()
        self.window().activateWindow()
        waiting = {page for page in self.all if page in pages}  # not closed already

        def one_less(page: Page) -> None:
            waiting.discard(page)
            if not waiting and closed:
                closed()

        for page in waiting:
            page.closed.connect(functools.partial(one_less, page))
        if not waiting and closed:
            closed()

    def desk(self, geometry: str, folder: str = "", docks: str = "") -> Desk:
        """What is open now."""
        files = [page for page in self.all if page.path]
        front = files.index(self.page) if self.page in files else 0
        aside = sum(page in files for page in self.aside)
        return Desk([page.place for page in files], front, geometry, folder, aside, docks)

    @started
    async def begin(self, desk: Desk, places: list[Place], typed: str) -> None:
        """Show what was asked for at the start, else what was open last; and what was not saved."""
        for place in places:
            await self.open(Path(place.path), place.line, place.column)
        for place in [] if places else desk.places:
            if await asyncio.to_thread(Path(place.path).is_file):
                await self._open(Path(place.path), place.line, place.column)
        for place in [] if places else desk.places[len(desk.places) - desk.aside :]:
            if page := self._page_of(Path(place.path)):
                self.change_side(page)
        if not places and desk.folder and Path(desk.folder).is_dir():
            self.folder_wanted.emit(Path(desk.folder))
        if not places and desk.front < len(desk.places):
            self.show_page(self._page_of(Path(desk.places[desk.front].path)) or self.page)
        if typed:
            (self.page if self.page.untouched else self.new()).editor.insertPlainText(clean(typed))
        await self.rescue()

    def _take_in(self, page: Page, path: Path) -> None:
        """Show a file's page in place of an untouched one."""
        if self._page_of(path):  # it may have been opened twice while it was read
            page.deleteLater()
            return
        untouched = self.page if self.page.untouched else None
        self._adopt(page)
        if untouched:
            self.remove(untouched)
            untouched.let_go()
            untouched.deleteLater()
        self._watch.expect(path)

    def _page_of(self, path: Path) -> Page | None:
        return next((page for page in self.all if page.path and _same(page.path, path)), None)

    def follow(self, old: Path, new: Path) -> None:
        """A file or folder has another name: pages that show it, or what is in it, go with it."""
        for page in self.all:
            if page.path and page.path.is_relative_to(old):
                self._watch.forget(page.path)
                path = new / page.path.relative_to(old)
                page.follow(path)
                self._watch.expect(path)
                recent.add(path)

    def reopen_closed(self) -> None:
        """Open the file whose page was closed last."""
        self.open(self._closed.pop())

    def zoom(self, by: int) -> None:
        """Make the text of all pages so many points bigger; 0: as it was."""
        self._bigger = max(LEAST - self._settings.font_size, self._bigger + by) if by else 0
        self.use(self._settings)

    def use(self, settings: Settings) -> None:
        """All pages look as these settings say."""
        self._settings = settings
        for page in self.all:
            page.editor.use(settings, self._bigger)
            page.misspellings.use(settings.spelling)

    @property
    def can_reopen(self) -> bool:
        return bool(self._closed)

    def close_page(self, page: Page) -> bool:
        """Close a page, after asking about unsaved changes; an empty one takes the place of the last."""
        if not self.may_leave(page):
            return False
        page.let_go()
        if page.path:
            self._watch.forget(page.path)
            self._closed = [*(path for path in self._closed if path != page.path), page.path]
        if len(self.all) == 1:
            self.new()
        self.remove(page)
        page.deleteLater()
        return True

    # Saving

    def save(self) -> bool:
        """Write the page to its file, asking for one if it has none."""
        return self._save(self.page)

    def _save(self, page: Page) -> bool:
        if page.path:
            return self._write(page, page.path, page.text())
        self.show_page(page)
        return self.ask_save_as()

    def ask_save_as(self) -> bool:
        name, _ = QFileDialog.getSaveFileName(self, tr("Save as"), str(self.page.path or ""))
        return bool(name) and self.save_as(Path(name))

    def save_as(self, path: Path) -> bool:
        """Write the page to ``path`` and go on editing that file; when it fails, stay with the one before."""
        before = self.page.path
        if not self._write(self.page, path.absolute(), self.page.text()):
            return False
        if before and before != self.page.path:
            self._watch.forget(before)
        recent.add(path.absolute())
        return True

    def ask_save_with(self) -> None:
        """Write the page's file in another encoding from now on."""
        if chosen := self._ask_encoding(tr("Save with encoding")):
            self._write(self.page, self.page.path, self.page.text().encoded(chosen))

    def _write(self, page: Page, path: Path | None, file: Text) -> bool:
        assert path
        try:
            page.write(path, file)
        except DocumentError as error:
            self.told.emit(str(error))
            return False
        self._watch.expect(path)
        return True

    def ask_line_ends(self) -> None:
        """Save the page's lines with other ends from now on."""
        file = self.page.file
        names, kinds = list(LINE_ENDS), list(LINE_ENDS.values())
        name, chosen = QInputDialog.getItem(
            self, tr("Line ends"), tr("Lines end with:"), names, kinds.index(file.newline), False
        )
        if chosen and LINE_ENDS[name] != file.newline:
            self.page.set_line_ends(LINE_ENDS[name])

    # The file on the disk

    def ask_reopen(self) -> None:
        """Read the page's file in another encoding."""
        if self.page.path and self.may_leave(self.page) and (chosen := self._ask_encoding(tr("Reopen with encoding"))):
            self.reload(self.page, chosen)

    def ask_reload(self) -> None:
        """Show what the file holds, after asking about unsaved changes."""
        if self.may_leave(self.page):
            self.reload(self.page)

    @started
    async def reload(self, page: Page, chosen: str | None = None) -> None:
        """Show what the page's file holds by now."""
        assert page.path
        try:
            file = await asyncio.to_thread(document.load, page.path, chosen or page.file.encoding)
        except DocumentError as error:
            self.told.emit(str(error))
            return
        page.take(file)

    @started
    async def compare(self, page: Page) -> None:
        """Show how the page differs from its file."""
        assert page.path
        try:
            told = await page.differences()
        except DocumentError as error:
            self.told.emit(str(error))
            return
        dialog = QDialog(self)
        dialog.setWindowTitle(tr("{title}: on the disk and here", title=page.title))
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        shown = QPlainTextEdit(told)
        shown.setReadOnly(True)
        shown.setObjectName("differences")
        shown.setFont(page.editor.font())
        shown.setLineWrapMode(shown.LineWrapMode.NoWrap)
        QVBoxLayout(dialog).addWidget(shown)
        dialog.resize(760, 480)
        dialog.show()

    def _changed_on_disk(self, path: Path) -> None:
        for page in self.all:
            if page.path != path:
                continue
            if not path.exists():
                page.editor.document().setModified(True)
                choices = {
                    tr("Save it again"): lambda p=page: self._save(p),
                    tr("Close"): lambda p=page: self.close_page(p),
                }
                page.banner.tell(tr("{name} is no longer on the disk.", name=path.name), choices)
            elif not page.modified:
                self.reload(page)
            else:
                choices = {
                    tr("Show differences"): lambda p=page: self.compare(p),
                    tr("Take the file’s"): lambda p=page: self.reload(p),
                    tr("Keep mine"): page.banner.hide,
                }
                page.banner.tell(tr("{name} was changed by another program, and here too.", name=path.name), choices)

    def _ask_encoding(self, title: str) -> str | None:
        names = list(ENCODINGS)
        known = label(self.page.file.encoding)
        index = names.index(known) if known in names else 0
        name, chosen = QInputDialog.getItem(self, title, tr("Encoding:"), names, index, False)
        return ENCODINGS[name] if chosen else None

    def _dress(self, page: Page) -> None:
        self.name(page, page.title + (" •" if page.modified else ""), str(page.path or ""))
        self.changed.emit(page)

    def may_leave(self, page: Page) -> bool:
        """May the page be closed? Asks when it has unsaved changes."""
        if not page.modified:
            return True
        self.show_page(page)
        buttons = QMessageBox.StandardButton
        question = tr("Save the changes to {name}?", name=page.path.name if page.path else tr("the untitled document"))
        answer = QMessageBox.question(self, "Palimpsest", question, buttons.Save | buttons.Discard | buttons.Cancel)
        return answer == buttons.Discard or (answer == buttons.Save and self._save(page))


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return one == other
