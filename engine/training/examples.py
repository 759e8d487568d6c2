"""Token windows -> training examples: documents, canvases with holes, text with its middle moved to the end.

Shapes: D documents in a batch, T tokens of each, B canvases, W positions.
"""

from dataclasses import dataclass, fields

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.utils.data import Dataset

from palimpsest.engine.training.rewriting import Damage, aligned, choose, rewrite_prompt

OBJECTIVES = ("read", "fill", "left-to-right")
LENGTH = 512  # tokens of a document that are read
WIDTHS, WIDTH_SHARES = [32, 64, 128, 256], [0.34, 0.46, 0.16, 0.04]
POSITIONS = 384  # of all canvases of a document together, or one canvas
LEAST_BEFORE = 12  # tokens
MOST_SLACK = 32  # tokens; what a hole of unknown length is offered
SEVERAL = 0.75  # share of canvases with more than one hole
REWRITES = 0.35  # share of documents that begin with an instruction
UNDAMAGED = 4  # passages that are tried before one that the instruction leaves as it is
MARKS = ("<|channel>", "<channel|>")  # where the text behind the hole begins, and where the hole's own, left to right
FOLLOWING = 64  # tokens behind the hole that the left-to-right model is told


@dataclass(frozen=True)
class Canvases:
    """Canvases behind the documents of a batch."""

    target: Tensor  # B W, ids
    free: Tensor  # B W, bool
    standing: Tensor  # B W, what is there to be rewritten; -1 where nothing is
    start: Tensor  # B, how many tokens of its document each canvas follows
    document: Tensor  # B

    def to(self, device: torch.device) -> "Canvases":
        """The same on ``device``."""
        return Canvases(*(getattr(self, field.name).to(device) for field in fields(self)))


@dataclass(frozen=True)
class Batch:
    ids: np.ndarray  # D T
    canvases: Canvases | None


