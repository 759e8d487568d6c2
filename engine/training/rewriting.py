"""Text in a state that calls for an instruction, and the instruction: pairs made from text that is right."""

import re
import string
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher

import numpy as np

Damage = Callable[[np.random.Generator, str], str]


def rewrite_prompt(instruction: str) -> str:
    """What the encoder reads before the document when a passage is to be rewritten, which stands on the canvas."""
    return f"<|turn>user\n{instruction}<turn|>\n<|turn>model\n"


def _typos(rng: np.random.Generator, text: str) -> str:
    letters = list(text)
    for index in range(1, len(letters) - 1):
        if letters[index].isalpha() and letters[index + 1].isalpha() and rng.random() < 0.04:
            kind = rng.integers(0, 3)
            if kind == 0:
                letters[index], letters[index + 1] = letters[index + 1], letters[index]
            elif kind == 1:
                letters[index] = ""
            else:
                letters[index] *= 2
    return "".join(letters)


def _small(_rng: np.random.Generator, text: str) -> str:
    return text.lower()


def _unpunctuated(_rng: np.random.Generator, text: str) -> str:
    return text.translate(str.maketrans("", "", string.punctuation))


def _unformatted(_rng: np.random.Generator, text: str) -> str:
    """Without the blanks around operators and after commas, and with single quotes."""
    text = re.sub(r"(?<=\S) *(->|==|=|\+|-|\*|/|,|:) *(?=\S)", r"\1", text)
    return text.replace('"', "'")


def _unannotated(_rng: np.random.Generator, text: str) -> str:
    """Without the types of parameters and results in ``def`` lines."""
    return re.sub(
        r"^(\s*(?:async )?def \w+\()(.*)\)(?: *-> *[^:\n]+)?:",
        lambda found: found[1] + re.sub(r": *[\w.\[\]| ]+?(?= *[,=)]|$)", "", found[2]) + "):",
        text,
        flags=re.MULTILINE,
    )


def _without_docstring(_rng: np.random.Generator, text: str) -> str:
    return re.sub(r'^[ \t]*"""[^"]*"""\n?', "", text, flags=re.MULTILINE)


# What is done to the text, and how one asks for it to be undone.
DAMAGES: dict[str, tuple[tuple[str, ...], Damage]] = {
    "typos": (("Fix the spelling", "Fix the typos", "Correct this"), _typos),
    "capitals": (("Restore the capitals", "Fix the capitals"), _small),
    "punctuation": (("Restore the punctuation", "Punctuate"), _unpunctuated),
    "format": (("Format this", "Tidy the code"), _unformatted),
    "annotations": (("Add type hints", "Annotate"), _unannotated),
    "docstring": (("Add a docstring", "Document this"), _without_docstring),
}


def choose(rng: np.random.Generator, text: str) -> tuple[str, Damage]:
    """An instruction that makes sense for ``text``, and what is done to passages that call for it; half of the time
    words are misspelled."""
    names = [name for name, (_, how) in DAMAGES.items() if how(rng, text) != text]
    name = str(rng.choice(names)) if names and rng.random() < 0.5 else "typos"
    instructions, how = DAMAGES[name]
    return str(rng.choice(instructions)), how


def aligned(standing: Sequence[int], wanted: Sequence[int], delete: int) -> list[tuple[int, int]]:
    """For each position of a canvas that shows ``standing`` with a slot of slack before it and behind each token, what
    stands there and what should; slots are added where they are too few for what is ``wanted``."""
    cells = [(delete, delete)]
    for kind, start, end, first, last in SequenceMatcher(None, standing, wanted, autojunk=False).get_opcodes():
        if kind == "equal":
            cells += (cell for token in standing[start:end] for cell in ((token, token), (delete, delete)))
            continue
        shown = [token for index in standing[start:end] for token in (index, delete)] or [cells.pop()[0]]
        new = list(wanted[first:last])
        if len(new) <= end - start:
            new = [token for index in new for token in (index, delete)]
        length = max(len(shown), len(new))
        padded = ([*tokens, *[delete] * (length - len(tokens))] for tokens in (shown, new))
        cells += zip(*padded, strict=True)
    return cells
