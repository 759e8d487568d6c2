"""Lines as the encoder writes them: where the rest of one is wanted, what the canvas says competes with them."""

import torch

from palimpsest.engine.cache import Prefix
from palimpsest.engine.model import Model
from palimpsest.engine.prompt import encode
from palimpsest.engine.request import Fill

BEAM = 6  # lines
MOST = 28  # tokens of a line


def are_wanted(fill: Fill) -> bool:
    """Is there one hole, nothing behind it in its line, and something in later ones? Without that the shortest line
    would be the best."""
    return len(fill.selections) == 1 and fill.after.startswith("\n") and bool(fill.after.strip())


def likeliest(model: Model, prefix: Prefix, last: int) -> list[list[int]]:
    """The tokens that end the line behind ``prefix``, which ends with the token ``last``: at most BEAM texts of at most
    MOST, the likeliest first, written from left to right by beam search."""
    ends = {*encode(model.tokenizer, "\n"), *model.ends}
    begun, ended = [(0.0, [last])], []
    for _ in range(MOST + 1):
        following = model.following(prefix, [torch.tensor(ids) for _, ids in begun]).cpu()
        scores = torch.tensor([score for score, _ in begun])[:, None] + following
        further = []
        for score, place in zip(*(best.tolist() for best in scores.flatten().topk(2 * BEAM)), strict=True):
            row, token = divmod(place, scores.shape[1])
            ids = begun[row][1]
            if token in ends:
                ended.append((score, ids[1:]))
            else:
                further.append((score, [*ids, token]))
        begun, ended = further[:BEAM], sorted(ended, reverse=True)[:BEAM]
        if not begun or (len(ended) == BEAM and begun[0][0] < ended[-1][0]):
            break
    return [ids for _, ids in ended]
