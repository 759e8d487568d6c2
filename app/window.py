"""The main window: one document, its menus, the ask bar and the status bar."""

from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtGui import QCloseEvent, QContextMenuEvent, QGuiApplication
from PySide6.QtWidgets import QFileDialog, QMainWindow, QMessageBox, QVBoxLayout, QWidget

from palimpsest.app import actions, document
from palimpsest.app.askbar import AskBar
from palimpsest.app.bridge import EngineBridge
from palimpsest.app.document import DocumentError, Text
from palimpsest.app.editor import Editor
from palimpsest.app.highlight import Highlighter
from palimpsest.app.session import FillSession, Verdict, around
from palimpsest.app.statusbar import StatusBar
from palimpsest.engine import Event, Failed, Fill, Options, Ready, RequestError


class Window(QMainWindow):
    """Ties an editor to files, to the engine and to the commands of ``actions.py``."""

    # Pyright knows this class under two paths, the folder's and the package's, hence the two ignored lines below.

    def __init__(self, bridge: EngineBridge, options: Options | None = None):
        super().__init__()
        self._bridge, self._options = bridge, options or Options()
        self._path: Path | None = None
        self._file = Text("")
        self._session: FillSession | None = None
        self.editor, self.ask_bar, self.status = Editor(), AskBar(), StatusBar()
        middle = QWidget()
        column = QVBoxLayout(middle)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.editor)
        column.addWidget(self.ask_bar)
        self.setCentralWidget(middle)
        self.setStatusBar(self.status)
        self._actions, self._context = actions.build(self)  # pyright: ignore[reportArgumentType]
        self.editor.menu_wanted.connect(self._show_menu)
        self.editor.copyAvailable.connect(self._refresh)
        self.editor.undoAvailable.connect(self._refresh)
        self.editor.redoAvailable.connect(self._refresh)
        self.ask_bar.asked.connect(self.rewrite)
        self.ask_bar.closed.connect(self.editor.setFocus)
        QGuiApplication.clipboard().dataChanged.connect(self._refresh)
        bridge.loading.connect(self.status.report)
        bridge.loaded.connect(self._loaded)
        self.resize(900, 640)
        self._show_file(Text(""), None)

    # Files

    def new(self) -> None:
        """Start an empty document."""
        if self._may_leave():
            self._show_file(Text(""), None)

    def ask_open(self) -> None:
        name, _ = QFileDialog.getOpenFileName(self, "Open")
        if name and self._may_leave():
            self.open(Path(name))

    def open(self, path: Path) -> bool:
        """Show the file; when it cannot be read, say why and keep what is shown."""
        try:
            self._show_file(document.load(path), path)
        except DocumentError as error:
            self.status.showMessage(str(error))
            return False
        return True

    def save(self) -> bool:
        """Write the document to its file, asking for one if it has none."""
        return self.ask_save_as() if self._path is None else self._write(self._path)

    def ask_save_as(self) -> bool:
        name, _ = QFileDialog.getSaveFileName(self, "Save as")
        return bool(name) and self.save_as(Path(name))

    def save_as(self, path: Path) -> bool:
        """Write the document to ``path`` and go on editing that file; when it fails, stay with the one before."""
        if not self._write(path):
            return False
        self._path = path
        self._dress()
        return True

    def _write(self, path: Path) -> bool:
        try:
            document.save(path, Text(self.editor.text(), self._file.newline, self._file.bom))
        except DocumentError as error:
            self.status.showMessage(str(error))
            return False
        self.editor.document().setModified(False)
        return True

    # Fills

    @property
    def filling(self) -> bool:
        """Is there a draft, running or finished, that waits for a verdict?"""
        return self._session is not None

    @property
    def drafted(self) -> bool:
        """Is there a finished draft?"""
        return self._session is not None and self._session.done

    @property
    def has_selection(self) -> bool:
        return self.editor.textCursor().hasSelection()

    def fill_in(self) -> None:
        """Fill the selection, or the caret's place, from what stands around it."""
        self._start("")

    def ask_rewrite(self) -> None:
        self.ask_bar.open()
        self._warm()

    def rewrite(self, instruction: str) -> None:
        """Rewrite the selection as told."""
        self._start(instruction)

    def keep(self) -> None:
        """Put the finished draft into the text."""
        if self._session and self.drafted:
            self._session.finish(Verdict.KEEP)
        else:
            self.status.showMessage("The draft is not finished yet; Esc stops it")

    def drop(self) -> None:
        """Cancel a running draft or drop a finished one."""
        if self._session:
            self._session.finish(Verdict.DROP)

    def _warm(self) -> None:
        """The user chooses what to ask; meanwhile the engine reads what stands before the selection."""
        self._bridge.warm(Fill(*around(self.editor.document(), self.editor.selection())))

    def _start(self, instruction: str) -> None:
        self.drop()
        editor = self.editor
        session = FillSession(
            editor.selection(), editor.document(), editor.drafts, self.status.report, self._session_ended
        )
        self._session = session
        try:
            session.start(self._bridge, instruction, self._options)
        except RequestError as error:
            session.finish(Verdict.DROP)
            self.status.showMessage(str(error))
        self._refresh()

    def _session_ended(self, session: FillSession) -> None:
        if session is self._session:
            self._session = None
        if not session.failed:
            self.status.ended()
        self._refresh()

    def _loaded(self, event: Event) -> None:
        if isinstance(event, Ready):
            self.status.report(event)
        elif isinstance(event, Failed):
            self.status.failed_to_load(event)

    # The window

    def _show_file(self, text: Text, path: Path | None) -> None:
        self.drop()
        self._file, self._path = text, path
        self.editor.put(text.text)
        self.editor.document().modificationChanged.connect(self.setWindowModified)
        self._dress()
        self._refresh()

    def _dress(self) -> None:
        """Colours, wrapping and title as the file's name asks for."""
        suffix = self._path.suffix.lower() if self._path else ""
        self.editor.wrap(suffix)
        shown = self.editor.document()
        for old in shown.findChildren(Highlighter):
            old.setDocument(None)
            old.deleteLater()
        dark = QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark
        Highlighter(shown, suffix.removeprefix("."), "github-dark" if dark else "friendly")
        self.setWindowTitle(f"{self._path.name if self._path else 'Untitled'}[*] – Palimpsest")
        self.setWindowModified(self.editor.document().isModified())

    def _refresh(self, *_state: bool) -> None:
        actions.update(self, self._actions)  # pyright: ignore[reportArgumentType]

    def _show_menu(self, event: QContextMenuEvent) -> None:
        self._refresh()
        self._context.popup(event.globalPos())
        self._warm()

    def _may_leave(self) -> bool:
        """May the document be closed? Asks when it has unsaved changes."""
        if not self.editor.document().isModified():
            return True
        buttons = QMessageBox.StandardButton
        question = f"Save the changes to {self._path.name if self._path else 'the untitled document'}?"
        answer = QMessageBox.question(self, "Palimpsest", question, buttons.Save | buttons.Discard | buttons.Cancel)
        return answer == buttons.Discard or (answer == buttons.Save and self.save())

    def closeEvent(self, event: QCloseEvent) -> None:
        if self._may_leave():
            self.drop()
            event.accept()
        else:
            event.ignore()
