"""Settings: the file, what is drawn from the table, and what the window does with it."""

from types import SimpleNamespace

import pytest
from pygments.styles import get_style_by_name
from pygments.token import Whitespace
from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QFontInfo, QKeySequence, QPalette
from PySide6.QtWidgets import QCheckBox, QComboBox, QFontComboBox, QKeySequenceEdit, QPlainTextEdit, QSpinBox

from conftest import contrast
from palimpsest.app import settings, theme
from palimpsest.app.actions import COMMANDS, name_of
from palimpsest.app.highlight import Highlighter
from palimpsest.app.preferences import Preferences
from palimpsest.app.settings import ROWS, Settings


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The user's configuration."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    return tmp_path / "palimpsest"


@pytest.fixture
def preferences(window, folder):  # noqa: ARG001
    window.show_preferences()
    shown = window.findChild(Preferences)
    yield shown
    shown.close()
    window.use(Settings())


# The file


def test_what_is_saved_is_loaded(folder):
    assert settings.load() == (Settings(), "")
    chosen = Settings(theme="dark", font_size=14, shortcuts={"File: New": "Ctrl+T"})
    settings.save(chosen)
    assert settings.load() == (chosen, "")
    assert (
        folder / "settings.toml"
    ).read_text() == 'theme = "dark"\nfont_size = 14\n\n[shortcuts]\n"File: New" = "Ctrl+T"\n'


def test_what_another_version_keeps_stays(folder):
    folder.mkdir()
    (folder / "settings.toml").write_text('colour = "blue"\nindent = 2\n')
    settings.save(Settings(tabs=True))
    assert (folder / "settings.toml").read_text() == 'colour = "blue"\ntabs = true\n'


@pytest.mark.parametrize("wrong", ["font_size = 3", "font_size = 11.5", 'theme = "pink"', "tabs = 1", "ruler = true"])
def test_a_value_that_cannot_be_is_told_and_the_usual_taken(folder, wrong):
    folder.mkdir()
    (folder / "settings.toml").write_text(f"indent = 2\n{wrong}\n")
    chosen, told = settings.load()
    assert chosen == Settings(indent=2)
    assert f"{wrong.split()[0]} cannot be that" in told


def test_a_file_that_is_no_toml_is_told_and_kept_aside(folder):
    folder.mkdir()
    (folder / "settings.toml").write_text("theme = dark\n")
    chosen, told = settings.load()
    assert chosen == Settings()
    assert "settings.toml cannot be read" in told
    settings.save(Settings(indent=2))
    assert settings.load() == (Settings(indent=2), "")
    assert (folder / "settings.unreadable").read_text() == "theme = dark\n"


# The dialog


def test_every_setting_and_every_command_has_a_row(preferences):
    kinds = {bool: QCheckBox, int: QSpinBox, str: (QComboBox, QFontComboBox), tuple: QPlainTextEdit}
    for row in ROWS:
        assert isinstance(preferences.rows[row.metadata["label"]], kinds[type(row.default)])
    assert sum(isinstance(field, QKeySequenceEdit) for field in preferences.rows.values()) == len(COMMANDS)
    assert all(field.accessibleName() == label for label, field in preferences.rows.items())


def test_words_find_rows(preferences, qtbot):
    def shown():
        return [label for label, field in preferences.rows.items() if field.isVisibleTo(preferences)]

    assert len(shown()) == len(preferences.rows)
    qtbot.keyClicks(preferences.wanted, "font looks")
    assert shown() == ["Font of code", "Font of prose"]
    preferences.wanted.clear()
    qtbot.keyClicks(preferences.wanted, "keys go line")
    assert shown() == ["Go: Line"]


def test_a_change_holds_at_once_and_next_time(preferences, window):
    preferences.rows["Size of the text, in points"].setValue(17)
    preferences.rows["Line numbers"].setChecked(False)
    preferences.rows["Show blanks and tabs"].setChecked(True)
    assert window.editor.font().pointSize() == 17
    assert window.editor.viewport().x() < 5
    option = window.editor.document().defaultTextOption()
    assert option.flags() & option.Flag.ShowTabsAndSpaces
    assert window.pages.new().editor.font().pointSize() == 17
    assert settings.load()[0] == Settings(font_size=17, line_numbers=False, white_space=True)
    preferences._restore()
    assert window.settings == Settings() == settings.load()[0]
    assert preferences.rows["Size of the text, in points"].value() == Settings().font_size


