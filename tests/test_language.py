"""The user's language: catalogues that are whole, and nothing shown that they do not hold."""

import json
import os
import re
import runpy
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from string import Formatter

import pytest

from palimpsest.app.actions import COMMANDS
from palimpsest.engine import language

PACKAGING = Path(__file__).parent.parent / "packaging"
CATALOGUE = runpy.run_path(str(PACKAGING / "catalogue.py"))
LANGUAGES = sorted(folder.name for folder in CATALOGUE["LOCALE"].iterdir())

# Every text is in brackets; what is shown without them was not looked up.
SHOWN = """
import asyncio, gettext, json, sys
from pathlib import Path

from palimpsest.engine import language


class Bracketed(gettext.NullTranslations):
    def gettext(self, message):
        return f"⟦{message}⟧"

    def ngettext(self, one, many, number):
        return f"⟦{many}⟧"


language.catalogue = Bracketed()

from PySide6.QtGui import QAction
from PySide6.QtWidgets import *

from palimpsest.app.bridge import EngineBridge
from palimpsest.app.tasks import EventLoop
from palimpsest.app.window import Window
from palimpsest.engine import EngineError


def no_model():
    raise EngineError("⟦none⟧")


async def story(window):
    folder = Path(sys.argv[1])
    (folder / "1.md").write_text("one two\\n")
    await window.pages.open(folder / "1.md")
    window.find_bar.open(replacing=True)
    window.fills.ask_rewrite()
    window.show_preferences()
    window.servers.show_models()
    window.servers.show_engine()
    window.servers.show_help()
    window.fills.show_history()
    window.tree.open(folder)
    window.find_in_files()
    window.show_palette()
    window.pages.new()
    window._context.popup(window.pos())
    for _ in range(50):
        await asyncio.sleep(0.01)
    for menu in window.findChildren(QMenu):
        menu.aboutToShow.emit()
    texts = []
    for widget in QApplication.allWidgets():
        if any(isinstance(above, QFontComboBox | QKeySequenceEdit | QDialogButtonBox) for above in lineage(widget)):
            continue  # Qt's own words, and names of fonts and keys
        for name in ("text", "title", "windowTitle", "toolTip", "placeholderText", "accessibleName"):
            told = getattr(widget, name, None)
            if callable(told) and not (name == "text" and isinstance(widget, QLineEdit)):
                texts.append(told())
        if isinstance(widget, QComboBox):
            texts += [widget.itemText(index) for index in range(widget.count())]
        if isinstance(widget, QTabWidget):
            texts += [widget.tabText(index) for index in range(widget.count())]
        texts += [action.text() for action in widget.actions()]
    print(json.dumps([text for text in texts if isinstance(text, str)]))
    for page in window.pages.all:
        page.editor.document().setModified(False)
    window.close()


def lineage(widget):
    while widget:
        yield widget
        widget = widget.parentWidget()


app = QApplication([])
with EventLoop(app) as loop:
    bridge = EngineBridge(no_model)
    window = Window(bridge)
    window.show()
    loop.run_until_complete(story(window))
    bridge.close()
"""
# Files, their texts, and the buttons that Qt gives docks and tabs.
NAMES = re.compile(
    r"1\.md.*|one two\n|/.*|test_\w+|Palimpsest|UTF-8|LF|Float|Close( Tab)?|Scroll (Left|Right)|[\W\d_]*"
)


def run(script: str, *arguments: object, language: str = "C") -> str:
    """What a Python of its own prints in a language."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    environment = os.environ | {"LANGUAGE": language}
    return subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True, timeout=60).stdout


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_catalogue_holds_what_the_sources_have_and_no_more(language):
    """If not: run packaging/catalogue.py, and translate what is new."""
    catalogue = CATALOGUE["catalogue"](language)
    assert CATALOGUE["place"](language).read_bytes() == CATALOGUE["text"](catalogue)
    assert CATALOGUE["place"](language).with_suffix(".mo").read_bytes() == CATALOGUE["binary"](catalogue)
    assert [told.id for told in catalogue if told.id and not all(_texts(told.string))] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_translation_has_the_same_places_for_values(language):
    for told in CATALOGUE["catalogue"](language):
        for text in _texts(told.string) if told.id else ():
            assert _places(text) == _places(_texts(told.id)[-1]), told.id
            assert text.count("&") == _texts(told.id)[-1].count("&"), told.id


@pytest.mark.parametrize("language", ["C", *LANGUAGES])
def test_in_a_menu_no_letter_chooses_two_commands(language):
    catalogue = {} if language == "C" else {told.id: told.string for told in CATALOGUE["catalogue"](language)}
    labels = defaultdict(list)
    for command in COMMANDS:
        labels[command.menu].append(catalogue.get(command.label, command.label))
    labels[""] = [catalogue.get(menu, menu) for menu in labels]
    for menu, texts in labels.items():
        letters = Counter(text.lower().split("&")[1][0] for text in texts)
        assert [letter for letter, count in letters.items() if count > 1] == [], menu


def test_nothing_is_shown_that_was_not_looked_up(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))  # no file was opened lately
    said = json.loads(run(SHOWN, tmp_path))
    assert "⟦&File⟧" in said
    bare = {text for text in said if "⟦" not in text and not NAMES.fullmatch(text)}
    assert bare == set()


def test_german_is_spoken_where_it_is_asked_for():
    script = "from palimpsest.engine.language import code, tr; print(code(), tr('&File'))"
    assert run(script, language="de_AT:fr") == "de &Datei\n"
    assert run(script, language="tlh") == " &File\n"
    assert run(script, language="en_GB:de") == " &File\n"
    assert run(script, language="tlh:de:en") == "de &Datei\n"
    assert run("from palimpsest.engine.language import trn; print(trn('{number:,} word', '{number:,} words', 1))") == (
        "1 word\n"
    )


SYSTEM = """
import ctypes, subprocess, sys
from types import SimpleNamespace

sys.platform = sys.argv[1]
ctypes.windll = SimpleNamespace(kernel32=SimpleNamespace(GetUserDefaultUILanguage=lambda: 0x0407))
told = SimpleNamespace(stdout='(\\n    "de-DE",\\n    "en-GB"\\n)\\n')
subprocess.run = lambda command, **_: told if command[1:] == ["read", "-g", "AppleLanguages"] else None
import importlib.util
spec = importlib.util.spec_from_file_location("language", sys.argv[2])  # alone: the rest is not for that system
language = importlib.util.module_from_spec(spec)
spec.loader.exec_module(language)
print(language.code())
"""


@pytest.mark.parametrize("system", ["win32", "darwin"])
@pytest.mark.parametrize(("asked", "spoken"), [("", "de"), ("C", "")])
def test_windows_and_macs_are_asked_where_the_environment_names_no_language(system, asked, spoken, monkeypatch):
    for name in language.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert run(SYSTEM, system, language.__file__, language=asked) == f"{spoken}\n"


def test_the_keys_of_a_command_are_kept_whatever_the_language():
    assert len({command.name for command in COMMANDS}) == len(COMMANDS)
    assert {"File: Open", "Fill: Fill in", "Lines: Comment or not"} <= {command.name for command in COMMANDS}


def _texts(told: str | tuple[str, ...] | list[str]) -> list[str]:
    return [told] if isinstance(told, str) else list(told)


def _places(text: str) -> list[tuple[str, str | None]]:
    return sorted((name, spec) for _, name, spec, _ in Formatter().parse(text) if name is not None)
