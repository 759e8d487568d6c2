"""Packed weights inside the network: which weight takes which format, and the modules that use them.

Shapes: ... any number of leading dimensions, R rows, C columns.
"""

import re
from typing import Any

from torch import Tensor, nn

from palimpsest.engine.kernels import operators
from palimpsest.engine.kernels.formats import Packed, pack
from palimpsest.engine.request import PRECISIONS

PARTS = ("values", "scale", "offset")  # of a packed weight
# By precision, what experts and what the other products take. All-four-bit models need more denoising steps.
TAKEN: dict[str, tuple[str, str]] = dict(
    zip(PRECISIONS, [("bf16", "bf16"), ("fp8", "fp8"), ("int4", "int8")], strict=True)
)
EXPERTS = re.compile(r"\.experts\.(gate_up|down)_proj$")
PRODUCTS = re.compile(r"\.decoder\.(layers\.\d+\.(self_attn|mlp)|self_conditioning)\.\w+_proj\.weight$")


def format_of(name: str, precision: str) -> str:
    """The format of the weight ``name``; router, norms, embeddings and the vision tower stay as they are."""
    experts, products = TAKEN[precision]
    return experts if EXPERTS.search(name) else products if PRODUCTS.search(name) else "bf16"


class PackedWeight(nn.Module):
    """Holds a packed matrix, or a stack of them."""

    def __init__(self, packed: Packed):
        super().__init__()
        self.format = packed.format
        for name, tensor in zip(PARTS, packed.tensors, strict=True):
            self.register_buffer(name, tensor)

    @property
    def packed(self) -> Packed:
        return Packed(self.format, *(getattr(self, name) for name in PARTS))


class PackedLinear(PackedWeight):
    """A linear layer without bias whose weight is packed."""

    def forward(self, inputs: Tensor) -> Tensor:
        """... C -> ... R"""
        return operators.linear(inputs, self.packed)


def put(network: nn.Module, name: str, packed: Packed) -> None:
    """Have the weight called ``name`` be ``packed``."""
    if name.endswith(".weight"):
        _replace(network, name.removesuffix(".weight"), PackedLinear(packed))
    else:
        _replace(network, name, PackedWeight(packed))


def quantise(network: nn.Module, precision: str) -> None:
    """Pack the weights of a network that is in memory already."""
    decoder = network.get_submodule("model.decoder")
    for name, weight in list(decoder.named_parameters("model.decoder")):
        if (format := format_of(name, precision)) != "bf16":
            put(network, name, pack(weight.detach(), format))
    share(network)


def share(network: Any) -> None:
    """Have the encoder use the decoder's weights, packed ones too, as the classes share the plain ones."""
    encoder, decoder = network.model.encoder.language_model, network.model.decoder
    of_both = [path for path, _ in encoder.named_modules()]
    for path, module in list(decoder.named_modules()):
        if isinstance(module, PackedWeight) and path.rpartition(".")[0] in of_both:
            _replace(encoder, path, module)
    for path, parameter in decoder.named_parameters():
        owner, _, name = path.rpartition(".")
        if owner in of_both:
            setattr(encoder.get_submodule(owner), name, parameter)
    network.lm_head.weight = decoder.embed_tokens.weight


def _replace(network: nn.Module, path: str, module: nn.Module) -> None:
    parent, _, child = path.rpartition(".")
    owner = network.get_submodule(parent)
    if hasattr(owner, child):
        delattr(owner, child)
    setattr(owner, child, module)