def test_keys_are_changed_and_never_given_twice(preferences, window):
    def press(label, keys):
        field = preferences.rows[label]
        field.setKeySequence(QKeySequence(keys))
        field.editingFinished.emit()
        return field.keySequence().toString()

    actions = {name_of(action): action for action in window._actions}
    assert press("File: New", "Ctrl+Alt+N") == "Ctrl+Alt+N"
    assert actions["File: New"].shortcut().toString() == "Ctrl+Alt+N"
    assert press("Go: Line", "Ctrl+Alt+N") == "Ctrl+G"
    assert preferences.trouble == "Ctrl+Alt+N is File: New: give that other keys first."
    assert actions["Go: Line"].shortcut().toString() == "Ctrl+G"
    assert press("File: New", "") == ""
    assert press("Go: Line", "Ctrl+Alt+N") == "Ctrl+Alt+N"
    assert preferences.trouble == ""
    assert settings.load()[0].shortcuts == {"File: New": "", "Go: Line": "Ctrl+Alt+N"}


def test_a_file_that_cannot_be_written_is_told(preferences, window, folder):
    folder.write_text("no folder")
    preferences.rows["Line numbers"].setChecked(False)
    assert not window.settings.line_numbers
    assert "The preferences hold until you quit" in window.status.currentMessage()


# What they mean


def test_indents_where_the_file_does_not_tell(window):
    page = window.pages.new()
    page.rename(None)
    for chosen, indent in ((Settings(indent=2), "  "), (Settings(tabs=True), "\t"), (Settings(), "    ")):
        window.use(chosen)
        assert page.editor.indentation == indent
    page.editor.put("if x:\n  y\n")
    assert page.editor.indentation == "  "


@pytest.mark.parametrize(
    ("wrap", "code", "prose"), [("prose", False, True), ("all files", True, True), ("no file", False, False)]
)
def test_wrapping_by_kind_of_file(window, wrap, code, prose):
    window.use(Settings(wrap=wrap))
    editor = window.editor
    for suffix, wraps in ((".py", code), (".md", prose)):
        editor.suit(f"x{suffix}")
        assert (editor.lineWrapMode() == editor.LineWrapMode.WidgetWidth) == wraps


@pytest.mark.usefixtures("qapp")
def test_the_shipped_fonts_are_there():
    theme.load_fonts()
    for family in (Settings().code_font, Settings().prose_font):
        font = QFontInfo(theme.QFontDatabase.font(family, "Regular", 11))
        assert font.family() == family
    assert theme.QFontDatabase.isFixedPitch(Settings().code_font)


def test_prose_has_its_own_font(window):
    theme.load_fonts()
    window.use(Settings())
    for suffix, family in ((".py", "JetBrains Mono"), (".md", "Vollkorn"), ("", "JetBrains Mono")):
        window.editor.suit(f"x{suffix}")
        assert QFontInfo(window.editor.font()).family() == family


# Light and dark


Role = QPalette.ColorRole
PAIRS = [
    *[
        (ink, ground)
        for ink in (Role.WindowText, Role.PlaceholderText, Role.Link)
        for ground in (Role.Window, Role.Base)
    ],
    (Role.Text, Role.Base),
    (Role.Text, Role.AlternateBase),
    (Role.ButtonText, Role.Button),
    (Role.ToolTipText, Role.ToolTipBase),
    (Role.HighlightedText, Role.Highlight),
]


@pytest.mark.parametrize("colours", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
def test_everything_can_be_read(colours):
    palette = theme.palette(colours)
    for ink, ground in PAIRS:
        assert contrast(palette.color(ink), palette.color(ground)) >= 4.5, (ink, ground)
    for kind, look in get_style_by_name(theme.code_style(palette)):
        if look["color"] and kind is not Whitespace:
            assert contrast(QColor(f"#{look['color']}"), palette.color(Role.Base)) >= 4.5, kind


def test_colours_are_switched_while_the_window_is_open(window, qtbot):
    def looks():
        return [
            form.format.foreground().color().name() for form in window.editor.document().firstBlock().layout().formats()
        ]

    def ground(colours):
        return window.editor.palette().color(Role.Base).name() == colours[Role.Base]

    inks = []
    for name, colours in (("light", theme.LIGHT), ("dark", theme.DARK), ("light", theme.LIGHT)):
        window.use(Settings(theme=name))
        qtbot.waitUntil(lambda colours=colours: ground(colours) and bool(looks()))
        inks.append(looks())
    assert inks[0] == inks[2] != inks[1]
    assert len(window.editor.document().findChildren(Highlighter)) == 1
    window.use(Settings())


def test_the_system_is_followed(window, qtbot, monkeypatch):
    window.use(Settings())
    hints = window.theme._hints
    for scheme, colours in ((Qt.ColorScheme.Dark, theme.DARK), (Qt.ColorScheme.Light, theme.LIGHT)):
        monkeypatch.setattr(window.theme, "_hints", SimpleNamespace(colorScheme=lambda scheme=scheme: scheme))
        hints.colorSchemeChanged.emit(scheme)
        qtbot.waitUntil(lambda colours=colours: window.palette().color(Role.Base).name() == colours[Role.Base])
