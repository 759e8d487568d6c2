"""The row of tokens the decoder sees: which positions are pinned, which are free."""

from dataclasses import dataclass

import torch
from torch import Tensor

from palimpsest.engine.errors import RequestError

RIGHT_CONTEXT = 24  # tokens after the hole that are worth a wider canvas
LEAST_RIGHT_CONTEXT = 8  # tokens after the hole that a long hole must leave room for
WIDTH_STEP = 32  # canvases come in multiples of this width
OPEN_LENGTH = 32  # tokens offered where nothing says how long the text will be


@dataclass(frozen=True)
class Canvas:
    """Token ids and which of them the model decides. Shapes: W canvas positions."""

    ids: Tensor  # W
    free: Tensor  # W bool

    def to(self, device: torch.device) -> "Canvas":
        """The same canvas on ``device``."""
        return Canvas(self.ids.to(device), self.free.to(device))


def hole_length(selected: int, limit: int, elastic: bool) -> int:
    """How many tokens to offer for a selection of ``selected`` tokens on a canvas of ``limit``.

    A checkpoint that can leave slack unused (``elastic``) is offered half as many again. Raises RequestError when the
    selection does not fit.
    """
    room = limit - LEAST_RIGHT_CONTEXT
    if selected > room:
        raise RequestError(
            f"The selection is {selected} tokens long and the model's canvas holds {room}: select a shorter stretch."
        )
    if not selected:
        return min(OPEN_LENGTH, room)
    return min(room, selected + max(8, selected // 2)) if elastic else selected


def lay_out(left: list[int], length: int, right: list[int], limit: int, eos: int) -> Canvas:
    """A canvas of ``left`` pinned, ``length`` free and as much of ``right`` pinned as is useful.

    Where the document ends inside the canvas, the rest is ``eos``. Raises RequestError when the hole does not fit.
    """
    hole = len(left) + length
    if hole > limit:
        raise RequestError(
            f"A hole of {length} tokens does not fit the model's canvas of {limit}: ask for a shorter one."
        )
    width = min(limit, -(-(hole + RIGHT_CONTEXT) // WIDTH_STEP) * WIDTH_STEP)
    pinned = (right + [eos] * width)[: width - hole]
    free = torch.zeros(width, dtype=torch.bool)
    free[len(left) : hole] = True
    return Canvas(torch.tensor(left + [eos] * length + pinned), free)
