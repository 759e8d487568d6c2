"""The table of settings: one frozen dataclass, one TOML file; the preferences are drawn from it."""

import logging
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import tomli_w
from platformdirs import user_config_path

from palimpsest.engine import languages
from palimpsest.engine.language import tr

log = logging.getLogger(__name__)

UNSENT = (".env*", "*.pem", "*.key", "*.p12", "*.kdbx", "id_*", ".netrc", ".npmrc", ".pypirc", "*credentials*")


Choices = Callable[[], Mapping[str, str]]  # values, and how the user reads them


def setting(default: Any, section: str, label: str, choices: Choices = dict, bounds: tuple[int, int] = (0, 0)):
    """A row of the table: what it is at first, where it stands in the preferences, and what it may be."""
    return field(default=default, metadata={"section": section, "label": label, "choices": choices, "bounds": bounds})


@dataclass(frozen=True)
class Settings:
    """What a user may want otherwise. A ``str`` without choices is the name of a font, a tuple one text a line."""

    theme: str = setting(
        "system",
        tr("Looks"),
        tr("Colours"),
        choices=lambda: {"system": tr("system"), "light": tr("light"), "dark": tr("dark")},
    )
    code_font: str = setting("JetBrains Mono", tr("Looks"), tr("Font of code"))
    prose_font: str = setting("Vollkorn", tr("Looks"), tr("Font of prose"))
    font_size: int = setting(11, tr("Looks"), tr("Size of the text, in points"), bounds=(5, 72))
    line_numbers: bool = setting(True, tr("Looks"), tr("Line numbers"))
    white_space: bool = setting(False, tr("Looks"), tr("Show blanks and tabs"))
    ruler: int = setting(0, tr("Looks"), tr("Ruler in code behind so many columns (0: none)"), bounds=(0, 400))
    wrap: str = setting(
        "prose",
        tr("Writing"),
        tr("Wrap long lines in"),
        choices=lambda: {"prose": tr("prose"), "all files": tr("all files"), "no file": tr("no file")},
    )
    indent: int = setting(4, tr("Writing"), tr("Blanks of an indent, where the file does not tell"), bounds=(1, 16))
    tabs: bool = setting(False, tr("Writing"), tr("Indent with tabs, where the file does not tell"))
    spelling: str = setting(
        "prose",
        tr("Writing"),
        tr("Check the spelling of"),
        choices=lambda: {
            "prose": tr("prose"),
            "prose and comments": tr("prose and comments"),
            "nothing": tr("nothing"),
        },
    )
    images: str = setting("", tr("Writing"), tr("Text in images is"), choices=languages)
    continuing: bool = setting(False, tr("Drafts"), tr("Go on by itself when you pause at a line's end"))
    drafts: str = setting(
        "while they form",
        tr("Drafts"),
        tr("Show drafts"),
        choices=lambda: {
            "while they form": tr("while they form"),
            "when they are finished": tr("when they are finished"),
        },
    )
    instructions: tuple[str, ...] = setting((), tr("Drafts"), tr("Your own instructions, one a line"))
    servers: tuple[str, ...] = setting((), tr("Servers"), tr("Address, model if need be, one server a line"))
    offline: bool = setting(False, tr("Servers"), tr("Work offline: no other machine is asked"))
    fall_back: bool = setting(False, tr("Servers"), tr("If a server fails, fill on this machine"))
    unsent: tuple[str, ...] = setting(UNSENT, tr("Servers"), tr("Files never sent, one pattern a line"))
    shortcuts: dict[str, str] = field(default_factory=dict)  # other keys than the table of actions says, by its names


ROWS = [row for row in fields(Settings) if row.metadata]


def file() -> Path:
    """Where the settings are kept."""
    return user_config_path("palimpsest") / "settings.toml"


def load() -> tuple[Settings, str]:
    """The settings, and what in the file cannot be used, for the user; nothing in the file is lost."""
    try:
        told = _told()
    except (OSError, ValueError) as error:
        return Settings(), tr(
            "{file} cannot be read ({error}): correct it, or change a preference to begin it anew.",
            file=file(),
            error=error,
        )
    good = {row.name: told[row.name] for row in ROWS if row.name in told and _fits(row, told[row.name])}
    shortcuts = told.get("shortcuts", {})
    if isinstance(shortcuts, dict):
        good["shortcuts"] = {name: keys for name, keys in shortcuts.items() if isinstance(keys, str)}
    wrong = [row.name for row in ROWS if row.name in told and row.name not in good]
    return Settings(**good), tr(
        "{file}: {wrong} cannot be that, so it is as usual.", file=file(), wrong=", ".join(wrong)
    ) if wrong else ""


def save(settings: Settings) -> None:
    """Keep what differs from the usual, beside what other versions keep in the file. Raises OSError."""
    usual = asdict(Settings())
    try:
        kept = {name: value for name, value in _told().items() if name not in usual}
    except ValueError:
        file().replace(file().with_suffix(".unreadable"))  # it may hold much that a hand has written
        kept = {}
    changed = {name: value for name, value in asdict(settings).items() if value != usual[name]}
    file().parent.mkdir(parents=True, exist_ok=True)
    part = file().with_suffix(".part")
    part.write_text(tomli_w.dumps(kept | changed), "utf-8")
    part.replace(file())


def _told() -> dict[str, Any]:
    try:
        told = tomllib.loads(file().read_text("utf-8"))
        return {name: tuple(value) if isinstance(value, list) else value for name, value in told.items()}
    except FileNotFoundError:
        return {}


def _fits(row, value: Any) -> bool:
    if type(value) is not type(row.default):
        return False
    if isinstance(value, tuple):
        return all(isinstance(one, str) for one in value)
    least, most = row.metadata["bounds"]
    if isinstance(value, int) and most:
        return least <= value <= most
    choices = row.metadata["choices"]()
    return not choices or value in choices
