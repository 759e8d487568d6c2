"""Light and dark, and the fonts that come along."""

from importlib.resources import files

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QColor, QFontDatabase, QGuiApplication, QPalette

Role = QPalette.ColorRole
# Ground, ink, and what stands out; texts have a contrast of at least 4.5:1 on every ground they stand on.
LIGHT = {
    Role.Window: "#f3f3f1",
    Role.WindowText: "#1f2328",
    Role.Base: "#fdfdfc",
    Role.AlternateBase: "#f3f3f1",
    Role.Text: "#1f2328",
    Role.PlaceholderText: "#666c73",
    Role.Button: "#e9e9e6",
    Role.ButtonText: "#1f2328",
    Role.BrightText: "#ffffff",
    Role.ToolTipBase: "#fff4d6",
    Role.ToolTipText: "#3d2f00",
    Role.Highlight: "#2f6f8f",
    Role.HighlightedText: "#ffffff",
    Role.Link: "#1f6391",
    Role.LinkVisited: "#7a3e9d",
    Role.Mid: "#c6c6c2",
}
DARK = {
    Role.Window: "#1b1e22",
    Role.WindowText: "#dfe3e8",
    Role.Base: "#121417",
    Role.AlternateBase: "#1b1e22",
    Role.Text: "#dfe3e8",
    Role.PlaceholderText: "#8b939c",
    Role.Button: "#2a2e34",
    Role.ButtonText: "#dfe3e8",
    Role.BrightText: "#ffffff",
    Role.ToolTipBase: "#3a3117",
    Role.ToolTipText: "#ffe9b0",
    Role.Highlight: "#2f6f8f",
    Role.HighlightedText: "#ffffff",
    Role.Link: "#7cc4e8",
    Role.LinkVisited: "#c9a1e6",
    Role.Mid: "#3a3f46",
}
SCHEMES = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark, "system": Qt.ColorScheme.Unknown}


def load_fonts() -> None:
    """Make the shipped fonts known to Qt."""
    for font in files("palimpsest.resources").joinpath("fonts").iterdir():
        if font.name.endswith(".ttf"):
            QFontDatabase.addApplicationFontFromData(font.read_bytes())


def code_style(palette: QPalette) -> str:
    """The Pygments style that can be read on this ground."""
    return "github-dark" if palette.color(Role.Base).lightness() < 128 else "default"


def palette(colours: dict[QPalette.ColorRole, str]) -> QPalette:
    """A palette of these; what is disabled has half the ink."""
    made = QPalette(QColor(colours[Role.Button]), QColor(colours[Role.Window]))
    for role, colour in colours.items():
        made.setColor(role, QColor(colour))
    for role in (Role.WindowText, Role.Text, Role.ButtonText):
        faint = QColor(colours[role])
        faint.setAlphaF(0.5)
        made.setColor(QPalette.ColorGroup.Disabled, role, faint)
    return made


class Theme(QObject):
    """The application's colours: light, dark, or what the system says, followed as it changes."""

    def __init__(self, parent: QObject | None = None):
        super().__init__(parent)
        self._hints = QGuiApplication.styleHints()
        self._hints.colorSchemeChanged.connect(self._show)
        self._name = "system"

    def use(self, name: str) -> None:
        """Show ``light``, ``dark`` or what the ``system`` has."""
        self._name = name
        self._hints.setColorScheme(SCHEMES[name])
        self._show()

    def _show(self) -> None:
        dark = self._name == "dark" or (self._name == "system" and self._hints.colorScheme() == Qt.ColorScheme.Dark)
        QGuiApplication.setPalette(palette(DARK if dark else LIGHT))
