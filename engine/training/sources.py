"""Public packages -> training text: fetched as pinned, filtered, deduplicated, held out by package.

    python -m palimpsest.engine.training.sources OUT_DIR [--only PACKAGE...]

``sources.csv`` names every package with its version, licence and split. Python code comes from PyPI's wheels (fetched
by pip, nothing of them is run), prose from their docstrings and from Debian's documentation packages (fetched by
apt-get where there is one). Written are ``code.txt.xz``, ``prose.txt.xz`` and the same with ``heldout_``: documents,
each behind a line ``<|file|>NAME``. Packages of permissive licences only; of those, tests, vendored, generated files,
licence headers and duplicates are left out. Whatever shares much with a held-out file is in no training file.
"""

import argparse
import ast
import csv
import gzip
import hashlib
import lzma
import re
import subprocess
import sys
import tarfile
import tempfile
import warnings
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

from palimpsest.engine.training.corpus import SEPARATOR, Unseen

SOURCES = Path(__file__).with_name("sources.csv")
LEFT_OUT = re.compile(r"(^|/)(tests?|testing|_?vendor(ed)?|third_party|extern(al)?s?|migrations|node_modules)(/|$)")
GENERATED = re.compile(r"_pb2(_grpc)?\.py$|(^|/)(test_[^/]*|[^/]*_test|conftest|setup|versioneer|_version)\.py$")
SIZES = range(400, 80_000)  # bytes of a file
MOST_OF_A_PACKAGE = 8_000_000  # bytes
LONGEST_LINE = 300
LEAST_DOCSTRING = 200  # characters
READ = (".html", ".dict.dz", "data.noun", "data.verb", "data.adj", "data.adv")  # how documentation's files end
LEAST_WORDS = 6  # of a page's block: what has fewer is a heading or a button
HELD_OUT_PROSE = 100  # one in so many documents of prose


@dataclass(frozen=True)
class Source:
    registry: str
    package: str
    version: str
    licence: str
    split: str


def sources(only: Iterable[str] = ()) -> list[Source]:
    """The packages of ``sources.csv``, or those of them that are named."""
    with SOURCES.open(encoding="utf-8") as file:
        rows = [Source(**row) for row in csv.DictReader(file)]
    wanted = set(only)
    return [source for source in rows if not wanted or source.package in wanted]


def fetch(source: Source, folder: Path) -> Path | None:
    """The package's file in ``folder``, or None where its registry has it no more."""
    folder.mkdir()
    if source.registry == "pypi":
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
        # A wheel is only unpacked; a source distribution might have to be run.
        command += ["--only-binary", ":all:", f"{source.package}=={source.version}"]
    else:
        command = ["apt-get", "download", "--quiet=2", f"{source.package}={source.version}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        print(f"{source.package} {source.version}: {done.stderr.strip().splitlines()[-1:]}", file=sys.stderr)
        return None
    return next(folder.iterdir(), None)


def python_files(wheel: Path) -> Iterator[tuple[str, str]]:
    """Name and text of the files worth reading, up to so many bytes of a package."""
    taken = 0
    with zipfile.ZipFile(wheel) as archive:
        for info in archive.infolist():
            name = info.filename
            if (
                not name.endswith(".py")
                or info.file_size not in SIZES
                or LEFT_OUT.search(name)
                or GENERATED.search(name)
            ):
                continue
            text = archive.read(info).decode("utf-8", "replace").replace("\r\n", "\n")
            if worth_reading(text) and taken < MOST_OF_A_PACKAGE:
                taken += len(text)
                yield name, without_licence(text)


def worth_reading(text: str) -> bool:
    """Is it written by hand: no long lines, few digits, nearly all ASCII?"""
    if "\ufffd" in text or "@generated" in text[:1000] or "DO NOT EDIT" in text[:1000]:
        return False
    digits, foreign = sum(map(str.isdigit, text)), sum(not char.isascii() for char in text)
    longest = max(map(len, text.split("\n")))
    return longest <= LONGEST_LINE and digits <= 0.12 * len(text) and foreign <= 0.02 * len(text)


def without_licence(text: str) -> str:
    """The file without the comment at its top, if that is about rights."""
    found = re.match(r"(?:[ \t]*#.*\n|\s*\n)+", text)
    if found and re.search(r"copyright|licen[cs]e|rights reserved", found.group(), re.IGNORECASE):
        return text[found.end() :]
    return text


def docstrings(text: str) -> Iterator[str]:
    """The longer docstrings of a file, dedented."""
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            said = ast.get_docstring(node) or ""
            if len(said) >= LEAST_DOCSTRING and ">>>" not in said:
                yield said


class _Text(HTMLParser):
    """Collects what a page says, a line for each block."""

    BLOCKS = ("p", "div", "li", "dd", "dt", "tr", "br", "h1", "h2", "h3", "h4", "pre", "section", "table")
    SILENT = ("script", "style", "nav", "head", "header", "footer")

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag, attrs):  # noqa: ARG002
        self._silent += tag in self.SILENT
        self.said.append("\n" if tag in self.BLOCKS else "")

    def handle_endtag(self, tag):
        self._silent -= tag in self.SILENT
        self.said.append("\n" if tag in self.BLOCKS else "")

    def handle_data(self, data):
        if not self._silent:
            self.said.append(data)


