"""What the kernels compute, in plain torch: the truth for tests, and the way without Triton.

Shapes: T tokens, K experts of each, E experts, H hidden, I width of an expert; N rows, V vocabulary, C hidden.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from palimpsest.engine.kernels.formats import Packed, unpack


def experts(hidden: Tensor, index: Tensor, weights: Tensor, gate_up: Packed, down: Packed) -> Tensor:
    """The sum over each token's experts (``index``, ``weights``: T K) of their gated MLPs. T H -> T H, in fp32

    ``gate_up`` (E 2I H) holds the gates' rows before those of the ups; ``down`` is E H I.
    """
    result = torch.zeros(hidden.shape, device=hidden.device)
    for expert in index.unique().tolist():
        token, place = (index == expert).nonzero(as_tuple=True)
        own = expert_mlp(hidden[token], unpack(gate_up[expert]), unpack(down[expert]))
        result.index_add_(0, token, own * weights[token, place, None].float())
    return result


def expert_mlp(hidden: Tensor, gate_up: Tensor, down: Tensor) -> Tensor:
    """One expert: T H, and in fp32 2I H and H I -> T H, in fp32"""
    gate, up = F.linear(hidden.float(), gate_up).chunk(2, dim=-1)
    return F.linear(F.gelu(gate, approximate="tanh") * up, down)


@dataclass(frozen=True)
class Prediction:
    """What a denoising step needs to know of each of N rows of logits."""

    entropy: Tensor  # nats, at the temperature
    likeliest: Tensor  # token id; of equals the lowest
    confidence: Tensor  # probability of the likeliest, before the temperature
    proposal: Tensor  # token drawn at the temperature
    expected: Tensor  # N C, the embedding expected at the temperature, times the embedding's scale


def predict(
    hidden: Tensor, table: Tensor, cap: float, temperature: Tensor, uniform: Tensor, scale: float, kept: torch.dtype
) -> Prediction:
    """What ``table`` (V C) predicts from ``hidden`` (N C), its logits capped by tanh at ``cap``.

    ``uniform`` (N V, in [0, 1)) decides the draw by Gumbel's trick: of all tokens the one with the highest logit -
    log(-log(uniform)). The expectation is over scaled logits rounded to the type ``kept``; transformers' is over bf16.
    """
    logits = torch.tanh(F.linear(hidden.float(), table.float()) / cap) * cap
    scaled = logits / temperature
    gumbel = -torch.log(-torch.log(uniform.clamp(min=torch.finfo(torch.float32).tiny)))
    probabilities = scaled.softmax(-1)
    top, likeliest = logits.max(-1)
    return Prediction(
        torch.special.entr(probabilities).sum(-1),
        likeliest,
        (top - logits.logsumexp(-1)).exp(),
        (scaled + gumbel).argmax(-1),
        scaled.to(kept).float().softmax(-1) @ table.float() * scale,
    )
