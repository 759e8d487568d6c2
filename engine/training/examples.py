"""Token windows -> training examples: prefixes, canvases with holes, noise.

Shapes: D documents in a batch, T prefix tokens, L canvas tokens a document (several canvases of width W side by side).
"""

import string
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from palimpsest.engine.training.architecture import CANVAS, PREFIX

WIDTHS, WIDTH_SHARES = [32, 64, 128, 256], [0.40, 0.45, 0.12, 0.03]
MOST_SLACK = 48  # tokens; a fill whose length is unknown offers about this much
REWRITES = 0.10  # share of documents that are an instruction and its answer


@dataclass(frozen=True)
class Batch:
    """One training batch. ``canvas`` is ``target`` with noise on some free positions."""

    prefix: np.ndarray  # D T, ids
    target: np.ndarray  # D L, ids
    canvas: np.ndarray  # D L, ids
    free: np.ndarray  # D L, bool
    start: np.ndarray  # D L, the prefix length that each canvas position sees
    width: int


class Examples:
    """Makes the batch of any step from the seed and the step alone, so that training resumes exactly.

    ``tokens`` is the flat uint16 array written by ``corpus.py``.
    """

    def __init__(self, tokens: np.ndarray, tokenizer: Tokenizer, documents: int, seed: int):
        self.tokens, self.tokenizer, self.documents, self.seed = tokens, tokenizer, documents, seed
        self.size = tokenizer.get_vocab_size()
        self.bos, self.eos, self.delete = (_id(tokenizer, name) for name in ("<bos>", "<eos>", "<del>"))
        self.newline = tokenizer.encode("\n").ids[0]
        self.blank = tokenizer.encode(" ").ids[0]
        pieces = [tokenizer.decode([index]) for index in range(self.size)]
        blanks = [not piece.strip() for piece in pieces]
        self.indent = np.array([blank and "\n" not in piece for blank, piece in zip(blanks, pieces, strict=True)])
        self.without_blank = np.full(self.size, -1)
        for index, piece in enumerate(pieces):
            if len(piece) > 1 and piece[0] == " " and not blanks[index]:
                ids = tokenizer.encode(piece[1:]).ids
                if len(ids) == 1:
                    self.without_blank[index] = ids[0]

    def batch(self, step: int) -> Batch:
        """The batch of training step ``step``."""
        rng = np.random.default_rng((self.seed, step))
        width = int(rng.choice(WIDTHS, p=WIDTH_SHARES))
        rows = [self._document(rng, width) for _ in range(self.documents)]
        prefix, target, free, start = (np.stack(column) for column in zip(*rows, strict=True))
        # One noise level a canvas, uniform; half of them pure noise, as generation begins: with one in seven the model
        # took the first canvas' random tokens for hints and kept some.
        canvases = CANVAS // width
        level = np.where(rng.random((self.documents, canvases)) < 1 / 2, 1.0, rng.random((self.documents, canvases)))
        noisy = free & (rng.random(target.shape) < np.repeat(level, width, axis=1))
        canvas = np.where(noisy, rng.integers(0, self.size, target.shape), target)
        return Batch(prefix, target, canvas, free, start, width)

    def _document(self, rng: np.random.Generator, width: int):
        begin = int(rng.integers(0, len(self.tokens) - PREFIX - 2 * CANVAS))
        window = self.tokens[begin : begin + PREFIX + 2 * CANVAS].astype(np.int64)
        window[0] = self.bos
        hole = None
        if rng.random() < REWRITES:
            window, hole = self._rewrite(rng, window)
        targets, frees, starts = [], [], []
        for _ in range(CANVAS // width):
            start, target, free = self._canvas(rng, window, width, hole)
            targets.append(target)
            frees.append(free)
            starts.append(np.full(width, start))
        return window[:PREFIX], np.concatenate(targets), np.concatenate(frees), np.concatenate(starts)

    def _canvas(self, rng, window: np.ndarray, width: int, hole: tuple[int, int] | None):
        """One canvas: prefix length, target ids, free positions."""
        if hole:
            begin, end = hole
            end = min(end, begin + width - 4)
            left = 0
        else:
            begin = self._begin(rng, window)
            if rng.random() < 0.06:
                return begin, self._until_eos(window[begin : begin + width]), np.ones(width, bool)
            left = int(rng.integers(1, width // 4)) if rng.random() < 0.25 else 0
            left = min(left, begin - 1)
            end = begin + self._length(rng, window, begin, width - left - 4)
        row = list(window[begin - left : begin])
        free = [False] * left
        content = list(window[begin:end])
        if left == 0 and hole is None and content and self.without_blank[content[0]] >= 0 and rng.random() < 0.3:
            row, free = [self.blank], [False]
            content[0] = self.without_blank[content[0]]
        self._put_hole(rng, row, free, content, width)
        if rng.random() < 0.15 and width - len(row) > 16:
            gap = int(rng.integers(2, (width - len(row)) // 2))
            row += list(window[end : end + gap])
            free += [False] * gap
            end += gap
            length = int(rng.integers(0, max(1, (width - len(row)) // 2)))
            self._put_hole(rng, row, free, list(window[end : end + length]), width)
            end += length
        rest = width - len(row)
        row += list(window[end : end + rest])
        free += [False] * rest
        return begin - left, self._until_eos(np.array(row)), np.array(free)

    def _begin(self, rng, window: np.ndarray) -> int:
        """A place in the prefix window: every second time a line's first token or the first after its indentation."""
        place = int(rng.integers(1, PREFIX + 1))
        if rng.random() < 0.5:
            ends = np.flatnonzero(window[place : PREFIX - 1] == self.newline)
            if len(ends):
                place += int(ends[0]) + 1
                if self.indent[window[place]] and place < PREFIX and rng.random() < 0.6:
                    place += 1
        return place

    def _length(self, rng, window: np.ndarray, begin: int, most: int) -> int:
        """How many tokens the hole really holds: to the end of a line, or any number up to ``most``."""
        if rng.random() < 0.55:
            ends = np.flatnonzero(window[begin : begin + most] == self.newline)
            if len(ends):
                lines = min(int(rng.geometric(0.6)), len(ends))
                return int(ends[lines - 1])
        return min(int(np.exp(rng.uniform(0, np.log(most)))) - (rng.random() < 0.05), most)

    def _put_hole(self, rng, row: list, free: list, content: list, width: int) -> None:
        """Append ``content`` and its slack: none, a little, or anything up to what the canvas holds."""
        most = max(0, min(MOST_SLACK, width - len(row) - len(content) - 2))
        share = rng.random()
        slack = 0 if share < 0.2 else rng.integers(0, 5) if share < 0.45 else rng.integers(0, most + 1)
        slack = min(int(slack), most)
        row += content + [self.delete] * slack
        free += [True] * (len(content) + slack)

    def _until_eos(self, row: np.ndarray) -> np.ndarray:
        """Whatever follows the end of a document is more of its end, as in the released model's training."""
        ends = np.flatnonzero(row == self.eos)
        if len(ends):
            row = row.copy()
            row[ends[0] :] = self.eos
        return row

    def _rewrite(self, rng, window: np.ndarray):
        """An instruction with damaged text before the document; the hole is where the text stands whole."""
        begin = int(rng.integers(8, 60))
        end = begin + int(rng.integers(4, 48))
        if self.eos in window[:end]:
            return window, None
        text = self.tokenizer.decode(window[begin:end].tolist(), skip_special_tokens=False)
        instruction, damaged = damage(rng, text)
        prompt = self.tokenizer.encode(rewrite_prompt(instruction, damaged)).ids
        row = np.concatenate([[self.bos], prompt, window[1:]])[: len(window)]
        begin, end = begin + len(prompt), end + len(prompt)
        return (row, (begin, end)) if begin < PREFIX else (window, None)


def _id(tokenizer: Tokenizer, token: str) -> int:
    index = tokenizer.token_to_id(token)
    assert index is not None, token
    return index


def rewrite_prompt(instruction: str, text: str) -> str:
    """What the encoder reads before the document when a passage is to be rewritten."""
    return f"<|turn>user\n{instruction}\n{text}<turn|>\n<|turn>model\n"


def damage(rng: np.random.Generator, text: str) -> tuple[str, str]:
    """An instruction and ``text`` in the state that calls for it."""
    kind = rng.integers(0, 3)
    if kind == 0:
        return str(rng.choice(["Fix the spelling", "Fix the typos", "Correct this"])), _typos(rng, text)
    if kind == 1:
        return str(rng.choice(["Restore the capitals", "Fix the capitals"])), text.lower()
    marks = str.maketrans("", "", string.punctuation)
    return str(rng.choice(["Restore the punctuation", "Punctuate"])), text.translate(marks)


def _typos(rng, text: str) -> str:
    letters = list(text)
    for index in range(1, len(letters) - 1):
        if letters[index].isalpha() and letters[index + 1].isalpha() and rng.random() < 0.06:
            kind = rng.integers(0, 3)
            if kind == 0:
                letters[index], letters[index + 1] = letters[index + 1], letters[index]
            elif kind == 1:
                letters[index] = ""
            else:
                letters[index] *= 2
    return "".join(letters)
