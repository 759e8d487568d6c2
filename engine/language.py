"""The user's language: what is told is looked up in the catalogue that is asked for, else told in English.

The environment asks for it as gettext has it, by LANGUAGE, LC_ALL, LC_MESSAGES and LANG, in this order; where it names
none, the settings of Windows or of a Mac do. It holds from the start to the end.
"""

import gettext
import os
import sys
from pathlib import Path

DOMAIN = "palimpsest"
LOCALE = Path(__file__).parent.parent / "resources" / "locale"
VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


def _asked_for() -> list[str] | None:
    """The system's language, like ``de_DE``; None where it is in the environment."""
    if any(map(os.environ.get, VARIABLES)):
        return None
    if sys.platform == "win32":
        import ctypes
        import locale

        return [locale.windows_locale.get(ctypes.windll.kernel32.GetUserDefaultUILanguage(), "")]
    if sys.platform == "darwin":
        import subprocess

        told = subprocess.run(["defaults", "read", "-g", "AppleLocale"], capture_output=True, text=True, check=False)
        return [told.stdout.strip()]
    return None


catalogue = gettext.translation(DOMAIN, LOCALE, _asked_for(), fallback=True)


def code() -> str:
    """The language, as in ``de``; "" is the English of the sources."""
    return catalogue.info().get("language", "")


def tr(text: str, /, **values: object) -> str:
    """``text`` in the user's language, with the values in the places that it has for them."""
    told = catalogue.gettext(text)
    return told.format(**values) if values else told


def trn(one: str, many: str, number: int, /, **values: object) -> str:
    """The same of a text that depends on a number, which is among the values as ``number``."""
    return catalogue.ngettext(one, many, number).format(number=number, **values)
