"""What is dragged onto the window, pasted or chosen: files, and pictures among them."""

from pathlib import Path

from PySide6.QtCore import QMimeData
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFileDialog, QWidget

from palimpsest.engine import PICTURES
from palimpsest.engine.language import tr


def files(dragged: QMimeData) -> list[Path]:
    """The files and folders that are dragged, if any."""
    return [Path(url.toLocalFile()) for url in dragged.urls() if url.isLocalFile()]


def pictures(source: QMimeData) -> list[Path | QImage]:
    """What is dragged or pasted, where it is nothing but pictures."""
    if found := files(source):
        return [*found] if all(path.suffix.lower() in PICTURES for path in found) else []
    worded = source.hasText() and not source.hasUrls() and source.text().strip()
    return [source.imageData()] if source.hasImage() and not worded else []


def choose_pictures(parent: QWidget, title: str) -> list[Path]:
    """The picture files that the user chooses, if any."""
    kinds = tr("Pictures ({names})", names=" ".join("*" + suffix for suffix in PICTURES))
    names, _ = QFileDialog.getOpenFileNames(parent, title, "", kinds)
    return [Path(name) for name in names]