class Examples(Dataset[Batch]):
    """Makes the batch of any step from the seed and the step alone, so that training resumes exactly.

    ``tokens`` is the flat uint16 array written by ``corpus.py``; ``objective`` is one of OBJECTIVES.
    """

    def __init__(self, tokens: np.ndarray, tokenizer: Tokenizer, objective: str, documents: int, seed: int):
        self.tokens, self.tokenizer, self.objective = tokens, tokenizer, objective
        self.documents, self.seed = documents, seed
        self.size = tokenizer.get_vocab_size()
        self.bos, self.eos, self.delete, *self.marks = (_id(tokenizer, n) for n in ("<bos>", "<eos>", "<del>", *MARKS))
        self.newline = tokenizer.encode("\n").ids[0]
        self.blank = tokenizer.encode(" ").ids[0]
        pieces = [tokenizer.decode([index]) for index in range(self.size)]
        blanks = [not piece.strip() for piece in pieces]
        self.indent = np.array([blank and "\n" not in piece for blank, piece in zip(blanks, pieces, strict=True)])
        self.word = np.array([any(char.isalnum() or char == "_" for char in piece) for piece in pieces])
        self.begins = np.array([piece[:1] == " " or not (piece[:1].isalnum() or piece[:1] == "_") for piece in pieces])
        self.without_blank = np.full(self.size, -1)
        for index, piece in enumerate(pieces):
            if len(piece) > 1 and piece[0] == " " and not blanks[index]:
                ids = tokenizer.encode(piece[1:]).ids
                if len(ids) == 1:
                    self.without_blank[index] = ids[0]

    def __getitem__(self, step: int) -> Batch:
        """The batch of training step ``step``."""
        rng = np.random.default_rng((self.seed, step))
        if self.objective == "read":
            return Batch(np.stack([self._window(rng, LENGTH) for _ in range(self.documents)]), None)
        if self.objective == "left-to-right":
            return Batch(np.stack([self._moved(rng) for _ in range(self.documents)]), None)
        width = int(rng.choice(WIDTHS, p=WIDTH_SHARES))
        ids, canvases = [], []
        for document in range(self.documents):
            window, how, least = self._window(rng, LENGTH + width), None, LEAST_BEFORE
            if rng.random() < REWRITES:
                window, how, least = self._asked(rng, window)
            ids.append(window[:LENGTH])
            for _ in range(max(1, POSITIONS // width)):
                canvas = self._damaged(rng, window, width, how, least) if how else None
                canvases.append((*(canvas or self._canvas(rng, window, width, least)), document))
        target, free, standing, start, document = zip(*canvases, strict=True)
        tensors = (torch.from_numpy(np.array(column)) for column in (target, free, standing, start, document))
        return Batch(np.stack(ids), Canvases(*tensors))

    def _window(self, rng: np.random.Generator, length: int) -> np.ndarray:
        begin = int(rng.integers(0, len(self.tokens) - length))
        window = self.tokens[begin : begin + length].astype(np.int64)
        window[0] = self.bos
        return window

    def _canvas(self, rng, window: np.ndarray, width: int, least: int):
        """One canvas: target ids, free positions, what stands there, how many tokens stand before it."""
        nothing = np.full(width, -1)
        if rng.random() < 0.05:
            begin = self._begin(rng, window, least)
            return self._until_eos(window[begin : begin + width]), np.ones(width, bool), nothing, begin
        # One hole as a user leaves it, or as many small ones as there is room for: these teach the most.
        several = rng.random() < SEVERAL
        begin, end = self._hole(rng, window, self._begin(rng, window, least), 12 if several else width // 2)
        start = begin
        row: list[int] = []
        free: list[bool] = []
        while True:
            content = list(window[begin : min(end, begin + width - len(row) - 4)])
            end = begin + len(content)
            if content and self.without_blank[content[0]] >= 0 and rng.random() < 0.8:
                # Whoever leaves a hole in a line leaves the blank before it.
                row, free = [*row, self.blank], [*free, False]
                content[0] = self.without_blank[content[0]]
            room = width - len(row) - len(content) - 2
            content += [self.delete] * (self._slack(rng, room) if not several else int(rng.integers(0, 3)))
            row, free = row + content, free + [True] * len(content)
            rest = width - len(row)
            gap = min(rest, int(rng.integers(1, 10))) if several and rest > 12 else rest
            row, free = row + list(window[end : end + gap]), free + [False] * gap
            if len(row) >= width:
                return self._until_eos(np.array(row[:width])), np.array(free[:width]), nothing, start
            begin, end = self._hole(rng, window, end + gap, min(12, (width - len(row)) // 2))

    def _begin(self, rng, window: np.ndarray, least: int) -> int:
        """A place for a hole: any, a line's first token or the first after its indentation, or that of a word."""
        place = int(rng.integers(least, LENGTH - 1))
        kind = rng.random()
        if kind < 0.45:
            ends = np.flatnonzero(window[place : LENGTH - 2] == self.newline)
            if len(ends):
                place += int(ends[0]) + 1
                if self.indent[window[place]] and rng.random() < 0.8:
                    place += 1
        elif kind < 0.75:
            begins = np.flatnonzero((self.word & self.begins)[window[place : LENGTH - 1]])
            place += int(begins[0]) if len(begins) else 0
        return place

    def _hole(self, rng, window: np.ndarray, begin: int, most: int) -> tuple[int, int]:
        """Where a hole that begins at ``begin`` ends: behind a word, a line, some lines, or any number of tokens."""
        ahead = window[begin : begin + max(1, most)]
        kind = rng.random()
        if kind < 0.3 and self.word[ahead[0]]:
            stops = np.flatnonzero(~self.word[ahead] | self.begins[ahead])
            stops = stops[stops > 0]
            if len(stops):
                return begin, begin + int(stops[0])
        elif kind < 0.75:
            ends = np.flatnonzero(ahead == self.newline)
            if len(ends):
                return begin, begin + int(ends[min(int(rng.geometric(0.7)), len(ends)) - 1])
        return begin, begin + min(int(np.exp(rng.uniform(0, np.log(max(1, most))))), most)

    def _slack(self, rng, room: int) -> int:
        """How many tokens a hole offers beyond what it holds: none, a few, or as many as an open one."""
        share, most = rng.random(), max(0, min(MOST_SLACK, room))
        return min(most, int(0 if share < 0.3 else rng.integers(0, 7) if share < 0.65 else rng.integers(0, most + 1)))

    def _until_eos(self, row: np.ndarray) -> np.ndarray:
        """Whatever follows the end of a document is more of its end, as in the released model's training."""
        ends = np.flatnonzero(row == self.eos)
        if len(ends):
            row = row.copy()
            row[ends[0] :] = self.eos
        return row

    def _asked(self, rng, window: np.ndarray) -> tuple[np.ndarray, Damage, int]:
        """The document behind an instruction, what is done to passages of it, and where it begins."""
        instruction, how = choose(rng, self.tokenizer.decode(window.tolist()))
        prompt = self.tokenizer.encode(rewrite_prompt(instruction)).ids
        return np.concatenate([[self.bos], prompt, window[1:]])[: len(window)], how, len(prompt) + 1

    def _damaged(self, rng, window: np.ndarray, width: int, how: Damage, least: int):
        """A canvas as of ``_canvas`` on which a damaged passage stands; None where none was found."""
        for attempt in range(UNDAMAGED):
            begin, most = self._begin(rng, window, least), (width - 8) // 2
            end = begin + int(np.exp(rng.uniform(np.log(4), np.log(most))))
            text = self.tokenizer.decode(window[begin:end].tolist(), skip_special_tokens=False)
            row = [self.blank] if text[:1] == " " and rng.random() < 0.8 else []
            text = text[len(row) :]
            damaged = how(rng, text)
            standing, wanted = (self.tokenizer.encode(one).ids for one in (damaged, text))
            cells = aligned(standing, wanted, self.delete)
            rest = width - len(row) - len(cells)
            if rest < 4 or self.eos in wanted or not damaged or "\ufffd" in text:
                continue
            if damaged == text and attempt < UNDAMAGED - 1:
                continue
            shown, target = zip(*cells, strict=True)
            standing = np.array([*[-1] * len(row), *shown, *[-1] * rest])
            return self._until_eos(np.array([*row, *target, *window[end : end + rest]])), standing >= 0, standing, begin
        return None

    def _moved(self, rng) -> np.ndarray:
        """A document with a stretch moved behind what follows it: before, mark, after, mark, the stretch, its end."""
        window = self._window(rng, LENGTH)
        row: list[int] = []
        while len(row) < LENGTH:
            begin, end = self._hole(rng, window, self._begin(rng, window, LEAST_BEFORE), 32)
            if rng.random() < 0.5:
                begin = min(begin, 128)  # several short ones, or a long one
                begin, end = self._hole(rng, window, begin, 32)
            after = window[end : end + FOLLOWING]
            first, second = self.marks
            row += [*window[:begin], first, *after, second, *window[begin:end], self.eos]
            window = self._window(rng, LENGTH)
        return np.array(row[:LENGTH])


def _id(tokenizer: Tokenizer, token: str) -> int:
    index = tokenizer.token_to_id(token)
    assert index is not None, token
    return index
