"""The main window: the open files, menus, the ask bar and the status bar.

Dialogs are imported when they are wanted, so that the window is there the sooner.
"""

import asyncio
from dataclasses import replace
from functools import partial
from pathlib import Path

from PySide6.QtCore import QByteArray, QEvent, QPoint, Qt, Signal
from PySide6.QtGui import QCloseEvent, QContextMenuEvent, QDragEnterEvent, QDropEvent, QGuiApplication, QPaintEvent
from PySide6.QtWidgets import QDockWidget, QFileDialog, QInputDialog, QMainWindow, QMenu, QVBoxLayout, QWidget

from palimpsest.app import actions, recent, resume, settings
from palimpsest.app.askbar import AskBar
from palimpsest.app.bridge import EngineBridge
from palimpsest.app.continuing import Continuing
from palimpsest.app.editor import Editor
from palimpsest.app.fills import Fills
from palimpsest.app.find import FindBar
from palimpsest.app.finder import Finder
from palimpsest.app.grep import Hit
from palimpsest.app.incoming import SHOWN, choose_pictures, files, pictures
from palimpsest.app.misspellings import Corrections
from palimpsest.app.opening import Coming, Opening
from palimpsest.app.page import Page
from palimpsest.app.pages import Pages
from palimpsest.app.palette import CommandPalette, Palette
from palimpsest.app.preview import Preview
from palimpsest.app.quickopen import QuickOpen
from palimpsest.app.servers import Servers
from palimpsest.app.settings import Settings
from palimpsest.app.start import Start
from palimpsest.app.statusbar import StatusBar
from palimpsest.app.tasks import started
from palimpsest.app.theme import Theme
from palimpsest.app.tree import FolderTree
from palimpsest.engine import Event, Failed, Options, Ready, Unloaded, sent
from palimpsest.engine.language import tr


