"""Measures how well a checkpoint fills holes in text it has never seen.

    python -m palimpsest.engine.training.evaluate TEXT_FILE... [--model FOLDER] [--count N] [--json PATH]

For every file (code, prose ...) it blanks N single lines and N single words and fills them as a user would, without
telling the length. Reported: *exact*, the share given back letter by letter; *similar*, the mean of difflib's ratio;
*length*, the share within one token's usual length (4 characters) of the true one; steps; milliseconds a fill.
"""

import argparse
import difflib
import json
import random
import re
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from palimpsest.engine import Done, Fill, Options, open_backend
from palimpsest.engine.backend import Backend
from palimpsest.engine.training.corpus import documents

Hole = tuple[str, str, str]  # before, true text, after


def lines(text: str, rng: random.Random) -> Hole | None:
    """One line blanked after its indentation, with some text on both sides."""
    places = [found.span(1) for found in re.finditer(r"^[ \t]*(\S.{5,60}\S)$", text, re.MULTILINE)]
    return _hole(text, places, rng)


def words(text: str, rng: random.Random) -> Hole | None:
    """One word of three letters or more removed."""
    return _hole(text, [found.span() for found in re.finditer(r"\b[A-Za-z_]{3,}\b", text)], rng)


def _hole(text: str, places: list[tuple[int, int]], rng: random.Random) -> Hole | None:
    places = [(start, end) for start, end in places if start > 300 and end < len(text) - 100]
    if not places:
        return None
    start, end = rng.choice(places)
    return text[:start], text[start:end], text[end:]


def holes(file: Path, kind, count: int) -> Iterator[Hole]:
    """``count`` holes of different documents, always the same ones for a file."""
    texts = list(documents(file, file.stat().st_size))
    rng = random.Random(0)
    rng.shuffle(texts)
    found = (hole for text in texts if (hole := kind(text, rng)))
    yield from (hole for hole, _ in zip(found, range(count), strict=False))


def evaluate(backend: Backend, cases: list[Hole]) -> dict[str, float]:
    """Fill every hole once, seeded by its number, and average."""
    rows = []
    for seed, (before, truth, after) in enumerate(cases):
        began = time.perf_counter()
        *_, done = backend.fill(Fill(before, after, options=Options(seed=seed)))
        assert isinstance(done, Done)
        similar = difflib.SequenceMatcher(None, done.text, truth, autojunk=False).ratio()
        close = abs(len(done.text) - len(truth)) <= 4
        rows.append((done.text == truth, similar, close, done.steps, 1e3 * (time.perf_counter() - began)))
    names = ("exact", "similar", "length", "steps", "ms")
    return {name: round(float(value), 3) for name, value in zip(names, np.mean(rows, axis=0), strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--model", type=Path, metavar="FOLDER")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--json", type=Path, metavar="PATH")
    args = parser.parse_args()
    report = {}
    with closing(open_backend(checkpoint=args.model)) as backend:
        backend.load()
        for file in args.files:
            for kind in (lines, words):
                name = f"{file.stem} {kind.__name__}"
                report[name] = evaluate(backend, list(holes(file, kind, args.count)))
                print(f"{name:24}", "  ".join(f"{key} {value}" for key, value in report[name].items()), flush=True)
    if args.json:
        args.json.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
