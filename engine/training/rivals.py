"""What a fill by diffusion is compared with: other ways to fill the same holes, given the same text around them."""

import itertools
import re
import tokenize
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache

from palimpsest.engine.model import Model, load_model
from palimpsest.engine.training.cases import CODE, PROSE, Case
from palimpsest.engine.training.examples import FOLLOWING, MARKS

Rival = Callable[[Case], str]
MOST = 64  # tokens a rival writes at most
READ = 448  # tokens before the hole that the left-to-right model reads: what it was trained on


class MostFrequent:
    """The text most often found in holes of the class at the indentation of the line, in ``texts``."""

    def __init__(self, texts: Iterable[str]):
        self._seen: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        for text in texts:
            for kind, places in (CODE | PROSE).items():
                with warnings.catch_warnings(action="ignore"):
                    spans = _places(places, text)
                for start, end in spans:
                    self._seen[kind, _indentation(text[:start])][text[start:end]] += 1

    def __call__(self, case: Case) -> str:
        counts = self._seen[case.kind, _indentation(case.before)]
        return counts.most_common(1)[0][0] if counts else ""


def _places(places: Callable, text: str) -> list[tuple[int, int]]:
    try:
        return places(text)
    except (SyntaxError, tokenize.TokenError):
        return []  # a part of a file that is no Python by itself


def _indentation(before: str) -> str:
    line = before[before.rfind("\n") + 1 :]
    return line[: len(line) - len(line.lstrip())]


class Grams:
    """How often token n-grams follow one another in ``tokens`` (a flat array), as sorted hashes of up to ``order``."""

    def __init__(self, tokens: np.ndarray, order: int):
        self.order = order
        self._tables = []
        flat = tokens.astype(np.uint64)
        for length in range(1, order):  # tokens of context
            contexts = _hashes(flat, length)[:-1]
            by = np.lexsort((flat[length:], contexts))
            contexts, following = contexts[by], tokens[length:][by]
            edges = np.flatnonzero(np.r_[True, (contexts[1:] != contexts[:-1]) | (following[1:] != following[:-1])])
            counts = np.diff(np.r_[edges, len(contexts)]).astype(np.int32)
            self._tables.append((contexts[edges], following[edges], counts))
        self._single = np.bincount(tokens) / len(tokens)

    def following(self, context: Sequence[int]) -> tuple[np.ndarray, np.ndarray, float]:
        """Tokens seen behind the longest known end of ``context``, their shares, and the penalty of having backed off
        (0.4 for each token forgotten: "stupid back-off", Brants et al. 2007)."""
        for length in range(min(self.order - 1, len(context)), 0, -1):
            contexts, following, counts = self._tables[length - 1]
            key = _hashes(np.array(context[-length:], np.uint64), length)[0]
            first, last = np.searchsorted(contexts, key), np.searchsorted(contexts, key, "right")
            if last > first:
                chosen = counts[first:last]
                return following[first:last], chosen / chosen.sum(), 0.4 ** (self.order - 1 - length)
        return np.arange(len(self._single)), self._single, 0.4 ** (self.order - 1)

    def score(self, context: Sequence[int], token: int) -> float:
        """The log of the share of ``token`` behind ``context``, with back-off."""
        for forgotten in range(len(context) + 1):
            known, shares, penalty = self.following(context[forgotten:])
            found = np.flatnonzero(known == token)
            if len(found):
                return float(np.log(shares[found[0]] * penalty))
        return -20.0


def _hashes(tokens: np.ndarray, length: int) -> np.ndarray:
    """A 64-bit hash of every ``length`` tokens in a row."""
    count = len(tokens) - length + 1
    hashes = np.full(count, 1469598103934665603, np.uint64)
    with np.errstate(over="ignore"):
        for place in range(length):
            hashes = (hashes ^ tokens[place : place + count]) * np.uint64(1099511628211)
            hashes ^= hashes >> np.uint64(29)
    return hashes


