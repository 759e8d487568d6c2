"""Hands our experts to transformers, and checks that they were taken.

Shapes: T tokens, K experts of each, H hidden.
"""

from typing import Any

from torch import Tensor
from transformers.integrations.moe import ALL_EXPERTS_FUNCTIONS

from palimpsest.engine.errors import CheckpointError
from palimpsest.engine.kernels import operators
from palimpsest.engine.kernels.formats import Packed
from palimpsest.engine.language import tr
from palimpsest.engine.quant import PackedWeight

OURS, THEIRS = "palimpsest", "grouped_mm"


def use(network: Any) -> str:
    """Have ``network`` run its experts by our kernels where they can run, or where its weights are packed; otherwise
    by transformers' grouped products. The implementation's name. Raises CheckpointError when it was not taken."""
    experts = network.model.decoder.layers[0].experts
    own = isinstance(experts.gate_up_proj, PackedWeight) or operators.missing(experts.gate_up_proj.device) is None
    name = OURS if own else THEIRS
    network.set_experts_implementation(name)
    taken = network.config.text_config._experts_implementation
    if taken != name:
        raise CheckpointError(
            tr(
                "transformers runs the experts by {taken!r} where {name!r} was asked for: install the pinned version.",
                taken=taken,
                name=name,
            )
        )
    return name


def forward(module: Any, hidden: Tensor, index: Tensor, weights: Tensor) -> Tensor:
    """What transformers calls in place of a layer's experts. T H, T K, T K -> T H"""
    gate_up, down = (
        weight.packed if isinstance(weight, PackedWeight) else Packed("bf16", weight)
        for weight in (module.gate_up_proj, module.down_proj)
    )
    return operators.experts(hidden, index, weights, gate_up, down)


ALL_EXPERTS_FUNCTIONS.register(OURS, forward)
