"""Measures how well a checkpoint fills holes in text it has never seen, beside other ways to fill them.

    python -m palimpsest.engine.training.evaluate CODE PROSE [--model FOLDER] [--count N] [--json PATH]
        [--markdown PATH] [--tokens TOKENS.npy] [--texts FILE...] [--left-to-right FOLDER] [--read FOLDER] [--whole]

Of every class N holes are filled as a user would, without telling the length. Reported of each class: *exact*, the
share given back letter by letter; *edit*, the mean similarity (1 - Levenshtein distance / the longer length); *parses*,
the share of files that are still Python; *length_within_1*, the share of as many tokens as the truth, or one more or
less; mean denoising steps; milliseconds a fill. Of rewriting also *fixed*, the share of the damaged words that are
right, and *touched*, that of the right words that no longer are.

Rivals fill the same holes where any is named: the most frequent text (``--texts``) and a 5-gram model from both sides
(``--tokens``), of the corpus; an autoregressive model told what follows (``--left-to-right``), or not (``--read``).
What ``--json`` names is added to, so classes and rivals may be measured one after another.
"""

import argparse
import difflib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np

from palimpsest.engine import Done, open_backend
from palimpsest.engine.backend import Backend
from palimpsest.engine.device import leave_a_core
from palimpsest.engine.model import load_model
from palimpsest.engine.syntax import parses
from palimpsest.engine.training.cases import CLASSES, CODE, Case, cases
from palimpsest.engine.training.corpus import documents
from palimpsest.engine.training.rivals import BothSides, LeftToRight, MostFrequent, Rival

Answer = tuple[str, int]  # text, denoising steps


def similarity(one: str, other: str) -> float:
    """1 - Levenshtein distance / the longer length; 1 for two empty texts."""
    row = list(range(len(other) + 1))
    for number, char in enumerate(one, 1):
        last, row[0] = row[0], number
        for place, against in enumerate(other, 1):
            last, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, last + (char != against))
    return 1 - row[-1] / max(1, len(one), len(other))


def words_mended(damaged: str, truth: str, text: str) -> tuple[int, int, int, int]:
    """Of the words of ``truth``: how many were damaged, how many of those stand in ``text``; how many were not, and how
    many of those are gone."""
    right = truth.split()
    kept, now = (_found(right, other.split()) for other in (damaged, text))
    broken = [not place for place in kept]
    return (
        sum(broken),
        sum(wrong and here for wrong, here in zip(broken, now, strict=True)),
        len(broken) - sum(broken),
        sum(not wrong and not here for wrong, here in zip(broken, now, strict=True)),
    )


def _found(words: list[str], among: list[str]) -> list[bool]:
    found = [False] * len(words)
    for start, _, size in difflib.SequenceMatcher(None, words, among, autojunk=False).get_matching_blocks():
        found[start : start + size] = [True] * size
    return found


def measure(wanted: list[Case], fill: Callable[[Case], Answer], count: Callable[[str], int]) -> dict:
    """Fill all holes, and the averages by class. ``count`` tells the number of tokens of a text."""
    rows: dict[str, list[dict[str, float]]] = {}
    for case in wanted:
        began = time.perf_counter()
        text, steps = fill(case)
        row = {"ms": 1e3 * (time.perf_counter() - began), "mean_steps": steps}
        row |= {"exact": text == case.truth, "edit": similarity(text, case.truth)}
        row["length_within_1"] = abs(count(text) - count(case.truth)) <= 1
        if case.kind in CODE or case.kind in ("rewrite_format", "rewrite_annotations"):
            row["parses"] = parses(case.whole(text))
        if case.selected:
            row |= zip(
                ("damaged", "mended", "right", "lost"), words_mended(case.selected, case.truth, text), strict=True
            )
        rows.setdefault(case.kind, []).append(row)
    return {kind: _averages(values) for kind, values in rows.items()}


def _averages(rows: list[dict[str, float]]) -> dict[str, float]:
    names = ("exact", "edit", "parses", "length_within_1", "mean_steps", "ms")
    report = {name: round(float(np.mean([row[name] for row in rows])), 4) for name in names if name in rows[0]}
    if "damaged" in rows[0]:
        damaged, mended, right, lost = (sum(row[n] for row in rows) for n in ("damaged", "mended", "right", "lost"))
        report |= {"fixed": round(mended / max(1, damaged), 4), "touched": round(lost / max(1, right), 4)}
    return {"n": len(rows), **report}