class BothSides:
    """A 5-gram model seen from both sides: the likeliest text grows from the left, another from the right; the length
    and the place where they meet are those under which all, with what follows, is likeliest."""

    def __init__(self, tokens: np.ndarray, model: Model, order: int = 5):
        self._model, self._order = model, order
        self._forward, self._backward = Grams(tokens, order), Grams(tokens[::-1], order)

    def __call__(self, case: Case) -> str:
        tokenizer, reach = self._model.tokenizer, self._order - 1
        left = tokenizer.encode(case.before[-200:], add_special_tokens=False).ids
        blank = tokenizer.encode(" ", add_special_tokens=False).ids
        if left[-1:] == blank:  # words begin with their blank
            left.pop()
        right = tokenizer.encode(case.after[:200], add_special_tokens=False).ids[:reach]
        most = MOST if case.kind in ("lines", "sentence") else MOST // 4
        rising = self._chain(self._forward, left, most)
        falling = self._chain(self._backward, right[::-1], most)
        best, answer = -np.inf, []
        totals = list(itertools.accumulate((score for _, score in rising), initial=0.0))
        ends = [[token for token, _ in falling[:count]][::-1] for count in range(min(3, len(falling)) + 1)]
        for length, end in itertools.product(range(len(rising) + 1), ends):
            middle = [token for token, _ in rising[:length]]
            total, row = totals[length], left + middle
            for token in end + right:
                total += self._forward.score(row[-reach:], token)
                row.append(token)
            if middle + end and total > best:
                best, answer = total, middle + end
        text = self._model.detokenizer.text(answer)
        return text.removeprefix(" ") if case.before.endswith(" ") else text

    @staticmethod
    def _chain(grams: Grams, context: list[int], most: int) -> list[tuple[int, float]]:
        row, chain = list(context), []
        for _ in range(most):
            known, shares, penalty = grams.following(row[-(grams.order - 1) :])
            best = int(shares.argmax())
            chain.append((int(known[best]), float(np.log(shares[best] * penalty))))
            row.append(int(known[best]))
        return chain


class LeftToRight:
    """The encoder of a checkpoint writes token after token, the likeliest each.

    One trained with objective ``left-to-right`` is told what follows and ends by itself. With ``told=False`` only the
    text before is read, and the length comes from the class: a line, as many lines or words as were cut out.
    """

    def __init__(self, folder: Path, told: bool):
        self._model, self._told = load_model(folder), told

    @torch.inference_mode()
    def __call__(self, case: Case) -> str:
        model, tokenizer = self._model, self._model.tokenizer
        encoder = model.network.model.encoder.language_model
        before = tokenizer.encode(case.before, add_special_tokens=False).ids
        blank = tokenizer.encode(" ", add_special_tokens=False).ids
        spaced = before[-1:] == blank
        if spaced:
            before.pop()
        ids = [model.token("<bos>"), *before[-READ:]]
        if self._told:
            first, second = map(model.token, MARKS)
            after = tokenizer.encode(case.after, add_special_tokens=False).ids[:FOLLOWING]
            ids += [first, *after, second]
        text_config: Any = model.network.config.text_config
        cache, written, text = DynamicCache(config=text_config), [], ""
        new = ids
        for _ in range(MOST):
            hidden = encoder(input_ids=torch.tensor([new]), past_key_values=cache, use_cache=True).last_hidden_state[
                :, -1
            ]
            scores = model.network.lm_head(hidden)[0]
            new = [int(scores.argmax())]
            if new[0] in model.ends:
                break
            written += new
            text = model.detokenizer.text(written)
            text = text.removeprefix(" ") if spaced else text
            if not self._told and (end := _end(case, text)) is not None:
                return text[:end]
        return text


def _end(case: Case, text: str) -> int | None:
    """Where a text of the class of ``case`` ends, if it does."""
    if case.kind == "sentence":
        pattern = r"[.!?](?=\s)"
    elif case.kind == "arguments":
        pattern = r"(?=\))"
    elif case.kind in ("identifier", "word", "phrase"):
        words = len(case.truth.split())
        pattern = rf"\A(?:\W*\w+){{{words}}}(?=\W)"
    else:
        pattern = rf"\A(?:[^\n]*\n){{{case.truth.count(chr(10))}}}[^\n]*(?=\n)"
    found = re.search(pattern, text)
    return found.end() if found else None
