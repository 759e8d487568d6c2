"""The user's language: what is told is looked up in the catalogue that the environment asks for, else told in English.

As gettext has it: LANGUAGE, LC_ALL, LC_MESSAGES and LANG, in this order. It holds from the start to the end.
"""

import gettext
from pathlib import Path

DOMAIN = "palimpsest"
LOCALE = Path(__file__).parent.parent / "resources" / "locale"

catalogue = gettext.translation(DOMAIN, LOCALE, fallback=True)


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