def by_backend(backend: Backend, wanted: list[Case], whole: bool = False) -> Callable[[Case], Answer]:
    """Fills by ``backend``, each case always with the same seed, told what is near or the ``whole`` file."""
    seeds = {id(case): seed for seed, case in enumerate(wanted)}

    def fill(case: Case) -> Answer:
        *_, done = backend.fill(case.fill(seeds[id(case)], whole))
        assert isinstance(done, Done)
        return done.text, done.steps

    return fill


def by_rival(rival: Rival) -> Callable[[Case], Answer]:
    """Fills by ``rival``, which knows no steps."""
    return lambda case: (rival(case), 0)


def table(report: dict) -> str:
    """The report in Markdown."""
    names = ("n", "exact", "edit", "parses", "length_within_1", "mean_steps", "ms", "fixed", "touched")
    lines = [f"| who | class | {' | '.join(names)} |", "|---" * (len(names) + 2) + "|"]
    everyone = {"fill": {k: v for k, v in report.items() if k != "baselines"}, **report["baselines"]}
    for kind in CLASSES:
        for who, classes in everyone.items():
            if kind in classes:
                values = (classes[kind].get(name) for name in names)
                lines.append(f"| {who} | {kind} | {' | '.join('' if v is None else f'{v:g}' for v in values)} |")
    return "\n".join(lines) + "\n"


def shown(wanted: list[Case], fill: Callable[[Case], Answer]) -> Iterator[str]:
    """Each case with its answer, as Markdown."""
    for number, case in enumerate(wanted, 1):
        before = "\n".join(case.before.split("\n")[-3:])
        after = "\n".join(case.after.split("\n")[:2])
        text, _ = fill(case)
        asked = f", *{case.instruction}*: `{case.selected}`" if case.selected else ""
        yield f"\n{number}. {case.kind}{asked}\n\n````text\n{before}⟦{text}⟧{after}\n````\n\n   truth: `{case.truth}`\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("code", type=Path)
    parser.add_argument("prose", type=Path)
    parser.add_argument("--model", type=Path, metavar="FOLDER")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0, help="which holes are chosen")
    parser.add_argument("--classes", nargs="+", choices=CLASSES, metavar="CLASS")
    parser.add_argument(
        "--whole", action="store_true", help="tell the whole file, as a window does, not what is near; rivals never are"
    )
    parser.add_argument("--json", type=Path, metavar="PATH")
    parser.add_argument("--markdown", type=Path, metavar="PATH", help="write the table here")
    parser.add_argument(
        "--show", action="store_true", help="print every hole with what was filled, and measure nothing"
    )
    parser.add_argument(
        "--texts", type=Path, nargs="*", metavar="FILE", help="training text, for the most frequent one"
    )
    parser.add_argument("--tokens", type=Path, metavar="FILE", help="training tokens, for the 5-gram model")
    parser.add_argument("--left-to-right", type=Path, metavar="FOLDER", help="checkpoint that is told what follows")
    parser.add_argument("--read", type=Path, metavar="FOLDER", help="checkpoint that is not")
    args = parser.parse_args()
    leave_a_core()
    wanted = [
        case
        for case in cases(args.code, args.prose, args.count, args.seed)
        if not args.classes or case.kind in args.classes
    ]
    model = load_model(args.model)

    def count(text: str) -> int:
        return len(model.tokenizer.encode(text, add_special_tokens=False).ids)

    report: dict = json.loads(args.json.read_text()) if args.json and args.json.exists() else {}
    rivals: dict[str, Callable[[], Rival]] = {}
    if args.texts:
        rivals["most_frequent"] = lambda: MostFrequent(
            text for file in args.texts for text in documents(file, 30 << 20)
        )
    if args.tokens:
        rivals["5_gram"] = lambda: BothSides(np.load(args.tokens), model)
    if args.left_to_right:
        rivals["left_to_right"] = lambda: LeftToRight(args.left_to_right, told=True)
    if args.read:
        rivals["prefix_only"] = lambda: LeftToRight(args.read, told=False)
    plain = [case for case in wanted if not case.selected]
    baselines = report.setdefault("baselines", {})
    for name, make in rivals.items():
        baselines[name] = baselines.get(name, {}) | measure(plain, by_rival(make()), count)
    if not rivals:
        with closing(open_backend(checkpoint=args.model)) as backend:
            backend.load()
            fill = by_backend(backend, wanted, args.whole)
            if args.show:
                print(*shown(wanted, fill), sep="")
                return
            report |= measure(wanted, fill, count)
    print(table(report))
    if args.json:
        args.json.write_text(json.dumps(report, indent=2) + "\n")
    if args.markdown:
        args.markdown.write_text(table(report))


if __name__ == "__main__":
    main()
