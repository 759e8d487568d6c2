"""The user's language: what is told is looked up in the catalogue that is asked for, else told in English.

The environment asks for it as gettext has it, by LANGUAGE, LC_ALL, LC_MESSAGES and LANG, in this order; where it names
none, the settings of Windows or of a Mac do. It holds from the start to the end.
"""

import gettext
import os
import sys
from itertools import takewhile
from pathlib import Path

DOMAIN = "palimpsest"
LOCALE = Path(__file__).parent.parent / "resources" / "locale"
VARIABLES = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")


def _asked_for() -> list[str]:
    """The languages that are wanted, like ``de_DE``, the first one first, up to English."""
    said = next(filter(None, map(os.environ.get, VARIABLES)), "")
    names = said.split(":") if said else _of_system()
    return list(takewhile(lambda name: not name.startswith("en"), names))


def _of_system() -> list[str]:
    if sys.platform == "win32":
        import ctypes
        import locale

        return [locale.windows_locale.get(ctypes.windll.kernel32.GetUserDefaultUILanguage(), "")]
    if sys.platform == "darwin":
        import re
        import subprocess

        asked = ["/usr/bin/defaults", "read", "-g", "AppleLanguages"]  # which prints ( "de-DE", "en-GB" )
        told = subprocess.run(asked, capture_output=True, text=True, check=False).stdout
        return [name.replace("-", "_") for name in re.findall(r"[a-zA-Z]+(?:-\w+)*", told)]
    return []


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
