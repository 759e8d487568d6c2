"""What the encoder would write in a hole, from left to right: it competes with what the canvas says."""

import torch

from palimpsest.engine.cache import Prefix
from palimpsest.engine.model import Model

WIDTH = 6  # texts
MOST = 28  # tokens of a text


def search(model: Model, prefix: Prefix, last: int, end: int) -> list[list[int]]:
    """The tokens that may stand between ``prefix``, which ends with the token ``last``, and the token ``end``: at most
    WIDTH texts of at most MOST, the likeliest first, by beam search."""
    begun, ended = [(0.0, [last])], []
    for _ in range(MOST + 1):
        following = model.following(prefix, [torch.tensor(ids) for _, ids in begun]).cpu()
        scores = torch.tensor([score for score, _ in begun])[:, None] + following
        further = []
        for score, place in zip(*(best.tolist() for best in scores.flatten().topk(2 * WIDTH)), strict=True):
            row, token = divmod(place, scores.shape[1])
            ids = begun[row][1]
            if token == end:
                ended.append((score, ids[1:]))
            elif token not in model.ends:
                further.append((score, [*ids, token]))
        begun, ended = further[:WIDTH], sorted(ended, reverse=True)[:WIDTH]
        if not begun or (len(ended) == WIDTH and begun[0][0] < ended[-1][0]):
            break
    return [ids for _, ids in ended]
