"""How well pictures are read, and how long that takes, beside Debian's tesseract where it is installed.

    python tests/bench_pictures.py [--each N] [--seed N] [--json PATH] [--documents PDF...]

Pages of every kind are drawn by ``printed.py``. Reported of each kind: character error (edits over characters, white
space counting as one space), seconds a page; of code, the share of lines that are indented as they were; of columns,
the pages in the right order; of tables, the F1 of their cells. And of a full screen of 1920 x 1080: seconds, processor
seconds, and the growth of the memory held. Pages of documents are drawn as a screen shows them, and compared with the
text that the PDF holds; Debian's packages have some (debian-faq, developers-reference, maint-guide).
"""

import argparse
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from statistics import mean
from typing import Any

import psutil
import pypdfium2 as pdfium
from printed import Printed, all_pages, screen
from rapidfuzz.distance import Levenshtein

from palimpsest.engine import Transcriber, Transcript

DPI = 100  # of a document on a screen: its type is 14 pixels high, or so
WRITTEN = 800  # letters that a document's page has at least
HYPHEN = re.compile(r"(?<=\w)[-\x02\ufffe]\s*\n\s*(?=[a-z])")  # that parts a word at a line's end


def documents(paths: list[Path], each: int, seed: int) -> Iterator[Printed]:
    """Pages of PDFs that hold their text, from each as many, chosen by ``seed``."""
    for path in paths:
        with closing(pdfium.PdfDocument(path)) as document:
            texts = {number: page.get_textpage().get_text_range() for number, page in enumerate(document)}
            written = [number for number, text in texts.items() if sum(map(str.isalpha, text)) >= WRITTEN]
            for number in random.Random(seed).sample(written, min(each, len(written))):
                drawn: Any = document[number].render  # it says that it takes whole numbers only
                picture = drawn(scale=DPI / 72).to_pil().convert("RGB")
                text = texts[number].replace("\r\n", "\n")
                yield Printed(path.name.partition(".")[0], "prose", picture, HYPHEN.sub("", text))


def flat(text: str) -> str:
    """On one line, without the marks of a Markdown table."""
    kept = [line for line in text.split("\n") if not line.startswith("| ---")]
    return " ".join("\n".join(kept).replace("|", " ").split())


def errors(page: Printed, text: str) -> int:
    return Levenshtein.distance(flat(page.text), flat(text))


def indented(page: Printed, text: str) -> tuple[int, int]:
    """Lines of code that are indented as they were, and all; lines that are lost or too many spoil those after them."""
    wanted, got = page.text.split("\n"), text.split("\n")
    same = sum(_indent(one) == _indent(other) for one, other in zip(wanted, got, strict=False))
    return same, max(len(wanted), len(got))


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def in_order(page: Printed, text: str) -> bool:
    """Do the paragraphs come as they should?"""
    at = [flat(text).find(part[-25:]) for part in page.text.split("\n\n")]
    return sorted(at) == at and -1 not in at


def cells_f1(page: Printed, text: str) -> float:
    """How many cells are right, at their place: F1 of (row, column, text)."""
    lines = [line for line in text.split("\n") if line.startswith("|") and not line.startswith("| ---")]
    got = Counter(
        (row, at, _closed(cell))
        for row, line in enumerate(lines)
        for at, cell in enumerate(line.strip("| ").split(" | "))
    )
    wanted = Counter((row, at, _closed(cell)) for row, cells in enumerate(page.rows) for at, cell in enumerate(cells))
    return 2 * (got & wanted).total() / (got.total() + wanted.total())


def _closed(cell: str) -> str:
    """Without its spaces: before a per cent sign, fonts differ in what they leave."""
    return "".join(cell.split())


def measured(pages: list[Printed], read: Callable[[Path], str]) -> dict[str, dict[str, float]]:
    """The figures of each kind."""
    told: dict[str, list[dict]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for page in pages:
            path = Path(folder) / "page.png"
            page.picture.save(path)
            began = time.perf_counter()
            text = read(path)
            one = {"seconds": time.perf_counter() - began, "errors": errors(page, text), "length": len(flat(page.text))}
            if page.form == "code":
                one["same"], one["lines"] = indented(page, text)
            if page.kind == "columns":
                one["in_order"] = in_order(page, text)
            if page.rows:
                one["f1"] = cells_f1(page, text)
            told.setdefault(page.kind, []).append(one)
    return {kind: _summed(ones) for kind, ones in told.items()}


def _summed(ones: list[dict]) -> dict[str, float]:
    summed = {
        "error": sum(one["errors"] for one in ones) / sum(one["length"] for one in ones),
        "seconds": mean(one["seconds"] for one in ones),
    }
    if lines := sum(one.get("lines", 0) for one in ones):
        summed["indentation"] = sum(one.get("same", 0) for one in ones) / lines
    for name in ("in_order", "f1"):
        if name in ones[0]:
            summed[name] = mean(one[name] for one in ones)
    return {name: round(value, 4) for name, value in summed.items()}


def by_tesseract(path: Path) -> str:
    text = subprocess.run(["tesseract", path, "-"], capture_output=True, text=True, check=True).stdout.strip()
    return HYPHEN.sub("", text)


def full_screen(transcriber: Transcriber) -> dict[str, float]:
    """What a screen full of code costs."""
    process = psutil.Process()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "screen.png"
        page = screen(random.Random(0))
        page.picture.save(path)
        began, worked = time.perf_counter(), time.process_time()
        text = text_of(transcriber, path)
        took, work = time.perf_counter() - began, time.process_time() - worked
    held = process.memory_info().rss
    return {
        "error": round(errors(page, text) / len(flat(page.text)), 4),
        "seconds": round(took, 2),
        "processor_seconds": round(work, 2),
        "rss_mb": round(held / 2**20),
    }


def text_of(transcriber: Transcriber, path: Path, form: str = "auto") -> str:
    """All pages of a file."""
    return "\n\n".join(told.text for told in transcriber.read(path, form) if isinstance(told, Transcript))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=4, help="pages of every kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="PATH", help="write the figures there too")
    parser.add_argument("--documents", type=Path, nargs="*", default=[], metavar="PDF", help="pages of these too")
    args = parser.parse_args()
    pages = [*all_pages(args.seed, args.each), *documents(args.documents, args.each, args.seed)]
    transcriber = Transcriber()
    text_of(transcriber, _warming(pages[0]))
    told: dict[str, dict] = {"ours": measured(pages, lambda path: text_of(transcriber, path))}
    told["full screen"] = full_screen(transcriber)
    if shutil.which("tesseract"):
        told["tesseract"] = measured(pages, by_tesseract)
    for kind, ours in told["ours"].items():
        print(f"{kind:16}", ours, "| tesseract", told.get("tesseract", {}).get(kind, "is not installed"))
    print(f"{'full screen':16}", told["full screen"])
    if args.json:
        args.json.write_text(json.dumps(told, indent=1) + "\n")
    return 0


def _warming(page: Printed) -> Path:
    path = Path(tempfile.mkdtemp()) / "first.png"
    page.picture.crop((0, 0, 300, 80)).save(path)
    return path


if __name__ == "__main__":
    sys.exit(main())
