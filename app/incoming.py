"""What is dragged onto the window, pasted or chosen: files, and pictures among them."""

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QMimeData
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QFileDialog, QWidget

from palimpsest.engine import PICTURES, VIDEOS
from palimpsest.engine.language import tr

Image = Path | QImage
SHOWN = (*PICTURES, *VIDEOS)  # what a model can be shown


def files(dragged: QMimeData) -> list[Path]:
    """The files and folders that are dragged, if any."""
    return [Path(url.toLocalFile()) for url in dragged.urls() if url.isLocalFile()]


def pictures(source: QMimeData, kinds: Sequence[str] = PICTURES) -> list[Image]:
    """What is dragged or pasted, where it is nothing but pictures, or else files of these kinds."""
    if found := files(source):
        return [*found] if all(path.suffix.lower() in kinds for path in found) else []
    worded = source.hasText() and not source.hasUrls() and source.text().strip()
    return [source.imageData()] if source.hasImage() and not worded else []


def choose_pictures(parent: QWidget, title: str, kinds: Sequence[str] = PICTURES) -> list[Path]:
    """The picture files, or files of these kinds, that the user chooses, if any."""
    names = " ".join("*" + suffix for suffix in kinds)
    told = tr("Images ({names})", names=names) if kinds == PICTURES else tr("Images and videos ({names})", names=names)
    names, _ = QFileDialog.getOpenFileNames(parent, title, "", told)
    return [Path(name) for name in names]
