"""The rows of tokens the decoder sees: which positions are pinned, which are free, and to which hole they belong."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

RIGHT_CONTEXT = 24  # tokens after the last hole that are worth a wider canvas
LEAST_RIGHT_CONTEXT = 8  # tokens after the last hole that every canvas before them leaves room for
WIDTH_STEP = 16  # canvases come in multiples of this width
MOST_SLACK = 256  # tokens offered beyond a selection
OUTSIDE = -1  # the hole of what stands between and around the holes

# What candidates of different lengths offer: times the selection, or tokens where nothing is selected.
SCALES = (0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
OPEN_LENGTHS = (1, 2, 3, 6, 12, 32)


@dataclass
class Row:
    """Tokens from the first hole on; for each whether it is free, and its hole or OUTSIDE."""

    ids: list[int] = field(default_factory=list)
    free: list[bool] = field(default_factory=list)
    hole: list[int] = field(default_factory=list)

    def pin(self, ids: Sequence[int]) -> None:
        """Append tokens that stay, outside any hole."""
        self.append(ids, OUTSIDE, free=False)

    def open(self, length: int, hole: int) -> None:
        """Append tokens that the model decides."""
        self.append([0] * length, hole, free=True)

    def append(self, ids: Sequence[int], hole: int, free: bool) -> None:
        """Append tokens of ``hole`` that the model decides, or that stay."""
        self.ids += ids
        self.free += [free] * len(ids)
        self.hole += [hole] * len(ids)

    def part(self, start: int, end: int | None) -> "Row":
        """The tokens from ``start`` to ``end``."""
        return Row(self.ids[start:end], self.free[start:end], self.hole[start:end])

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Canvas:
    """A batch of canvases. Shapes: B canvases, W positions."""

    ids: Tensor  # B W
    free: Tensor  # B W bool
    hole: Tensor  # B W, OUTSIDE where none
    revised: bool = False  # is what stands on free positions where denoising begins, instead of noise?

    def to(self, device: torch.device) -> "Canvas":
        """The same canvases on ``device``."""
        return replace(self, ids=self.ids.to(device), free=self.free.to(device), hole=self.hole.to(device))

    def repeated(self, count: int) -> "Canvas":
        """The whole batch ``count`` times."""
        ids, free, hole = (part.repeat(count, 1) for part in (self.ids, self.free, self.hole))
        return replace(self, ids=ids, free=free, hole=hole)


def offers(selections: Sequence[int], length: int | None, elastic: bool) -> list[list[int]]:
    """For each candidate, how many tokens each hole offers, given how many are selected in it (0: it is open).

    A checkpoint that leaves slack unused (``elastic``) needs but one where all holes are selected, half as long again
    or MOST_SLACK longer.
    """
    if length:
        return [[length] * len(selections)]
    candidates = [
        [(_with_slack(count) if elastic else max(1, round(count * scale))) if count else open_ for count in selections]
        for scale, open_ in zip(SCALES, OPEN_LENGTHS, strict=True)
    ]
    return [offer for number, offer in enumerate(candidates) if offer not in candidates[:number]]


def _with_slack(count: int) -> int:
    return count + min(MOST_SLACK, max(8, count // 2))


def spaced(ids: Sequence[int], length: int | None, slack: int) -> list[int]:
    """Text to be revised: ``slack`` before the first token and behind each, or just so that it has ``length``."""
    if length:
        return [*ids, *[slack] * length][:length]
    return [slack, *(token for index in ids for token in (index, slack))]


def cut(row: Row, right: int, limit: int) -> list[Row]:
    """The row in parts that fit canvases of ``limit``, the last with room for some of the ``right`` tokens after it."""
    last = limit - min(right, LEAST_RIGHT_CONTEXT)
    if len(row) <= last:
        return [row]
    at = min(limit, len(row) // 2)
    return [row.part(0, at), *cut(row.part(at, None), right, limit)]


def fitting(rows: list[Row], right: int, limit: int) -> list[Row]:
    """Those of the candidate ``rows`` that fit one canvas; where none does, the middle one alone."""
    return [row for row in rows if len(cut(row, right, limit)) == 1] or [rows[(len(rows) - 1) // 2]]


def in_parts(rows: Sequence[Row], right: Sequence[int], limit: int, eos: int) -> list[Canvas]:
    """All candidate ``rows`` on one batch of canvases, or a single one's canvases one after another."""
    *parts, last = cut(rows[0], len(right), limit)
    last = lay_out(rows if len(rows) > 1 else [last], right, limit, eos)
    return [*(lay_out([part], None, limit, eos) for part in parts), last]


def lay_out(rows: Sequence[Row], right: Sequence[int] | None, limit: int, eos: int) -> Canvas:
    """Canvases of ``rows``, each with as much of ``right`` pinned behind it as is useful; None: nothing is known of it.

    Where the document ends inside a canvas, the rest is ``eos``.
    """
    longest = max(map(len, rows))
    width = longest if right is None else min(limit, -(-(longest + RIGHT_CONTEXT) // WIDTH_STEP) * WIDTH_STEP)
    ids, free, hole = [], [], []
    for row in rows:
        rest = width - len(row)
        ids.append(row.ids + [*(right or ()), *[eos] * rest][:rest])
        free.append(row.free + [False] * rest)
        hole.append(row.hole + [OUTSIDE] * rest)
    return Canvas(torch.tensor(ids), torch.tensor(free), torch.tensor(hole))
