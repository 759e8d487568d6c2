"""How widgets are drawn and measured: Fusion with air between rows, quiet close buttons, no icons on buttons."""

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QIcon, QPainter, QPalette, QPen
from PySide6.QtWidgets import QProxyStyle, QStyle, QStyleHintReturn, QStyleOption, QWidget

from palimpsest.app.icons import icon

AIR = 6  # pixels more in a row's height
CROSS = 0.22  # half of a cross, as a share of its button
OURS = {
    QStyle.StandardPixmap.SP_LineEditClearButton: "close",
    QStyle.StandardPixmap.SP_TitleBarCloseButton: "close",
    QStyle.StandardPixmap.SP_TitleBarNormalButton: "float",
}


class Style(QProxyStyle):
    """Fusion, but for what is said here; colours are the palette's."""

    def __init__(self) -> None:
        super().__init__("Fusion")

    def sizeFromContents(self, kind: QStyle.ContentsType, option: QStyleOption, size: QSize, widget: QWidget) -> QSize:
        size = super().sizeFromContents(kind, option, size, widget)
        return size + QSize(0, AIR) if kind == QStyle.ContentsType.CT_ItemViewItem else size

    def styleHint(
        self,
        hint: QStyle.StyleHint,
        option: QStyleOption | None = None,
        widget: QWidget | None = None,
        returned: QStyleHintReturn | None = None,
    ) -> int:
        if hint == QStyle.StyleHint.SH_DialogButtonBox_ButtonsHaveIcons:
            return 0
        return super().styleHint(hint, option, widget, returned)

    def standardIcon(
        self,
        standard: QStyle.StandardPixmap,
        option: QStyleOption | None = None,
        widget: QWidget | None = None,
    ) -> QIcon:
        return icon(OURS[standard]) if standard in OURS else super().standardIcon(standard, option, widget)

    def drawPrimitive(
        self,
        element: QStyle.PrimitiveElement,
        option: QStyleOption,
        painter: QPainter,
        widget: QWidget | None = None,
    ) -> None:
        if element == QStyle.PrimitiveElement.PE_IndicatorTabClose:
            _close(option, painter)
        elif element == QStyle.PrimitiveElement.PE_FrameMenu:
            painter.setPen(option.palette.color(QPalette.ColorRole.Mid))  # Fusion's own is not seen in the dark
            painter.drawRect(option.rect.adjusted(0, 0, -1, -1))
        else:
            super().drawPrimitive(element, option, painter, widget)


def _close(option: QStyleOption, painter: QPainter) -> None:
    """A cross, on a ground while the mouse is over it."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    area = QRectF(option.rect)
    if option.state & QStyle.StateFlag.State_MouseOver:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(option.palette.color(QPalette.ColorRole.Mid))
        painter.drawRoundedRect(area, 3, 3)
    painter.setPen(QPen(option.palette.color(QPalette.ColorRole.WindowText), 1.4))
    half = area.width() * CROSS
    cross = QRectF(-half, -half, 2 * half, 2 * half).translated(area.center())
    painter.drawLine(cross.topLeft(), cross.bottomRight())
    painter.drawLine(cross.topRight(), cross.bottomLeft())
    painter.restore()
