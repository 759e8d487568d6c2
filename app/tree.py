"""The folder that is worked on, as a tree of its files beside the text."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QDir, QFile, QModelIndex, QPersistentModelIndex, QSize, Qt, Signal
from PySide6.QtGui import QAction, QGuiApplication, QKeySequence
from PySide6.QtWidgets import (
    QDockWidget,
    QFileDialog,
    QFileSystemModel,
    QFrame,
    QInputDialog,
    QMessageBox,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTreeView,
    QWidget,
)

from palimpsest.app.icons import icon
from palimpsest.app.tasks import started
from palimpsest.engine.language import tr

SIGN = 16  # pixels


class FolderTree(QDockWidget):
    """Hidden until there is a folder; the model reads the disk, and watches it, on a thread of its own."""

    chosen = Signal(Path)  # a file, to be opened
    moved = Signal(Path, Path)  # a file or folder, from its old name to its new one
    told = Signal(str)

    def __init__(self, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("tree")
        self.root: Path | None = None
        self._front: Path | None = None
        self._model, self._view = QFileSystemModel(self), QTreeView()
        self._model.setReadOnly(False)
        self._model.directoryLoaded.connect(self._scroll)
        self._model.fileRenamed.connect(
            lambda folder, old, new: self.moved.emit(Path(folder, old), Path(folder, new)),
        )
        self._view.setModel(self._model)
        self._view.setIconSize(QSize(SIGN, SIGN))
        self._view.setItemDelegate(_Drawn(self._view))
        self._view.setAccessibleName(tr("Files in the folder"))
        self._view.setHeaderHidden(True)
        for column in range(1, self._model.columnCount()):
            self._view.hideColumn(column)
        self._view.setFrameShape(QFrame.Shape.NoFrame)
        self._view.setEditTriggers(QTreeView.EditTrigger.NoEditTriggers)
        self._view.setExpandsOnDoubleClick(False)
        self._view.activated.connect(self._activate)
        self._view.setContextMenuPolicy(Qt.ContextMenuPolicy.ActionsContextMenu)
        self._action(tr("New &file…"), self._new_file)
        self._action(tr("New f&older…"), self._new_folder)
        on_one = (
            self._action(tr("&Rename"), self._rename, "F2"),
            self._action(tr("Move to the &trash…"), self._trash, QKeySequence.StandardKey.Delete),
        )
        self._action(tr("&Copy path"), self._copy_path, QKeySequence.StandardKey.Copy)
        self._action(tr("Show &hidden files")).toggled.connect(self._show_hidden)
        self._view.selectionModel().selectionChanged.connect(
            lambda: [action.setEnabled(bool(self._selected)) for action in on_one],
        )
        self.setWidget(self._view)
        self.hide()

    def ask(self) -> None:
        """Let the user choose the folder to work on."""
        if name := QFileDialog.getExistingDirectory(self, tr("Open folder"), str(self.root or "")):
            self.open(Path(name))

    def open(self, folder: Path) -> None:
        """Work on ``folder``."""
        self.root = folder.absolute()
        self.setWindowTitle(self.root.name or str(self.root))
        self.setToolTip(str(self.root))
        self._view.setRootIndex(self._model.setRootPath(str(self.root)))
        self._view.clearSelection()
        self.show()
        self._select_front()

    def forget(self) -> None:
        """Work on no folder."""
        self.root = None
        self.hide()

    def toggle(self) -> None:
        """Show or hide the tree; ask for a folder where there is none."""
        if self.root:
            self.setVisible(self.isHidden())
        else:
            self.ask()

    def holds(self, path: Path | None) -> bool:
        """Is ``path`` in the folder?"""
        return bool(self.root and path and path.is_relative_to(self.root))

    def follow(self, path: Path | None) -> None:
        """The file ``path`` is in front: select it, if it is here and was not in front before."""
        if path != self._front:
            self._front = path
            self._select_front()

    def show_front(self) -> None:
        """Go to the file in front."""
        self.show()
        self._select_front()
        self._view.setFocus()

    def _select_front(self) -> None:
        if self._front and self.holds(self._front):
            self._view.setCurrentIndex(self._model.index(str(self._front)))
            self._scroll()

    @property
    def _selected(self) -> Path | None:
        indexes = self._view.selectionModel().selectedIndexes()
        return Path(self._model.filePath(indexes[0])) if indexes else None

    def _action(
        self,
        label: str,
        do: Callable[[], object] | None = None,
        keys: str | QKeySequence.StandardKey = "",
    ) -> QAction:
        """A row of the context menu; without ``do`` it stays checked."""
        action = QAction(label, self._view, checkable=do is None)
        action.setShortcut(QKeySequence(keys))
        action.setShortcutContext(Qt.ShortcutContext.WidgetShortcut)
        if do:
            action.triggered.connect(lambda _checked: do())
        self._view.addAction(action)
        return action

    def _activate(self, index: QModelIndex) -> None:
        if self._model.isDir(index):
            self._view.setExpanded(index, not self._view.isExpanded(index))
        else:
            self.chosen.emit(Path(self._model.filePath(index)))

    def _scroll(self, loaded: str | None = None) -> None:
        """Bring the file in front into sight; again when its folder's rows have come."""
        if self._front and self.holds(self._front) and (loaded is None or Path(loaded) == self._front.parent):
            self._view.scrollTo(self._model.index(str(self._front)))

    def _new_file(self) -> None:
        path = self._ask_name(tr("New file"))
        if path and self._try(lambda: path.touch(exist_ok=False), path):
            self.chosen.emit(path)

    def _new_folder(self) -> None:
        if path := self._ask_name(tr("New folder")):
            self._try(path.mkdir, path)

    def _ask_name(self, title: str) -> Path | None:
        """A name in the selected folder, or beside the selected file."""
        at = self._selected or self.root
        assert at
        folder = at if at.is_dir() else at.parent
        name, given = QInputDialog.getText(self, title, tr("Name in {name}:", name=folder.name))
        return folder / name if given and name else None

    def _try(self, make: Callable[[], None], path: Path) -> bool:
        try:
            make()
        except OSError as error:
            self.told.emit(tr("{path} cannot be made: {reason}.", path=path, reason=error.strerror))
            return False
        return True

    def _rename(self) -> None:
        self._view.edit(self._view.currentIndex())

    @started
    async def _trash(self) -> None:
        path = self._selected
        buttons = QMessageBox.StandardButton
        question = tr("Move {name} to the trash?", name=path.name) if path else ""
        if path and QMessageBox.question(self, "Palimpsest", question) == buttons.Yes:
            moved = await asyncio.to_thread(QFile.moveToTrash, str(path))
            self.told.emit(
                tr("{name} is in the trash", name=path.name)
                if moved
                else tr("{name} cannot be moved to the trash.", name=path.name)
            )

    def _copy_path(self) -> None:
        QGuiApplication.clipboard().setText(str(self._selected or self.root))

    def _show_hidden(self, shown: bool) -> None:
        filters = self._model.filter()
        hidden = QDir.Filter.Hidden
        self._model.setFilter(filters | hidden if shown else filters & ~hidden)


class _Drawn(QStyledItemDelegate):
    """Gives files and folders our icons."""

    def __init__(self, view: QTreeView):
        super().__init__(view)
        self._view = view
        self._file, self._closed, self._open = icon("file"), icon("folder"), icon("folder-open")

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        super().initStyleOption(option, index)
        folder = self._open if option.state & QStyle.StateFlag.State_Open else self._closed
        is_folder = index.data(QFileSystemModel.Roles.FileInfoRole).isDir()
        option.icon = folder if is_folder else self._file
        option.features |= QStyleOptionViewItem.ViewItemFeature.HasDecoration
        option.decorationSize = self._view.iconSize()
