"""The icons, drawn from ``resources/icons`` in the ink of the palette: they follow the theme, sharp on every screen."""

from functools import cache
from importlib.resources import files

from PySide6.QtCore import QByteArray, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QGuiApplication, QIcon, QIconEngine, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer

FOLDER = files("palimpsest.resources").joinpath("icons")
APPLICATION = "palimpsest"  # the only one that has colours
SIZES = (16, 20, 24, 32, 48, 64, 128, 256)  # pixels: what desktops show a window's icon in

Group, Role = QPalette.ColorGroup, QPalette.ColorRole
INKS = {
    QIcon.Mode.Normal: (Group.Active, Role.WindowText),
    QIcon.Mode.Active: (Group.Active, Role.WindowText),
    QIcon.Mode.Disabled: (Group.Disabled, Role.WindowText),
    QIcon.Mode.Selected: (Group.Active, Role.HighlightedText),
}


def icon(name: str) -> QIcon:
    """The icon of that name."""
    return QIcon(_Drawing(name, INKS))


def menu_icon(name: str) -> QIcon:
    """The same for a menu, where the row under the pointer is highlighted."""
    return QIcon(_Drawing(name, INKS | {QIcon.Mode.Active: INKS[QIcon.Mode.Selected]}))


def application_icon() -> QIcon:
    """What the desktop shows for the window."""
    made, drawing = QIcon(), QSvgRenderer(_source(APPLICATION))
    for size in SIZES:
        made.addPixmap(_pixmap(drawing, QSize(size, size)))
    return made


class _Drawing(QIconEngine):
    """Draws with the palette that holds at that moment."""

    def __init__(self, name: str, inks: dict[QIcon.Mode, tuple[QPalette.ColorGroup, QPalette.ColorRole]]):
        super().__init__()
        self._name, self._inks = name, inks
        self._drawing = QSvgRenderer(_source(name))

    def clone(self) -> QIconEngine:
        return _Drawing(self._name, self._inks)

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        ratio = painter.device().devicePixelRatio()
        pixmap = self.pixmap(rect.size() * ratio, mode, state)
        pixmap.setDevicePixelRatio(ratio)
        painter.drawPixmap(rect.topLeft(), pixmap)

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:  # noqa: ARG002
        made = _pixmap(self._drawing, size)
        painter = QPainter(made)
        painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceIn)
        painter.fillRect(made.rect(), QGuiApplication.palette().color(*self._inks[mode]))
        painter.end()
        return made


@cache
def _source(name: str) -> QByteArray:
    return QByteArray(FOLDER.joinpath(f"{name}.svg").read_bytes())


def _pixmap(drawing: QSvgRenderer, size: QSize) -> QPixmap:
    made = QPixmap(size)
    made.fill(Qt.GlobalColor.transparent)
    painter = QPainter(made)
    drawing.render(painter, QRectF(made.rect()))
    painter.end()
    return made