def pages(package: Path) -> Iterator[tuple[str, str]]:
    """Name and text of the documentation in a Debian package."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["dpkg-deb", "--fsys-tarfile", str(package)], check=True, stdout=(Path(folder) / "t").open("wb"))
        with tarfile.open(Path(folder) / "t") as archive:
            for member in archive:
                name, file = member.name, archive.extractfile(member) if member.isfile() else None
                if file is None or not name.endswith(READ):
                    continue
                data = file.read()
                text = (gzip.decompress(data) if name.endswith(".dz") else data).decode("utf-8", "replace")
                if name.endswith(".html"):
                    parser = _Text()
                    parser.feed(text)
                    blocks = re.split(r"\s*\n\s*\n\s*", "".join(parser.said))
                    text = "\n\n".join(block for block in blocks if len(block.split()) >= LEAST_WORDS)
                elif "wordnet" in name:
                    text = "\n\n".join(line.partition(" | ")[2].strip() for line in text.split("\n") if " | " in line)
                yield name, text


class Writer:
    """Documents of one kind of text into one file, each text once."""

    def __init__(self, path: Path, unseen: Unseen | None):
        self._file = lzma.open(path, "wt", encoding="utf-8", preset=6)  # noqa: SIM115  (closed by close)
        self._known: set[bytes] = set()
        self._unseen = unseen

    def write(self, name: str, text: str) -> None:
        """Append a document, unless it is known, white space apart, or shares much with what is held out."""
        key = hashlib.blake2b("".join(text.split()).encode(), digest_size=12).digest()
        if key in self._known or (self._unseen and self._unseen.shares_much(text)):
            return
        self._known.add(key)
        self._file.write(f"{SEPARATOR}{name}\n{text}\n")

    def close(self) -> None:
        self._file.close()


def build(folder: Path, wanted: list[Source]) -> None:
    """Fetch ``wanted`` and write the four files; what is held out first, so that the rest can be held against it."""
    folder.mkdir(parents=True, exist_ok=True)
    unseen = Unseen()
    writers = {name: Writer(folder / f"{name}.txt.xz", None) for name in ("heldout_code", "heldout_prose")}
    writers |= {name: Writer(folder / f"{name}.txt.xz", unseen) for name in ("code", "prose")}
    number = 0
    with tempfile.TemporaryDirectory() as temporary:
        for source in sorted(wanted, key=lambda source: source.split != "heldout"):
            package = fetch(source, Path(temporary) / source.package)
            if package is None:
                continue
            if source.registry == "debian":
                for name, text in pages(package):
                    number += 1
                    writers["prose" if number % HELD_OUT_PROSE else "heldout_prose"].write(name, text)
                continue
            for name, text in python_files(package):
                if source.split == "heldout":
                    unseen.add(text)
                    writers["heldout_code"].write(name, text)
                    continue
                writers["code"].write(name, text)
                for said in docstrings(text):
                    writers["prose"].write(name, said)
            package.unlink()
            print(source.package, flush=True)
    for writer in writers.values():
        writer.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="*", default=(), metavar="PACKAGE")
    args = parser.parse_args()
    build(args.folder, sources(args.only))


if __name__ == "__main__":
    main()
