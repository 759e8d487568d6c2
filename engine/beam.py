"""What the encoder would write in a hole, from left to right: it competes with what the canvas says."""

import torch
from torch import Tensor

from palimpsest.engine.cache import Prefix
from palimpsest.engine.model import Model
from palimpsest.engine.ngrams import Ngrams

WIDTH = 6  # texts
MOST = 28  # tokens of a text
NEAR = 6.0  # nats behind the likeliest that has ended: what is farther is given up


def search(model: Model, prefix: Prefix, last: int, end: int, ngrams: Ngrams) -> list[list[int]]:
    """The tokens that may stand between ``prefix``, which ends with the token ``last``, and the token ``end``: at most
    WIDTH texts of at most MOST, the likeliest first, by beam search with the encoder and ``ngrams``."""
    begun: list[tuple[float, list[int]]] = [(0.0, [last])]
    ended: list[tuple[float, list[int]]] = []
    tree, place, seen = prefix.without_last(), torch.zeros(0, dtype=torch.long), torch.zeros(1, 0, dtype=torch.bool)
    for depth in range(MOST + 1):
        newest = torch.tensor([ids[-1] for _, ids in begun])
        place = torch.cat([place, torch.full_like(newest, depth)])
        seen = torch.cat([seen, torch.eye(len(begun), dtype=torch.bool)], 1)
        following = model.following(tree, newest, place, seen)
        following = ngrams.mixed(following, [ids for _, ids in begun]).cpu()
        scores = torch.tensor([score for score, _ in begun])[:, None] + following
        further: list[tuple[float, list[int]]] = []
        behind: list[int] = []
        for score, best in zip(*(best.tolist() for best in scores.flatten().topk(2 * WIDTH)), strict=True):
            row, token = divmod(best, scores.shape[1])
            ids = begun[row][1]
            if token == end:
                ended.append((score, ids[1:]))
            elif token not in model.ends and len(further) < WIDTH:
                further.append((score, [*ids, token]))
                behind.append(row)
        ended = sorted(ended, reverse=True)[:WIDTH]
        begun = [text for text in further if not ended or text[0] > ended[0][0] - NEAR]
        seen = seen[behind[: len(begun)]]
        if not begun or (len(ended) == WIDTH and begun[0][0] < ended[-1][0]):
            break
    return [ids for _, ids in ended]


def first(model: Model, prefix: Prefix, last: int) -> Tensor:
    """The log-probabilities of the token behind ``prefix``, which ends with the token ``last``. V"""
    root = torch.zeros(1, dtype=torch.long), torch.ones(1, 1, dtype=torch.bool)
    return model.following(prefix.without_last(), torch.tensor([last]), *root)[0]
