"""Brings the catalogues of what is told up to date: ``python packaging/catalogue.py [LANGUAGE]``.

Collects the texts of the sources, merges them into ``resources/locale/*/LC_MESSAGES/palimpsest.po`` and compiles those;
a language that has none yet gets one to be filled in. What lacks a translation is told in English.
"""

import argparse
import io
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_python
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
LOCALE = ROOT / "resources" / "locale"
PLURAL, ROW = "trn", "Command"  # a text that depends on a number, and a row of the table of commands
WRITTEN = datetime(2026, 11, 28, tzinfo=UTC)  # one date for all, so that nothing changes where no text does
KEYWORDS: dict = {"tr": None, PLURAL: None, ROW: None}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("language", nargs="?", help="a new one, such as fr")
    new = parser.parse_args().language
    if new:
        place(new).parent.mkdir(parents=True, exist_ok=True)
        place(new).touch()
    for language in sorted(folder.name for folder in LOCALE.iterdir()):
        merged = catalogue(language)
        place(language).write_bytes(text(merged))
        place(language).with_suffix(".mo").write_bytes(binary(merged))
        missing = sum(not message.string or not all(message.string) for message in merged if message.id)
        print(f"{language}: {len(merged)} texts, {missing} of them not translated")
    return 0


def place(language: str) -> Path:
    """Where the catalogue of a language is."""
    return LOCALE / language / "LC_MESSAGES" / "palimpsest.po"


def catalogue(language: str) -> Catalog:
    """The language's catalogue with the texts that the sources have now."""
    with place(language).open("rb") as file:
        known = read_po(file, language)
    known.update(template(), no_fuzzy_matching=True, update_header_comment=False)
    known.obsolete.clear()
    known.fuzzy, known.project, known.version = False, "Palimpsest", ""
    known.header_comment = f"# Palimpsest in {known.locale.english_name if known.locale else language}"
    known.last_translator = known.language_team = known.msgid_bugs_address = ""
    known.revision_date = WRITTEN
    return known


def template() -> Catalog:
    """The texts of the sources."""
    found = Catalog(creation_date=WRITTEN)
    for part in ("app", "engine"):
        for path in sorted((ROOT / part).glob("*.py")):
            for told in _texts(path):
                found.add(told, flags=("python-brace-format",) if "{" in str(told) else ())
    return found


def _texts(path: Path) -> Iterator[str | tuple[str, str]]:
    with path.open("rb") as file:
        for _line, function, told, _comments in extract_python(file, KEYWORDS, (), {}):
            texts = [one for one in (told if isinstance(told, tuple) else (told,)) if isinstance(one, str)]
            if function == PLURAL and len(texts) > 1:
                yield texts[0], texts[1]
            elif function == ROW:
                yield from texts[:2]
            elif texts:
                yield texts[0]


def text(catalogue: Catalog) -> bytes:
    """The catalogue for people, in an order that does not change with the sources."""
    file = io.BytesIO()
    write_po(file, catalogue, width=100, no_location=True, omit_header=False, sort_output=True)
    return file.getvalue()


def binary(catalogue: Catalog) -> bytes:
    """The catalogue as it is looked up."""
    file = io.BytesIO()
    write_mo(file, catalogue)
    return file.getvalue()


if __name__ == "__main__":
    sys.exit(main())
