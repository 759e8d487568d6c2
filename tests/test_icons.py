"""The icons: all there, all used, of one style, and seen on every ground."""

import re
from pathlib import Path

import pytest
from PySide6.QtCore import QSize
from PySide6.QtGui import QColor, QGuiApplication, QIcon, QImage, QPainter, QPalette
from PySide6.QtWidgets import QStyle

import palimpsest.app.icons
from conftest import contrast
from palimpsest.app import theme
from palimpsest.app.actions import COMMANDS
from palimpsest.app.icons import APPLICATION, FOLDER, SIZES, application_icon, icon, menu_icon
from palimpsest.app.settings import Settings
from palimpsest.app.style import OURS, Style

Mode, Role = QIcon.Mode, QPalette.ColorRole
DRAWN = sorted(Path(str(FOLDER)).glob("*.svg"))
NAMES = [path.stem for path in DRAWN if path.stem != APPLICATION]
THEMES = pytest.mark.parametrize("colours", [theme.LIGHT, theme.DARK], ids=["light", "dark"])


@pytest.fixture
def shown(qapp):
    """Shows a palette."""
    before = qapp.palette()
    yield lambda colours: QGuiApplication.setPalette(theme.palette(colours))
    QGuiApplication.setPalette(before)


def colours_of(pixmap, ground=None):
    """The colours of the pixels, or of those more than half covered, as they are on the ground."""
    image = pixmap.toImage().convertToFormat(QImage.Format.Format_ARGB32)
    places = [(x, y) for x in range(image.width()) for y in range(image.height())]
    places = [place for place in places if image.pixelColor(*place).alphaF() > 0.5]
    if ground:
        under = QImage(image.size(), QImage.Format.Format_RGB32)
        under.fill(ground)
        painter = QPainter(under)
        painter.drawImage(0, 0, image)
        painter.end()
        image = under
    return [image.pixelColor(*place) for place in places]


def test_every_icon_is_used_and_every_one_used_is_there():
    app = Path(palimpsest.app.icons.__file__).parent
    used = {
        name
        for file in app.glob("*.py")
        for name in re.findall(r"\b(?:icon|Toggle)\((?:\w+, )?\"([\w-]+)\"", file.read_text())
    }
    used |= {command.icon for command in COMMANDS if command.icon} | set(OURS.values())
    assert used == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_icons_are_of_one_style(name):
    source = FOLDER.joinpath(f"{name}.svg").read_text()
    assert source.startswith(FOLDER.joinpath("file.svg").read_text().partition("\n")[0])
    assert set(re.findall(r'(?:fill|stroke)="([^"]+)"', source)) <= {"none", "currentColor"}


@THEMES
@pytest.mark.parametrize("size", [16, 32])
def test_icons_are_seen_on_every_ground(shown, colours, size):
    shown(colours)
    palette = QGuiApplication.palette()
    for name in NAMES:
        for made, mode, ground in (
            (icon(name), Mode.Normal, Role.Window),
            (icon(name), Mode.Normal, Role.Base),
            (icon(name), Mode.Active, Role.Button),
            (icon(name), Mode.Selected, Role.Highlight),
            (icon(name), Mode.Normal, Role.ToolTipBase),
            (menu_icon(name), Mode.Active, Role.Highlight),
        ):
            under = palette.color(ground)
            pixels = colours_of(made.pixmap(QSize(size, size), mode), under)
            told = sorted(contrast(pixel, under) for pixel in pixels)
            assert told[len(told) // 2] >= 3, (name, ground)  # of most of the stroke, its soft edges too
            assert told[-1] >= 4.5, (name, ground)


def test_a_disabled_one_is_fainter(shown):
    shown(theme.LIGHT)
    ground = QColor(theme.LIGHT[Role.Window])
    faint, full = (
        max(contrast(pixel, ground) for pixel in colours_of(icon("stop").pixmap(QSize(16, 16), mode), ground))
        for mode in (Mode.Disabled, Mode.Normal)
    )
    assert 2 < faint < full


def test_an_icon_follows_the_theme_as_it_is_shown(window):
    window.find_bar.open(replacing=False)
    button = window.find_bar.case
    for name, colours in (("light", theme.LIGHT), ("dark", theme.DARK), ("light", theme.LIGHT)):
        window.use(Settings(theme=name))
        inks = [pixel.name() for pixel in colours_of(button.grab(button.rect().adjusted(4, 4, -4, -4)))]
        assert colours[Role.WindowText] in inks
    window.use(Settings())


def test_icons_are_sharp_where_pixels_are_small(qapp):  # noqa: ARG001
    fine, small = (icon("model").pixmap(QSize(16, 16), ratio) for ratio in (2.0, 1.0))
    assert (fine.width(), fine.devicePixelRatio()) == (32, 2)
    assert fine.toImage() != small.scaled(32, 32).toImage()


def test_the_application_has_an_icon_in_its_colours(qapp):  # noqa: ARG001
    made = application_icon()
    assert sorted(size.width() for size in made.availableSizes()) == list(SIZES)
    small = made.pixmap(QSize(16, 16), 1.0).toImage()
    names = {small.pixelColor(x, y).name() for x in range(16) for y in range(16)}
    assert {"#f7edd3", "#2b2a26", "#1f6d8c"} <= names  # the page, what is written, and what is written anew


def test_the_style_hands_ours_out(qapp):  # noqa: ARG001
    style = Style()
    for standard in OURS:
        assert colours_of(style.standardIcon(standard).pixmap(QSize(16, 16)))
    assert not style.standardIcon(QStyle.StandardPixmap.SP_MessageBoxQuestion).isNull()