class Window(QMainWindow):
    """Ties the open files to the engine and to the commands of ``actions.py``."""

    painting = Signal()

    # Pyright knows this class under two paths, the folder's and the package's, hence the two ignored lines below.

    def __init__(self, bridge: EngineBridge, options: Options | None = None, chosen: Settings | None = None):
        super().__init__()
        self.theme = Theme(self)
        self._bridge = bridge
        self.pages, self.status = Pages(), StatusBar()
        self.find_bar = FindBar(lambda: self.editor)
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.pages, 1)
        column.addWidget(self.find_bar)
        self.ask_bar = AskBar(middle)  # stands over the text
        self.servers = Servers(bridge, self)
        self.fills = Fills(lambda: self.page, bridge, self.servers, self.status, self.ask_bar, options or Options())
        self.continuing = Continuing(lambda: self.page, self.fills)
        self.setCentralWidget(middle)
        self.setStatusBar(self.status)
        self.preview = Preview(self)
        self.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self.preview)
        self.tree = FolderTree()
        self.addDockWidget(Qt.DockWidgetArea.LeftDockWidgetArea, self.tree)
        self.finder, self._found = Finder(lambda: self.tree.root, self.pages.unsaved), QDockWidget(tr("Find in files"))
        self._found.setObjectName("found")
        self._found.setWidget(self.finder)
        self._found.hide()
        self.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, self._found)
        self.setAcceptDrops(True)
        self._actions, self._context = actions.build(self)  # pyright: ignore[reportArgumentType]
        self._corrections = Corrections(self._context)
        self.addActions(self._actions)  # their keys are good without the menu bar too
        self.start = Start(self._actions, self)
        self.start.chosen.connect(self.open_recent)
        self.opening = Opening(self)
        self.pages.opening.connect(self._cover)
        self.pages.told.connect(self.status.showMessage)
        self.pages.changed.connect(self._dress)
        self.pages.switched.connect(self._switched)
        self.pages.menu_wanted.connect(self._show_menu)
        self.pages.pictures_wanted.connect(self.fills.read)
        self.pages.edited.connect(self._find_again)
        self.pages.edited.connect(self._follow)
        self.pages.selected.connect(self._follow)
        self.pages.scrolled.connect(self.find_bar.mark)
        self.pages.folder_wanted.connect(self.tree.open)
        self.tree.chosen.connect(self.go)
        self.tree.moved.connect(self.pages.follow)
        self.tree.told.connect(self.status.showMessage)
        self.fills.changed.connect(self._refresh)
        self.pages.edited.connect(self.continuing.typed)
        self.pages.moved.connect(self.continuing.moved)
        self.pages.selected.connect(self.continuing.moved)
        self.finder.chosen.connect(self._go_to_hit)
        self.finder.closed.connect(self._found.hide)
        for bar in (self.ask_bar, self.find_bar, self.finder):
            bar.closed.connect(lambda: self.editor.setFocus())
        self.status.encoding_wanted.connect(self.pages.ask_reopen)
        self.status.unload_wanted.connect(self.fills.unload)
        self.status.model.choices = lambda: self.servers.choices
        self.servers.told.connect(self.status.showMessage)
        self.servers.preferences_wanted.connect(self.show_preferences)
        self.servers.requests_wanted.connect(self.open_recent)
        self.servers.sent_wanted.connect(self.show_sent)
        self.status.line_ends_wanted.connect(self.pages.ask_line_ends)
        QGuiApplication.clipboard().dataChanged.connect(self._refresh)
        bridge.loading.connect(self.status.report)
        bridge.loaded.connect(self._loaded)
        self.resize(900, 640)
        self.use(chosen or Settings())
        self._dress(self.page)
        self.page.setFocus()

    def use(self, chosen: Settings) -> None:
        """Look and behave as these settings say."""
        self.settings = chosen
        self.theme.use(chosen.theme)
        self.pages.use(chosen)
        self.fills.settings = chosen
        self.servers.use(chosen)
        self.continuing.use(chosen.continuing)
        actions.set_keys(self._actions, chosen.shortcuts)

    def toggle_spelling(self) -> None:
        """Check the spelling, of comments too, or no longer."""
        checked = self.settings.spelling != "nothing"
        self._choose(replace(self.settings, spelling="nothing" if checked else "prose and comments"))

    def show_preferences(self, wanted: str = "") -> None:
        """Let the user change the settings, which are kept and used at once; at first those with the wanted words."""
        from palimpsest.app.preferences import Preferences

        preferences = Preferences(self.settings, self._actions, self)
        preferences.wanted.setText(wanted)
        preferences.changed.connect(self._choose)
        preferences.show()

    def _choose(self, chosen: Settings) -> None:
        self.use(chosen)
        try:
            settings.save(chosen)
        except OSError as error:
            self.status.showMessage(
                tr(
                    "The preferences hold until you quit: {file} cannot be written ({error}).",
                    file=settings.file(),
                    error=error,
                )
            )

    @property
    def page(self) -> Page:
        """The page in front."""
        return self.pages.page

    @property
    def editor(self) -> Editor:
        """The editor in front."""
        return self.page.editor

    @property
    def _named(self) -> Path:
        return self.page.path or Path(self.page.title)

    @property
    def has_file(self) -> bool:
        return self.page.path is not None

    @property
    def in_folder(self) -> bool:
        return self.tree.holds(self.page.path)

    @started
    async def go(self, path: Path, line: int = 0, column: int = 1) -> None:
        """Open a file, at a line or not, and give it the keys."""
        if page := await self.pages.open(path, line, column):
            page.setFocus()

    @property
    def recent(self) -> actions.Choices:
        """The files opened lately, there still or not, and how to open them."""
        for path in recent.remembered():
            yield f"{path.name}  ({path.parent})", partial(self.open_recent, path)

    @started
    async def open_recent(self, path: Path) -> None:
        """Open a file that was opened lately, if it is still there."""
        if await asyncio.to_thread(path.is_file):
            await self.go(path)
        else:
            self.status.showMessage(tr("{path} is no longer there", path=path))

    def show_recent(self) -> None:
        """Let the user choose one of the files opened lately."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        actions.offer(menu, self.recent)
        menu.popup(self.mapToGlobal(self.rect().center()))

    def ask_line(self) -> None:
        """Go where the user says."""
        caret = self.editor.textCursor()
        here = f"{caret.blockNumber() + 1}:{caret.positionInBlock() + 1}"
        told, chosen = QInputDialog.getText(self, tr("Go to line"), tr("Line, or line:column"), text=here)
        line, _, column = told.partition(":")
        if chosen and line.strip().isdecimal():
            self.page.go_to(int(line), int(column) if column.strip().isdecimal() else 1)
            self.editor.setFocus()

    def ask_print(self) -> None:
        """Print the text where and as the user says."""
        from palimpsest.app.paper import Sheet, ask_print

        ask_print(Sheet(self._named, self.editor.text(), self.editor.font()), self)

    @started
    async def ask_pdf(self) -> None:
        """Write the text as a PDF file where the user says."""
        from palimpsest.app.paper import Sheet, write_pdf

        name = str(self._named.with_suffix(".pdf"))
        name, _ = QFileDialog.getSaveFileName(self, tr("Export as PDF"), name, tr("PDF (*.pdf)"))
        if name:
            try:
                await write_pdf(Sheet(self._named, self.editor.text(), self.editor.font()), Path(name))
            except OSError as error:
                self.status.showMessage(tr("{name} cannot be written: {reason}.", name=name, reason=error.strerror))
            else:
                self.status.showMessage(tr("{name} is written", name=name))

    def toggle_focus(self) -> None:
        """Show nothing but the text, on the whole screen, or everything again."""
        alone = not self.menuBar().isHidden()
        self.menuBar().setHidden(alone)
        self.status.setHidden(alone)
        self.pages.hide_tabs(alone)
        self.setWindowState(self.windowState() ^ Qt.WindowState.WindowFullScreen)

    def show_palette(self) -> None:
        """Offer all that can be done now, by its name."""
        self._refresh()
        self._pop_up(CommandPalette(self._actions, self))

    def show_files(self) -> None:
        """Offer the files of the folder, or those known, by their names."""
        known = [*(page.path for page in self.pages.all if page.path), *recent.remembered()]
        files = QuickOpen(self.tree.root, dict.fromkeys(known), self)
        files.file_chosen.connect(self.go)
        files.line_chosen.connect(self.page.go_to)
        self._pop_up(files)

    def _pop_up(self, palette: Palette) -> None:
        palette.move(self.mapToGlobal(QPoint((self.width() - palette.width()) // 2, self.menuBar().height())))
        palette.show()
        palette.wanted.setFocus()
        palette.search("")

    def find_in_files(self) -> None:
        """Look for something in all files of the folder, after asking for one if there is none."""
        if not self.tree.root:
            self.tree.ask()
        if self.tree.root:
            self._found.show()
            self.finder.open(self.editor.selection().text())

    @started
    async def _go_to_hit(self, path: Path, hit: Hit) -> None:
        if page := await self.pages.open(path):
            page.select(hit.line, hit.column, hit.text)
            page.setFocus()

    # Fills

    @property
    def has_selection(self) -> bool:
        return self.editor.textCursor().hasSelection()

    def _loaded(self, event: Event) -> None:
        if isinstance(event, Ready | Unloaded):
            self.status.report(event)
        elif isinstance(event, Failed):
            self.status.failed_to_load(event)

    def show_sent(self) -> None:
        """Show in a page of its own what a server would be sent to fill the selection."""
        told = sent(self.fills.asked())
        self.pages.new().editor.setPlainText(told)

    def ask_pictures(self) -> None:
        """Have the text of pictures the user chooses put in at the caret."""
        if chosen := choose_pictures(self, tr("Insert text from image")):
            self.fills.read(self.page, chosen)

    def ask_about_pictures(self) -> None:
        """Let the user choose pictures, and say what is to be written of them."""
        if chosen := choose_pictures(self, tr("Show the model an image"), SHOWN):
            self.fills.ask_about(chosen)

    # The window

    def _cover(self, file: Coming | None, editor: Editor) -> None:
        """Show how far a big file is, over the page in front."""
        before = self.covered
        self.opening.tell(file, editor, self.page)
        if self.covered != before:
            self._refresh()

    @property
    def covered(self) -> bool:
        """Does something lie over the page in front, so that no command is to reach it?"""
        return self.opening.isVisible()

    def _find_again(self) -> None:
        if not self.find_bar.isHidden():
            self.find_bar.search(False)

    def _follow(self) -> None:
        self.status.words.follow(self.editor)
        self.preview.follow(self.editor, self.page.path)

    def _switched(self) -> None:
        self._find_again()
        self._follow()
        self.status.ended()
        if self.page.session and self.page.session.last:
            self.status.report(self.page.session.last)

    def _dress(self, page: Page) -> None:
        if page is self.page:
            self.setWindowTitle(f"{page.title}[*] – Palimpsest")
            self.setWindowModified(page.modified)
            self.status.tell_file(page.file)
            self._follow()
            self.tree.follow(page.path)
            self.start.follow(page)
            self._refresh()

    def _refresh(self) -> None:
        actions.update(self, self._actions)  # pyright: ignore[reportArgumentType]

    def _show_menu(self, event: QContextMenuEvent) -> None:
        self._refresh()
        self._corrections.offer(self.page.misspellings)
        self._context.popup(event.globalPos())
        self.fills.warm()

    def arrange(self, desk: resume.Desk) -> None:
        """Stand where the window stood, with docks as wide as they were; those that need a folder come with it."""
        self.restoreGeometry(QByteArray.fromBase64(desk.geometry.encode()))
        self.restoreState(QByteArray.fromBase64(desk.docks.encode()))
        self.tree.hide()
        self._found.hide()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() == QEvent.Type.ActivationChange and self.isActiveWindow():
            self.pages.check()

    def paintEvent(self, event: QPaintEvent) -> None:
        self.painting.emit()
        super().paintEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if files(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        if found := pictures(event.mimeData()):
            return self.fills.read(self.page, found)
        if found := pictures(event.mimeData(), SHOWN):  # videos, or some among pictures
            return self.fills.ask_about(found)
        for path in files(event.mimeData()):
            self.pages.open(path)

    def closeEvent(self, event: QCloseEvent) -> None:
        geometry, docks = (kept.toBase64().toStdString() for kept in (self.saveGeometry(), self.saveState()))
        desk = self.pages.desk(geometry, str(self.tree.root or ""), docks)
        event.setAccepted(self.pages.close_all())
        if event.isAccepted():
            resume.save(desk)
