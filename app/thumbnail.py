"""The picture whose words are being read, small, where they will stand."""

import asyncio

from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QImage, QImageReader, QPixmap
from PySide6.QtWidgets import QFrame, QLabel
from shiboken6 import isValid

from palimpsest.app.editor import Editor
from palimpsest.app.incoming import Image
from palimpsest.app.session import FillSession
from palimpsest.app.tasks import started
from palimpsest.engine import Draft
from palimpsest.engine.language import tr

MOST = QSize(240, 160)  # points


class Thumbnail(QLabel):
    """Stands at a session's first hole until there is text to see; shows nothing of what Qt cannot decode."""

    def __init__(self, editor: Editor, session: FillSession, picture: Image):
        super().__init__(editor.viewport())
        self._editor, self._session = editor, session
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.setAutoFillBackground(True)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAccessibleName(tr("The picture that is read"))
        editor.updateRequest.connect(self._stay)
        self._load(picture)

    def follow(self) -> None:
        """Go when there is text, or will be none."""
        if isValid(self) and (not self._session.running or isinstance(self._session.last, Draft)):
            self.hide()
            self.deleteLater()

    @started
    async def _load(self, picture: Image) -> None:
        if not isValid(self):
            return
        ratio = self.devicePixelRatio()
        image = await asyncio.to_thread(_small, picture, MOST * ratio)
        if isValid(self) and not image.isNull():
            image.setDevicePixelRatio(ratio)
            self.setPixmap(QPixmap.fromImage(image))
            self.adjustSize()
            self._stay()
            self.show()
            self.follow()

    def _stay(self) -> None:
        if self._session.running:
            self.move(self._editor.drafts.place(0, 0).bottomLeft().toPoint())


def _small(picture: Image, most: QSize) -> QImage:
    """The picture in at most that size; none where Qt cannot decode it. Meant for a thread."""
    if isinstance(picture, QImage):
        size = picture.size().scaled(most, Qt.AspectRatioMode.KeepAspectRatio)
        return picture.scaled(size, mode=Qt.TransformationMode.SmoothTransformation)
    reader = QImageReader(str(picture))
    reader.setAutoTransform(True)
    if reader.size().isValid():
        reader.setScaledSize(reader.size().scaled(most, Qt.AspectRatioMode.KeepAspectRatio))
    return reader.read()
