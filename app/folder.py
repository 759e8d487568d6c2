"""The files of a folder, without those that git is told to ignore."""

import os
import re
from collections.abc import Iterator
from itertools import islice, takewhile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

MOST = 200_000  # files that are told

Rules = list[tuple[str, "GitIgnoreSpec"]]  # what .gitignore files say, each of its folder, the innermost last


def walk(root: Path) -> Iterator[str]:
    """The names of the files in ``root`` and its folders, relative to it, at most MOST: a folder's own files before
    those of its folders. Links to folders are not followed, and what cannot be read is left out."""
    return islice(_walk(root), MOST)


def _walk(root: Path) -> Iterator[str]:
    start = len(os.path.join(root, ""))
    waiting = [(str(root), _rules_above(root))]
    while waiting:
        folder, rules = waiting.pop()
        rules = rules + _rules(folder)
        inner = []
        for entry in _entries(folder):
            within = entry.is_dir(follow_symlinks=False)
            if entry.name == ".git" or _ignored(os.path.join(entry.path, "") if within else entry.path, rules):
                continue
            if within:
                inner.append((entry.path, rules))
            elif entry.is_file(follow_symlinks=False) or os.path.isfile(entry):
                yield entry.path[start:]
        waiting += reversed(inner)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def _rules_above(root: Path) -> Rules:
    """The rules of the repository that ``root`` is a folder of; none where they leave out ``root`` itself."""
    inside = list(takewhile(lambda folder: not (folder / ".git").exists(), (root, *root.parents)))
    if len(inside) > len(root.parents):
        return []  # there is no repository
    rules = [rule for folder in reversed(inside) for rule in _rules(str(folder.parent))]
    return [] if _ignored(os.path.join(root, ""), rules) else rules


def _rules(folder: str) -> Rules:
    from pathspec import GitIgnoreSpec  # only when it is needed: a window begins 30 ms sooner

    try:
        lines = Path(folder, ".gitignore").read_text("utf-8", "replace").splitlines()
    except OSError:
        return []
    try:
        spec = GitIgnoreSpec.from_lines(lines)
    except (ValueError, re.error):  # a line that git itself would pass over
        spec = GitIgnoreSpec.from_lines(filter(_can_be_used, lines))
    return [(os.path.join(folder, ""), spec)]


def _can_be_used(line: str) -> bool:
    from pathspec import GitIgnoreSpec

    try:
        GitIgnoreSpec.from_lines([line])
    except (ValueError, re.error):
        return False
    return True


def _ignored(path: str, rules: Rules) -> bool:
    """Is ``path`` left out? A folder's ends with a separator."""
    for folder, spec in reversed(rules):
        if (ignored := spec.check_file(path[len(folder) :]).include) is not None:
            return ignored
    return False
