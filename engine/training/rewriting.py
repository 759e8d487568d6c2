"""Text in a state that calls for an instruction, and the instruction: pairs made from text that is right."""

import re
import string
from collections.abc import Callable

import numpy as np


def rewrite_prompt(instruction: str, text: str) -> str:
    """What the encoder reads before the document when a passage is to be rewritten."""
    return f"<|turn>user\n{instruction}\n{text}<turn|>\n<|turn>model\n"


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
DAMAGES: dict[str, tuple[tuple[str, ...], Callable[[np.random.Generator, str], str]]] = {
    "typos": (("Fix the spelling", "Fix the typos", "Correct this"), _typos),
    "capitals": (("Restore the capitals", "Fix the capitals"), _small),
    "punctuation": (("Restore the punctuation", "Punctuate"), _unpunctuated),
    "format": (("Format this", "Tidy the code"), _unformatted),
    "annotations": (("Add type hints", "Annotate"), _unannotated),
    "docstring": (("Add a docstring", "Document this"), _without_docstring),
}


def damage(rng: np.random.Generator, text: str) -> tuple[str, str]:
    """An instruction and ``text`` in the state that calls for it; half of the time with misspelled words."""
    changed = {name: how(rng, text) for name, (_, how) in DAMAGES.items()}
    names = [name for name, damaged in changed.items() if damaged != text] or ["typos"]
    name = "typos" if "typos" in names and rng.random() < 0.5 else str(rng.choice(names))
    return str(rng.choice(DAMAGES[name][0])), changed[name]
